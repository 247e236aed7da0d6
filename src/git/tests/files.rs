//! Reading the files of a commit and of a folder.

use super::*;
use crate::core::problem;
use crate::core::source::{ENTRIES_MAX, EntryKind, Files};
use std::fs;
use std::os::unix::fs::symlink;

fn path(text: &str) -> RepoPath {
    RepoPath::new(text)
}

/// The code of the problem; there must be one.
fn code<T: std::fmt::Debug>(result: Result<T, problem::Problem>) -> &'static str {
    result.expect_err("a problem").code
}

/// The files of a commit with this tree, read where it was made: some of these trees no transport would deliver.
fn files_of(world: &World, tree: Oid) -> CommitFiles {
    open(world.remote.path(), world.commit_of(&[], tree, 1_700_000_000, "a tree"))
}

#[test]
fn lists_and_reads() {
    let world = World::new();
    let commit = world.commit(
        &[],
        &[
            ("environments/prod/services/api.yaml", b"a: 1\n"),
            ("environments/prod/environment.yaml", "größe: €\n".as_bytes()),
            ("environments/prod.md", b"outside\n"),
            ("base/api.yaml", b"b: 2\n"),
        ],
    );
    world.set("refs/heads/main", commit);
    let files = open(&world.fetch_main().expect("a tip").mirror, commit);
    let entries = files.list(&path("environments/prod")).expect("entries");
    let shown: Vec<_> = entries.iter().map(|entry| (entry.path.as_str(), entry.size, entry.kind)).collect();
    assert_eq!(
        shown,
        [
            ("environments/prod/environment.yaml", 13, EntryKind::File),
            ("environments/prod/services/api.yaml", 5, EntryKind::File),
        ]
    );
    assert_eq!(&*entries[1].id, world.blob(b"a: 1\n").to_string());
    assert_eq!(files.list(&path("")).expect("entries").len(), 4);
    let read = |text: &str| files.read(&path(text)).expect("readable");
    assert_eq!(read("environments/prod/environment.yaml").as_deref(), Some("größe: €\n"));
    assert_eq!(read("base/api.yaml").as_deref(), Some("b: 2\n"));
    for absent in ["base/none.yaml", "base", "base/api.yaml/x", "none/none.yaml", ""] {
        assert_eq!(read(absent), None, "{absent}");
    }
    let problem = files.list(&path("environments/test")).expect_err("a problem");
    assert_eq!(problem.message, "there is no folder environments/test: the commit does not have it");
    let problem = files.list(&path("base/api.yaml")).expect_err("a problem");
    assert_eq!(problem.message, "there is no folder base/api.yaml: it is a file");
    assert_eq!(code(files.read(&path("../secret"))), problem::REFUSED_ENTRY);
    assert_eq!(code(files.list(&path("base/.git"))), problem::REFUSED_ENTRY);
}

#[test]
fn it_can_be_sent_to_another_thread() {
    fn send<T: Send + 'static>() {}
    send::<CommitFiles>();
    send::<Folder>();
    send::<Error>();
}

#[test]
fn links_and_submodules_are_listed_and_refused() {
    let world = World::new();
    let link = world.blob(b"../../../../etc/passwd");
    let elsewhere = Oid::from_bytes(&[7; 20]).expect("20 bytes");
    let file = world.blob(b"x: 1\n");
    let tree = world.raw_tree(&[
        ("100644", b"a.yaml", file),
        ("120000", b"link.yaml", link),
        ("160000", b"module", elsewhere),
    ]);
    let root = world.raw_tree(&[("120000", b"away", link), ("40000", b"env", tree), ("160000", b"other", elsewhere)]);
    let files = files_of(&world, root);
    let kinds: Vec<_> = files.list(&path("env")).expect("entries").into_iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds, [EntryKind::File, EntryKind::Symlink, EntryKind::Submodule]);
    for refused in ["env/link.yaml", "env/module", "env/module/a.yaml", "away/a.yaml", "other"] {
        let problem = files.read(&path(refused)).expect_err(refused);
        assert_eq!(problem.code, problem::REFUSED_ENTRY, "{refused}");
        assert!(problem.message.contains(refused.trim_end_matches("/a.yaml")), "{problem}");
    }
    assert_eq!(code(files.list(&path("away"))), problem::REFUSED_ENTRY);
    assert_eq!(code(files.list(&path("other"))), problem::REFUSED_ENTRY);
}

