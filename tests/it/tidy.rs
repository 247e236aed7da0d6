//! The invariants of `ARCHITECTURE.md`, read off the sources.
//!
//! ```text
//! file -> Source { code: text without comments and literals, test lines marked } -> paths, words -> rule -> file:line
//! ```
//!
//! The reader knows as much Rust as it needs: comments, literals, `use` trees, `super` chains, `#[cfg(test)]` items. It
//! looks at what is written; a macro of another crate could hide a path from it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

/// `main -> cli -> daemon -> adapters -> kind -> core`: a room names only rooms of a lower level. Adapters share a
/// level, so they do not name each other: they meet in `daemon`. `settings` is read by `cli` and `daemon` alone.
const ROOMS: &[(&str, u8)] = &[
    ("main", 6),
    ("cli", 5),
    ("daemon", 4),
    ("settings", 3),
    ("git", 2),
    ("aws", 2),
    ("http", 2),
    ("store", 2),
    ("notify", 2),
    ("sim", 2),
    ("kind", 1),
    ("core", 0),
];

/// Crates that only one room names. `aws_lc_rs` is no AWS SDK crate but the cryptography of the whole process.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("aws", &["aws_config", "aws_credential_types", "aws_runtime", "aws_sdk_*", "aws_smithy_*", "aws_types"]),
    ("git", &["git2", "libgit2_sys"]),
    ("store", &["rusqlite", "libsqlite3_sys"]),
    ("http", &["axum", "axum_*", "askama", "tower", "tower_*"]),
];

/// What the pure rooms do not name: the outside world, the clock and chance.
const PURE: &[&str] = &["core", "kind"];
const IMPURE: &[&str] = &[
    "aws_*",
    "axum",
    "git2",
    "hyper",
    "rand",
    "getrandom",
    "fastrand",
    "reqwest",
    "rusqlite",
    "tokio",
    "tokio_util",
    "tracing",
    "std::env",
    "std::fs",
    "std::io",
    "std::net",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "SystemTime",
    "Instant::now",
    "Timestamp::now",
    "Zoned::now",
    // Both read the machine's zoneinfo; what is built in does not change from one machine to the next.
    "TimeZone::get",
    "TimeZone::system",
    "jiff::tz::db",
    "RandomState",
    "stdin",
    "stdout",
    "stderr",
];

/// Words that stand nowhere outside of tests, each with what to do instead.
const WORDS: &[(&str, &str)] = &[
    (".unwrap()", "return the error, or write the code so that there is none"),
    (".expect(", "return the error, or write the code so that there is none"),
    (".unwrap_err()", "match on the result"),
];

/// Words that stand nowhere, not in tests either.
const WORDS_EVERYWHERE: &[(&str, &str)] = &[
    ("#[ignore", "make the test run everywhere, or take it away"),
    ("todo!", "finish it, or give an error that says so"),
    ("unimplemented!", "finish it, or give an error that says so"),
    ("dbg!", "use a tracing event"),
];

/// Words of the pure rooms only.
const PURE_WORDS: &[(&str, &str)] = &[
    ("println!", "give the text to the caller"),
    ("print!", "give the text to the caller"),
    ("eprintln!", "give the text to the caller"),
    ("eprint!", "give the text to the caller"),
    ("env!", "the environment is an argument"),
    ("thread_local!", "state is an argument"),
];

/// The one folder that names the simulated account.
const DEMO: &str = "src/cli/demo/";

/// The one file with unsafe code; it says why.
const UNSAFE_IN: &str = "src/git/process.rs";

/// A file with more lines of code than `LINES_ASKED` should be looked at; with more than `LINES_MAX` it is refused.
/// Tests and tables of names (which are as long as AWS's API) do not count.
const LINES_ASKED: usize = 500;
const LINES_MAX: usize = 700;
const TABLES: &str = "src/aws/tables/";

