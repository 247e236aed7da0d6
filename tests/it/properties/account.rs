//! An AWS account in memory: it takes the inputs that a plan would send, and answers what it has as AWS's Describe calls
//! do: with what AWS fills in (`fill`), sets in another order, and each thing under the names that the planner asks for.
//!
//! What an update keeps and what it takes away is written here again, from the API references, not from `kind/`.

use super::fill;
use super::generate::{Dice, shuffled};
use aws_sdk_applicationautoscaling as autoscaling;
use aws_sdk_cloudwatch as cloudwatch;
use aws_sdk_cloudwatchlogs as logs;
use aws_sdk_ecs as ecs;
use aws_sdk_elasticloadbalancingv2 as elbv2;
use aws_sdk_servicediscovery as discovery;
use driftless::aws::live;
use driftless::aws::wire::{Wire, decode, encode};
use driftless::core::action::Call;
use driftless::core::id::{Arn, Kind, ResourceId};
use driftless::core::image::Pushed;
use driftless::core::observed::{Facts, Live, Observed};
use driftless::core::plan::declared_tags;
use driftless::core::shape::Order;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

pub const ACCOUNT: &str = "123456789012";
pub const REGION: &str = "eu-west-1";
pub const CLUSTER: &str = "main";

/// One thing with its tags; what it is called is the key.
#[derive(Clone)]
struct Thing {
    arn: String,
    document: Value,
    tags: BTreeMap<String, String>,
}

/// The account. Keys are as the planner names things: `web:443`, `svc-0/policy`.
pub struct Account {
    dice: Dice,
    made: u32,
    things: BTreeMap<(Kind, String), Thing>,
}

fn arn(service: &str, rest: &str) -> String {
    format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}")
}

fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// What the SDK reads of a document, which must be one of its type: AWS answers nothing else.
#[track_caller]
fn typed<T: Wire>(document: &Value) -> T {
    decode(document).unwrap_or_else(|mismatches| panic!("{mismatches:?}: {document:#}"))
}

/// Only the fields that an answer of this type has.
fn of_type<T: Wire>(document: &Value, dice: &mut Dice) -> Value {
    let mut document = document.clone();
    if let Value::Object(map) = &mut document {
        map.retain(|field, _| T::shape().field(field).is_some());
    }
    encode(&typed::<T>(&shuffled(&document, T::shape(), Order::Kept, dice)))
}

/// What an operation with tags in its input does with them.
fn take_tags(document: &mut Value) -> BTreeMap<String, String> {
    let tags = declared_tags(document);
    if let Value::Object(map) = document {
        map.retain(|field, _| !matches!(field.as_str(), "tags" | "Tags"));
    }
    tags
}

impl Account {
    /// With a cluster, two load balancers, a namespace and whatever is named and not made here.
    pub fn new(seed: u64) -> Self {
        let mut account = Self { dice: Dice::new(seed), made: 0, things: BTreeMap::new() };
        let balancer = |kind: &str, name: &str| arn("elasticloadbalancing", &format!("loadbalancer/{kind}/{name}/1"));
        account.put(Kind::Cluster, CLUSTER, arn("ecs", &format!("cluster/{CLUSTER}")), json!({}));
        account.put(Kind::LoadBalancer, "web", balancer("app", "web"), json!({}));
        account.put(Kind::LoadBalancer, "net", balancer("net", "net"), json!({}));
        let namespace = arn("servicediscovery", "namespace/ns-1");
        account.put(Kind::Namespace, "local", namespace, json!({ "Id": "ns-1" }));
        account
    }

    fn put(&mut self, kind: Kind, name: &str, arn: String, document: Value) -> &mut Thing {
        let thing = Thing { arn, document, tags: BTreeMap::new() };
        let key = (kind, name.to_owned());
        self.things.insert(key.clone(), thing);
        self.things.get_mut(&key).unwrap()
    }

    fn make(&mut self, kind: Kind, name: &str, arn: String, mut document: Value) -> Option<String> {
        let tags = take_tags(&mut document);
        self.put(kind, name, arn.clone(), document).tags = tags;
        Some(arn)
    }

    fn id(&mut self) -> u32 {
        self.made += 1;
        self.made
    }

    fn thing(&mut self, kind: Kind, name: &str) -> &mut Thing {
        self.things.get_mut(&(kind, name.to_owned())).unwrap_or_else(|| panic!("there is no {kind:?} {name}"))
    }

