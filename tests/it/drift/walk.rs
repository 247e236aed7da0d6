//! Every declared setting of every example, changed from outside and put back.
//!
//! The list of settings is not written here: it is what the examples declare, as `driftless render` prints it. What can be
//! done to each, and which call puts it back, is the table of [`super::change`]; a setting that is in no table fails.

use super::change::{FIXED, Kind, ROWS, Row, identity, kind_of, made, name_of, outside};
use super::live::{Everything, everything, text};
use super::{QUIET_PASSES, Stage};
use crate::support::{Account, Entry, Repository, Writes, assert_quiet, driftless};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

#[test]
fn every_field_of_connections_is_put_back() {
    every_declared_field("connections", 32, |_| {});
}

#[test]
fn every_field_of_convergence_website_is_put_back() {
    every_declared_field("convergence-website", 47, |_| {});
}

#[test]
fn every_field_of_messenger_is_put_back() {
    every_declared_field("messenger", 16, |_| {});
}

/// With what no example has: a scheduled action, attributes of a listener, a description in Cloud Map.
#[test]
fn every_field_of_phoenix_is_put_back() {
    every_declared_field("phoenix", 40, |repository| {
        repository.edit(
            "services/phoenix-kata.yaml",
            "  maxCapacity: 4\n",
            concat!(
                "  maxCapacity: 4\n",
                "  schedules:\n",
                "    night:\n",
                "      schedule: cron(0 1 * * ? *)\n",
                "      timezone: Europe/Berlin\n",
                "      scalableTargetAction: { minCapacity: 1, maxCapacity: 2 }\n",
            ),
        );
        repository.edit(
            "services/phoenix-mongo-db.yaml",
            "  namespace: local\n",
            "  namespace: local\n  description: the database\n",
        );
        repository.edit(
            "environment.yaml",
            "        protocol: HTTP\n",
            "        protocol: HTTP\n        attributes: { routing.http.response.server.enabled: \"false\" }\n",
        );
    });
}

#[test]
fn every_field_of_windingtree_is_put_back() {
    every_declared_field("windingtree", 20, |_| {});
}

/// One declared setting of one thing.
#[derive(Clone)]
struct Leaf {
    /// The thing, as [`Everything`] names it.
    name: String,
    /// From the thing's document, as `/deploymentConfiguration/maximumPercent`.
    at: String,
    row: &'static Row,
    /// What git says, for an attribute.
    declared: Value,
    /// Certificates that go with a listener that is no longer HTTPS.
    beside: usize,
}

/// Every distinct setting that an example declares is changed from outside, in one of the things that declare it, and each
/// is put back by one call of its kind that carries nothing else.
fn every_declared_field(example: &str, expected: usize, change: impl FnOnce(&Repository)) {
    let began = Instant::now();
    // Independent emulators: the story is what AWS makes of each call.
    let stage = Stage::on(Account::start_brisk(example), example, |repository| {
        change(repository);
        repository.sync("{ minInterval: 1s }");
    });
    let account = &stage.account;
    let applied = account.writes();
    let units = stage.services();
    let units: Vec<&str> = units.iter().map(String::as_str).collect();
    let theirs = account.aws(&["acm", "request-certificate", "--domain-name", "somebody.else.example.com"]);
    let theirs = text(&theirs, "CertificateArn");
    let before = everything(account, &stage.cluster, &units);
    let leaves = declared(&stage, &before);
    let count = leaves.len();
    for round in rounds(leaves) {
        let written = account.writes().len();
        let commands: Vec<_> =
            round.iter().map(|leaf| outside(leaf.row, &leaf.at, &before[&leaf.name], &stage.cluster, theirs)).collect();
        account.aws_all(&commands);
        let what: Vec<String> = round.iter().map(|leaf| format!("{} {}", leaf.name, leaf.at)).collect();
        let calls = round.iter().map(|leaf| 1 + leaf.beside).sum();
        let writes = stage.put_back(&what.join(" and "), calls, written);
        for leaf in &round {
            assert_put_back(leaf, &writes, &before[&leaf.name], &applied.0);
        }
        assert_eq!(writes.len(), calls, "one call for each of {what:#?}:\n{}", writes.text());
    }
    assert_quiet(account, &stage.daemon, QUIET_PASSES);
    let after = everything(account, &stage.cluster, &units);
    for (name, before) in &before {
        assert_eq!(after.get(name), Some(before), "{name} is as it was");
    }
    assert_eq!(after.len(), before.len(), "nothing came beside it");
    assert_eq!(count, expected, "fields of {example}");
    println!("{example}: {count} fields in {:.0} s", began.elapsed().as_secs_f64());
    stage.daemon.stop();
}

