//! ONE integration binary.
mod calls;
mod cases;
mod converge;
mod crash;
mod deploy;
mod drift;
mod equality;
mod faults;
mod git_transport;
mod proxy;
mod reading;
mod reuse;
mod rollout;
mod support;
mod tables;
mod tidy;
