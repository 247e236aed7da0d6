//! Lints of scaling: the range, the policies with their alarms, and the schedules.

use super::{Parts, integer, number, text};
use crate::core::document::Node;
use crate::core::problem::{self, Problem};
use std::cmp::Ordering;
use std::collections::BTreeSet;

/// Everything that is to be said of the scaling of one service.
pub fn lint(parts: &Parts<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    problems.extend(fixed_capacity(parts));
    for (name, policy) in &parts.policies {
        let alarm = alarm_of(parts, name);
        problems.extend(fits(name, policy, alarm));
        if let Some(step) = policy.get(STEP) {
            problems.extend(steps(name, step));
        }
        problems.extend(alarm.and_then(alarm_fraction));
        problems.extend(policy.get(TRACKING).and_then(target_fraction));
    }
    problems.extend(dead_band(parts));
    problems.extend(parts.schedules.iter().filter_map(|(name, action)| schedule(name, action)));
    problems
}

const STEP: &str = "StepScalingPolicyConfiguration";
const TRACKING: &str = "TargetTrackingScalingPolicyConfiguration";

/// PutScalingPolicy's policy types with the configuration of each.
const POLICY_TYPES: [(&str, &str); 3] = [
    ("StepScaling", STEP),
    ("TargetTrackingScaling", TRACKING),
    ("PredictiveScaling", "PredictiveScalingPolicyConfiguration"),
];

fn alarm_of<'n>(parts: &Parts<'n>, policy: &str) -> Option<&'n Node> {
    parts.alarms.iter().find(|(name, _)| *name == policy).map(|(_, alarm)| *alarm)
}

/// Policies where there is only one number of tasks. Schedules may change that.
fn fixed_capacity(parts: &Parts<'_>) -> Option<Problem> {
    let scaling = parts.scaling?;
    let (least, most) = (scaling.get("MinCapacity")?, scaling.get("MaxCapacity")?);
    let count = least.as_integer()?;
    if most.as_integer() != Some(count) || parts.policies.is_empty() || !parts.schedules.is_empty() {
        return None;
    }
    let names: Vec<String> = parts.policies.iter().map(|(name, _)| format!("`{name}`")).collect();
    let message = format!(
        "minCapacity and maxCapacity are both {count}: the number of tasks never changes, whatever {} says",
        names.join(" or ")
    );
    let problem = Problem::warning(problem::FIXED_CAPACITY, &least.place, message);
    let help = "raise `maxCapacity`, or take `scaling` away and write `desiredCount`";
    Some(problem.related(&most.place, "maxCapacity").help(help))
}

/// Whether a policy's type, its configuration and its alarm are of one kind.
fn fits(name: &str, policy: &Node, alarm: Option<&Node>) -> Option<Problem> {
    let given: Vec<_> = POLICY_TYPES.iter().filter(|(_, key)| policy.get(key).is_some()).collect();
    let [(kind, key)] = given[..] else {
        let (found, help) = match given[..] {
            [] => ("no configuration", format!("give it one of {}", keys(POLICY_TYPES.iter()))),
            _ => ("more than one configuration", format!("make it one policy for each of {}", keys(given.into_iter()))),
        };
        let message = format!("policy `{name}` has {found}");
        return Some(Problem::error(problem::POLICY, &policy.place, message).help(help));
    };
    let written = policy.get("PolicyType").and_then(|node| Some((node, node.as_text()?)));
    if let Some((node, written)) = written
        && written != *kind
        && POLICY_TYPES.iter().any(|(known, _)| *known == written)
    {
        let message = format!("policy `{name}` has policyType {written} and the configuration of {kind}");
        let help = format!("write `policyType: {kind}`, or another configuration than `{}`", lower(key));
        return Some(Problem::error(problem::POLICY, &node.place, message).help(help));
    }
    match (alarm, *key == STEP) {
        (Some(alarm), false) => {
            let message =
                format!("policy `{name}` has an alarm, and {kind} takes none: only a step policy is triggered by one");
            let help = match *key == TRACKING {
                true => "take `alarm` away: Application Auto Scaling makes the alarms of target tracking itself",
                false => "take `alarm` away",
            };
            Some(Problem::error(problem::POLICY, &alarm.place, message).help(help))
        }
        (None, true) => {
            let message = format!("policy `{name}` has no alarm, and a step policy does nothing until one triggers it");
            let help =
                "write `alarm` with PutMetricAlarm's names; if an alarm made elsewhere triggers it, leave it as it is";
            Some(Problem::warning(problem::NO_ALARM, &policy.place, message).help(help))
        }
        (Some(_), true) | (None, false) => None,
    }
}