    /// The name under which the thing with this ARN is kept.
    fn name_of(&self, kind: Kind, arn: &str) -> String {
        let found = self.things.iter().find(|((of, _), thing)| *of == kind && thing.arn == arn);
        found.unwrap_or_else(|| panic!("no {kind:?} has the ARN {arn}")).0.1.clone()
    }

    fn all(&self, kind: Kind, prefix: &str) -> Vec<(String, Thing)> {
        let of = self.things.iter().filter(|((of, name), _)| *of == kind && name.starts_with(prefix));
        of.map(|((_, name), thing)| (name.clone(), thing.clone())).collect()
    }

    /// Does one call; gives the ARN of what it made.
    pub fn apply(&mut self, call: Call, target: &ResourceId, mut input: Value) -> Option<Arn> {
        let name = target.name.to_string();
        let made = match call {
            Call::RegisterTaskDefinition => {
                typed::<ecs::operation::register_task_definition::RegisterTaskDefinitionInput>(&input);
                let family = text(&input, "family").to_owned();
                let revision = self.all(Kind::TaskDefinitionRevision, &format!("{family}:")).len() + 1;
                let arn = arn("ecs", &format!("task-definition/{family}:{revision}"));
                fill::task_definition(&mut input, &mut self.dice);
                input["taskDefinitionArn"] = arn.as_str().into();
                input["revision"] = revision.into();
                input["status"] = "ACTIVE".into();
                self.make(Kind::TaskDefinitionRevision, &format!("{family}:{revision}"), arn, input)
            }
            Call::CreateService => {
                typed::<ecs::operation::create_service::CreateServiceInput>(&input);
                let arn = arn("ecs", &format!("service/{CLUSTER}/{name}"));
                fill::service(&mut input, &mut self.dice);
                self.make(Kind::Service, &name, arn, input)
            }
            Call::UpdateService => {
                typed::<ecs::operation::update_service::UpdateServiceInput>(&input);
                let mut service = self.thing(Kind::Service, &name).document.clone();
                fill::update_service(&mut service, &input, &mut self.dice);
                self.thing(Kind::Service, &name).document = service;
                None
            }
            Call::CreateTargetGroup => {
                typed::<elbv2::operation::create_target_group::CreateTargetGroupInput>(&input);
                let name = text(&input, "Name").to_owned();
                let arn = arn("elasticloadbalancing", &format!("targetgroup/{name}/{}", self.id()));
                fill::target_group(&mut input);
                let attributes = fill::group_attributes(&input);
                self.put(Kind::TargetGroupAttributes, &name, String::new(), attributes);
                self.make(Kind::TargetGroup, &name, arn, input)
            }
            Call::ModifyTargetGroup => {
                typed::<elbv2::operation::modify_target_group::ModifyTargetGroupInput>(&input);
                let name = self.name_of(Kind::TargetGroup, text(&input, "TargetGroupArn"));
                let group = &mut self.thing(Kind::TargetGroup, &name).document;
                overwrite(group, &input, &["TargetGroupArn"]);
                fill::target_group(group);
                None
            }
            Call::ModifyTargetGroupAttributes => {
                typed::<elbv2::operation::modify_target_group_attributes::ModifyTargetGroupAttributesInput>(&input);
                let name = self.name_of(Kind::TargetGroup, text(&input, "TargetGroupArn"));
                self.attributes(Kind::TargetGroupAttributes, &name, &input)
            }
            Call::DeleteTargetGroup => {
                typed::<elbv2::operation::delete_target_group::DeleteTargetGroupInput>(&input);
                let arn = text(&input, "TargetGroupArn");
                let name = self.name_of(Kind::TargetGroup, arn);
                let users = self.users(arn);
                assert!(users.is_empty(), "ResourceInUse: {name} by {users:?}");
                self.things.remove(&(Kind::TargetGroup, name.clone()));
                self.things.remove(&(Kind::TargetGroupAttributes, name));
                None
            }
            Call::ModifyLoadBalancerAttributes => {
                typed::<elbv2::operation::modify_load_balancer_attributes::ModifyLoadBalancerAttributesInput>(&input);
                let name = self.name_of(Kind::LoadBalancer, text(&input, "LoadBalancerArn"));
                self.attributes(Kind::LoadBalancerAttributes, &name, &input)
            }
            Call::ModifyListenerAttributes => {
                typed::<elbv2::operation::modify_listener_attributes::ModifyListenerAttributesInput>(&input);
                let name = self.name_of(Kind::Listener, text(&input, "ListenerArn"));
                self.attributes(Kind::ListenerAttributes, &name, &input)
            }
            Call::CreateListener => {
                typed::<elbv2::operation::create_listener::CreateListenerInput>(&input);
                let certificates = input.get("Certificates").and_then(Value::as_array).map_or(0, Vec::len);
                assert!(certificates < 2, "CreateListener takes one certificate: {input}");
                let balancer = self.name_of(Kind::LoadBalancer, text(&input, "LoadBalancerArn"));
                let kind = if balancer == "net" { "net" } else { "app" };
                let arn = arn("elasticloadbalancing", &format!("listener/{kind}/{balancer}/1/{}", self.id()));
                fill::listener(&mut input, kind == "net", &mut self.dice);
                self.make(Kind::Listener, &format!("{balancer}:{}", input["Port"]), arn, input)
            }
            Call::ModifyListener => {
                typed::<elbv2::operation::modify_listener::ModifyListenerInput>(&input);
                let name = self.name_of(Kind::Listener, text(&input, "ListenerArn"));
                let mut listener = self.thing(Kind::Listener, &name).document.clone();
                overwrite(&mut listener, &input, &["ListenerArn"]);
                fill::listener(&mut listener, name.starts_with("net:"), &mut self.dice);
                self.thing(Kind::Listener, &name).document = listener;
                None
            }
            Call::AddListenerCertificates => {
                typed::<elbv2::operation::add_listener_certificates::AddListenerCertificatesInput>(&input);
                let name = self.name_of(Kind::Listener, text(&input, "ListenerArn"));
                let key = (Kind::ListenerCertificates, name);
                let none = Thing { arn: String::new(), document: json!({ "Certificates": [] }), tags: BTreeMap::new() };
                let document = &mut self.things.entry(key).or_insert(none).document;
                document["Certificates"].as_array_mut().unwrap().push(input["Certificates"][0].clone());
                None
            }
            Call::CreateRule => {
                typed::<elbv2::operation::create_rule::CreateRuleInput>(&input);
                let listener = self.name_of(Kind::Listener, text(&input, "ListenerArn"));
                let priority = input["Priority"].to_string();
                let name = format!("{listener}/{priority}");
                assert!(!self.things.contains_key(&(Kind::ListenerRule, name.clone())), "PriorityInUse: {name}");
                let arn = arn("elasticloadbalancing", &format!("listener-rule/app/{listener}/{}", self.id()));
                input["Priority"] = priority.into();
                fill::rule(&mut input, listener.starts_with("net:"), &mut self.dice);
                self.make(Kind::ListenerRule, &name, arn, input)
            }
            Call::ModifyRule => {
                typed::<elbv2::operation::modify_rule::ModifyRuleInput>(&input);
                let name = self.name_of(Kind::ListenerRule, text(&input, "RuleArn"));
                let mut rule = self.thing(Kind::ListenerRule, &name).document.clone();
                overwrite(&mut rule, &input, &["RuleArn", "ResetTransforms"]);
                if input.get("ResetTransforms") == Some(&json!(true)) {
                    rule["Transforms"] = json!([]);
                }
                fill::rule(&mut rule, name.starts_with("net:"), &mut self.dice);
                self.thing(Kind::ListenerRule, &name).document = rule;
                None
            }
            Call::SetRulePriorities => self.set_priorities(&input),
            Call::RegisterScalableTarget => {
                typed::<autoscaling::operation::register_scalable_target::RegisterScalableTargetInput>(&input);
                let name = scaled(&input);
                let known = self.things.get(&(Kind::ScalableTarget, name.clone())).cloned();
                let arn = known.as_ref().map_or_else(
                    || arn("application-autoscaling", &format!("scalable-target/{name}")),
                    |t| t.arn.clone(),
                );
                let mut document = known.as_ref().map(|thing| thing.document.clone()).unwrap_or_else(|| json!({}));
                // "You can't use RegisterScalableTarget to change tags of an existing target."
                let tags = known.map_or_else(|| declared_tags(&input), |thing| thing.tags);
                overwrite(&mut document, &input, &["Tags"]);
                fill::scalable_target(&mut document);
                // "Application Auto Scaling scales to the new range."
                let bound = |field: &str| document[field].as_i64().unwrap();
                let (least, most) = (bound("MinCapacity"), bound("MaxCapacity"));
                if let Some(service) = self.things.get_mut(&(Kind::Service, name.clone())) {
                    let count = service.document["desiredCount"].as_i64().unwrap();
                    service.document["desiredCount"] = count.clamp(least, most).into();
                }
                self.put(Kind::ScalableTarget, &name, arn.clone(), document).tags = tags;
                Some(arn)
            }
            Call::PutScalingPolicy => {
                typed::<autoscaling::operation::put_scaling_policy::PutScalingPolicyInput>(&input);
                let name = format!("{}/{}", scaled(&input), text(&input, "PolicyName"));
                let arn = arn("autoscaling", &format!("scalingPolicy:1:resource/ecs/service/{CLUSTER}/{name}"));
                fill::scaling_policy(&mut input, &mut self.dice);
                self.make(Kind::ScalingPolicy, &name, arn, input)
            }
            Call::PutScheduledAction => {
                typed::<autoscaling::operation::put_scheduled_action::PutScheduledActionInput>(&input);
                let name = format!("{}/{}", scaled(&input), text(&input, "ScheduledActionName"));
                let arn = arn("autoscaling", &format!("scheduledAction:1:resource/ecs/service/{CLUSTER}/{name}"));
                let before =
                    self.things.get(&(Kind::ScheduledAction, name.clone())).map(|thing| thing.document.clone());
                let mut document = before.unwrap_or_else(|| json!({}));
                // "If you don't specify a start or end time, it is deleted."
                document.as_object_mut().unwrap().retain(|field, _| !matches!(field.as_str(), "StartTime" | "EndTime"));
                overwrite(&mut document, &input, &[]);
                fill::scheduled_action(&mut document, &mut self.dice);
                self.make(Kind::ScheduledAction, &name, arn, document)
            }
            Call::PutMetricAlarm => {
                typed::<cloudwatch::operation::put_metric_alarm::PutMetricAlarmInput>(&input);
                let name = text(&input, "AlarmName").to_owned();
                let arn = arn("cloudwatch", &format!("alarm:{name}"));
                let known = self.things.get(&(Kind::Alarm, name.clone())).map(|thing| thing.tags.clone());
                fill::alarm(&mut input, &mut self.dice);
                let made = self.make(Kind::Alarm, &name, arn, input);
                // "Tags are ignored when an alarm is updated."
                if let Some(tags) = known {
                    self.thing(Kind::Alarm, &name).tags = tags;
                }
                made
            }
            Call::CreateDiscoveryService => {
                typed::<discovery::operation::create_service::CreateServiceInput>(&input);
                let id = format!("srv-{}", self.id());
                let arn = arn("servicediscovery", &format!("service/{id}"));
                input["Id"] = id.into();
                fill::discovery(&mut input, &mut self.dice);
                self.make(Kind::DiscoveryService, &name, arn, input)
            }
            Call::UpdateDiscoveryService => {
                typed::<discovery::operation::update_service::UpdateServiceInput>(&input);
                let service = &mut self.thing(Kind::DiscoveryService, &name).document;
                fill::update_discovery(service, &input["Service"]);
                None
            }
            Call::CreateLogGroup => {
                typed::<logs::operation::create_log_group::CreateLogGroupInput>(&input);
                let arn = arn("logs", &format!("log-group:{name}"));
                input.as_object_mut().unwrap().remove("logGroupName");
                self.make(Kind::LogGroup, &name, arn, input)
            }
            Call::PutRetentionPolicy | Call::AssociateKmsKey => {
                overwrite(&mut self.thing(Kind::LogGroup, &name).document, &input, &["logGroupName"]);
                None
            }
            call if call.words() == "tag" => {
                let arns = input.get("ResourceArns").map_or_else(
                    || vec![input.get("resourceArn").or(input.get("ResourceARN")).cloned().unwrap_or_default()],
                    |arns| arns.as_array().cloned().unwrap_or_default(),
                );
                let tags = declared_tags(&input);
                for thing in self.things.values_mut().filter(|thing| arns.contains(&json!(thing.arn))) {
                    thing.tags.extend(tags.clone());
                }
                None
            }
            other => panic!("{} was not expected", other.operation()),
        };
        made.map(Arn::from)
    }

