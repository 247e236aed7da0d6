//! The conditions and transforms of rules: what AWS refuses, and how it shows what it took.
//!
//! Sources: the API Reference (RuleCondition and the structures it holds, RuleTransform), "Condition types for listener
//! rules" and "Quotas for your Application Load Balancers"; for the order, answers that Terraform's AWS provider recorded.

use super::{Refusal, invalid, one_of, required};
use crate::sim::world::input::{list, text};
use serde_json::{Value, json};
use std::net::IpAddr;

/// Where each field holds its values.
const CONFIGS: &[(&str, &str)] = &[
    ("path-pattern", "PathPatternConfig"),
    ("host-header", "HostHeaderConfig"),
    ("http-header", "HttpHeaderConfig"),
    ("http-request-method", "HttpRequestMethodConfig"),
    ("query-string", "QueryStringConfig"),
    ("source-ip", "SourceIpConfig"),
];
/// Those whose values stand at the top as well.
const AT_THE_TOP: &[&str] = &["host-header", "path-pattern"];
/// Those that a rule can have any number of.
const REPEATED: &[&str] = &["http-header", "query-string"];
/// Those that take regular expressions.
const REGULAR: &[&str] = &["host-header", "path-pattern", "http-header"];
/// Values and wildcards per rule. ("Up to three comparison strings per condition" is documented as well, but what is
/// refused is the sixth of the rule.)
const VALUES: usize = 5;
const WILDCARDS: usize = 5;

/// Takes the conditions of a rule.
pub(super) fn take(asked: &[Value], kind: &str) -> Result<Vec<Value>, Refusal> {
    if asked.is_empty() {
        return Err(invalid("A condition must be specified"));
    }
    let conditions = asked.iter().map(condition).collect::<Result<Vec<_>, _>>()?;
    for (field, _) in CONFIGS.iter().filter(|(field, _)| !REPEATED.contains(field)) {
        if conditions.iter().filter(|condition| condition["Field"] == *field).count() > 1 {
            return Err(invalid(format!("A rule can only have one '{field}' condition")));
        }
    }
    let values: Vec<&Value> = conditions.iter().flat_map(values).collect();
    if values.len() > VALUES {
        return Err(invalid(format!("A rule can only have '{VALUES}' condition values")));
    }
    let wild = |text: &str| text.chars().filter(|letter| matches!(letter, '*' | '?')).count();
    let wildcards = |value: &&Value| {
        let members = [Some(*value), value.get("Key"), value.get("Value")];
        members.into_iter().flatten().filter_map(Value::as_str).map(wild).sum::<usize>()
    };
    if values.iter().map(wildcards).sum::<usize>() > WILDCARDS {
        return Err(invalid(format!("A rule can only have '{WILDCARDS}' condition wildcards")));
    }
    // RuleCondition: "For NLB, use SourceIpConfig with IpAddressType".
    let by_type = |condition: &Value| condition["SourceIpConfig"].get("IpAddressType").is_some();
    if kind == "network" && !conditions.iter().all(by_type) {
        return Err(invalid(
            "Rules of network load balancers support only 'source-ip' conditions with an IP address type",
        ));
    }
    if kind != "network" && conditions.iter().any(by_type) {
        return Err(invalid("An IP address type is supported only for network load balancers"));
    }
    Ok(conditions)
}

fn values(condition: &Value) -> impl Iterator<Item = &Value> {
    let field = text(condition, "Field").unwrap_or_default();
    let config = &condition[config_of(field)];
    list(config, "Values").iter().chain(list(config, "RegexValues"))
}

fn config_of(field: &str) -> &'static str {
    CONFIGS.iter().find(|(known, _)| *known == field).map_or("", |(_, config)| config)
}

/// One condition, as AWS shows it: the values of host-header and path-pattern both at the top and in their structure, an
/// empty list at the top of all others, and the order of all but host names not the one that was sent.
fn condition(asked: &Value) -> Result<Value, Refusal> {
    let field = required(asked, "Field")?;
    let Some((_, config)) = CONFIGS.iter().find(|(known, _)| *known == field) else {
        let known: Vec<_> = CONFIGS.iter().map(|(field, _)| *field).collect();
        return Err(invalid(format!("Condition field '{field}' must be one of '[{}]'", known.join(","))));
    };
    let (top, inner) = (list(asked, "Values"), list(&asked[*config], "Values"));
    if !top.is_empty() && !AT_THE_TOP.contains(&field) {
        return Err(invalid(format!("The 'Values' field is not compatible with '{field}'")));
    }
    if !top.is_empty() && asked.get(*config).is_some_and(Value::is_object) {
        let message = format!("You cannot provide both Values and '{config}' for a condition of type '{field}'");
        return Err(invalid(message));
    }
    // RuleCondition: "you can specify a single host name in Values".
    if top.len() > 1 {
        return Err(invalid(format!("The '{field}' field contains too many values; the limit is '1'")));
    }
    let regular: Vec<_> =
        [asked, &asked[*config]].into_iter().flat_map(|at| list(at, "RegexValues")).cloned().collect();
    let mut values = [top, inner].concat();
    check_values(field, config, asked, &values, &regular)?;
    if field != "host-header" {
        values.reverse();
    }
    let mut shown = json!({ "Field": field, "Values": [], *config: {} });
    if AT_THE_TOP.contains(&field) {
        shown["Values"] = json!(values);
    }
    if !values.is_empty() {
        shown[*config]["Values"] = json!(values);
    }
    if !regular.is_empty() {
        shown[*config]["RegexValues"] = json!(regular);
    }
    for name in ["HttpHeaderName", "IpAddressType"] {
        if let Some(value) = text(&asked[*config], name) {
            shown[*config][name] = json!(value);
        }
    }
    Ok(shown)
}

