//! Golden problems: `reading/NAME/` holds the files of an environment, and `problems.txt` what driftless says of them:
//! every problem with its place and the way out, then what is left to work with. `UPDATE_GOLDEN=1 cargo test` writes
//! `problems.txt` anew: read the difference before you commit it. Its first line says what the case is about.

use crate::cases::{commit, golden};
use driftless::aws::tables;
use driftless::core::desired::{self, Context};
use driftless::core::problem::CODES;
use driftless::git::Folder;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/reading");
    let mut cases: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    cases
}

/// Links are copied as links.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, kind) = entry.map(|entry| (entry.path(), entry.file_type().unwrap())).unwrap();
        let target = to.join(path.file_name().unwrap());
        if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(&path).unwrap(), target).unwrap();
        } else if kind.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, target).unwrap();
        }
    }
}

/// Reads the case as the top of a repository, so that paths may leave it.
fn outcome(case: &Path) -> String {
    let place = tempfile::tempdir().unwrap();
    copy(case, place.path());
    fs::create_dir(place.path().join(".git")).unwrap();
    let (shapes, commit, env) = (tables::shapes(), commit(), BTreeMap::new());
    let folder = Folder::open(place.path()).unwrap();
    let context = Context { root: folder.path(), commit: Some(&commit), shapes: &shapes, env: &env };
    let reading = desired::read(&folder, &context, None);
    let mut text: String = reading.problems.iter().map(|problem| format!("{problem}\n")).collect();
    match &reading.desired {
        None => text.push_str("-- no environment\n"),
        Some(desired) => {
            let services: Vec<&str> = desired.services.keys().map(|name| name.as_str()).collect();
            text.push_str(&format!("-- services: {}\n", services.join(", ")));
        }
    }
    text
}

#[test]
fn every_problem_is_said_as_it_was() {
    let wrong: Vec<String> =
        cases().iter().filter_map(|case| golden(&case.join("problems.txt"), &outcome(case)).err()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_code_has_a_case() {
    let all: String = cases().iter().map(|case| fs::read_to_string(case.join("problems.txt")).unwrap()).collect();
    let missing: BTreeSet<&str> =
        CODES.iter().map(|(code, _)| *code).filter(|code| !all.contains(&format!("[{code}]"))).collect();
    assert!(missing.is_empty(), "no case shows {missing:?}");
}
