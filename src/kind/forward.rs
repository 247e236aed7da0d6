//! Actions and conditions of listeners and rules: each can be spelt in several ways that mean the same.
//!
//! Sources: ELBv2 API reference (Action, ForwardActionConfig, RedirectActionConfig, RuleCondition and the types named),
//! the ALB guide ("Listener rules", "Rule condition types"), and recorded answers of DescribeRules and DescribeListeners.

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Actions in their one form.
pub fn actions(document: &mut Value, field: &str) {
    let Some(actions) = document.get_mut(field).and_then(Value::as_array_mut) else { return };
    let order = |action: &Value| action.get("Order").and_then(Value::as_i64).unwrap_or_default();
    // "The order for the action. This value is required for rules with multiple actions" (Action).
    actions.sort_by_key(order);
    for action in actions {
        if let Value::Object(action) = action {
            action.remove("Order");
            self::action(action);
        }
    }
}

fn action(action: &mut Map<String, Value>) {
    forward(action);
    if let Some(Value::Object(redirect)) = action.get_mut("RedirectConfig") {
        for (field, value) in [
            ("Protocol", "#{protocol}"),
            ("Host", "#{host}"),
            ("Port", "#{port}"),
            ("Path", "/#{path}"),
            ("Query", "#{query}"),
        ] {
            redirect.entry(field).or_insert(json!(value));
        }
    }
    for field in ["AuthenticateOidcConfig", "AuthenticateCognitoConfig"] {
        if let Some(Value::Object(config)) = action.get_mut(field) {
            config.entry("Scope").or_insert(json!("openid"));
            config.entry("SessionCookieName").or_insert(json!("AWSELBAuthSessionCookie"));
            config.entry("SessionTimeout").or_insert(json!(604_800));
            config.entry("OnUnauthenticatedRequest").or_insert(json!("authenticate"));
            // The secret never comes back.
            config.remove("ClientSecret");
            config.remove("UseExistingClientSecret");
        }
    }
}

/// `TargetGroupArn` is a `ForwardConfig` with that one group; of one group the weight means nothing.
fn forward(action: &mut Map<String, Value>) {
    if action.get("Type").and_then(Value::as_str) != Some("forward") {
        return;
    }
    let single = action.remove("TargetGroupArn");
    let config = action.entry("ForwardConfig").or_insert_with(|| json!({}));
    let Value::Object(config) = config else { return };
    if config.get("TargetGroups").and_then(Value::as_array).is_none_or(Vec::is_empty) {
        let arn = single.unwrap_or_default();
        config.insert("TargetGroups".into(), json!([{ "TargetGroupArn": arn }]));
    }
    if let Some(groups) = config.get_mut("TargetGroups").and_then(Value::as_array_mut) {
        let one = groups.len() == 1;
        for group in groups.iter_mut().filter_map(Value::as_object_mut) {
            if one {
                group.remove("Weight");
            } else {
                group.entry("Weight").or_insert(json!(1));
            }
        }
        groups.sort_by_cached_key(|group| group.get("TargetGroupArn").map(Value::to_string));
    }
    let sticky = config.entry("TargetGroupStickinessConfig").or_insert_with(|| json!({}));
    if let Value::Object(sticky) = sticky {
        // An older answer holds a duration beside `false`.
        if sticky.get("Enabled").and_then(Value::as_bool) != Some(true) {
            sticky.remove("DurationSeconds");
            sticky.insert("Enabled".into(), json!(false));
        }
    }
}

/// An action for OIDC without a secret keeps the one that it has: "you can omit the client secret if you set
/// UseExistingClientSecret to true" (AuthenticateOidcActionConfig; for changes only).
pub fn keep_client_secrets(document: &mut Value, field: &str) {
    let actions = document.get_mut(field).and_then(Value::as_array_mut).into_iter().flatten();
    for config in actions.filter_map(|action| action.get_mut("AuthenticateOidcConfig")?.as_object_mut()) {
        if !config.contains_key("ClientSecret") {
            config.insert("UseExistingClientSecret".into(), json!(true));
        }
    }
}

