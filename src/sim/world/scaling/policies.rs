//! Scaling policies, and the alarms that target tracking makes.

use super::{DIMENSION, Policy, done, filtered, invalid, listed, means, named, not_found, page, registered};
use crate::sim::wire::time;
use crate::sim::world::input::{decimal, list, number, required, text};
use crate::sim::world::{Answer, Refusal, World, cloudwatch};
use serde_json::{Map, Value, json};

/// Policies of a target, and steps of a step policy (service quotas of Application Auto Scaling).
const POLICIES_MAX: usize = 50;
const STEPS_MAX: usize = 20;
const STEP: (&str, &str) = ("StepScaling", "StepScalingPolicyConfiguration");
const TRACKING: (&str, &str) = ("TargetTrackingScaling", "TargetTrackingScalingPolicyConfiguration");
const PREDICTIVE: (&str, &str) = ("PredictiveScaling", "PredictiveScalingPolicyConfiguration");
const BALANCER: &str = "ALBRequestCountPerTarget";
/// Predefined metrics of an ECS service, each with what its alarms watch (PredefinedMetricSpecification).
const METRICS: &[(&str, &str, &str)] = &[
    ("ECSServiceAverageCPUUtilization", "AWS/ECS", "CPUUtilization"),
    ("ECSServiceAverageCPUUtilizationHighResolution", "AWS/ECS", "CPUUtilization"),
    ("ECSServiceAverageMemoryUtilization", "AWS/ECS", "MemoryUtilization"),
    ("ECSServiceAverageMemoryUtilizationHighResolution", "AWS/ECS", "MemoryUtilization"),
    (BALANCER, "AWS/ApplicationELB", "RequestCountPerTarget"),
];

/// PutScalingPolicy: makes a policy, or replaces its whole configuration. Target and name identify it; its ARN stays.
pub fn put(world: &mut World, input: &Value) -> Answer {
    let (arn, uuid, now) = (world.arn("autoscaling", ""), world.uuid(), time(world.now()));
    let name = required(input, "PolicyName", "ValidationException")?.to_owned();
    let resource = named(input)?;
    let target = registered(world, input)?;
    let previous = target.policies.get(&name);
    if previous.is_none() && target.policies.len() >= POLICIES_MAX {
        return Err(Refusal::new("LimitExceededException", "Too many scaling policies for the scalable target"));
    }
    let kind = text(input, "PolicyType").or_else(|| text(&previous?.document, "PolicyType")).unwrap_or_default();
    let (member, configuration) = configuration(input, kind)?;
    let kept = |member: &str| previous.map(|previous| previous.document[member].clone());
    let new_arn = format!("{arn}scalingPolicy:{uuid}:resource/ecs/{resource}:policyName/{name}");
    let document = json!({
        "PolicyARN": kept("PolicyARN").unwrap_or(json!(new_arn)), "PolicyName": name, "ServiceNamespace": "ecs",
        "ResourceId": resource, "ScalableDimension": DIMENSION, "PolicyType": kind, member: configuration,
        "CreationTime": kept("CreationTime").unwrap_or(now),
    });
    let own = previous.map(|previous| previous.alarms.clone()).unwrap_or_default();
    let alarms = track(world, &document, own);
    let answer = json!({ "PolicyARN": document["PolicyARN"], "Alarms": naming(world, &document) });
    if let Some(target) = world.scaling.targets.get_mut(&resource) {
        target.policies.insert(name, Policy { document, alarms });
    }
    Ok(answer)
}

/// The one configuration that belongs to the type, checked, with what AWS fills in.
fn configuration(input: &Value, kind: &str) -> Result<(&'static str, Value), Refusal> {
    let kinds = [STEP, TRACKING, PREDICTIVE];
    let Some((_, member)) = kinds.into_iter().find(|(known, _)| *known == kind) else {
        return Err(invalid("Policy type must be one of StepScaling, TargetTrackingScaling, PredictiveScaling"));
    };
    let given = |member: &str| input.get(member).is_some_and(Value::is_object);
    if !given(member) || kinds.iter().any(|(other, member)| *other != kind && given(member)) {
        return Err(invalid(format!("{member} and no other configuration must be specified for {kind}")));
    }
    let mut configuration = input[member].as_object().cloned().unwrap_or_default();
    configuration.retain(|_, value| !value.is_null());
    match kind {
        "StepScaling" => steps(&mut configuration)?,
        "TargetTrackingScaling" => tracking(&mut configuration)?,
        _ if list(&input[member], "MetricSpecifications").is_empty() => {
            return Err(invalid("A metric specification must be specified for PredictiveScaling"));
        }
        _ => {}
    }
    Ok((member, Value::Object(configuration)))
}

