//! `${name}` inside scalars, replaced after parsing: values, not text, are substituted (desired-state rule 6).

use super::check::closest;
use super::{Node, Part, Place, Tree};
use crate::core::id::{Kind, ResourceId};
use crate::core::problem::{self, Problem};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The values of names, and which of them were used.
#[derive(Debug, Clone, Default)]
pub struct Variables {
    values: BTreeMap<String, Value>,
    /// Names that exist but have no value here, with the reason: `git.tag` where the commit has none.
    missing: BTreeMap<String, String>,
}

impl Variables {
    /// Gives a name its value.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.values.insert(name.to_owned(), value.into());
    }

    /// Says why a name that may be used has no value here.
    pub fn set_missing(&mut self, name: &str, why: &str) {
        self.missing.insert(name.to_owned(), why.to_owned());
    }

    /// The value of a name.
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.values.get(name)
    }

    /// Replaces every `${name}` below `node`. Names that are used are added to `used`; unknown ones are problems.
    pub fn substitute(&self, node: &mut Node, used: &mut BTreeSet<String>, problems: &mut Vec<Problem>) {
        match &mut node.tree {
            Tree::List(items) => items.iter_mut().for_each(|item| self.substitute(item, used, problems)),
            Tree::Map(entries) => entries.iter_mut().for_each(|e| self.substitute(&mut e.node, used, problems)),
            Tree::Text(text) if text.contains("${") => {
                match self.scalar(text, &node.place, used) {
                    Ok(tree) => node.tree = tree,
                    Err(problem) => problems.push(*problem),
                };
            }
            Tree::Null | Tree::Bool(_) | Tree::Number(_) | Tree::Text(_) | Tree::Template(_) => {}
        }
    }

    fn scalar(&self, text: &str, place: &Place, used: &mut BTreeSet<String>) -> Result<Tree, Box<Problem>> {
        // A scalar that is only `${n}` keeps n's type.
        if let Some(name) = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'))
            && !name.contains(['$', '{', '}'])
            && let Some(value) = self.values.get(name)
        {
            used.insert(name.to_owned());
            return Ok(Node::of_value(value, place).tree);
        }
        let mut parts: Vec<Part> = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            // `$${` is a literal `${`.
            if rest[..at].ends_with('$') {
                push(&mut parts, &rest[..at - 1]);
                push(&mut parts, "${");
                rest = &rest[at + 2..];
                continue;
            }
            push(&mut parts, &rest[..at]);
            let Some(end) = rest[at..].find('}') else {
                let problem = Problem::error(problem::UNKNOWN_VARIABLE, place, "`${` without its `}`");
                return Err(Box::new(problem.help("write `$${` for a literal `${`")));
            };
            let name = &rest[at + 2..at + end];
            used.insert(name.to_owned());
            match self.part(name, place)? {
                Part::Text(text) => push(&mut parts, &text),
                part => parts.push(part),
            }
            rest = &rest[at + end + 1..];
        }
        push(&mut parts, rest);
        Ok(match parts.as_slice() {
            [] => Tree::Text(String::new()),
            [Part::Text(text)] => Tree::Text(text.clone()),
            _ => Tree::Template(parts),
        })
    }

    fn part(&self, name: &str, place: &Place) -> Result<Part, Box<Problem>> {
        if let Some(path) = name.strip_prefix("ssm:").filter(|path| path.starts_with('/')) {
            return Ok(Part::Value(ResourceId::new(Kind::ParameterValue, path)));
        }
        if let Some(output) = name.strip_prefix("cloudformation:").filter(|output| output.contains('.')) {
            return Ok(Part::Value(ResourceId::new(Kind::StackOutput, output)));
        }
        match self.values.get(name) {
            Some(Value::String(text)) => Ok(Part::Text(text.clone())),
            Some(value @ (Value::Bool(_) | Value::Number(_))) => Ok(Part::Text(value.to_string())),
            Some(_) => {
                let message = format!("`${{{name}}}` is a list or mapping and cannot stand inside a string");
                Err(Box::new(Problem::error(problem::UNKNOWN_VARIABLE, place, message)))
            }
            None => Err(Box::new(self.unknown(name, place))),
        }
    }

    fn unknown(&self, name: &str, place: &Place) -> Problem {
        if let Some(why) = self.missing.get(name) {
            return Problem::error(problem::UNKNOWN_VARIABLE, place, format!("`${{{name}}}` has no value: {why}"));
        }
        let problem = Problem::error(problem::UNKNOWN_VARIABLE, place, format!("there is no variable `{name}`"));
        match closest(name, self.values.keys().map(String::as_str)) {
            Some(known) => problem.help(format!("did you mean `{known}`?")),
            None if name.starts_with("env.") => {
                problem.help("only environment variables that the daemon's settings list can be used")
            }
            None => problem.help("declare it under `variables` in environment.yaml, or write `$${` for a literal `${`"),
        }
    }
}

fn push(parts: &mut Vec<Part>, text: &str) {
    match parts.last_mut() {
        _ if text.is_empty() => {}
        Some(Part::Text(last)) => last.push_str(text),
        _ => parts.push(Part::Text(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::document::read::read;
    use crate::core::id::RepoPath;
    use serde_json::json;

    #[track_caller]
    fn substituted(text: &str) -> (Value, Vec<String>) {
        let mut variables = Variables::default();
        variables.set("registry", "1.dkr.ecr");
        variables.set("count", 3);
        variables.set("subnets", json!(["a", "b"]));
        variables.set_missing("git.tag", "no tag reaches this commit");
        let mut node = read(&RepoPath::new("a.yaml"), text).unwrap();
        let (mut used, mut problems) = (BTreeSet::new(), Vec::new());
        variables.substitute(&mut node, &mut used, &mut problems);
        (node.to_value(), problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn values_keep_their_type_and_text_is_joined() {
        let text = "a: ${registry}/x:2\nb: ${count}\nc: n${count}\nd: ${subnets}\ne: $${HOME}/${count}\nf: $5\ng: '${ssm:/vpc/id}-x'\n";
        let expected = json!({"a": "1.dkr.ecr/x:2", "b": 3, "c": "n3", "d": ["a", "b"], "e": "${HOME}/3", "f": "$5",
            "g": "(value of parameter value /vpc/id)-x"});
        assert_eq!(substituted(text), (expected, vec![]));
    }

    #[test]
    fn unknown_names_are_problems_with_their_place() {
        let (_, problems) =
            substituted("a: x-${regstry}\nb: ${git.tag}\nc: ${env.HOME}\nd: '${open'\ne: 'x${subnets}'\n");
        assert_eq!(
            problems,
            [
                "a.yaml:1:4: error[E0110]: there is no variable `regstry`\n  help: did you mean `registry`?",
                "a.yaml:2:4: error[E0110]: `${git.tag}` has no value: no tag reaches this commit",
                "a.yaml:3:4: error[E0110]: there is no variable `env.HOME`\n  help: only environment variables that the daemon's settings list can be used",
                "a.yaml:4:4: error[E0110]: `${` without its `}`\n  help: write `$${` for a literal `${`",
                "a.yaml:5:4: error[E0110]: `${subnets}` is a list or mapping and cannot stand inside a string",
            ]
        );
    }
}
