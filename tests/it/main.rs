//! ONE integration binary.
mod calls;
mod cases;
mod git_transport;
mod equality;
mod reuse;
mod tables;
mod tidy;
