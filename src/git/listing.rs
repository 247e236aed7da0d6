//! What the files of a commit and of a folder have in common: names, limits, and text.

use crate::core::document::Place;
use crate::core::document::read::FILE_BYTES_MAX;
use crate::core::id::RepoPath;
use crate::core::problem::{self, Problem};
use crate::core::source::{ENTRIES_MAX, Entry, EntryKind, TREE_BYTES_MAX};
use std::sync::Arc;

/// The deepest folder below the configured path. Paths grow with the depth, and nobody reads the fifth level.
pub(super) const FOLDERS_DEEP_MAX: usize = 32;

/// A list of entries in the making, held to the limits of promise S12.
pub(super) struct Listing<'f> {
    folder: &'f RepoPath,
    entries: Vec<Entry>,
    /// Folders count too: a tree can hold itself-like trees without any file.
    seen: usize,
    bytes: u64,
}

impl<'f> Listing<'f> {
    pub fn of(folder: &'f RepoPath) -> Self {
        Self { folder, entries: Vec::new(), seen: 0, bytes: 0 }
    }

    /// Counts one entry of any kind; `depth` is that of the folder it lies in.
    pub fn count(&mut self, depth: usize) -> Result<(), Problem> {
        self.seen += 1;
        if self.seen > ENTRIES_MAX {
            return Err(self.over(format!("more than {ENTRIES_MAX} files and folders")));
        }
        if depth > FOLDERS_DEEP_MAX {
            return Err(self.over(format!("folders nested more than {FOLDERS_DEEP_MAX} deep")));
        }
        Ok(())
    }

    pub fn add(&mut self, path: RepoPath, kind: EntryKind, id: impl Into<Arc<str>>, size: u64) -> Result<(), Problem> {
        self.bytes = self.bytes.saturating_add(size);
        if self.bytes > TREE_BYTES_MAX {
            return Err(self.over(format!("more than {} MiB of files", TREE_BYTES_MAX / 1024 / 1024)));
        }
        self.entries.push(Entry { path, kind, id: id.into(), size });
        Ok(())
    }

    /// The entries, sorted. A damaged or forged tree may have one name twice, and then nobody can say which is meant.
    pub fn finish(mut self) -> Result<Vec<Entry>, Problem> {
        self.entries.sort_by(|a, b| a.path.cmp(&b.path));
        match self.entries.windows(2).find(|pair| pair[0].path == pair[1].path) {
            Some(pair) => Err(refused(&pair[0].path, "the tree has this name twice")),
            None => Ok(self.entries),
        }
    }

    fn over(&self, what: String) -> Problem {
        let folder = shown(self.folder);
        Problem::without_place(problem::LIMIT, format!("{folder} has {what}"))
            .help("point the source's path to the folder of one environment")
    }
}

/// The path of `name` in `folder`. Names that mean something else to a shell, a file system or a terminal are refused;
/// nothing of a commit is ever written to a disk, so this is the second wall, not the first.
pub(super) fn child(folder: &RepoPath, name: &[u8]) -> Result<RepoPath, Problem> {
    let text = String::from_utf8_lossy(name);
    let path = |text: &str| match folder.as_str() {
        "" => RepoPath::new(text),
        folder => RepoPath::new(format!("{folder}/{text}")),
    };
    let refuse = |why| {
        let text = text.replace(char::is_control, "\u{fffd}");
        Err(refused(&path(&text), why))
    };
    if str::from_utf8(name).is_err() {
        return refuse("its name is not UTF-8");
    }
    if text.chars().any(char::is_control) {
        return refuse("its name contains a control character");
    }
    if text.contains(['/', '\\']) || matches!(&*text, "" | "." | "..") {
        return refuse("its name could lead out of its folder");
    }
    if is_dot_git(&text) {
        return refuse("its name is one of git's own");
    }
    Ok(path(&text))
}

/// `.git` as the usual file systems understand it: any case, NTFS's short name and endings, HFS+'s ignored characters.
fn is_dot_git(name: &str) -> bool {
    let ignored =
        |c: char| matches!(c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}');
    let name: String = name.chars().filter(|&c| !ignored(c)).collect::<String>().to_lowercase();
    let name = name.split(':').next().unwrap_or_default().trim_end_matches(['.', ' ']);
    name == ".git" || name == "git~1"
}

/// The parts of a path, or a problem for one that is not as [`RepoPath`] promises.
pub(super) fn parts(path: &RepoPath) -> Result<Vec<&str>, Problem> {
    let parts: Vec<&str> = path.as_str().split('/').filter(|part| !part.is_empty()).collect();
    for part in &parts {
        child(&path.parent(), part.as_bytes())?;
    }
    Ok(parts)
}

/// The text of a file.
pub(super) fn text(path: &RepoPath, bytes: &[u8]) -> Result<Arc<str>, Problem> {
    match str::from_utf8(bytes) {
        Ok(text) => Ok(Arc::from(text)),
        Err(error) => {
            let message = format!("the file is not UTF-8 text (byte {})", error.valid_up_to());
            Err(Problem::error(problem::SYNTAX, &Place::file(path.clone()), message).help("save it as UTF-8"))
        }
    }
}

/// A problem for a file over the limit.
pub(super) fn check_size(path: &RepoPath, size: u64) -> Result<(), Problem> {
    if size <= FILE_BYTES_MAX as u64 {
        return Ok(());
    }
    let message = format!("the file has {} KiB, more than {} KiB", size / 1024, FILE_BYTES_MAX / 1024);
    Err(Problem::error(problem::LIMIT, &Place::file(path.clone()), message))
}

pub(super) fn refused(path: &RepoPath, why: &str) -> Problem {
    Problem::error(problem::REFUSED_ENTRY, &Place::file(path.clone()), format!("{path} is refused: {why}"))
}

pub(super) fn refused_link(path: &RepoPath) -> Problem {
    refused(path, "it is a symbolic link").help("commit a copy of the file, or take it in with `extends`")
}

pub(super) fn refused_submodule(path: &RepoPath) -> Problem {
    refused(path, "it is a submodule")
        .help("commit the files themselves, or give the other repository a source of its own")
}

pub(super) fn no_folder(folder: &RepoPath, why: &str) -> Problem {
    Problem::without_place(problem::NO_ENVIRONMENT, format!("there is no folder {}: {why}", shown(folder)))
        .help("check the path of the source")
}

fn shown(folder: &RepoPath) -> &str {
    if folder.as_str().is_empty() { "the top of the repository" } else { folder.as_str() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let folder = RepoPath::new("environments/prod");
        for name in [
            "a.yaml",
            "größe.yaml",
            ".gitignore",
            ".gitattributes",
            "with space",
            "-rf",
            "git~2",
            "a\u{200b}b",
            "日本.yaml",
        ] {
            let path = child(&folder, name.as_bytes()).expect(name);
            assert_eq!(path.as_str(), format!("environments/prod/{name}"));
        }
        let refused: [&[u8]; 16] = [
            b"",
            b".",
            b"..",
            b".git",
            b".GIT",
            b"git~1",
            b"GIT~1",
            b".git ",
            b".git.",
            b".git::$INDEX",
            b"a/b",
            b"a\\b",
            b"a\0b",
            b"a\r",
            b"\x1b[31m",
            b"\xff\xfe",
        ];
        for name in refused {
            let problem = child(&folder, name).expect_err("refused");
            assert_eq!(problem.code, problem::REFUSED_ENTRY);
            assert!(!problem.to_string().contains(|c: char| c.is_control() && c != '\n'), "{problem:?}");
        }
        assert!(child(&folder, ".g\u{200c}it".as_bytes()).is_err());
    }
}