fn keys<'k>(types: impl Iterator<Item = &'k (&'k str, &'k str)>) -> String {
    types.map(|(_, key)| format!("`{}`", lower(key))).collect::<Vec<_>>().join(", ")
}

/// AWS's name as it is written in documents.
fn lower(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map_or_else(String::new, |first| format!("{}{}", first.to_ascii_lowercase(), chars.as_str()))
}

/// One step: from and to, relative to the alarm's threshold. An open end is infinite.
struct Step<'n> {
    node: &'n Node,
    from: f64,
    to: f64,
}

impl Step<'_> {
    fn words(&self) -> String {
        match (self.from.is_finite(), self.to.is_finite()) {
            (true, true) => format!("the step from {} to {}", self.from, self.to),
            (true, false) => format!("the step from {} on", self.from),
            (false, true) => format!("the step up to {}", self.to),
            (false, false) => "the step without bounds".to_owned(),
        }
    }
}

/// The rules of StepAdjustment (Application Auto Scaling API reference): no overlap, no gap, an open end below where a
/// step has a negative lower bound and above where one has a positive upper bound, and no step that is open on both sides.
fn steps(name: &str, configuration: &Node) -> Vec<Problem> {
    let wrong = |place: &Node, message: String| Problem::error(problem::STEPS, &place.place, message);
    let mut problems = Vec::new();
    if configuration.get("AdjustmentType").is_none() {
        let message = format!("step policy `{name}` does not say what its adjustments are counted in");
        let help = "write `adjustmentType`: ChangeInCapacity (tasks), PercentChangeInCapacity or ExactCapacity";
        problems.push(wrong(configuration, message).help(help));
    }
    let list = configuration.get("StepAdjustments").map(Node::items).unwrap_or_default();
    if list.is_empty() {
        let message = format!("step policy `{name}` has no step");
        let help = "write `stepAdjustments`, as [{ metricIntervalLowerBound: 0, scalingAdjustment: 1 }]";
        problems.push(wrong(configuration, message).help(help));
        return problems;
    }
    // What is no number is a problem already.
    let bound = |node: &Node, key: &str, open: f64| match node.get(key) {
        None => Some(open),
        Some(_) => number(node, key),
    };
    let steps: Option<Vec<Step<'_>>> = list
        .iter()
        .map(|node| {
            let from = bound(node, "MetricIntervalLowerBound", f64::NEG_INFINITY)?;
            Some(Step { node, from, to: bound(node, "MetricIntervalUpperBound", f64::INFINITY)? })
        })
        .collect();
    let Some(mut steps) = steps else { return problems };
    let before = problems.len();
    for step in &steps {
        if step.from.is_infinite() && step.to.is_infinite() {
            let message = format!("a step of policy `{name}` has neither a lower nor an upper bound");
            let help = "write `metricIntervalLowerBound: 0` for values above the alarm's threshold, `metricIntervalUpperBound: 0` for those below";
            problems.push(wrong(step.node, message).help(help));
        } else if step.from >= step.to {
            let message = format!("policy `{name}`: {} holds no value", step.words());
            problems.push(wrong(step.node, message).help("a lower bound is less than the upper one"));
        }
    }
    if problems.len() > before {
        return problems;
    }
    steps.sort_by(|a, b| (a.from, a.to).partial_cmp(&(b.from, b.to)).unwrap_or(Ordering::Equal));
    for pair in steps.windows(2) {
        let [lower, upper] = pair else { continue };
        let what = match lower.to.partial_cmp(&upper.from) {
            Some(Ordering::Greater) => "overlap",
            Some(Ordering::Less) => "leave a gap",
            Some(Ordering::Equal) | None => continue,
        };
        let message = format!("policy `{name}`: {} and {} {what}", lower.words(), upper.words());
        let problem = wrong(upper.node, message).related(&lower.node.place, "the step below");
        problems.push(problem.help("let each step begin where the one below it ends"));
    }
    let (lowest, highest) = (&steps[0], &steps[steps.len() - 1]);
    if lowest.from.is_finite() && lowest.from < 0.0 {
        let message = format!("policy `{name}`: no step says what happens below {}", lowest.from);
        problems.push(wrong(lowest.node, message).help("leave the lowest step's `metricIntervalLowerBound` out"));
    }
    if highest.to.is_finite() && highest.to > 0.0 {
        let message = format!("policy `{name}`: no step says what happens from {} on", highest.to);
        problems.push(wrong(highest.node, message).help("leave the highest step's `metricIntervalUpperBound` out"));
    }
    problems
}