/// Paths of one machine, written in two parts so that this file has none of them.
const MACHINE_PATHS: &[&str] = &[concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/fa", "rm")];

/// This file names codes, and tests none.
const THIS: &str = "tests/it/tidy.rs";
/// Problem codes that nothing reports yet, and why.
const CODES_NOT_REPORTED: &[(&str, &str)] = &[];
/// Problem codes that no test and no golden case names yet, and why.
const CODES_NOT_TESTED: &[(&str, &str)] = &[];

/// `Operation`'s short names -> the prefix of IAM's actions.
const IAM_PREFIXES: &[(&str, &str)] = &[
    ("ecs", "ecs"),
    ("elbv2", "elasticloadbalancing"),
    ("autoscaling", "application-autoscaling"),
    ("cloudwatch", "cloudwatch"),
    ("discovery", "servicediscovery"),
    ("logs", "logs"),
    ("ecr", "ecr"),
    ("secretsmanager", "secretsmanager"),
    ("ssm", "ssm"),
    ("cloudformation", "cloudformation"),
];
/// Operations that need no permission.
const IAM_FREE: &[&str] = &["GetCallerIdentity"];
/// Actions that are asked for without a call of ours.
const IAM_UNCALLED: &[(&str, &str)] =
    &[("iam:PassRole", "RegisterTaskDefinition checks it for the task role and the execution role")];

#[test]
fn rooms_name_only_rooms_below_them() {
    let level = |room: &str| ROOMS.iter().find(|(name, _)| *name == room).map(|(_, level)| *level);
    check(|source, found| {
        let Some(own) = level(source.room()) else {
            return found.push(1, format!("room `{}` is not in the table ROOMS of {THIS}", source.room()));
        };
        for (line, path) in source.paths() {
            let Some(room) = source.named_room(&path) else { continue };
            let Some(other) = level(&room) else { continue };
            if room != source.room() && other >= own {
                let rule = if other == own { "adapters meet in daemon" } else { "direction" };
                found.push(line, format!("`{}` names `{room}` in `{path}` ({rule})", source.room()));
            }
        }
    });
}

#[test]
fn one_room_knows_each_foreign_world() {
    check(|source, found| {
        for (line, path) in source.paths() {
            for (room, crates) in ONLY_IN {
                if source.room() != *room && crates.iter().any(|name| begins_with(&path, name)) {
                    found.push(line, format!("`{path}`: only `{room}` names this crate"));
                }
            }
        }
    });
}

/// The simulated account shares nothing with what it is the counterpart of, and only the demo knows it: no other command
/// can reach it instead of AWS, or put anything else into the place of the network.
#[test]
fn the_simulated_account_is_in_no_path_to_aws() {
    let mut uses = 0;
    check(|source, found| {
        let demo = source.path.starts_with(DEMO);
        for (line, path) in source.paths() {
            match source.named_room(&path).as_deref() {
                Some("sim") if demo => uses += 1,
                Some("sim") if source.room() != "sim" => {
                    found.push(line, format!("`{path}`: only {DEMO} names the simulated account"));
                }
                Some(room) if source.room() == "sim" && room != "sim" => {
                    found.push(line, format!("`{path}`: `sim` names no other room, and shares no table with them"));
                }
                _ => {}
            }
            if ends_in(&path, "Transport::new") && !demo {
                found.push(line, format!("`{path}`: only {DEMO} replaces the network"));
            }
        }
    });
    assert!(uses > 0, "{DEMO} names the simulated account: the rule above looks at the wrong place");
}

#[test]
fn core_and_kind_are_pure() {
    check(|source, found| {
        if !PURE.contains(&source.room()) {
            return;
        }
        for (line, path) in source.paths() {
            if IMPURE.iter().any(|name| begins_with(&path, name) || (path.contains("::") && ends_in(&path, name))) {
                found.push(line, format!("`{path}`: `{}` is pure: it has no clock, files or network", source.room()));
            }
        }
        found.words(source, PURE_WORDS, false);
    });
}

#[test]
fn one_file_has_unsafe_code() {
    let mut uses = 0;
    check(|source, found| {
        for (line, word) in source.words() {
            match word.as_str() {
                "unsafe" if source.path == UNSAFE_IN => uses += 1,
                "unsafe" => found.push(line, format!("unsafe code: only {UNSAFE_IN} may have it")),
                "unsafe_code" if source.path != UNSAFE_IN => {
                    let text = source.code.lines().nth(line - 1).unwrap_or_default();
                    if !text.contains("deny(unsafe_code)") && !text.contains("forbid(unsafe_code)") {
                        found.push(line, format!("a lint level for unsafe code: only {UNSAFE_IN} may lower it"));
                    }
                }
                _ => {}
            }
        }
    });
    assert_eq!(uses, 1, "{UNSAFE_IN}: one unsafe block is allowed; one that is not needed is taken away here too");
    let root = fs::read_to_string(root().join("src/lib.rs")).expect("src/lib.rs");
    assert!(root.contains("\n#![deny(unsafe_code)]"), "src/lib.rs denies unsafe code");
}

#[test]
fn nothing_unfinished_and_no_hidden_panic() {
    check_all(|source, found| {
        found.words(source, WORDS, false);
        found.words(source, WORDS_EVERYWHERE, true);
    });
}

#[test]
fn every_file_says_what_it_is() {
    check_all(|source, found| {
        if !source.text.starts_with("//!") {
            found.push(1, "a file begins with a `//!` paragraph".to_owned());
        }
    });
}

#[test]
fn files_are_short() {
    check(|source, found| {
        let lines = source.test_lines.iter().filter(|is_test| !**is_test).count();
        if source.path.starts_with(TABLES) || lines <= LINES_ASKED {
            return;
        }
        if lines > LINES_MAX {
            found.push(1, format!("{lines} lines of code; {LINES_MAX} is the most"));
        } else {
            println!("{}: {lines} lines of code; would it be two files?", source.path);
        }
    });
}

#[test]
fn text_names_no_machine_and_has_no_tab() {
    let mut found = Found::default();
    for path in tracked() {
        let file = root().join(&path);
        // A link is a case of its own: what it points to is not ours.
        if file.is_symlink() {
            continue;
        }
        let Ok(text) = fs::read_to_string(file) else { continue };
        found.path.clone_from(&path);
        // Files that are wrong on purpose may hold anything.
        let wrong_on_purpose = path.starts_with("tests/it/reading/");
        for (index, line) in text.lines().enumerate() {
            if line.contains('\t') && !wrong_on_purpose {
                found.push(index + 1, "a tab".to_owned());
            }
            for machine in MACHINE_PATHS {
                let hit = line.match_indices(machine).any(|(at, _)| {
                    !line[..at].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '~' | '}'))
                });
                if hit {
                    found.push(index + 1, format!("`{machine}` is a path of one machine"));
                }
            }
        }
    }
    found.none();
}

