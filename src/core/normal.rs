//! One form for documents that AWS takes for the same: empty values, equal spellings, list orders, and what AWS fills in.
//!
//! `normalise` is idempotent, and it is applied to both sides before they are compared. What is filled in is a table of
//! each kind (`kind/`), row by row with its source.

use super::shape::{Order, Shape};
use serde_json::{Map, Number, Value};

/// What AWS makes of one field, addressed by the names of the fields on the way, as `containerDefinitions.essential`;
/// list elements and map keys have no step of their own.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The names of the fields on the way.
    pub path: &'static str,
    /// What AWS makes of it.
    pub rule: Rule,
}

/// What AWS makes of a field.
#[derive(Debug, Clone, Copy)]
pub enum Rule {
    /// Filled in wherever the structure that holds the field is given.
    Within(Literal),
    /// Filled in always, with the structures that hold it.
    Always(Literal),
    /// Present and empty is not the same as absent.
    Presence,
    /// Several spellings: gives the one form, or nothing to keep it as it is.
    Spelling(fn(&Value) -> Option<Value>),
}

/// A constant of a table.
#[derive(Debug, Clone, Copy)]
pub enum Literal {
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A string.
    Text(&'static str),
    /// A list of strings.
    Texts(&'static [&'static str]),
}

impl Literal {
    fn value(self) -> Value {
        match self {
            Literal::Bool(b) => b.into(),
            Literal::Int(n) => n.into(),
            Literal::Text(text) => text.into(),
            Literal::Texts(texts) => texts.iter().copied().collect(),
        }
    }
}

/// The one form of `value`.
pub fn normalise(value: &Value, shape: Shape, rows: &[Row]) -> Value {
    let root = Value::Object(Map::new());
    let mut normal = walk(value, shape, Order::Kept, "", rows).unwrap_or(root);
    for Row { path, rule } in rows {
        if let Rule::Always(literal) = rule {
            fill_always(&mut normal, path, literal.value());
        }
    }
    // What was filled in takes its place in the order of sets and keys.
    walk(&normal, shape, Order::Kept, "", rows).unwrap_or(normal)
}

fn walk(value: &Value, shape: Shape, order: Order, path: &str, rows: &[Row]) -> Option<Value> {
    let rules = || rows.iter().filter(|row| row.path == path).map(|row| row.rule);
    let respelt = rules().find_map(|rule| match rule {
        Rule::Spelling(spell) => spell(value),
        Rule::Within(_) | Rule::Always(_) | Rule::Presence => None,
    });
    let value = respelt.as_ref().unwrap_or(value);
    let counts = rules().any(|rule| matches!(rule, Rule::Presence));
    match (shape, value) {
        (_, Value::Null) => None,
        (Shape::Struct { fields, .. } | Shape::Union { fields, .. }, Value::Object(map)) => {
            let child = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
            let mut normal = Map::new();
            for field in fields {
                let given = map.get(field.name);
                let path = child(field.name);
                let kept = given.and_then(|value| walk(value, (field.shape)(), field.order, &path, rows));
                normal.extend(kept.map(|value| (field.name.to_owned(), value)));
            }
            if normal.is_empty() && !counts && !path.is_empty() {
                return None;
            }
            for Row { path, rule } in rows {
                let (holder, name) = path.rsplit_once('.').unwrap_or(("", path));
                if let Rule::Within(literal) = rule
                    && holder == path_of(&child(""))
                {
                    normal.entry(name.to_owned()).or_insert_with(|| literal.value());
                }
            }
            Some(Value::Object(normal))
        }
        (Shape::Map(element), Value::Object(map)) => {
            let entries = map.iter().map(|(key, value)| {
                // An empty string is a value in a free-form map.
                (key.clone(), walk(value, element(), Order::Kept, path, rows).unwrap_or_else(|| value.clone()))
            });
            let normal: Map<String, Value> = entries.collect();
            (counts || !normal.is_empty()).then_some(Value::Object(normal))
        }
        (Shape::List(element), Value::Array(items)) => {
            let walked = items.iter().map(|v| walk(v, element(), Order::Kept, path, rows).unwrap_or_else(|| v.clone()));
            let normal = ordered(walked.collect(), order);
            (counts || !normal.is_empty()).then_some(Value::Array(normal))
        }
        (Shape::Number, Value::Number(number)) => Some(Value::Number(same_number(number))),
        _ => Some(value.clone()),
    }
}

/// The path of the structure whose children have this prefix.
fn path_of(prefix: &str) -> &str {
    prefix.strip_suffix('.').unwrap_or(prefix)
}

fn fill_always(value: &mut Value, path: &str, filled: Value) {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let Value::Object(map) = value else { return };
    let slot = map.entry(name.to_owned());
    match rest {
        Some(rest) => fill_always(slot.or_insert_with(|| Value::Object(Map::new())), rest, filled),
        None => {
            slot.or_insert(filled);
        }
    }
}

fn ordered(mut items: Vec<Value>, order: Order) -> Vec<Value> {
    match order {
        Order::Kept => {}
        Order::Set => {
            items.sort_by_cached_key(canonical);
            items.dedup();
        }
        // Elements that share a key (AWS refuses most of them) have one order all the same.
        Order::By(keys) => items.sort_by_cached_key(|item| (key(item, keys), canonical(item))),
    }
    items
}

/// What tells an element of a keyed list apart, for sorting and for people.
pub fn key(item: &Value, keys: &[&str]) -> String {
    let parts = keys.iter().filter_map(|key| match item.get(key)? {
        Value::String(text) => Some(text.clone()),
        Value::Null => None,
        other => Some(other.to_string()),
    });
    parts.collect::<Vec<_>>().join("/")
}

/// `70` and `70.0` are the same number.
fn same_number(number: &Number) -> Number {
    match number.as_f64() {
        // 2^53: beyond it a float is no whole number any more.
        Some(float) if float.fract() == 0.0 && float.abs() < 9_007_199_254_740_992.0 => (float as i64).into(),
        _ => number.clone(),
    }
}

/// The text of a value that is the same for equal values, whatever order their keys came in.
pub fn canonical(value: &Value) -> String {
    let mut text = String::new();
    write_canonical(value, &mut text);
    text
}

fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            out.push('{');
            for (index, (key, value)) in entries.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                out.push_str(&Value::String(key.clone()).to_string());
                out.push(':');
                write_canonical(value, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_canonical(item, out);
            }
            out.push(']');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}

/// SHA-256 of the canonical text, in hex: equal documents have equal digests.
pub fn digest(value: &Value) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(canonical(value)).iter().map(|byte| format!("{byte:02x}")).collect()
}
