//! What a commit is said to be, held against the real `git` command.

use super::*;
use std::collections::BTreeSet;
use std::process::Command;

/// What `git describe --abbrev=0 --tags` prints.
fn real_describe(world: &World, commit: Oid) -> Option<String> {
    let output = Command::new("git")
        .args(["-c", "safe.directory=*", "describe", "--abbrev=0", "--tags", &commit.to_string()])
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_DIR", world.remote.path())
        .output()
        .expect("the git command");
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn our_describe(world: &World, commit: Oid) -> Option<String> {
    commit_info(world.remote.path(), &revision(commit), None).expect("info").tag
}

fn annotate(world: &World, tag: &str, target: Oid, seconds: i64) {
    let who = Signature::new("Ada", "ada@acme.io", &Time::new(seconds, 0)).expect("a signature");
    let object = world.remote.find_object(target, None).expect("an object");
    world.remote.tag(tag, &object, &who, "a tag", true).expect("a tag");
}

#[test]
fn the_nearest_tag_on_a_known_graph() {
    let world = World::new();
    let tree = world.raw_tree(&[]);
    let commit = |parents: &[Oid], seconds| world.commit_of(parents, tree, seconds, "c");
    let root = commit(&[], 100);
    assert_eq!(our_describe(&world, root), None);
    let left = commit(&[root], 200);
    let right = commit(&[root], 300);
    let merge = commit(&[left, right], 400);
    let top = commit(&[merge], 500);
    world.set("refs/tags/on-left", left);
    annotate(&world, "on-root", root, 900);
    annotate(&world, "prod/2", right, 900);
    annotate(&world, "prod/1", right, 950);
    world.set("refs/tags/a-lightweight", right);
    world.set("refs/tags/of-a-blob", world.blob(b"text"));
    for id in [root, left, right, merge, top] {
        assert_eq!(our_describe(&world, id), real_describe(&world, id), "{id}");
    }
    assert_eq!(our_describe(&world, right).as_deref(), Some("prod/1"), "annotated, and the newest");
    assert_eq!(our_describe(&world, left).as_deref(), Some("on-left"));
}

/// Random graphs with merges, equal and crooked dates, and more tags than git weighs.
#[test]
fn the_nearest_tag_on_random_graphs() {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: usize| {
        // xorshift64*: the same graphs in every run.
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        usize::try_from(state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33).expect("31 bits") % below
    };
    for graph in 0..12 {
        let world = World::new();
        let tree = world.raw_tree(&[]);
        let mut commits: Vec<Oid> = Vec::new();
        for number in 0..40 {
            let mut parents: Vec<Oid> = Vec::new();
            for _ in 0..[0, 1, 1, 1, 2, 2, 3][if number == 0 { 0 } else { random(7) }] {
                let parent = commits[commits.len() - 1 - random(commits.len().min(6))];
                if !parents.contains(&parent) {
                    parents.push(parent);
                }
            }
            let seconds = 1_000_000
                + i64::try_from(if graph % 3 == 0 { random(5) } else { number * 2 + random(9) }).expect("small");
            commits.push(world.commit_of(&parents, tree, seconds, &format!("{graph} {number}")));
        }
        for tag in 0..[2, 6, 20][graph % 3] {
            let target = commits[random(commits.len())];
            match random(2) {
                0 => world.set(&format!("refs/tags/t{tag}"), target),
                _ => annotate(&world, &format!("t{tag}"), target, i64::try_from(random(3)).expect("small")),
            }
        }
        for &id in commits.iter().skip(4).step_by(5) {
            assert_eq!(our_describe(&world, id), real_describe(&world, id), "graph {graph}, commit {id}");
        }
    }
}

#[test]
fn text_of_a_commit_fits_on_a_line() {
    let world = World::new();
    let tree = world.raw_tree(&[]);
    let tree_id = tree.to_string();
    let raw = |author: &[u8], message: &[u8], seconds: &str| {
        let bytes = [
            b"tree ",
            tree_id.as_bytes(),
            b"\nauthor ",
            author,
            b" <a@b> 0 +0000\ncommitter x <a@b> ",
            seconds.as_bytes(),
            b" +0000\n\n",
            message,
        ];
        let id = world.remote.odb().and_then(|odb| odb.write(ObjectType::Commit, &bytes.concat())).expect("a commit");
        commit_info(world.remote.path(), &revision(id), Some("main")).expect("info")
    };
    let commit =
        raw("Ada \u{1b}[31mLovelace\u{202e}".as_bytes(), b"\n\n  Ship \x1b]0;it\x07 now\r\n\nbody\n", "1700000000");
    assert_eq!(commit.author, "Ada \u{fffd}[31mLovelace\u{fffd}");
    assert_eq!(commit.subject, "Ship \u{fffd}]0;it\u{fffd} now");
    assert_eq!((commit.branch.as_deref(), commit.committed_at.as_second()), (Some("main"), 1_700_000_000));
    assert_eq!(raw(b"M\xfcller", b"gr\xfc\xdfe", "0").author, "M\u{fffd}ller");
    assert_eq!(raw(b"", b"", "0").subject, "");
    assert_eq!(raw(b"a", &[b'x'; 5000], "0").subject.len(), 200);
    // The years 1900 and 2200, and one that is none.
    assert_eq!(raw(b"a", b"old", "-2208988800").committed_at.as_second(), -2_208_988_800);
    assert_eq!(raw(b"a", b"new", "7258118400").committed_at.as_second(), 7_258_118_400);
    assert_eq!(raw(b"a", b"never", "9223372036854775807").committed_at.as_second(), 0);
}

#[test]
fn a_folder_knows_its_commit() {
    let folder = tempfile::tempdir().expect("a folder");
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.current_dir(folder.path()).args([
            "-c",
            "user.name=Ada",
            "-c",
            "user.email=a@b",
            "-c",
            "init.defaultBranch=main",
        ]);
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null").args(arguments);
        assert!(command.output().expect("the git command").status.success(), "{arguments:?}");
    };
    git(&["init", "-q"]);
    std::fs::create_dir_all(folder.path().join("env/prod")).expect("folders");
    let opened = Folder::open(&folder.path().join("env/prod")).expect("a folder");
    assert_eq!(opened.commit(), None, "no commit yet");
    git(&["commit", "-q", "--allow-empty", "-m", "The first"]);
    git(&["tag", "v1"]);
    git(&["commit", "-q", "--allow-empty", "-m", "The second"]);
    let commit = opened.commit().expect("a commit");
    assert_eq!((commit.branch.as_deref(), commit.tag.as_deref()), (Some("main"), Some("v1")));
    assert_eq!((commit.subject.as_str(), commit.author.as_str()), ("The second", "Ada"));
    git(&["checkout", "-q", "--detach"]);
    assert_eq!(opened.commit().expect("a commit").branch, None);
}

