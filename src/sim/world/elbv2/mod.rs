//! Elastic Load Balancing v2: load balancers, listeners, rules, target groups, targets.
//!
//! ```text
//! balancer --< listener --< rule (one of them the default) --action--> target group --< target
//! ```
//!
//! ARNs nest: those of a balancer's listeners and rules begin alike, so a range of the map is all that belongs to one.
//! Network and gateway load balancers are there as far as their forms differ; nothing is routed.

mod actions;
mod attribute_tables;
pub mod attributes;
pub mod balancers;
pub mod certificates;
mod conditions;
mod health_checks;
pub mod listeners;
mod registrations;
pub mod rules;
pub mod tags;
pub mod target_groups;
pub mod targets;
#[cfg(test)]
mod testing;

use super::input::{self, Pages};
use super::{Answer, Refusal, World};
use attributes::Attributes;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use targets::Target;

/// Load balancing in one region. All maps are by ARN.
#[derive(Debug, Clone, Default)]
pub struct Elbv2 {
    /// Load balancers.
    pub balancers: BTreeMap<String, Balancer>,
    /// Listeners.
    pub listeners: BTreeMap<String, Listener>,
    /// Rules, the default ones as well.
    pub rules: BTreeMap<String, Rule>,
    /// Target groups.
    pub groups: BTreeMap<String, Group>,
    /// Tags of all of these: `{Key, Value}`.
    pub tags: BTreeMap<String, Vec<Value>>,
    /// Which rules forward to a target group.
    uses: BTreeMap<String, BTreeSet<String>>,
}

/// A load balancer.
#[derive(Debug, Clone)]
pub struct Balancer {
    /// As DescribeLoadBalancers answers it, without `State`.
    pub document: Value,
    /// When it was made.
    pub created: Timestamp,
    /// Its attributes.
    pub attributes: Attributes,
}

impl Balancer {
    /// application, network, gateway.
    pub fn kind(&self) -> &str {
        self.document["Type"].as_str().unwrap_or_default()
    }
}

/// A listener. Its default actions are those of its default rule.
#[derive(Debug, Clone)]
pub struct Listener {
    /// As DescribeListeners answers it, without `DefaultActions`.
    pub document: Value,
    /// The certificates beside the default one, in the order in which they were added.
    pub certificates: Vec<String>,
    /// Its attributes.
    pub attributes: Attributes,
}

impl Listener {
    /// Its load balancer, by ARN.
    pub fn balancer(&self) -> &str {
        self.document["LoadBalancerArn"].as_str().unwrap_or_default()
    }

    /// HTTP, HTTPS, TCP, …; empty behind a gateway load balancer.
    pub fn protocol(&self) -> &str {
        self.document["Protocol"].as_str().unwrap_or_default()
    }
}

/// A rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its ARN.
    pub arn: String,
    /// Its listener, by ARN.
    pub listener: String,
    /// None of the default rule.
    pub priority: Option<i64>,
    /// As DescribeRules answers them.
    pub conditions: Vec<Value>,
    /// The same, with the secrets of identity providers.
    pub actions: Vec<Value>,
    /// As DescribeRules answers them.
    pub transforms: Vec<Value>,
}

/// A target group.
#[derive(Debug, Clone)]
pub struct Group {
    /// As DescribeTargetGroups answers it, without `LoadBalancerArns`.
    pub document: Value,
    /// Its attributes.
    pub attributes: Attributes,
    /// What is registered, and what still drains.
    pub targets: Vec<Target>,
}

/// Entries whose key begins with `prefix`.
fn under<T>(map: &BTreeMap<String, T>, prefix: String) -> impl Iterator<Item = (&String, &T)> {
    map.range(prefix.clone()..).take_while(move |(key, _)| key.starts_with(&prefix))
}

