//! driftless keeps the Amazon ECS services of a team as their git repository says.
//!
//! ```text
//! main -> cli -> daemon -> { git, aws, store, http, sim } -> kind -> core
//!
//! commit -> Files (git) -> Desired + problems (core)
//! live   -> Snapshot (aws::observe)
//! both   -> Plan { steps, holds } (core, kind) -> outcomes (daemon, aws::apply) -> Events -> Status (core) -> page, API, metrics
//! ```
//!
//! `ARCHITECTURE.md` has the map and the invariants; `tests/it/tidy` keeps them.

// Denied, not forbidden: libgit2's time limits can only be set through unsafe functions. The one place is
// git/process.rs, with its reason; tests/it/tidy counts it.
#![deny(unsafe_code)]

pub mod aws;
pub mod cli;
pub mod core;
pub mod daemon;
pub mod git;
pub mod http;
pub mod kind;
pub mod settings;
pub mod sim;
pub mod store;
