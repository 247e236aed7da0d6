//! The file, and the thread that keeps it.

use super::file::{Database, MIGRATIONS, NAME, ROWS_MAX};
use super::*;
use crate::core::act::Deed;
use crate::core::history::{Outcome, StillKnown};
use crate::core::observed::ServiceDeployment;
use jiff::Timestamp;
use rusqlite::Connection;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicUsize, Ordering};

fn service(name: &str) -> ServiceId {
    ServiceId { cluster: "c".into(), service: name.into() }
}

fn row(name: &str, number: u64) -> Deployment {
    Deployment {
        service: service(name),
        number,
        source: "prod".into(),
        commit: None,
        declaration: "d".into(),
        cause: None,
        started_at: Timestamp::from_second(number as i64).unwrap(),
        ended_at: None,
        merged_at: None,
        result: None,
        reason: None,
        last_lines: None,
        task_definition: None,
        images: vec!["web:1".into()],
        digests: std::collections::BTreeMap::new(),
        changes: Vec::new(),
        before: Vec::new(),
        steps: Vec::new(),
        restarts: true,
        rebuilt: false,
    }
}

fn open(folder: &Path) -> (Database, Vec<Deployment>) {
    Database::open(folder).unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn rows_are_there_again_and_the_newest_of_each_service_is_continued() {
    let state = tempfile::tempdir().unwrap();
    let folder = state.path().join("state");
    let (mut database, newest) = open(&folder);
    assert_eq!(newest, []);
    database.put(&[row("web", 1), row("web", 2), row("api", 1)]).unwrap();
    let ended = Deployment { result: Some(Outcome::Live), ..row("web", 2) };
    database.put(std::slice::from_ref(&ended)).unwrap();
    drop(database);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&folder), mode(&folder.join(NAME))), (0o700, 0o600));
    let (database, newest) = open(&folder);
    assert_eq!(newest, [row("api", 1), ended.clone()]);
    assert_eq!(database.list(Some(&service("web")), 9).unwrap(), [ended.clone(), row("web", 1)]);
    assert_eq!(database.list(Some(&service("web")), 1).unwrap(), [ended]);
    assert_eq!(database.list(None, 9).unwrap().len(), 3);
    assert_eq!(database.list(Some(&service("none")), 9).unwrap(), []);
}

#[test]
fn old_rows_go() {
    let folder = tempfile::tempdir().unwrap();
    let (mut database, _) = open(folder.path());
    let rows: Vec<_> = (1..=ROWS_MAX + 3).map(|number| row("web", number)).collect();
    database.put(&[row("api", 1)]).unwrap();
    database.put(&rows).unwrap();
    let kept = database.list(Some(&service("web")), usize::MAX).unwrap();
    assert_eq!((kept.len() as u64, kept.last().map(|row| row.number)), (ROWS_MAX, Some(4)));
    assert_eq!(database.list(None, usize::MAX).unwrap().len() as u64, ROWS_MAX + 1, "others keep theirs");
}

#[test]
fn every_version_is_brought_forward() {
    for version in 0..MIGRATIONS.len() {
        let folder = tempfile::tempdir().unwrap();
        let connection = Connection::open(folder.path().join(NAME)).unwrap();
        for step in &MIGRATIONS[..version] {
            connection.execute_batch(step).unwrap();
        }
        connection.pragma_update(None, "user_version", version as i64).unwrap();
        drop(connection);
        open(folder.path()).0.put(&[row("web", 1)]).unwrap();
        let connection = Connection::open(folder.path().join(NAME)).unwrap();
        let now: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
        assert_eq!(now, MIGRATIONS.len() as i64);
        drop(connection);
        assert_eq!(names(folder.path()), [NAME], "nothing was moved aside");
    }
}

/// Makes a file that cannot be used.
type Make<'m> = &'m dyn Fn(&Path);

#[test]
fn a_file_that_cannot_be_used_is_moved_aside() {
    let newer = |path: &Path| {
        let connection = Connection::open(path).unwrap();
        connection.pragma_update(None, "user_version", MIGRATIONS.len() as i64 + 1).unwrap();
    };
    let foreign_row = |path: &Path| {
        open(path.parent().unwrap()).0.put(&[row("web", 1)]).unwrap();
        Connection::open(path).unwrap().execute("UPDATE deployments SET record = '{}'", []).unwrap();
    };
    let torn = |path: &Path| {
        let rows: Vec<_> = (1..=500).map(|number| row("web", number)).collect();
        open(path.parent().unwrap()).0.put(&rows).unwrap();
        let mut bytes = fs::read(path).unwrap();
        bytes[8192..20_000].fill(0xff);
        fs::write(path, bytes).unwrap();
    };
    let cases: [(&str, Make<'_>); 6] = [
        ("no database", &|path| fs::write(path, "nothing that SQLite knows, and long enough to be looked at").unwrap()),
        ("a folder", &|path| fs::create_dir(path).unwrap()),
        ("of a newer version", &newer),
        ("a row of something else", &foreign_row),
        ("torn", &torn),
        ("cut", &|path| {
            torn(path);
            let bytes = fs::read(path).unwrap();
            fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
        }),
    ];
    for (what, make) in cases {
        let folder = tempfile::tempdir().unwrap();
        make(&folder.path().join(NAME));
        let (mut database, newest) = open(folder.path());
        assert_eq!(newest, [], "{what}");
        database.put(&[row("web", 7)]).unwrap();
        drop(database);
        assert_eq!(open(folder.path()).1, [row("web", 7)], "{what}: it is kept");
        assert_eq!(names(folder.path()), [NAME, &format!("{NAME}.damaged-1")], "{what}");
    }
}

#[test]
fn damaged_files_are_not_collected_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..15 {
        fs::write(folder.path().join(NAME), "nothing that SQLite knows, and long enough to be looked at").unwrap();
        open(folder.path());
    }
    assert_eq!(names(folder.path()).len(), 10);
}

