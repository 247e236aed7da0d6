//! Overlays: `extends`, the environment's defaults, and the `containers` section over a task definition.

use super::{Entry, Node, Tree};
use crate::core::shape::{Order, Shape};

/// How a list at this place is merged; `None` where no shape is known: then mappings merge deeply, lists are whole.
type Typed = Option<(Shape, Order)>;

/// Lays `over` upon `base`: mappings merge deeply, lists whose elements AWS tells apart by a key merge by that key,
/// other lists are replaced whole, `null` takes away. `shape` says which lists have keys.
pub fn merge(base: Node, over: &Node, shape: Option<Shape>) -> Node {
    node(base, over, shape.map(|shape| (shape, Order::Kept)))
}

/// As [`merge`] for a document whose sections have shapes of their own, as a service file.
pub fn merge_sections(base: Node, over: &Node, section: &dyn Fn(&str) -> Option<Shape>) -> Node {
    entries(base, over, &|key| section(key).map(|shape| (shape, Order::Kept)))
}

fn node(base: Node, over: &Node, typed: Typed) -> Node {
    match (&base.tree, &over.tree, typed) {
        (Tree::Map(_), Tree::Map(_), typed) => entries(base, over, &|key| field(typed, key)),
        (Tree::List(_), Tree::List(_), Some((Shape::List(element), Order::By(keys)))) => {
            list(base, over, element(), keys)
        }
        _ => over.clone(),
    }
}

fn field(typed: Typed, key: &str) -> Typed {
    match typed? {
        (Shape::Map(value), _) => Some((value(), Order::Kept)),
        (shape, _) => shape.field(key).map(|field| ((field.shape)(), field.order)),
    }
}

fn entries(base: Node, over: &Node, typed: &dyn Fn(&str) -> Typed) -> Node {
    let Tree::Map(mut merged) = base.tree else { return over.clone() };
    for entry in over.entries() {
        // Both spellings of the first letter are one key (desired-state rule 1).
        let found = merged.iter().position(|other| {
            other.key == entry.key || (typed(&entry.key).is_some() && other.key.eq_ignore_ascii_case(&entry.key))
        });
        match (found, &entry.node.tree) {
            (Some(at), Tree::Null) => {
                merged.remove(at);
            }
            (None, Tree::Null) => {}
            (Some(at), _) => {
                let Entry { node: old, .. } = merged.remove(at);
                let node = node(old, &entry.node, typed(&entry.key));
                merged.insert(at, Entry { key: entry.key.clone(), key_place: entry.key_place.clone(), node });
            }
            (None, _) => merged.push(entry.clone()),
        }
    }
    Node { tree: Tree::Map(merged), place: over.place.clone() }
}

fn list(base: Node, over: &Node, element: Shape, keys: &[&str]) -> Node {
    let Tree::List(mut merged) = base.tree else { return over.clone() };
    for item in over.items() {
        match merged.iter_mut().find(|other| same_key(other, item, keys)) {
            Some(old) => *old = node(old.clone(), item, Some((element, Order::Kept))),
            None => merged.push(item.clone()),
        }
    }
    Node { tree: Tree::List(merged), place: over.place.clone() }
}

/// Whether two elements are the same thing: equal in the first key, and in the others where both give them.
fn same_key(a: &Node, b: &Node, keys: &[&str]) -> bool {
    let value = |node: &Node, key: &str| {
        node.entries().iter().find(|entry| entry.key.eq_ignore_ascii_case(key)).map(|entry| entry.node.to_value())
    };
    keys.iter().enumerate().all(|(index, key)| match (value(a, key), value(b, key)) {
        (Some(a), Some(b)) => a == b,
        _ => index > 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::document::read::read;
    use crate::core::id::RepoPath;
    use crate::core::shape::Field;
    use serde_json::json;

    fn variable() -> Shape {
        const FIELDS: &[Field] = &[
            Field { name: "name", shape: || Shape::Text, order: Order::Kept, required: true },
            Field { name: "value", shape: || Shape::Text, order: Order::Kept, required: false },
        ];
        Shape::Struct { name: "Variable", fields: FIELDS }
    }

    fn container() -> Shape {
        const FIELDS: &[Field] = &[
            Field {
                name: "environment",
                shape: || Shape::List(variable),
                order: Order::By(&["name"]),
                required: false,
            },
            Field { name: "command", shape: || Shape::List(|| Shape::Text), order: Order::Kept, required: false },
            Field { name: "cpu", shape: || Shape::Integer, order: Order::Kept, required: false },
        ];
        Shape::Struct { name: "Container", fields: FIELDS }
    }

    #[test]
    fn mappings_deep_keyed_lists_by_key_other_lists_whole_null_takes_away() {
        let base = "environment: [{name: A, value: '1'}, {name: B, value: '2'}]\ncommand: [a, b]\ncpu: 1\n";
        let over = "environment: [{name: B, value: '3'}, {name: C, value: '4'}]\ncommand: [c]\ncpu: null\n";
        let read = |text| read(&RepoPath::new("a.yaml"), text).unwrap();
        let merged = merge(read(base), &read(over), Some(container()));
        assert_eq!(
            merged.to_value(),
            json!({"environment": [{"name": "A", "value": "1"}, {"name": "B", "value": "3"}, {"name": "C", "value": "4"}], "command": ["c"]})
        );
        assert_eq!(merged.at("/environment/1/value").unwrap().place.to_string(), "a.yaml:1:32");
    }
}
