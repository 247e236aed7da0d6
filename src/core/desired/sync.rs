//! `sync`: how far driftless acts by itself.

use super::{Mode, Section, Sync};
use crate::core::document::check::{duration, expected};
use crate::core::document::{Node, Place, Tree};
use crate::core::problem::{self, Problem};
use std::collections::BTreeSet;

/// Reads the section; what is valid and not acted on by this version is added to `idle`.
pub fn sync(node: Option<&Node>, idle: &mut Vec<(&'static str, Place)>, problems: &mut Vec<Problem>) -> Sync {
    let default = Sync::default();
    let Some(node) = node else { return default };
    let mode = match node.get("mode").and_then(Node::as_text) {
        Some("manual") => Mode::Manual,
        Some("detect") => Mode::Detect,
        _ => Mode::Auto,
    };
    let reported = node.get("drift").map(|drift| reported(drift, problems)).unwrap_or_default();
    if let Some(entry) = node.entry("windows").filter(|entry| !entry.node.items().is_empty()) {
        idle.push(("sync.windows", entry.key_place.clone()));
    }
    for window in node.get("windows").map(Node::items).unwrap_or_default() {
        check_window(window, problems);
    }
    let flag = |name: &str, otherwise: bool| node.get(name).and_then(Node::as_bool).unwrap_or(otherwise);
    let min_interval = node.get("minInterval").and_then(Node::as_text).and_then(duration);
    let ignore = node.get("ignore").map(Node::items).unwrap_or_default();
    Sync {
        mode,
        reported,
        min_interval: min_interval.unwrap_or(default.min_interval),
        strict: flag("strict", default.strict),
        prune: flag("prune", default.prune),
        ignore: ignore.iter().filter_map(Node::as_text).map(str::to_owned).collect(),
    }
}

/// `drift: report`, or `drift: { rules: report }`: the sections whose drift is only shown.
fn reported(drift: &Node, problems: &mut Vec<Problem>) -> BTreeSet<Section> {
    match drift.as_text() {
        Some("correct") => BTreeSet::new(),
        Some("report") => Section::ALL.iter().copied().collect(),
        _ if matches!(drift.tree, Tree::Map(_)) => reported_sections(drift, problems),
        _ => {
            problems.push(expected(drift, "correct, report, or one of them per resource"));
            BTreeSet::new()
        }
    }
}

fn reported_sections(drift: &Node, problems: &mut Vec<Problem>) -> BTreeSet<Section> {
    let mut reported = BTreeSet::new();
    for entry in drift.entries() {
        let section = Section::ALL.iter().find(|section| section.name() == entry.key);
        if section.is_none() {
            let message = format!("`{}` is no resource of a service", entry.key);
            let names: Vec<&str> = Section::ALL.iter().map(|section| section.name()).collect();
            let problem = Problem::error(problem::UNKNOWN_FIELD, &entry.key_place, message);
            problems.push(problem.help(format!("the resources are {}", names.join(", "))));
        }
        match entry.node.as_text() {
            Some("correct") => {}
            Some("report") => reported.extend(section),
            _ => problems.push(expected(&entry.node, "correct or report")),
        }
    }
    reported
}

/// `{ deny: "fri 16:00-mon 08:00" }`: one of deny and allow, from a time to a time.
fn check_window(window: &Node, problems: &mut Vec<Problem>) {
    let spans: Vec<&Node> = ["deny", "allow"].iter().filter_map(|key| window.get(key)).collect();
    if spans.len() != 1 {
        problems.push(expected(window, "exactly one of `deny` and `allow`"));
    }
    for span in spans.into_iter().filter(|span| !span.as_text().is_some_and(is_span)) {
        problems.push(expected(span, "a span of time, as \"fri 16:00-mon 08:00\" or \"22:00-06:00\""));
    }
}

/// `fri 16:00-mon 08:00`, or `22:00-06:00` for every day.
fn is_span(text: &str) -> bool {
    const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let clock = |text: &str| {
        let number = |part: &str, most: u32| part.len() == 2 && part.parse::<u32>().is_ok_and(|n| n < most);
        text.split_once(':').is_some_and(|(hours, minutes)| number(hours, 24) && number(minutes, 60))
    };
    let moment = |text: &str| match text.split_once(' ') {
        Some((day, time)) => DAYS.contains(&day) && clock(time),
        None => clock(text),
    };
    text.split_once('-').is_some_and(|(from, to)| moment(from) && moment(to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_two_ends() {
        for (text, right) in [
            ("fri 16:00-mon 08:00", true),
            ("22:00-06:00", true),
            ("fri 16:00", false),
            ("fri 24:00-mon 08:00", false),
            ("friday 16:00-mon 08:00", false),
            ("16:0-17:00", false),
        ] {
            assert_eq!(is_span(text), right, "{text}");
        }
    }
}