#[test]
fn without_a_place_it_is_kept_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let (mut database, _) = open(&file);
    database.put(&[row("web", 1)]).unwrap();
    assert_eq!(database.list(None, 9).unwrap(), [row("web", 1)]);
}

#[test]
fn a_file_that_another_process_has_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (mut first, _) = open(folder.path());
    first.put(&[row("web", 1)]).unwrap();
    let (mut second, newest) = open(folder.path());
    assert_eq!(newest, [], "in memory");
    second.put(&[row("web", 1), row("web", 2)]).unwrap();
    first.put(&[row("api", 1)]).unwrap();
    drop((first, second));
    assert_eq!(open(folder.path()).1, [row("api", 1), row("web", 1)]);
    assert_eq!(names(folder.path()), [NAME]);
}

fn past(name: &str, at: i64) -> Event {
    let deployment = ServiceDeployment {
        arn: "arn:of:a:deployment".into(),
        status: "SUCCESSFUL".into(),
        reason: None,
        task_definition: None,
        sources: Vec::new(),
        images: std::collections::BTreeMap::new(),
        stage: None,
        production_percent: None,
        hooks: Vec::new(),
        created_at: Timestamp::from_second(at).ok(),
        finished_at: Timestamp::from_second(at + 9).ok(),
    };
    let what = What::Rebuilt {
        service: service(name),
        known: Box::new(StillKnown { deployments: vec![deployment], ..StillKnown::default() }),
    };
    Event { at: Timestamp::UNIX_EPOCH, source: "prod".into(), what }
}

#[tokio::test]
async fn the_thread_keeps_what_it_was_told() {
    let folder = tempfile::tempdir().unwrap();
    let lost = Arc::new(AtomicUsize::new(0));
    let open = || {
        let lost = lost.clone();
        let lose = move || {
            lost.fetch_add(1, Ordering::Relaxed);
        };
        Store::open(folder.path(), lose, |_| {})
    };
    let store = open();
    assert_eq!(store.list(None, 9).await.unwrap(), []);
    assert!(store.wants_rebuilding(&service("web")), "the file is new");
    store.record(&past("web", 1));
    assert!(!store.wants_rebuilding(&service("web")) && store.wants_rebuilding(&service("api")));
    assert_eq!(store.list(Some(service("web")), 9).await.unwrap().len(), 1);
    store.close().await;
    store.record(&past("api", 1));
    assert_eq!(lost.load(Ordering::Relaxed), 1, "after the end");
    assert!(store.list(None, 9).await.is_err());

    let store = open();
    assert_eq!(store.list(None, 9).await.unwrap().len(), 1);
    assert!(!store.wants_rebuilding(&service("api")), "the file was there");
    store.close().await;
}

#[tokio::test]
async fn a_file_that_is_damaged_on_the_way_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let lost = Arc::new(AtomicUsize::new(0));
    let counted = lost.clone();
    let database = open(folder.path()).0;
    let keeper = Keeper {
        folder: folder.path().to_owned(),
        lost: Arc::new(move || {
            counted.fetch_add(1, Ordering::Relaxed);
        }),
        ended: Box::new(|_| {}),
        began_empty: Arc::default(),
    };
    let database = keeper.again(database, &[row("web", 1)], &file::Error::Damaged("as a test says".into()));
    assert_eq!((database.list(None, 9).unwrap(), lost.load(Ordering::Relaxed)), (vec![row("web", 1)], 0));
    let full = file::Error::File(std::io::Error::other("no space left on device"));
    let database = keeper.again(database, &[row("web", 2)], &full);
    assert_eq!((database.list(None, 9).unwrap().len(), lost.load(Ordering::Relaxed)), (1, 1));
}

#[test]
fn an_act_is_kept_once() {
    let folder = tempfile::tempdir().unwrap();
    let act = |second: i64| Act {
        at: Timestamp::from_second(second).unwrap(),
        deed: Deed::Paused,
        by: "marc".into(),
        why: "database move".into(),
    };
    let (mut database, _) = open(folder.path());
    for second in [1, 2, 2, 1] {
        database.put_act(&service("web"), &act(second)).unwrap();
    }
    database.put_act(&service("api"), &act(3)).unwrap();
    drop(database);
    let (mut database, _) = open(folder.path());
    assert_eq!(database.acts(&service("web"), 9).unwrap(), [act(2), act(1)]);
    assert_eq!(database.acts(&service("web"), 1).unwrap(), [act(2)]);
    for second in 0..=ROWS_MAX as i64 {
        database.put_act(&service("web"), &act(second)).unwrap();
    }
    let kept = database.acts(&service("web"), 2000).unwrap();
    assert_eq!((kept.len(), kept.last()), (ROWS_MAX as usize, Some(&act(1))));
}