/// The rules of StepAdjustment: no gap, no overlap, an open end where a bound lies beyond the threshold.
fn steps(configuration: &mut Map<String, Value>) -> Result<(), Refusal> {
    let whole = Value::Object(configuration.clone());
    let adjustment = text(&whole, "AdjustmentType").unwrap_or_default();
    if !["ChangeInCapacity", "PercentChangeInCapacity", "ExactCapacity"].contains(&adjustment) {
        return Err(invalid("AdjustmentType must be ChangeInCapacity, PercentChangeInCapacity or ExactCapacity"));
    }
    configuration.entry("MetricAggregationType").or_insert(json!("Average"));
    let steps = list(&whole, "StepAdjustments");
    if !(1..=STEPS_MAX).contains(&steps.len()) {
        return Err(invalid(format!("There must be between 1 and {STEPS_MAX} step adjustments")));
    }
    let mut ranges: Vec<_> = steps.iter().map(bounds).collect();
    ranges.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (first, last) = (ranges.first().map_or(0.0, |range| range.0), ranges.last().map_or(0.0, |range| range.1));
    let wrong = if steps.iter().any(|step| number(step, "ScalingAdjustment").is_none()) {
        "A scaling adjustment must be specified for each step adjustment"
    } else if ranges.iter().any(|(lower, upper)| lower >= upper) {
        "The lower bound of a step adjustment must be less than its upper bound"
    } else if ranges.contains(&(f64::NEG_INFINITY, f64::INFINITY)) {
        "A step adjustment must have a lower or an upper bound"
    } else if ranges.windows(2).any(|pair| pair[0].1 != pair[1].0) {
        "StepAdjustment intervals can't overlap or have a gap between them"
    } else if first < 0.0 && first.is_finite() {
        "There must be a step adjustment without a lower bound when one has a negative lower bound"
    } else if last > 0.0 && last.is_finite() {
        "There must be a step adjustment without an upper bound when one has a positive upper bound"
    } else {
        let shown = |step: &Value| {
            let mut step = step.clone();
            for bound in ["MetricIntervalLowerBound", "MetricIntervalUpperBound"] {
                if let Some(number) = decimal(&step, bound) {
                    step[bound] = json!(number);
                }
            }
            step
        };
        configuration.insert("StepAdjustments".to_owned(), steps.iter().map(shown).collect());
        return Ok(());
    };
    Err(invalid(wrong))
}

/// The bounds of a step; one that is left out is infinite.
pub fn bounds(step: &Value) -> (f64, f64) {
    let lower = decimal(step, "MetricIntervalLowerBound").unwrap_or(f64::NEG_INFINITY);
    (lower, decimal(step, "MetricIntervalUpperBound").unwrap_or(f64::INFINITY))
}

fn tracking(configuration: &mut Map<String, Value>) -> Result<(), Refusal> {
    let whole = Value::Object(configuration.clone());
    let Some(target) = decimal(&whole, "TargetValue") else {
        return Err(invalid("A target value must be specified"));
    };
    configuration.insert("TargetValue".to_owned(), json!(target));
    configuration.entry("DisableScaleIn").or_insert(json!(false));
    let (predefined, customized) =
        (whole.get("PredefinedMetricSpecification"), whole.get("CustomizedMetricSpecification"));
    if predefined.is_some() == customized.is_some() {
        return Err(invalid("Exactly one of predefined and customized metric specification must be specified"));
    }
    if let Some(predefined) = predefined {
        let kind = text(predefined, "PredefinedMetricType").unwrap_or_default();
        if !METRICS.iter().any(|(known, ..)| *known == kind) {
            return Err(invalid(format!(
                "The predefined metric type {kind} is not valid for the service namespace ecs"
            )));
        }
        if (kind == BALANCER) != text(predefined, "ResourceLabel").is_some() {
            return Err(invalid(format!("A resource label must be specified for {BALANCER}, and only for it")));
        }
    }
    // CustomizedMetricSpecification, Metrics: ReturnData is true by default, and of exactly one metric.
    if let Some(Value::Array(metrics)) =
        configuration.get_mut("CustomizedMetricSpecification").and_then(|customized| customized.get_mut("Metrics"))
    {
        for metric in metrics.iter_mut().filter_map(Value::as_object_mut) {
            metric.entry("ReturnData").or_insert(json!(true));
        }
        if metrics.iter().filter(|metric| metric["ReturnData"] == true).count() != 1 {
            return Err(invalid("Exactly one metric must return data"));
        }
    }
    Ok(())
}

