//! The file: deployments and acts, forward-only migrations, and what becomes of a file that is damaged.

use crate::core::act::Act;
use crate::core::history::Deployment;
use crate::core::id::ServiceId;
use rusqlite::{Connection, ErrorCode, OptionalExtension, params};
use serde::de::DeserializeOwned;
use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The name in the state folder.
pub const NAME: &str = "history.sqlite";
/// The most rows of one service; older ones go.
pub const ROWS_MAX: u64 = 1000;
/// Damaged files that are kept; the last one is overwritten then.
const DAMAGED_MAX: usize = 9;
/// How long another process may hold the file: the daemon before, which is just ending.
const BUSY_LIMIT: Duration = Duration::from_secs(2);

/// Each brings the file from the version of its place to the next one. A step that was released is never changed.
pub const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE deployments (
        cluster TEXT NOT NULL,
        service TEXT NOT NULL,
        number INTEGER NOT NULL,
        started_at INTEGER NOT NULL, -- ms since 1970
        record TEXT NOT NULL,        -- JSON of core::history::Deployment
        PRIMARY KEY (cluster, service, number)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX deployments_by_time ON deployments (started_at);
",
    "
    CREATE TABLE acts (
        cluster TEXT NOT NULL,
        service TEXT NOT NULL,
        at INTEGER NOT NULL,  -- ms since 1970
        record TEXT NOT NULL, -- JSON of core::act::Act
        PRIMARY KEY (cluster, service, at, record)
    ) STRICT, WITHOUT ROWID;
",
];

