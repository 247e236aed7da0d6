//! ONE integration binary.
mod calls;
mod cases;
mod proxy;
mod reading;
mod tables;