    /// The rules and listeners that forward to a group, and the services that are registered with it.
    fn users(&self, group: &str) -> Vec<&(Kind, String)> {
        let quoted = format!("\"{group}\"");
        let names = |(key, thing): &(&(Kind, String), &Thing)| {
            matches!(key.0, Kind::ListenerRule | Kind::Listener | Kind::Service)
                && thing.document.to_string().contains(&quoted)
        };
        self.things.iter().filter(names).map(|(key, _)| key).collect()
    }

    fn attributes(&mut self, kind: Kind, name: &str, input: &Value) -> Option<String> {
        let none = || Thing { arn: String::new(), document: json!({}), tags: BTreeMap::new() };
        let document = &mut self.things.entry((kind, name.to_owned())).or_insert_with(none).document;
        for attribute in input["Attributes"].as_array().unwrap() {
            document[text(attribute, "Key")] = attribute["Value"].clone();
        }
        None
    }

    /// All at once.
    fn set_priorities(&mut self, input: &Value) -> Option<String> {
        typed::<elbv2::operation::set_rule_priorities::SetRulePrioritiesInput>(input);
        let mut moved = Vec::new();
        for pair in input["RulePriorities"].as_array().unwrap() {
            let name = self.name_of(Kind::ListenerRule, text(pair, "RuleArn"));
            let mut thing = self.things.remove(&(Kind::ListenerRule, name.clone())).unwrap();
            thing.document["Priority"] = pair["Priority"].to_string().into();
            let (listener, _) = name.rsplit_once('/').unwrap();
            moved.push((format!("{listener}/{}", pair["Priority"]), thing));
        }
        for (name, thing) in moved {
            let before = self.things.insert((Kind::ListenerRule, name.clone()), thing);
            assert!(before.is_none(), "PriorityInUse: {name}");
        }
        None
    }