/// The ARNs that actions forward to.
pub fn groups(document: &Value, field: &str) -> Vec<String> {
    let actions = document.get(field).and_then(Value::as_array).into_iter().flatten();
    let mut groups: Vec<String> = Vec::new();
    for action in actions {
        let single = action.get("TargetGroupArn");
        let several = action.pointer("/ForwardConfig/TargetGroups").and_then(Value::as_array).into_iter().flatten();
        let all = single.into_iter().chain(several.filter_map(|group| group.get("TargetGroupArn")));
        groups.extend(all.filter_map(Value::as_str).map(str::to_owned));
    }
    groups.sort();
    groups.dedup();
    groups
}

/// The weight of each group that actions forward to: of one group it means nothing, it gets all.
pub fn weights(document: &Value, field: &str) -> BTreeMap<String, i64> {
    let mut weights = BTreeMap::new();
    for action in document.get(field).and_then(Value::as_array).into_iter().flatten() {
        let arn = |group: &Value| group.get("TargetGroupArn").and_then(Value::as_str).map(str::to_owned);
        match action.pointer("/ForwardConfig/TargetGroups").and_then(Value::as_array).map(Vec::as_slice) {
            None | Some([]) => weights.extend(arn(action).map(|arn| (arn, 1))),
            Some([only]) => weights.extend(arn(only).map(|arn| (arn, 1))),
            Some(several) => {
                let weight = |group: &Value| group.get("Weight").and_then(Value::as_i64).unwrap_or(1);
                weights.extend(several.iter().filter_map(|group| Some((arn(group)?, weight(group)))));
            }
        }
    }
    weights
}

/// Actions, in their one form, without the groups that they forward to.
pub fn without_groups(document: &mut Value, field: &str) {
    let actions = document.get_mut(field).and_then(Value::as_array_mut).into_iter().flatten();
    for config in actions.filter_map(|action| action.get_mut("ForwardConfig").and_then(Value::as_object_mut)) {
        config.remove("TargetGroups");
    }
}

/// The groups that `live` forwards to in the place of those that are written.
pub fn keep_groups(written: &mut Value, live: &Value, field: &str) {
    let groups: Vec<Value> = weights(live, field)
        .into_iter()
        .map(|(arn, weight)| json!({ "TargetGroupArn": arn, "Weight": weight }))
        .collect();
    let actions = written.get_mut(field).and_then(Value::as_array_mut).into_iter().flatten();
    let is_forward = |action: &&mut Map<String, Value>| action.get("Type") == Some(&json!("forward"));
    for action in actions.filter_map(Value::as_object_mut).filter(is_forward).filter(|_| !groups.is_empty()) {
        action.remove("TargetGroupArn");
        if let Value::Object(config) = action.entry("ForwardConfig").or_insert_with(|| json!({})) {
            config.insert("TargetGroups".into(), groups.clone().into());
        }
    }
}

/// Conditions in their one form: values under the name of their kind, small letters where case is ignored, each a set.
pub fn conditions(document: &mut Value) {
    let Some(conditions) = document.get_mut("Conditions").and_then(Value::as_array_mut) else { return };
    for condition in conditions.iter_mut().filter_map(Value::as_object_mut) {
        one_condition(condition);
    }
    conditions.sort_by_cached_key(crate::core::normal::canonical);
}

/// The kinds of conditions: the field, and the name of its block.
const KINDS: &[(&str, &str)] = &[
    ("host-header", "HostHeaderConfig"),
    ("path-pattern", "PathPatternConfig"),
    ("http-header", "HttpHeaderConfig"),
    ("query-string", "QueryStringConfig"),
    ("http-request-method", "HttpRequestMethodConfig"),
    ("source-ip", "SourceIpConfig"),
];

