//! ONE integration binary.
mod calls;
mod cases;
mod equality;
mod git_transport;
mod reuse;
mod tables;
mod tidy;