    /// What a look shows.
    pub fn look(&mut self, id: &ResourceId) -> Observed {
        let name = &*id.name;
        let thing = self.things.get(&(id.kind, name.to_owned())).cloned();
        let present = |live: Live| Observed::Present(Arc::new(live));
        let plain = |thing: Option<Thing>| match thing {
            Some(Thing { arn, document, tags }) => {
                present(Live { arn: Some(Arn::from(arn)), document, tags, ..Live::default() })
            }
            None => Observed::Absent,
        };
        let used = thing.as_ref().is_some_and(|thing| {
            self.users(&thing.arn).iter().any(|(kind, _)| matches!(kind, Kind::ListenerRule | Kind::Listener))
        });
        let dice = &mut self.dice;
        // In another order with every look.
        let mut shown = |thing: Option<Thing>, show: fn(&Value, &mut Dice) -> Value| {
            plain(thing.map(|thing| Thing { document: show(&thing.document, dice), tags: BTreeMap::new(), ..thing }))
        };
        match id.kind {
            Kind::Secret => present(Live {
                arn: Some(Arn::from(arn("secretsmanager", &format!("secret:{name}-AbCdEf")))),
                ..Live::default()
            }),
            Kind::Parameter => present(Live {
                arn: Some(Arn::from(arn("ssm", &format!("parameter/{}", name.trim_start_matches('/'))))),
                ..Live::default()
            }),
            Kind::Cluster | Kind::LoadBalancer | Kind::Namespace | Kind::ListenerCertificates => plain(thing),
            Kind::LoadBalancerAttributes | Kind::ListenerAttributes | Kind::TargetGroupAttributes => plain(thing),
            Kind::LogGroup => plain(thing.map(|thing| Thing { tags: BTreeMap::new(), ..thing })),
            // Nothing rolls out here.
            Kind::ServiceDeployments | Kind::StoppedTasks | Kind::Targets => Observed::Absent,
            // All images are pushed.
            Kind::Image => present(Live { facts: Facts::Image(Pushed::default()), ..Live::default() }),
            // Nothing that is generated asks when a secret was changed.
            Kind::SecretVersions | Kind::ParameterVersion => Observed::Absent,
            // No task runs beside the services.
            Kind::FamilyTasks => Observed::Absent,
            Kind::Listener => shown(thing, of_type::<elbv2::types::Listener>),
            Kind::TargetGroup => {
                let balancers = if used { json!(["arn:of:a:balancer"]) } else { json!([]) };
                let named = thing.map(|mut thing| {
                    thing.document["TargetGroupName"] = thing.document["Name"].clone();
                    thing.document["LoadBalancerArns"] = balancers;
                    thing
                });
                shown(named, of_type::<elbv2::types::TargetGroup>)
            }
            Kind::DiscoveryService => shown(thing, of_type::<discovery::types::Service>),
            Kind::Alarm => shown(thing, of_type::<cloudwatch::types::MetricAlarm>),
            Kind::ScalableTarget => shown(thing, of_type::<autoscaling::types::ScalableTarget>),
            Kind::ListenerRules => {
                if !self.things.contains_key(&(Kind::Listener, name.to_owned())) {
                    return Observed::Absent;
                }
                self.members(Kind::ListenerRule, name, of_type::<elbv2::types::Rule>)
            }
            Kind::ScalingPolicies => {
                self.members(Kind::ScalingPolicy, name, of_type::<autoscaling::types::ScalingPolicy>)
            }
            Kind::ScheduledActions => {
                self.members(Kind::ScheduledAction, name, of_type::<autoscaling::types::ScheduledAction>)
            }
            Kind::Tags => {
                let tags = self.things.values().find(|thing| thing.arn == name).map(|thing| thing.tags.clone());
                present(Live { tags: tags.unwrap_or_default(), ..Live::default() })
            }
            Kind::TaskDefinitionFamily => {
                let all = self.all(Kind::TaskDefinitionRevision, &format!("{name}:")).into_iter().rev();
                let facts = Facts::Family(all.map(|(_, thing)| Arn::from(thing.arn)).collect());
                present(Live { facts, ..Live::default() })
            }
            Kind::TaskDefinitionRevision => {
                let name = self.name_of(Kind::TaskDefinitionRevision, name);
                let Thing { document, tags, .. } = self.thing(Kind::TaskDefinitionRevision, &name).clone();
                let document = of_type::<ecs::types::TaskDefinition>(&document, &mut self.dice);
                let mut live = live::task_definition(&typed(&document), &[]);
                live.tags = tags;
                present(live)
            }
            Kind::Service => match thing {
                None => Observed::Absent,
                Some(Thing { arn, document, tags }) => {
                    let document = fill::described_service(&document, name, &arn);
                    let document = of_type::<ecs::types::Service>(&document, &mut self.dice);
                    let mut live = live::service(&typed(&document));
                    live.tags = tags;
                    present(live)
                }
            },
            // These have no counterpart of their own, or are not named by what is generated.
            Kind::TaskDefinition | Kind::ListenerRule | Kind::ScalingPolicy | Kind::ScheduledAction => Observed::Absent,
            Kind::OneOffTasks | Kind::OneOffTask => Observed::Absent,
            Kind::ParameterValue | Kind::StackOutput | Kind::Listeners => Observed::Absent,
        }
    }

