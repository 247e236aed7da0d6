//! ECS: account settings. One principal calls, so that its settings and the account's defaults are the same.

use super::common::{invalid, one_of, pages, principal};
use crate::sim::world::input::{flag, required, text};
use crate::sim::world::{Answer, Refusal, World};
use serde_json::{Value, json};

/// Each setting with its value when nobody put one (Developer Guide, "Account settings").
const DEFAULTS: [(&str, &str); 11] = [
    ("awsvpcTrunking", "disabled"),
    ("containerInsights", "disabled"),
    ("containerInstanceLongArnFormat", "enabled"),
    ("defaultLogDriverMode", "non-blocking"),
    ("fargateEventWindows", "disabled"),
    ("fargateFIPSMode", "disabled"),
    ("fargateTaskRetirementWaitPeriod", "7"),
    ("guardDutyActivate", "off"),
    ("serviceLongArnFormat", "enabled"),
    ("tagResourceAuthorization", "on"),
    ("taskLongArnFormat", "enabled"),
];

/// Answers this part of ECS's operations.
pub fn answer(world: &mut World, operation: &str, input: &Value) -> Option<Answer> {
    Some(match operation {
        "ListAccountSettings" => list(world, input),
        "PutAccountSetting" | "PutAccountSettingDefault" => put(world, input),
        "DeleteAccountSetting" => delete(world, input),
        _ => return None,
    })
}

/// The value that counts.
pub fn value(world: &World, name: &str) -> String {
    let usual = || DEFAULTS.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| *value).to_owned();
    world.ecs.account_settings.get(name).cloned().unwrap_or_else(usual)
}

fn name_of(input: &Value) -> Result<&str, Refusal> {
    one_of(input, "name", &DEFAULTS.map(|(name, _)| name))?;
    required(input, "name", super::common::INVALID)
}

fn view(world: &World, name: &str, value: &str) -> Value {
    let kind = if name == "guardDutyActivate" { "aws_managed" } else { "user" };
    json!({ "name": name, "value": value, "principalArn": principal(world), "type": kind })
}

/// ListAccountSettings: those that were put, all with `effectiveSettings`; ten a page.
fn list(world: &World, input: &Value) -> Answer {
    one_of(input, "name", &DEFAULTS.map(|(name, _)| name))?;
    let effective = flag(input, "effectiveSettings").unwrap_or(false);
    let shown = DEFAULTS.iter().map(|(name, _)| *name).filter(|name| {
        let put = world.ecs.account_settings.contains_key(*name);
        (effective || put) && text(input, "name").is_none_or(|asked| asked == *name)
    });
    let shown = shown.map(|name| (name, value(world, name)));
    let shown = shown.filter(|(_, value)| text(input, "value").is_none_or(|asked| asked == value));
    let items = shown.map(|(name, value)| view(world, name, &value)).collect();
    crate::sim::world::input::Pages { most: 10, ..pages("settings", 10) }.page(items, input)
}

fn put(world: &mut World, input: &Value) -> Answer {
    let name = name_of(input)?;
    let value = required(input, "value", super::common::INVALID)?;
    if name == "guardDutyActivate" {
        return Err(invalid("guardDutyActivate is managed by AWS and cannot be changed."));
    }
    world.ecs.account_settings.insert(name.to_owned(), value.to_owned());
    Ok(json!({ "setting": view(world, name, value) }))
}

fn delete(world: &mut World, input: &Value) -> Answer {
    let name = name_of(input)?;
    world.ecs.account_settings.remove(name);
    Ok(json!({ "setting": view(world, name, &value(world, name)) }))
}
