//! [`Node`] against [`Shape`]: strict reading with all problems at once, and AWS's own spelling of every key.

use super::{Entry, Node, Place, Tree};
use crate::core::problem::{self, Problem};
use crate::core::shape::{Field, Order, Shape};

/// What a document adds to an AWS input, and what it leaves to us.
#[derive(Debug, Clone, Copy, Default)]
pub struct Beside<'f> {
    /// Fields of our own beside the API's.
    pub own: &'f [Field],
    /// Fields that the API demands and that we fill in.
    pub implied: &'f [&'f str],
}

/// Checks `node` and gives it back with the keys spelt as AWS spells them. What is wrong is left out and reported.
pub fn check(node: &Node, shape: Shape, problems: &mut Vec<Problem>) -> Node {
    check_with(node, shape, Beside::default(), problems)
}

/// As [`check`], for a structure that is an AWS input and something beside it.
pub fn check_with(node: &Node, shape: Shape, beside: Beside<'_>, problems: &mut Vec<Problem>) -> Node {
    let tree = match shape {
        _ if node.tree == Tree::Null => Tree::Null,
        Shape::Struct { name, fields } => structure(node, name, fields, beside, problems),
        Shape::Union { name, fields } => union(node, name, fields, problems),
        Shape::List(element) => list(node, element(), problems),
        Shape::Map(value) => map(node, value(), problems),
        Shape::FreeForm => node.tree.clone(),
        Shape::Boolean
        | Shape::Integer
        | Shape::Long
        | Shape::Number
        | Shape::Text
        | Shape::Time
        | Shape::Duration
        | Shape::Enum(_) => {
            problems.extend(scalar(node, shape));
            node.tree.clone()
        }
    };
    Node { tree, place: node.place.clone() }
}

/// The document with every known key as AWS spells it. What is unknown stays, for [`check`] to name.
pub fn spelt(node: &Node, shape: Shape) -> Node {
    let tree = match (shape, &node.tree) {
        (Shape::Struct { fields, .. } | Shape::Union { fields, .. }, Tree::Map(entries)) => {
            let entry = |entry: &Entry| match Shape::find(fields, &entry.key) {
                Some(field) => {
                    let node = spelt(&entry.node, (field.shape)());
                    Entry { key: field.name.to_owned(), key_place: entry.key_place.clone(), node }
                }
                None => entry.clone(),
            };
            Tree::Map(entries.iter().map(entry).collect())
        }
        (Shape::List(element), Tree::List(items)) => {
            Tree::List(items.iter().map(|item| spelt(item, element())).collect())
        }
        (Shape::Map(value), Tree::Map(entries)) => {
            Tree::Map(entries.iter().map(|e| Entry { node: spelt(&e.node, value()), ..e.clone() }).collect())
        }
        (_, tree) => tree.clone(),
    };
    Node { tree, place: node.place.clone() }
}

fn structure(node: &Node, name: &str, fields: &[Field], beside: Beside<'_>, problems: &mut Vec<Problem>) -> Tree {
    let Beside { own, implied } = beside;
    let Tree::Map(entries) = &node.tree else {
        problems.push(expected(node, &format!("a mapping with the fields of {}", readable(name))));
        return Tree::Map(Vec::new());
    };
    let mut checked: Vec<Entry> = Vec::with_capacity(entries.len());
    for entry in entries {
        let Some(field) = Shape::find(fields, &entry.key).or_else(|| own.iter().find(|f| f.name == entry.key)) else {
            problems.push(unknown(entry, name, fields.iter().chain(own)));
            continue;
        };
        if let Some(first) = checked.iter().find(|other| other.key == field.name) {
            let message = format!("`{}` is given twice, in two spellings", field.name);
            let problem = Problem::error(problem::DUPLICATE, &entry.key_place, message);
            problems.push(problem.related(&first.key_place, "the first one"));
            continue;
        }
        let value = check(&entry.node, (field.shape)(), problems);
        duplicates(field, &value, problems);
        checked.push(Entry { key: field.name.to_owned(), key_place: entry.key_place.clone(), node: value });
    }
    let demanded = fields.iter().chain(own).filter(|field| field.required && !implied.contains(&field.name));
    for field in demanded {
        if !checked.iter().any(|entry| entry.key == field.name && entry.node.tree != Tree::Null) {
            problems.push(missing(&node.place, name, field.name));
        }
    }
    Tree::Map(checked)
}

/// The problem of a structure that lacks a field.
pub fn missing(place: &Place, structure: &str, field: &str) -> Problem {
    Problem::error(problem::MISSING_FIELD, place, format!("{} needs the field `{field}`", readable(structure)))
}

fn union(node: &Node, name: &str, fields: &'static [Field], problems: &mut Vec<Problem>) -> Tree {
    let tree = structure(node, name, fields, Beside::default(), problems);
    if let Tree::Map(entries) = &tree
        && entries.len() != 1
    {
        let names: Vec<_> = fields.iter().map(|field| format!("`{}`", field.name)).collect();
        problems.push(expected(node, &format!("exactly one of {}", names.join(", "))));
    }
    tree
}

