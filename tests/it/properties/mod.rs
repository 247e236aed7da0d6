//! Properties of all documents that can be: some hundred of each kind are generated (`generate`, `valid`), by chance but
//! the same ones each time; whole environments of them are applied to an account in memory (`account`, `fill`).
//!
//! A failure names the seed. `PROPERTIES=10000 cargo test --test it properties::` tries more.

mod account;
mod files;
mod fill;
mod generate;
mod valid;

use super::cases;
use account::Account;
use driftless::aws::tables;
use driftless::core::action::Call;
use driftless::core::desired::{Desired, Reading};
use driftless::core::diff::{Differences, Managed, diff};
use driftless::core::id::ServiceName;
use driftless::core::observed::Snapshot;
use driftless::core::plan::{Hold, Inputs, Note, Planned, Policy, ServicePlan, plan};
use driftless::core::shape::{Order, Shape};
use driftless::kind::{
    KINDS, alarm, discovery, listener, rule, scalable_target, scaling_policy, scheduled_action, service, target_group,
    task_definition,
};
use files::Making;
use generate::{Dice, Sort, below};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use valid::sorts;

/// How many documents of each kind, and how many environments.
fn times(default: u64) -> u64 {
    std::env::var("PROPERTIES").ok().and_then(|times| times.parse().ok()).unwrap_or(default)
}

/// The one form of a kind's documents.
fn comparable(sort: &Sort) -> fn(&Value, Shape) -> Value {
    match sort.name {
        "task definition" => task_definition::comparable,
        "service" => service::comparable,
        "target group" => target_group::comparable,
        "rule" => rule::comparable,
        "listener" => listener::comparable,
        "scalable target" => scalable_target::comparable,
        "scaling policy" => scaling_policy::comparable,
        "scheduled action" => scheduled_action::comparable,
        "alarm" => alarm::comparable,
        "Cloud Map service" => discovery::comparable,
        // Retention and key, as they are written.
        "log group" => |document, _| document.clone(),
        other => panic!("{other} has no row"),
    }
}

/// What a kind finds to change where AWS has `live`.
fn differences(sort: &Sort, written: &Value, live: &Value) -> Differences {
    if sort.name == "service" {
        return service::compare(written, live, sort.shape);
    }
    let form = comparable(sort);
    let managed = if sort.name == "task definition" { Managed::Whole } else { Managed::Declared(written) };
    diff("document", sort.shape, managed, &form(written, sort.shape), &form(live, sort.shape))
}

/// Every kind's documents, with the dice that made each.
fn documents(default: u64) -> impl Iterator<Item = (Sort, u64, Value, Dice)> {
    sorts().into_iter().flat_map(move |sort| {
        (0..times(default)).map(move |seed| {
            let mut dice = Dice::new(seed);
            let document = sort.document(&mut dice);
            (sort, seed, document, dice)
        })
    })
}

#[test]
fn the_one_form_of_a_document_is_its_own_one_form() {
    for (sort, seed, document, _) in documents(400) {
        let form = comparable(&sort);
        let once = form(&document, sort.shape);
        let twice = form(&once, sort.shape);
        assert!(once == twice, "{} {seed}: {document:#}\nonce {once:#}\ntwice {twice:#}", sort.name);
        let found = differences(&sort, &document, &document).changes;
        assert!(found.is_empty(), "{} {seed} differs from itself: {found:?}", sort.name);
    }
}

/// One place of a document.
struct Place {
    pointer: String,
    path: String,
    shape: Shape,
    order: Order,
}