#[test]
fn which_commits_changed_which_files() {
    let world = World::new();
    let first = world.commit(&[], &[("a.yaml", b"1"), ("b/c.yaml", b"1")]);
    let second = world.commit(&[first], &[("a.yaml", b"2"), ("b/c.yaml", b"1")]);
    let aside = world.commit(&[first], &[("a.yaml", b"1"), ("b/c.yaml", b"2")]);
    let merged = world.commit(&[second, aside], &[("a.yaml", b"2"), ("b/c.yaml", b"2")]);
    let gone = world.commit(&[merged], &[("a.yaml", b"2")]);
    let files = |names: &[&str]| names.iter().map(|name| RepoPath::new(*name)).collect::<BTreeSet<_>>();
    let changes = |from, until: Option<Oid>, most, names: &[&str]| -> Vec<(Revision, BTreeSet<RepoPath>)> {
        let until = until.map(revision);
        let found = last_changes(world.remote.path(), &revision(from), until.as_ref(), most, files(names)).unwrap();
        found.into_iter().map(|change| (change.revision, change.files)).collect()
    };
    let both = ["a.yaml", "b/c.yaml", "never.yaml"];
    let expected = [(revision(merged), files(&["b/c.yaml"])), (revision(second), files(&["a.yaml"]))];
    assert_eq!(changes(merged, None, 9, &both), expected, "a merge counts against its first parent");
    assert_eq!(changes(merged, Some(second), 9, &both), expected[..1]);
    assert_eq!(changes(merged, None, 1, &both), expected[..1]);
    assert_eq!(changes(gone, None, 9, &["b/c.yaml"]), [(revision(gone), files(&["b/c.yaml"]))], "deleted");
    assert_eq!(changes(aside, None, 9, &["a.yaml"]), [(revision(first), files(&["a.yaml"]))], "the first commit");
    assert_eq!(changes(merged, None, 9, &[]), []);
}