fn list(node: &Node, element: Shape, problems: &mut Vec<Problem>) -> Tree {
    let Tree::List(items) = &node.tree else {
        problems.push(expected(node, "a list"));
        return Tree::List(Vec::new());
    };
    let nulls = items.iter().filter(|item| item.tree == Tree::Null);
    problems.extend(nulls.map(|item| expected(item, "a value: a list holds no empty elements")));
    Tree::List(items.iter().map(|item| check(item, element, problems)).collect())
}

fn map(node: &Node, value: Shape, problems: &mut Vec<Problem>) -> Tree {
    let Tree::Map(entries) = &node.tree else {
        problems.push(expected(node, "a mapping"));
        return Tree::Map(Vec::new());
    };
    let checked = entries.iter().map(|entry| Entry { node: check(&entry.node, value, problems), ..entry.clone() });
    Tree::Map(checked.collect())
}

fn scalar(node: &Node, shape: Shape) -> Option<Problem> {
    // What is filled in later (an ARN, a parameter's value) is text.
    let late = matches!(node.tree, Tree::Template(_));
    let text = node.as_text();
    let right = match shape {
        Shape::Boolean => node.as_bool().is_some(),
        Shape::Integer => node.as_integer().is_some_and(|n| i32::try_from(n).is_ok()),
        Shape::Long => node.as_integer().is_some(),
        Shape::Number => matches!(node.tree, Tree::Number(_)),
        Shape::Text => text.is_some() || late,
        Shape::Time => text.is_some_and(|t| t.parse::<jiff::Timestamp>().is_ok()),
        Shape::Duration => text.is_some_and(|t| duration(t).is_some()),
        Shape::Enum(values) => text.is_some_and(|t| values.contains(&t)),
        Shape::FreeForm | Shape::List(_) | Shape::Map(_) | Shape::Struct { .. } | Shape::Union { .. } => true,
    };
    if right {
        return None;
    }
    let problem = match shape {
        Shape::Enum(values) => {
            let problem = expected(node, &format!("one of {}", values.join(", ")));
            match closest(text.unwrap_or_default(), values.iter().copied()) {
                Some(value) => problem.help(format!("did you mean `{value}`?")),
                None => problem,
            }
        }
        Shape::Text => expected(node, "a string").help_if(
            matches!(node.tree, Tree::Number(_) | Tree::Bool(_)),
            "put it in quotes: without them YAML reads a number, a truth value or an octal",
        ),
        Shape::Boolean => expected(node, "true or false"),
        Shape::Integer => expected(node, "a whole number of at most 32 bits")
            .help_if(text.is_some_and(|t| t.parse::<i32>().is_ok()), "take the quotes away"),
        Shape::Long => expected(node, "a whole number"),
        Shape::Number => {
            expected(node, "a number").help_if(text.is_some_and(|t| t.parse::<f64>().is_ok()), "take the quotes away")
        }
        Shape::Time => expected(node, "an RFC 3339 time, as 2026-01-31T08:00:00Z"),
        Shape::Duration => expected(node, "a duration with its unit, as 30s, 15m or 4h"),
        Shape::FreeForm | Shape::List(_) | Shape::Map(_) | Shape::Struct { .. } | Shape::Union { .. } => return None,
    };
    Some(problem)
}

/// A duration as people write it: `90s`, `15m`, `1h 30m`. Not negative.
pub fn duration(text: &str) -> Option<std::time::Duration> {
    text.parse::<jiff::SignedDuration>().ok().and_then(|duration| std::time::Duration::try_from(duration).ok())
}

/// The problem of a value that is not what it should be.
pub fn expected(node: &Node, what: &str) -> Problem {
    Problem::error(problem::WRONG_VALUE, &node.place, format!("expected {what}, found {}", node.words()))
}

fn unknown<'f>(entry: &Entry, of: &str, fields: impl Iterator<Item = &'f Field> + Clone) -> Problem {
    let of = readable(of);
    let problem =
        Problem::error(problem::UNKNOWN_FIELD, &entry.key_place, format!("{of} has no field `{}`", entry.key));
    match closest(&entry.key, fields.clone().map(|field| field.name)) {
        Some(name) => problem.help(format!("did you mean `{name}`?")),
        None => {
            let names: Vec<_> = fields.map(|field| field.name).collect();
            problem.help(format!("the fields are {}", names.join(", ")))
        }
    }
}

/// Elements of a keyed list that have the same key: no source says which of them AWS takes.
fn duplicates(field: &Field, node: &Node, problems: &mut Vec<Problem>) {
    let Order::By(keys) = field.order else { return };
    let key = |item: &Node| -> Option<Vec<String>> {
        let parts: Vec<_> = keys.iter().map(|key| item.get(key).map(|n| n.to_value().to_string())).collect();
        // Without the first key the element is incomplete, which is a problem of its own.
        parts.first()?.as_ref()?;
        Some(parts.into_iter().map(Option::unwrap_or_default).collect())
    };
    for (index, item) in node.items().iter().enumerate() {
        let Some(this) = key(item) else { continue };
        if let Some(first) = node.items()[..index].iter().find(|other| key(other).as_ref() == Some(&this)) {
            let name = this.iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join(" ");
            let message = format!("`{}` has two elements with the {} {name}", field.name, keys[0]);
            let problem = Problem::error(problem::DUPLICATE, &item.place, message);
            problems.push(problem.related(&first.place, "the first one"));
        }
    }
}

