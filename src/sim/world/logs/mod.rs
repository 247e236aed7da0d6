//! CloudWatch Logs: log groups, their settings, and the lines that tasks write.

mod events;
mod groups;
#[cfg(test)]
mod tests;

pub use events::write;

use super::input::{text, texts};
use super::{Answer, Refusal, World};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, VecDeque};

/// Its state in one region.
#[derive(Debug, Clone, Default)]
pub struct Logs {
    /// By name.
    groups: BTreeMap<String, Group>,
}

#[derive(Debug, Clone)]
struct Group {
    /// As DescribeLogGroups answers it.
    document: Value,
    tags: Map<String, Value>,
    /// By name.
    streams: BTreeMap<String, Stream>,
}

#[derive(Debug, Clone)]
struct Stream {
    /// In milliseconds, as all times here.
    created: i64,
    events: VecDeque<Event>,
    /// How many events were dropped before those that are kept.
    dropped: usize,
}

#[derive(Debug, Clone)]
struct Event {
    at: i64,
    ingested: i64,
    message: String,
}

/// Answers an operation.
pub fn answer(world: &mut World, operation: &str, input: &Value) -> Option<Answer> {
    Some(match operation {
        "CreateLogGroup" => groups::create(world, input),
        "DescribeLogGroups" => groups::describe(world, input),
        "DeleteLogGroup" => groups::delete(world, input),
        "PutRetentionPolicy" => groups::retain(world, input),
        "DeleteRetentionPolicy" => groups::unset(world, input, "retentionInDays"),
        "AssociateKmsKey" => groups::encrypt(world, input),
        "DisassociateKmsKey" => groups::unset(world, input, "kmsKeyId"),
        "TagResource" => groups::tag(world, input),
        "UntagResource" => groups::tagged(world, input).map(|group| {
            texts(input, "tagKeys").for_each(|key| drop(group.tags.remove(key)));
            json!({})
        }),
        "ListTagsForResource" => groups::tagged(world, input).map(|group| json!({ "tags": group.tags })),
        "CreateLogStream" => events::create(world, input),
        "DescribeLogStreams" => events::streams(world, input),
        "PutLogEvents" => events::put(world, input),
        "GetLogEvents" => events::get(world, input),
        "FilterLogEvents" => events::filter(world, input),
        _ => return None,
    })
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new("InvalidParameterException", message)
}

/// The name in a request's `logGroupName`, or in one of the members that take a name or an ARN.
fn group_name(input: &Value) -> Result<&str, Refusal> {
    let given: Vec<_> = ["logGroupName", "logGroupIdentifier", "resourceIdentifier"]
        .iter()
        .filter_map(|member| text(input, member))
        .collect();
    let [name] = given.as_slice() else {
        return Err(invalid("Exactly one of log group name and log group identifier must be specified."));
    };
    Ok(name_of(name))
}

/// The name of a log group that is named by its name or its ARN, with or without `:*`.
fn name_of(reference: &str) -> &str {
    let name = reference.split_once(":log-group:").map_or(reference, |(_, name)| name);
    name.trim_end_matches(":*")
}

fn group<'w>(world: &'w mut World, input: &Value) -> Result<&'w mut Group, Refusal> {
    let name = group_name(input)?;
    world.logs.groups.get_mut(name).ok_or_else(|| not_found("The specified log group does not exist."))
}

fn not_found(message: &str) -> Refusal {
    Refusal::new("ResourceNotFoundException", message)
}
