//! PURE: one file a resource kind: what identifies it, which fields are ours, what AWS makes of them, what changing one
//! takes. A kind plans its resources of one service with a [`Planner`](crate::core::plan::Planner).

pub mod alarm;
mod attributes;
pub mod before;
pub mod discovery;
pub mod forward;
pub mod image;
pub mod listener;
pub mod log_group;
pub mod removal;
mod replace;
pub mod revisions;
pub mod rule;
pub mod scalable_target;
pub mod scaling_policy;
pub mod scheduled_action;
pub mod secret;
pub mod service;
mod settle;
mod shift;
pub mod target_group;
pub mod task_definition;

pub use settle::digest_of;

use crate::core::id::Kind;
use crate::core::plan::KindSpec;

/// The kinds in the order in which they are brought up: what is named comes before what names it.
pub const KINDS: &[KindSpec] = &[
    KindSpec { kind: Kind::LogGroup, plan: log_group::plan },
    KindSpec { kind: Kind::DiscoveryService, plan: discovery::plan },
    KindSpec { kind: Kind::TargetGroup, plan: target_group::plan },
    // Which of them takes over from another one: rules and service say so together.
    KindSpec { kind: Kind::TargetGroup, plan: replace::moves },
    KindSpec { kind: Kind::LoadBalancer, plan: listener::plan },
    KindSpec { kind: Kind::ListenerRule, plan: rule::plan },
    KindSpec { kind: Kind::TaskDefinition, plan: task_definition::plan },
    KindSpec { kind: Kind::Service, plan: service::plan },
    // What it is to run must be there.
    KindSpec { kind: Kind::Image, plan: image::plan },
    // What is run with it first.
    KindSpec { kind: Kind::OneOffTask, plan: before::plan },
    KindSpec { kind: Kind::ScalableTarget, plan: scalable_target::plan },
    KindSpec { kind: Kind::ScalingPolicy, plan: scaling_policy::plan },
    KindSpec { kind: Kind::Alarm, plan: alarm::plan },
    KindSpec { kind: Kind::ScheduledAction, plan: scheduled_action::plan },
    // What was left of a replacement goes when nothing uses it any more.
    KindSpec { kind: Kind::TargetGroup, plan: replace::clear },
    // From which declaration all of it was brought up to date.
    KindSpec { kind: Kind::Service, plan: service::mark },
    // Where nothing of all that is to be done.
    KindSpec { kind: Kind::TaskDefinitionRevision, plan: revisions::plan },
];

/// What comes before all of that for a service that goes back while a deployment of it is under way: whether ECS takes that
/// one back itself, or waits for an answer.
pub const BACK: &[KindSpec] = &[
    KindSpec { kind: Kind::TaskDefinition, plan: task_definition::plan },
    KindSpec { kind: Kind::Service, plan: service::back },
];
