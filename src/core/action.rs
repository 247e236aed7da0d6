//! The closed set of what driftless does to AWS. An action is data: it says everything, it decides nothing.

use super::id::{Arn, ResourceId, ServiceName};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// One call to AWS.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "operation")]
pub enum Action {
    /// ECS RegisterTaskDefinition: a new revision. Never retried blindly: there is no client token.
    RegisterTaskDefinition {
        /// The family it becomes a revision of.
        family: String,
        /// The whole input.
        #[serde(skip)]
        input: Input,
    },
    /// ECS CreateService, with a client token.
    CreateService {
        /// The service's name.
        service: ServiceName,
        /// The whole input.
        #[serde(skip)]
        input: Input,
    },
    /// ECS UpdateService: only what changes.
    UpdateService {
        /// The service's name.
        service: ServiceName,
        /// The whole input.
        #[serde(skip)]
        input: Input,
    },
    /// ECS TagResource: these tags are set, others stay.
    Tag {
        /// A service, or a revision of a task definition.
        target: ResourceId,
        /// Its ARN.
        arn: Arn,
        /// What is set.
        tags: BTreeMap<String, String>,
    },
}

/// An operation's input in which ARNs may be missing that an earlier step makes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Input {
    /// The document.
    pub document: Value,
    /// JSON pointers into it, each with the thing whose ARN belongs there.
    pub late: Vec<(String, ResourceId)>,
}

impl Input {
    /// The document with the ARNs of `made` in their places; the first one that is not there is the error.
    pub fn complete(&self, made: &BTreeMap<ResourceId, Arn>) -> Result<Value, ResourceId> {
        let mut document = self.document.clone();
        for (at, id) in &self.late {
            let arn = made.get(id).ok_or_else(|| id.clone())?;
            if let Some(slot) = document.pointer_mut(at) {
                *slot = Value::String(arn.as_str().to_owned());
            }
        }
        Ok(document)
    }
}

impl Action {
    /// What the action makes or changes.
    pub fn target(&self) -> ResourceId {
        use super::id::Kind;
        match self {
            Action::RegisterTaskDefinition { family, .. } => ResourceId::new(Kind::TaskDefinition, family.as_str()),
            Action::CreateService { service, .. } | Action::UpdateService { service, .. } => {
                ResourceId::new(Kind::Service, service.as_str())
            }
            Action::Tag { target, .. } => target.clone(),
        }
    }

    /// AWS's name of the operation.
    pub fn operation(&self) -> &'static str {
        match self {
            Action::RegisterTaskDefinition { .. } => "RegisterTaskDefinition",
            Action::CreateService { .. } => "CreateService",
            Action::UpdateService { .. } => "UpdateService",
            Action::Tag { .. } => "TagResource",
        }
    }

    /// The input, where the action has a document.
    pub fn input(&self) -> Option<&Input> {
        match self {
            Action::RegisterTaskDefinition { input, .. }
            | Action::CreateService { input, .. }
            | Action::UpdateService { input, .. } => Some(input),
            Action::Tag { .. } => None,
        }
    }
}

/// As a person would say it: "register prod-api-task".
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::RegisterTaskDefinition { family, input: _ } => write!(f, "register a revision of {family}"),
            Action::CreateService { service, input: _ } => write!(f, "create service {service}"),
            Action::UpdateService { service, input } => {
                let mut fields: Vec<&str> =
                    input.document.as_object().into_iter().flatten().map(|(k, _)| k.as_str()).collect();
                fields.retain(|field| !matches!(*field, "cluster" | "service"));
                fields.sort_unstable();
                write!(f, "update service {service}: {}", fields.join(", "))
            }
            Action::Tag { target, arn, tags } => {
                let keys: Vec<_> = tags.keys().map(String::as_str).collect();
                write!(f, "tag {} {}: {}", target.kind.words(), arn.short(), keys.join(", "))
            }
        }
    }
}

/// What a change does to the running tasks, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Running tasks are left alone.
    NoRestart,
    /// ECS starts a deployment: tasks are replaced as the deployment configuration says.
    RollingRestart,
    /// As a rolling restart, but ECS would leave the running tasks alone: a new deployment is forced.
    ForcedRestart,
    /// The service does not exist: its tasks are started.
    Create,
    /// Only a new service can have the setting.
    Replacement,
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Effect::NoRestart => "no restart",
            Effect::RollingRestart => "rolling restart",
            Effect::ForcedRestart => "forced rolling restart",
            Effect::Create => "new service",
            Effect::Replacement => "needs a new service",
        })
    }
}
