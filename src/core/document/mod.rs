//! Documents: values with the place where each was written.
//!
//! ```text
//! text --read--> Node --merge (extends, defaults)--> Node --variables--> Node --check against a Shape--> Node
//! ```
//!
//! Every step keeps the places, so that a problem found late still names file, line and column.

pub mod check;
pub mod merge;
pub mod read;
pub mod variables;

use super::id::{RepoPath, ResourceId};
use super::secret::holds_secret;
use serde::Serialize;
use serde_json::{Map, Number, Value};
use std::fmt;

/// Where something is written. Lines and columns count from 1, columns and lengths in characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// The file, from the root of the repository.
    pub file: RepoPath,
    /// From 1; 0 when the place is a whole file.
    pub line: u32,
    /// From 1.
    pub column: u32,
    /// Length in characters; what lies on later lines is not marked.
    pub length: u32,
}

impl Place {
    /// The place of a file as a whole.
    pub fn file(file: RepoPath) -> Self {
        Self { file, line: 0, column: 0, length: 0 }
    }

    /// The place of values that nobody wrote, as built-in defaults.
    pub fn nowhere() -> Self {
        Self::file(RepoPath::new(""))
    }

    /// The bytes of `text` that this place covers, for a renderer; never beyond the end of its line.
    pub fn byte_range(&self, text: &str) -> std::ops::Range<usize> {
        let Some(index) = (self.line as usize).checked_sub(1) else { return 0..0 };
        let start: usize = text.split_inclusive('\n').take(index).map(str::len).sum();
        let line = text[start..].lines().next().unwrap_or_default();
        let byte = |column: usize| line.char_indices().nth(column).map_or(line.len(), |(at, _)| at);
        let from = (self.column as usize).saturating_sub(1);
        let to = from + (self.length as usize).max(1);
        start + byte(from)..start + byte(to).max(byte(from))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, length: _ } = self;
        match line {
            0 => write!(f, "{file}"),
            _ => write!(f, "{file}:{line}:{column}"),
        }
    }
}

/// A value and its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The value.
    pub tree: Tree,
    /// Where it is written.
    pub place: Place,
}

/// What a node holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Tree {
    /// Nothing; in an overlay: "take this away".
    Null,
    /// `true` or `false`; `yes` and `on` are strings.
    Bool(bool),
    /// A finite number.
    Number(Number),
    /// A string.
    Text(String),
    /// A string of which parts are known only after reading AWS.
    Template(Vec<Part>),
    /// A list.
    List(Vec<Node>),
    /// A mapping, in the order of the file, without duplicate keys.
    Map(Vec<Entry>),
}

/// A part of a string that is completed at plan time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Part {
    /// Text as it stands.
    Text(String),
    /// The ARN of a resource that is named here.
    Arn(ResourceId),
    /// The plain value of a Systems Manager parameter or of a CloudFormation output.
    Value(ResourceId),
    /// The value that this environment variable has in the live revision: carried over, never written to git.
    Live {
        /// The container's name.
        container: String,
        /// The variable's name.
        variable: String,
    },
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Part::Text(text) => f.write_str(text),
            Part::Arn(id) => write!(f, "(ARN of {id})"),
            Part::Value(id) => write!(f, "(value of {id})"),
            Part::Live { container: _, variable } => write!(f, "(live value of {variable})"),
        }
    }
}

/// One key of a mapping.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key is written.
    pub key_place: Place,
    /// Its value.
    pub node: Node,
}

impl Node {
    /// A string that stands at `place`.
    pub fn text(text: impl Into<String>, place: &Place) -> Self {
        Self { tree: Tree::Text(text.into()), place: place.clone() }
    }

    /// An empty mapping that stands at `place`.
    pub fn empty_map(place: &Place) -> Self {
        Self { tree: Tree::Map(Vec::new()), place: place.clone() }
    }

