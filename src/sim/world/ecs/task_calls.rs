//! RunTask, StopTask, ListTasks, DescribeTasks.

use super::common::short;
use super::state::Task;
use super::tasks::{self, Start};
use super::{clusters, task_definitions};
use crate::sim::world::input::{self, Pages};
use crate::sim::world::{Answer, Refusal, World};
use serde_json::{Map, Value, json};

const BAD: &str = "InvalidParameterException";
/// "A full ARN of up to 100 tasks" (DescribeTasks).
const DESCRIBE_MAX: usize = 100;
/// "the number of instantiations … up to 10 tasks for each call" (RunTask).
const RUN_MAX: i64 = 10;

/// Answers this part of ECS's operations.
pub fn answer(world: &mut World, operation: &str, input: &Value) -> Option<Answer> {
    Some(match operation {
        "RunTask" => run(world, input),
        "StopTask" => stop(world, input),
        "ListTasks" => list(world, input),
        "DescribeTasks" => describe(world, input),
        _ => return None,
    })
}

fn run(world: &mut World, input: &Value) -> Answer {
    let cluster = clusters::active(world, input)?;
    let definition = task_definitions::find_active(world, input::required(input, "taskDefinition", BAD)?)?;
    let network = definition["networkMode"].clone();
    let task_definition = definition["taskDefinitionArn"].as_str().unwrap_or_default().to_owned();
    let count = input::number(input, "count").unwrap_or(1);
    if !(1..=RUN_MAX).contains(&count) {
        return Err(Refusal::new(BAD, format!("count must be between 1 and {RUN_MAX}.")));
    }
    if network == "awsvpc" && input.get("networkConfiguration").is_none_or(Value::is_null) {
        return Err(Refusal::new(
            BAD,
            "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
        ));
    }
    let token = input::text(input, "clientToken");
    if let Some(started) = token.and_then(|token| world.ecs.run.get(token)) {
        return again(world, started, input);
    }
    let mut started = Vec::new();
    for _ in 0..count {
        started.push(tasks::start(
            world,
            Start {
                cluster: cluster.clone(),
                service: None,
                started_by: input::text(input, "startedBy").unwrap_or_default().to_owned(),
                task_definition: task_definition.clone(),
                groups: Vec::new(),
                run: told(input),
            },
        ));
    }
    let answer = json!({ "tasks": documents(world, &started), "failures": [] });
    if let Some(token) = token {
        world.ecs.run.insert(token.to_owned(), started);
    }
    Ok(answer)
}

/// What DescribeTasks shows of RunTask's input.
fn told(input: &Value) -> Value {
    let names = ["overrides", "group", "tags", "launchType", "capacityProviderStrategy", "count", "taskDefinition"];
    let kept = names.iter().filter_map(|name| Some(((*name).to_owned(), input.get(*name)?.clone())));
    Value::Object(kept.collect::<Map<_, _>>())
}

/// The same token: the same tasks, or, with another request, ConflictException ("Ensuring idempotency").
fn again(world: &World, started: &[String], input: &Value) -> Answer {
    let first = started.first().and_then(|arn| world.ecs.tasks.get(arn));
    if first.is_some_and(|task| task.run != told(input)) {
        return Err(Refusal {
            more: json!({ "resourceIds": started }),
            ..Refusal::new("ConflictException", "The client token was used with another request.")
        });
    }
    Ok(json!({ "tasks": documents(world, started), "failures": [] }))
}

fn documents(world: &World, arns: &[String]) -> Vec<Value> {
    arns.iter().filter_map(|arn| world.ecs.tasks.get(arn)).map(|task| tasks::document(world, task)).collect()
}

/// The task of an ARN or id in a cluster.
fn find<'w>(world: &'w World, cluster: &str, asked: &str) -> Option<&'w Task> {
    let id = short(asked);
    let arn = world.arn("ecs", &format!("task/{cluster}/{id}"));
    world.ecs.tasks.get(&arn)
}

fn stop(world: &mut World, input: &Value) -> Answer {
    let cluster = clusters::active(world, input)?;
    let asked = input::required(input, "task", BAD)?;
    let found = find(world, &cluster, asked).map(|task| task.arn.clone());
    let Some(arn) = found else {
        return Err(Refusal::new(BAD, "The referenced task was not found."));
    };
    let reason = input::text(input, "reason").unwrap_or("Task stopped by user").to_owned();
    tasks::stop(world, &arn, "UserInitiated", reason);
    let task = world.ecs.tasks.get(&arn);
    Ok(json!({ "task": task.map(|task| tasks::document(world, task)) }))
}

fn list(world: &mut World, input: &Value) -> Answer {
    let cluster = clusters::active(world, input)?;
    let status = input::text(input, "desiredStatus").unwrap_or("RUNNING");
    let service = input::text(input, "serviceName").map(short);
    if let Some(service) = service {
        let arn = world.arn("ecs", &format!("service/{cluster}/{service}"));
        if !world.ecs.services.contains_key(&arn) {
            return Err(Refusal::new("ServiceNotFoundException", "Service not found."));
        }
    }
    let family_of = |arn: &str| {
        arn.rsplit_once('/').and_then(|(_, name)| name.rsplit_once(':')).map_or("", |(family, _)| family).to_owned()
    };
    let fits = |task: &&Task| {
        task.cluster == cluster
            && task.desired == status
            && service.is_none_or(|name| task.service.as_deref().map(short) == Some(name))
            && input::text(input, "startedBy").is_none_or(|by| task.started_by == by)
            && input::text(input, "family").is_none_or(|family| family_of(&task.task_definition) == family)
    };
    let arns = world.ecs.tasks.values().filter(fits).map(|task| json!(task.arn)).collect();
    let pages = Pages {
        into: "taskArns",
        token: "nextToken",
        next: "nextToken",
        size: "maxResults",
        usual: 100,
        most: 100,
        code: BAD,
    };
    pages.page(arns, input)
}

fn describe(world: &mut World, input: &Value) -> Answer {
    let cluster = clusters::active(world, input)?;
    let asked: Vec<&str> = input::texts(input, "tasks").collect();
    if asked.is_empty() || asked.len() > DESCRIBE_MAX {
        return Err(Refusal::new(BAD, format!("Tasks must be between 1 and {DESCRIBE_MAX}.")));
    }
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for name in asked {
        match find(world, &cluster, name) {
            Some(task) => found.push(tasks::document(world, task)),
            None => {
                let id = short(name);
                let arn = world.arn("ecs", &format!("task/{cluster}/{id}"));
                failures.push(json!({ "arn": arn, "reason": "MISSING" }));
            }
        }
    }
    Ok(json!({ "tasks": found, "failures": failures }))
}
