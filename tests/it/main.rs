//! ONE integration binary.
mod calls;
mod cases;
mod converge;
mod drift;
mod support;
mod tables;