/// Metrics of the namespace AWS/ECS that are percentages.
const PERCENTAGES: [&str; 2] = ["CPUUtilization", "MemoryUtilization"];

fn alarm_fraction(alarm: &Node) -> Option<Problem> {
    let metric = percentage(alarm)?;
    // How many samples there are is no percentage.
    let counted = text(alarm, "Statistic") == Some("SampleCount");
    fraction(metric, "threshold", alarm.get("Threshold").filter(|_| !counted)?, number(alarm, "Threshold")?)
}

fn target_fraction(configuration: &Node) -> Option<Problem> {
    let predefined = configuration.get("PredefinedMetricSpecification");
    let metric = match predefined.and_then(|node| text(node, "PredefinedMetricType")) {
        Some("ECSServiceAverageCPUUtilization") => "CPUUtilization",
        Some("ECSServiceAverageMemoryUtilization") => "MemoryUtilization",
        Some(_) => return None,
        None => percentage(configuration.get("CustomizedMetricSpecification")?)?,
    };
    fraction(metric, "targetValue", configuration.get("TargetValue")?, number(configuration, "TargetValue")?)
}

/// The percentage that an alarm or a specification watches.
fn percentage(node: &Node) -> Option<&str> {
    let name = text(node, "MetricName").filter(|name| PERCENTAGES.contains(name))?;
    (text(node, "Namespace") == Some("AWS/ECS")).then_some(name)
}

fn fraction(metric: &str, key: &str, node: &Node, value: f64) -> Option<Problem> {
    if value <= 0.0 || value >= 1.0 {
        return None;
    }
    let percent = (value * 10_000.0).round() / 100.0;
    let message =
        format!("{metric} is a percentage: {key} {value} is {value} %, which nearly every running task exceeds");
    Some(Problem::warning(problem::FRACTION, &node.place, message).help(format!("for {percent} % write {percent}")))
}

/// Where a step policy begins to act.
struct Turn<'n> {
    policy: &'n str,
    alarm: &'n Node,
    metric: &'n str,
    /// Whether it adds tasks.
    adds: bool,
    /// Whether it acts on values above `value`, or on those below.
    above: bool,
    value: f64,
}

impl<'n> Turn<'n> {
    /// Nothing when the policy does not always add or always take away, or its alarm does not compare one metric with
    /// one value.
    fn of(parts: &Parts<'n>, policy: &'n str, node: &'n Node) -> Option<Self> {
        let (configuration, alarm) = (node.get(STEP)?, alarm_of(parts, policy)?);
        if !matches!(text(configuration, "AdjustmentType"), Some("ChangeInCapacity" | "PercentChangeInCapacity")) {
            return None;
        }
        let steps = configuration.get("StepAdjustments").map(Node::items).unwrap_or_default();
        let changes = |step: &&Node| integer(step, "ScalingAdjustment").is_some_and(|change| change != 0);
        let steps: Vec<&Node> = steps.iter().filter(changes).collect();
        let adds = |step: &&Node| integer(step, "ScalingAdjustment").is_some_and(|change| change > 0);
        let all = steps.iter().all(adds);
        if steps.is_empty() || (!all && steps.iter().any(adds)) {
            return None;
        }
        let above = match text(alarm, "ComparisonOperator")? {
            "GreaterThanOrEqualToThreshold" | "GreaterThanThreshold" => true,
            "LessThanOrEqualToThreshold" | "LessThanThreshold" => false,
            _ => return None,
        };
        // The alarm triggers at its threshold; the first step that changes something may begin beyond it.
        let bounds = steps.iter().map(|step| match above {
            true => number(step, "MetricIntervalLowerBound").map_or(0.0, |bound| bound.max(0.0)),
            false => number(step, "MetricIntervalUpperBound").map_or(0.0, |bound| bound.min(0.0)),
        });
        let bound = bounds.reduce(if above { f64::min } else { f64::max })?;
        let metric = text(alarm, "MetricName")?;
        Some(Self { policy, alarm, metric, adds: all, above, value: number(alarm, "Threshold")? + bound })
    }

