//! ONE integration binary.
mod cases;
mod tables;
