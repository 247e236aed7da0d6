//! PURE: one file a resource kind: what identifies it, which fields are ours, what AWS makes of them, what changing one
//! takes. A kind plans its resources of one service with a [`Planner`](crate::core::plan::Planner).

pub mod service;
pub mod task_definition;

use crate::core::id::Kind;
use crate::core::plan::KindSpec;

/// The kinds in the order in which they are brought up: what is named comes before what names it.
pub const KINDS: &[KindSpec] = &[
    KindSpec { kind: Kind::TaskDefinition, plan: task_definition::plan },
    KindSpec { kind: Kind::Service, plan: service::plan },
];
