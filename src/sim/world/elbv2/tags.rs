//! Tags: AddTags, RemoveTags, DescribeTags (API Reference).

use super::{Elbv2, Refusal, invalid, required};
use crate::sim::world::input::{list, set_tags, texts, unset_tags};
use crate::sim::world::{Answer, World};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// "Restrictions on tags": per resource.
const TAGS: usize = 50;
/// "You can specify up to 20 resources in a single call" (DescribeTags).
const DESCRIBED: usize = 20;

/// Answers an operation on tags.
pub fn answer(world: &mut World, operation: &str, asked: &Value) -> Option<Answer> {
    Some(match operation {
        "AddTags" => add(world, asked),
        "RemoveTags" => remove(world, asked),
        "DescribeTags" => describe(world, asked),
        _ => return None,
    })
}

/// The tags of something that is made: keys at most 128, values at most 256 characters long, each key once.
pub(super) fn taken(asked: &[Value]) -> Result<Vec<Value>, Refusal> {
    let mut keys = BTreeSet::new();
    for tag in asked {
        let key = required(tag, "Key")?;
        let value = tag.get("Value").and_then(Value::as_str).unwrap_or_default();
        if key.chars().count() > 128 || value.chars().count() > 256 {
            return Err(invalid(format!("The tag '{key}' is longer than '128' characters, or its value than '256'")));
        }
        if !keys.insert(key) {
            return Err(Refusal::new("DuplicateTagKeys", format!("Tag key '{key}' was specified more than once")));
        }
    }
    if keys.len() > TAGS {
        return Err(too_many());
    }
    let mut tags = Vec::new();
    set_tags(&mut tags, asked, ("Key", "Value"));
    Ok(tags)
}

fn too_many() -> Refusal {
    Refusal::new("TooManyTags", "You've reached the limit on the number of tags for this resource.")
}

/// The resources that a call names, all of which exist.
fn resources<'v>(elb: &Elbv2, asked: &'v Value) -> Result<Vec<&'v str>, Refusal> {
    let arns: Vec<_> = texts(asked, "ResourceArns").collect();
    if arns.is_empty() {
        return Err(invalid("At least one resource ARN must be specified"));
    }
    for arn in &arns {
        match arn.split_once(":elasticloadbalancing:").map_or("", |(_, rest)| rest).split([':', '/']).nth(2) {
            Some("loadbalancer") => elb.balancer(arn).map(drop)?,
            Some("listener") => elb.listener(arn).map(drop)?,
            Some("listener-rule") => elb.rule(arn).map(drop)?,
            Some("targetgroup") => elb.group(arn).map(drop)?,
            _ => return Err(invalid(format!("'{arn}' is not a valid resource ARN"))),
        }
    }
    Ok(arns)
}

/// "If a resource already has a tag with the same key, AddTags updates its value."
fn add(world: &mut World, asked: &Value) -> Answer {
    let arns = resources(&world.elbv2, asked)?;
    let new = taken(list(asked, "Tags"))?;
    if new.is_empty() {
        return Err(invalid("At least one tag must be specified"));
    }
    let mut all = Vec::new();
    for arn in arns {
        let mut tags = world.elbv2.tags.get(arn).cloned().unwrap_or_default();
        set_tags(&mut tags, &new, ("Key", "Value"));
        if tags.len() > TAGS {
            return Err(too_many());
        }
        all.push((arn.to_owned(), tags));
    }
    world.elbv2.tags.extend(all);
    Ok(json!({}))
}

fn remove(world: &mut World, asked: &Value) -> Answer {
    let arns = resources(&world.elbv2, asked)?;
    if list(asked, "TagKeys").is_empty() {
        return Err(invalid("At least one tag key must be specified"));
    }
    for arn in arns {
        if let Some(tags) = world.elbv2.tags.get_mut(arn) {
            unset_tags(tags, texts(asked, "TagKeys"), "Key");
        }
    }
    Ok(json!({}))
}

fn describe(world: &mut World, asked: &Value) -> Answer {
    let asked_for = list(asked, "ResourceArns").len();
    if asked_for > DESCRIBED {
        return Err(invalid(format!("Up to '{DESCRIBED}' resources can be described in a single call")));
    }
    let elb = &world.elbv2;
    let tags = |arn: &str| json!({ "ResourceArn": arn, "Tags": elb.tags.get(arn).cloned().unwrap_or_default() });
    let described: Vec<_> = resources(elb, asked)?.into_iter().map(tags).collect();
    Ok(json!({ "TagDescriptions": described }))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Lab, rule};
    use super::*;

    #[test]
    fn tags_of_everything() {
        let mut lab = Lab::new();
        let balancer = lab.balancer("application");
        let listener = lab.listener(&balancer, 80);
        let tag = |key: &str, value: &str| json!({ "Key": key, "Value": value });
        let made =
            lab.ok("CreateRule", rule(&listener, "1", json!({ "Tags": [tag("made", "with")] })))["Rules"][0].clone();
        let arns = [balancer, listener, made["RuleArn"].as_str().unwrap().to_owned(), lab.group("HTTP")];
        lab.ok("AddTags", json!({ "ResourceArns": arns, "Tags": [tag("a", "1"), tag("b", "")] }));
        lab.ok("AddTags", json!({ "ResourceArns": arns, "Tags": [tag("a", "2")] }));
        lab.ok("RemoveTags", json!({ "ResourceArns": arns, "TagKeys": ["b", "none"] }));
        let described = lab.ok("DescribeTags", json!({ "ResourceArns": arns }));
        for (arn, description) in arns.iter().zip(list(&described, "TagDescriptions")) {
            let made = arn.contains("listener-rule").then(|| tag("made", "with"));
            let expected: Vec<_> = made.into_iter().chain([tag("a", "2")]).collect();
            assert_eq!(*description, json!({ "ResourceArn": arn, "Tags": expected }));
        }
        let many: Vec<_> = (0..50).map(|number| tag(&format!("k{number}"), "v")).collect();
        let unknown = format!("{}0", arns[3]);
        for (operation, asked, expected) in [
            ("AddTags", json!({ "ResourceArns": arns, "Tags": many }), "TooManyTags"),
            ("AddTags", json!({ "ResourceArns": arns, "Tags": [tag("c", "1"), tag("c", "2")] }), "DuplicateTagKeys"),
            ("AddTags", json!({ "ResourceArns": arns, "Tags": "" }), "ValidationError"),
            ("DescribeTags", json!({ "ResourceArns": [unknown] }), "TargetGroupNotFound"),
            ("DescribeTags", json!({ "ResourceArns": vec![&arns[0]; 21] }), "ValidationError"),
            ("DescribeTags", json!({ "ResourceArns": ["arn:aws:s3:::bucket"] }), "ValidationError"),
        ] {
            assert_eq!(lab.code(operation, asked.clone()), expected, "{operation} {asked}");
        }
    }
}
