//! CloudWatch: metric alarms, their states, and the actions that are scaling policies.
//!
//! Requests come as CBOR, JSON or Query: numbers and flags are read from texts as well.

mod check;
mod evaluate;

pub use evaluate::look;

use super::input::{Pages, decimal, flag, list, number, required, set_tags, text, texts, unset_tags};
use super::{Answer, Refusal, World, scaling};
use crate::sim::wire::time;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, VecDeque};

/// Names that one call takes, and alarms on a page (DescribeAlarms, DeleteAlarms).
const NAMES_MAX: usize = 100;
const TAGS_MAX: usize = 50;
const STATES: [&str; 3] = ["OK", "ALARM", "INSUFFICIENT_DATA"];

/// Its state in one region.
#[derive(Debug, Clone, Default)]
pub struct CloudWatch {
    /// By name.
    alarms: BTreeMap<String, Alarm>,
}

/// A metric alarm.
#[derive(Debug, Clone)]
struct Alarm {
    /// As DescribeAlarms answers it, without its state.
    document: Value,
    tags: Vec<Value>,
    state: &'static str,
    reason: String,
    /// `StateReasonData`: JSON in a text.
    data: Option<String>,
    updated: Timestamp,
    transitioned: Timestamp,
    /// What the last looks saw, as many as the alarm evaluates; empty inside where nothing was to be seen.
    seen: VecDeque<Option<f64>>,
    /// Goes off at the first datapoint: the high alarm of a target tracking policy. AWS waits for three minutes of
    /// them; a scale-out that comes at once shows the same in less time.
    eager: bool,
}

impl Alarm {
    fn shown(&self) -> Value {
        let mut shown = self.document.clone();
        shown["StateValue"] = json!(self.state);
        shown["StateReason"] = json!(self.reason);
        shown["StateUpdatedTimestamp"] = time(self.updated);
        shown["StateTransitionedTimestamp"] = time(self.transitioned);
        if let Some(data) = &self.data {
            shown["StateReasonData"] = json!(data);
        }
        shown
    }

    fn arn(&self) -> &str {
        text(&self.document, "AlarmArn").unwrap_or_default()
    }

    fn turn(&mut self, state: &'static str, reason: String, data: Option<String>, now: Timestamp) {
        if self.state != state {
            self.transitioned = now;
        }
        (self.state, self.reason, self.data, self.updated) = (state, reason, data, now);
    }
}

/// Answers an operation.
pub fn answer(world: &mut World, operation: &str, input: &Value) -> Option<Answer> {
    Some(match operation {
        "PutMetricAlarm" => put(world, input),
        "DescribeAlarms" => describe(world, input),
        "DeleteAlarms" => delete(world, input),
        "SetAlarmState" => set_state(world, input),
        "EnableAlarmActions" => enable(world, input, true),
        "DisableAlarmActions" => enable(world, input, false),
        "ListTagsForResource" => tagged(world, input).map(|alarm| json!({ "Tags": alarm.tags })),
        "TagResource" => tag(world, input),
        "UntagResource" => tagged(world, input).map(|alarm| {
            unset_tags(&mut alarm.tags, texts(input, "TagKeys"), "Key");
            json!({})
        }),
        _ => return None,
    })
}

/// OK, ALARM or INSUFFICIENT_DATA; none when there is no such alarm.
pub fn state(world: &World, name: &str) -> Option<&'static str> {
    world.cloudwatch.alarms.get(name).map(|alarm| alarm.state)
}

/// Whether an alarm ever saw a value of its metric.
pub fn measured(world: &World, name: &str) -> bool {
    world.cloudwatch.alarms.get(name).is_some_and(|alarm| alarm.seen.iter().any(Option::is_some))
}

/// The alarms one of whose alarm actions fits: names and ARNs.
pub fn with_action(world: &World, fits: impl Fn(&str) -> bool) -> impl Iterator<Item = (&String, &str)> {
    let named = move |(_, alarm): &(&String, &Alarm)| texts(&alarm.document, "AlarmActions").any(&fits);
    world.cloudwatch.alarms.iter().filter(named).map(|(name, alarm)| (name, alarm.arn()))
}

/// Makes or changes an alarm for Application Auto Scaling.
pub fn make(world: &mut World, settings: Map<String, Value>, eager: bool) {
    store(world, &Value::Object(settings), eager);
}

/// Takes alarms away; unknown names are passed over.
pub fn remove(world: &mut World, names: &[String]) {
    for name in names {
        world.cloudwatch.alarms.remove(name);
    }
}

fn refused(message: impl Into<String>) -> Refusal {
    Refusal::new("ValidationError", message)
}

