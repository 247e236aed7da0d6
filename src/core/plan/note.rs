//! What a plan says beside what it does.

use crate::core::desired::Section;
use crate::core::diff::Change;
use crate::core::id::{Arn, ResourceId};
use crate::core::image;
use jiff::Timestamp;
use serde::Serialize;
use std::fmt;

/// Worth knowing, and nothing to do.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "note", rename_all = "camelCase")]
pub enum Note {
    /// Set in AWS, not in git: neither drift nor corrected (desired-state rule 5).
    NotInGit {
        /// The value.
        change: Change,
    },
    /// Declared, and not to be read back from the service: it is sent with the next change.
    NotReadable {
        /// The field.
        field: String,
    },
    /// The number of tasks belongs to Application Auto Scaling.
    ScaledElsewhere {
        /// How many ECS is to run.
        live: i64,
        /// What git says.
        desired: i64,
    },
    /// An ACTIVE revision with the same content is used instead of a new one.
    Reused {
        /// The revision.
        task_definition: Arn,
    },
    /// An earlier commit declared it: it stays as it is.
    NoLongerManaged {
        /// The setting.
        path: String,
    },
    /// Drift in a section whose drift is only reported.
    DriftReported {
        /// The section.
        section: Section,
    },
    /// A tag points to another image than the one that runs.
    ImageMoved {
        /// The container.
        container: String,
        /// The tag.
        tag: String,
        /// The digest that the tag points to.
        now: String,
        /// The digest that runs.
        runs: String,
        /// What is done about it.
        then: Moved,
    },
    /// The registry did not say what it has.
    ImageUnread {
        /// The image.
        image: String,
        /// Why not.
        why: String,
    },
    /// It is not known which image runs, so nobody can tell whether its tag has moved.
    RunsUnknown {
        /// Why not.
        why: String,
    },
    /// A secret has another value than the tasks were given.
    SecretRotated {
        /// As people call it.
        secret: String,
        /// Since when it has this value.
        at: Timestamp,
        /// When the tasks were deployed that run.
        started: Timestamp,
        /// What is done about it.
        then: Moved,
    },
    /// It is not known when a secret was last changed.
    SecretUnread {
        /// As people call it.
        secret: String,
        /// Why not.
        why: String,
    },
    /// It is not known when the tasks that run were deployed, so nobody can tell whether a secret has changed since.
    StartUnknown,
    /// `images` is declared, and says nothing of what comes from this registry.
    RegistryNotAsked {
        /// Its host.
        registry: String,
    },
    /// Something of somebody else's that touches what is ours: shown, never changed.
    Foreign {
        /// What.
        what: String,
        /// How it touches it.
        why: String,
    },
    /// A rule goes over to a target group when its tasks are there.
    Staged {
        /// The rule or listener.
        id: ResourceId,
        /// The group.
        group: ResourceId,
    },
    /// A thing is made anew beside the old one, since a setting cannot be changed.
    Replacing {
        /// What.
        id: ResourceId,
        /// The fields.
        fields: Vec<String>,
        /// What happens now.
        phase: &'static str,
    },
    /// `sync.windows` lets nothing begin now, and somebody goes past that.
    WindowOverridden {
        /// The window.
        window: String,
        /// Why, in their words.
        reason: String,
    },
    /// `sync.windows` lets nothing begin now; what an earlier plan began goes on.
    WindowClosedBehind {
        /// The window.
        window: String,
    },
}

/// What is done about a tag that points to another image, or a secret that has changed.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "moved", rename_all = "camelCase")]
pub enum Moved {
    /// It is said (`report`).
    Reported,
    /// The service is deployed anew (`redeploy`).
    Redeployed,
    /// ECS could not bring the service up with it: it is not tried again until it moves once more.
    Failed {
        /// In ECS's words.
        reason: String,
    },
    /// This process deployed it anew for that already, and it shows no effect.
    Tried,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Note::NotInGit { change } => write!(f, "set in AWS, not in git: {}: {}", change.path, change.live),
            Note::NotReadable { field } => write!(f, "{field} cannot be read back; it is sent with the next change"),
            Note::ScaledElsewhere { live, desired } => {
                write!(f, "a scalable target sets the number of tasks ({live}); desiredCount {desired} is not sent")
            }
            Note::Reused { task_definition } => {
                write!(f, "{} has the same content and is used", task_definition.short())
            }
            Note::NoLongerManaged { path } => write!(f, "no longer managed: {path} left git and stays as it is"),
            Note::DriftReported { section } => {
                write!(f, "drift of {} is shown, not corrected (sync.drift)", section.name())
            }
            Note::ImageMoved { container, tag, now, runs, then } => {
                let (now, runs) = (image::short(now), image::short(runs));
                write!(f, "tag {tag} of container {container} points to {now} now; {runs} runs")?;
                match then {
                    Moved::Reported => Ok(()),
                    Moved::Redeployed => f.write_str("; it is deployed anew (images.onMoved)"),
                    Moved::Failed { reason } => write!(
                        f,
                        ": ECS could not bring it up ({reason}); it is not tried again until the tag moves, or with driftless apply"
                    ),
                    Moved::Tried => f.write_str(": it was deployed anew for it already, and is left as it is"),
                }
            }
            Note::ImageUnread { image, why } => write!(f, "image {image} could not be looked up: {why}"),
            Note::RunsUnknown { why } => write!(f, "images.onMoved: it is not known which image runs: {why}"),
            Note::SecretRotated { secret, at, started, then } => {
                let (at, started) = (at.strftime("%Y-%m-%d %H:%M:%SZ"), started.strftime("%Y-%m-%d %H:%M:%SZ"));
                write!(f, "{secret} was changed at {at}, after the tasks were deployed ({started})")?;
                match then {
                    Moved::Reported => Ok(()),
                    Moved::Redeployed => f.write_str("; they are deployed anew (rollout.onSecretRotated)"),
                    Moved::Failed { reason } => write!(
                        f,
                        ": ECS could not bring it up with that ({reason}); it is not tried again until it is changed, or with driftless apply"
                    ),
                    Moved::Tried => f.write_str(": it was deployed anew for that already, and is left as it is"),
                }
            }
            Note::SecretUnread { secret, why } => {
                write!(f, "rollout.onSecretRotated: it is not known when {secret} was changed: {why}")
            }
            Note::StartUnknown => {
                f.write_str("rollout.onSecretRotated: ECS does not say when the tasks that run were deployed")
            }
            Note::RegistryNotAsked { registry } => {
                write!(f, "images: the registry {registry} is not asked, only Amazon ECR is")
            }
            Note::Foreign { what, why } => write!(f, "{what}: {why}; it is left alone"),
            Note::Staged { id, group } => write!(
                f,
                "{id} goes over to {group} when its tasks are there: until then the traffic stays where it is"
            ),
            Note::Replacing { id, fields, phase } => {
                write!(f, "replace {id}: {} cannot be changed in place; {phase}", fields.join(", "))
            }
            Note::WindowOverridden { window, reason } => {
                write!(f, "deploy window closed ({window}), and gone past: {reason:?}")
            }
            Note::WindowClosedBehind { window } => {
                write!(f, "deploy window closed ({window}); what had begun may finish")
            }
        }
    }
}