/// The API model's structure names without the path and without `Input`.
fn readable(name: &str) -> &str {
    let name = name.rsplit("::").next().unwrap_or(name).trim();
    name.strip_suffix("Input").unwrap_or(name)
}

/// The known name nearest to what was written, if it is near enough to be meant.
pub fn closest<'k>(written: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let written = written.to_lowercase();
    known
        .map(|name| (distance(&name.to_lowercase(), &written), name))
        .min()
        .filter(|(distance, _)| *distance <= 1 + written.chars().count() / 5)
        .map(|(_, name)| name)
}

/// The number of insertions, deletions, replacements and swaps of neighbours between two words.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    rows[0] = (0..=b.len()).collect();
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::document::read::read;
    use crate::core::id::RepoPath;

    const fn field(name: &'static str, shape: fn() -> Shape, order: Order, required: bool) -> Field {
        Field { name, shape, order, required }
    }

    fn pair() -> Shape {
        const FIELDS: &[Field] =
            &[field("Name", || Shape::Text, Order::Kept, true), field("Value", || Shape::Text, Order::Kept, false)];
        Shape::Struct { name: "sdk::types::Pair", fields: FIELDS }
    }

    fn thing() -> Shape {
        const FIELDS: &[Field] = &[
            field("cpu", || Shape::Text, Order::Kept, false),
            field("desiredCount", || Shape::Integer, Order::Kept, false),
            field("launchType", || Shape::Enum(&["EC2", "FARGATE"]), Order::Kept, false),
            field("environment", || Shape::List(pair), Order::By(&["Name"]), false),
            field("enabled", || Shape::Boolean, Order::Kept, false),
            field("timeout", || Shape::Duration, Order::Kept, false),
        ];
        Shape::Struct { name: "sdk::types::ThingInput", fields: FIELDS }
    }

    #[track_caller]
    fn problems(text: &str) -> Vec<String> {
        let node = read(&RepoPath::new("a.yaml"), text).unwrap();
        let mut problems = Vec::new();
        check(&node, thing(), &mut problems);
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn all_problems_are_found_at_once_each_with_its_place() {
        let text = "cpu: 1024\nDesiredCount: \"2\"\nlaunchType: FARGAT\nenabled: yes\ntimeout: 15\nmemmory: 1\nlaunchtipe: EC2\nenvironment:\n- {name: A}\n- {Name: A, vaule: x}\n- {Value: x}\n";
        let expected = [
            "a.yaml:1:6: error[E0108]: expected a string, found a number\n  help: put it in quotes: without them YAML reads a number, a truth value or an octal",
            "a.yaml:2:15: error[E0108]: expected a whole number of at most 32 bits, found \"2\"\n  help: take the quotes away",
            "a.yaml:3:13: error[E0108]: expected one of EC2, FARGATE, found \"FARGAT\"\n  help: did you mean `FARGATE`?",
            "a.yaml:4:10: error[E0108]: expected true or false, found \"yes\"",
            "a.yaml:5:10: error[E0108]: expected a duration with its unit, as 30s, 15m or 4h, found a number",
            "a.yaml:6:1: error[E0107]: Thing has no field `memmory`\n  help: the fields are cpu, desiredCount, launchType, environment, enabled, timeout",
            "a.yaml:7:1: error[E0107]: Thing has no field `launchtipe`\n  help: did you mean `launchType`?",
            "a.yaml:10:13: error[E0107]: Pair has no field `vaule`\n  help: did you mean `Value`?",
            "a.yaml:11:3: error[E0109]: Pair needs the field `Name`",
            "a.yaml:10:3: error[E0111]: `environment` has two elements with the Name \"A\"\n  a.yaml:9:3: the first one",
        ];
        assert_eq!(problems(text), expected);
    }

    #[test]
    fn keys_come_back_in_aws_s_spelling() {
        let node = read(&RepoPath::new("a.yaml"), "DesiredCount: 2\nenvironment: [{name: A, value: b}]").unwrap();
        let mut problems = Vec::new();
        let checked = check(&node, thing(), &mut problems);
        assert_eq!(problems, []);
        let expected = serde_json::json!({"desiredCount": 2, "environment": [{"Name": "A", "Value": "b"}]});
        assert_eq!(checked.to_value(), expected);
    }

    #[test]
    fn near_misses_are_near() {
        let known = ["desiredCount", "launchType", "loadBalancers"];
        for (written, meant) in [
            ("desired_count", Some("desiredCount")),
            ("loadbalancer", Some("loadBalancers")),
            ("lauchType", Some("launchType")),
            ("cluster", None),
        ] {
            assert_eq!(closest(written, known.into_iter()), meant, "{written}");
        }
    }
}
