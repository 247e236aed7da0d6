//! Rules: CreateRule, DescribeRules, ModifyRule, SetRulePriorities, DeleteRule.
//!
//! Sources: the API Reference (operations of these names) and "Listener rules for your Application Load Balancer".

use super::{Elbv2, Listener, Refusal, Rule, actions, conditions, invalid, page, ranged, required, tags, targets};
use crate::sim::world::input::{flag, list, number, text, texts};
use crate::sim::world::{Answer, World};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// RulePriority.
const PRIORITIES: std::ops::RangeInclusive<i64> = 1..=50_000;
/// "Quotas for your Application Load Balancers": rules per load balancer, "not counting default rules".
const RULES_OF_BALANCER: usize = 100;

/// Answers an operation on rules.
pub fn answer(world: &mut World, operation: &str, asked: &Value) -> Option<Answer> {
    Some(match operation {
        "CreateRule" => create(world, asked),
        "DescribeRules" => describe(world, asked),
        "ModifyRule" => modify(world, asked),
        "SetRulePriorities" => set_priorities(world, asked),
        "DeleteRule" => delete(world, asked),
        _ => return None,
    })
}

/// The weights of the target groups that a rule forwards to; of a listener's default rule when the ARN is a listener's.
/// Empty when it does not forward, or is not there.
pub fn weights(world: &World, rule: &str) -> Vec<(String, i64)> {
    found(&world.elbv2, rule).map(|rule| actions::weights(&rule.actions)).unwrap_or_default()
}

/// Sets weights of a rule's forward action, as ECS does when it shifts traffic: groups that are not named keep theirs.
pub(super) fn set_weights(world: &mut World, rule: &str, weights: &[(String, i64)]) {
    let Some(mut rule) = found(&world.elbv2, rule).cloned() else { return };
    actions::set_weights(&mut rule.actions, weights);
    put(world, rule);
}

fn found<'e>(elb: &'e Elbv2, arn: &str) -> Option<&'e Rule> {
    elb.rules.get(arn).or_else(|| elb.default_rule(arn))
}

/// Makes a rule the one of its ARN, and lets the targets of its groups follow.
pub(super) fn put(world: &mut World, rule: Rule) {
    let (arn, new) = (rule.arn.clone(), actions::groups(&rule.actions));
    let old = world.elbv2.rules.insert(arn.clone(), rule).map(|old| actions::groups(&old.actions));
    follow(world, &arn, &old.unwrap_or_default(), &new);
}

/// Takes a rule away.
pub(super) fn remove(world: &mut World, arn: &str) {
    world.elbv2.tags.remove(arn);
    if let Some(old) = world.elbv2.rules.remove(arn) {
        follow(world, arn, &actions::groups(&old.actions), &BTreeSet::new());
    }
}

fn follow(world: &mut World, rule: &str, old: &BTreeSet<String>, new: &BTreeSet<String>) {
    for group in old.difference(new) {
        if let Some(rules) = world.elbv2.uses.get_mut(group) {
            rules.remove(rule);
            if rules.is_empty() {
                world.elbv2.uses.remove(group);
            }
        }
        targets::follow(world, group);
    }
    for group in new.difference(old) {
        world.elbv2.uses.entry(group.clone()).or_default().insert(rule.to_owned());
        targets::follow(world, group);
    }
}

/// A rule as DescribeRules answers it.
fn shown(rule: &Rule) -> Value {
    json!({
        "RuleArn": rule.arn,
        "Priority": rule.priority.map_or_else(|| "default".to_owned(), |priority| priority.to_string()),
        "Conditions": rule.conditions,
        "Actions": actions::shown(&rule.actions),
        "IsDefault": rule.priority.is_none(),
        "Transforms": rule.transforms,
    })
}

/// Where the actions of a listener and its rules are performed.
pub(super) fn place<'e>(elb: &'e Elbv2, listener: &'e Listener) -> actions::Place<'e> {
    let kind = elb.balancers.get(listener.balancer()).map_or("application", |balancer| balancer.kind());
    let port = number(&listener.document, "Port");
    actions::Place { balancer: listener.balancer(), kind, protocol: listener.protocol(), port }
}