#[test]
fn every_problem_code_is_reported_and_tested() {
    const TABLE: &str = "src/core/problem.rs";
    let sources = sources();
    let table = sources.iter().find(|source| source.path == TABLE).expect("the table of codes");
    let (mut reported, mut tested) = (BTreeSet::new(), String::new());
    for source in sources.iter().filter(|source| source.path != THIS) {
        if source.path != TABLE {
            reported
                .extend(source.words().into_iter().filter(|(line, _)| !source.is_test(*line)).map(|(_, word)| word));
        }
        let lines = source.text.lines().enumerate().filter(|(index, _)| source.is_test(index + 1));
        lines.for_each(|(_, line)| tested.extend([line, "\n"]));
    }
    for path in tracked().iter().filter(|path| path.starts_with("tests/it/") && *path != THIS) {
        tested += &fs::read_to_string(root().join(path)).unwrap_or_default();
    }
    let mut found = Found { path: TABLE.to_owned(), ..Found::default() };
    let mut codes = 0;
    for (index, line) in table.text.lines().enumerate() {
        let Some((name, code)) = line.trim().split_once(" = \"").filter(|_| line.trim().ends_with("\";")) else {
            continue;
        };
        let code = code.split('"').next().unwrap_or_default();
        codes += 1;
        let named = |list: &[(&str, &str)]| list.iter().any(|(excepted, _)| *excepted == code);
        match (reported.contains(name), named(CODES_NOT_REPORTED)) {
            (false, false) => found.push(index + 1, format!("{code} {name}: nothing reports it")),
            (true, true) => found.push(index + 1, format!("{code} is reported: take it off CODES_NOT_REPORTED")),
            _ => {}
        }
        let is_tested = tested.contains(code) || tested.split(|c| !is_word(c)).any(|word| word == name);
        match (is_tested, named(CODES_NOT_TESTED)) {
            (false, false) => found.push(index + 1, format!("{code} {name}: no test and no golden case names it")),
            (true, true) => found.push(index + 1, format!("{code} is tested: take it off CODES_NOT_TESTED")),
            _ => {}
        }
    }
    assert!(codes > 10, "the table of codes is no longer read: {codes} codes");
    found.none();
}