/// Makes the alarms of a target tracking policy, or changes them: their names stay. Above the target for three minutes,
/// or ten percent below it for fifteen (guide, "How target tracking scaling works"); without scale-in only the first.
fn track(world: &mut World, policy: &Value, mut own: Vec<String>) -> Vec<String> {
    let configuration = &policy[TRACKING.1];
    let sides: &[_] = match configuration["DisableScaleIn"].as_bool() {
        None => &[],
        Some(true) => &[("High", "GreaterThanThreshold", 3, 1.0)],
        Some(false) => &[("High", "GreaterThanThreshold", 3, 1.0), ("Low", "LessThanThreshold", 15, 0.9)],
    };
    let gone = own.split_off(own.len().min(sides.len()));
    cloudwatch::remove(world, &gone);
    let (arn, resource) = (policy["PolicyARN"].as_str().unwrap_or_default(), policy["ResourceId"].as_str());
    for (at, (side, comparison, periods, factor)) in sides.iter().enumerate() {
        if own.len() == at {
            own.push(format!("TargetTracking-{}-Alarm{side}-{}", resource.unwrap_or_default(), world.uuid()));
        }
        let mut alarm = metric(configuration, resource.unwrap_or_default());
        alarm.extend(Map::from_iter([
            ("AlarmName".to_owned(), json!(own[at])),
            (
                "AlarmDescription".to_owned(),
                json!(format!("DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {arn}.")),
            ),
            ("AlarmActions".to_owned(), json!([format!("{arn}:createdBy/{}", world.uuid())])),
            ("ComparisonOperator".to_owned(), json!(comparison)),
            ("EvaluationPeriods".to_owned(), json!(periods)),
            ("Threshold".to_owned(), json!(decimal(configuration, "TargetValue").unwrap_or_default() * factor)),
        ]));
        cloudwatch::make(world, alarm, *side == "High");
    }
    own
}

/// What the alarms of a target tracking policy watch.
fn metric(configuration: &Value, resource: &str) -> Map<String, Value> {
    let customized = &configuration["CustomizedMetricSpecification"];
    let taken = |names: &[&str]| {
        let given = names.iter().filter_map(|name| Some(((*name).to_owned(), customized.get(name)?.clone())));
        given.collect::<Map<_, _>>()
    };
    if customized.get("Metrics").is_some() {
        return taken(&["Metrics"]);
    }
    let mut metric = taken(&["Namespace", "MetricName", "Dimensions", "Unit", "Statistic"]);
    metric.insert("Period".to_owned(), json!(60));
    if customized.is_object() {
        return metric;
    }
    let predefined = &configuration["PredefinedMetricSpecification"];
    let known = METRICS.iter().find(|(kind, ..)| predefined["PredefinedMetricType"] == *kind);
    let (kind, namespace, name) = known.copied().unwrap_or_default();
    let (statistic, dimensions) = if kind == BALANCER {
        let label = text(predefined, "ResourceLabel").unwrap_or_default();
        let (balancer, group) = label.split_once("/targetgroup/").unwrap_or((label, ""));
        ("Sum", [("LoadBalancer", balancer.to_owned()), ("TargetGroup", format!("targetgroup/{group}"))])
    } else {
        let mut parts = resource.split('/').skip(1).map(str::to_owned);
        let mut part = || parts.next().unwrap_or_default();
        ("Average", [("ClusterName", part()), ("ServiceName", part())])
    };
    let dimensions = dimensions.map(|(name, value)| json!({ "Name": name, "Value": value }));
    metric.extend(Map::from_iter([
        ("Namespace".to_owned(), json!(namespace)),
        ("MetricName".to_owned(), json!(name)),
        ("Statistic".to_owned(), json!(statistic)),
        ("Dimensions".to_owned(), json!(dimensions)),
    ]));
    metric
}

/// The alarms whose actions name the policy: its own ones, and those that the caller made for it.
fn naming(world: &World, policy: &Value) -> Value {
    let arn = policy["PolicyARN"].as_str().unwrap_or_default();
    let named = cloudwatch::with_action(world, |action| is(action, arn));
    named.map(|(name, arn)| json!({ "AlarmName": name, "AlarmARN": arn })).collect()
}

/// Whether an alarm's action is this policy; target tracking's own alarms add `:createdBy/…`.
pub fn is(action: &str, policy: &str) -> bool {
    action.strip_prefix(policy).is_some_and(|rest| rest.is_empty() || rest.starts_with(":createdBy/"))
}

/// DescribeScalingPolicies.
pub fn describe(world: &World, input: &Value) -> Answer {
    filtered(input, "PolicyNames")?;
    let policies = world.scaling.targets.values().flat_map(|target| target.policies.values());
    let found = policies.filter(|policy| {
        means(input, &policy.document) && listed(input, "PolicyNames", &policy.document["PolicyName"])
    });
    let shown = found.map(|policy| {
        let mut shown = policy.document.clone();
        shown["Alarms"] = naming(world, &policy.document);
        shown
    });
    page("ScalingPolicies", shown.collect(), input, 10)
}

/// DeleteScalingPolicy: the alarms of target tracking go with it, those of a step policy are the caller's.
pub fn delete(world: &mut World, input: &Value) -> Answer {
    let name = required(input, "PolicyName", "ValidationException")?;
    let resource = named(input)?;
    let target = world.scaling.targets.get_mut(&resource);
    let Some(policy) = target.and_then(|target| target.policies.remove(name)) else {
        return Err(not_found(format!(
            "No scaling policy found for service namespace: ecs, resource ID: {resource}, \
             scalable dimension: {DIMENSION}, policy name: {name}"
        )));
    };
    cloudwatch::remove(world, &policy.alarms);
    done()
}
