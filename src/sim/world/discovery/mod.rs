//! Cloud Map: namespaces, services, instances. Operations succeed at once.

mod instances;
mod namespaces;
mod services;
#[cfg(test)]
mod tests;

pub use instances::{deregister, register};

use super::input::{Pages, list, required, set_tags, text, texts, unset_tags};
use super::{Answer, Refusal, World};
use crate::sim::wire::time;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Tags of a resource (TagResource).
const TAGS_MAX: usize = 50;
/// The largest page, and the usual one (MaxResults of every List operation).
const PAGE: usize = 100;

/// Its state in one region.
#[derive(Debug, Clone, Default)]
pub struct Discovery {
    /// As GetNamespace answers them, without counts, by id.
    namespaces: BTreeMap<String, Value>,
    /// By id.
    services: BTreeMap<String, Service>,
    /// As GetOperation answers them, by id.
    operations: BTreeMap<String, Value>,
    /// Tags by ARN.
    tags: BTreeMap<String, Vec<Value>>,
}

#[derive(Debug, Clone)]
struct Service {
    /// As GetService answers it, without the count of instances.
    document: Value,
    /// The request that made it: the same one again answers the same service.
    asked: Value,
    /// Attributes by instance id.
    instances: BTreeMap<String, Value>,
}

/// Answers an operation.
pub fn answer(world: &mut World, operation: &str, input: &Value) -> Option<Answer> {
    Some(match operation {
        "CreatePrivateDnsNamespace" => namespaces::create(world, input, "DNS_PRIVATE"),
        "CreatePublicDnsNamespace" => namespaces::create(world, input, "DNS_PUBLIC"),
        "CreateHttpNamespace" => namespaces::create(world, input, "HTTP"),
        "ListNamespaces" => namespaces::all(world, input),
        "GetNamespace" => namespaces::get(world, input),
        "GetOperation" => operation_of(world, input),
        "CreateService" => services::create(world, input),
        "GetService" => services::get(world, input),
        "UpdateService" => services::update(world, input),
        "DeleteService" => services::delete(world, input),
        "ListServices" => services::all(world, input),
        "RegisterInstance" => instances::put(world, input),
        "DeregisterInstance" => instances::delete(world, input),
        "ListInstances" => instances::all(world, input),
        "TagResource" => tag(world, input),
        "UntagResource" => tags(world, input).map(|tags| {
            unset_tags(tags, texts(input, "TagKeys"), "Key");
            json!({})
        }),
        "ListTagsForResource" => tags(world, input).map(|tags| json!({ "Tags": tags })),
        _ => return None,
    })
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new("InvalidInput", message)
}

fn page(into: &str, items: Vec<Value>, input: &Value) -> Answer {
    let (token, size, code) = ("NextToken", "MaxResults", "InvalidInput");
    Pages { into, token, next: token, size, usual: PAGE, most: PAGE, code }.page(items, input)
}

/// The id of a resource that is named by its id or its ARN.
fn id(reference: &str) -> &str {
    reference.rsplit('/').next().unwrap_or(reference)
}

/// Whether all of a request's Filters fit. EQ takes one value, IN several, BEGINS_WITH a prefix.
fn fits(input: &Value, values: &[(&str, &str)]) -> Result<bool, Refusal> {
    for filter in list(input, "Filters") {
        let name = text(filter, "Name").unwrap_or_default();
        let wanted: Vec<_> = texts(filter, "Values").collect();
        let Some((_, value)) = values.iter().find(|(known, _)| *known == name) else {
            return Err(invalid(format!("Invalid filter {name}")));
        };
        let fits = match (text(filter, "Condition").unwrap_or("EQ"), wanted.as_slice()) {
            (_, []) => return Err(invalid(format!("The filter {name} has no value"))),
            ("EQ", [one]) => one == value,
            ("IN", wanted) => wanted.contains(value),
            ("BEGINS_WITH", [prefix]) => value.starts_with(prefix),
            (condition, _) => return Err(invalid(format!("Invalid condition {condition} for the filter {name}"))),
        };
        if !fits {
            return Ok(false);
        }
    }
    Ok(true)
}

/// An operation that has succeeded: its id is the answer.
fn operation(world: &mut World, kind: &str, targets: &[(&str, &str)]) -> Answer {
    let id = format!("{}-{}", world.hex(32), world.hex(8));
    let targets: Map<_, _> = targets.iter().map(|(kind, id)| ((*kind).to_owned(), json!(id))).collect();
    let now = time(world.now());
    let done = json!({
        "Id": id, "OwnerAccount": world.account, "Type": kind, "Status": "SUCCESS", "CreateDate": now,
        "UpdateDate": now, "Targets": targets,
    });
    world.discovery.operations.insert(id.clone(), done);
    Ok(json!({ "OperationId": id }))
}

/// GetOperation.
fn operation_of(world: &World, input: &Value) -> Answer {
    let id = required(input, "OperationId", "InvalidInput")?;
    match world.discovery.operations.get(id) {
        Some(operation) => Ok(json!({ "Operation": operation })),
        None => Err(Refusal::new("OperationNotFound", format!("No operation with ID {id}"))),
    }
}

/// The tags of a new resource.
fn new_tags(world: &mut World, arn: &str, input: &Value) -> Result<(), Refusal> {
    let mut tags = Vec::new();
    set_tags(&mut tags, list(input, "Tags"), ("Key", "Value"));
    few(&tags, arn)?;
    world.discovery.tags.insert(arn.to_owned(), tags);
    Ok(())
}

fn few(tags: &[Value], arn: &str) -> Result<(), Refusal> {
    if tags.len() <= TAGS_MAX {
        return Ok(());
    }
    let message = format!("A resource can have at most {TAGS_MAX} tags");
    Err(Refusal { more: json!({ "ResourceName": arn }), ..Refusal::new("TooManyTagsException", message) })
}

/// TagResource: adds to the tags that are there, fifty at most.
fn tag(world: &mut World, input: &Value) -> Answer {
    let tags = tags(world, input)?;
    let mut all = tags.clone();
    set_tags(&mut all, list(input, "Tags"), ("Key", "Value"));
    few(&all, text(input, "ResourceARN").unwrap_or_default())?;
    *tags = all;
    Ok(json!({}))
}

fn tags<'w>(world: &'w mut World, input: &Value) -> Result<&'w mut Vec<Value>, Refusal> {
    let arn = required(input, "ResourceARN", "InvalidInput")?;
    let message = format!("Unknown resource {arn}");
    world.discovery.tags.get_mut(arn).ok_or_else(|| Refusal::new("ResourceNotFoundException", message))
}