/// What went wrong with the file.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// SQLite says so.
    #[error("{0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The file system says so.
    #[error("{0}")]
    File(#[from] std::io::Error),
    /// The check of the whole file found something.
    #[error("the file is damaged: {0}")]
    Damaged(String),
    /// A row is not what this version writes.
    #[error("a row cannot be read: {0}")]
    Row(#[from] serde_json::Error),
    /// A later version of the program wrote it.
    #[error("a newer driftless wrote it (version {0} of the file, this one knows {known})", known = MIGRATIONS.len())]
    Newer(usize),
}

impl Error {
    /// Whether the file itself is the cause, so that the same again would fail the same way.
    pub fn is_damage(&self) -> bool {
        match self {
            Error::Sqlite(error) => {
                matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
            }
            Error::Damaged(_) | Error::Row(_) => true,
            Error::File(_) | Error::Newer(_) => false,
        }
    }

    /// Whether somebody else has the file.
    fn is_busy(&self) -> bool {
        match self {
            Error::Sqlite(error) => {
                matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
            }
            Error::File(_) | Error::Damaged(_) | Error::Row(_) | Error::Newer(_) => false,
        }
    }
}

/// The open file.
pub struct Database {
    connection: Option<Connection>,
}

impl Database {
    /// Opens the file of `folder` and reads the newest row of each service. A file that cannot be opened is moved aside and
    /// a new one begun; where that fails too, and while another process has it, the history is kept in memory alone.
    /// `None` when there is no memory for that either.
    pub fn open(folder: &Path) -> Option<(Self, Vec<Deployment>)> {
        let path = folder.join(NAME);
        let opened = match Self::open_file(&path) {
            Err(error) if !error.is_busy() && path.exists() => match set_aside(&path) {
                Ok(aside) => {
                    tracing::warn!(
                        event = "history_damaged",
                        %error,
                        "{} cannot be used and was moved to {}; a new history is begun",
                        path.display(),
                        aside.display()
                    );
                    Self::open_file(&path)
                }
                Err(_) => Err(error),
            },
            opened => opened,
        };
        opened.or_else(|error| {
            let path = path.display();
            tracing::warn!(event = "history_in_memory", %error, "{path} cannot be used: the history lasts as long as this process");
            Self::with(Connection::open_in_memory()?)
        }).inspect_err(|error: &Error| tracing::warn!(event = "history", %error, "SQLite does not start")).ok()
    }

    /// A history that keeps nothing.
    pub fn nowhere() -> Self {
        Self { connection: None }
    }

    fn open_file(path: &Path) -> Result<(Self, Vec<Deployment>), Error> {
        if let Some(folder) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        // Made here, so that nobody else can read it at any time; SQLite gives its other files the same mode.
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)?;
        file.set_permissions(Permissions::from_mode(0o600))?;
        drop(file);
        Self::with(Connection::open(path)?)
    }

    fn with(mut connection: Connection) -> Result<(Self, Vec<Deployment>), Error> {
        connection.busy_timeout(BUSY_LIMIT)?;
        // One process alone: two would give the same numbers to different rows. Without other readers the write-ahead log
        // needs no shared memory, which network file systems do not have (SQLite, "Use of WAL Without Shared-Memory").
        for pragma in ["PRAGMA locking_mode = EXCLUSIVE", "PRAGMA journal_mode = WAL", "PRAGMA synchronous = NORMAL"] {
            connection.query_row(pragma, [], |_| Ok(())).optional()?;
        }
        let checked: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if checked != "ok" {
            return Err(Error::Damaged(checked));
        }
        migrate(&mut connection)?;
        let newest = "SELECT record FROM deployments AS row WHERE number = (SELECT max(number) FROM deployments AS other \
                      WHERE other.cluster = row.cluster AND other.service = row.service)";
        let rows = read(&connection, newest, [])?;
        Ok((Self { connection: Some(connection) }, rows))
    }

    /// Writes rows, new ones and others anew, and takes away those that are too many.
    pub fn put(&mut self, rows: &[Deployment]) -> Result<(), Error> {
        let Some(connection) = self.connection.as_mut().filter(|_| !rows.is_empty()) else { return Ok(()) };
        let transaction = connection.transaction()?;
        for row in rows {
            let (cluster, service, number) = (row.service.cluster.as_str(), row.service.service.as_str(), row.number);
            transaction.execute(
                "INSERT OR REPLACE INTO deployments (cluster, service, number, started_at, record) VALUES (?, ?, ?, ?, ?)",
                params![cluster, service, signed(number), row.started_at.as_millisecond(), serde_json::to_string(row)?],
            )?;
            transaction.execute(
                "DELETE FROM deployments WHERE cluster = ? AND service = ? AND number <= ?",
                params![cluster, service, signed(number.saturating_sub(ROWS_MAX))],
            )?;
        }
        Ok(transaction.commit()?)
    }

    /// Writes what a person did to a service, once, and takes away what is too old.
    pub fn put_act(&mut self, service: &ServiceId, act: &Act) -> Result<(), Error> {
        let Some(connection) = self.connection.as_mut() else { return Ok(()) };
        let (cluster, name) = (service.cluster.as_str(), service.service.as_str());
        let transaction = connection.transaction()?;
        transaction.execute(
            "INSERT OR IGNORE INTO acts (cluster, service, at, record) VALUES (?, ?, ?, ?)",
            params![cluster, name, act.at.as_millisecond(), serde_json::to_string(act)?],
        )?;
        transaction.execute(
            "DELETE FROM acts WHERE cluster = ?1 AND service = ?2 AND at < \
             (SELECT at FROM acts WHERE cluster = ?1 AND service = ?2 ORDER BY at DESC LIMIT 1 OFFSET ?3)",
            params![cluster, name, signed(ROWS_MAX - 1)],
        )?;
        Ok(transaction.commit()?)
    }

    /// What people did last to a service, newest first.
    pub fn acts(&self, service: &ServiceId, limit: usize) -> Result<Vec<Act>, Error> {
        let Some(connection) = &self.connection else { return Ok(Vec::new()) };
        let (cluster, name) = (service.cluster.as_str(), service.service.as_str());
        let query = "SELECT record FROM acts WHERE cluster = ? AND service = ? ORDER BY at DESC LIMIT ?";
        read(connection, query, params![cluster, name, signed(limit as u64)])
    }

    /// The newest rows of a service, or of all, newest first.
    pub fn list(&self, service: Option<&ServiceId>, limit: usize) -> Result<Vec<Deployment>, Error> {
        let Some(connection) = &self.connection else { return Ok(Vec::new()) };
        let limit = signed(limit as u64);
        match service {
            Some(ServiceId { cluster, service }) => read(
                connection,
                "SELECT record FROM deployments WHERE cluster = ? AND service = ? ORDER BY number DESC LIMIT ?",
                params![cluster.as_str(), service.as_str(), limit],
            ),
            None => read(
                connection,
                "SELECT record FROM deployments ORDER BY started_at DESC, number DESC LIMIT ?",
                params![limit],
            ),
        }
    }
}

fn migrate(connection: &mut Connection) -> Result<(), Error> {
    let version: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let version = version as usize;
    if version > MIGRATIONS.len() {
        return Err(Error::Newer(version));
    }
    for (step, next) in MIGRATIONS.iter().zip(1..).skip(version) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "user_version", next)?;
        transaction.commit()?;
    }
    Ok(())
}

fn read<T: DeserializeOwned>(
    connection: &Connection,
    query: &str,
    values: impl rusqlite::Params,
) -> Result<Vec<T>, Error> {
    let mut statement = connection.prepare(query)?;
    let texts = statement.query_map(values, |row| row.get::<_, String>(0))?;
    texts.map(|text| Ok(serde_json::from_str(&text?)?)).collect()
}

/// SQLite's integers are signed.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Moves the file away, with what belongs to it; gives its new place.
fn set_aside(path: &Path) -> std::io::Result<PathBuf> {
    let with = |path: &Path, end: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    };
    let free = (1..=DAMAGED_MAX).map(|number| with(path, &format!(".damaged-{number}"))).find(|path| !path.exists());
    let aside = free.unwrap_or_else(|| with(path, &format!(".damaged-{DAMAGED_MAX}")));
    std::fs::rename(path, &aside)?;
    for end in ["-wal", "-shm"] {
        match std::fs::rename(with(path, end), with(&aside, end)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(aside)
}
