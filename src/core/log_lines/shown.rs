//! Lines of logs as they may be shown. Logs hold what nobody meant to show: what looks like a secret, or stands where one
//! stands, is taken out here, before a line leaves the process. Rather too much than too little.

use crate::core::secret::{holds_secret, is_secret_name};
use serde_json::Value;

/// The most characters of one line.
const LINE_CHARS_MAX: usize = 300;
/// What stands where something was taken out.
const HIDDEN: &str = "(hidden)";
/// How a key begins and ends in text (RFC 7468).
const KEY_BEGINS: &str = "-----BEGIN";
const KEY_ENDS: &str = "-----END";

/// Names under which secrets stand in what programs write, beside those of settings.
const NAMES: &[&str] = &["authorization", "cookie", "jwt", "signature", "sessionid", "session_id", "session-id"];

/// Lines without what steers terminals, without what looks like a secret, and not too long. A key may go over several.
pub fn shown<'l>(lines: impl IntoIterator<Item = &'l str>) -> Vec<String> {
    let mut in_key = false;
    let one = |line: &str| {
        let text = without_keys(&without_escapes(line), &mut in_key);
        match text.char_indices().nth(LINE_CHARS_MAX) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text,
        }
    };
    lines.into_iter().map(one).collect()
}

/// A line without the keys in it, or the part of one. `in_key` is whether a key has begun and not ended.
fn without_keys(line: &str, in_key: &mut bool) -> String {
    let mut line = line.trim();
    let mut text = String::new();
    if *in_key {
        match line.find(KEY_ENDS) {
            Some(at) => {
                *in_key = false;
                text.push_str(HIDDEN);
                line = behind_key(&line[at..]);
            }
            // What only mentions a key is followed by other lines.
            None if is_of_key(line) => return HIDDEN.to_owned(),
            None => {}
        }
    }
    while let Some(at) = line.find(KEY_BEGINS) {
        text.push_str(&without_secrets(&line[..at]));
        text.push_str(HIDDEN);
        match line[at..].find(KEY_ENDS) {
            Some(end) => line = behind_key(&line[at + end..]),
            None => {
                *in_key = true;
                return text;
            }
        }
    }
    text.push_str(&without_secrets(line));
    text
}

/// What follows the line with which a key ends.
fn behind_key(end: &str) -> &str {
    let rest = &end[KEY_ENDS.len()..];
    rest.find("-----").map_or("", |at| &rest[at + 5..])
}

/// Whether a line may be one of a key: Base64, as programs print the lines of a text.
fn is_of_key(line: &str) -> bool {
    let text = line.trim_end_matches([' ', '+', ',', '"', '\'']).trim_start_matches(['"', '\'', '+', ' ']);
    let text = text.trim_end_matches("\\n").trim_end_matches("\\r");
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte))
}

/// A text without what looks like a secret, word by word.
fn without_secrets(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line;
    // Whether a name was a value: `{"name": "DB_PASSWORD", "value": "x"}`.
    let mut named = false;
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|c| !is_of_word(c)).unwrap_or(rest.len());
        if end == 0 {
            text.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let found = in_address(rest).or_else(|| {
            let (word, after) = rest.split_at(end);
            let is_value = named && word.eq_ignore_ascii_case("value");
            let (from, to) = if is_value { assigned(word, after) } else { value_of(word, after) }?;
            Some((end + from, end + to))
        });
        let (shown, hidden) = found.unwrap_or((end, end));
        text.push_str(&without_tokens(&rest[..end]));
        text.push_str(&rest[end..shown.max(end)]);
        if hidden > shown {
            text.push_str(HIDDEN);
        } else if is_name(&rest[..end]) {
            named |= rest[end..].trim_start_matches('\\').starts_with(['"', '\'']);
        }
        rest = &rest[hidden..];
    }
    text
}

/// What names, and tokens as services give them out, are made of.
fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || "_-+/.".contains(c)
}

/// A word without what is a secret by its form: itself, or a part of a path.
fn without_tokens(word: &str) -> String {
    if holds_secret(&Value::from(word)) {
        return HIDDEN.to_owned();
    }
    let mut text = String::new();
    for part in word.split_inclusive(['/', '.']) {
        let name = part.trim_end_matches(['/', '.']);
        text.push_str(if holds_secret(&Value::from(name)) { HIDDEN } else { name });
        text.push_str(&part[name.len()..]);
    }
    text
}

