#![forbid(unsafe_code)]
pub mod aws;
pub mod core;
pub mod kind;