fn check_values(field: &str, config: &str, asked: &Value, values: &[Value], regular: &[Value]) -> Result<(), Refusal> {
    if !regular.is_empty() && !REGULAR.contains(&field) {
        return Err(invalid(format!("The 'RegexValues' field is not compatible with '{field}'")));
    }
    if !regular.is_empty() && !values.is_empty() {
        return Err(invalid("You cannot specify both Values and RegexValues in a condition"));
    }
    let by_type = one_of(&asked[config], "IpAddressType", &["ipv4", "ipv6"])?.is_some();
    if values.is_empty() && regular.is_empty() && !by_type {
        return Err(invalid("A condition value must be specified"));
    }
    if field == "http-header" {
        let name = required(&asked[config], "HttpHeaderName")?;
        if name.len() > 40 {
            return Err(invalid("The 'HttpHeaderName' value is too long; the limit is '40'"));
        }
        if name.eq_ignore_ascii_case("host") {
            return Err(invalid("You cannot use an 'http-header' condition for the host header; use 'host-header'"));
        }
    }
    regular.iter().try_for_each(|value| check_text(field, value.as_str().unwrap_or_default(), 128))?;
    values.iter().try_for_each(|value| check_value(field, value))
}

fn check_value(field: &str, value: &Value) -> Result<(), Refusal> {
    if field == "query-string" {
        let message = "A 'Value' must be specified in 'QueryStringKeyValuePair'";
        let inner = text(value, "Value").ok_or_else(|| invalid(message))?;
        check_text("Key", text(value, "Key").unwrap_or("-"), 128)?;
        return check_text("Value", inner, 128);
    }
    let value = value.as_str().unwrap_or_default();
    check_text(field, value, if field == "http-request-method" { 40 } else { 128 })?;
    let allowed = |letter: char| match field {
        "host-header" => letter.is_ascii_alphanumeric() || "-.*?".contains(letter),
        "path-pattern" => letter.is_ascii_alphanumeric() || "_-.$/~\"'@:+&*?".contains(letter),
        "http-request-method" => letter.is_ascii_uppercase() || "-_".contains(letter),
        _ => true,
    };
    if !value.chars().all(allowed) {
        return Err(invalid(format!("Condition value '{value}' contains a character that is not valid")));
    }
    if field == "source-ip" && !is_block(value) {
        return Err(invalid(format!("Condition value '{value}' is not a valid CIDR block")));
    }
    Ok(())
}

fn check_text(what: &str, value: &str, most: usize) -> Result<(), Refusal> {
    match value.len() {
        0 => Err(invalid("A condition value must be specified")),
        len if len > most => Err(invalid(format!("The '{what}' value is too long; the limit is '{most}'"))),
        _ => Ok(()),
    }
}

