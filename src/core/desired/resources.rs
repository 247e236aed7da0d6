//! The things beside the ECS service itself that a file declares: load balancing, scaling, discovery, logs. Each gets its
//! identity here, its input is checked, and names in it become references.

use super::own;
use super::sections::{resolve_names, with_references};
use crate::core::diff::Path;
use crate::core::document::check::{Beside, check, check_with, expected, missing, spelt};
use crate::core::document::{Entry, Node, Part, Place, Tree};
use crate::core::id::{Arn, Kind, ResourceId, Scope, ServiceName};
use crate::core::normal::digest;
use crate::core::problem::{self, Problem};
use crate::core::shape::{Shape, Shapes};
use serde_json::Value;

/// One declared thing.
#[derive(Debug, Clone)]
pub struct Resource {
    /// What it is, under the name that git gives it.
    pub id: ResourceId,
    /// Where its settings are in the documents, as `targetGroups[prod-api]`.
    pub path: Path,
    /// The input of the operation that makes it, in AWS's names, without what only a plan can know.
    pub input: Node,
    /// Attributes beside the input (load balancers, listeners, target groups): strings by AWS's key.
    pub attributes: Option<Node>,
    /// Where it is written.
    pub place: Place,
}

impl Resource {
    /// What is declared, for digests: references as names.
    pub fn to_value(&self) -> Value {
        let attributes = self.attributes.as_ref().map(Node::to_value).unwrap_or_default();
        serde_json::json!([self.id.to_string(), self.input.to_value(), attributes])
    }
}

/// Reads the sections of one file.
pub struct Reader<'r> {
    pub scope: &'r Scope,
    pub shapes: &'r Shapes,
    pub problems: &'r mut Vec<Problem>,
    pub found: Vec<Resource>,
}

