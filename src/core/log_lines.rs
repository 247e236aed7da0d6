//! What a task wrote before it stopped: where its lines are, and how they may be shown. Logs hold what nobody meant to
//! show; what looks like a secret is taken out here, before a line leaves the process.

use super::secret::{holds_secret, is_secret_name};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The most characters of one line.
const LINE_CHARS_MAX: usize = 300;
/// What stands where something was taken out.
const HIDDEN: &str = "(hidden)";

/// The last lines of one container of one task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogLines {
    /// The log group.
    pub group: String,
    /// The log stream: the container and the task by name.
    pub stream: String,
    /// The lines, oldest first, with what looks like a secret taken out.
    pub lines: Vec<String>,
}

/// Where a container of a task writes: log group and log stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogStream {
    /// The log group.
    pub group: String,
    /// `PREFIX/CONTAINER/TASK` (ECS guide, "awslogs-stream-prefix").
    pub stream: String,
}

impl LogStream {
    /// Of a container that a task definition, as DescribeTaskDefinition gives it, sends to CloudWatch Logs in `region`.
    /// Without a prefix the stream has a name that only the container instance knows.
    pub fn of(task_definition: &Value, container: &str, task: &str, region: &str) -> Option<Self> {
        let containers = task_definition.get("containerDefinitions")?.as_array()?;
        let named = |found: &&Value| found.get("name").and_then(Value::as_str) == Some(container);
        let configuration = containers.iter().find(named)?.get("logConfiguration")?;
        if configuration.get("logDriver").and_then(Value::as_str) != Some("awslogs") {
            return None;
        }
        let option = |name: &str| configuration.get("options")?.get(name)?.as_str();
        if option("awslogs-region").is_some_and(|found| found != region) {
            return None;
        }
        let stream = format!("{}/{container}/{task}", option("awslogs-stream-prefix")?);
        Some(Self { group: option("awslogs-group")?.to_owned(), stream })
    }
}

