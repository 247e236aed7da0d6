//! Fetching into the mirror, from a repository on the same machine.

use super::*;
use crate::core::source::Files;
use std::fs;
use std::os::unix::fs::PermissionsExt;

#[test]
fn an_empty_repository_is_said_to_be_empty() {
    let world = World::new();
    assert_eq!(world.says(Reference::Branch("main".into())), "/remote.git/ is empty: it has no branch and no tag yet");
    assert!(!mirror_path(&world.source(Reference::Branch("main".into())), &world.state()).expect("a path").exists());
}

#[test]
fn only_news_are_fetched() {
    let world = World::new();
    let first = world.number(&[], 1);
    world.set("refs/heads/main", first);
    let tip = world.fetch_main().expect("a tip");
    assert_eq!((&tip.revision, tip.branch.as_deref(), tip.fetched), (&revision(first), Some("main"), true));
    assert_eq!(tip.name, "branch main");
    assert!(!world.fetch_main().expect("a tip").fetched);
    // Another branch is no news, a tag on the same commit is.
    world.set("refs/heads/other", world.number(&[first], 2));
    assert!(!world.fetch_main().expect("a tip").fetched);
    world.set("refs/tags/v1", first);
    assert!(world.fetch_main().expect("a tip").fetched);
    assert_eq!(commit_info(&tip.mirror, &tip.revision, None).expect("info").tag.as_deref(), Some("v1"));
    world.delete("refs/tags/v1");
    assert!(world.fetch_main().expect("a tip").fetched, "a tag that is gone is pruned");
    assert_eq!(commit_info(&tip.mirror, &tip.revision, None).expect("info").tag, None);
}

#[test]
fn the_mirror_is_bare_and_closed() {
    let world = World::new();
    world.set("refs/heads/main", world.number(&[], 1));
    let tip = world.fetch_main().expect("a tip");
    let mode = |path: &Path| fs::metadata(path).expect("metadata").permissions().mode() & 0o777;
    assert_eq!(mode(&world.state()), 0o700);
    assert_eq!(mode(&world.state().join("git")), 0o700);
    assert!(Repository::open_bare(&tip.mirror).expect("a repository").is_bare());
    let hooks = files_below(&tip.mirror.join("hooks"));
    assert!(hooks.iter().all(|hook| hook.extension().is_some_and(|end| end == "sample")), "{hooks:?}");
    assert!(!tip.mirror.join("environments").exists());
}

#[test]
fn references_that_are_missing() {
    let world = World::new();
    let first = world.number(&[], 1);
    world.set("refs/heads/main", first);
    world.set("refs/heads/release/playground", first);
    world.set("refs/tags/v1.0.0", first);
    let missing = "the branch release/prod does not exist on /remote.git/; branches there: main, release/playground";
    assert_eq!(world.says(Reference::Branch("release/prod".into())), missing);
    let missing = "the tag v2 does not exist on /remote.git/; tags there: v1.0.0";
    assert_eq!(world.says(Reference::Tag("v2".into())), missing);
    let missing = "no tag of /remote.git/ is a version that matches ^2; tags there: v1.0.0";
    assert_eq!(world.says(Reference::Semver("^2".parse().expect("a range"))), missing);
    let missing = format!("the commit {} is on no branch or tag of /remote.git/", "7".repeat(40));
    assert_eq!(world.says(Reference::Commit(Revision::new("7".repeat(40)))), missing);
    world.set("refs/tags/text", world.blob(b"no commit"));
    assert_eq!(world.says(Reference::Tag("text".into())), "tag text on /remote.git/ does not point to a commit");
}

#[test]
fn a_failure_leaves_the_last_commit_readable() {
    let world = World::new();
    let first = world.number(&[], 1);
    world.set("refs/heads/main", first);
    let tip = world.fetch_main().expect("a tip");
    world.delete("refs/heads/main");
    assert!(world.says(Reference::Branch("main".into())).contains("is empty"));
    fs::rename(world.remote.path(), world.folder.path().join("moved")).expect("moved");
    assert!(world.says(Reference::Branch("main".into())).starts_with("there is no repository at /remote.git"));
    let text = open(&tip.mirror, first).read(&RepoPath::new("environments/prod/environment.yaml")).expect("readable");
    assert_eq!(text.as_deref(), Some("n: 1\n"));
}