#[test]
fn hostile_trees_are_refused() {
    let names: [&[u8]; 7] = [b"..", b".", b".git", b".GIT", b"a\\b", b"new\nline", b"\xff.yaml"];
    for name in names {
        let world = World::new();
        let file = world.blob(b"x: 1\n");
        let tree = world.raw_tree(&[("100644", name, file)]);
        let files = files_of(&world, world.raw_tree(&[("40000", b"env", tree)]));
        assert_eq!(code(files.list(&path("env"))), problem::REFUSED_ENTRY, "{name:?}");
    }
    let world = World::new();
    let file = world.blob(b"x: 1\n");
    let twice = world.raw_tree(&[("100644", b"a", file), ("100644", b"a", file)]);
    let forged = world.raw_tree(&[("100644", b"a", twice)]);
    let forged_folder = world.raw_tree(&[("40000", b"a", file)]);
    let odd = world.raw_tree(&[("10644", b"a", file)]);
    let root = [
        ("40000", &b"forged"[..], forged),
        ("40000", b"forgedfolder", forged_folder),
        ("40000", b"odd", odd),
        ("40000", b"twice", twice),
    ];
    let files = files_of(&world, world.raw_tree(&root));
    for folder in ["forged", "forgedfolder", "odd", "twice"] {
        assert_eq!(code(files.list(&path(folder))), problem::REFUSED_ENTRY, "{folder}");
    }
}

#[test]
fn unusual_names_are_read() {
    let world = World::new();
    let names = [
        "-rf.yaml",
        "with space.yaml",
        "größe.yaml",
        "日本.yaml",
        "*.yaml",
        "a$(id).yaml",
        "CON.yaml",
        ".gitattributes",
    ];
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (*name, name.as_bytes())).collect();
    let commit = world.commit(&[], &files);
    world.set("refs/heads/main", commit);
    let files = open(&world.fetch_main().expect("a tip").mirror, commit);
    assert_eq!(files.list(&path("")).expect("entries").len(), names.len());
    for name in names {
        assert_eq!(files.read(&path(name)).expect("readable").as_deref(), Some(name));
    }
}

#[test]
fn limits_and_text() {
    let world = World::new();
    let big = vec![b'x'; 1024 * 1024 + 1];
    let commit = world.commit(
        &[],
        &[("big/a", &big), ("big/b", &big[1..]), ("latin/a.yaml", b"gr\xf6\xdfe: 1"), ("nul/a.yaml", b"a\0b")],
    );
    world.set("refs/heads/main", commit);
    let files = open(&world.fetch_main().expect("a tip").mirror, commit);
    let problem = files.read(&path("big/a")).expect_err("too big");
    assert_eq!((problem.code, problem.message.as_str()), (problem::LIMIT, "the file has 1024 KiB, more than 1024 KiB"));
    assert!(files.read(&path("big/b")).expect("readable").is_some());
    let problem = files.read(&path("latin/a.yaml")).expect_err("no UTF-8");
    assert_eq!((problem.code, problem.message.as_str()), (problem::SYNTAX, "the file is not UTF-8 text (byte 2)"));
    assert!(
        files.read(&path("nul/a.yaml")).expect("readable").is_some(),
        "the reader of documents has its own word on NUL"
    );
}

