//! Scalable targets and their tags.

use super::{
    DIMENSION, Target, activities, autoscaler, done, filtered, invalid, listed, means, named, not_found, page,
};
use crate::sim::wire::time;
use crate::sim::world::input::{number, required, texts};
use crate::sim::world::{Answer, Refusal, World, cloudwatch};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Tags of a resource (TagResource, TooManyTagsException).
const TAGS_MAX: usize = 50;
/// Scalable targets of ECS in a region (service quotas of Application Auto Scaling).
const TARGETS_MAX: usize = 3000;
const SUSPENDED: [&str; 3] = ["DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended"];

/// RegisterScalableTarget: makes a target or changes it. A new one needs both bounds; of a known one stays what is left
/// out. Tags count only for a new one. The service's count is moved into the range, whatever the request says.
pub fn register(world: &mut World, input: &Value) -> Answer {
    let resource = named(input)?;
    let service = world.ecs.services.get(&super::service_arn(world, &resource));
    if service.is_none_or(|service| service.status != "ACTIVE") {
        return Err(invalid(format!("ECS service doesn't exist: {resource}")));
    }
    let known = world.scaling.targets.get(&resource);
    let bound = |name| number(input, name).or_else(|| number(&known?.document, name));
    let (Some(min), Some(max)) = (bound("MinCapacity"), bound("MaxCapacity")) else {
        return Err(invalid("When registering a scalable target, MinCapacity and MaxCapacity must be specified"));
    };
    if min < 0 {
        return Err(invalid("Minimum capacity cannot be less than 0"));
    }
    if min > max {
        return Err(invalid("Maximum capacity cannot be less than minimum capacity"));
    }
    let tags = input.get("Tags").and_then(Value::as_object).cloned().unwrap_or_default();
    if tags.len() > TAGS_MAX {
        return Err(too_many_tags());
    }
    if known.is_none() {
        if world.scaling.targets.len() >= TARGETS_MAX {
            return Err(Refusal::new(
                "LimitExceededException",
                "Too many scalable targets for the service namespace ecs",
            ));
        }
        let target = new(world, &resource, tags);
        world.scaling.targets.insert(resource.clone(), target);
        autoscaler::begin(world);
    }
    let arn = world.scaling.targets.get_mut(&resource).map(|target| {
        let document = &mut target.document;
        (document["MinCapacity"], document["MaxCapacity"]) = (json!(min), json!(max));
        for name in SUSPENDED {
            if let Some(suspended) = input["SuspendedState"][name].as_bool() {
                document["SuspendedState"][name] = json!(suspended);
            }
        }
        document["ScalableTargetARN"].clone()
    });
    activities::keep_in_range(world, &resource);
    Ok(json!({ "ScalableTargetARN": arn }))
}

/// Whatever RoleARN says, ECS has a service-linked role for this (RegisterScalableTarget, RoleARN).
fn new(world: &mut World, resource: &str, tags: Map<String, Value>) -> Target {
    let role = "role/aws-service-role/ecs.application-autoscaling.amazonaws.com/\
                AWSServiceRoleForApplicationAutoScaling_ECSService";
    let id = world.hex(32);
    let document = json!({
        "ServiceNamespace": "ecs", "ResourceId": resource, "ScalableDimension": DIMENSION,
        "RoleARN": format!("arn:aws:iam::{}:{role}", world.account),
        "CreationTime": time(world.now()),
        "SuspendedState": SUSPENDED.iter().map(|name| ((*name).to_owned(), json!(false))).collect::<Map<_, _>>(),
        "ScalableTargetARN": world.arn("application-autoscaling", &format!("scalable-target/{id}")),
    });
    Target { document, tags, policies: BTreeMap::new(), actions: BTreeMap::new(), out: None, hold: None }
}

/// DescribeScalableTargets.
pub fn describe(world: &World, input: &Value) -> Answer {
    filtered(input, "ResourceIds")?;
    let targets = world.scaling.targets.values().map(|target| &target.document);
    let found =
        targets.filter(|document| means(input, document) && listed(input, "ResourceIds", &document["ResourceId"]));
    page("ScalableTargets", found.cloned().collect(), input, 50)
}

/// DeregisterScalableTarget: policies, their own alarms and scheduled actions go with it.
pub fn deregister(world: &mut World, input: &Value) -> Answer {
    let resource = named(input)?;
    let Some(target) = world.scaling.targets.remove(&resource) else {
        return Err(not_found(format!(
            "No scalable target found for service namespace: ecs, resource ID: {resource}, \
             scalable dimension: {DIMENSION}"
        )));
    };
    for policy in target.policies.values() {
        cloudwatch::remove(world, &policy.alarms);
    }
    done()
}

/// TagResource: adds to the tags that are there.
pub fn tag(world: &mut World, input: &Value) -> Answer {
    let target = tagged(world, input)?;
    let new = input.get("Tags").and_then(Value::as_object).cloned().unwrap_or_default();
    let all: Map<_, _> = target.tags.clone().into_iter().chain(new).collect();
    if all.len() > TAGS_MAX {
        return Err(too_many_tags());
    }
    target.tags = all;
    done()
}

/// UntagResource.
pub fn untag(world: &mut World, input: &Value) -> Answer {
    let target = tagged(world, input)?;
    for key in texts(input, "TagKeys") {
        target.tags.remove(key);
    }
    done()
}

/// ListTagsForResource.
pub fn tags(world: &mut World, input: &Value) -> Answer {
    Ok(json!({ "Tags": tagged(world, input)?.tags }))
}

fn tagged<'w>(world: &'w mut World, input: &Value) -> Result<&'w mut Target, Refusal> {
    let arn = required(input, "ResourceARN", "ValidationException")?;
    let mut targets = world.scaling.targets.values_mut();
    targets.find(|target| target.document["ScalableTargetARN"] == arn).ok_or_else(|| {
        let message = format!("The resource {arn} was not found");
        Refusal { more: json!({ "ResourceName": arn }), ..Refusal::new("ResourceNotFoundException", message) }
    })
}

fn too_many_tags() -> Refusal {
    Refusal::new("TooManyTagsException", format!("The resource cannot have more than {TAGS_MAX} tags"))
}
