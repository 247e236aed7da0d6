//! ONE integration binary.
mod calls;
mod cases;
mod converge;
mod drift;
mod rollout;
mod support;
mod tables;
