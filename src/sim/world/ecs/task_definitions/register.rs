//! RegisterTaskDefinition.

use super::super::common::{client, members, principal};
use super::super::state::Revision;
use super::super::tags;
use super::{check, derive, fill};
use crate::sim::wire;
use crate::sim::world::input::{list, text};
use crate::sim::world::{Answer, World};
use serde_json::{Value, json};

/// "Task definition size limit: 64 KiB" (Developer Guide, "Amazon ECS service quotas").
const MOST_BYTES: usize = 64 * 1024;

/// RegisterTaskDefinition: refuses what cannot run, fills in what is left out, gives it the family's next number.
pub fn register(world: &mut World, input: &Value) -> Answer {
    let mut asked = members(input);
    let given = asked.remove("tags");
    if given.as_ref().is_some_and(|tags| tags.as_array().is_some_and(Vec::is_empty)) {
        return Err(client("Tags can not be empty."));
    }
    let new_tags = tags::checked(given.as_ref().and_then(Value::as_array).map_or(&[], Vec::as_slice))?;
    fill::sizes(&mut asked);
    let mut document = Value::Object(asked);
    check::task(&document)?;
    fill::fill(&mut document);
    let length = document.to_string().len();
    if length > MOST_BYTES {
        return Err(client(format!("Actual length: '{length}'. Max allowed length is '{MOST_BYTES}' bytes.")));
    }

    let family = text(&document, "family").unwrap_or_default().to_owned();
    let last = world.ecs.families.get(&family).and_then(|revisions| revisions.last());
    let number = 1 + last.and_then(|last| last.document["revision"].as_i64()).unwrap_or(0);
    let arn = world.arn("ecs", &format!("task-definition/{family}:{number}"));
    document["taskDefinitionArn"] = arn.as_str().into();
    document["revision"] = number.into();
    document["status"] = "ACTIVE".into();
    let attributes = derive::attributes(&document);
    if !attributes.is_empty() {
        document["requiresAttributes"] = attributes.into();
    }
    document["compatibilities"] = derive::compatibilities(&document).into();
    document["registeredAt"] = wire::time(world.now());
    document["registeredBy"] = principal(world).into();

    let mut answer = json!({ "taskDefinition": document });
    world.ecs.families.entry(family).or_default().push(Revision { document });
    if !new_tags.is_empty() {
        world.ecs.tags.insert(arn.clone(), new_tags);
        answer["tags"] = tags::of(world, &arn).into();
    }
    Ok(answer)
}

/// The containers of a definition.
pub fn containers(document: &Value) -> &[Value] {
    list(document, "containerDefinitions")
}