#[test]
fn the_policy_allows_what_is_called_and_nothing_else() {
    const POLICY: &str = "deploy/iam-policy.json";
    let text = fs::read_to_string(root().join(POLICY)).expect(POLICY);
    let granted = actions(&text);
    let mut called: BTreeMap<String, String> = BTreeMap::new();
    let mut found = Found::default();
    for source in sources().iter().filter(|source| source.room() == "aws") {
        found.path.clone_from(&source.path);
        for (index, line) in source.text.lines().enumerate().filter(|(index, _)| !source.is_test(index + 1)) {
            for call in ["Operation::read(\"", "Operation::write(\""] {
                let Some((_, rest)) = line.split_once(call) else { continue };
                let words: Vec<_> = rest.split('"').collect();
                let [service, _, name, ..] = words[..] else { continue };
                if IAM_FREE.contains(&name) {
                    continue;
                }
                match IAM_PREFIXES.iter().find(|(ours, _)| *ours == service) {
                    Some((_, prefix)) => {
                        called.insert(format!("{prefix}:{name}"), format!("{}:{}", source.path, index + 1));
                    }
                    None => found.push(index + 1, format!("service `{service}` is not in the table IAM_PREFIXES")),
                }
            }
        }
    }
    // What is written is a table of its own: the service, the operation, and words for people.
    let actions = sources().into_iter().find(|source| source.path == "src/core/action.rs").expect("the table of calls");
    for (index, line) in actions.text.lines().enumerate() {
        let Some((_, rest)) = line.split_once(" = \"") else { continue };
        let words: Vec<_> = rest.split('"').collect();
        let [service, " ", name, ", ", _, ";"] = words[..] else { continue };
        let prefix = IAM_PREFIXES.iter().find(|(ours, _)| *ours == service).map(|(_, prefix)| prefix);
        let prefix = prefix.unwrap_or_else(|| panic!("service `{service}` is not in the table IAM_PREFIXES"));
        called.insert(format!("{prefix}:{name}"), format!("{}:{}", actions.path, index + 1));
    }
    assert!(called.len() > driftless::core::action::Call::ALL.len() / 2, "the table of calls is no longer read");
    found.path = POLICY.to_owned();
    for (action, line) in &granted {
        let excepted = IAM_UNCALLED.iter().any(|(uncalled, _)| uncalled == action);
        if !called.contains_key(action) && !excepted {
            found.push(*line, format!("{action} is allowed and never called"));
        }
    }
    for (action, place) in called.iter().filter(|(action, _)| !granted.contains_key(*action)) {
        found.push(1, format!("{action} is called in {place} and not allowed"));
    }
    assert!(called.len() > 5, "the calls are no longer read: {called:?}");
    found.none();
}

/// The actions of a policy, each with its line. Only what stands in `"Action"` counts, not the keys of conditions.
fn actions(policy: &str) -> BTreeMap<String, usize> {
    let mut actions = BTreeMap::new();
    for (at, _) in policy.match_indices("\"Action\"") {
        let rest = &policy[at + "\"Action\"".len()..];
        let value = rest.trim_start_matches([':', ' ', '\n']);
        let end = if value.starts_with('[') { value.find(']') } else { value.find(['\n', ',']) }.unwrap_or(value.len());
        let start = at + (rest.len() - value.len()) + "\"Action\"".len();
        for (index, word) in value[..end].split('"').enumerate().filter(|(index, _)| index % 2 == 1) {
            let before: usize = value.split('"').take(index).map(|piece| piece.len() + 1).sum();
            actions.insert(word.to_owned(), policy[..start + before].matches('\n').count() + 1);
        }
    }
    actions
}

