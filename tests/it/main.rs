//! ONE integration binary.
mod calls;
mod cases;
mod equality;
mod reuse;
mod tables;