#[test]
fn tags_versions_and_commits() {
    let world = World::new();
    let first = world.number(&[], 1);
    let second = world.number(&[first], 2);
    let third = world.number(&[second], 3);
    world.set("refs/heads/v1.2.0", third);
    let who = Signature::new("Ada", "ada@acme.io", &Time::new(1_700_000_000, 0)).expect("a signature");
    let object = world.remote.find_object(first, None).expect("an object");
    let annotated = world.remote.tag("v1.2.0", &object, &who, "one", false).expect("a tag");
    let annotated = world.remote.find_object(annotated, None).expect("an object");
    world.remote.tag("twice", &annotated, &who, "two", false).expect("a tag of a tag");
    world.set("refs/tags/1.10.0", second);
    world.set("refs/tags/2.0.0-rc.1", third);
    let tip = |reference| world.fetch(reference).expect("a tip");
    assert_eq!(tip(Reference::Tag("v1.2.0".into())).revision, revision(first), "the tag, not the branch of that name");
    assert_eq!(tip(Reference::Branch("v1.2.0".into())).revision, revision(third));
    assert_eq!(tip(Reference::Tag("twice".into())).revision, revision(first));
    assert_eq!(tip(Reference::Semver("*".parse().expect("a range"))).name, "tag 1.10.0");
    let release_candidate = tip(Reference::Semver(">=2.0.0-rc.1".parse().expect("a range")));
    assert_eq!((release_candidate.revision, release_candidate.branch), (revision(third), None));
    assert_eq!(tip(Reference::Commit(revision(second))).revision, revision(second));
}

#[test]
fn a_moved_reference_is_put_in_relation() {
    let world = World::new();
    let [a, other] = [world.number(&[], 1), world.number(&[], 9)];
    let b = world.number(&[a], 2);
    let c = world.number(&[b], 3);
    let after_rewind = world.number(&[a], 4);
    let merge = world.number(&[c, after_rewind], 5);
    let mut last = a;
    for (now, expected) in [
        (a, Relation::Same),
        (c, Relation::Forward),
        (b, Relation::Rewound),
        (c, Relation::Forward),
        (after_rewind, Relation::Rewound),
        (merge, Relation::Forward),
        (other, Relation::Unrelated),
        (a, Relation::Unrelated),
        (b, Relation::Forward),
        (a, Relation::Rewound),
    ] {
        world.set("refs/heads/main", now);
        let tip = world.fetch_main().expect("a tip");
        assert_eq!(tip.revision, revision(now));
        assert_eq!(
            relation(&tip.mirror, &revision(last), &tip.revision).expect("a relation"),
            expected,
            "{last} {now}"
        );
        last = now;
    }
    let tip = world.fetch_main().expect("a tip");
    let unknown = Revision::new("7".repeat(40));
    assert_eq!(relation(&tip.mirror, &unknown, &tip.revision).expect("a relation"), Relation::Unrelated);
    assert!(!world.fetch_main().expect("a tip").fetched, "a commit that is not known is no damage");
}

#[test]
fn a_branch_in_the_place_of_a_folder_of_branches() {
    let world = World::new();
    let first = world.number(&[], 1);
    world.set("refs/heads/release", first);
    world.fetch(Reference::Branch("release".into())).expect("a tip");
    world.delete("refs/heads/release");
    world.set("refs/heads/release/prod", first);
    assert_eq!(world.fetch(Reference::Branch("release/prod".into())).expect("a tip").revision, revision(first));
}

