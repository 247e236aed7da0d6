//! Documents made by chance, but always the same ones for a seed: from the shapes themselves, kept by tables to what is
//! valid for the kind (`valid`).

use driftless::core::normal::key;
use driftless::core::shape::{Field, Order, Shape};
use serde_json::{Map, Value};

/// Chance that repeats itself: splitmix64.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// One of the numbers from 0 to `n - 1`.
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn whole(&mut self, from: i64, to: i64) -> i64 {
        from + self.below((to - from + 1) as usize) as i64
    }

    pub fn pick<'t, T>(&mut self, items: &'t [T]) -> &'t T {
        &items[self.below(items.len())]
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            items.swap(end, self.below(end + 1));
        }
    }
}

/// What is generated at a path, and nowhere else. The longest end of a path that a table has says it.
pub struct Row(pub &'static str, pub What);

/// What is generated.
#[derive(Clone, Copy)]
pub enum What {
    /// Nothing: it is said elsewhere, or no document of this kind has it.
    Never,
    /// Something in every document.
    Always,
    /// One of these strings.
    Of(&'static [&'static str]),
    /// The same, in every document.
    AlwaysOf(&'static [&'static str]),
    /// A whole number from here to there.
    Whole(i64, i64),
    /// The same, in every document.
    AlwaysWhole(i64, i64),
    /// At most so many elements.
    Most(usize),
}

/// A kind of documents.
#[derive(Clone, Copy)]
pub struct Sort {
    pub name: &'static str,
    pub shape: Shape,
    pub rows: &'static [Row],
    /// Puts right what a table of paths cannot say.
    pub valid: fn(&mut Value, &mut Dice),
}

impl Sort {
    pub fn document(&self, dice: &mut Dice) -> Value {
        let mut document = Maker { rows: self.rows, dice }.make(self.shape, Order::Kept, "", 0);
        (self.valid)(&mut document, dice);
        document
    }

    /// Another value in the place of one leaf.
    pub fn another(&self, path: &str, shape: Shape, value: &Value, dice: &mut Dice) -> Option<Value> {
        let mut maker = Maker { rows: self.rows, dice };
        (0..20).map(|_| maker.make(shape, Order::Kept, path, 9)).find(|other| !same_number(other, value))
    }
}

fn same_number(a: &Value, b: &Value) -> bool {
    a == b || (a.is_number() && a.as_f64() == b.as_f64())
}

const WORDS: &[&str] = &["alpha", "beta", "gamma", "Delta", "epsilon-1", "zeta 7", "ηta", "yes", "0755", "a:b"];

struct Maker<'m> {
    rows: &'static [Row],
    dice: &'m mut Dice,
}

