//! ONE integration binary.
mod calls;
mod cases;
mod converge;
mod crash;
mod deploy;
mod equality;
mod faults;
mod git_transport;
mod proxy;
mod reading;
mod reuse;
mod support;
mod tables;
mod tidy;