impl Reader<'_> {
    /// Everything that a service file declares beside the service.
    pub fn service(&mut self, top: &Node, service: &ServiceName) {
        self.target_groups(top);
        self.rules(top);
        if let Some(node) = top.get("scaling") {
            self.scaling(node, service);
        }
        if let Some(node) = top.get("discovery") {
            self.discovery(node, Path::section("discovery"));
        }
        for entry in top.get("logs").map(Node::entries).unwrap_or_default() {
            self.log_group(entry);
        }
    }

    /// Everything that environment.yaml declares for all of its services.
    pub fn environment(&mut self, node: &Node) {
        for entry in self.mapping(node, "loadBalancers") {
            self.load_balancer(&entry);
        }
        self.target_groups(node);
        self.rules(node);
        for item in node.get("discovery").map(Node::items).unwrap_or_default() {
            let name = item.get("name").or_else(|| item.get("Name")).and_then(Node::as_text).unwrap_or_default();
            self.discovery(item, Path::section("discovery").key(name));
        }
    }

    fn mapping(&mut self, node: &Node, name: &str) -> Vec<Entry> {
        let Some(node) = node.get(name) else { return Vec::new() };
        if !matches!(node.tree, Tree::Map(_)) {
            self.problems.push(expected(node, "a mapping of names"));
        }
        node.entries().to_vec()
    }

    /// Checks an input with what stands beside it; names become references.
    fn checked(
        &mut self,
        node: &Node,
        shape: Shape,
        own: &'static [crate::core::shape::Field],
        implied: &[&str],
    ) -> Node {
        let mut node = with_references(&spelt(node, shape));
        resolve_names(&mut node, self.scope, self.problems);
        check_with(&node, shape, Beside { own, implied }, self.problems)
    }

    fn add(&mut self, id: ResourceId, path: Path, input: Node, attributes: Option<Node>, place: &Place) {
        self.found.push(Resource { id, path, input, attributes, place: place.clone() });
    }

    fn load_balancer(&mut self, entry: &Entry) {
        let checked = check(&entry.node, own::load_balancer(), self.problems);
        let id = ResourceId::new(Kind::LoadBalancer, entry.key.as_str());
        let path = Path::section("loadBalancers").key(entry.key.as_str());
        let attributes = checked.get("attributes").cloned();
        self.add(id.clone(), path.clone(), Node::empty_map(&entry.node.place), attributes, &entry.key_place);
        for listener in checked.get("listeners").map(Node::items).unwrap_or_default() {
            self.listener(listener, &id, &path);
        }
    }

    fn listener(&mut self, node: &Node, balancer: &ResourceId, path: &Path) {
        let mut input = self.checked(node, self.shapes.listener, own::listener().fields(), &["LoadBalancerArn"]);
        let Some(port) = input.get("Port").and_then(Node::as_integer) else {
            self.problems.push(missing(&node.place, "a listener", "port"));
            return;
        };
        input.set("LoadBalancerArn", reference(balancer, &node.place));
        let attributes = input.take("attributes").map(|entry| entry.node);
        let id = ResourceId::new(Kind::Listener, format!("{}:{port}", balancer.name));
        self.add(id, path.key(port.to_string()), input, attributes, &node.place);
    }

    fn target_groups(&mut self, top: &Node) {
        for Entry { key, key_place, node } in self.mapping(top, "targetGroups") {
            let mut input = self.checked(&node, self.shapes.target_group, own::target_group().fields(), &["Name"]);
            // "This name must be unique per region per account, can have a maximum of 32 characters" (CreateTargetGroup).
            if !(1..=32).contains(&key.len()) {
                let message = format!("the target group name {key:?} is longer than 32 characters");
                self.problems.push(Problem::error(problem::WRONG_VALUE, &key_place, message));
            }
            self.implied(&mut input, "Name", &key, &key_place);
            let attributes = input.take("attributes").map(|entry| entry.node);
            let path = Path::section("targetGroups").key(key.as_str());
            self.add(ResourceId::new(Kind::TargetGroup, key), path, input, attributes, &key_place);
        }
    }

    fn rules(&mut self, top: &Node) {
        for node in top.get("rules").map(Node::items).unwrap_or_default() {
            let mut input = self.checked(node, self.shapes.rule, own::rule().fields(), &["ListenerArn", "Priority"]);
            let Some(listener) = self.listener_of(&mut input) else { continue };
            let conditions = input.get("Conditions").map(Node::to_value).unwrap_or_default();
            let name = match input.get("Priority").and_then(Node::as_integer) {
                Some(priority) => priority.to_string(),
                None => said(&conditions),
            };
            input.set("ListenerArn", reference(&listener, &node.place));
            let id = ResourceId::new(Kind::ListenerRule, format!("{}/{name}", listener.name));
            let path = Path::section("rules").key(id.name.to_string());
            self.add(id, path, input, None, &node.place);
        }
    }

    /// A rule says its listener, by ARN or as `LOAD-BALANCER:PORT`.
    fn listener_of(&mut self, rule: &mut Node) -> Option<ResourceId> {
        let named = rule.take("listener").or_else(|| rule.take("ListenerArn"));
        let Some(Entry { node, .. }) = named else {
            self.problems.push(missing(&rule.place, "a rule", "listener"));
            return None;
        };
        let name = node.as_text().unwrap_or_default();
        let by_port = name.rsplit_once(':').is_some_and(|(name, port)| !name.is_empty() && port.parse::<u16>().is_ok());
        if !by_port && !Arn::is_arn(name) {
            self.problems.push(expected(&node, "an ARN, or LOAD-BALANCER:PORT as web:443"));
            return None;
        }
        Some(ResourceId::new(Kind::Listener, name))
    }

    fn scaling(&mut self, node: &Node, service: &ServiceName) {
        let (shapes, path) = (self.shapes, Path::section("scaling"));
        let mut input = self.checked(node, shapes.scalable_target, own::scaling().fields(), &TARGET);
        let (policies, schedules) = (input.take("policies"), input.take("schedules"));
        self.range(&input);
        self.scaled(&mut input, service);
        let id = ResourceId::new(Kind::ScalableTarget, service.as_str());
        self.add(id, path.clone(), input, None, &node.place);
        for entry in policies.iter().flat_map(|policies| policies.node.entries()) {
            self.policy(entry, service, &path.field("policies").key(entry.key.as_str()));
        }
        for Entry { key, key_place, node } in schedules.iter().flat_map(|schedules| schedules.node.entries()) {
            let implied = [TARGET[0], TARGET[1], TARGET[2], "ScheduledActionName"];
            let mut input = self.checked(node, shapes.scheduled_action, &[], &implied);
            self.implied(&mut input, "ScheduledActionName", key, key_place);
            self.scaled(&mut input, service);
            let path = path.field("schedules").key(key.as_str());
            self.add(ResourceId::new(Kind::ScheduledAction, format!("{service}/{key}")), path, input, None, key_place);
        }
    }

    fn policy(&mut self, entry: &Entry, service: &ServiceName, path: &Path) {
        let Entry { key, key_place, node } = entry;
        let implied = [TARGET[0], TARGET[1], TARGET[2], "PolicyName"];
        let mut input = self.checked(node, self.shapes.scaling_policy, own::policy().fields(), &implied);
        let alarm = input.take("alarm");
        self.implied(&mut input, "PolicyName", key, key_place);
        self.scaled(&mut input, service);
        // Which of the configurations is given says the type (PutScalingPolicy, PolicyType).
        for (configuration, policy_type) in [
            ("StepScalingPolicyConfiguration", "StepScaling"),
            ("TargetTrackingScalingPolicyConfiguration", "TargetTrackingScaling"),
            ("PredictiveScalingPolicyConfiguration", "PredictiveScaling"),
        ] {
            if input.get(configuration).is_some() && input.get("PolicyType").is_none() {
                input.set("PolicyType", Node::text(policy_type, key_place));
            }
        }
        let id = ResourceId::new(Kind::ScalingPolicy, format!("{service}/{key}"));
        self.add(id.clone(), path.clone(), input, None, key_place);
        if let Some(alarm) = alarm {
            self.alarm(&alarm.node, key, &id, service, &path.field("alarm"));
        }
    }

    /// The alarm that triggers a step policy: its metric is the service's unless it says otherwise.
    fn alarm(&mut self, node: &Node, policy: &str, id: &ResourceId, service: &ServiceName, path: &Path) {
        let mut input = self.checked(node, self.shapes.alarm, &[], &["AlarmName", "EvaluationPeriods"]);
        let place = node.place.clone();
        let cluster = &self.scope.cluster;
        let name = match input.get("AlarmName").and_then(Node::as_text) {
            Some(name) => name.to_owned(),
            None => format!("{cluster}-{service}-{policy}"),
        };
        input.set("AlarmName", Node::text(name.as_str(), &place));
        let own_metric = input.get("Metrics").is_none() && input.get("EvaluationCriteria").is_none();
        if own_metric && input.get("Dimensions").is_none() {
            let dimensions = serde_json::json!([
                { "Name": "ClusterName", "Value": cluster.as_str() },
                { "Name": "ServiceName", "Value": service.as_str() },
            ]);
            input.set("Dimensions", Node::of_value(&dimensions, &place));
        }
        let mut actions: Vec<Node> = input.get("AlarmActions").map(Node::items).unwrap_or_default().to_vec();
        actions.insert(0, reference(id, &place));
        input.set("AlarmActions", Node { tree: Tree::List(actions), place: place.clone() });
        self.add(ResourceId::new(Kind::Alarm, name), path.clone(), input, None, &place);
    }

    fn discovery(&mut self, node: &Node, path: Path) {
        let mut input = self.checked(node, self.shapes.discovery_service, own::discovery().fields(), &[]);
        let named = input.take("namespace");
        let name = input.get("Name").and_then(Node::as_text).unwrap_or_default().to_owned();
        let by_id = input.get("NamespaceId").and_then(Node::as_text).map(str::to_owned);
        let Some(namespace) = named.and_then(|entry| entry.node.as_text().map(str::to_owned)).or(by_id) else {
            self.problems.push(missing(&node.place, "discovery", "namespace"));
            return;
        };
        let id = ResourceId::new(Kind::DiscoveryService, format!("{namespace}/{name}"));
        self.add(id, path, input, None, &node.place);
    }

    fn log_group(&mut self, entry: &Entry) {
        let input = check(&entry.node, own::log_group(), self.problems);
        let path = Path::section("logs").key(entry.key.as_str());
        self.add(ResourceId::new(Kind::LogGroup, entry.key.as_str()), path, input, None, &entry.key_place);
    }

    /// A name that a key of ours says: AWS's own field may repeat it, and nothing else.
    fn implied(&mut self, input: &mut Node, field: &str, name: &str, place: &Place) {
        if let Some(given) = input.get(field)
            && given.as_text() != Some(name)
        {
            let message = format!("`{field}` is {}, its key says {name:?}", given.words());
            self.problems.push(Problem::error(problem::NOT_OURS, &given.place, message).help("take the field out"));
        }
        input.set(field, Node::text(name, place));
    }

    /// Every Application Auto Scaling input says what it scales.
    fn scaled(&mut self, input: &mut Node, service: &ServiceName) {
        let id = format!("service/{}/{service}", self.scope.cluster);
        let place = input.place.clone();
        for (field, value) in TARGET.iter().zip(["ecs", id.as_str(), "ecs:service:DesiredCount"]) {
            self.implied(input, field, value, &place);
        }
    }

    fn range(&mut self, input: &Node) {
        let whole = |name: &str| input.get(name).and_then(|node| Some((node, node.as_integer()?)));
        if let (Some(min), Some(max)) = (whole("MinCapacity"), whole("MaxCapacity"))
            && min.1 > max.1
        {
            let message = format!("minCapacity {} is more than maxCapacity {}", min.1, max.1);
            let problem = Problem::error(problem::WRONG_VALUE, &min.0.place, message);
            self.problems.push(problem.related(&max.0.place, "maxCapacity"));
        }
    }
}