/// What is against a rule.
#[derive(Default)]
struct Found {
    path: String,
    text: String,
}

impl Found {
    fn push(&mut self, line: usize, what: String) {
        writeln!(self.text, "{}:{line}: {what}", self.path).expect("a String takes everything");
    }

    /// Reports every line that has one of the words.
    fn words(&mut self, source: &Source, words: &[(&str, &str)], in_tests: bool) {
        for (index, line) in source.code.lines().enumerate() {
            if source.is_test(index + 1) && !in_tests {
                continue;
            }
            for (word, instead) in words {
                let hit = line
                    .match_indices(word)
                    .any(|(at, _)| !word.starts_with(is_word) || !line[..at].ends_with(is_word));
                if hit {
                    self.push(index + 1, format!("`{word}`: {instead}"));
                }
            }
        }
    }

    #[track_caller]
    fn none(&self) {
        assert!(self.text.is_empty(), "\n{}", self.text);
    }
}

/// Runs a rule over the program: `src` without its test files.
#[track_caller]
fn check(mut rule: impl FnMut(&Source, &mut Found)) {
    let mut found = Found::default();
    for source in sources().iter().filter(|source| source.path.starts_with("src/") && !source.is_test_file()) {
        found.path.clone_from(&source.path);
        rule(source, &mut found);
    }
    found.none();
}

/// Runs a rule over every Rust file.
#[track_caller]
fn check_all(mut rule: impl FnMut(&Source, &mut Found)) {
    let mut found = Found::default();
    for source in &sources() {
        found.path.clone_from(&source.path);
        rule(source, &mut found);
    }
    found.none();
}

/// One Rust file.
struct Source {
    path: String,
    text: String,
    /// The text with every comment and every inside of a literal blanked, line for line.
    code: String,
    /// For each line whether it belongs to a `#[cfg(test)]` item, or to a file of tests.
    test_lines: Vec<bool>,
}

impl Source {
    fn new(path: String, text: String) -> Self {
        let code = blanked(&text);
        let test_lines = test_lines(&code);
        let mut source = Self { path, text, code, test_lines };
        if source.is_test_file() {
            source.test_lines.fill(true);
        }
        source
    }

    fn is_test_file(&self) -> bool {
        !self.path.starts_with("src/") || self.path.contains("/tests/") || self.path.ends_with("/tests.rs")
    }

    fn is_test(&self, line: usize) -> bool {
        self.test_lines.get(line - 1).copied().unwrap_or(false)
    }

    /// `aws` of `src/aws/call.rs`, `settings` of `src/settings.rs`, `main` of the two crate roots.
    fn room(&self) -> &str {
        match self.path.trim_start_matches("src/").trim_end_matches(".rs").split('/').next() {
            Some("lib") | None => "main",
            Some(room) => room,
        }
    }

    /// The room that a path leads to: `crate::aws::call`, `driftless::aws`, or enough `super`s to leave the own room.
    fn named_room(&self, path: &str) -> Option<String> {
        let parts: Vec<&str> = path.split("::").collect();
        let supers = parts.iter().take_while(|part| **part == "super").count();
        let within = self.path.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
        let first = match parts.first() {
            Some(&"crate" | &"driftless") => 1,
            Some(&"super") if supers == within.split('/').count() => supers,
            _ => return None,
        };
        parts.get(first).map(|room| (*room).to_owned())
    }

    fn words(&self) -> Vec<(usize, String)> {
        let mut words = Vec::new();
        for (index, line) in self.code.lines().enumerate() {
            let all = line.split(|c| !is_word(c)).filter(|word| !word.is_empty());
            words.extend(all.map(|word| (index + 1, word.to_owned())));
        }
        words
    }

