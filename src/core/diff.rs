//! What differs between two normalised documents of one shape. Secrets are masked here, so that no printer can leak one.

use super::id::Arn;
use super::normal::{canonical, key};
use super::secret::{holds_secret, is_secret_name};
use super::shape::{Order, Shape, lower_first};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::{self, Write};

/// One difference: what must change in AWS so that it agrees with git.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// Where, from the name of the section on.
    pub path: Path,
    /// What AWS holds.
    pub live: Shown,
    /// What git says.
    pub desired: Shown,
}

/// The way to a value: field names and the keys of list elements.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Path(Vec<Step>);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Field(&'static str),
    Key(String),
}

impl Path {
    /// The path of a whole section.
    pub fn section(name: &'static str) -> Self {
        Self(vec![Step::Field(name)])
    }

    /// The path of a field of this.
    #[must_use]
    pub fn field(&self, name: &'static str) -> Self {
        self.with(Step::Field(name))
    }

    /// The path of a list element or map entry of this.
    #[must_use]
    pub fn key(&self, key: impl Into<String>) -> Self {
        self.with(Step::Key(key.into()))
    }

    fn with(&self, step: Step) -> Self {
        Self(self.0.iter().cloned().chain([step]).collect())
    }

    /// The name of the field of the section that this lies in.
    pub fn top(&self) -> Option<&'static str> {
        self.top_of(1)
    }

    /// The name of the field that this lies in, of the thing whose own path has so many steps.
    pub fn top_of(&self, steps: usize) -> Option<&'static str> {
        match self.0.get(steps)? {
            Step::Field(name) => Some(name),
            Step::Key(_) => None,
        }
    }

    /// How many steps it has.
    pub fn steps(&self) -> usize {
        self.0.len()
    }

    /// Whether `other`, as `service.deploymentConfiguration.alarms` or `targetGroups.prod-api.healthCheckPath`, is this
    /// path or leads to it. Keys are written with a dot or in brackets, and AWS's names in either case of the first letter.
    pub fn is_below(&self, other: &str) -> bool {
        let plain = |text: &str| text.replace('[', ".").replace(']', "").to_ascii_lowercase();
        let text = plain(&self.text(|key| key));
        text.strip_prefix(plain(other).as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }

    /// The last step, by which a value is judged to be a secret.
    fn last(&self) -> &str {
        match self.0.last() {
            Some(Step::Field(name)) => name,
            Some(Step::Key(key)) => key,
            None => "",
        }
    }

    /// Whether any step looks like the name of a secret: `environment[DB_PASSWORD].value`.
    fn is_secret(&self) -> bool {
        self.0.iter().any(|step| matches!(step, Step::Key(key) if is_secret_name(key))) || is_secret_name(self.last())
    }

    /// As a JSON pointer, for the API.
    pub fn pointer(&self) -> String {
        self.0.iter().fold(String::new(), |text, step| match step {
            Step::Field(name) => super::document::pointer(&text, &lower_first(name)),
            Step::Key(key) => super::document::pointer(&text, key),
        })
    }
}

impl Path {
    fn text(&self, shown: impl Fn(&str) -> &str) -> String {
        let mut text = String::new();
        for (index, step) in self.0.iter().enumerate() {
            let _ = match step {
                Step::Field(name) if index == 0 => text.write_str(name),
                Step::Field(name) => write!(text, ".{}", lower_first(name)),
                Step::Key(key) => write!(text, "[{}]", shown(key)),
            };
        }
        text
    }
}

/// For people: of an ARN what follows account and region, which are the environment's.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(|key| key.splitn(6, ':').nth(5).filter(|_| Arn::is_arn(key)).unwrap_or(key)))
    }
}

impl Serialize for Path {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.pointer())
    }
}

/// A value as people may see it.
#[derive(Debug, Clone, PartialEq)]
pub enum Shown {
    /// There is none.
    Absent,
    /// It is no secret.
    Plain(Value),
    /// It looks like a secret: only the beginning of its SHA-256 is kept, enough to see that it changed.
    Masked(String),
}

impl Shown {
    /// Masks what looks like a secret, by the name it has and by its form.
    fn of(value: Option<&Value>, path: &Path) -> Self {
        match value {
            None => Shown::Absent,
            Some(value) if path.is_secret() || holds_secret(value) => {
                Shown::Masked(super::normal::digest(value).chars().take(4).collect())
            }
            Some(value) => Shown::Plain(value.clone()),
        }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shown::Absent => f.write_str("(none)"),
            Shown::Plain(Value::String(text)) => write!(f, "{text:?}"),
            Shown::Plain(value) => f.write_str(&canonical(value)),
            Shown::Masked(digest) => write!(f, "(hidden, sha256 {digest}…)"),
        }
    }
}

impl Serialize for Shown {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Shown::Absent => serializer.serialize_none(),
            Shown::Plain(value) => value.serialize(serializer),
            Shown::Masked(_) => serializer.serialize_str(&self.to_string()),
        }
    }
}

/// A change of one string, as a tag's.
pub fn change(path: Path, live: Option<&str>, desired: Option<&str>) -> Change {
    let shown = |text: Option<&str>| Shown::of(text.map(Value::from).as_ref(), &path);
    let (live, desired) = (shown(live), shown(desired));
    Change { path, live, desired }
}

/// What a comparison finds.
#[derive(Debug, Clone, Default)]
pub struct Differences {
    /// Declared and different.
    pub changes: Vec<Change>,
    /// Not declared, and holding what AWS does not fill in by itself.
    pub undeclared: Vec<Change>,
    /// How many declared values are the same.
    pub same: usize,
}