fn one_condition(condition: &mut Map<String, Value>) {
    // The block says the kind as well as the field does.
    let by_field = condition.get("Field").and_then(Value::as_str).map(str::to_owned);
    let by_block = KINDS.iter().find(|(_, block)| condition.contains_key(*block));
    let Some((field, block)) = KINDS.iter().find(|(field, _)| by_field.as_deref() == Some(*field)).or(by_block) else {
        return;
    };
    condition.insert("Field".into(), json!(field));
    for values in ["Values", "RegexValues"] {
        let given = condition.remove(values).filter(|given| given.as_array().is_some_and(|all| !all.is_empty()));
        if let (Some(given), Value::Object(block)) = (given, condition.entry(*block).or_insert_with(|| json!({}))) {
            block.entry(values).or_insert(given);
        }
    }
    let Some(Value::Object(block)) = condition.get_mut(*block) else { return };
    let small = |value: &mut Value| {
        if let Value::String(text) = value {
            *text = text.to_lowercase();
        }
    };
    // "The comparison is not case sensitive" for host names, header names and values, and query strings.
    let ignores_case = matches!(*field, "host-header" | "http-header" | "query-string");
    if let Some(name) = block.get_mut("HttpHeaderName") {
        small(name);
    }
    let Some(values) = block.get_mut("Values").and_then(Value::as_array_mut) else { return };
    if ignores_case {
        for value in values.iter_mut() {
            match value {
                Value::Object(pair) => pair.values_mut().for_each(small),
                text => small(text),
            }
        }
    }
    values.sort_by_cached_key(crate::core::normal::canonical);
    values.dedup();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(field: &str, left: Value, right: Value) -> bool {
        let one = |value: Value| {
            let mut document = json!({ field: [value] });
            actions(&mut document, "Actions");
            conditions(&mut document);
            document
        };
        one(left) == one(right)
    }

    #[test]
    fn a_target_group_is_a_list_of_one() {
        let single = json!({ "Type": "forward", "TargetGroupArn": "a" });
        for (other, equal) in [
            (
                json!({ "Type": "forward", "ForwardConfig": { "TargetGroups": [{ "TargetGroupArn": "a", "Weight": 7 }] } }),
                true,
            ),
            (
                json!({ "Type": "forward", "Order": 1, "TargetGroupArn": "a", "ForwardConfig": {
                    "TargetGroups": [{ "TargetGroupArn": "a", "Weight": 1 }],
                    "TargetGroupStickinessConfig": { "Enabled": false, "DurationSeconds": 3600 } } }),
                true,
            ),
            (
                json!({ "Type": "forward", "ForwardConfig": { "TargetGroups": [{ "TargetGroupArn": "a" }],
                    "TargetGroupStickinessConfig": { "Enabled": true, "DurationSeconds": 3600 } } }),
                false,
            ),
            (json!({ "Type": "forward", "TargetGroupArn": "b" }), false),
        ] {
            assert_eq!(same("Actions", single.clone(), other.clone()), equal, "{other}");
        }
        let pair = |a: u32, b: u32| {
            json!({ "Type": "forward", "ForwardConfig": { "TargetGroups": [
                { "TargetGroupArn": "b", "Weight": b }, { "TargetGroupArn": "a", "Weight": a }] } })
        };
        assert!(same(
            "Actions",
            pair(1, 1),
            json!({ "Type": "forward", "ForwardConfig": { "TargetGroups": [
            { "TargetGroupArn": "a" }, { "TargetGroupArn": "b" }] } })
        ));
        assert!(!same("Actions", pair(1, 1), pair(1, 0)));
    }

    #[test]
    fn both_spellings_of_a_condition_are_one() {
        let cases = [
            (
                json!({ "Field": "host-header", "Values": ["B.example.com", "a.example.com"] }),
                json!({ "HostHeaderConfig": { "Values": ["a.example.com", "b.example.com"] } }),
                true,
            ),
            (
                json!({ "Field": "path-pattern", "Values": ["/A"] }),
                json!({ "Field": "path-pattern", "PathPatternConfig": { "Values": ["/a"] }, "Values": [] }),
                false,
            ),
            (
                json!({ "Field": "query-string", "QueryStringConfig": { "Values": [{ "Key": "V", "Value": "1" }, { "Value": "x" }] } }),
                json!({ "Field": "query-string", "QueryStringConfig": { "Values": [{ "Value": "X" }, { "Key": "v", "Value": "1" }] } }),
                true,
            ),
            (
                json!({ "Field": "http-request-method", "HttpRequestMethodConfig": { "Values": ["GET"] } }),
                json!({ "Field": "http-request-method", "HttpRequestMethodConfig": { "Values": ["get"] } }),
                false,
            ),
        ];
        for (left, right, equal) in cases {
            assert_eq!(same("Conditions", left.clone(), right.clone()), equal, "{left} {right}");
        }
    }
}
