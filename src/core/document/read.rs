//! Text of a file -> [`Node`], with limits. YAML 1.2; JSON is read as JSON, with the same places.

use super::{Entry, Node, Place, Tree};
use crate::core::id::RepoPath;
use crate::core::problem::{self, Problem};
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Number;
use serde_saphyr::{Location, Spanned};
use std::fmt;

/// The largest file that is read. A task definition may have 64 KiB (ECS quotas); 1 MiB leaves room for comments.
pub const FILE_BYTES_MAX: usize = 1024 * 1024;
/// The deepest nesting. The deepest AWS input has 8 levels, a service file adds 3.
pub const DEPTH_MAX: usize = 64;
/// The most values in one file, aliases counted as often as they are used.
pub const NODES_MAX: usize = 100_000;

/// Reads one file. Every way in which it can be wrong is a problem with its place.
pub fn read(file: &RepoPath, text: &str) -> Result<Node, Problem> {
    let whole = Place::file(file.clone());
    if text.len() > FILE_BYTES_MAX {
        let size = text.len() / 1024;
        let message = format!("the file has {size} KiB, more than {} KiB", FILE_BYTES_MAX / 1024);
        return Err(Problem::error(problem::LIMIT, &whole, message));
    }
    // Indenting with tabs is legal in JSON and not in YAML; as white space between tokens a blank is the same width.
    let json = file.as_str().ends_with(".json");
    let text = if json { check_json(file, text)?.replace('\t', " ") } else { text.to_owned() };
    let raw: Spanned<Raw> =
        serde_saphyr::from_str_with_options(&text, options()).map_err(|error| syntax(file, &error))?;
    let mut budget = NODES_MAX;
    raw_to_node(raw, file, 0, &mut budget)
}

fn options() -> serde_saphyr::Options {
    let mut budget = serde_saphyr::budget::Budget::default();
    budget.max_depth = DEPTH_MAX + 2;
    budget.flow_nesting_limit = DEPTH_MAX + 2;
    budget.max_nodes = NODES_MAX;
    // JSON keys may be long; YAML's own limit of 1,024 characters is for block mappings.
    budget.simple_key_max_lookahead = FILE_BYTES_MAX;
    let mut options = serde_saphyr::Options::default();
    options.budget = Some(budget);
    options.strict_booleans = true;
    options
}

/// JSON has stricter rules than YAML; a `.json` file is held to its own.
fn check_json<'t>(file: &RepoPath, text: &'t str) -> Result<&'t str, Problem> {
    match serde_json::from_str::<de::IgnoredAny>(text) {
        Ok(_) => Ok(text),
        Err(error) => {
            let place = Place {
                file: file.clone(),
                line: error.line().try_into().unwrap_or(u32::MAX),
                column: error.column().max(1).try_into().unwrap_or(u32::MAX),
                length: 1,
            };
            let message = error.to_string();
            let message = message.split(" at line ").next().unwrap_or(&message).to_owned();
            Err(Problem::error(problem::SYNTAX, &place, message).help("a file that ends in .json must be JSON"))
        }
    }
}

fn syntax(file: &RepoPath, error: &serde_saphyr::Error) -> Problem {
    let place = match error.location() {
        Some(location) if location.line() > 0 => Place { length: 1, ..place(file, &location) },
        _ => Place::file(file.clone()),
    };
    let error = error.without_snippet();
    let text = error.to_string();
    let code = match error {
        serde_saphyr::Error::DuplicateMappingKey { .. } => problem::DUPLICATE,
        _ if text.contains("budget") || text.contains("limit") => problem::LIMIT,
        _ => problem::SYNTAX,
    };
    // The parser appends its own "at line 3, column 5": the place says that already.
    let end = text.find(" at line ").or_else(|| text.find("\n -->")).unwrap_or(text.len());
    Problem::error(code, &place, plain(text[..end].trim().trim_end_matches('.')))
}

/// The parser's words for programmers, and words for people who write files.
const WORDS: &[(&str, &str)] = &[
    (", set DuplicateKeyPolicy in Options if acceptable", ""),
    (
        "multiple YAML documents detected; use from_str_multiple or from_str_multiple_with_options",
        "a file holds one document, and here a second one begins",
    ),
    ("recursive references require weak recursion types", "an anchor holds an alias of itself"),
    ("rejected by the configured policy", "cannot be written in JSON, which AWS is sent"),
];

fn plain(text: &str) -> String {
    if text.starts_with("budget breached: Nodes") {
        return format!("more than {NODES_MAX} values in one file, aliases counted as often as they are used");
    }
    if text.starts_with("recursion limit") || text.starts_with("budget breached: Depth") {
        return format!("nested deeper than {DEPTH_MAX} levels");
    }
    WORDS.iter().fold(text.to_owned(), |text, (theirs, ours)| text.replace(theirs, ours))
}

fn place(file: &RepoPath, location: &Location) -> Place {
    let number = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    Place {
        file: file.clone(),
        line: number(location.line()),
        column: number(location.column()),
        length: number(location.span().len()),
    }
}

fn raw_to_node(raw: Spanned<Raw>, file: &RepoPath, depth: usize, budget: &mut usize) -> Result<Node, Problem> {
    // `referenced` is where an alias is used: the place that the reader of a message looks for.
    let place = place(file, &raw.referenced);
    if depth > DEPTH_MAX {
        return Err(Problem::error(problem::LIMIT, &place, format!("nested deeper than {DEPTH_MAX} levels")));
    }
    *budget = budget
        .checked_sub(1)
        .ok_or_else(|| Problem::error(problem::LIMIT, &place, format!("more than {NODES_MAX} values in one file")))?;
    let tree = match raw.value {
        Raw::Null => Tree::Null,
        Raw::Bool(b) => Tree::Bool(b),
        Raw::Number(n) => Tree::Number(n),
        Raw::Text(t) => Tree::Text(t),
        Raw::List(items) => {
            Tree::List(items.into_iter().map(|i| raw_to_node(i, file, depth + 1, budget)).collect::<Result<_, _>>()?)
        }
        Raw::Map(entries) => Tree::Map(
            entries
                .into_iter()
                .map(|(key, raw)| {
                    Ok(Entry {
                        key_place: self::place(file, &key.referenced),
                        key: key.value,
                        node: raw_to_node(raw, file, depth + 1, budget)?,
                    })
                })
                .collect::<Result<_, Problem>>()?,
        ),
    };
    Ok(Node { tree, place })
}