    fn members(&mut self, kind: Kind, of: &str, show: fn(&Value, &mut Dice) -> Value) -> Observed {
        let mut members = Vec::new();
        for (_, Thing { arn, document, .. }) in self.all(kind, &format!("{of}/")) {
            let mut document = document;
            for field in ["RuleArn", "PolicyARN", "ScheduledActionARN"] {
                document[field] = arn.as_str().into();
            }
            let document = show(&document, &mut self.dice);
            members.push(Arc::new(Live { arn: Some(Arn::from(arn)), document, ..Live::default() }));
        }
        Observed::Present(Arc::new(Live { facts: Facts::Members(members), ..Live::default() }))
    }
}

/// The service that an input of Application Auto Scaling names.
fn scaled(input: &Value) -> String {
    let id = text(input, "ResourceId");
    let of_cluster = id.strip_prefix(&format!("service/{CLUSTER}/"));
    of_cluster.unwrap_or_else(|| panic!("{id:?} is no service of the cluster")).to_owned()
}

/// The top fields of `over` upon `base`.
fn overwrite(base: &mut Value, over: &Value, but: &[&str]) {
    let given: Map<String, Value> = over.as_object().cloned().unwrap_or_default();
    let given = given.into_iter().filter(|(field, value)| !but.contains(&field.as_str()) && !value.is_null());
    base.as_object_mut().unwrap().extend(given);
}
