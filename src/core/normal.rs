//! One form for documents that AWS takes for the same: empty values, equal spellings, list orders, and what AWS fills in.
//!
//! `normalise` is idempotent, and it is applied to both sides before they are compared. What is filled in is a table of
//! each kind (`kind/`), row by row with its source.

use super::shape::{Order, Shape};
use serde_json::{Map, Number, Value};
use std::collections::BTreeMap;

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

/// A table of rows, arranged by path, so that a document is walked once whatever the number of rows.
#[derive(Debug, Default)]
pub struct Table {
    here: Vec<Rule>,
    below: BTreeMap<&'static str, Table>,
}

impl Table {
    /// Arranges rows.
    pub fn new(rows: &'static [Row]) -> Self {
        let mut table = Self::default();
        for Row { path, rule } in rows {
            let node = path.split('.').fold(&mut table, |node, name| node.below.entry(name).or_default());
            node.here.push(*rule);
        }
        table
    }

    fn counts(&self) -> bool {
        self.here.iter().any(|rule| matches!(rule, Rule::Presence))
    }

    fn respelt(&self, value: &Value) -> Option<Value> {
        self.here.iter().find_map(|rule| match rule {
            Rule::Spelling(spell) => spell(value),
            Rule::Within(_) | Rule::Always(_) | Rule::Presence => None,
        })
    }

    /// What is filled in where the structure is given (`within`), and where it is not.
    fn fill(&self, map: &mut Map<String, Value>, within: bool) {
        for (name, below) in &self.below {
            for rule in &below.here {
                match rule {
                    Rule::Within(literal) if within && !map.contains_key(*name) => {
                        map.insert((*name).to_owned(), literal.value());
                    }
                    Rule::Always(literal) if !map.contains_key(*name) => {
                        map.insert((*name).to_owned(), literal.value());
                    }
                    Rule::Within(_) | Rule::Always(_) | Rule::Presence | Rule::Spelling(_) => {}
                }
            }
            if !map.contains_key(*name) && below.fills_always() {
                let mut made = Map::new();
                below.fill(&mut made, false);
                map.insert((*name).to_owned(), Value::Object(made));
            }
        }
    }

    fn fills_always(&self) -> bool {
        self.below
            .values()
            .any(|below| below.here.iter().any(|rule| matches!(rule, Rule::Always(_))) || below.fills_always())
    }
}

/// The one form of `value`.
pub fn normalise(value: &Value, shape: Shape, table: &Table) -> Value {
    let normal = walk(value, shape, Order::Kept, Some(table));
    normal.unwrap_or_else(|| {
        let mut map = Map::new();
        table.fill(&mut map, false);
        Value::Object(map)
    })
}

fn walk(value: &Value, shape: Shape, order: Order, table: Option<&Table>) -> Option<Value> {
    let respelt = table.and_then(|table| table.respelt(value));
    let value = respelt.as_ref().unwrap_or(value);
    let counts = || table.is_some_and(Table::counts);
    match (shape, value) {
        (_, Value::Null) => None,
        (Shape::Struct { fields, .. } | Shape::Union { fields, .. }, Value::Object(map)) => {
            let mut normal = Map::new();
            for (name, value) in map {
                let Some(field) = fields.iter().find(|field| field.name == name) else { continue };
                let below = table.and_then(|table| table.below.get(field.name));
                if let Some(value) = walk(value, (field.shape)(), field.order, below) {
                    normal.insert(name.clone(), value);
                }
            }
            if normal.is_empty() && !counts() {
                return None;
            }
            if let Some(table) = table {
                table.fill(&mut normal, true);
            }
            Some(Value::Object(normal))
        }
        (Shape::Map(element), Value::Object(map)) => {
            let entries = map.iter().map(|(key, value)| {
                // An empty string is a value in a free-form map.
                (key.clone(), walk(value, element(), Order::Kept, table).unwrap_or_else(|| value.clone()))
            });
            let normal: Map<String, Value> = entries.collect();
            (counts() || !normal.is_empty()).then_some(Value::Object(normal))
        }
        (Shape::List(element), Value::Array(items)) => {
            let element = element();
            let walked = items.iter().map(|v| walk(v, element, Order::Kept, table).unwrap_or_else(|| v.clone()));
            let normal = ordered(walked.collect(), order);
            (counts() || !normal.is_empty()).then_some(Value::Array(normal))
        }
        (Shape::Number, Value::Number(number)) => Some(Value::Number(same_number(number))),
        _ => Some(value.clone()),
    }
}

/// The elements in the one order of their list.
pub fn ordered(mut items: Vec<Value>, order: Order) -> Vec<Value> {
    match order {
        Order::Kept => items,
        Order::Set => {
            items.sort_by_cached_key(canonical);
            items.dedup();
            items
        }
        Order::By(keys) => {
            let mut keyed: Vec<(String, Value)> = items.into_iter().map(|item| (key(&item, keys), item)).collect();
            // Elements that share a key (AWS refuses most of them) have one order all the same.
            keyed.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| canonical(&a.1).cmp(&canonical(&b.1))));
            keyed.into_iter().map(|(_, item)| item).collect()
        }
    }
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