fn create(world: &mut World, asked: &Value) -> Answer {
    let elb = &world.elbv2;
    let arn = required(asked, "ListenerArn")?;
    let listener = elb.listener(arn)?;
    let place = place(elb, listener);
    let priority = ranged(asked, "Priority", PRIORITIES)?.ok_or_else(|| invalid("A priority must be specified"))?;
    if place.kind == "gateway" {
        return Err(Refusal::new("UnsupportedProtocol", "Rules are not supported for gateway load balancers"));
    }
    let conditions = conditions::take(list(asked, "Conditions"), place.kind)?;
    let transforms = conditions::transforms(list(asked, "Transforms"))?;
    let actions = actions::take(elb, &place, list(asked, "Actions"), &[])?;
    free(elb, arn, priority, &BTreeMap::new())?;
    if elb.rules_below(place.balancer).filter(|rule| rule.priority.is_some()).count() >= RULES_OF_BALANCER {
        let message = "You've reached the limit on the number of rules per load balancer.";
        return Err(Refusal::new("TooManyRules", message));
    }
    let tags = tags::taken(list(asked, "Tags"))?;
    let id = world.hex(16);
    let rule_arn = format!("{}/{id}", arn.replacen(":listener/", ":listener-rule/", 1));
    let (listener, priority) = (arn.to_owned(), Some(priority));
    let rule = Rule { arn: rule_arn.clone(), listener, priority, conditions, actions, transforms };
    let answer = json!({ "Rules": [shown(&rule)] });
    world.elbv2.tags.insert(rule_arn, tags);
    put(world, rule);
    Ok(answer)
}

/// A priority that another rule of the listener has is in use, unless that one moves as well.
fn free(elb: &Elbv2, listener: &str, priority: i64, moving: &BTreeMap<&str, i64>) -> Result<(), Refusal> {
    let taken = |rule: &Rule| rule.priority == Some(priority) && !moving.contains_key(&*rule.arn);
    if elb.rules_below(listener).any(taken) {
        return Err(Refusal::new("PriorityInUse", format!("Priority '{priority}' is currently in use")));
    }
    Ok(())
}

/// "You must specify either a listener or rules." In the order of priority, the default rule last.
fn describe(world: &mut World, asked: &Value) -> Answer {
    let elb = &world.elbv2;
    let arns: Vec<_> = texts(asked, "RuleArns").collect();
    let mut rules: Vec<&Rule> = match (text(asked, "ListenerArn"), arns.is_empty()) {
        (Some(_), false) => {
            let message = "Listener rule ARNs and a listener ARN cannot be specified at the same time";
            return Err(invalid(message));
        }
        (None, true) => return Err(invalid("You must specify either listener rule ARNs or a listener ARN")),
        (Some(listener), true) => {
            elb.listener(listener)?;
            elb.rules_below(listener).collect()
        }
        (None, false) => arns.into_iter().map(|arn| elb.rule(arn)).collect::<Result<_, _>>()?,
    };
    rules.sort_by_key(|rule| (rule.priority.is_none(), rule.priority));
    page("Rules", rules.into_iter().map(shown).collect(), asked)
}

/// "Any properties that you do not specify are unchanged"; a list that is given replaces the old one.
fn modify(world: &mut World, asked: &Value) -> Answer {
    let elb = &world.elbv2;
    let mut rule = elb.rule(required(asked, "RuleArn")?)?.clone();
    if rule.priority.is_none() {
        let message = format!("Default rule '{}' cannot be modified", rule.arn);
        return Err(Refusal::new("OperationNotPermitted", message));
    }
    let (conditions, actions) = (list(asked, "Conditions"), list(asked, "Actions"));
    let (transforms, reset) = (list(asked, "Transforms"), flag(asked, "ResetTransforms").unwrap_or(false));
    if conditions.is_empty() && actions.is_empty() && transforms.is_empty() && !reset {
        return Err(invalid("Either conditions, actions or transforms must be specified"));
    }
    if !transforms.is_empty() && reset {
        return Err(invalid("You cannot specify both Transforms and ResetTransforms"));
    }
    let place = place(elb, elb.listener(&rule.listener)?);
    if !conditions.is_empty() {
        rule.conditions = conditions::take(conditions, place.kind)?;
    }
    if !transforms.is_empty() || reset {
        rule.transforms = conditions::transforms(transforms)?;
    }
    if !actions.is_empty() {
        rule.actions = actions::take(elb, &place, actions, &rule.actions)?;
    }
    let answer = json!({ "Rules": [shown(&rule)] });
    put(world, rule);
    Ok(answer)
}