    /// Every path outside of tests with its line: `use` trees written out, `a::b::c` in code, single names in `use`.
    fn paths(&self) -> Vec<(usize, String)> {
        let tokens = tokens(&self.code);
        let mut paths = Vec::new();
        let mut at = 0;
        while at < tokens.len() {
            let from = at;
            at = read_path(&tokens, at, "", &mut paths);
            at = at.max(from + 1);
        }
        paths.retain(|(line, _)| !self.is_test(*line));
        paths
    }
}

/// Reads one path, or the tree of a `use`, that begins at token `at`; gives the token after it.
fn read_path(tokens: &[(usize, &str)], mut at: usize, before: &str, paths: &mut Vec<(usize, String)>) -> usize {
    let mut path = before.to_owned();
    let line = tokens[at].0;
    while let Some((_, token)) = tokens.get(at) {
        match *token {
            "{" if !path.is_empty() => {
                at += 1;
                while tokens.get(at).is_some_and(|(_, token)| *token != "}") {
                    let from = at;
                    at = read_path(tokens, at, &path, paths).max(from + 1);
                }
                return at + 1;
            }
            name if name.starts_with(|c: char| is_word(c) && !c.is_ascii_digit()) => {
                if !path.is_empty() {
                    path += "::";
                }
                path += name;
                at += 1;
                if tokens.get(at).is_none_or(|(_, token)| *token != "::") {
                    break;
                }
                at += 1;
            }
            // `collect::<Vec<_>>()`, `use a::*`: the path so far is what counts.
            _ => break,
        }
    }
    if path.len() > before.len() {
        paths.push((line, path));
    }
    at
}

/// Words, `::` and single signs, each with its line.
fn tokens(code: &str) -> Vec<(usize, &str)> {
    let mut tokens = Vec::new();
    for (index, line) in code.lines().enumerate() {
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let length = if is_word(first) {
                rest.find(|c| !is_word(c)).unwrap_or(rest.len())
            } else if rest.starts_with("::") {
                2
            } else {
                first.len_utf8()
            };
            tokens.push((index + 1, &rest[..length]));
            rest = rest[length..].trim_start();
        }
    }
    tokens
}

