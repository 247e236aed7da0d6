//! ONE integration binary.
mod calls;
mod cases;
mod converge;
mod proxy;
mod reading;
mod support;
mod tables;