/// SourceIpConditionConfig: "in CIDR format".
fn is_block(text: &str) -> bool {
    let Some((address, bits)) = text.split_once('/') else { return false };
    let most = match address.parse::<IpAddr>() {
        Ok(IpAddr::V4(_)) => 32,
        Ok(IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    bits.parse::<u8>().is_ok_and(|bits| bits <= most)
}

/// Takes the transforms of a rule: "one host header rewrite transform and one URL rewrite transform" (CreateRule), with
/// one rewrite each (HostHeaderRewriteConfig, UrlRewriteConfig).
pub(super) fn transforms(asked: &[Value]) -> Result<Vec<Value>, Refusal> {
    let types = [("host-header-rewrite", "HostHeaderRewriteConfig"), ("url-rewrite", "UrlRewriteConfig")];
    let mut taken: Vec<Value> = Vec::new();
    for transform in asked {
        let kind = required(transform, "Type")?;
        let Some((_, config)) = types.iter().find(|(known, _)| *known == kind) else {
            let message = format!("Transform type '{kind}' must be one of 'host-header-rewrite,url-rewrite'");
            return Err(invalid(message));
        };
        if taken.iter().any(|other| other["Type"] == kind) {
            return Err(invalid(format!("A rule can have only one transform of type '{kind}'")));
        }
        let rewrites = list(&transform[*config], "Rewrites");
        let [rewrite] = rewrites else {
            return Err(invalid(format!("A transform of type '{kind}' must have exactly one rewrite")));
        };
        required(rewrite, "Regex")?;
        let rewrite = json!({ "Regex": rewrite["Regex"], "Replace": text(rewrite, "Replace").unwrap_or_default() });
        taken.push(json!({ "Type": kind, *config: { "Rewrites": [rewrite] } }));
    }
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_come_back_in_both_spellings_and_in_another_order() {
        for (asked, expected) in [
            (
                json!({ "Field": "host-header", "HostHeaderConfig": { "Values": ["b.example.com", "a.example.com"] } }),
                json!({ "Field": "host-header", "Values": ["b.example.com", "a.example.com"],
                    "HostHeaderConfig": { "Values": ["b.example.com", "a.example.com"] } }),
            ),
            (
                json!({ "Field": "path-pattern", "Values": ["/a"] }),
                json!({ "Field": "path-pattern", "Values": ["/a"], "PathPatternConfig": { "Values": ["/a"] } }),
            ),
            (
                json!({ "Field": "path-pattern", "RegexValues": ["^/v[0-9]+"] }),
                json!({ "Field": "path-pattern", "Values": [], "PathPatternConfig": { "RegexValues": ["^/v[0-9]+"] } }),
            ),
            (
                json!({ "Field": "http-header", "HttpHeaderConfig": { "HttpHeaderName": "X-A", "Values": ["1", "2"] } }),
                json!({ "Field": "http-header", "Values": [],
                    "HttpHeaderConfig": { "HttpHeaderName": "X-A", "Values": ["2", "1"] } }),
            ),
            (
                json!({ "Field": "query-string", "QueryStringConfig": { "Values": [{ "Key": "a", "Value": "1" }] } }),
                json!({ "Field": "query-string", "Values": [],
                    "QueryStringConfig": { "Values": [{ "Key": "a", "Value": "1" }] } }),
            ),
            (
                json!({ "Field": "source-ip", "SourceIpConfig": { "Values": ["10.0.0.0/8", "2001:db8::/32"] } }),
                json!({ "Field": "source-ip", "Values": [], "SourceIpConfig": { "Values": ["2001:db8::/32", "10.0.0.0/8"] } }),
            ),
        ] {
            assert_eq!(take(std::slice::from_ref(&asked), "application"), Ok(vec![expected]), "{asked}");
        }
    }

    #[test]
    fn what_aws_refuses() {
        let path = |values: &[&str]| json!({ "Field": "path-pattern", "PathPatternConfig": { "Values": values } });
        let method =
            |value: &str| json!({ "Field": "http-request-method", "HttpRequestMethodConfig": { "Values": [value] } });
        let source = |value: &str| json!({ "Field": "source-ip", "SourceIpConfig": { "Values": [value] } });
        let mut both = path(&["/a"]);
        both["Values"] = json!(["/a"]);
        let long = "/".repeat(129);
        for (asked, expected) in [
            (vec![], "A condition must be specified"),
            (vec![json!({ "Field": "host" })], "Condition field 'host' must be one of"),
            (vec![path(&["/1", "/2", "/3", "/4", "/5", "/6"])], "A rule can only have '5' condition values"),
            (vec![path(&["/*/*/*", "/*/*/*"])], "A rule can only have '5' condition wildcards"),
            (vec![path(&["/a"]), path(&["/b"])], "A rule can only have one 'path-pattern' condition"),
            (vec![path(&[])], "A condition value must be specified"),
            (vec![path(&[&long])], "The 'path-pattern' value is too long; the limit is '128'"),
            (vec![path(&["/a b"])], "Condition value '/a b' contains a character that is not valid"),
            (vec![both], "You cannot provide both Values and 'PathPatternConfig'"),
            (
                vec![json!({ "Field": "path-pattern", "Values": ["/a", "/b"] })],
                "contains too many values; the limit is '1'",
            ),
            (vec![json!({ "Field": "source-ip", "Values": ["/a"] })], "The 'Values' field is not compatible"),
            (vec![method("get")], "contains a character that is not valid"),
            (vec![source("10.0.0.1")], "is not a valid CIDR block"),
            (vec![source("10.0.0.0/33")], "is not a valid CIDR block"),
        ] {
            let refusal = take(&asked, "application").unwrap_err();
            assert!(refusal.code == "ValidationError" && refusal.message.contains(expected), "{asked:?}: {refusal}");
        }
    }
}
