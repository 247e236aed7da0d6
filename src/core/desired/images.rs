//! `images`: what is done about tags that move, and about images that are not pushed yet. `rollout.onSecretRotated`: the same
//! for secrets that change.

use crate::core::document::Node;
use crate::core::document::check::duration;
use std::time::Duration;

/// What is done when something moves under a service that runs: a tag points to another image than the one that runs, a
/// secret has another value than the tasks were given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnMoved {
    /// The service is deployed anew.
    Redeploy,
    /// It is said.
    Report,
    /// Nothing, and nobody is asked: ECS keeps to the image that a deployment began with, and tasks to their secrets.
    #[default]
    Ignore,
}

impl OnMoved {
    /// Reads one of its three words.
    pub fn of(node: Option<&Node>) -> Self {
        match node.and_then(Node::as_text) {
            Some("redeploy") => OnMoved::Redeploy,
            Some("report") => OnMoved::Report,
            _ => OnMoved::Ignore,
        }
    }
}

/// What is done about a service's images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Images {
    /// When a tag moves.
    pub on_moved: OnMoved,
    /// How long an image that is not pushed yet is waited for before it is called missing. Zero: it is not looked for.
    pub wait: Duration,
    /// Whether git says any of it.
    pub declared: bool,
}

impl Default for Images {
    fn default() -> Self {
        // A quarter of an hour: most builds take less, and their commit is often there first.
        Self { on_moved: OnMoved::Ignore, wait: Duration::from_secs(900), declared: false }
    }
}

/// Reads the section; its values were checked.
pub fn images(node: Option<&Node>) -> Images {
    let default = Images::default();
    let Some(node) = node else { return default };
    let on_moved = OnMoved::of(node.get("onMoved"));
    let wait = node.get("wait").and_then(Node::as_text).and_then(duration);
    Images { on_moved, wait: wait.unwrap_or(default.wait), declared: true }
}
