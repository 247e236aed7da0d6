//! ECS: clusters.

use super::common::{at_most, client, invalid, is_empty, is_name, members, one_of, pages, short};
use super::{services, tags};
use crate::sim::world::input::{list, number, required, text, texts};
use crate::sim::world::{Answer, Refusal, World, discovery};
use serde_json::{Map, Value, json};

/// Answers this part of ECS's operations.
pub fn answer(world: &mut World, operation: &str, input: &Value) -> Option<Answer> {
    Some(match operation {
        "CreateCluster" => create(world, input),
        "DescribeClusters" => describe(world, input),
        "ListClusters" => list_clusters(world, input),
        "UpdateCluster" | "UpdateClusterSettings" => update(world, operation, input),
        "PutClusterCapacityProviders" => put_capacity_providers(world, input),
        "DeleteCluster" => delete(world, input),
        _ => return None,
    })
}

/// The ARN of a cluster that is named by its name or ARN.
pub fn cluster_arn(world: &World, name: &str) -> String {
    if name.starts_with("arn:") { name.to_owned() } else { world.arn("ecs", &format!("cluster/{name}")) }
}

/// The name of the ACTIVE cluster that a request is about; `default` when it names none.
///
/// # Errors
/// There is none.
pub fn active(world: &World, input: &Value) -> Result<String, Refusal> {
    named(world, text(input, "cluster").unwrap_or("default"))
}

/// What a cluster's capacity providers are when a service names neither them nor a launch type (CreateService).
pub fn default_strategy(world: &World, cluster: &str) -> Vec<Value> {
    let cluster = world.ecs.clusters.get(cluster);
    cluster.map(|cluster| list(cluster, "defaultCapacityProviderStrategy").to_vec()).unwrap_or_default()
}

/// The cluster's namespace for Service Connect.
pub fn default_namespace<'w>(world: &'w World, cluster: &str) -> Option<&'w str> {
    text(world.ecs.clusters.get(cluster)?.get("serviceConnectDefaults")?, "namespace")
}

fn not_found() -> Refusal {
    Refusal::new("ClusterNotFoundException", "Cluster not found.")
}

fn named(world: &World, reference: &str) -> Result<String, Refusal> {
    let arn = cluster_arn(world, reference);
    let name = short(&arn).to_owned();
    let known = world.ecs.clusters.get(&name);
    let active = known.is_some_and(|known| known["clusterArn"] == *arn && known["status"] == "ACTIVE");
    if active { Ok(name) } else { Err(not_found()) }
}

/// CreateCluster: with the same settings again it gives the cluster that is there.
fn create(world: &mut World, input: &Value) -> Answer {
    let asked = members(input);
    let name = text(input, "clusterName").unwrap_or("default").to_owned();
    if !is_name(&name) {
        return Err(invalid("Invalid cluster name. Up to 255 letters, numbers, underscores, and hyphens are allowed."));
    }
    let new_tags = tags::checked(list(input, "tags"))?;
    let mut wanted = Map::new();
    for field in ["settings", "configuration", "capacityProviders", "defaultCapacityProviderStrategy"] {
        wanted.extend(asked.get(field).map(|value| (field.to_owned(), value.clone())));
    }
    settings(&wanted)?;
    providers(&mut wanted)?;
    namespace_into(world, &asked, &mut wanted)?;
    if let Some(known) = world.ecs.clusters.get(&name).filter(|known| known["status"] == "ACTIVE") {
        if wanted.iter().any(|(field, value)| known.get(field) != Some(value)) {
            let message =
                "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).";
            return Err(invalid(message));
        }
        return Ok(json!({ "cluster": view(world, &name, &ALL) }));
    }
    let arn = world.arn("ecs", &format!("cluster/{name}"));
    let insights = super::account_settings::value(world, "containerInsights");
    let mut document = members(&json!({
        "clusterArn": arn,
        "clusterName": name,
        "status": "ACTIVE",
        "settings": [{ "name": "containerInsights", "value": insights }],
        "capacityProviders": [],
        "defaultCapacityProviderStrategy": [],
    }));
    document.extend(wanted);
    world.ecs.clusters.insert(name.clone(), Value::Object(document));
    world.ecs.tags.insert(arn, new_tags);
    Ok(json!({ "cluster": view(world, &name, &ALL) }))
}

/// DescribeClusters: a hundred at most; without names it is the default one.
fn describe(world: &World, input: &Value) -> Answer {
    at_most(input, "clusters", "clusters", 100)?;
    let mut names: Vec<&str> = texts(input, "clusters").collect();
    if names.is_empty() {
        names.push("default");
    }
    let include: Vec<&str> = texts(input, "include").collect();
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for reference in names {
        let arn = cluster_arn(world, reference);
        let name = short(&arn);
        if world.ecs.clusters.get(name).is_some_and(|known| known["clusterArn"] == *arn) {
            found.push(view(world, name, &include));
        } else {
            failures.push(json!({ "arn": arn, "reason": "MISSING" }));
        }
    }
    Ok(json!({ "clusters": found, "failures": failures }))
}

