//! ONE integration binary.
mod bad_input;
mod calls;
mod cases;
mod converge;
mod crash;
mod faults;
mod proxy;
mod reading;
mod support;
mod tables;
