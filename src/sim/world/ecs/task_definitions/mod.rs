//! ECS: task definitions. A family has revisions; a revision never changes but for its status and its tags.

mod check;
mod derive;
mod fargate;
mod fill;
mod register;

pub use fill::at_launch;

use super::common::{INVALID, at_most, client, invalid, one_of, pages, short};
use super::state::Revision;
use super::tags;
use crate::sim::wire;
use crate::sim::world::input::{required, text, texts};
use crate::sim::world::{Answer, Refusal, World};
use serde_json::{Value, json};

/// Answers this part of ECS's operations.
pub fn answer(world: &mut World, operation: &str, input: &Value) -> Option<Answer> {
    Some(match operation {
        "RegisterTaskDefinition" => register::register(world, input),
        "DescribeTaskDefinition" => describe(world, input),
        "ListTaskDefinitions" => list(world, input),
        "ListTaskDefinitionFamilies" => families(world, input),
        "DeregisterTaskDefinition" => deregister(world, input),
        "DeleteTaskDefinitions" => delete(world, input),
        _ => return None,
    })
}

/// A revision by `family:revision` or ARN, in any status; a family alone is its newest ACTIVE revision
/// (DescribeTaskDefinition, taskDefinition). None when there is none.
///
/// # Errors
/// The revision is no number.
pub fn find<'w>(world: &'w World, reference: &str) -> Result<Option<&'w Value>, Refusal> {
    Ok(at(world, reference)?.map(|(family, index)| &world.ecs.families[&family][index].document))
}

/// The revision that a service is to run.
///
/// # Errors
/// `ClientException`, as CreateService and UpdateService answer it: there is none, or it is not ACTIVE.
pub fn find_active<'w>(world: &'w World, reference: &str) -> Result<&'w Value, Refusal> {
    let found = find(world, reference)?.ok_or_else(|| client("TaskDefinition not found."))?;
    if found["status"] == "ACTIVE" { Ok(found) } else { Err(client("TaskDefinition is inactive")) }
}

/// Where a revision is: its family, and its place there.
fn at(world: &World, reference: &str) -> Result<Option<(String, usize)>, Refusal> {
    let prefix = world.arn("ecs", "task-definition/");
    let name = match reference.strip_prefix(&prefix) {
        Some(name) => name,
        None if reference.starts_with("arn:") => return Ok(None),
        None => short(reference),
    };
    let (family, revision) = match name.split_once(':') {
        Some((family, revision)) => {
            let number = revision.parse::<i64>();
            (family, Some(number.map_err(|_| invalid(format!("Invalid revision number. Number: {revision}")))?))
        }
        None => (name, None),
    };
    let Some(revisions) = world.ecs.families.get(family) else { return Ok(None) };
    let index = match revision {
        Some(number) => revisions.iter().position(|known| known.document["revision"] == number),
        None => revisions.iter().rposition(|known| known.document["status"] == "ACTIVE"),
    };
    Ok(index.map(|index| (family.to_owned(), index)))
}

/// DescribeTaskDefinition: tags only with `include=TAGS`.
fn describe(world: &World, input: &Value) -> Answer {
    let reference = required(input, "taskDefinition", INVALID)?;
    let found = find(world, reference)?.ok_or_else(|| client("Unable to describe task definition."))?;
    let mut answer = json!({ "taskDefinition": found });
    if texts(input, "include").any(|field| field == "TAGS") {
        answer["tags"] = tags::of(world, text(found, "taskDefinitionArn").unwrap_or_default()).into();
    }
    Ok(answer)
}