/// PutMetricAlarm: overwrites the whole alarm, but its state and its tags. A new one is INSUFFICIENT_DATA.
fn put(world: &mut World, input: &Value) -> Answer {
    check::alarm(input)?;
    store(world, input, false);
    Ok(json!({}))
}

fn store(world: &mut World, settings: &Value, eager: bool) {
    let now = world.now();
    let name = text(settings, "AlarmName").unwrap_or_default().to_owned();
    let mut document = filled(settings);
    document["AlarmArn"] = json!(world.arn("cloudwatch", &format!("alarm:{name}")));
    document["AlarmConfigurationUpdatedTimestamp"] = time(now);
    match world.cloudwatch.alarms.get_mut(&name) {
        Some(known) => {
            if evaluate::watched(&known.document) != evaluate::watched(&document) {
                known.seen.clear();
            }
            (known.document, known.eager) = (document, eager);
        }
        None => {
            let mut tags = Vec::new();
            set_tags(&mut tags, list(settings, "Tags"), ("Key", "Value"));
            let reason = "Unchecked: Initial alarm creation".to_owned();
            let (state, data, seen) = ("INSUFFICIENT_DATA", None, VecDeque::new());
            let alarm = Alarm { document, tags, state, reason, data, updated: now, transitioned: now, seen, eager };
            world.cloudwatch.alarms.insert(name, alarm);
        }
    }
}

/// An alarm as DescribeAlarms answers it: numbers as numbers, and what AWS fills in.
fn filled(settings: &Value) -> Value {
    let mut alarm = settings.as_object().cloned().unwrap_or_default();
    alarm.retain(|name, value| name != "Tags" && !value.is_null());
    for name in ["OKActions", "AlarmActions", "InsufficientDataActions", "Dimensions"] {
        alarm.insert(name.to_owned(), json!(list(settings, name)));
    }
    for name in ["Period", "EvaluationPeriods", "DatapointsToAlarm", "EvaluationInterval"] {
        if let Some(number) = number(settings, name) {
            alarm.insert(name.to_owned(), json!(number));
        }
    }
    if let Some(threshold) = decimal(settings, "Threshold") {
        alarm.insert("Threshold".to_owned(), json!(threshold));
    }
    alarm.insert("ActionsEnabled".to_owned(), json!(flag(settings, "ActionsEnabled").unwrap_or(true)));
    if let Some(periods) = alarm.get("EvaluationPeriods").cloned() {
        alarm.entry("DatapointsToAlarm").or_insert(periods);
        alarm.entry("TreatMissingData").or_insert(json!("missing"));
    }
    if let Some(Value::Array(metrics)) = alarm.get_mut("Metrics") {
        metrics.iter_mut().for_each(metric);
    }
    Value::Object(alarm)
}

fn metric(metric: &mut Value) {
    metric["ReturnData"] = json!(flag(metric, "ReturnData").unwrap_or(true));
    if let Some(period) = number(metric, "Period") {
        metric["Period"] = json!(period);
    }
    if let Some(period) = metric.get("MetricStat").and_then(|stat| number(stat, "Period")) {
        metric["MetricStat"]["Period"] = json!(period);
    }
}

/// The names of a request, a hundred at most.
fn names(input: &Value) -> Result<Vec<&str>, Refusal> {
    let names: Vec<_> = texts(input, "AlarmNames").collect();
    if names.len() > NAMES_MAX {
        return Err(refused(format!("AlarmNames must have length less than or equal to {NAMES_MAX}")));
    }
    Ok(names)
}

/// DescribeAlarms: by names or by prefix, metric alarms only (there are no others), by name. An unknown name is just
/// not in the answer.
fn describe(world: &World, input: &Value) -> Answer {
    let names = names(input)?;
    let prefix = text(input, "AlarmNamePrefix");
    if !names.is_empty() && prefix.is_some() {
        let message = "AlarmNamePrefix cannot be combined with AlarmNames";
        return Err(Refusal::new("InvalidParameterCombination", message));
    }
    if number(input, "MaxRecords").is_some_and(|size| !(1..=NAMES_MAX as i64).contains(&size)) {
        return Err(refused(format!("MaxRecords must be between 1 and {NAMES_MAX}")));
    }
    let types = list(input, "AlarmTypes");
    let fits = |(name, alarm): &(&String, &Alarm)| {
        (types.is_empty() || types.contains(&json!("MetricAlarm")))
            && (names.is_empty() || names.contains(&name.as_str()))
            && prefix.is_none_or(|prefix| name.starts_with(prefix))
            && text(input, "StateValue").is_none_or(|state| state == alarm.state)
            && text(input, "ActionPrefix")
                .is_none_or(|prefix| texts(&alarm.document, "AlarmActions").any(|action| action.starts_with(prefix)))
    };
    let found = world.cloudwatch.alarms.iter().filter(fits).map(|(_, alarm)| alarm.shown()).collect();
    let usual = if names.is_empty() { 50 } else { NAMES_MAX };
    let (token, size, code) = ("NextToken", "MaxRecords", "InvalidNextToken");
    let pages = Pages { into: "MetricAlarms", token, next: token, size, usual, most: NAMES_MAX, code };
    let mut answer = pages.page(found, input)?;
    answer["CompositeAlarms"] = json!([]);
    Ok(answer)
}

