//! ECS: tags of clusters, services, task definitions, tasks.

use super::common::{in_hash_order, invalid};
use crate::sim::world::input::{list, required, set_tags, text, texts, unset_tags};
use crate::sim::world::{Answer, Refusal, World};
use serde_json::{Value, json};

/// "Maximum number of tags per resource" (Tag).
const MOST: usize = 50;

/// Answers this part of ECS's operations.
pub fn answer(world: &mut World, operation: &str, input: &Value) -> Option<Answer> {
    Some(match operation {
        "TagResource" => tag(world, input),
        "UntagResource" => untag(world, input),
        "ListTagsForResource" => resource(world, input).map(|arn| json!({ "tags": of(world, &arn) })),
        _ => return None,
    })
}

/// The tags of a resource, in the order of a hash.
pub fn of(world: &World, arn: &str) -> Vec<Value> {
    let mut known = world.ecs.tags.get(arn).cloned().unwrap_or_default();
    in_hash_order(&mut known, |tag| text(tag, "key").unwrap_or_default().to_owned());
    known
}

/// New tags, each with a value: "maximum key length 128, maximum value length 256; do not use `aws:`, in any combination of
/// upper or lower case, as a prefix for keys or values" (CreateService, tags).
///
/// # Errors
/// One is none that AWS takes, a key occurs twice, or there are too many.
pub fn checked(new: &[Value]) -> Result<Vec<Value>, Refusal> {
    if new.len() > MOST {
        return Err(invalid(format!("tags can have at most {MOST} items.")));
    }
    let mut all = Vec::new();
    for tag in new {
        let key = text(tag, "key").unwrap_or_default();
        let value = text(tag, "value").unwrap_or_default();
        let reserved =
            [key, value].iter().any(|part| part.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:")));
        if reserved {
            return Err(invalid("Tag keys and values beginning with 'aws:' are reserved for AWS use."));
        }
        if !(1..=128).contains(&key.chars().count()) || value.chars().count() > 256 || !(is_text(key) && is_text(value))
        {
            return Err(invalid(format!("Invalid tag {key:?}.")));
        }
        if all.iter().any(|known: &Value| known["key"] == key) {
            return Err(invalid(format!("Duplicate tag keys found: {key}.")));
        }
        all.push(json!({ "key": key, "value": value }));
    }
    Ok(all)
}

/// "Letters, numbers, and spaces representable in UTF-8, and + - = . _ : / @" (TagKey, TagValue).
fn is_text(text: &str) -> bool {
    text.chars().all(|letter| letter.is_alphanumeric() || letter.is_whitespace() || "_.:/=+-@".contains(letter))
}

/// TagResource: a key that is there gets the new value, others stay.
fn tag(world: &mut World, input: &Value) -> Answer {
    let arn = resource(world, input)?;
    let new = checked(list(input, "tags"))?;
    let mut all = world.ecs.tags.get(&arn).cloned().unwrap_or_default();
    set_tags(&mut all, &new, ("key", "value"));
    if all.len() > MOST {
        let message = format!("A resource can have at most {MOST} tags.");
        return Err(Refusal::new("LimitExceededException", message));
    }
    world.ecs.tags.insert(arn, all);
    Ok(json!({}))
}

fn untag(world: &mut World, input: &Value) -> Answer {
    let arn = resource(world, input)?;
    if let Some(all) = world.ecs.tags.get_mut(&arn) {
        unset_tags(all, texts(input, "tagKeys"), "key");
    }
    Ok(json!({}))
}

/// The ARN of what a request is about: it has to be there, and active where it has a status.
fn resource(world: &World, input: &Value) -> Result<String, Refusal> {
    let arn = required(input, "resourceArn", super::common::INVALID)?.to_owned();
    let ecs = &world.ecs;
    let kind = arn.strip_prefix(&world.arn("ecs", "")).and_then(|rest| rest.split('/').next()).unwrap_or_default();
    let missing = || Refusal::new("ResourceNotFoundException", "The specified resource wasn't found.");
    let inactive = || invalid(format!("The specified {kind} is inactive. Specify an active {kind} and try again."));
    let active = match kind {
        "service" => ecs.services.get(&arn).ok_or_else(missing)?.status != "INACTIVE",
        "cluster" => {
            let cluster = ecs.clusters.values().find(|cluster| cluster["clusterArn"] == *arn);
            let missing = || Refusal::new("ClusterNotFoundException", "Cluster not found.");
            cluster.ok_or_else(missing)?["status"] == "ACTIVE"
        }
        "task-definition" => {
            super::task_definitions::find(world, &arn).ok().flatten().ok_or_else(missing).map(|_| true)?
        }
        "task" => ecs.tasks.get(&arn).ok_or_else(missing).map(|_| true)?,
        _ => return Err(invalid(format!("Invalid resource ARN {arn}."))),
    };
    if active { Ok(arn) } else { Err(inactive()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    #[test]
    fn tags_are_set_and_taken_away() {
        let mut world = World::new("123456789012", "us-east-1", Timestamp::UNIX_EPOCH, 1);
        let arn = "arn:aws:ecs:us-east-1:123456789012:cluster/prod";
        let made = world.answer(
            "ecs",
            "CreateCluster",
            &json!({ "clusterName": "prod", "tags": [{ "key": "a", "value": "1" }] }),
        );
        assert!(made.is_ok_and(|made| made["cluster"]["tags"] == json!([{ "key": "a", "value": "1" }])));
        let mut check = |operation: &str, more: Value, expected: Result<Value, &str>| {
            let mut input = json!({ "resourceArn": arn });
            input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let answer = world.answer("ecs", operation, &input).map_err(|refusal| refusal.code);
            assert_eq!(
                answer.as_ref().map_err(String::as_str),
                expected.as_ref().map_err(|code| *code),
                "{operation} {more}"
            );
        };
        let invalid = Err(super::super::common::INVALID);
        let many: Vec<Value> = (0..50).map(|number| json!({ "key": format!("k{number}") })).collect();
        check("TagResource", json!({ "tags": [{ "key": "a", "value": "2" }] }), Ok(json!({})));
        check("ListTagsForResource", json!({}), Ok(json!({ "tags": [{ "key": "a", "value": "2" }] })));
        check("TagResource", json!({ "tags": many }), Err("LimitExceededException"));
        check("TagResource", json!({ "tags": [{ "key": "AWS:x" }] }), invalid.clone());
        check("TagResource", json!({ "tags": [{ "key": "b" }, { "key": "b" }] }), invalid);
        check("UntagResource", json!({ "tagKeys": ["a", "z"] }), Ok(json!({})));
        check("ListTagsForResource", json!({}), Ok(json!({ "tags": [] })));
        let gone = "arn:aws:ecs:us-east-1:123456789012:service/prod/web";
        check("ListTagsForResource", json!({ "resourceArn": gone }), Err("ResourceNotFoundException"));
    }
}
