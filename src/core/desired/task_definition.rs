//! A service's task definition: inline or a file of its own, with the `containers` section laid over it.

use super::extends::Reader;
use super::sections::resolve_names;
use super::task_rules;
use crate::core::document::check::{check, closest, expected, spelt};
use crate::core::document::merge::merge;
use crate::core::document::{Entry, Node, Part, Tree};
use crate::core::id::Scope;
use crate::core::problem::{self, Problem};
use crate::core::shape::{Field, Order, Shape, Shapes};

/// The document that `taskDefinition` holds or names; still with `${...}`.
pub fn find(reader: &mut Reader<'_, '_>, node: &Node) -> Result<Node, Problem> {
    match &node.tree {
        Tree::Text(_) => {
            let path = reader.path(node)?;
            reader.file(&path, Some(&node.place))
        }
        Tree::Map(_) => Ok(node.clone()),
        _ => Err(expected(node, "the path of a task definition, or a mapping with RegisterTaskDefinition's names")),
    }
}

/// Unwraps, completes and checks a task definition.
pub fn read(
    node: &Node,
    containers: Option<&Node>,
    scope: &Scope,
    shapes: &Shapes,
    problems: &mut Vec<Problem>,
) -> Node {
    let mut node = spelt(&unwrap(node, shapes), shapes.task_definition);
    sizes_to_text(&mut node);
    if let Some(containers) = containers {
        node = lay_over(node, containers, shapes, problems);
    }
    resolve_names(&mut node, scope, problems);
    let checked = check(&node, shapes.task_definition, problems);
    if checked.get("containerDefinitions").is_some_and(|list| list.items().is_empty()) {
        problems.push(Problem::error(problem::MISSING_FIELD, &checked.place, "a task definition needs a container"));
    }
    problems.extend(task_rules::fargate_size(&checked));
    problems.extend(task_rules::plain_secrets(&checked));
    checked
}

/// Takes the wrapper and the read-only fields off what `aws ecs describe-task-definition` prints. People do commit
/// `revision` and `status`: they are dropped, not refused.
fn unwrap(node: &Node, shapes: &Shapes) -> Node {
    let tags = node.get("tags").cloned();
    let wrapped = node.get("taskDefinition").filter(|inner| matches!(inner.tree, Tree::Map(_)));
    let inner = wrapped.unwrap_or(node);
    let mut unwrapped = Node::empty_map(&inner.place);
    if let Tree::Map(entries) = &mut unwrapped.tree {
        let input = |entry: &&Entry| shapes.task_definition.field(&entry.key).is_some();
        let answer = |entry: &&Entry| shapes.task_definition_answer.field(&entry.key).is_some();
        entries.extend(inner.entries().iter().filter(|entry| input(entry) || !answer(entry)).cloned());
    }
    if let (Some(tags), true) = (tags, wrapped.is_some()) {
        unwrapped.set("tags", tags);
    }
    unwrapped
}

/// ECS takes the task's `cpu` and `memory` as strings; people write numbers, which can mean only one thing here.
fn sizes_to_text(node: &mut Node) {
    for key in ["cpu", "memory"] {
        if let Some(value) = node.get(key).filter(|value| value.as_integer().is_some_and(|n| n >= 0)) {
            let text = Node::text(value.to_value().to_string(), &value.place);
            node.set(key, text);
        }
    }
}

fn lay_over(mut node: Node, containers: &Node, shapes: &Shapes, problems: &mut Vec<Problem>) -> Node {
    for overlay in containers.entries() {
        let name = |item: &Node| item.get("name").and_then(Node::as_text).map(str::to_owned);
        let known: Vec<String> =
            node.get("containerDefinitions").map(Node::items).unwrap_or_default().iter().filter_map(name).collect();
        if !known.contains(&overlay.key) {
            let message = format!("the task definition has no container `{}`", overlay.key);
            let help = match closest(&overlay.key, known.iter().map(String::as_str)) {
                Some(name) => format!("did you mean `{name}`?"),
                None => format!("its containers are {}", known.join(", ")),
            };
            problems.push(Problem::error(problem::NO_CONTAINER, &overlay.key_place, message).help(help));
            continue;
        }
        let (over, removed) = container(overlay, problems);
        let list = Node { tree: Tree::List(vec![over]), place: overlay.node.place.clone() };
        let mut whole = Node::empty_map(&overlay.node.place);
        whole.set("containerDefinitions", list);
        let place = node.place.clone();
        node = Node { place, ..merge(node, &whole, Some(shapes.task_definition)) };
        take_away(&mut node, &overlay.key, &removed);
    }
    node
}

/// What a mapping (`LOG_LEVEL: info`) takes away from a list of names and values (`LOG_LEVEL: null`).
type Removed = Vec<(&'static str, String)>;

/// One container of the `containers` section in the form of a container definition.
fn container(overlay: &Entry, problems: &mut Vec<Problem>) -> (Node, Removed) {
    let mut over = overlay.node.clone();
    let mut removed = Removed::new();
    for (section, value) in [("environment", "value"), ("secrets", "valueFrom")] {
        let Some(node) = over.get(section).filter(|node| matches!(node.tree, Tree::Map(_))) else { continue };
        let mut items = Vec::new();
        for entry in node.entries() {
            if entry.node.tree == Tree::Null {
                removed.push((section, entry.key.clone()));
                continue;
            }
            let mut item = Node::empty_map(&entry.key_place);
            item.set("name", Node::text(&entry.key, &entry.key_place));
            item.set(value, named_value(section, entry, &overlay.key, problems));
            items.push(item);
        }
        let list = Node { tree: Tree::List(items), place: node.place.clone() };
        over.set(section, list);
    }
    over.set("name", Node::text(&overlay.key, &overlay.key_place));
    (over, removed)
}

/// `{ keepLive: true }` in the place of a value.
fn keep_live() -> Shape {
    const FIELDS: &[Field] =
        &[Field { name: "keepLive", shape: || Shape::Boolean, order: Order::Kept, required: true }];
    Shape::Struct { name: "a value that is kept live", fields: FIELDS }
}

fn named_value(section: &str, entry: &Entry, container: &str, problems: &mut Vec<Problem>) -> Node {
    if section == "environment" && matches!(entry.node.tree, Tree::Map(_)) {
        let before = problems.len();
        let checked = check(&entry.node, keep_live(), problems);
        if problems.len() == before && checked.get("keepLive").and_then(Node::as_bool) == Some(false) {
            problems.push(expected(&entry.node, "`keepLive: true` or a string"));
        }
        let live = Part::Live { container: container.to_owned(), variable: entry.key.clone() };
        return Node { tree: Tree::Template(vec![live]), place: entry.node.place.clone() };
    }
    entry.node.clone()
}

fn take_away(node: &mut Node, container: &str, removed: &Removed) {
    let Tree::Map(entries) = &mut node.tree else { return };
    let Some(list) = entries.iter_mut().find(|entry| entry.key == "containerDefinitions") else { return };
    let Tree::List(items) = &mut list.node.tree else { return };
    let is = |item: &Node, name: &str| item.get("name").and_then(Node::as_text) == Some(name);
    let Some(Tree::Map(fields)) = items.iter_mut().find(|item| is(item, container)).map(|item| &mut item.tree) else {
        return;
    };
    for (section, name) in removed {
        if let Some(Tree::List(items)) =
            fields.iter_mut().find(|field| field.key == *section).map(|field| &mut field.node.tree)
        {
            items.retain(|item| !is(item, name));
        }
    }
}