    fn side(&self) -> &'static str {
        if self.above { "above" } else { "below" }
    }

    /// Whether both watch one metric in one way.
    fn watches_with(&self, other: &Self) -> bool {
        let same = |key: &str| self.alarm.get(key).map(Node::to_value) == other.alarm.get(key).map(Node::to_value);
        let dimensions = |turn: &Self| -> BTreeSet<String> {
            let list = turn.alarm.get("Dimensions").map(Node::items).unwrap_or_default().iter();
            list.map(|dimension| dimension.to_value().to_string()).collect()
        };
        ["Namespace", "MetricName", "Statistic", "ExtendedStatistic"].iter().all(|key| same(key))
            && dimensions(self) == dimensions(other)
    }
}

/// Scaling out and in at one value: each undoes what the other did.
fn dead_band(parts: &Parts<'_>) -> Vec<Problem> {
    let turns: Vec<Turn<'_>> =
        parts.policies.iter().filter_map(|(name, policy)| Turn::of(parts, name, policy)).collect();
    let (adding, taking): (Vec<_>, Vec<_>) = turns.iter().partition(|turn| turn.adds);
    let pairs = adding.into_iter().flat_map(|out| taking.iter().map(move |back| (out, *back)));
    let close = pairs.filter_map(|(out, back)| {
        let (upper, lower) = if out.above { (out, back) } else { (back, out) };
        if out.above == back.above || !out.watches_with(back) || lower.value < upper.value {
            return None;
        }
        let effect = match lower.value > upper.value {
            true => format!("between {} and {} both act", upper.value, lower.value),
            false => format!("a load around {} moves the number of tasks back and forth", out.value),
        };
        let message = format!(
            "`{}` adds tasks {} {} {}, `{}` takes them away {} {}: {effect}",
            out.policy,
            out.side(),
            out.metric,
            out.value,
            back.policy,
            back.side(),
            back.value,
        );
        let place = |turn: &Turn<'_>| turn.alarm.get("Threshold").unwrap_or(turn.alarm).place.clone();
        let problem = Problem::warning(problem::NO_DEAD_BAND, &place(back), message);
        let help = format!(
            "let `{}` begin clearly {} {}, so far that one task more or less does not cross both",
            back.policy,
            back.side(),
            out.value
        );
        Some(problem.related(&place(out), "tasks are added here").help(help))
    });
    close.collect()
}

/// PutScheduledAction, Schedule: "at(yyyy-mm-ddThh:mm:ss)", "rate(value unit)", "cron(fields)".
fn schedule(name: &str, action: &Node) -> Option<Problem> {
    let node = action.get("Schedule")?;
    let written = node.as_text()?;
    let help = wrong_schedule(written)?;
    let message = format!("schedule `{name}` cannot be read: {written:?}");
    Some(Problem::error(problem::SCHEDULE, &node.place, message).help(help))
}

