//! EDGE: an AWS account in memory, for the demo, the tests and the benchmarks.
//!
//! ```text
//! SDK's HTTP seam --+                      +--> ledger
//!                   +--> account: wire -> policy -> rates -> faults -> world -> wire
//! a local port -----+                                                    |
//!                                                    clock: tokio's time x speed
//! ```
//!
//! It names no other room and shares no table with them: what AWS does is written down here a second time, from AWS's
//! documentation, so that a mistake of the daemon is not its counterpart's as well. `tests/it/contract` compares both with
//! independent emulators.
//!
//! [`world`] is a state machine without a clock of its own: time is an argument, everything that happens by itself is an
//! entry of its agenda, and the same requests at the same times give the same account.

pub mod account;
pub mod clock;
pub mod fault;
pub mod ledger;
pub mod policy;
pub mod rates;
pub mod serve;
pub mod wire;
pub mod world;

pub use account::{Account, Lost, Options};
