//! Log groups and their settings.

use super::{Group, group, group_name, invalid, name_of, not_found};
use crate::sim::world::input::{Pages, flag, number, required, text, texts};
use crate::sim::world::{Answer, Refusal, World};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// PutRetentionPolicy takes these numbers only.
const RETENTION_DAYS: [i64; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];
const CLASSES: [&str; 3] = ["STANDARD", "INFREQUENT_ACCESS", "DELIVERY"];
const NAME_MAX: usize = 512;
const TAGS_MAX: usize = 50;
const PAGE: usize = 50;

/// CreateLogGroup. Without a retention: lines never expire until PutRetentionPolicy says so.
pub fn create(world: &mut World, input: &Value) -> Answer {
    let name = required(input, "logGroupName", "InvalidParameterException")?;
    let fits = |letter: char| letter.is_ascii_alphanumeric() || "._-/#".contains(letter);
    if name.len() > NAME_MAX || !name.chars().all(fits) {
        return Err(invalid(format!(
            "1 validation error detected: Value '{name}' at 'logGroupName' failed to satisfy constraint: \
             Member must satisfy regular expression pattern: [\\.\\-_/#A-Za-z0-9]+"
        )));
    }
    let class = text(input, "logGroupClass").unwrap_or("STANDARD");
    if !CLASSES.contains(&class) {
        return Err(invalid(format!("Value '{class}' at 'logGroupClass' must be one of {}", CLASSES.join(", "))));
    }
    let tags = input.get("tags").and_then(Value::as_object).cloned().unwrap_or_default();
    few(&tags, "InvalidParameterException")?;
    if world.logs.groups.contains_key(name) {
        return Err(Refusal::new("ResourceAlreadyExistsException", "The specified log group already exists"));
    }
    let arn = world.arn("logs", &format!("log-group:{name}"));
    let mut document = json!({
        "logGroupName": name, "creationTime": world.now().as_millisecond(), "metricFilterCount": 0,
        "arn": format!("{arn}:*"), "storedBytes": 0, "logGroupClass": class, "logGroupArn": arn,
        "deletionProtectionEnabled": flag(input, "deletionProtectionEnabled").unwrap_or(false),
    });
    if let Some(key) = text(input, "kmsKeyId") {
        document["kmsKeyId"] = json!(key);
    }
    world.logs.groups.insert(name.to_owned(), Group { document, tags, streams: BTreeMap::new() });
    Ok(json!({}))
}

/// DescribeLogGroups: by prefix, by pattern (any part of the name, whatever its case), or by names; by name.
pub fn describe(world: &World, input: &Value) -> Answer {
    let (prefix, pattern) = (text(input, "logGroupNamePrefix"), text(input, "logGroupNamePattern"));
    if prefix.is_some() && pattern.is_some() {
        return Err(invalid("logGroupNamePrefix and logGroupNamePattern are mutually exclusive"));
    }
    let names: Vec<_> = texts(input, "logGroupIdentifiers").map(name_of).collect();
    let fits = |(name, group): &(&String, &Group)| {
        prefix.is_none_or(|prefix| name.starts_with(prefix))
            && pattern.is_none_or(|pattern| name.to_lowercase().contains(&pattern.to_lowercase()))
            && (names.is_empty() || names.contains(&name.as_str()))
            && text(input, "logGroupClass").is_none_or(|class| group.document["logGroupClass"] == class)
    };
    let found = world.logs.groups.iter().filter(fits).map(|(_, group)| group.document.clone()).collect();
    page("logGroups", found, input)
}

/// A page of groups or streams: fifty at most.
pub fn page(into: &str, items: Vec<Value>, input: &Value) -> Answer {
    let (token, size, code) = ("nextToken", "limit", "InvalidParameterException");
    Pages { into, token, next: token, size, usual: PAGE, most: PAGE, code }.page(items, input)
}

/// DeleteLogGroup, with its streams and tags.
pub fn delete(world: &mut World, input: &Value) -> Answer {
    if group(world, input)?.document["deletionProtectionEnabled"] == true {
        let message = "The log group cannot be deleted: its deletion protection is enabled";
        return Err(Refusal::new("ValidationException", message));
    }
    let name = group_name(input)?;
    world.logs.groups.remove(name);
    Ok(json!({}))
}

/// PutRetentionPolicy.
pub fn retain(world: &mut World, input: &Value) -> Answer {
    let group = group(world, input)?;
    let days = number(input, "retentionInDays").unwrap_or_default();
    if !RETENTION_DAYS.contains(&days) {
        return Err(invalid(format!(
            "1 validation error detected: Value '{days}' at 'retentionInDays' failed to satisfy constraint: \
             Member must satisfy enum value set: {RETENTION_DAYS:?}"
        )));
    }
    group.document["retentionInDays"] = json!(days);
    Ok(json!({}))
}

/// AssociateKmsKey.
pub fn encrypt(world: &mut World, input: &Value) -> Answer {
    let key = required(input, "kmsKeyId", "InvalidParameterException")?;
    group(world, input)?.document["kmsKeyId"] = json!(key);
    Ok(json!({}))
}

/// DeleteRetentionPolicy, DisassociateKmsKey.
pub fn unset(world: &mut World, input: &Value, member: &str) -> Answer {
    if let Value::Object(members) = &mut group(world, input)?.document {
        members.remove(member);
    }
    Ok(json!({}))
}

/// TagResource: adds to the tags that are there, fifty at most.
pub fn tag(world: &mut World, input: &Value) -> Answer {
    let group = tagged(world, input)?;
    let new = input.get("tags").and_then(Value::as_object).cloned().unwrap_or_default();
    let all: Map<_, _> = group.tags.clone().into_iter().chain(new).collect();
    few(&all, "TooManyTagsException")?;
    group.tags = all;
    Ok(json!({}))
}

fn few(tags: &Map<String, Value>, code: &str) -> Result<(), Refusal> {
    let message = || format!("A log group can have at most {TAGS_MAX} tags");
    if tags.len() <= TAGS_MAX { Ok(()) } else { Err(Refusal::new(code, message())) }
}

/// The group of a request for tags: its ARN is the one without `:*` (TagResource, resourceArn).
pub fn tagged<'w>(world: &'w mut World, input: &Value) -> Result<&'w mut Group, Refusal> {
    let arn = required(input, "resourceArn", "InvalidParameterException")?;
    let mut groups = world.logs.groups.values_mut();
    groups
        .find(|group| group.document["logGroupArn"] == arn)
        .ok_or_else(|| not_found("The specified resource does not exist."))
}
