//! What a source hands to the dispatcher.

use super::past::Past;
use crate::core::desired::Desired;
use crate::core::id::{ServiceId, ServiceName, SourceName};
use crate::core::source::Commit;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// One environment as git says it now.
pub struct Environment {
    /// The source it comes from.
    pub source: SourceName,
    /// The commit.
    pub commit: Commit,
    /// The commits that last changed what services declare, as far as they are known.
    pub changed_by: BTreeMap<ServiceName, Commit>,
    /// What git says.
    pub desired: Arc<Desired>,
    /// How often AWS is compared although git has not changed.
    pub drift_interval: Duration,
    /// What earlier commits say.
    pub past: Arc<Past>,
}

/// A new commit was read.
pub struct Request {
    /// What it says.
    pub environment: Arc<Environment>,
    /// The services that are to be looked at.
    pub services: BTreeSet<ServiceId>,
    /// Services that left git.
    pub gone: Vec<ServiceId>,
}
