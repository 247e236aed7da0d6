//! Every request that the account was sent, and what it answered.

use jiff::Timestamp;
use serde_json::Value;

/// One request.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The account's time.
    pub at: Timestamp,
    /// Our short name of the service: `ecs`, `elbv2`, `autoscaling`, `cloudwatch`, `discovery`, `logs`, …
    pub service: &'static str,
    /// AWS's name.
    pub operation: String,
    /// What was asked.
    pub input: Value,
    /// The HTTP status; 0 when the connection ended without an answer.
    pub status: u16,
    /// AWS's error code.
    pub code: Option<String>,
    /// The user agent, which tells whose call it was.
    pub agent: String,
}

impl Entry {
    /// Whether it asks to change something.
    pub fn writes(&self) -> bool {
        !is_read(&self.operation)
    }
}

/// Whether an operation only looks.
pub fn is_read(operation: &str) -> bool {
    ["Describe", "List", "Get", "BatchGet", "Discover"].iter().any(|word| operation.starts_with(word))
}
