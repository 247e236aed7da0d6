//! Alarms on the CPU of a service that has a load, looked at once a minute.
//!
//! M out of N datapoints (guide, "Evaluating an alarm"). A look is a datapoint, whatever the period.

use super::Alarm;
use crate::sim::world::World;
use crate::sim::world::input::{decimal, list, number, text};
use crate::sim::world::scaling::{self, Alarmed};
use jiff::Timestamp;
use serde_json::{Value, json};

/// Looks at every alarm whose metric is known, and tells which of them call their actions: all that are in the state
/// ALARM, once a minute as long as they are ("How CloudWatch alarms invoke Auto Scaling actions").
pub fn look(world: &mut World) -> Vec<Alarmed> {
    let now = world.now();
    let known: Vec<_> = world
        .cloudwatch
        .alarms
        .iter()
        .filter_map(|(name, alarm)| Some((name.clone(), scaling::average(world, &watched(&alarm.document)?)?)))
        .collect();
    let mut alarmed = Vec::new();
    for (name, value) in known {
        let Some(alarm) = world.cloudwatch.alarms.get_mut(&name) else { continue };
        alarm.see(value, now);
        if alarm.state == "ALARM" {
            alarmed.extend(alarm.calls(&name, value));
        }
    }
    alarmed
}

/// The resource id of the service whose CPU an alarm watches. Every task is as busy as the next, so that the average is
/// the maximum as well.
pub fn watched(alarm: &Value) -> Option<String> {
    let metric = (text(alarm, "Namespace")?, text(alarm, "MetricName")?);
    if metric != ("AWS/ECS", "CPUUtilization") || matches!(text(alarm, "Statistic"), Some("Sum" | "SampleCount")) {
        return None;
    }
    let dimensions = list(alarm, "Dimensions");
    let named = |name: &str| dimensions.iter().find(|dimension| dimension["Name"] == name)?["Value"].as_str();
    let (cluster, service) = (named("ClusterName")?, named("ServiceName")?);
    (dimensions.len() == 2).then(|| format!("service/{cluster}/{service}"))
}

impl Alarm {
    fn see(&mut self, value: Option<f64>, now: Timestamp) {
        let count = |name| number(&self.document, name).and_then(|count| usize::try_from(count).ok()).unwrap_or(1);
        let (points, periods) =
            if self.eager { (1, 1) } else { (count("DatapointsToAlarm"), count("EvaluationPeriods")) };
        self.seen.push_back(value);
        while self.seen.len() > periods {
            self.seen.pop_front();
        }
        let Some(threshold) = decimal(&self.document, "Threshold") else { return };
        let missing = text(&self.document, "TreatMissingData").unwrap_or_default();
        let breaches = |seen: &&Option<f64>| match seen {
            Some(value) => breaches(text(&self.document, "ComparisonOperator"), *value, threshold),
            None => missing == "breaching",
        };
        let breaching = self.seen.iter().filter(breaches).count();
        let blind = self.seen.iter().all(Option::is_none);
        let state = match missing {
            _ if breaching >= points => "ALARM",
            // Too few datapoints yet, none of which speaks against it.
            _ if breaching == self.seen.len() => return,
            "ignore" if blind => return,
            "missing" if blind => "INSUFFICIENT_DATA",
            _ => "OK",
        };
        if state != self.state {
            let (reason, data) = self.told(state, breaching, threshold, now);
            self.turn(state, reason, Some(data), now);
        }
    }

    /// Reason and data in the way of AWS's.
    fn told(&self, state: &str, breaching: usize, threshold: f64, now: Timestamp) -> (String, String) {
        let values: Vec<_> = self.seen.iter().filter_map(|seen| *seen).collect();
        let reason = match state {
            "INSUFFICIENT_DATA" => "Insufficient Data: no datapoints were received".to_owned(),
            "ALARM" => format!(
                "Threshold Crossed: {breaching} out of the last {} datapoints {values:?} breached \
             the threshold ({threshold:?}).",
                self.seen.len()
            ),
            _ => format!(
                "Threshold Crossed: {} out of the last {} datapoints {values:?} did not breach \
             the threshold ({threshold:?}).",
                self.seen.len() - breaching,
                self.seen.len()
            ),
        };
        let data = json!({
            "version": "1.0", "queryDate": now.strftime("%Y-%m-%dT%H:%M:%S.000+0000").to_string(),
            "statistic": self.document["Statistic"], "period": self.document["Period"],
            "recentDatapoints": values, "threshold": threshold,
        });
        (reason, data.to_string())
    }
}

fn breaches(comparison: Option<&str>, value: f64, threshold: f64) -> bool {
    match comparison {
        Some("GreaterThanOrEqualToThreshold") => value >= threshold,
        Some("GreaterThanThreshold") => value > threshold,
        Some("LessThanThreshold") => value < threshold,
        Some("LessThanOrEqualToThreshold") => value <= threshold,
        // Bands of anomaly detection are not simulated.
        _ => false,
    }
}
