//! `deploymentConfiguration`: its defaults, how UpdateService merges it, what it may be.

use super::super::common::{client, invalid, is_empty, members, one_of};
use super::by_ecs;
use crate::sim::world::Refusal;
use crate::sim::world::input::{flag, list, number, text, texts};
use serde_json::{Map, Value, json};

/// The block of a strategy that shifts traffic step by step: its names, its defaults, its smallest share in percent.
struct Block {
    strategy: &'static str,
    name: &'static str,
    percent: (&'static str, f64, f64),
    minutes: (&'static str, i64),
}

/// LinearConfiguration, CanaryConfiguration.
const BLOCKS: [Block; 2] = [
    Block {
        strategy: "LINEAR",
        name: "linearConfiguration",
        percent: ("stepPercent", 10.0, 3.0),
        minutes: ("stepBakeTimeInMinutes", 6),
    },
    Block {
        strategy: "CANARY",
        name: "canaryConfiguration",
        percent: ("canaryPercent", 5.0, 0.1),
        minutes: ("canaryBakeTimeInMinutes", 10),
    },
];

/// Stages that only a Lambda hook can have (DeploymentLifecycleHook, lifecycleStages).
const NOT_FOR_PAUSE: [&str; 2] = ["TEST_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT"];

/// Where a hook can be.
const STAGES: [&str; 8] = [
    "RECONCILE_SERVICE",
    "PRE_SCALE_UP",
    "POST_SCALE_UP",
    "TEST_TRAFFIC_SHIFT",
    "POST_TEST_TRAFFIC_SHIFT",
    "PRE_PRODUCTION_TRAFFIC_SHIFT",
    "PRODUCTION_TRAFFIC_SHIFT",
    "POST_PRODUCTION_TRAFFIC_SHIFT",
];

/// The configuration of a new service.
///
/// # Errors
/// It is none that AWS takes.
pub fn create(settings: &mut Map<String, Value>) -> Result<(), Refusal> {
    let asked = settings.remove("deploymentConfiguration").unwrap_or_else(|| json!({}));
    settings.insert("deploymentConfiguration".into(), json!({}));
    update(settings, Some(&asked))
}

/// The configuration after a request: what is left out stays, with the exceptions below.
///
/// # Errors
/// It is none that AWS takes.
pub fn update(settings: &mut Map<String, Value>, asked: Option<&Value>) -> Result<(), Refusal> {
    let whole = Value::Object(settings.clone());
    let daemon = text(&whole, "schedulingStrategy") == Some("DAEMON");
    let live = settings.get("deploymentConfiguration").cloned().unwrap_or_default();
    let merged = merged(&live, asked.unwrap_or(&Value::Null), daemon, by_ecs(&whole))?;
    check(&merged, daemon)?;
    settings.insert("deploymentConfiguration".into(), merged);
    Ok(())
}

/// "The default maximumPercent of REPLICA is 200 %, minimumHealthyPercent 100 %"; DAEMON has 100 and 0
/// (DeploymentConfiguration). What a rollout is like is ECS's own controller's.
fn defaults(daemon: bool, by_ecs: bool) -> Map<String, Value> {
    let (maximum, minimum) = if daemon { (100, 0) } else { (200, 100) };
    let mut all = json!({ "maximumPercent": maximum, "minimumHealthyPercent": minimum });
    if by_ecs {
        all["strategy"] = "ROLLING".into();
        all["bakeTimeInMinutes"] = 0.into();
        all["deploymentCircuitBreaker"] = json!({
            "enable": false,
            "rollback": false,
            "resetOnHealthyTask": true,
            "thresholdConfiguration": { "type": "BOUNDED_PERCENT", "value": 50 },
        });
    }
    members(&all)
}

fn merged(live: &Value, asked: &Value, daemon: bool, by_ecs: bool) -> Result<Value, Refusal> {
    let (live, asked) = (members(live), members(asked));
    let mut all = defaults(daemon, by_ecs);
    let usual_breaker = all.get("deploymentCircuitBreaker").cloned();
    all.extend(live.clone());
    all.extend(asked.clone());
    // The breaker's two required members go together: leaving out `rollback` turns it off. Its newer ones stay.
    if let Some(new) = asked.get("deploymentCircuitBreaker") {
        let mut breaker =
            members(live.get("deploymentCircuitBreaker").or(usual_breaker.as_ref()).unwrap_or(&Value::Null));
        breaker.extend(members(&json!({ "enable": false, "rollback": false })));
        breaker.extend(members(new));
        all.insert("deploymentCircuitBreaker".into(), breaker.into());
    }
    // Blocks that are replaced, and filled in again.
    let strategy = all.get("strategy").and_then(Value::as_str).unwrap_or("ROLLING").to_owned();
    for block in &BLOCKS {
        if strategy == block.strategy {
            all.insert(block.name.into(), block.filled(all.get(block.name)));
        } else if asked.contains_key(block.name) {
            let message = format!("{} is only valid with the {} deployment strategy.", block.name, block.strategy);
            return Err(invalid(message));
        } else {
            all.remove(block.name);
        }
    }
    for (block, usual) in [
        ("alarms", json!({ "alarmNames": [], "rollback": false, "enable": false })),
        ("earlySuccessCriteria", json!({ "enable": false })),
    ] {
        if let Some(Value::Object(given)) = all.get_mut(block) {
            fill(given, &usual);
        }
    }
    for hook in all.get_mut("lifecycleHooks").and_then(Value::as_array_mut).into_iter().flatten() {
        let Value::Object(hook) = hook else { continue };
        hook.entry("targetType").or_insert("AWS_LAMBDA".into());
        if let Some(Value::Object(timeout)) = hook.get_mut("timeoutConfiguration") {
            fill(timeout, &json!({ "timeoutInMinutes": 1440, "action": "ROLLBACK" }));
        }
    }
    Ok(Value::Object(all))
}

fn fill(given: &mut Map<String, Value>, usual: &Value) {
    for (field, value) in members(usual) {
        given.entry(field).or_insert(value);
    }
}

impl Block {
    /// With its defaults; percents are answered as fractions.
    fn filled(&self, given: Option<&Value>) -> Value {
        let mut block = members(given.unwrap_or(&Value::Null));
        let asked = block.get(self.percent.0).and_then(Value::as_f64);
        block.insert(self.percent.0.into(), asked.unwrap_or(self.percent.1).into());
        block.entry(self.minutes.0).or_insert(self.minutes.1.into());
        block.into()
    }

    /// "Multiples of 0.1 up to 100.0; 0 to 1440 minutes."
    fn check(&self, all: &Value) -> Result<(), Refusal> {
        let Some(given) = all.get(self.name) else { return Ok(()) };
        let (percent, _, least) = self.percent;
        let share = given[percent].as_f64().unwrap_or_default();
        let tenths = share * 10.0;
        if !(least..=100.0).contains(&share) || (tenths - tenths.round()).abs() > 1e-6 {
            return Err(invalid(format!("{percent} must be a multiple of 0.1 between {least:.1} and 100.0.")));
        }
        let (minutes, _) = self.minutes;
        if number(given, minutes).is_some_and(|minutes| !(0..=1440).contains(&minutes)) {
            return Err(invalid(format!("{minutes} must be between 0 and 1440.")));
        }
        Ok(())
    }
}

/// The limits, and AWS's words where they are known from recorded errors.
fn check(all: &Value, daemon: bool) -> Result<(), Refusal> {
    one_of(all, "strategy", &["ROLLING", "BLUE_GREEN", "LINEAR", "CANARY"])?;
    let (maximum, minimum) = (number(all, "maximumPercent"), number(all, "minimumHealthyPercent"));
    let (maximum, minimum) = (maximum.unwrap_or_default(), minimum.unwrap_or_default());
    let refused = [
        (
            daemon && maximum > 100,
            "The daemon scheduling strategy does not support values above 100 for maximumPercent.",
        ),
        (maximum < 100, "maximumPercent must be at least 100."),
        (!(0..=100).contains(&minimum), "minimumHealthyPercent must be at most 100."),
        (
            maximum == 100 && minimum == 100,
            "Both maximumPercent and minimumHealthyPercent cannot be 100 as this will block deployments.",
        ),
        (
            number(all, "bakeTimeInMinutes").is_some_and(|minutes| !(0..=1440).contains(&minutes)),
            "bakeTimeInMinutes must be between 0 and 1440.",
        ),
    ];
    if let Some((_, message)) = refused.iter().find(|(refused, _)| *refused) {
        return Err(invalid(*message));
    }
    BLOCKS.iter().try_for_each(|block| block.check(all))?;
    if let Some(alarms) = all.get("alarms")
        && flag(alarms, "enable") == Some(true)
        && list(alarms, "alarmNames").is_empty()
    {
        return Err(invalid("alarmNames cannot be empty when deployment alarms are enabled."));
    }
    breaker(all)?;
    early_success(all, minimum)?;
    list(all, "lifecycleHooks").iter().try_for_each(hook)
}

fn breaker(all: &Value) -> Result<(), Refusal> {
    let threshold = all.get("deploymentCircuitBreaker").and_then(|breaker| breaker.get("thresholdConfiguration"));
    let Some(threshold) = threshold else { return Ok(()) };
    one_of(threshold, "type", &["COUNT", "BOUNDED_PERCENT", "UNBOUNDED_PERCENT"])?;
    if number(threshold, "value").is_none_or(|value| value < 0) {
        return Err(invalid("thresholdConfiguration needs a value that is not negative."));
    }
    Ok(())
}

/// "You must also specify healthyPercent and sourceServiceRevisionCleanup"; "greater than or equal to the
/// minimumHealthyPercent value" (DeploymentEarlySuccessCriteria).
fn early_success(all: &Value, minimum: i64) -> Result<(), Refusal> {
    let Some(criteria) = all.get("earlySuccessCriteria").filter(|criteria| flag(criteria, "enable") == Some(true))
    else {
        return Ok(());
    };
    one_of(criteria, "sourceServiceRevisionCleanup", &["BLOCKING", "DEFERRED"])?;
    match (number(criteria, "healthyPercent"), text(criteria, "sourceServiceRevisionCleanup")) {
        (Some(percent), Some(_)) if (minimum..=100).contains(&percent) => Ok(()),
        (Some(_), Some(_)) => Err(invalid("healthyPercent must be between minimumHealthyPercent and 100.")),
        _ => Err(invalid("earlySuccessCriteria requires healthyPercent and sourceServiceRevisionCleanup.")),
    }
}

fn hook(hook: &Value) -> Result<(), Refusal> {
    if list(hook, "lifecycleStages").is_empty() {
        return Err(invalid("A lifecycle hook must have at least one lifecycle stage."));
    }
    if let Some(unknown) = texts(hook, "lifecycleStages").find(|stage| !STAGES.contains(stage)) {
        return Err(invalid(format!("Invalid lifecycle stage {unknown}.")));
    }
    let timeout = hook.get("timeoutConfiguration");
    if let Some(timeout) = timeout {
        one_of(timeout, "action", &["ROLLBACK", "CONTINUE"])?;
        if number(timeout, "timeoutInMinutes").is_some_and(|minutes| !(1..=20160).contains(&minutes)) {
            return Err(invalid("timeoutInMinutes must be between 1 and 20160."));
        }
    }
    match text(hook, "targetType") {
        Some("PAUSE") if texts(hook, "lifecycleStages").any(|stage| NOT_FOR_PAUSE.contains(&stage)) => {
            Err(client("Invalid lifecycle stage provided for Pause Hook"))
        }
        Some("PAUSE") => Ok(()),
        Some("AWS_LAMBDA") => match ["hookTargetArn", "roleArn"].into_iter().find(|field| is_empty(hook.get(*field))) {
            Some(missing) => Err(invalid(format!("{missing} is required for a lifecycle hook of type AWS_LAMBDA."))),
            None => Ok(()),
        },
        _ => Err(client("Invalid targetType. Valid values are: AWS_LAMBDA, PAUSE")),
    }
}