/// "You can reorder the rules as long as there are no priority conflicts in the new order": all pairs take effect at
/// once, or none.
fn set_priorities(world: &mut World, asked: &Value) -> Answer {
    let elb = &world.elbv2;
    let pairs = list(asked, "RulePriorities");
    if pairs.is_empty() {
        return Err(invalid("At least one rule priority must be specified"));
    }
    let mut moving = BTreeMap::new();
    for pair in pairs {
        let arn = required(pair, "RuleArn")?;
        let priority = ranged(pair, "Priority", PRIORITIES)?.ok_or_else(|| invalid("A priority must be specified"))?;
        if moving.insert(arn, priority).is_some() {
            return Err(invalid(format!("Rule '{arn}' was provided multiple times")));
        }
    }
    let mut places = BTreeSet::new();
    for (arn, priority) in &moving {
        let rule = elb.rule(arn)?;
        if rule.priority.is_none() {
            let message = format!("Default rule '{arn}' priority cannot be changed");
            return Err(Refusal::new("OperationNotPermitted", message));
        }
        if !places.insert((&rule.listener, *priority)) {
            return Err(invalid(format!("Priority '{priority}' was provided multiple times")));
        }
        free(elb, &rule.listener, *priority, &moving)?;
    }
    let mut answers = Vec::new();
    for (arn, priority) in moving {
        if let Some(rule) = world.elbv2.rules.get_mut(arn) {
            rule.priority = Some(priority);
            answers.push(shown(rule));
        }
    }
    Ok(json!({ "Rules": answers }))
}

