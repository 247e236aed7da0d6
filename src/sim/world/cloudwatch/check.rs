//! What PutMetricAlarm refuses.

use super::refused;
use crate::sim::world::Refusal;
use crate::sim::world::input::{decimal, flag, list, number, required, text};
use serde_json::Value;

const COMPARISONS: [&str; 7] = [
    "GreaterThanOrEqualToThreshold",
    "GreaterThanThreshold",
    "LessThanThreshold",
    "LessThanOrEqualToThreshold",
    "LessThanLowerOrGreaterThanUpperThreshold",
    "LessThanLowerThreshold",
    "GreaterThanUpperThreshold",
];
const MISSING: [&str; 4] = ["breaching", "notBreaching", "ignore", "missing"];
const STATISTICS: [&str; 5] = ["SampleCount", "Average", "Sum", "Minimum", "Maximum"];
const ACTIONS_MAX: usize = 5;
const DIMENSIONS_MAX: usize = 30;
const DAY: i64 = 86_400;

/// Checks the settings of an alarm.
pub fn alarm(input: &Value) -> Result<(), Refusal> {
    required(input, "AlarmName", "ValidationError")?;
    for (name, most) in
        [("OKActions", ACTIONS_MAX), ("AlarmActions", ACTIONS_MAX), ("InsufficientDataActions", ACTIONS_MAX)]
    {
        sized(input, name, most)?;
    }
    sized(input, "Dimensions", DIMENSIONS_MAX)?;
    one_of(input, "ComparisonOperator", &COMPARISONS)?;
    one_of(input, "TreatMissingData", &MISSING)?;
    one_of(input, "Statistic", &STATISTICS)?;
    match exactly_one(input, &["MetricName", "Metrics", "EvaluationCriteria"])? {
        "EvaluationCriteria" => return Ok(()),
        "MetricName" => {
            exactly_one(input, &["Statistic", "ExtendedStatistic"])?;
            for name in ["Namespace", "Period"] {
                present(input, name)?;
            }
        }
        _ => metrics(list(input, "Metrics"))?,
    }
    for name in ["EvaluationPeriods", "ComparisonOperator"] {
        present(input, name)?;
    }
    if decimal(input, "Threshold").is_none() == text(input, "ThresholdMetricId").is_none() {
        return Err(refused("You must specify exactly one of Threshold and ThresholdMetricId"));
    }
    periods(input)
}

fn sized(input: &Value, name: &str, most: usize) -> Result<(), Refusal> {
    let fits = list(input, name).len() <= most;
    if fits { Ok(()) } else { Err(refused(format!("{name} must have length less than or equal to {most}"))) }
}

fn one_of(input: &Value, name: &str, known: &[&str]) -> Result<(), Refusal> {
    match text(input, name) {
        Some(value) if !known.contains(&value) => {
            let known = known.join(", ");
            Err(refused(format!("Value '{value}' at '{name}' must satisfy enum value set: [{known}]")))
        }
        _ => Ok(()),
    }
}

fn present(input: &Value, name: &str) -> Result<(), Refusal> {
    let given = text(input, name).is_some() || number(input, name).is_some();
    if given { Ok(()) } else { Err(refused(format!("The parameter {name} is required."))) }
}

fn exactly_one<'n>(input: &Value, names: &[&'n str]) -> Result<&'n str, Refusal> {
    let given = |name: &&&str| {
        let value = &input[**name];
        !(value.is_null() || *value == "" || value.as_array().is_some_and(Vec::is_empty))
    };
    let given: Vec<_> = names.iter().filter(given).collect();
    let message = format!("You must specify exactly one of {}", names.join(", "));
    match given.as_slice() {
        [one] => Ok(one),
        [] => Err(refused(message)),
        _ => Err(Refusal::new("InvalidParameterCombination", message)),
    }
}

fn metrics(metrics: &[Value]) -> Result<(), Refusal> {
    let returning = metrics.iter().filter(|metric| flag(metric, "ReturnData").unwrap_or(true)).count();
    if returning == 1 { Ok(()) } else { Err(refused("Exactly one element of the metrics list should return data.")) }
}

/// "Valid values are 10, 20, 30, and any multiple of 60" (Period); seven days at most, one where a period is below an
/// hour (EvaluationPeriods).
fn periods(input: &Value) -> Result<(), Refusal> {
    let evaluated = number(input, "EvaluationPeriods").unwrap_or_default();
    if evaluated < 1 {
        return Err(refused("EvaluationPeriods must be greater than or equal to 1"));
    }
    if !number(input, "DatapointsToAlarm").is_none_or(|points| (1..=evaluated).contains(&points)) {
        return Err(refused("DatapointsToAlarm must be between 1 and EvaluationPeriods"));
    }
    let Some(period) = number(input, "Period") else { return Ok(()) };
    if !(matches!(period, 10 | 20 | 30) || period > 0 && period % 60 == 0) {
        return Err(refused("Period must be 10, 20, 30 or a multiple of 60"));
    }
    let most = if period < 3600 { DAY } else { 7 * DAY };
    if period.saturating_mul(evaluated) > most {
        let message = format!("Metrics cannot be checked across more than {most} seconds (EvaluationPeriods * Period)");
        return Err(refused(message));
    }
    Ok(())
}