/// Every leaf and every list of a document.
fn places(document: &Value, place: Place, leaves: &mut Vec<Place>, lists: &mut Vec<Place>) {
    let Place { pointer, path, shape, order } = place;
    let at = |key: &str| format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
    match (shape, document) {
        (Shape::Struct { .. } | Shape::Union { .. }, Value::Object(map)) => {
            for (name, value) in map {
                let field = shape.field(name).unwrap();
                let path = below(&path, field.name);
                let place = Place { pointer: at(name), path, shape: (field.shape)(), order: field.order };
                places(value, place, leaves, lists);
            }
        }
        (Shape::Map(element), Value::Object(map)) => {
            for (key, value) in map {
                let place = Place { pointer: at(key), path: path.clone(), shape: element(), order: Order::Kept };
                places(value, place, leaves, lists);
            }
        }
        (Shape::List(element), Value::Array(items)) => {
            for (index, item) in items.iter().enumerate() {
                let pointer = at(&index.to_string());
                let place = Place { pointer, path: path.clone(), shape: element(), order: Order::Kept };
                places(item, place, leaves, lists);
            }
            lists.push(Place { pointer, path, shape, order });
        }
        _ => leaves.push(Place { pointer, path, shape, order }),
    }
}

fn all_places(sort: &Sort, document: &Value) -> (Vec<Place>, Vec<Place>) {
    let (mut leaves, mut lists) = (Vec::new(), Vec::new());
    let whole = Place { pointer: String::new(), path: String::new(), shape: sort.shape, order: Order::Kept };
    places(document, whole, &mut leaves, &mut lists);
    (leaves, lists)
}

/// How many leaves of one document are changed, each by itself.
const LEAVES: usize = 12;

/// Changes that are no difference: kind, the beginning of the path, why.
const NOT_SEEN: &[(&str, &str, &str)] = &[
    ("task definition", "tags", "tags belong to the revision; they are compared by themselves"),
    ("service", "tags", "compared by themselves"),
    ("service", "gatewayConnectors", "DescribeServices does not answer it"),
    ("service", "monitoring", "the same"),
    ("service", "platformVersion", "LATEST is any version"),
    ("target group", "Tags", "compared by themselves"),
    ("rule", "Priority", "compared by itself: it may be AWS's to have"),
    ("rule", "Tags", "compared by themselves"),
    ("rule", "Conditions.Field", "the block beside it says the kind as well"),
    ("rule", "Actions.Order", "only which action comes first counts"),
    ("rule", "Actions.ForwardConfig.TargetGroups.Weight", "of one group the weight means nothing"),
    ("rule", "Actions.AuthenticateOidcConfig.ClientSecret", "it never comes back"),
    ("listener", "Tags", "compared by themselves"),
    ("listener", "Certificates", "all but the first are compared by themselves"),
    ("listener", "DefaultActions.Order", "as of a rule"),
    ("listener", "DefaultActions.ForwardConfig.TargetGroups.Weight", "as of a rule"),
    ("listener", "DefaultActions.AuthenticateOidcConfig.ClientSecret", "as of a rule"),
    ("scalable target", "RoleARN", "it is the service-linked one whatever is sent"),
    ("scalable target", "Tags", "compared by themselves"),
    ("alarm", "Tags", "compared by themselves"),
    ("Cloud Map service", "Name", "its identity"),
    ("Cloud Map service", "Tags", "compared by themselves"),
];

#[test]
fn a_change_of_any_one_field_is_seen() {
    let (mut changed, mut unseen) = (0, BTreeMap::new());
    let mut paths = BTreeSet::new();
    for (sort, seed, document, mut dice) in documents(400) {
        // A large document has some hundred leaves; over all seeds each of them has its turn.
        let mut leaves = all_places(&sort, &document).0;
        dice.shuffle(&mut leaves);
        for Place { pointer, path, shape, .. } in leaves.into_iter().take(LEAVES) {
            let value = document.pointer(&pointer).unwrap();
            let Some(other) = sort.another(&path, shape, value, &mut dice) else { continue };
            let mut written = document.clone();
            *written.pointer_mut(&pointer).unwrap() = other.clone();
            changed += 1;
            if differences(&sort, &written, &document).changes.is_empty() {
                let row = NOT_SEEN.iter().position(|(kind, at, _)| *kind == sort.name && path.starts_with(at));
                let said =
                    format!("{} {seed}: {pointer}: {other} instead of {value} is not seen\n{document:#}", sort.name);
                assert!(row.is_some(), "{said}");
                *unseen.entry(row).or_insert(0) += 1;
            }
            paths.insert((sort.name, path));
        }
    }
    println!("{changed} changes of {} fields, {} of them not seen", paths.len(), unseen.values().sum::<i32>());
    let gone: Vec<_> = NOT_SEEN.iter().enumerate().filter(|(at, _)| !unseen.contains_key(&Some(*at))).collect();
    assert!(gone.is_empty(), "seen after all, take the rows out: {gone:?}");
}

