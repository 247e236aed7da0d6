//! As much Rust as the rules need: comments, literals, `use` trees, `super` chains, `#[cfg(test)]` items. It looks at what
//! is written; a macro of another crate could hide a path from it.

/// One Rust file.
pub struct Source {
    pub path: String,
    pub text: String,
    /// The text with every comment and every inside of a literal blanked, line for line.
    pub code: String,
    /// For each line whether it belongs to a `#[cfg(test)]` item, or to a file of tests.
    pub test_lines: Vec<bool>,
}

impl Source {
    pub fn new(path: String, text: String) -> Self {
        let code = blanked(&text);
        let test_lines = test_lines(&code);
        let mut source = Self { path, text, code, test_lines };
        if source.is_test_file() {
            source.test_lines.fill(true);
        }
        source
    }

    pub fn is_test_file(&self) -> bool {
        !self.path.starts_with("src/") || self.path.contains("/tests/") || self.path.ends_with("/tests.rs")
    }

    pub fn is_test(&self, line: usize) -> bool {
        self.test_lines.get(line - 1).copied().unwrap_or(false)
    }

    /// `aws` of `src/aws/call.rs`, `settings` of `src/settings.rs`, `main` of the two crate roots.
    pub fn room(&self) -> &str {
        match self.path.trim_start_matches("src/").trim_end_matches(".rs").split('/').next() {
            Some("lib") | None => "main",
            Some(room) => room,
        }
    }

    /// The room that a path leads to: `crate::aws::call`, `driftless::aws`, or enough `super`s to leave the own room.
    pub fn named_room(&self, path: &str) -> Option<String> {
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

    pub fn words(&self) -> Vec<(usize, String)> {
        let mut words = Vec::new();
        for (index, line) in self.code.lines().enumerate() {
            let all = line.split(|c| !is_word(c)).filter(|word| !word.is_empty());
            words.extend(all.map(|word| (index + 1, word.to_owned())));
        }
        words
    }

    /// Every path outside of tests with its line: `use` trees written out, `a::b::c` in code, single names in `use`.
    pub fn paths(&self) -> Vec<(usize, String)> {
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
pub fn begins_with(path: &str, name: &str) -> bool {
    match name.strip_suffix('*') {
        Some(prefix) => path.starts_with(prefix) && path.contains("::"),
        None => {
            path == name && name.contains("::") || path.strip_prefix(name).is_some_and(|rest| rest.starts_with("::"))
        }
    }
}

/// Whether a path has `name` as whole parts at its end or before it, as `jiff::Timestamp::now` has `Timestamp::now`.
pub fn ends_in(path: &str, name: &str) -> bool {
    format!("::{path}::").contains(&format!("::{name}::"))
}

pub fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
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