/// DeleteAlarms: "if you specify any incorrect alarm names, the alarms you specify with correct names are still
/// deleted".
fn delete(world: &mut World, input: &Value) -> Answer {
    let names: Vec<_> = names(input)?.into_iter().map(str::to_owned).collect();
    remove(world, &names);
    Ok(json!({}))
}

/// EnableAlarmActions, DisableAlarmActions.
fn enable(world: &mut World, input: &Value, enabled: bool) -> Answer {
    for name in names(input)? {
        if let Some(alarm) = world.cloudwatch.alarms.get_mut(name) {
            alarm.document["ActionsEnabled"] = json!(enabled);
        }
    }
    Ok(json!({}))
}

/// SetAlarmState: until the next look at the metric, where there is one. A change to ALARM calls the actions; what they
/// see of the metric is in StateReasonData ("you must include information in the StateReasonData parameter").
fn set_state(world: &mut World, input: &Value) -> Answer {
    let now = world.now();
    let name = required(input, "AlarmName", "ValidationError")?;
    let asked = required(input, "StateValue", "ValidationError")?;
    let Some(state) = STATES.into_iter().find(|state| *state == asked) else {
        return Err(refused(format!("StateValue must be one of {}", STATES.join(", "))));
    };
    let Some(reason) = input.get("StateReason").and_then(Value::as_str) else {
        return Err(refused("The parameter StateReason is required."));
    };
    let data = text(input, "StateReasonData");
    let read = data.map(serde_json::from_str::<Value>).transpose();
    let read = read.map_err(|_| Refusal::new("InvalidFormat", "StateReasonData is not valid JSON"))?;
    let Some(alarm) = world.cloudwatch.alarms.get_mut(name) else {
        return Err(Refusal {
            status: 404,
            ..Refusal::new("ResourceNotFound", format!("Alarm {name} does not exist"))
        });
    };
    let changed = alarm.state != state;
    alarm.turn(state, reason.to_owned(), data.map(str::to_owned), now);
    let points = read.as_ref().map(|data| list(data, "recentDatapoints")).unwrap_or_default();
    let calls = (changed && state == "ALARM").then(|| alarm.calls(name, points.last().and_then(Value::as_f64)));
    scaling::respond(world, &calls.into_iter().flatten().collect::<Vec<_>>());
    Ok(json!({}))
}

impl Alarm {
    /// What this alarm calls in the state ALARM. Without a value it is the threshold that was met.
    fn calls(&self, name: &str, value: Option<f64>) -> Option<scaling::Alarmed> {
        let enabled = flag(&self.document, "ActionsEnabled").unwrap_or(true);
        let threshold = decimal(&self.document, "Threshold").filter(|_| enabled)?;
        let actions = texts(&self.document, "AlarmActions").map(str::to_owned).collect();
        Some(scaling::Alarmed { alarm: name.to_owned(), actions, value: value.unwrap_or(threshold), threshold })
    }
}

/// TagResource: adds to the tags that are there, fifty at most.
fn tag(world: &mut World, input: &Value) -> Answer {
    let alarm = tagged(world, input)?;
    let mut all = alarm.tags.clone();
    set_tags(&mut all, list(input, "Tags"), ("Key", "Value"));
    if all.len() > TAGS_MAX {
        return Err(refused(format!("Resource cannot have more than {TAGS_MAX} tags")));
    }
    alarm.tags = all;
    Ok(json!({}))
}

fn tagged<'w>(world: &'w mut World, input: &Value) -> Result<&'w mut Alarm, Refusal> {
    let arn = required(input, "ResourceARN", "InvalidParameterValue")?;
    let message = format!("Unknown resource: {arn}");
    world.cloudwatch.alarms.values_mut().find(|alarm| alarm.arn() == arn).ok_or_else(|| Refusal {
        status: 404,
        more: json!({ "ResourceType": "alarm", "ResourceId": arn }),
        ..Refusal::new("ResourceNotFoundException", message)
    })
}

#[cfg(test)]
mod tests;