/// Which values of a document are managed.
#[derive(Debug, Clone, Copy)]
pub enum Managed<'d> {
    /// All: a value that is live and not in git is drift (task definitions).
    Whole,
    /// Those that this document declares, as it is written, before AWS's defaults are filled in.
    Declared(&'d Value),
}

/// Compares two normalised documents of a section.
pub fn diff(section: &'static str, shape: Shape, managed: Managed<'_>, desired: &Value, live: &Value) -> Differences {
    diff_at(Path::section(section), shape, managed, desired, live)
}

/// Compares two normalised documents of the thing at `path`.
pub fn diff_at(path: Path, shape: Shape, managed: Managed<'_>, desired: &Value, live: &Value) -> Differences {
    let mut walk = Walk { found: Differences::default(), path };
    let declared = match managed {
        Managed::Whole => None,
        Managed::Declared(declared) => Some(declared),
    };
    let whole = matches!(managed, Managed::Whole);
    walk.node(shape, Order::Kept, whole, declared, Some(desired), Some(live));
    walk.found
}

struct Walk {
    found: Differences,
    /// Where the walk is: one path that grows and shrinks, copied only for what differs.
    path: Path,
}

impl Walk {
    fn below(&mut self, step: Step, walk: impl FnOnce(&mut Self)) {
        self.path.0.push(step);
        walk(self);
        self.path.0.pop();
    }

    fn differ(&mut self, managed: bool, desired: Option<&Value>, live: Option<&Value>) {
        let (live, desired) = (Shown::of(live, &self.path), Shown::of(desired, &self.path));
        let found = if managed { &mut self.found.changes } else { &mut self.found.undeclared };
        found.push(Change { path: self.path.clone(), live, desired });
    }

    fn node(
        &mut self,
        shape: Shape,
        order: Order,
        whole: bool,
        declared: Option<&Value>,
        desired: Option<&Value>,
        live: Option<&Value>,
    ) {
        let managed = whole || declared.is_some();
        match (shape, desired, live) {
            (Shape::Struct { fields, .. }, Some(Value::Object(d)), Some(Value::Object(l))) => {
                for field in fields {
                    let (d, l) = (d.get(field.name), l.get(field.name));
                    let declared = declared.and_then(|declared| declared.get(field.name));
                    if d.is_some() || l.is_some() || declared.is_some() {
                        self.below(Step::Field(field.name), |walk| {
                            walk.node((field.shape)(), field.order, whole, declared, d, l);
                        });
                    }
                }
            }
            (Shape::Map(value), Some(Value::Object(d)), Some(Value::Object(l))) => {
                for key in both(d.keys(), l.keys()) {
                    self.below(Step::Key(key.clone()), |walk| {
                        walk.node(value(), Order::Kept, managed, declared, d.get(key), l.get(key));
                    });
                }
            }
            (Shape::List(element), Some(Value::Array(d)), Some(Value::Array(l))) if managed => {
                self.list(element(), order, d, l);
            }
            (_, desired, live) if desired == live => self.found.same += usize::from(managed),
            (_, desired, live) => self.differ(managed, desired, live),
        }
    }

    fn list(&mut self, element: Shape, order: Order, desired: &[Value], live: &[Value]) {
        match order {
            Order::By(keys) => {
                let (d, l) = (by_key(desired, keys), by_key(live, keys));
                for key in both(d.keys(), l.keys()) {
                    let (d, l) = (d.get(key).copied(), l.get(key).copied());
                    self.below(Step::Key(key.clone()), |walk| walk.node(element, Order::Kept, true, None, d, l));
                }
            }
            Order::Set => {
                desired.iter().filter(|v| !live.contains(v)).for_each(|v| self.differ(true, Some(v), None));
                live.iter().filter(|v| !desired.contains(v)).for_each(|v| self.differ(true, None, Some(v)));
                self.found.same += desired.iter().filter(|v| live.contains(v)).count();
            }
            Order::Kept if desired.len() == live.len() => {
                for (index, (d, l)) in desired.iter().zip(live).enumerate() {
                    let step = Step::Key(index.to_string());
                    self.below(step, |walk| walk.node(element, Order::Kept, true, None, Some(d), Some(l)));
                }
            }
            Order::Kept => {
                let whole = |items: &[Value]| Value::Array(items.to_vec());
                self.differ(true, Some(&whole(desired)), Some(&whole(live)));
            }
        }
    }
}

/// The keys of both, each once, sorted.
fn both<'k>(a: impl Iterator<Item = &'k String>, b: impl Iterator<Item = &'k String>) -> Vec<&'k String> {
    let mut keys: Vec<&String> = a.chain(b).collect();
    keys.sort();
    keys.dedup();
    keys
}

/// Elements by key; those that share one are told apart by their position.
fn by_key<'v>(items: &'v [Value], keys: &[&str]) -> BTreeMap<String, &'v Value> {
    let mut found: BTreeMap<String, &Value> = BTreeMap::new();
    for item in items {
        let mut name = key(item, keys);
        while found.contains_key(&name) {
            name.push('\'');
        }
        found.insert(name, item);
    }
    found
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, live, desired } = self;
        match (live, desired) {
            (Shown::Absent, desired) => write!(f, "+ {path}: {desired}"),
            (live, Shown::Absent) => write!(f, "- {path}: {live}"),
            (live, desired) => write!(f, "~ {path}: {live} → {desired}"),
        }
    }
}
