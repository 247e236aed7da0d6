//! PURE: no AWS crate, no tokio, no clock, no files, no environment, no randomness. Time and chance are arguments.

pub mod action;
pub mod before;
pub mod desired;
pub mod diff;
pub mod document;
pub mod event;
pub mod history;
pub mod id;
pub mod image;
pub mod normal;
pub mod observed;
pub mod pause;
pub mod plan;
pub mod problem;
pub mod retry;
pub mod rollback;
pub mod rollout;
pub mod secret;
pub mod shape;
pub mod source;
pub mod status;
pub mod stopped;
pub mod tag;
pub mod window;