/// Whether secrets stand behind this name.
fn is_name(word: &str) -> bool {
    // `TokenExpiredError: jwt expired`.
    if word.ends_with("Error") || word.ends_with("Exception") {
        return false;
    }
    let lower = word.to_lowercase();
    let ends = ["pass", "pwd", ".sid"].iter().any(|end| lower.ends_with(end)) || lower == "sig";
    // `accountKey` is `account_key`.
    let camel = word.strip_suffix("Key").is_some_and(|before| before.ends_with(|c: char| c.is_ascii_lowercase()));
    ends || camel || NAMES.iter().any(|name| lower.contains(name)) || is_secret_name(word)
}

/// The password in `//user:password@host`: where it begins and ends.
fn in_address(text: &str) -> Option<(usize, usize)> {
    let authority = text.strip_prefix("//")?;
    let end = authority.find(|c: char| c.is_whitespace() || "\"'<>`\\".contains(c)).unwrap_or(authority.len());
    let first = authority[..end].find('@')?;
    // A password may have an @ of its own; a path may, too.
    let host = &authority[first..end];
    let last = host[..host.find(['/', '?', '#']).unwrap_or(host.len())].rfind('@')?;
    let (user, password) = authority[..first + last].split_once(':')?;
    let behind_digits = password.trim_start_matches(|c: char| c.is_ascii_digit());
    let is_port = behind_digits.len() < password.len() && behind_digits.starts_with(['/', '?', '#']);
    if user.contains(['/', '?', '#']) || is_port || password.is_empty() {
        return None;
    }
    let from = 2 + user.len() + 1;
    Some((from, from + password.len()))
}

/// The secret that `word` introduces, by where it begins and ends in what follows: `apiKey": "x"`, `DB_PASSWORD=x`,
/// `Bearer x`, `--password x`, `'Cookie', 'x'`.
fn value_of(word: &str, after: &str) -> Option<(usize, usize)> {
    let is_scheme = ["bearer", "basic"].iter().any(|scheme| word.eq_ignore_ascii_case(scheme));
    if is_scheme && after.starts_with(' ') {
        return Some((1, 1 + upto(&after[1..], |c| c.is_whitespace() || "\"'".contains(c))));
    }
    if !is_name(word) {
        return None;
    }
    if word.starts_with("--") && after.starts_with(' ') && !after.starts_with(" -") {
        return value_at(word, after, 1);
    }
    pair(word, after).or_else(|| assigned(word, after))
}

/// `'Cookie', 'x'`: names and values one after the other.
fn pair(word: &str, after: &str) -> Option<(usize, usize)> {
    let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let behind = after[1..].trim_start().strip_prefix(',')?.trim_start();
    let (from, to) = value_at(word, after, after.len() - behind.len()).filter(|_| behind.starts_with(quote))?;
    // `"DB_PASSWORD", "value": "x"` goes on with another name.
    let is_next = after[to..].trim_start_matches(quote).trim_start().starts_with(':');
    (!is_next).then_some((from, to))
}

/// `name: x`, `name = "x"`, `"name": "x"`, `:name => "x"`.
fn assigned(word: &str, after: &str) -> Option<(usize, usize)> {
    let separated = after.trim_start_matches(['"', '\'', '`', '\\', ' ', ']']);
    let behind = separated.strip_prefix([':', '='])?;
    let value = behind.trim_start_matches([' ', '>', '=']);
    // `token.js:10:5` is a place.
    let extension = word.rsplit_once('.').map(|(_, extension)| extension).filter(|end| end.len() <= 4 && !is_name(end));
    if extension.is_some() && separated.len() == after.len() && behind.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    value_at(word, after, after.len() - value.len())
}

/// The value that begins at `at`.
fn value_at(word: &str, after: &str, at: usize) -> Option<(usize, usize)> {
    let unescaped = after[at..].trim_start_matches('\\');
    let escapes = after.len() - at - unescaped.len();
    let (from, length) = match unescaped.chars().next()? {
        quote @ ('"' | '\'' | '`') => {
            let from = at + escapes + 1;
            (from, quoted(&after[from..], quote, escapes))
        }
        open @ ('[' | '{') => (at + escapes, bracketed(unescaped, open)),
        _ => {
            let (scheme, end) = bare(word, after, at);
            (at + scheme, end)
        }
    };
    (length > 0).then_some((from, from + length))
}

