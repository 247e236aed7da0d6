//! ONE integration binary.
mod calls;
mod cases;
mod converge;
mod support;
mod tables;