impl Elbv2 {
    /// The rules below a listener or a load balancer: the ARNs of what is below it go on after its own.
    pub fn rules_below(&self, arn: &str) -> impl Iterator<Item = &Rule> + use<'_> {
        let prefix = arn.replacen(":loadbalancer/", ":listener-rule/", 1).replacen(":listener/", ":listener-rule/", 1);
        under(&self.rules, format!("{prefix}/")).map(|(_, rule)| rule)
    }

    /// The listeners of a load balancer.
    pub fn listeners_of(&self, balancer: &str) -> impl Iterator<Item = (&String, &Listener)> + use<'_> {
        under(&self.listeners, format!("{}/", balancer.replacen(":loadbalancer/", ":listener/", 1)))
    }

    /// The default rule of a listener.
    pub fn default_rule(&self, listener: &str) -> Option<&Rule> {
        self.rules_below(listener).find(|rule| rule.priority.is_none())
    }

    /// Whether a rule forwards to a target group.
    pub fn in_use(&self, group: &str) -> bool {
        self.uses.contains_key(group)
    }

    /// The load balancers whose rules forward to a target group, by ARN.
    pub fn balancers_of(&self, group: &str) -> BTreeSet<&str> {
        let rules = self.uses.get(group).into_iter().flatten().filter_map(|rule| self.rules.get(rule));
        rules.filter_map(|rule| Some(self.listeners.get(&rule.listener)?.balancer())).collect()
    }

    fn balancer(&self, arn: &str) -> Result<&Balancer, Refusal> {
        let found = self.balancers.get(arn);
        found.ok_or_else(|| absent(arn, "load balancer", ":loadbalancer/", "LoadBalancerNotFound"))
    }

    fn listener(&self, arn: &str) -> Result<&Listener, Refusal> {
        self.listeners.get(arn).ok_or_else(|| absent(arn, "listener", ":listener/", "ListenerNotFound"))
    }

    fn rule(&self, arn: &str) -> Result<&Rule, Refusal> {
        self.rules.get(arn).ok_or_else(|| absent(arn, "rule", ":listener-rule/", "RuleNotFound"))
    }

    fn group(&self, arn: &str) -> Result<&Group, Refusal> {
        self.groups.get(arn).ok_or_else(|| absent(arn, "target group", ":targetgroup/", "TargetGroupNotFound"))
    }
}

/// What is no ARN of its kind is a ValidationError, what is one and unknown is not found.
fn absent(arn: &str, what: &str, part: &str, code: &str) -> Refusal {
    if arn.starts_with("arn:") && arn.contains(part) {
        return Refusal::new(code, format!("One or more {what}s not found"));
    }
    invalid(format!("'{arn}' is not a valid {what} ARN"))
}

/// ELBv2's answer to a bad parameter.
fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new("ValidationError", message)
}

/// ELBv2's answer to parameters that do not go together.
fn conflicting(message: impl Into<String>) -> Refusal {
    Refusal::new("InvalidConfigurationRequest", message)
}

fn required<'v>(asked: &'v Value, name: &str) -> Result<&'v str, Refusal> {
    input::required(asked, name, "ValidationError")
}

/// A whole number in its range, or none when it is not given.
fn ranged(asked: &Value, name: &str, range: std::ops::RangeInclusive<i64>) -> Result<Option<i64>, Refusal> {
    let given = asked.get(name).is_some_and(|value| !value.is_null() && value != "");
    match input::number(asked, name) {
        None if given => Err(invalid(format!("'{name}' must be a number"))),
        Some(value) if !range.contains(&value) => {
            Err(invalid(format!("'{name}' value '{value}' must be between {} and {}", range.start(), range.end())))
        }
        value => Ok(value),
    }
}

/// One of the values of an enumeration, or none when it is not given.
fn one_of<'v>(asked: &'v Value, name: &str, known: &[&str]) -> Result<Option<&'v str>, Refusal> {
    match input::text(asked, name) {
        Some(value) if !known.contains(&value) => Err(invalid(format!(
            "1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint: Member must satisfy enum \
             value set: [{}]",
            known.join(", ")
        ))),
        value => Ok(value),
    }
}

/// One page: 400 at most, and as many when none is asked for (PageSize).
fn page(into: &str, items: Vec<Value>, asked: &Value) -> Answer {
    let (token, next, size) = ("Marker", "NextMarker", "PageSize");
    Pages { into, token, next, size, usual: 400, most: 400, code: "ValidationError" }.page(items, asked)
}

/// A name of a load balancer or target group (CreateLoadBalancer, CreateTargetGroup: Name).
fn check_name(what: &str, name: &str) -> Result<(), Refusal> {
    if name.len() > 32 {
        return Err(invalid(format!("{what} name '{name}' cannot be longer than '32' characters")));
    }
    if !name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-') {
        let only = "can only contain characters that are alphanumeric characters or hyphens(-)";
        return Err(invalid(format!("{what} name '{name}' {only}")));
    }
    if name.starts_with('-') || name.ends_with('-') {
        return Err(invalid(format!("{what} name '{name}' cannot begin or end with '-'")));
    }
    Ok(())
}

/// Answers an operation of ELBv2.
pub fn answer(world: &mut World, operation: &str, asked: &Value) -> Option<Answer> {
    let parts = [
        balancers::answer,
        listeners::answer,
        certificates::answer,
        rules::answer,
        target_groups::answer,
        attributes::answer,
        registrations::answer,
        tags::answer,
    ];
    parts.into_iter().find_map(|part| part(world, operation, asked))
}