/// ListTaskDefinitions: `familyPrefix` is "the full family name"; "lexicographically by family name and in ascending
/// numerical order by revision", or the reverse.
fn list(world: &World, input: &Value) -> Answer {
    one_of(input, "status", &["ACTIVE", "INACTIVE", "DELETE_IN_PROGRESS"])?;
    one_of(input, "sort", &["ASC", "DESC"])?;
    let status = text(input, "status").unwrap_or("ACTIVE");
    let families = world.ecs.families.iter();
    let families = families.filter(|(family, _)| text(input, "familyPrefix").is_none_or(|asked| asked == *family));
    let revisions = families.flat_map(|(_, revisions)| revisions).filter(|known| known.document["status"] == status);
    let mut arns: Vec<Value> = revisions.map(|known| known.arn().into()).collect();
    if text(input, "sort") == Some("DESC") {
        arns.reverse();
    }
    pages("taskDefinitionArns", 100).page(arns, input)
}

/// ListTaskDefinitionFamilies: here the prefix is one; INACTIVE families have no ACTIVE revision.
fn families(world: &World, input: &Value) -> Answer {
    one_of(input, "status", &["ACTIVE", "INACTIVE", "ALL"])?;
    let prefix = text(input, "familyPrefix").unwrap_or_default();
    let status = text(input, "status").unwrap_or("ALL");
    let shown = world.ecs.families.iter().filter(|(family, revisions)| {
        let active = revisions.iter().any(|known| known.document["status"] == "ACTIVE");
        family.starts_with(prefix) && (status == "ALL" || active == (status == "ACTIVE"))
    });
    pages("families", 100).page(shown.map(|(family, _)| family.as_str().into()).collect(), input)
}

/// A revision that a request names with its number, to be changed.
fn numbered<'w>(world: &'w mut World, reference: &str) -> Result<Option<&'w mut Revision>, Refusal> {
    if !short(reference).contains(':') {
        return Err(invalid("You must specify a revision of the task definition."));
    }
    let Some((family, index)) = at(world, reference)? else { return Ok(None) };
    Ok(world.ecs.families.get_mut(&family).and_then(|revisions| revisions.get_mut(index)))
}

/// DeregisterTaskDefinition: INACTIVE at once. (AWS says that its restrictions may come up to ten minutes later.)
fn deregister(world: &mut World, input: &Value) -> Answer {
    let now = wire::time(world.now());
    let reference = required(input, "taskDefinition", INVALID)?;
    let Some(revision) = numbered(world, reference)? else {
        return Err(client("The specified task definition does not exist."));
    };
    if revision.document["status"] == "ACTIVE" {
        revision.document["status"] = "INACTIVE".into();
        revision.document["deregisteredAt"] = now;
    }
    Ok(json!({ "taskDefinition": revision.document }))
}

/// DeleteTaskDefinitions: up to ten INACTIVE ones, which are DELETE_IN_PROGRESS from then on. They stay so here: AWS takes
/// them away some time after nothing refers to them, and the number is never used again.
fn delete(world: &mut World, input: &Value) -> Answer {
    at_most(input, "taskDefinitions", "taskDefinitions", 10)?;
    let references: Vec<String> = texts(input, "taskDefinitions").map(str::to_owned).collect();
    if references.is_empty() {
        return Err(invalid("taskDefinitions can not be empty."));
    }
    let now = wire::time(world.now());
    let (mut deleted, mut failures) = (Vec::new(), Vec::new());
    for reference in references {
        let Some(revision) = numbered(world, &reference)? else {
            let reason = "The specified task definition does not exist. Specify a valid account, family, revision and try again.";
            failures.push(json!({ "arn": reference, "reason": reason }));
            continue;
        };
        if revision.document["status"] == "ACTIVE" {
            let reason =
                "The specified task definition is still in ACTIVE status. Please deregister the target and try again.";
            failures.push(json!({ "arn": revision.arn(), "reason": reason }));
            continue;
        }
        if revision.document["status"] == "INACTIVE" {
            revision.document["status"] = "DELETE_IN_PROGRESS".into();
            revision.document["deleteRequestedAt"] = now.clone();
        }
        deleted.push(revision.document.clone());
    }
    Ok(json!({ "taskDefinitions": deleted, "failures": failures }))
}

#[cfg(test)]
mod tests;