/// "You can't delete the default rule."
fn delete(world: &mut World, asked: &Value) -> Answer {
    let arn = required(asked, "RuleArn")?;
    if world.elbv2.rule(arn)?.priority.is_none() {
        let message = format!("Default rule '{arn}' cannot be deleted");
        return Err(Refusal::new("OperationNotPermitted", message));
    }
    remove(world, arn);
    Ok(json!({}))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Lab, forward, not_found, rule};
    use super::*;

    fn shown(lab: &mut Lab, rule: &str) -> Value {
        lab.ok("DescribeRules", json!({ "RuleArns": [rule] }))["Rules"][0].clone()
    }

    #[test]
    fn priorities_are_unique_and_change_places_at_once() {
        let mut lab = Lab::new();
        let balancer = lab.balancer("application");
        let listener = lab.listener(&balancer, 80);
        let [one, two, three] = [1, 2, 3].map(|priority| lab.rule(&listener, priority));
        let default = lab.world.elbv2.default_rule(&listener).map(|rule| rule.arn.clone()).unwrap();
        let set = |pairs: &[(&String, &str)]| {
            let pairs: Vec<_> = pairs.iter().map(|(arn, to)| json!({ "RuleArn": arn, "Priority": to })).collect();
            json!({ "RulePriorities": pairs })
        };
        let unknown = format!("{one}0");
        for (operation, asked, expected) in [
            ("CreateRule", rule(&listener, "2", json!({})), "PriorityInUse"),
            ("CreateRule", rule(&listener, "0", json!({})), "ValidationError"),
            ("CreateRule", rule(&listener, "50001", json!({})), "ValidationError"),
            ("CreateRule", rule(&format!("{listener}0"), "4", json!({})), "ListenerNotFound"),
            ("CreateRule", rule("listener", "4", json!({})), "ValidationError"),
            ("SetRulePriorities", set(&[(&one, "5"), (&two, "3")]), "PriorityInUse"),
            ("SetRulePriorities", set(&[(&one, "5"), (&two, "5")]), "ValidationError"),
            ("SetRulePriorities", set(&[(&default, "5")]), "OperationNotPermitted"),
            ("SetRulePriorities", set(&[(&one, "3"), (&three, "1")]), "ok"),
            ("DeleteRule", json!({ "RuleArn": default }), "OperationNotPermitted"),
            ("ModifyRule", json!({ "RuleArn": default, "Actions": [not_found()] }), "OperationNotPermitted"),
            ("ModifyRule", json!({ "RuleArn": one }), "ValidationError"),
            ("DescribeRules", json!({}), "ValidationError"),
            ("DescribeRules", json!({ "RuleArns": [unknown] }), "RuleNotFound"),
            ("DescribeRules", json!({ "ListenerArn": listener, "PageSize": "401" }), "ValidationError"),
        ] {
            assert_eq!(lab.code(operation, asked.clone()), expected, "{operation} {asked}");
        }
        let answer = lab.ok("DescribeRules", json!({ "ListenerArn": listener, "PageSize": "3" }));
        let order: Vec<_> = list(&answer, "Rules").iter().map(|rule| &rule["RuleArn"]).collect();
        assert_eq!(order, [&three, &two, &one]);
        let rest = json!({ "ListenerArn": listener, "PageSize": "3", "Marker": answer["NextMarker"] });
        assert_eq!(lab.ok("DescribeRules", rest)["Rules"][0]["Priority"], "default");
        lab.ok("DeleteRule", json!({ "RuleArn": one }));
        assert_eq!(lab.code("DeleteRule", json!({ "RuleArn": one })), "RuleNotFound");
    }

    #[test]
    fn a_load_balancer_has_a_hundred_rules() {
        let mut lab = Lab::new();
        let balancer = lab.balancer("application");
        let listeners = [lab.listener(&balancer, 80), lab.listener(&balancer, 81)];
        for priority in 1..=50 {
            listeners.iter().for_each(|listener| drop(lab.rule(listener, priority)));
        }
        assert_eq!(lab.code("CreateRule", rule(&listeners[0], "51", json!({}))), "TooManyRules");
    }

    #[test]
    fn what_is_left_out_stays() {
        let mut lab = Lab::new();
        let balancer = lab.balancer("application");
        let listener = lab.listener(&balancer, 80);
        let rewrite = json!([{ "Type": "url-rewrite",
            "UrlRewriteConfig": { "Rewrites": [{ "Regex": "^/a", "Replace": "/b" }] } }]);
        let made = lab.ok("CreateRule", rule(&listener, "1", json!({ "Transforms": rewrite })))["Rules"][0].clone();
        let arn = made["RuleArn"].as_str().unwrap();
        let mut expected = made.clone();
        let paths = json!({ "Field": "path-pattern", "Values": ["/a"], "PathPatternConfig": { "Values": ["/a"] } });
        for (changes, name, value) in [
            (json!({ "Conditions": [{ "Field": "path-pattern", "Values": ["/a"] }] }), "Conditions", json!([paths])),
            (json!({ "ResetTransforms": "true" }), "Transforms", json!([])),
        ] {
            let mut asked = changes;
            asked["RuleArn"] = json!(arn);
            lab.ok("ModifyRule", asked);
            expected[name] = value;
            assert_eq!(shown(&mut lab, arn), expected);
        }
    }

    #[test]
    fn weights_are_shifted_of_rules_and_listeners() {
        let mut lab = Lab::new();
        let balancer = lab.balancer("application");
        let (listener, blue, green) = (lab.listener(&balancer, 80), lab.group("HTTP"), lab.group("HTTP"));
        let rule = lab.rule(&listener, 1);
        lab.ok("ModifyRule", json!({ "RuleArn": rule, "Actions": [forward(&blue)] }));
        lab.ok("ModifyListener", json!({ "ListenerArn": listener, "DefaultActions": [forward(&blue)] }));
        let default = lab.world.elbv2.default_rule(&listener).map(|rule| rule.arn.clone()).unwrap();
        let now = [(blue.clone(), 0), (green.clone(), 100)];
        for (asked, seen) in [(&rule, &rule), (&listener, &default), (&default, &listener)] {
            targets::shift(&mut lab.world, asked, &now);
            let mut weights = weights(&lab.world, seen);
            weights.sort();
            let mut expected = now.to_vec();
            expected.sort();
            assert_eq!(weights, expected);
        }
        let action = shown(&mut lab, &rule)["Actions"][0].clone();
        assert_eq!(action.get("TargetGroupArn"), None, "of several groups none stands alone");
        let users = lab.ok("DescribeTargetGroups", json!({ "TargetGroupArns": [green] }));
        assert_eq!(users["TargetGroups"][0]["LoadBalancerArns"], json!([balancer]));
        assert_eq!(weights(&lab.world, "none"), []);
    }
}