/// A line as it may be shown: without what steers terminals, without what looks like a secret, and not too long.
pub fn shown(line: &str) -> String {
    let plain = without_escapes(line);
    let mut text = String::new();
    let mut rest = plain.trim();
    while let Some(first) = rest.chars().next() {
        let word_end = rest.find(|c| !is_of_word(c)).unwrap_or(rest.len());
        if word_end == 0 {
            text.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let (word, after) = rest.split_at(word_end);
        rest = after;
        if holds_secret(&Value::from(word)) {
            text.push_str(HIDDEN);
            continue;
        }
        text.push_str(word);
        if let Some((between, value)) = value_of(word, after) {
            text.push_str(between);
            text.push_str(HIDDEN);
            rest = &after[between.len() + value.len()..];
        }
    }
    match text.char_indices().nth(LINE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// What names, and tokens as services give them out, are made of.
fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || "_-+/.".contains(c)
}

/// The secret that `word` introduces: what stands between, and the secret. `apiKey": "x"`, `DB_PASSWORD=x`, `Bearer x`,
/// `//user:password@host`.
fn value_of<'t>(word: &str, after: &'t str) -> Option<(&'t str, &'t str)> {
    let upto = |from: usize, ends: &dyn Fn(char) -> bool| {
        let value = &after[from..];
        (&after[..from], &value[..value.find(ends).unwrap_or(value.len())])
    };
    if matches!(word, "Bearer" | "bearer" | "Basic") && after.starts_with(' ') {
        return Some(upto(1, &char::is_whitespace));
    }
    if word.strip_prefix("//").is_some_and(|user| !user.contains('/')) && after.starts_with(':') {
        let (between, value) = upto(1, &|c| c == '@' || c == '/' || c.is_whitespace());
        return after[1 + value.len()..].starts_with('@').then_some((between, value));
    }
    if !is_secret_name(word) {
        return None;
    }
    let separated = after.trim_start_matches(['"', '\'', '\\', ' ', ']']);
    let behind = separated.strip_prefix([':', '='])?;
    let value = behind.trim_start_matches([' ', '\\', '>']);
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
    let from = after.len() - value.len() + quote.map_or(0, char::len_utf8);
    let found = match quote {
        Some(quote) => upto(from, &move |c| c == quote),
        None => upto(from, &|c| c.is_whitespace() || ",;&)}]".contains(c)),
    };
    (!found.1.is_empty()).then_some(found)
}

/// Without control characters and the escape sequences of terminals (ECMA-48, CSI).
fn without_escapes(line: &str) -> String {
    let mut text = String::new();
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\u{1b}' => {
                if characters.next_if_eq(&'[').is_some() {
                    while characters.next_if(|c| !('@'..='~').contains(c)).is_some() {}
                    characters.next();
                }
            }
            c if c.is_control() => text.push(' '),
            c => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lines_are_shown_without_what_looks_like_a_secret() {
        for (line, expected) in [
            ("Error: connect ECONNREFUSED 10.0.3.17:6379", "Error: connect ECONNREFUSED 10.0.3.17:6379"),
            ("\u{1b}[31merror\u{1b}[0m\tat x.js:3\r", "error at x.js:3"),
            (
                "cannot reach postgresql://app:pa55@db:5432/x?schema=public",
                "cannot reach postgresql://app:(hidden)@db:5432/x?schema=public",
            ),
            ("DB_PASSWORD=hunter2 is wrong", "DB_PASSWORD=(hidden) is wrong"),
            ("password: hunter2", "password: (hidden)"),
            ("api_key = abc rest", "api_key = (hidden) rest"),
            (r#"{"level":"error","apiKey":"x 1","m":"a"}"#, r#"{"level":"error","apiKey":"(hidden)","m":"a"}"#),
            (r#"config { apiToken: 'x', port: 3 }"#, "config { apiToken: '(hidden)', port: 3 }"),
            (r#"said \"secret\": \"x\""#, r#"said \"secret\": \"(hidden)""#),
            ("GET /?token=abc&page=2", "GET /?token=(hidden)&page=2"),
            ("key AKIAIOSFODNN7EXAMPLE, denied", "key (hidden), denied"),
            ("Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.e30.abc", "Authorization: Bearer (hidden)"),
            ("https://example.org/user:name@x", "https://example.org/user:name@x"),
            ("SyntaxError: Unexpected token } in JSON", "SyntaxError: Unexpected token } in JSON"),
        ] {
            assert_eq!(shown(line), expected);
        }
        let long = shown(&"x ".repeat(1000));
        assert_eq!(long.chars().count(), LINE_CHARS_MAX + 1);
    }

    #[test]
    fn where_a_container_writes() {
        let options =
            json!({ "awslogs-group": "/ecs/api", "awslogs-stream-prefix": "ecs", "awslogs-region": "eu-west-1" });
        let revision = |driver: &str, options: &Value| {
            json!({ "containerDefinitions": [
                { "name": "side" },
                { "name": "api", "logConfiguration": { "logDriver": driver, "options": options } },
            ] })
        };
        let of = |revision: &Value, container: &str, region: &str| {
            LogStream::of(revision, container, "5f1c0a", region).map(|at| format!("{} {}", at.group, at.stream))
        };
        let good = revision("awslogs", &options);
        assert_eq!(of(&good, "api", "eu-west-1").as_deref(), Some("/ecs/api ecs/api/5f1c0a"));
        assert_eq!(of(&good, "api", "us-east-1"), None, "another region's");
        assert_eq!(of(&good, "side", "eu-west-1"), None);
        assert_eq!(of(&revision("splunk", &options), "api", "eu-west-1"), None);
        let nameless = json!({ "awslogs-group": "/ecs/api" });
        assert_eq!(of(&revision("awslogs", &nameless), "api", "eu-west-1"), None);
    }
}