impl Maker<'_> {
    fn what(&self, path: &str, fits: impl Fn(What) -> bool) -> Option<What> {
        let ends = |row: &&Row| {
            path.strip_suffix(row.0).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')) && fits(row.1)
        };
        self.rows.iter().filter(ends).max_by_key(|row| row.0.len()).map(|row| row.1)
    }

    fn make(&mut self, shape: Shape, order: Order, path: &str, depth: usize) -> Value {
        let value = |what| matches!(what, What::Of(_) | What::AlwaysOf(_) | What::Whole(..) | What::AlwaysWhole(..));
        match self.what(path, value).filter(|_| !matches!(shape, Shape::List(_))) {
            Some(What::Of(values) | What::AlwaysOf(values)) => return (*self.dice.pick(values)).into(),
            Some(What::Whole(from, to) | What::AlwaysWhole(from, to)) => return self.dice.whole(from, to).into(),
            _ => {}
        }
        match shape {
            Shape::Boolean => self.dice.chance(50).into(),
            Shape::Integer | Shape::Long => self.dice.whole(1, 100).into(),
            Shape::Number => match self.dice.below(3) {
                0 => self.dice.whole(1, 100).into(),
                1 => (self.dice.whole(1, 100) as f64).into(),
                _ => (self.dice.whole(1, 100) as f64 + 0.25).into(),
            },
            Shape::Text => (*self.dice.pick(WORDS)).into(),
            Shape::Time => format!("2027-01-0{}T0{}:00:00Z", self.dice.whole(1, 9), self.dice.below(9)).into(),
            Shape::Duration => format!("{}m", self.dice.whole(1, 9)).into(),
            Shape::FreeForm => serde_json::json!({ "any": [self.dice.below(9), "x", true] }),
            Shape::Enum(values) => (*self.dice.pick(values)).into(),
            Shape::Map(value) => {
                let count = self.dice.below(3);
                let keys = (0..count).map(|_| (*self.dice.pick(WORDS)).to_owned()).collect::<Vec<_>>();
                let entry = |key| (key, self.make(value(), Order::Kept, path, depth + 1));
                Value::Object(keys.into_iter().map(entry).collect())
            }
            Shape::List(element) => {
                let most = match self.what(path, |what| matches!(what, What::Most(_))) {
                    Some(What::Most(most)) => most,
                    _ => 3,
                };
                let count = 1 + self.dice.below(most);
                let items = (0..count).map(|_| self.make(element(), Order::Kept, path, depth + 1)).collect();
                distinct(items, order).into()
            }
            Shape::Union { fields, .. } => {
                let field = self.dice.pick(fields);
                Value::Object([self.member(field, path, depth)].into_iter().collect())
            }
            Shape::Struct { fields, .. } => {
                let mut map = Map::new();
                for field in fields {
                    let at = below(path, field.name);
                    let always = match self.what(&at, |what| !matches!(what, What::Most(_))) {
                        Some(What::Never) => continue,
                        Some(What::Always | What::AlwaysOf(_) | What::AlwaysWhole(..)) => true,
                        _ => field.required,
                    };
                    if always || self.dice.chance(if depth < 2 { 50 } else { 35 }) {
                        let (name, value) = self.member(field, path, depth);
                        // What an empty structure means is said for a few of them only.
                        let empty =
                            value.as_object().is_some_and(Map::is_empty) && !(field.shape)().fields().is_empty();
                        if !empty || always {
                            map.insert(name, value);
                        }
                    }
                }
                Value::Object(map)
            }
        }
    }

    fn member(&mut self, field: &Field, path: &str, depth: usize) -> (String, Value) {
        let value = self.make((field.shape)(), field.order, &below(path, field.name), depth + 1);
        (field.name.to_owned(), value)
    }
}

/// A path of names; list elements and keys have no step.
pub fn below(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// Elements of sets once, and of keyed lists one a key.
fn distinct(items: Vec<Value>, order: Order) -> Vec<Value> {
    let mut kept: Vec<Value> = Vec::new();
    for item in items {
        let twice = match order {
            Order::Kept => false,
            Order::Set => kept.contains(&item),
            Order::By(keys) => kept.iter().any(|other| key(other, keys) == key(&item, keys)),
        };
        if !twice {
            kept.push(item);
        }
    }
    kept
}

/// Sets and keyed lists in another order, as AWS answers them.
pub fn shuffled(value: &Value, shape: Shape, order: Order, dice: &mut Dice) -> Value {
    match (shape, value) {
        (Shape::Struct { .. } | Shape::Union { .. }, Value::Object(map)) => {
            let entry = |(name, value): (&String, &Value)| match shape.field(name) {
                Some(field) => (name.clone(), shuffled(value, (field.shape)(), field.order, dice)),
                None => (name.clone(), value.clone()),
            };
            Value::Object(map.iter().map(entry).collect())
        }
        (Shape::Map(element), Value::Object(map)) => {
            let entry = |(k, v): (&String, &Value)| (k.clone(), shuffled(v, element(), Order::Kept, dice));
            Value::Object(map.iter().map(entry).collect())
        }
        (Shape::List(element), Value::Array(items)) => {
            let mut items: Vec<Value> = items.iter().map(|item| shuffled(item, element(), Order::Kept, dice)).collect();
            if order != Order::Kept {
                dice.shuffle(&mut items);
            }
            items.into()
        }
        (_, other) => other.clone(),
    }
}