/// What should be written in the place of an expression that is none.
fn wrong_schedule(written: &str) -> Option<String> {
    let inside = |name: &str| written.trim().strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')');
    if let Some(time) = inside("at") {
        let right = time.trim().parse::<jiff::civil::DateTime>().is_ok();
        return (!right).then(|| "a time is written as at(2026-01-31T08:00:00)".to_owned());
    }
    if let Some(rate) = inside("rate") {
        let words: Vec<&str> = rate.split_whitespace().collect();
        let units = ["minute", "minutes", "hour", "hours", "day", "days"];
        let right =
            matches!(words[..], [value, unit] if value.parse().is_ok_and(|n: u32| n > 0) && units.contains(&unit));
        return (!right).then(|| format!("a rate is a whole number and one of {}: rate(12 hours)", units.join(", ")));
    }
    if let Some(cron) = inside("cron") {
        let fields = cron.split_whitespace().count();
        return (fields != 6).then(|| {
            format!("cron has six fields (minutes, hours, day of month, month, day of week, year), as cron(0 20 * * ? *); here are {fields}")
        });
    }
    Some("write at(2026-01-31T08:00:00), rate(12 hours) or cron(0 20 * * ? *)".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::document::Place;
    use serde_json::json;

    #[test]
    fn schedules_are_of_three_kinds() {
        for (written, right) in [
            ("at(2026-01-31T08:00:00)", true),
            ("at(2026-02-30T08:00:00)", false),
            ("at(soon)", false),
            ("rate(1 minute)", true),
            ("rate(12 hours)", true),
            ("rate(0 hours)", false),
            ("rate(1 week)", false),
            ("rate(hours)", false),
            ("cron(0 20 ? * MON-FRI *)", true),
            (" cron(0/15  6 * * ? 2026) ", true),
            ("cron(0 20 * * *)", false),
            ("cron(0 0 20 * * ? *)", false),
            ("cron(0 20 * * ? *", false),
            ("0 20 * * ? *", false),
            ("", false),
        ] {
            assert_eq!(wrong_schedule(written).is_none(), right, "{written:?}");
        }
    }

    /// Lower and upper bounds of the steps; how many problems there are.
    #[test]
    fn steps_meet_and_are_open_at_their_ends() {
        let open = None::<f64>;
        for (bounds, expected) in [
            (vec![(Some(0.0), open)], 0),
            (vec![(open, Some(0.0))], 0),
            (vec![(Some(15.0), open)], 0),
            (vec![(Some(10.0), open), (Some(0.0), Some(10.0))], 0),
            (vec![(open, Some(-10.0)), (Some(-10.0), Some(0.0))], 0),
            (vec![(open, Some(0.0)), (Some(0.0), open)], 0),
            (vec![(open, open)], 1),
            (vec![(Some(0.0), Some(10.0))], 1),
            (vec![(Some(-10.0), Some(0.0))], 1),
            (vec![(Some(0.0), open), (Some(10.0), open)], 1),
            (vec![(open, Some(0.0)), (open, Some(-10.0))], 1),
            (vec![(Some(0.0), Some(10.0)), (Some(20.0), open)], 1),
            (vec![(Some(10.0), Some(0.0))], 1),
            (vec![(Some(-10.0), Some(0.0)), (Some(5.0), Some(10.0))], 3),
        ] {
            let step = |(from, to): &(Option<f64>, Option<f64>)| json!({ "MetricIntervalLowerBound": from, "MetricIntervalUpperBound": to, "ScalingAdjustment": 1 });
            let list: Vec<_> = bounds.iter().map(step).collect();
            let configuration = json!({ "AdjustmentType": "ChangeInCapacity", "StepAdjustments": list });
            let found = steps("out", &Node::of_value(&configuration, &Place::nowhere()));
            assert_eq!(found.len(), expected, "{bounds:?}: {found:?}");
        }
    }

    /// Threshold and first bound of scaling out and in.
    #[test]
    fn the_first_step_that_changes_something_counts() {
        for (out, back, found) in [
            ((60, 0), (60, 0), 1),
            ((60, 0), (40, 0), 0),
            ((50, 0), (60, 0), 1),
            ((50, 10), (50, -10), 0),
            ((50, 10), (60, 0), 1),
        ] {
            let policy = |change: i32, key: &str, bound: i32| {
                let steps = json!([{ key: bound, "ScalingAdjustment": change }, { "ScalingAdjustment": 0 }]);
                json!({ STEP: { "AdjustmentType": "ChangeInCapacity", "StepAdjustments": steps } })
            };
            let alarm = |threshold: i32, operator: &str| json!({ "MetricName": "CPUUtilization", "Threshold": threshold, "ComparisonOperator": operator });
            let node = |value| Node::of_value(&value, &Place::nowhere());
            let (adds, takes) = (
                node(policy(1, "MetricIntervalLowerBound", out.1)),
                node(policy(-1, "MetricIntervalUpperBound", back.1)),
            );
            let (above, below) =
                (node(alarm(out.0, "GreaterThanThreshold")), node(alarm(back.0, "LessThanOrEqualToThreshold")));
            let nothing = Node::empty_map(&Place::nowhere());
            let parts = Parts {
                task_definition: &nothing,
                service: &nothing,
                target_groups: Vec::new(),
                attributes: Vec::new(),
                scaling: None,
                policies: vec![("out", &adds), ("in", &takes)],
                alarms: vec![("out", &above), ("in", &below)],
                schedules: Vec::new(),
                logs: Vec::new(),
                images: None,
            };
            assert_eq!(dead_band(&parts).len(), found, "{out:?}, {back:?}");
        }
    }
}
