//! `sync`: how far driftless acts by itself.

use super::{Mode, Section, Sync};
use crate::core::document::check::{closest, duration, expected};
use crate::core::document::{Node, Tree};
use crate::core::problem::{self, Problem};
use crate::core::window::{self, Rule, Span, Window};
use jiff::tz::TimeZone;
use std::collections::BTreeSet;

/// Reads the section.
pub fn sync(node: Option<&Node>, problems: &mut Vec<Problem>) -> Sync {
    let default = Sync::default();
    let Some(node) = node else { return default };
    let mode = match node.get("mode").and_then(Node::as_text) {
        Some("manual") => Mode::Manual,
        Some("detect") => Mode::Detect,
        _ => Mode::Auto,
    };
    let reported = node.get("drift").map(|drift| reported(drift, problems)).unwrap_or_default();
    let windows = node.get("windows").map(Node::items).unwrap_or_default();
    let windows = windows.iter().filter_map(|node| read_window(node, problems)).collect();
    let flag = |name: &str, otherwise: bool| node.get(name).and_then(Node::as_bool).unwrap_or(otherwise);
    let min_interval = node.get("minInterval").and_then(Node::as_text).and_then(duration);
    let ignore = node.get("ignore").map(Node::items).unwrap_or_default();
    Sync {
        mode,
        reported,
        min_interval: min_interval.unwrap_or(default.min_interval),
        strict: flag("strict", default.strict),
        prune: flag("prune", default.prune),
        windows,
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

/// `{ deny: "fri 16:00-mon 08:00", timezone: Europe/Paris }`: one of deny and allow, and whose clocks it means.
fn read_window(node: &Node, problems: &mut Vec<Problem>) -> Option<Window> {
    let rules = [("deny", Rule::Deny), ("allow", Rule::Allow)];
    let given: Vec<_> = rules.into_iter().filter_map(|(key, rule)| Some((key, rule, node.get(key)?))).collect();
    let zone = match node.get("timezone") {
        Some(named) => read_zone(named, problems),
        None => Some(TimeZone::UTC),
    };
    let [(key, rule, written)] = given[..] else {
        problems.push(expected(node, "exactly one of `deny` and `allow`"));
        return None;
    };
    // What is no text at all is said where the shape is checked.
    let span = Span::of(written.as_text()?);
    if span.is_none() {
        let message = format!("`{key}` is no time of the week: {}", written.words());
        let problem = Problem::error(problem::WINDOW, &written.place, message);
        problems.push(problem.help(format!("write {}; a whole day is 00:00-24:00", window::EXAMPLES)));
    }
    Some(Window { rule, span: span?, zone: zone? })
}

fn read_zone(node: &Node, problems: &mut Vec<Problem>) -> Option<TimeZone> {
    let text = node.as_text()?;
    let zone = window::zone(text);
    if zone.is_none() {
        let names = window::zones();
        let help = match closest(text, names.iter().map(String::as_str)) {
            Some(name) => format!("did you mean {name}?"),
            None => "write a name of the IANA database, as Europe/Paris or UTC".to_owned(),
        };
        let message = format!("there is no time zone {}", node.words());
        problems.push(Problem::error(problem::WINDOW, &node.place, message).help(help));
    }
    zone
}