/// Every file of the mirror is cut short, overwritten or deleted in turn: it only costs time (promise R26).
#[test]
fn a_damaged_mirror_is_cloned_anew() {
    let world = World::new();
    let mut tip = world.number(&[], 0);
    for number in 1..5 {
        tip = world.number(&[tip], number);
    }
    world.set("refs/heads/main", tip);
    world.set("refs/tags/v1", tip);
    let mirror = world.fetch_main().expect("a tip").mirror;
    let environment = RepoPath::new("environments/prod/environment.yaml");
    let names: Vec<_> =
        files_below(&mirror).into_iter().map(|path| path.strip_prefix(&mirror).expect("in it").to_owned()).collect();
    assert!(names.len() >= 4, "{names:?}");
    for name in
        names.iter().map(|name| if name.starts_with("objects") { "objects" } else { name.to_str().expect("UTF-8") })
    {
        for damage in ["cut", "noise", "gone"] {
            let victims = files_below(&mirror).into_iter().filter(|path| path.starts_with(mirror.join(name)));
            victims.for_each(|path| harm(&path, damage));
            // Damage may be found by the fetch, or by a reader, whose mark makes the next fetch clone anew.
            let mut texts = Vec::new();
            for _ in 0..2 {
                let now = world.fetch_main().unwrap_or_else(|error| panic!("{name} {damage}: {error:?}"));
                assert_eq!(now.revision, revision(tip));
                texts.push(
                    CommitFiles::open(&mirror, &now.revision)
                        .ok()
                        .and_then(|files| files.read(&environment).ok())
                        .flatten(),
                );
            }
            assert_eq!(texts[1].as_deref(), Some("n: 4\n"), "{name} {damage}");
        }
    }
}

fn harm(path: &Path, damage: &str) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("writable");
    let mut bytes = fs::read(path).expect("readable");
    match damage {
        "cut" => bytes.truncate(bytes.len() / 2),
        _ => bytes.iter_mut().skip(8).step_by(3).for_each(|byte| *byte ^= 0x55),
    }
    match damage {
        "gone" => fs::remove_file(path).expect("removed"),
        _ => fs::write(path, bytes).expect("written"),
    }
}

fn files_below(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

#[test]
fn one_fetch_at_a_time() {
    let world = World::new();
    let first = world.number(&[], 1);
    world.set("refs/heads/main", first);
    let source = world.source(Reference::Branch("main".into()));
    let state = world.state();
    std::thread::scope(|scope| {
        let fetches: Vec<_> = (0..4).map(|_| scope.spawn(|| fetch(&source, &state, TIMEOUT))).collect();
        let tips = fetches.into_iter().map(|fetch| fetch.join().expect("no panic").expect("a tip"));
        assert_eq!(tips.filter(|tip| tip.fetched).count(), 1);
    });
    let lock = mirror_path(&source, &state).expect("a path").with_extension("lock");
    let held = fs::File::open(lock).expect("the lock");
    held.lock().expect("locked");
    let busy = fetch(&source, &state, Duration::from_millis(100)).expect_err("busy");
    assert!(matches!(busy, Error::Busy { .. }) && busy.is_transient(), "{busy}");
}

#[test]
fn a_state_folder_that_cannot_be_written_is_said() {
    let world = World::new();
    world.set("refs/heads/main", world.number(&[], 1));
    let file = world.folder.path().join("file");
    fs::write(&file, "in the way").expect("written");
    let error = fetch(&world.source(Reference::Branch("main".into())), &file, TIMEOUT).expect_err("an error");
    assert!(error.to_string().contains("check its owner and the space on the disk"), "{error}");
}

/// What the `git` command makes is read as well: packed references, file urls, a working copy as the source.
#[test]
fn from_a_working_copy_by_a_file_url() {
    let world = World::new();
    let first = world.number(&[], 1);
    world.set("refs/heads/main", first);
    let source = Source {
        url: format!("file://{}", world.remote.path().display()),
        ..world.source(Reference::Branch("main".into()))
    };
    let tip = fetch(&source, &world.state(), TIMEOUT).expect("a tip");
    assert_eq!(tip.revision, revision(first));
}
