//! ONE integration binary.
mod calls;
mod cases;
mod deploy;
mod equality;
mod git_transport;
mod reuse;
mod tables;
mod tidy;