/// A round is one change in each of the things, side by side.
fn rounds(leaves: Vec<Leaf>) -> Vec<Vec<Leaf>> {
    // ECS refuses whatever is done to a service whose target group has lost its rule: that has a round of its own.
    let (alone, others): (Vec<Leaf>, Vec<Leaf>) = leaves.into_iter().partition(|leaf| leaf.at == "/Actions");
    let mut queues: BTreeMap<String, Vec<Leaf>> = BTreeMap::new();
    for leaf in others {
        queues.entry(leaf.name.clone()).or_default().push(leaf);
    }
    let mut rounds = vec![alone];
    while queues.values().any(|queue| !queue.is_empty()) {
        rounds.push(queues.values_mut().filter_map(Vec::pop).collect());
    }
    rounds
}

#[track_caller]
fn assert_put_back(leaf: &Leaf, writes: &Writes, before: &Value, applied: &[Entry]) {
    let (row, at) = (leaf.row, leaf.at.as_str());
    let what = format!("{} {at}", leaf.name);
    let id = Value::from(identity(row.kind, before)).to_string();
    let of_it: Vec<&Entry> =
        writes.of(row.by).into_iter().filter(|write| write.input.to_string().contains(&id)).collect();
    let [update] = of_it[..] else { panic!("{what}: not one {} of {id}:\n{}", row.by, writes.text()) };
    assert_eq!(update.status, 200, "{what}: {}", update.input);
    if !row.sent.is_empty() {
        let mut sent = row.sent.to_vec();
        sent.sort_unstable();
        assert_eq!(top_fields(update), sent, "{what}: {}", update.input);
    }
    let member = |path: &str| update.input[path].clone();
    if let Some(key) = at.strip_prefix("/attributes/") {
        assert_eq!(member("Attributes.member.1.Key"), key, "{what}: {}", update.input);
        assert_eq!(member("Attributes.member.1.Value"), leaf.declared, "{what}: {}", update.input);
        assert_eq!(member("Attributes.member.2.Key"), Value::Null, "{what}: {}", update.input);
        return;
    }
    match at {
        "/Certificates/1" => {
            let declared = &before["Certificates"][1]["CertificateArn"];
            return assert_eq!(&member("Certificates.member.1.CertificateArn"), declared, "{what}: {}", update.input);
        }
        "/Priority" => {
            return assert_eq!(
                member("RulePriorities.member.1.Priority"),
                before["Priority"],
                "{what}: {}",
                update.input
            );
        }
        _ => {}
    }
    let made = made(row.kind, before, applied).unwrap_or_else(|| panic!("{what} was not made"));
    let within = if row.kind == Kind::Discovery { "/Service" } else { "" };
    let declared = part(made, at);
    assert!(!declared.is_null(), "{what} is not in {}", made.input);
    assert_eq!(part(update, &format!("{within}{at}")), declared, "{what}: {}", update.input);
    if matches!(row.kind, Kind::Policy | Kind::Alarm | Kind::Schedule) {
        // Such a call replaces all of it.
        for (field, value) in made.input.as_object().unwrap().iter().filter(|(field, _)| *field != "Tags") {
            assert!(contains(&update.input[field], value), "{what}: {field}: {}", update.input);
        }
    }
}

