//! ONE integration binary.
mod calls;
mod cases;
mod tables;
