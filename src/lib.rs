#![deny(unsafe_code)] // The one exception, with its reason: git/process.rs.
pub mod core;
pub mod git;
pub mod kind;
