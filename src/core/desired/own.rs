//! The shapes of driftless's own fields: everything in a document that is not an AWS input.

use crate::core::shape::{Field, Order, Shape};

/// Structures of our own: `field` or `field!` (required), each with its shape; `[]` marks a set, `[key]` a keyed list.
macro_rules! own { ($($(#[$doc:meta])* $name:ident($title:literal) { $($field:ident $($required:literal)? : $shape:expr),* $(,)? })*) => { $(
    $(#[$doc])*
    pub fn $name() -> Shape {
        const FIELDS: &[Field] = &[$(Field {
            name: stringify!($field),
            shape: || $shape,
            order: Order::Kept,
            required: own!(@required $($required)?),
        }),*];
        Shape::Struct { name: $title, fields: FIELDS }
    }
)* };
    (@required) => { false };
    (@required $required:literal) => { true };
}

const fn texts() -> Shape {
    Shape::List(|| Shape::Text)
}

const fn strings() -> Shape {
    Shape::Map(|| Shape::Text)
}

own! {
    /// environment.yaml. `defaults` and `loadBalancers` are checked by themselves.
    environment("environment.yaml") {
        environment "required": Shape::Text,
        account "required": Shape::Text,
        region "required": Shape::Text,
        cluster "required": Shape::Text,
        variables: Shape::FreeForm,
        defaults: Shape::FreeForm,
        loadBalancers: Shape::FreeForm,
        targetGroups: Shape::Map(|| Shape::FreeForm),
        rules: Shape::List(|| Shape::FreeForm),
        discovery: Shape::List(|| Shape::FreeForm),
    }
    /// A service file. The sections with AWS inputs are checked by themselves.
    service("a service file") {
        name "required": Shape::Text,
        extends: Shape::FreeForm,
        taskDefinition "required": Shape::FreeForm,
        containers: Shape::Map(|| Shape::FreeForm),
        service: Shape::FreeForm,
        targetGroups: Shape::Map(|| Shape::FreeForm),
        rules: Shape::List(|| Shape::FreeForm),
        scaling: Shape::FreeForm,
        discovery: Shape::FreeForm,
        logs: Shape::Map(|| Shape::FreeForm),
        rollout: rollout(),
        images: images(),
        revisions: revisions(),
        dependsOn: texts(),
        sync: sync(),
        allowFamilyChange: Shape::Boolean,
        allowSharedFamily: Shape::Boolean,
    }
    /// One load balancer of environment.yaml.
    load_balancer("a load balancer") {
        attributes: strings(),
        listeners: Shape::List(|| Shape::FreeForm),
    }
    /// Beside CreateListener.
    listener("a listener") { attributes: strings() }
    /// Beside CreateTargetGroup.
    target_group("a target group") { attributes: strings() }
    /// Beside CreateRule.
    rule("a rule") { listener: Shape::Text }
    /// Beside RegisterScalableTarget.
    scaling("scaling") {
        policies: Shape::Map(|| Shape::FreeForm),
        schedules: Shape::Map(|| Shape::FreeForm),
    }
    /// Beside PutScalingPolicy.
    policy("a scaling policy") { alarm: Shape::FreeForm }
    /// Beside Cloud Map CreateService.
    discovery("discovery") { namespace: Shape::Text }
    /// A CloudWatch log group (CreateLogGroup, PutRetentionPolicy).
    log_group("a log group") { retentionInDays: Shape::Integer, kmsKeyId: Shape::Text, tags: strings() }
    /// How a rollout is done.
    rollout("rollout") {
        before: Shape::List(before),
        approval: approval(),
        timeout: Shape::Duration,
        onSecretRotated: Shape::Enum(ON_MOVED),
        logLines: Shape::Integer,
    }
    /// A one-off task before the rollout.
    before("a task before the rollout") {
        name "required": Shape::Text,
        container "required": Shape::Text,
        command "required": texts(),
        timeout: Shape::Duration,
    }
    /// Who must say yes, and when.
    approval("approval") {
        stage "required": Shape::Enum(STAGES),
        timeout: Shape::Duration,
        onTimeout: Shape::Enum(&["rollback", "continue"]),
    }
    /// What is done about images.
    images("images") { onMoved: Shape::Enum(ON_MOVED), wait: Shape::Duration }
    /// Which revisions of the task definition stay.
    revisions("revisions") { keep "required": Shape::Integer }
    /// How far driftless acts by itself.
    sync("sync") {
        mode: Shape::Enum(&["auto", "manual", "detect"]),
        drift: Shape::FreeForm,
        minInterval: Shape::Duration,
        prune: Shape::Boolean,
        windows: Shape::List(window),
        ignore: texts(),
        strict: Shape::Boolean,
    }
    /// A time in which nothing (deny) or something (allow) may start.
    window("a window") { deny: Shape::Text, allow: Shape::Text, timezone: Shape::Text }
}

/// What is done when something moves under a service that runs.
const ON_MOVED: &[&str] = &["redeploy", "report", "ignore"];

/// Where ECS can pause a deployment (ECS API reference, DeploymentLifecycleHook, lifecycleStages).
const STAGES: &[&str] = &[
    "RECONCILE_SERVICE",
    "PRE_SCALE_UP",
    "POST_SCALE_UP",
    "TEST_TRAFFIC_SHIFT",
    "POST_TEST_TRAFFIC_SHIFT",
    "PRE_PRODUCTION_TRAFFIC_SHIFT",
    "PRODUCTION_TRAFFIC_SHIFT",
    "POST_PRODUCTION_TRAFFIC_SHIFT",
];