fn list_clusters(world: &World, input: &Value) -> Answer {
    let active = world.ecs.clusters.values().filter(|cluster| cluster["status"] == "ACTIVE");
    pages("clusterArns", 100).page(active.map(|cluster| cluster["clusterArn"].clone()).collect(), input)
}

/// UpdateCluster and UpdateClusterSettings: what is left out stays.
fn update(world: &mut World, operation: &str, input: &Value) -> Answer {
    let name = named(world, required(input, "cluster", super::common::INVALID)?)?;
    if operation == "UpdateClusterSettings" && list(input, "settings").is_empty() {
        return Err(invalid("settings can not be empty."));
    }
    let asked = members(input);
    let mut wanted = Map::new();
    for field in ["settings", "configuration"] {
        wanted.extend(asked.get(field).map(|value| (field.to_owned(), value.clone())));
    }
    settings(&wanted)?;
    namespace_into(world, &asked, &mut wanted)?;
    let cleared = asked.get("serviceConnectDefaults").is_some_and(|defaults| is_empty(defaults.get("namespace")));
    if let Some(Value::Object(cluster)) = world.ecs.clusters.get_mut(&name) {
        cluster.extend(wanted);
        if cleared {
            cluster.remove("serviceConnectDefaults");
        }
    }
    Ok(json!({ "cluster": view(world, &name, &ALL) }))
}