    /// `value` as if it was written at `place`.
    pub fn of_value(value: &Value, place: &Place) -> Self {
        let tree = match value {
            Value::Null => Tree::Null,
            Value::Bool(b) => Tree::Bool(*b),
            Value::Number(n) => Tree::Number(n.clone()),
            Value::String(s) => Tree::Text(s.clone()),
            Value::Array(items) => Tree::List(items.iter().map(|item| Self::of_value(item, place)).collect()),
            Value::Object(map) => Tree::Map(
                map.iter()
                    .map(|(key, value)| Entry {
                        key: key.clone(),
                        key_place: place.clone(),
                        node: Self::of_value(value, place),
                    })
                    .collect(),
            ),
        };
        Self { tree, place: place.clone() }
    }

    /// The value without places. Nulls inside mappings are left out: they mean "not given"; templates are described.
    pub fn to_value(&self) -> Value {
        match &self.tree {
            Tree::Null => Value::Null,
            Tree::Bool(b) => Value::Bool(*b),
            Tree::Number(n) => Value::Number(n.clone()),
            Tree::Text(s) => Value::String(s.clone()),
            Tree::Template(parts) => Value::String(parts.iter().map(ToString::to_string).collect()),
            Tree::List(items) => Value::Array(items.iter().map(Node::to_value).collect()),
            Tree::Map(entries) => Value::Object(
                entries
                    .iter()
                    .filter(|entry| entry.node.tree != Tree::Null)
                    .map(|entry| (entry.key.clone(), entry.node.to_value()))
                    .collect::<Map<_, _>>(),
            ),
        }
    }

    /// The string, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match &self.tree {
            Tree::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The whole number, if it is one.
    pub fn as_integer(&self) -> Option<i64> {
        match &self.tree {
            Tree::Number(number) => number.as_i64(),
            _ => None,
        }
    }

    /// The truth value, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match &self.tree {
            Tree::Bool(b) => Some(*b),
            _ => None,
        }
    }

    /// The elements; none if it is no list.
    pub fn items(&self) -> &[Node] {
        match &self.tree {
            Tree::List(items) => items,
            _ => &[],
        }
    }

    /// The entries; none if it is no mapping.
    pub fn entries(&self) -> &[Entry] {
        match &self.tree {
            Tree::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The entry of this key.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    /// The value of this key; nothing when it is absent or null.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.node).filter(|node| node.tree != Tree::Null)
    }

    /// Sets a key, in its place if it is there already. Does nothing to what is no mapping.
    pub fn set(&mut self, key: &str, node: Node) {
        let Tree::Map(entries) = &mut self.tree else { return };
        match entries.iter_mut().find(|entry| entry.key == key) {
            Some(entry) => entry.node = node,
            None => entries.push(Entry { key: key.to_owned(), key_place: node.place.clone(), node }),
        }
    }

    /// Takes a key out.
    pub fn take(&mut self, key: &str) -> Option<Entry> {
        let Tree::Map(entries) = &mut self.tree else { return None };
        let at = entries.iter().position(|entry| entry.key == key)?;
        Some(entries.remove(at))
    }

    /// The node at a JSON pointer (RFC 6901).
    pub fn at(&self, pointer: &str) -> Option<&Node> {
        pointer.split('/').skip(1).try_fold(self, |node, step| match &node.tree {
            Tree::List(items) => items.get(step.parse::<usize>().ok()?),
            _ => node.get(&step.replace("~1", "/").replace("~0", "~")),
        })
    }

    /// What kind of value it is, for "expected ..., found ...". Short strings are shown unless they look like a secret.
    pub fn words(&self) -> String {
        match &self.tree {
            Tree::Null => "nothing".into(),
            Tree::Bool(_) => "true or false".into(),
            Tree::Number(_) => "a number".into(),
            Tree::Text(t) if t.chars().count() <= 40 && !holds_secret(&Value::String(t.clone())) => format!("{t:?}"),
            Tree::Text(_) => "a string".into(),
            Tree::Template(_) => "a string".into(),
            Tree::List(_) => "a list".into(),
            Tree::Map(_) => "a mapping".into(),
        }
    }
}

/// Appends a step to a JSON pointer.
pub fn pointer(base: &str, step: &str) -> String {
    format!("{base}/{}", step.replace('~', "~0").replace('/', "~1"))
}