/// Whether `value` has at least what `part` has.
fn contains(value: &Value, part: &Value) -> bool {
    match (value, part) {
        (Value::Object(value), Value::Object(part)) => {
            part.iter().all(|(field, part)| value.get(field).is_some_and(|value| contains(value, part)))
        }
        _ => value == part,
    }
}

/// The fields of an input, of ELB's too, whose names are whole ways: `Matcher.HttpCode`.
fn top_fields(write: &Entry) -> Vec<&str> {
    let fields: BTreeSet<&str> =
        write.fields().into_iter().map(|field| field.split('.').next().unwrap_or(field)).collect();
    fields.into_iter().collect()
}

/// What an input has at a place; null where it has nothing.
fn part(write: &Entry, at: &str) -> Value {
    if write.service != "elasticloadbalancing" {
        return write.input.pointer(at).cloned().unwrap_or_default();
    }
    let way = at[1..].replace('/', ".");
    let all = write.input.as_object().into_iter().flatten();
    let inside =
        all.filter(|(name, _)| name.strip_prefix(&way).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')));
    let inside: Map<String, Value> = inside.map(|(name, value)| (name.clone(), value.clone())).collect();
    if inside.is_empty() { Value::Null } else { Value::Object(inside) }
}

/// The settings that an example declares, a list being one. Where several things of a kind declare the same one it is
/// taken from the one that has the fewest so far; of listeners it is taken from each.
fn declared(stage: &Stage, all: &Everything) -> Vec<Leaf> {
    let folder = stage.repository.environment();
    let arguments = ["render", "--path", folder.to_str().unwrap(), "--output", "json"];
    let rendered = driftless(&stage.account, &arguments).assert_status(0);
    let rendered: Value = serde_json::from_str(&rendered.stdout).unwrap();
    let mut by_setting: BTreeMap<(Kind, String, String), Vec<Leaf>> = BTreeMap::new();
    for (unit, sections) in rendered["services"].as_object().unwrap() {
        for (section, document) in sections.as_object().unwrap() {
            let Some(kind) = kind_of(section) else { continue };
            let name = name_of(kind, unit, section, document, all);
            assert!(all.contains_key(&name), "{section} of {unit}: no {name} in {:#?}", all.keys());
            let (mut found, certificates) = (Vec::new(), document["Certificates"].as_array().map_or(1, Vec::len));
            leaves("", document, &mut found);
            found.extend((1..certificates).map(|at| (format!("/Certificates/{at}"), Value::Null)));
            for (at, declared) in found {
                if FIXED.iter().any(|(fixed, field, _)| *fixed == kind && *field == at) {
                    continue;
                }
                let is_it = |row: &&Row| {
                    row.kind == kind && (row.at == at || (row.at.ends_with('/') && at.starts_with(row.at)))
                };
                let row = ROWS.iter().find(is_it);
                let row = row
                    .unwrap_or_else(|| panic!("{name} {at} is in no table: say what changes it, or why nothing can"));
                let of = if kind == Kind::Listener { name.clone() } else { String::new() };
                let beside = if at == "/Protocol" && kind == Kind::Listener { certificates - 1 } else { 0 };
                let leaf = Leaf { name: name.clone(), at: at.clone(), row, declared, beside };
                by_setting.entry((kind, of, at)).or_default().push(leaf);
            }
        }
    }
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut chosen = Vec::new();
    for leaves in by_setting.into_values() {
        let count = |leaf: &Leaf| counts.get(&leaf.name).copied().unwrap_or_default();
        let leaf = leaves.into_iter().min_by_key(count).unwrap();
        *counts.entry(leaf.name.clone()).or_default() += 1;
        chosen.push(leaf);
    }
    chosen
}

fn leaves(at: &str, value: &Value, found: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| leaves(&format!("{at}/{key}"), value, found)),
        _ => found.push((at.to_owned(), value.clone())),
    }
}