/// PutClusterCapacityProviders: replaces both lists; a provider that a service uses cannot be taken away.
fn put_capacity_providers(world: &mut World, input: &Value) -> Answer {
    let name = named(world, required(input, "cluster", super::common::INVALID)?)?;
    let mut wanted = Map::new();
    for field in ["capacityProviders", "defaultCapacityProviderStrategy"] {
        let Some(value @ Value::Array(_)) = input.get(field) else {
            return Err(invalid(format!("{field} must not be null.")));
        };
        wanted.insert(field.to_owned(), value.clone());
    }
    providers(&mut wanted)?;
    let stay: Vec<&str> =
        wanted["capacityProviders"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let live = world.ecs.services.values().filter(|service| service.cluster == name && service.status != "INACTIVE");
    let used = live.flat_map(|service| list(&service.settings, "capacityProviderStrategy"));
    if used.filter_map(|item| text(item, "capacityProvider")).any(|provider| !stay.contains(&provider)) {
        let message = "The specified capacity provider is in use and cannot be removed.";
        return Err(Refusal::new("ResourceInUseException", message));
    }
    if let Some(Value::Object(cluster)) = world.ecs.clusters.get_mut(&name) {
        cluster.extend(wanted);
    }
    Ok(json!({ "cluster": view(world, &name, &ALL) }))
}

/// DeleteCluster: only one without services and tasks; it is INACTIVE and can be described afterwards.
fn delete(world: &mut World, input: &Value) -> Answer {
    let name = named(world, required(input, "cluster", super::common::INVALID)?)?;
    let here = |cluster: &String| *cluster == name;
    if world.ecs.services.values().any(|service| here(&service.cluster) && service.status != "INACTIVE") {
        let message = "The Cluster cannot be deleted while Services are active.";
        return Err(Refusal::new("ClusterContainsServicesException", message));
    }
    if world.ecs.tasks.values().any(|task| here(&task.cluster) && task.last != "STOPPED") {
        let message = "The Cluster cannot be deleted while Tasks are active.";
        return Err(Refusal::new("ClusterContainsTasksException", message));
    }
    if let Some(cluster) = world.ecs.clusters.get_mut(&name) {
        cluster["status"] = "INACTIVE".into();
    }
    let arn = world.arn("ecs", &format!("cluster/{name}"));
    world.ecs.tags.remove(&arn);
    Ok(json!({ "cluster": view(world, &name, &ALL) }))
}

/// What the operations that make and change a cluster show of it.
const ALL: [&str; 3] = ["CONFIGURATIONS", "SETTINGS", "TAGS"];

/// A cluster with its counts; `include` as DescribeClusters has it: without it these members are empty or absent.
fn view(world: &World, name: &str, include: &[&str]) -> Value {
    let Some(Value::Object(cluster)) = world.ecs.clusters.get(name) else { return Value::Null };
    let mut shown = cluster.clone();
    let tasks = |states: &[&str]| {
        world.ecs.tasks.values().filter(|task| task.cluster == name && states.contains(&task.last)).count()
    };
    let active = world.ecs.services.values().filter(|service| service.cluster == name && service.status == "ACTIVE");
    shown.insert("registeredContainerInstancesCount".into(), 0.into());
    shown.insert("runningTasksCount".into(), tasks(&["RUNNING"]).into());
    shown.insert("pendingTasksCount".into(), tasks(&["PROVISIONING", "PENDING", "ACTIVATING"]).into());
    shown.insert("activeServicesCount".into(), active.count().into());
    if !include.contains(&"CONFIGURATIONS") {
        shown.remove("configuration");
    }
    if !include.contains(&"SETTINGS") {
        shown.insert("settings".into(), json!([]));
    }
    let statistics = if include.contains(&"STATISTICS") { statistics(world, name) } else { Vec::new() };
    shown.insert("statistics".into(), statistics.into());
    let arn = cluster_arn(world, name);
    let known = if include.contains(&"TAGS") { tags::of(world, &arn) } else { Vec::new() };
    shown.insert("tags".into(), known.into());
    Value::Object(shown)
}

/// "running, pending tasks, active and draining services by launch type" (Cluster, statistics).
fn statistics(world: &World, name: &str) -> Vec<Value> {
    let on_fargate = |service: Option<&String>, run: &Value| match service {
        Some(arn) => world.ecs.services.get(arn).is_some_and(|service| services::on_fargate(&service.settings)),
        None => services::on_fargate(run),
    };
    let tasks = |fargate: bool, states: &[&str]| {
        let here = world.ecs.tasks.values().filter(|task| task.cluster == name && states.contains(&task.last));
        here.filter(|task| on_fargate(task.service.as_ref(), &task.run) == fargate).count()
    };
    let services = |fargate: bool, status: &str| {
        let here = world.ecs.services.values().filter(|service| service.cluster == name && service.status == status);
        here.filter(|service| services::on_fargate(&service.settings) == fargate).count()
    };
    let pending = ["PROVISIONING", "PENDING", "ACTIVATING"];
    let rows = [
        ("runningEC2TasksCount", tasks(false, &["RUNNING"])),
        ("runningFargateTasksCount", tasks(true, &["RUNNING"])),
        ("pendingEC2TasksCount", tasks(false, &pending)),
        ("pendingFargateTasksCount", tasks(true, &pending)),
        ("activeEC2ServiceCount", services(false, "ACTIVE")),
        ("activeFargateServiceCount", services(true, "ACTIVE")),
        ("drainingEC2ServiceCount", services(false, "DRAINING")),
        ("drainingFargateServiceCount", services(true, "DRAINING")),
    ];
    rows.iter().map(|(name, count)| json!({ "name": name, "value": count.to_string() })).collect()
}

/// "The value to set is enhanced, enabled, or disabled" (ClusterSetting, containerInsights).
fn settings(wanted: &Map<String, Value>) -> Result<(), Refusal> {
    let given = wanted.get("settings").and_then(Value::as_array).into_iter().flatten();
    for setting in given {
        one_of(setting, "name", &["containerInsights"])?;
        one_of(setting, "value", &["enhanced", "enabled", "disabled"])?;
    }
    Ok(())
}

/// Checks and fills in a cluster's providers: they come back sorted, its strategy in the order that it was given in
/// (recorded answers).
fn providers(wanted: &mut Map<String, Value>) -> Result<(), Refusal> {
    let known = wanted.get_mut("capacityProviders").and_then(Value::as_array_mut);
    if let Some(known) = known {
        known.sort_by(|one, other| one.as_str().cmp(&other.as_str()));
    }
    let known = wanted.get("capacityProviders").and_then(Value::as_array).cloned().unwrap_or_default();
    let Some(strategy) = wanted.get_mut("defaultCapacityProviderStrategy").and_then(Value::as_array_mut) else {
        return Ok(());
    };
    fill_strategy(strategy);
    if strategy.iter().filter(|item| number(item, "base").unwrap_or(0) > 0).count() > 1 {
        let message =
            "The specified capacity provider strategy contains multiple capacity providers with a base value defined.";
        return Err(invalid(message));
    }
    if strategy.iter().any(|item| !known.contains(&item["capacityProvider"])) {
        return Err(not_associated());
    }
    Ok(())
}

/// A strategy names a provider that the cluster does not have.
pub fn not_associated() -> Refusal {
    invalid(
        "The specified capacity provider strategy cannot contain a capacity provider that is not associated with the \
         cluster. Associate the capacity provider with the cluster and try again.",
    )
}

/// `base` and `weight` are 0 where they are left out (CapacityProviderStrategyItem).
pub fn fill_strategy(strategy: &mut [Value]) {
    for item in strategy.iter_mut().filter_map(Value::as_object_mut) {
        item.entry("weight").or_insert(0.into());
        item.entry("base").or_insert(0.into());
    }
}

/// `serviceConnectDefaults`: an existing namespace by name or ARN; "if you enter a new name, a Cloud Map namespace will be
/// created", of type HTTP (ClusterServiceConnectDefaultsRequest). It is answered as an ARN.
fn namespace_into(
    world: &mut World,
    asked: &Map<String, Value>,
    wanted: &mut Map<String, Value>,
) -> Result<(), Refusal> {
    let Some(name) = asked.get("serviceConnectDefaults").and_then(|defaults| text(defaults, "namespace")) else {
        return Ok(());
    };
    let found = match namespace(world, name) {
        Err(_) if !name.starts_with("arn:") => {
            let input = json!({ "Name": name, "CreatorRequestId": world.uuid() });
            if let Some(Err(refusal)) = discovery::answer(world, "CreateHttpNamespace", &input) {
                return Err(client(refusal.message));
            }
            namespace(world, name).ok().flatten()
        }
        found => found?,
    };
    let arn = found.and_then(|found| text(&found, "Arn").map(str::to_owned));
    wanted.insert("serviceConnectDefaults".into(), json!({ "namespace": arn.unwrap_or_else(|| name.to_owned()) }));
    Ok(())
}

/// A Cloud Map namespace by name or ARN; none when Cloud Map is not simulated.
///
/// # Errors
/// There is no such namespace.
pub fn namespace(world: &mut World, reference: &str) -> Result<Option<Value>, Refusal> {
    let mut input = json!({});
    while let Some(answer) = discovery::answer(world, "ListNamespaces", &input) {
        let page = answer.map_err(|refusal| client(refusal.message))?;
        let same = |known: &&Value| known["Name"] == reference || known["Arn"] == reference;
        if let Some(found) = list(&page, "Namespaces").iter().find(same) {
            return Ok(Some(found.clone()));
        }
        let Some(token) = text(&page, "NextToken") else {
            return Err(Refusal::new("NamespaceNotFoundException", "The specified namespace wasn't found."));
        };
        input = json!({ "NextToken": token });
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    #[test]
    fn clusters_are_made_once_and_stay_inactive() {
        let mut world = World::new("123456789012", "us-east-1", Timestamp::UNIX_EPOCH, 1);
        let mut check = |operation: &str, input: Value, pointer: &str, expected: Result<Value, &str>| {
            let answer = world.answer("ecs", operation, &input).map_err(|refusal| refusal.code);
            let found = answer.as_ref().map(|answer| answer.pointer(pointer).unwrap_or(&Value::Null));
            assert_eq!(found.map_err(String::as_str), expected.as_ref().map_err(|code| *code), "{operation} {input}");
        };
        let insights = |value: &str| json!([{ "name": "containerInsights", "value": value }]);
        let prod = json!({ "cluster": "prod" });
        check("DescribeClusters", json!({}), "/failures/0/reason", Ok(json!("MISSING")));
        check("CreateCluster", json!({ "clusterName": "prod" }), "/cluster/settings", Ok(insights("disabled")));
        check("CreateCluster", json!({ "clusterName": "prod" }), "/cluster/status", Ok(json!("ACTIVE")));
        let other = json!({ "clusterName": "prod", "settings": insights("enabled") });
        check("CreateCluster", other, "", Err(super::super::common::INVALID));
        check("CreateCluster", json!({}), "/cluster/clusterName", Ok(json!("default")));
        let update = json!({ "cluster": "prod", "settings": insights("enhanced") });
        check("UpdateClusterSettings", update, "/cluster/settings", Ok(insights("enhanced")));
        let described = json!({ "clusters": ["prod"] });
        check("DescribeClusters", described.clone(), "/clusters/0/settings", Ok(json!([])));
        check("DescribeClusters", described.clone(), "/clusters/0/activeServicesCount", Ok(json!(0)));
        check("DescribeClusters", json!({ "clusters": vec!["x"; 101] }), "", Err(super::super::common::INVALID));
        let strategy = json!([{ "capacityProvider": "FARGATE", "weight": 1 }]);
        let put = |providers: Value| json!({ "cluster": "prod", "capacityProviders": providers, "defaultCapacityProviderStrategy": strategy });
        check("PutClusterCapacityProviders", put(json!([])), "", Err(super::super::common::INVALID));
        let filled = json!([{ "capacityProvider": "FARGATE", "weight": 1, "base": 0 }]);
        let path = "/cluster/defaultCapacityProviderStrategy";
        check("PutClusterCapacityProviders", put(json!(["FARGATE"])), path, Ok(filled));
        check("DeleteCluster", prod.clone(), "/cluster/status", Ok(json!("INACTIVE")));
        check("DescribeClusters", described, "/clusters/0/status", Ok(json!("INACTIVE")));
        check("DeleteCluster", prod, "", Err("ClusterNotFoundException"));
        let arn = "arn:aws:ecs:us-east-1:123456789012:cluster/default";
        check("ListClusters", json!({}), "/clusterArns", Ok(json!([arn])));
    }
}