#[test]
fn trees_without_end_are_refused() {
    let world = World::new();
    let file = world.blob(&vec![b'x'; 1024 * 1024]);
    let names: Vec<String> = (0..=ENTRIES_MAX).map(|n| format!("f{n:06}")).collect();
    let small = world.blob(b"");
    let wide: Vec<_> = names.iter().map(|name| ("100644", name.as_bytes(), small)).collect();
    let wide = world.raw_tree(&wide);
    let heavy: Vec<_> = names[..65].iter().map(|name| ("100644", name.as_bytes(), file)).collect();
    let heavy = world.raw_tree(&heavy);
    // 10 x 10 x 10 x … folders of one tree object each: a bomb of a few hundred bytes.
    let mut bomb = world.raw_tree(&[("100644", b"f", small)]);
    let mut deep = bomb;
    for _ in 0..9 {
        let ten: Vec<_> = names[..10].iter().map(|name| ("40000", name.as_bytes(), bomb)).collect();
        bomb = world.raw_tree(&ten);
    }
    for _ in 0..200 {
        deep = world.raw_tree(&[("40000", b"d", deep)]);
    }
    let root =
        [("40000", &b"bomb"[..], bomb), ("40000", b"deep", deep), ("40000", b"heavy", heavy), ("40000", b"wide", wide)];
    let files = files_of(&world, world.raw_tree(&root));
    for folder in ["bomb", "deep", "heavy", "wide"] {
        assert_eq!(code(files.list(&path(folder))), problem::LIMIT, "{folder}");
    }
}

#[test]
fn a_folder_in_a_repository_reaches_its_whole_and_no_further() {
    let world = World::new();
    let top = world.folder.path().join("work");
    fs::create_dir_all(top.join("environments/prod/services")).expect("folders");
    fs::create_dir_all(top.join("base/.git")).expect("a folder");
    fs::create_dir_all(top.join("shared")).expect("a folder");
    fs::create_dir_all(top.join(".git")).expect("a folder");
    for (name, text) in [
        ("environments/prod/environment.yaml", "a: 1\n"),
        ("environments/prod/services/api.yaml", "b: 2\n"),
        ("shared/api.yaml", "c: 3\n"),
    ] {
        fs::write(top.join(name), text).expect("written");
    }
    symlink("/etc/passwd", top.join("environments/prod/services/evil.yaml")).expect("a link");
    symlink("../shared", top.join("environments/linked")).expect("a link");
    let folder = Folder::open(&top.join("environments/prod")).expect("a folder");
    assert_eq!(folder.path(), &path("environments/prod"));
    let entries = folder.list(folder.path()).expect("entries");
    let shown: Vec<_> = entries.iter().map(|entry| (entry.path.as_str(), entry.kind)).collect();
    assert_eq!(
        shown,
        [
            ("environments/prod/environment.yaml", EntryKind::File),
            ("environments/prod/services/api.yaml", EntryKind::File),
            ("environments/prod/services/evil.yaml", EntryKind::Symlink),
        ]
    );
    assert_eq!((entries[0].id.len(), entries[0].size), (64, 5));
    assert_eq!(folder.read(&path("shared/api.yaml")).expect("readable").as_deref(), Some("c: 3\n"));
    assert_eq!(folder.read(&path("shared/none.yaml")).expect("readable"), None);
    assert_eq!(folder.read(&path("shared")).expect("readable"), None);
    for refused in
        ["environments/prod/services/evil.yaml", "environments/linked/api.yaml", "base/x", "../x", ".git/config"]
    {
        assert_eq!(code(folder.read(&path(refused))), problem::REFUSED_ENTRY, "{refused}");
    }
    assert_eq!(
        folder.list(&path("")).expect("entries").iter().filter(|entry| entry.kind == EntryKind::Submodule).count(),
        1
    );
    assert_eq!(code(folder.list(&path("none"))), problem::NO_ENVIRONMENT);
    assert_eq!(folder.commit(), None, "a .git without a repository in it");
}

#[test]
fn a_folder_outside_of_a_repository() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir_all(folder.path().join("a/prod")).expect("folders");
    fs::write(folder.path().join("a/base.yaml"), "a: 1\n").expect("written");
    fs::write(folder.path().join("a/prod/environment.yaml"), b"\xff").expect("written");
    let opened = Folder::open(&folder.path().join("a/prod")).expect("a folder");
    assert_eq!(opened.path(), &path("prod"));
    assert_eq!(opened.read(&path("base.yaml")).expect("readable").as_deref(), Some("a: 1\n"));
    assert_eq!(code(opened.read(&path("prod/environment.yaml"))), problem::SYNTAX);
    assert_eq!(opened.commit(), None);
    let error = Folder::open(&folder.path().join("none")).err().expect("an error").to_string();
    assert!(error.ends_with("none cannot be read"), "{error}");
    assert!(Folder::open(&folder.path().join("a/base.yaml")).is_err());
}
