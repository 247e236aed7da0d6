//! ONE integration binary.
mod calls;
mod cases;
mod git_transport;
mod tables;
mod tidy;
