//! The invariants of `ARCHITECTURE.md`, read off the sources.
//!
//! ```text
//! file -> Source { code: text without comments and literals, test lines marked } -> paths, words -> rule -> file:line
//! ```

mod rust;

use rust::{Source, begins_with, ends_in, is_word};
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
const THIS: &str = "tests/it/tidy/mod.rs";
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