/// Lists whose order a kind knows better than the shape: whether it counts.
const ORDER_KNOWN_BETTER: &[(&str, &str, bool, &str)] = &[
    ("rule", "Actions", false, "the actions say their order themselves, in `Order`"),
    ("listener", "DefaultActions", false, "the same"),
    ("listener", "Certificates", true, "the first one is the default"),
];

#[test]
fn the_order_of_sets_does_not_matter_and_that_of_lists_does() {
    let (mut sets, mut kept) = (0, 0);
    for (sort, seed, document, _) in documents(300) {
        let form = comparable(&sort);
        let straight = form(&document, sort.shape);
        for Place { pointer, path, order, .. } in all_places(&sort, &document).1 {
            let mut turned = document.clone();
            let items = turned.pointer_mut(&pointer).unwrap().as_array_mut().unwrap();
            items.reverse();
            let top = path.split('.').next().unwrap_or_default();
            if turned == document || straight.get(top).is_none() {
                continue;
            }
            let row = ORDER_KNOWN_BETTER.iter().find(|(kind, at, ..)| (*kind, *at) == (sort.name, path.as_str()));
            let counts = row.map_or(order == Order::Kept, |(_, _, counts, _)| *counts);
            let found = !differences(&sort, &turned, &document).changes.is_empty();
            assert!(found == counts, "{} {seed}: {pointer} turned round, counts: {counts}\n{document:#}", sort.name);
            assert!((form(&turned, sort.shape) != straight) == counts, "{} {seed}: {pointer}", sort.name);
            if counts {
                kept += 1;
            } else {
                sets += 1;
            }
        }
    }
    println!("{sets} sets and keyed lists, {kept} ordered lists");
    assert!(sets > 1000 && kept > 100, "{sets} {kept}");
}

/// One service's plan, made as the daemon makes it.
fn planned(desired: &Desired, account: &mut Account, name: &ServiceName) -> ServicePlan {
    let (shapes, memory) = (tables::shapes(), BTreeMap::new());
    let mut snapshot = Snapshot::new(cases::now());
    for _ in 0..12 {
        let inputs = Inputs {
            desired,
            revision: None,
            snapshot: &snapshot,
            shapes: &shapes,
            policy: Policy { asked: true, ..Policy::default() },
            memory: &memory,
            kinds: KINDS,
            rolled_back: &BTreeMap::new(),
            now: cases::now(),
        };
        match plan(&inputs, Some(&BTreeSet::from([name.clone()]))) {
            Planned::Plan(plan) => return plan.services.into_iter().next().unwrap(),
            Planned::Wanted(wanted) => {
                for id in wanted {
                    let seen = account.look(&id);
                    snapshot.set(id, seen);
                }
            }
        }
    }
    panic!("planning asks for ever more");
}

fn apply(account: &mut Account, plan: &ServicePlan) {
    let mut made = BTreeMap::new();
    for step in &plan.steps {
        let input = step.action.input.complete(&made).unwrap_or_else(|id| panic!("{}: the {id} was not made", step.id));
        let arn = account.apply(step.action.call, &step.action.target, input);
        made.extend(arn.map(|arn| (step.action.target.clone(), arn)));
    }
}

/// Holds that a change of settings may rightly meet.
fn is_rightful(hold: &Hold) -> bool {
    matches!(hold, Hold::Immutable { .. } | Hold::Replacement { .. })
}