/// What every Application Auto Scaling input names, and what a service file implies.
const TARGET: [&str; 3] = ["ServiceNamespace", "ResourceId", "ScalableDimension"];

/// The ARN of a thing, once it is known.
pub fn reference(id: &ResourceId, place: &Place) -> Node {
    let name = &id.name;
    let tree = match Arn::is_arn(name) {
        true => Tree::Text(name.to_string()),
        false => Tree::Template(vec![Part::Arn(id.clone())]),
    };
    Node { tree, place: place.clone() }
}

/// What tells a rule without a priority apart: the first value of its conditions, and the beginning of their digest.
fn said(conditions: &Value) -> String {
    fn first(value: &Value) -> Option<&str> {
        match value {
            Value::Array(items) => items.iter().find_map(first),
            Value::Object(map) => {
                map.iter().filter(|(key, _)| !key.eq_ignore_ascii_case("field")).find_map(|(_, v)| first(v))
            }
            Value::String(text) => Some(text),
            _ => None,
        }
    }
    let digest: String = digest(conditions).chars().take(6).collect();
    // The listener stands before the last slash of a rule's name (`kind::rule::listener_of`), paths have slashes too.
    let first = first(conditions).unwrap_or("rule").trim_matches('/').replace('/', ".");
    format!("{first}~{digest}")
}