/// Blanks comments, and what stands inside of texts and characters. Line ends stay.
fn blanked(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    let starts = |at: usize, what: &str| what.chars().enumerate().all(|(i, c)| chars.get(at + i) == Some(&c));
    while at < chars.len() {
        let after_word = at > 0 && is_word(chars[at - 1]);
        let end = if starts(at, "//") {
            (at..chars.len()).find(|i| chars[*i] == '\n').unwrap_or(chars.len())
        } else if starts(at, "/*") {
            end_of_block_comment(&chars, at)
        } else if !after_word && (chars[at] == 'r' || starts(at, "br")) {
            match end_of_raw_text(&chars, at) {
                Some(end) => end,
                None => {
                    code.push(chars[at]);
                    at += 1;
                    continue;
                }
            }
        } else if chars[at] == '"' {
            end_of_quoted(&chars, at, '"')
        } else if chars[at] == '\'' && (chars.get(at + 1) == Some(&'\\') || chars.get(at + 2) == Some(&'\'')) {
            end_of_quoted(&chars, at, '\'')
        } else {
            code.push(chars[at]);
            at += 1;
            continue;
        };
        code.extend(chars[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
        at = end;
    }
    code
}

fn end_of_block_comment(chars: &[char], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0);
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => (at, depth) = (at + 2, depth + 1),
            ('*', Some('/')) => (at, depth) = (at + 2, depth - 1),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    at
}

/// `r"…"`, `r#"…"#`, `br"…"`; `None` where it is a word that begins so.
fn end_of_raw_text(chars: &[char], start: usize) -> Option<usize> {
    let mut at = start + if chars[start] == 'b' { 2 } else { 1 };
    let hashes = chars[at..].iter().take_while(|c| **c == '#').count();
    at += hashes;
    if chars.get(at) != Some(&'"') {
        return None;
    }
    at += 1;
    while at < chars.len() {
        if chars[at] == '"' && chars[at + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes {
            return Some(at + 1 + hashes);
        }
        at += 1;
    }
    Some(at)
}

fn end_of_quoted(chars: &[char], start: usize, quote: char) -> usize {
    let mut at = start + 1;
    while at < chars.len() && chars[at] != quote {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(chars.len())
}

/// Marks the lines of every item under `#[cfg(test)]`.
fn test_lines(code: &str) -> Vec<bool> {
    let mut lines = vec![false; code.lines().count()];
    for (at, _) in code.match_indices("#[cfg(test)]") {
        let mut depth = 0;
        let end = code[at..].char_indices().skip("#[cfg(test)]".len()).find_map(|(offset, c)| {
            match c {
                '{' | '(' | '[' => depth += 1,
                '}' | ')' | ']' => depth -= 1,
                _ => {}
            }
            ((c == '}' || c == ';') && depth <= 0).then_some(at + offset)
        });
        let line = |at: usize| code[..at].matches('\n').count();
        let last = line(end.unwrap_or(code.len())).min(lines.len().saturating_sub(1));
        lines[line(at)..=last].fill(true);
    }
    lines
}

/// Whether a path begins with `name`, the last part of which may end in `*`.
fn begins_with(path: &str, name: &str) -> bool {
    match name.strip_suffix('*') {
        Some(prefix) => path.starts_with(prefix) && path.contains("::"),
        None => {
            path == name && name.contains("::") || path.strip_prefix(name).is_some_and(|rest| rest.starts_with("::"))
        }
    }
}

/// Whether a path has `name` as whole parts at its end or before it, as `jiff::Timestamp::now` has `Timestamp::now`.
fn ends_in(path: &str, name: &str) -> bool {
    format!("::{path}::").contains(&format!("::{name}::"))
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn root() -> &'static Path {
    Path::new(option_env!("CARGO_MANIFEST_DIR").unwrap_or("."))
}

/// Every file that git knows or would take.
fn tracked() -> Vec<String> {
    let arguments = ["-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let listed = Command::new("git").args(arguments).current_dir(root()).output().expect("git");
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let names = String::from_utf8(listed.stdout).expect("names in UTF-8");
    names.split_terminator('\0').map(str::to_owned).collect()
}

fn sources() -> Vec<Source> {
    let rust = tracked().into_iter().filter(|path| path.ends_with(".rs"));
    let sources = rust.filter_map(|path| Some(Source::new(path.clone(), fs::read_to_string(root().join(path)).ok()?)));
    sources.collect()
}

#[test]
fn the_reader_reads_rust() {
    let text = r##"//! Names crate::http in a comment.
use crate::{aws::{call::Calls, error as e}, core::id::*};
use super::super::http;
fn f<'a>(c: char) { let _ = ("crate::git", 'c', '"', r#"".unwrap()"#, b"\"", c == '\''); /* crate::cli */ g::<T>() }
#[cfg(test)]
mod tests { use crate::git; }
fn h() { std::fs::read(x) }
"##;
    let source = Source::new("src/daemon/pass.rs".to_owned(), text.to_owned());
    let paths = source.paths();
    let of = |line| paths.iter().filter(|(at, _)| *at == line).map(|(_, path)| path.as_str()).collect::<Vec<_>>();
    assert_eq!(of(1), Vec::<&str>::new());
    assert!(of(2).starts_with(&["use", "crate::aws::call::Calls", "crate::aws::error"]), "{:?}", of(2));
    assert!(of(2).contains(&"crate::core::id"), "{:?}", of(2));
    assert_eq!(source.named_room("super::super::http").as_deref(), Some("http"));
    assert_eq!(source.named_room("super::queue"), None);
    assert!(!of(4).iter().any(|path| path.contains("crate") || path.contains("unwrap")), "{:?}", of(4));
    assert_eq!(of(6), Vec::<&str>::new());
    assert!(of(7).contains(&"std::fs::read"), "{:?}", of(7));
    assert!(begins_with("aws_sdk_ecs::Client", "aws_sdk_*") && !begins_with("aws_request", "aws_*"));
    assert!(ends_in("jiff::Timestamp::now", "Timestamp::now") && !ends_in("a::Filed", "File"));
}
