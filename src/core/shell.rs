//! Commands as people copy them into a shell.

/// The arguments that lead a command to an environment: in a repository (`main` is what commands read by themselves), or in
/// a folder of the disk.
pub fn place(repo: Option<&str>, branch: Option<&str>, path: &str) -> String {
    let repo = repo.map(|repo| format!("--repo {} ", quoted(repo))).unwrap_or_default();
    let branch = branch.filter(|branch| *branch != "main").map(|branch| format!("--ref {} ", quoted(branch)));
    format!("{repo}{}--path {}", branch.unwrap_or_default(), quoted(if path.is_empty() { "." } else { path }))
}

/// One argument of a POSIX shell.
fn quoted(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:@+=,~".contains(&byte);
    match !text.is_empty() && !text.starts_with('~') && text.bytes().all(plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_stay_one_each() {
        for (repo, branch, path, expected) in [
            (None, None, "", "--path ."),
            (None, None, "my env", "--path 'my env'"),
            (Some("git@github.com:a/b.git"), Some("main"), "p/q", "--repo git@github.com:a/b.git --path p/q"),
            (Some("https://h/a"), Some("next"), ".", "--repo https://h/a --ref next --path ."),
            (Some("/a; rm -rf"), Some("it's"), "~", r"--repo '/a; rm -rf' --ref 'it'\''s' --path '~'"),
        ] {
            assert_eq!(place(repo, branch, path), expected);
        }
    }
}
