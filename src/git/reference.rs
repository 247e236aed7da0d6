//! Which of the references that a server advertises is the one that is followed.

use super::{Error, Reference};
use git2::Oid;
use semver::Version;
use std::collections::BTreeMap;

/// What a server advertises: full reference names (`refs/heads/main`) and what they point to.
pub(super) type Advertised = BTreeMap<String, Oid>;

/// The most names that an error lists.
const NAMES_SHOWN_MAX: usize = 10;

/// The reference that was chosen.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Choice {
    /// For people: `branch main`, `tag v1.2.3`.
    pub name: String,
    /// A commit, or an annotated tag that leads to one.
    pub target: Oid,
}

/// Chooses among what is advertised.
pub(super) fn choose(reference: &Reference, advertised: &Advertised, url: &str) -> Result<Choice, Error> {
    if !advertised.keys().any(|name| name.starts_with("refs/")) {
        return Err(Error::Empty { url: url.into() });
    }
    let url = || url.to_owned();
    match reference {
        Reference::Branch(branch) => match advertised.get(&format!("refs/heads/{branch}")) {
            Some(&target) => Ok(Choice { name: format!("branch {branch}"), target }),
            None => Err(Error::NoBranch { branch: shown(branch), url: url(), there: names(advertised, "refs/heads/") }),
        },
        Reference::Tag(tag) => match advertised.get(&format!("refs/tags/{tag}")) {
            Some(&target) => Ok(Choice { name: format!("tag {tag}"), target }),
            None => Err(Error::NoTag { tag: shown(tag), url: url(), there: names(advertised, "refs/tags/") }),
        },
        Reference::Semver(range) => {
            let versions =
                in_folder(advertised, "refs/tags/").filter_map(|(tag, target)| Some((version(tag)?, tag, target)));
            let best = versions.filter(|(version, ..)| range.matches(version)).max();
            match best {
                Some((_, tag, target)) => Ok(Choice { name: format!("tag {tag}"), target }),
                None => {
                    let there = names(advertised, "refs/tags/");
                    Err(Error::NoVersion { range: range.to_string(), url: url(), there })
                }
            }
        }
        Reference::Commit(revision) => match full_id(revision.as_str()) {
            Some(target) => Ok(Choice { name: format!("commit {}", revision.short()), target }),
            None => Err(Error::NoCommit {
                revision: format!("{} (40 hex digits are needed)", shown(revision.as_str())),
                url: url(),
            }),
        },
    }
}

/// What is fetched: one branch where one branch is followed (the others of a large repository would only cost), and all
/// tags, because `git.tag` is the nearest of them. A commit can be anywhere.
pub(super) fn refspecs(reference: &Reference) -> Vec<String> {
    let tags = "+refs/tags/*:refs/tags/*".to_owned();
    match reference {
        Reference::Branch(branch) => vec![format!("+refs/heads/{branch}:refs/heads/{branch}"), tags],
        Reference::Tag(_) | Reference::Semver(_) => vec![tags],
        Reference::Commit(_) => vec!["+refs/heads/*:refs/heads/*".to_owned(), tags],
    }
}

/// Whether `name` is among what [`refspecs`] fetches.
pub(super) fn is_wanted(reference: &Reference, name: &str) -> bool {
    name.starts_with("refs/tags/")
        || match reference {
            Reference::Branch(branch) => name.strip_prefix("refs/heads/") == Some(branch),
            Reference::Tag(_) | Reference::Semver(_) => false,
            Reference::Commit(_) => name.starts_with("refs/heads/"),
        }
}

/// The id of a commit in 40 hex digits; shorter ones can come to mean another commit.
pub(super) fn full_id(text: &str) -> Option<Oid> {
    (text.len() == 40).then(|| Oid::from_str(text).ok())?
}

fn version(tag: &str) -> Option<Version> {
    Version::parse(tag.strip_prefix('v').unwrap_or(tag)).ok()
}

fn in_folder<'a>(advertised: &'a Advertised, folder: &'a str) -> impl Iterator<Item = (&'a str, Oid)> {
    advertised.iter().filter_map(move |(name, &target)| Some((name.strip_prefix(folder)?, target)))
}

fn names(advertised: &Advertised, folder: &str) -> String {
    let all: Vec<String> = in_folder(advertised, folder).map(|(name, _)| shown(name)).collect();
    match all.len() {
        0 => "none".to_owned(),
        count if count > NAMES_SHOWN_MAX => {
            format!("{} and {} more", all[..NAMES_SHOWN_MAX].join(", "), count - NAMES_SHOWN_MAX)
        }
        _ => all.join(", "),
    }
}

fn shown(name: &str) -> String {
    name.replace(char::is_control, "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advertised(names: &[&str]) -> Advertised {
        names.iter().map(|name| ((*name).to_owned(), Oid::from_bytes(&[7; 20]).expect("20 bytes"))).collect()
    }

    fn semver(range: &str, tags: &[&str]) -> String {
        let names: Vec<String> = tags.iter().map(|tag| format!("refs/tags/{tag}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let reference = Reference::Semver(range.parse().expect("a range"));
        match choose(&reference, &advertised(&names), "git@acme.io:d") {
            Ok(choice) => choice.name,
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn versions() {
        let tags = ["v1.2.3", "1.10.0", "v1.9.0", "2.0.0-rc.1", "v2.0.0-rc.2", "latest", "v3", "01.0.0", "v0.1.0"];
        for (range, tag) in [
            ("*", "tag 1.10.0"),
            ("^1", "tag 1.10.0"),
            ("~1.2", "tag v1.2.3"),
            (">=1.2, <1.10", "tag v1.9.0"),
            (">=2.0.0-rc.1", "tag v2.0.0-rc.2"),
            ("^0.1", "tag v0.1.0"),
        ] {
            assert_eq!(semver(range, &tags), tag, "{range}");
        }
        let none = semver(">=2", &tags);
        assert!(
            none.starts_with("no tag of git@acme.io:d is a version that matches >=2; tags there: 01.0.0, 1.10.0,"),
            "{none}"
        );
        assert_eq!(semver("*", &["v1.0.0", "1.0.0"]), "tag v1.0.0", "equal versions: always the same one");
    }

    #[test]
    fn what_is_not_there_is_said() {
        let there = advertised(&["HEAD", "refs/heads/main", "refs/heads/release/playground", "refs/tags/prod"]);
        let says = |reference| choose(&reference, &there, "git@acme.io:d").expect_err("an error").to_string();
        assert_eq!(
            says(Reference::Branch("release/prod".into())),
            "the branch release/prod does not exist on git@acme.io:d; branches there: main, release/playground"
        );
        assert_eq!(
            says(Reference::Branch("prod".into())).split(';').next(),
            Some("the branch prod does not exist on git@acme.io:d")
        );
        assert_eq!(
            says(Reference::Tag("main".into())),
            "the tag main does not exist on git@acme.io:d; tags there: prod"
        );
        assert!(says(Reference::Commit("abc".into())).contains("40 hex digits"));
        let nothing =
            choose(&Reference::Branch("main".into()), &advertised(&[]), "/d").expect_err("an error").to_string();
        assert_eq!(nothing, "/d is empty: it has no branch and no tag yet");
        let many: Vec<String> = (0..25).map(|n| format!("refs/heads/b{n:02}")).collect();
        let many = advertised(&many.iter().map(String::as_str).collect::<Vec<_>>());
        let error = choose(&Reference::Branch("x".into()), &many, "/d").expect_err("an error").to_string();
        assert!(error.ends_with("b08, b09 and 15 more"), "{error}");
    }
}
