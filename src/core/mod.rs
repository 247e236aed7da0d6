//! PURE: no AWS crate, no tokio, no clock, no files, no environment, no randomness. Time and chance are arguments.
pub mod document;
pub mod id;
pub mod problem;
pub mod retry;
pub mod shape;
pub mod source;