/// What one environment took.
#[derive(Debug, Default)]
struct Took {
    steps: usize,
    /// Services that hold, rightly.
    held: usize,
    /// The most plans until a service was in sync.
    plans: usize,
}

/// A plan as text, with every input.
fn said(plan: &ServicePlan) -> String {
    let changes: Vec<_> = plan.changes.iter().map(|(change, _)| change.to_string()).collect();
    let steps: Vec<_> =
        plan.steps.iter().map(|step| format!("{}: {}", step.action, step.action.input.document)).collect();
    let notes: Vec<_> = plan.notes.iter().map(ToString::to_string).collect();
    format!("changes {changes:#?}\nsteps {steps:#?}\nholds {:?}\nnotes {notes:#?}", plan.holds)
}

/// Applies what is planned, service by service; after that nothing may differ. A changed environment may hold, and may take
/// several plans where a target group is replaced.
fn converges(what: &str, reading: &Reading, account: &mut Account, changed: bool, took: &mut Took) {
    let errors: Vec<_> = reading.problems.iter().filter(|problem| problem.is_error()).collect();
    assert!(errors.is_empty(), "{what}: {errors:#?}");
    let desired = reading.desired.as_deref().unwrap();
    for name in desired.services.keys() {
        let mut done = Vec::new();
        loop {
            let plan = planned(desired, account, name);
            if changed && !plan.holds.is_empty() && plan.holds.iter().all(is_rightful) {
                took.held += 1;
                break;
            }
            if plan.is_in_sync() {
                // What AWS fills in by itself is nothing that somebody has set.
                let set = plan.notes.iter().any(|note| matches!(note, Note::NotInGit { .. }));
                assert!(changed || !set, "{what}: {name} has nothing to note: {}", said(&plan));
                break;
            }
            let replaces = |plan: &ServicePlan| {
                let moves = |call: Call| matches!(call, Call::CreateTargetGroup | Call::DeleteTargetGroup);
                plan.notes.iter().any(|note| matches!(note, Note::Replacing { .. }))
                    || plan.steps.iter().any(|step| moves(step.action.call))
            };
            let replaces = done.len() < PLANS_MAX && (replaces(&plan) || done.iter().all(replaces));
            let before: String = done.iter().map(|plan| format!("\nWHAT WAS DONE BEFORE {}", said(plan))).collect();
            let may_go_on = done.is_empty() || (changed && replaces);
            assert!(may_go_on && plan.holds.is_empty(), "{what}: {name} is not in sync: {}{before}", said(&plan));
            took.steps += plan.steps.len();
            apply(account, &plan);
            done.push(plan);
            took.plans = took.plans.max(done.len());
        }
    }
}

/// A replaced target group takes: both attached, the traffic moved, the old one let go, the old one deleted.
const PLANS_MAX: usize = 5;

#[test]
fn what_was_applied_is_no_difference() {
    let (mut documents, mut took) = (BTreeMap::new(), Took::default());
    for seed in 0..times(250) {
        let mut making = Making::new(seed, 0);
        let reading = cases::read(&making.files());
        making.made.iter().for_each(|(kind, count)| *documents.entry(*kind).or_insert(0) += count);
        converges(&format!("seed {seed}"), &reading, &mut Account::new(seed), false, &mut took);
    }
    println!("{documents:?}, {took:?}");
    assert!(documents.len() == sorts().len() && documents.values().all(|count| *count >= 100));
}

#[test]
fn what_was_changed_is_applied_and_is_no_difference_then() {
    let mut took = Took::default();
    for seed in 0..times(60) {
        let mut account = Account::new(seed);
        converges(&format!("seed {seed}"), &cases::read(&Making::new(seed, 0).files()), &mut account, true, &mut took);
        for turn in 1..4 {
            let reading = cases::read(&Making::new(seed, turn).files());
            converges(&format!("seed {seed}, turn {turn}"), &reading, &mut account, true, &mut took);
        }
    }
    println!("{took:?}");
}