/// How long a value is until its quote, which has as many backslashes before it as the first one.
fn quoted(value: &str, quote: char, escapes: usize) -> usize {
    let mut backslashes = 0;
    for (at, c) in value.char_indices() {
        if c == quote && (backslashes <= escapes && escapes > 0 || escapes == 0 && backslashes % 2 == 0) {
            return at;
        }
        backslashes = if c == '\\' { backslashes + 1 } else { 0 };
    }
    value.len()
}

/// How long a list or a mapping is.
fn bracketed(value: &str, open: char) -> usize {
    let close = if open == '[' { ']' } else { '}' };
    let mut depth = 0;
    for (at, c) in value.char_indices() {
        depth += i32::from(c == open) - i32::from(c == close);
        if depth == 0 {
            return at + 1;
        }
    }
    value.len()
}

/// How much of a value without quotes is the name of a scheme, and how long the rest is.
fn bare(word: &str, after: &str, at: usize) -> (usize, usize) {
    let (lower, value) = (word.to_lowercase(), &after[at..]);
    if lower.contains("cookie") {
        return (0, upto(value, |c| "\"'".contains(c)));
    }
    if lower.contains("authorization") {
        let scheme =
            value.split_once(' ').filter(|(scheme, _)| scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
        let scheme = scheme.map_or(0, |(scheme, _)| scheme.len() + 1);
        return (scheme, upto(&value[scheme..], |c| "\"'".contains(c)));
    }
    // A variable as a shell has it goes on to the next blank.
    let is_variable =
        after.starts_with('=') && word.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    let ends: fn(char) -> bool = match is_variable {
        true => |c| c.is_whitespace() || c == '"',
        false => |c| c.is_whitespace() || ",;&)}]".contains(c),
    };
    (0, upto(value, ends))
}

fn upto(text: &str, ends: impl Fn(char) -> bool) -> usize {
    text.find(ends).unwrap_or(text.len())
}

/// Without control characters, what cannot be seen, and the escape sequences of terminals (ECMA-48, CSI).
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
            // Without a width, or turning the direction of what follows.
            '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' => {}
            c if c.is_control() => text.push(' '),
            c => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(line: &str) -> String {
        shown([line]).remove(0)
    }

    #[test]
    fn lines_are_shown_without_what_looks_like_a_secret() {
        for (line, expected) in [
            ("Error: connect ECONNREFUSED 10.0.3.17:6379", "Error: connect ECONNREFUSED 10.0.3.17:6379"),
            ("\u{1b}[31merror\u{1b}[0m\tat x.js:3\r", "error at x.js:3"),
            ("DB_PASSWORD=hunter2 is wrong", "DB_PASSWORD=(hidden) is wrong"),
            ("password: hunter2", "password: (hidden)"),
            ("api_key = abc rest", "api_key = (hidden) rest"),
            (r#"{"level":"error","apiKey":"x 1","m":"a"}"#, r#"{"level":"error","apiKey":"(hidden)","m":"a"}"#),
            (r#"config { apiToken: 'x', port: 3 }"#, "config { apiToken: '(hidden)', port: 3 }"),
            (r#"said \"secret\": \"x\""#, r#"said \"secret\": \"(hidden)""#),
            ("GET /?token=abc&page=2", "GET /?token=(hidden)&page=2"),
            ("key AKIAIOSFODNN7EXAMPLE, denied", "key (hidden), denied"),
            ("Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.e30.abc", "Authorization: Bearer (hidden)"),
            ("SyntaxError: Unexpected token } in JSON", "SyntaxError: Unexpected token } in JSON"),
        ] {
            assert_eq!(one(line), expected);
        }
        let long = one(&"x ".repeat(1000));
        assert_eq!(long.chars().count(), LINE_CHARS_MAX + 1);
    }

    #[test]
    fn passwords_in_addresses() {
        for (line, expected) in [
            (
                "cannot reach postgresql://app:pa55@db:5432/x?schema=public",
                "cannot reach postgresql://app:(hidden)@db:5432/x?schema=public",
            ),
            ("redis://:pa/5@cache:6379", "redis://:(hidden)@cache:6379"),
            ("'amqps://ana%40corp:p@ss@mq/a@b'", "'amqps://ana%40corp:(hidden)@mq/a@b'"),
            ("https://example.org/user:name@x", "https://example.org/user:name@x"),
            ("http://localhost:8080/@scope?to=a@b", "http://localhost:8080/@scope?to=a@b"),
            ("https://ghp_0123456789abcdefABCD@github.com/x", "https:(hidden)@github.com/x"),
            (
                "POST https://hooks.slack.com/services/T0AB/B0AB/a1B2c3D4e5F6g7H8i9J0k1L2",
                "POST https://hooks.slack.com/services/T0AB/B0AB/(hidden)",
            ),
        ] {
            assert_eq!(one(line), expected);
        }
    }

    #[test]
    fn secrets_as_programs_write_them() {
        for (line, expected) in [
            (r#"{"password":"a\"b c","n":1}"#, r#"{"password":"(hidden)","n":1}"#),
            (r#"{"password":"a\\","n":1}"#, r#"{"password":"(hidden)","n":1}"#),
            (r#""{\"password\":\"a\\\"b\",\"n\":1}""#, r#""{\"password\":\"(hidden)",\"n\":1}""#),
            (r#"{"tokens":["a","b"],"n":1}"#, r#"{"tokens":(hidden),"n":1}"#),
            (r#"{"name":"DB_PASSWORD","value":"x"}"#, r#"{"name":"DB_PASSWORD","value":"(hidden)"}"#),
            ("auth: { user: 'ana', pass: 'x y' }", "auth: { user: 'ana', pass: '(hidden)' }"),
            (
                "Server=db;User Id=sa;Password=a b;Pwd=x;Database=y",
                "Server=db;User Id=sa;Password=(hidden) b;Pwd=(hidden);Database=y",
            ),
            ("AccountName=x;AccountKey=ab+/c==;Suffix=y", "AccountName=x;AccountKey=(hidden);Suffix=y"),
            ("DB_PASS=a,b;c&d)e next", "DB_PASS=(hidden) next"),
            ("mysqldump --password hunter2 --user x", "mysqldump --password (hidden) --user x"),
            ("rawHeaders: [ 'Cookie', 'a=1; b=2', 'Host', 'x' ]", "rawHeaders: [ 'Cookie', '(hidden)', 'Host', 'x' ]"),
            ("Set-Cookie: sid=abc; Path=/; HttpOnly", "Set-Cookie: (hidden)"),
            ("curl -H 'Authorization: token abc' https://x", "curl -H 'Authorization: token (hidden)' https://x"),
            ("Authorization: dXNlcjpwYXNz", "Authorization: (hidden)"),
            ("'Basic dXNlcjpwYXNz', 'x'", "'Basic (hidden)', 'x'"),
            (
                "Authorization: AWS4-HMAC-SHA256 Credential=AK/x, Signature=0a1b",
                "Authorization: AWS4-HMAC-SHA256 (hidden)",
            ),
            ("?X-Amz-Signature=0a1b&X-Amz-Expires=60", "?X-Amz-Signature=(hidden)&X-Amz-Expires=60"),
            ("pass\u{200b}word=x", "password=(hidden)"),
            // Places of programs are none.
            ("at verify (/app/jsonwebtoken/verify.js:152:21)", "at verify (/app/jsonwebtoken/verify.js:152:21)"),
            ("at app.TokenService.load(TokenService.java:42)", "at app.TokenService.load(TokenService.java:42)"),
            ("TokenExpiredError: jwt expired", "TokenExpiredError: jwt expired"),
            ("bad header: expected a token, got }", "bad header: expected a token, got }"),
        ] {
            assert_eq!(one(line), expected);
        }
    }

    #[test]
    fn keys_may_go_over_several_lines() {
        let (begins, ends) = (format!("{KEY_BEGINS} RSA PRIVATE KEY-----"), format!("{KEY_ENDS} RSA PRIVATE KEY-----"));
        let lines = [
            format!("key is {begins}"),
            "MIIEpAIBAAKCAQEA".to_owned(),
            "listening on port 80".to_owned(),
            "'aB3=\\n' +".to_owned(),
            format!("{ends} and more"),
            "plain".to_owned(),
            format!("in one: {begins}\\nMIIE\\naB3=\\n{ends}\\n, it said"),
            format!("\"{begins}\nMIIE\n{ends}\""),
        ];
        let expected = [
            "key is (hidden)",
            "(hidden)",
            "listening on port 80",
            "(hidden)",
            "(hidden) and more",
            "plain",
            "in one: (hidden)\\n, it said",
            "\"(hidden)\"",
        ];
        assert_eq!(shown(lines.iter().map(String::as_str)), expected);
    }
}
