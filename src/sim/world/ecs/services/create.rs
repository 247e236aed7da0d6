//! CreateService.

use super::super::common::{INVALID, invalid, is_name, members, principal};
use super::super::state::Service;
use super::super::{clusters, deploy, scheduler, tags, task_definitions};
use super::{arn_of, by_ecs, check, document, fill, fits};
use crate::sim::wire;
use crate::sim::world::input::{list, number, required, text};
use crate::sim::world::{Answer, Refusal, World};
use serde_json::{Map, Value, json};

/// Members of the request that are no settings of the service.
const NOT_SETTINGS: [&str; 7] =
    ["clientToken", "cluster", "desiredCount", "role", "serviceName", "tags", "taskDefinition"];

/// CreateService. A name in use is refused, unless the request is the one that made the service, token and all.
pub fn create(world: &mut World, input: &Value) -> Answer {
    let asked = Value::Object(members(input));
    let cluster = clusters::active(world, &asked)?;
    let name = required(&asked, "serviceName", INVALID)?;
    if !is_name(name) {
        return Err(invalid("Invalid service name. Up to 255 letters, numbers, underscores, and hyphens are allowed."));
    }
    let arn = arn_of(world, &cluster, name);
    match world.ecs.services.get(&arn).map(|known| known.status) {
        Some("ACTIVE") => {
            let same = text(&asked, "clientToken").is_some() && world.ecs.created_by.get(&arn) == Some(&asked);
            let again = || Ok(json!({ "service": made(world, &arn) }));
            return if same { again() } else { Err(invalid("Creation of service was not idempotent.")) };
        }
        Some("DRAINING") => return Err(invalid("Unable to Start a service that is still Draining.")),
        _ => {}
    }
    check::fields(&asked)?;
    let new_tags = tags::checked(list(&asked, "tags"))?;
    let desired = count(&asked)?;
    let settings = settings(world, &cluster, &arn, &asked)?;

    let tokens = text(&asked, "clientToken").map(str::to_owned).into_iter().collect();
    let service = Service {
        arn: arn.clone(),
        cluster,
        name: name.to_owned(),
        status: "ACTIVE",
        settings,
        desired,
        deployments: Vec::new(),
        events: Vec::new(),
        under_way: None,
        completed: None,
        tokens,
        looks: false,
        steady: false,
        failures: 0,
        starts_after: None,
    };
    let runs = by_ecs(&service.settings);
    world.ecs.services.insert(arn.clone(), service);
    world.ecs.tags.insert(arn.clone(), new_tags);
    world.ecs.created_by.insert(arn.clone(), asked);
    if runs {
        deploy::begin(world, &arn);
    } else {
        scheduler::wake(world, &arn);
    }
    Ok(json!({ "service": made(world, &arn) }))
}

/// A new service as CreateService answers it: with its tags, if it has any (recorded answers).
fn made(world: &World, arn: &str) -> Value {
    document(world, arn, world.ecs.tags.get(arn).is_some_and(|tags| !tags.is_empty()))
}

/// "This is required if schedulingStrategy is REPLICA or isn't specified" (CreateService, desiredCount); for DAEMON, ECS
/// counts the container instances, and there are none here.
fn count(asked: &Value) -> Result<i64, Refusal> {
    match (number(asked, "desiredCount"), text(asked, "schedulingStrategy")) {
        (Some(count), _) => Ok(count),
        (None, Some("DAEMON")) => Ok(0),
        (None, _) if by_ecs(asked) => Err(invalid("desiredCount is required for the REPLICA scheduling strategy.")),
        (None, _) => Ok(0),
    }
}

/// The settings of a new service: what was asked for, what AWS fills in, the definition as a full ARN.
fn settings(world: &mut World, cluster: &str, arn: &str, asked: &Value) -> Result<Value, Refusal> {
    let mut kept: Map<String, Value> = members(asked);
    kept.retain(|field, _| !NOT_SETTINGS.contains(&field.as_str()));
    fill::new(world, cluster, &mut kept)?;
    let definition = match text(asked, "taskDefinition") {
        Some(reference) => Some(task_definitions::find_active(world, reference)?.clone()),
        None if fits::external(&Value::Object(kept.clone())) => None,
        None => return Err(invalid("TaskDefinition can not be blank.")),
    };
    if let Some(definition) = &definition {
        kept.insert("taskDefinition".into(), definition["taskDefinitionArn"].clone());
    }
    fill::role(world, &mut kept, definition.as_ref(), text(asked, "role"))?;
    for (field, value) in [
        ("serviceArn", Value::from(arn)),
        ("serviceName", asked["serviceName"].clone()),
        ("clusterArn", clusters::cluster_arn(world, cluster).into()),
        ("createdAt", wire::time(world.now())),
        ("createdBy", principal(world).into()),
        ("resourceManagementType", "CUSTOMER".into()),
    ] {
        kept.insert(field.to_owned(), value);
    }
    let settings = Value::Object(kept);
    fits::settings(world, cluster, &settings, definition.as_ref())?;
    Ok(settings)
}
