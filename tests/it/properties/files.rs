//! Whole environments out of generated documents: load balancers with listeners that all share, and services with
//! everything beside them.

use super::account::{ACCOUNT, CLUSTER, REGION};
use super::generate::{Dice, Sort};
use super::valid::{GROUPS, each, sorts};
use crate::documented::respelt;
use driftless::core::id::RepoPath;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The files of a commit.
pub type Files = BTreeMap<RepoPath, Arc<str>>;

/// Makes the documents of one environment. Each document has dice of its own: another `turn` of one makes it another
/// document of the same identity.
pub struct Making {
    seed: u64,
    turn: u64,
    /// The number of the next document.
    next: u64,
    /// How many documents of each kind were made.
    pub made: BTreeMap<&'static str, u64>,
    sorts: [Sort; 11],
}

/// Fields that only a new target group can have.
const KEPT: &[&str] =
    &["Protocol", "Port", "VpcId", "TargetType", "ProtocolVersion", "IpAddressType", "TargetControlPort"];

impl Making {
    pub fn new(seed: u64, turn: u64) -> Self {
        Self { seed, turn, next: 0, made: BTreeMap::new(), sorts: sorts() }
    }

    fn dice(&self, turn: u64) -> Dice {
        Dice::new(self.seed.wrapping_mul(1_000_003).wrapping_add(self.next).wrapping_mul(31).wrapping_add(turn))
    }

    fn sort(&self, name: &str) -> Sort {
        *self.sorts.iter().find(|sort| sort.name == name).unwrap()
    }

    /// A document of a kind. In a later turn most documents stay as they were.
    fn document(&mut self, name: &str) -> Value {
        self.next += 1;
        *self.made.entry(self.sort(name).name).or_default() += 1;
        let first = self.sort(name).document(&mut self.dice(0));
        if self.turn == 0 || !self.dice(self.turn).chance(30) {
            return first;
        }
        let mut other = self.sort(name).document(&mut self.dice(self.turn));
        if name == "target group" {
            // Of the same identity: another port would be another group.
            for field in KEPT {
                match first.get(field) {
                    Some(value) => other[*field] = value.clone(),
                    None => drop(other.as_object_mut().unwrap().remove(*field)),
                }
            }
            let check = ["HealthCheckProtocol", "HealthCheckPath", "Matcher", "HealthCheckPort"];
            check.iter().for_each(|field| match first.get(*field) {
                Some(value) => other[*field] = value.clone(),
                None => drop(other.as_object_mut().unwrap().remove(*field)),
            });
        }
        other
    }

    /// Some of them with other letters at the beginning of each name.
    fn spelt(&mut self, name: &str, document: &Value) -> Value {
        if self.dice(7).chance(50) { respelt(document, self.sort(name).shape) } else { document.clone() }
    }

    pub fn files(&mut self) -> Files {
        let mut whole = self.dice(0);
        let ports: Vec<i64> = [80, 443, 8443][..1 + whole.below(3)].to_vec();
        let environment = self.environment(&ports);
        let mut files = vec![("environment.yaml".to_owned(), environment)];
        for index in 0..1 + whole.below(2) {
            let name = format!("svc-{index}");
            let service = self.service(&name, &ports, &mut whole);
            files.push((format!("services/{name}.yaml"), service));
        }
        let text = |value: Value| Arc::<str>::from(serde_json::to_string_pretty(&value).unwrap());
        files.into_iter().map(|(path, value)| (RepoPath::new(path), text(value))).collect()
    }

    fn environment(&mut self, ports: &[i64]) -> Value {
        let mut listeners = Vec::new();
        for port in ports {
            let mut listener = self.document("listener");
            listener["Port"] = (*port).into();
            groups_of("shared", &mut listener);
            let mut listener = self.spelt("listener", &listener);
            if self.dice(3).chance(50) {
                listener["attributes"] = json!({ "routing.http.response.server.enabled": "false" });
            }
            listeners.push(listener);
        }
        let net = json!({ "protocol": "TCP", "port": 9000, "defaultActions": [{ "type": "forward", "targetGroup": "shared-a" }] });
        json!({
            "environment": "test", "account": ACCOUNT, "region": REGION, "cluster": CLUSTER,
            "loadBalancers": {
                "web": { "attributes": { "idle_timeout.timeout_seconds": "120" }, "listeners": listeners },
                "net": { "listeners": [net] },
            },
            "targetGroups": self.groups("shared"),
        })
    }

    /// Three groups with names of this scope.
    fn groups(&mut self, scope: &str) -> Value {
        let mut groups = Map::new();
        for letter in ["a", "b", "c"] {
            let group = self.document("target group");
            let mut group = self.spelt("target group", &group);
            if self.dice(self.turn).chance(50) {
                let delay = self.dice(self.turn).whole(0, 3600).to_string();
                group["attributes"] = json!({ "deregistration_delay.timeout_seconds": delay });
            }
            groups.insert(format!("{scope}-{letter}"), group);
        }
        groups.into()
    }

