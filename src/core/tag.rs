//! What people say, in the value of an AWS tag: first what programs read, then who, then why.

/// "Maximum value length - 256 Unicode characters" (ECS, `Tag`).
const VALUE_CHARS_MAX: usize = 256;

/// `HEAD WHO WHY…`. Characters that ECS does not take in tags become blanks.
pub fn value(head: &str, by: &str, why: &str) -> String {
    let taken = |c: char| if c.is_alphanumeric() || " _./=+-@:".contains(c) { c } else { ' ' };
    let by: String = by.chars().map(taken).filter(|c| *c != ' ').collect();
    let by = if by.is_empty() { "somebody" } else { &by };
    let whole = format!("{head} {by} {}", why.chars().map(taken).collect::<String>().trim());
    whole.trim_end().chars().take(VALUE_CHARS_MAX).collect()
}