/// What the parser hands over, before the file's name is known.
enum Raw {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        Raw::deserialize(deserializer)
    }

    fn visit_bool<E>(self, b: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(b))
    }

    fn visit_i64<E>(self, n: i64) -> Result<Raw, E> {
        Ok(Raw::Number(n.into()))
    }

    fn visit_u64<E>(self, n: u64) -> Result<Raw, E> {
        Ok(Raw::Number(n.into()))
    }

    fn visit_f64<E: de::Error>(self, n: f64) -> Result<Raw, E> {
        Number::from_f64(n).map(Raw::Number).ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Raw, E> {
        Ok(Raw::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut map = Vec::new();
        while let Some(key) = entries.next_key::<Spanned<String>>()? {
            map.push((key, entries.next_value()?));
        }
        Ok(Raw::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, text: &str) -> Node {
        read(&RepoPath::new(name), text).unwrap_or_else(|problem| panic!("{problem}"))
    }

    #[test]
    fn places_are_lines_and_columns_from_one() {
        let yaml = node("a.yaml", "name: web\nservice:\n  desiredCount: 2\n  list: [a, b]\n");
        assert_eq!(yaml.get("name").unwrap().place.to_string(), "a.yaml:1:7");
        assert_eq!(yaml.at("/service/desiredCount").unwrap().place.to_string(), "a.yaml:3:17");
        assert_eq!(yaml.at("/service/list/1").unwrap().place.to_string(), "a.yaml:4:13");
        assert_eq!(yaml.entry("service").unwrap().key_place.to_string(), "a.yaml:2:1");
    }

    #[test]
    fn json_with_tabs_escapes_and_long_keys_is_read() {
        let long = "k".repeat(2000);
        let text = format!(
            "{{\n\t\"a\": \"\\ud83d\\ude00\\/x\",\n\t\"{long}\": [1, 2.5, null, true],\n\t\"b\"\t:\t{{}}\n}}\n"
        );
        let json = node("a.json", &text);
        assert_eq!(json.get("a").unwrap().as_text(), Some("\u{1F600}/x"));
        assert_eq!(json.get("a").unwrap().place.line, 2);
        assert_eq!(json.get(&long).unwrap().items().len(), 4);
    }

    #[test]
    fn scalars_are_what_yaml_says_and_yes_stays_a_string() {
        let yaml =
            node("a.yaml", "a: yes\nb: on\nc: 1.10\nd: 012\ne: '1'\nf: ~\ng: 9223372036854775807\nh: true\n80: x\n");
        assert_eq!(yaml.get("a").unwrap().as_text(), Some("yes"));
        assert_eq!(yaml.get("b").unwrap().as_text(), Some("on"));
        assert!(matches!(&yaml.get("c").unwrap().tree, Tree::Number(n) if n.as_f64() == Some(1.1)));
        assert_eq!(yaml.get("e").unwrap().as_text(), Some("1"));
        assert_eq!(yaml.entry("f").unwrap().node.tree, Tree::Null);
        assert_eq!(yaml.get("g").unwrap().as_integer(), Some(i64::MAX));
        assert_eq!(yaml.get("h").unwrap().as_bool(), Some(true));
        assert!(yaml.get("80").is_some());
    }

    #[test]
    fn every_bad_file_is_a_problem_with_a_code() {
        let bomb = format!(
            "a: &a [x,x,x,x,x,x,x,x,x]\n{}",
            (b'b'..=b'i')
                .map(|c| (c as char, (c - 1) as char))
                .map(|(c, p)| format!("{c}: &{c} [*{p},*{p},*{p},*{p},*{p},*{p},*{p},*{p},*{p}]\n"))
                .collect::<String>()
        );
        let cases: &[(&str, String, &str)] = &[
            ("a.yaml", "a: [1\nb: 2".into(), problem::SYNTAX),
            ("a.yaml", "a: 1\na: 2\n".into(), problem::DUPLICATE),
            ("a.yaml", "a:\n\tb: 1".into(), problem::SYNTAX),
            ("a.yaml", "a: 1e309".into(), problem::SYNTAX),
            ("a.yaml", "a: !!python/object/apply:os.system [x]".into(), ""),
            ("a.yaml", "[".repeat(200_000), problem::LIMIT),
            ("a.yaml", format!("a: {}", "x".repeat(FILE_BYTES_MAX)), problem::LIMIT),
            ("a.yaml", bomb, problem::LIMIT),
            ("a.json", "{\"a\": 1,}".into(), problem::SYNTAX),
            ("a.json", "{\"a\": 1} trailing".into(), problem::SYNTAX),
            ("a.yaml", "a: 1\n---\nb: 2\n".into(), problem::SYNTAX),
        ];
        for (name, text, code) in cases {
            let shown: String = text.chars().take(40).collect();
            match read(&RepoPath::new(*name), text) {
                Err(problem) if *code == problem.code => {}
                Err(problem) => assert_eq!(*code, "", "{shown}: {problem}"),
                Ok(_) => assert_eq!(*code, "", "{shown} was accepted"),
            }
        }
    }
}