    fn service(&mut self, name: &str, ports: &[i64], whole: &mut Dice) -> Value {
        let mut task = self.document("task definition");
        task["family"] = name.into();
        let mut service = self.document("service");
        // The Cloud Map service is the one that the file declares; another controller deploys by itself; the others only a
        // new service can have.
        let fixed = service.as_object_mut().unwrap();
        let elsewhere = ["serviceRegistries", "deploymentController", "loadBalancers"];
        fixed.retain(|field, _| !elsewhere.contains(&field.as_str()));
        fixed.retain(|field, _| !matches!(field.as_str(), "launchType" | "schedulingStrategy" | "role"));
        if task.pointer("/requiresCompatibilities/0") == Some(&json!("FARGATE")) {
            fixed.remove("capacityProviderStrategy");
            fixed.insert("launchType".into(), "FARGATE".into());
        }
        let rules = self.rules(name, ports, whole);
        let mut groups = self.groups(name);
        self.balance(name, &task, &mut service, &mut groups, &rules);
        let mut file = json!({ "name": name, "targetGroups": groups, "rules": rules });
        file["taskDefinition"] = self.spelt("task definition", &task);
        file["service"] = self.spelt("service", &service);
        if whole.chance(60) {
            file["scaling"] = self.scaling(whole);
        }
        if whole.chance(60) {
            let mut discovery = self.document("Cloud Map service");
            discovery["Name"] = name.into();
            file["discovery"] = self.spelt("Cloud Map service", &discovery);
            file["discovery"]["namespace"] = "local".into();
        }
        if whole.chance(60) {
            file["logs"] = json!({ format!("/ecs/{name}"): self.document("log group") });
        }
        file
    }

    fn rules(&mut self, name: &str, ports: &[i64], whole: &mut Dice) -> Value {
        let mut rules = Vec::new();
        for index in 0..whole.below(4) {
            let mut rule = self.document("rule");
            // No other rule has this condition, so that none is taken for another.
            let own = json!({ "Field": "path-pattern", "Values": [format!("/{name}-{index}/*")] });
            let conditions = rule["Conditions"].as_array_mut().unwrap();
            conditions.retain(|condition| {
                condition.get("PathPatternConfig").is_none() && condition.get("Field") != Some(&json!("path-pattern"))
            });
            conditions.push(own);
            groups_of(name, &mut rule);
            let at = name.trim_start_matches("svc-").parse::<usize>().unwrap() * 10 + index + 1;
            if whole.chance(70) {
                rule["Priority"] = (100 * at).into();
            } else {
                rule.as_object_mut().unwrap().remove("Priority");
            }
            let mut rule = self.spelt("rule", &rule);
            rule["listener"] = format!("web:{}", whole.pick(ports)).into();
            rules.push(rule);
        }
        rules.into()
    }

    /// A load balancer sends traffic to the first port that the task has, through the first group of the service.
    fn balance(&mut self, name: &str, task: &Value, service: &mut Value, groups: &mut Value, rules: &Value) {
        let kind = match task.get("networkMode").and_then(Value::as_str) {
            Some("awsvpc") => "ip",
            Some("none") => return,
            _ => "instance",
        };
        let mut task = task.clone();
        let mut found = None;
        for container in each(&mut task, "containerDefinitions") {
            let mappings = container.get("portMappings").and_then(Value::as_array).into_iter().flatten();
            let port = mappings.filter_map(|mapping| mapping.get("containerPort")).next().cloned();
            found = found.or(port.map(|port| (container["name"].clone(), port)));
        }
        let Some((container, port)) = found else { return };
        groups[format!("{name}-a")] = json!({ "protocol": "HTTP", "port": 80, "vpcId": "vpc-1", "targetType": kind });
        let mut balancer =
            json!({ "targetGroup": format!("{name}-a"), "containerName": container, "containerPort": port });
        let shifting = rules.as_array().unwrap().iter().find_map(|rule| {
            let priority = rule.get("Priority").or(rule.get("priority"))?;
            Some(format!("{}/{priority}", rule["listener"].as_str()?))
        });
        let strategy = service.pointer("/deploymentConfiguration/strategy").and_then(Value::as_str);
        if let (Some(rule), Some("BLUE_GREEN" | "LINEAR" | "CANARY")) = (shifting, strategy) {
            groups[format!("{name}-b")] = groups[format!("{name}-a")].clone();
            balancer["advancedConfiguration"] = json!({
                "alternateTargetGroup": format!("{name}-b"), "productionListenerRule": rule, "roleArn": "ecs",
            });
        }
        service["loadBalancers"] = json!([balancer]);
    }

    fn scaling(&mut self, whole: &mut Dice) -> Value {
        let target = self.document("scalable target");
        let mut scaling = self.spelt("scalable target", &target);
        let mut policies = Map::new();
        for index in 0..whole.below(3) {
            let policy = self.document("scaling policy");
            let step = policy.get("StepScalingPolicyConfiguration").is_some();
            let mut policy = self.spelt("scaling policy", &policy);
            let alarm = self.document("alarm");
            if step {
                policy["alarm"] = self.spelt("alarm", &alarm);
            }
            policies.insert(format!("policy-{index}"), policy);
        }
        let mut schedules = Map::new();
        for index in 0..whole.below(3) {
            let action = self.document("scheduled action");
            schedules.insert(format!("action-{index}"), self.spelt("scheduled action", &action));
        }
        scaling["policies"] = policies.into();
        scaling["schedules"] = schedules.into();
        scaling
    }
}

/// Groups elsewhere become those of this scope.
fn groups_of(scope: &str, document: &mut Value) {
    match document {
        Value::String(text) => {
            if let Some(at) = GROUPS.iter().position(|group| group == text) {
                *text = format!("{scope}-{}", ["a", "b", "c"][at]);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| groups_of(scope, item)),
        Value::Object(map) => map.values_mut().for_each(|value| groups_of(scope, value)),
        _ => {}
    }
}
