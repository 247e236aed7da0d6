//! EDGE: the history of deployments and of what people did, in a SQLite file of the daemon's state folder. A thread owns the file and makes the
//! rows of events; nothing waits for it: what its queue cannot take in is lost, and counted.
//!
//! ```text
//! Event -> queue -> thread: core::history -> rows -> history.sqlite -> API, page
//! ```

mod file;

use crate::core::act::Act;
use crate::core::event::{Event, What};
use crate::core::history::{Deployment, History};
use crate::core::id::ServiceId;
use file::Database;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, mpsc};
use std::time::Duration;
use tokio::sync::oneshot;

/// Events that wait for the thread; some minutes of a large environment while the disk is slow.
const QUEUE_MAX: usize = 4096;
/// How long a reader waits for the thread.
const READ_LIMIT: Duration = Duration::from_secs(2);
/// How long the end waits for what is still to be written.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);

enum Job {
    Event(Box<Event>),
    List { service: Option<ServiceId>, limit: usize, reply: oneshot::Sender<Result<Vec<Deployment>, String>> },
    Acts { service: ServiceId, limit: usize, reply: oneshot::Sender<Result<Vec<Act>, String>> },
    Close(oneshot::Sender<()>),
}

/// Called for each event that is lost, and for each row that cannot be written.
type Lost = Arc<dyn Fn() + Send + Sync>;
/// Called for each row that has ended.
type Ended = Box<dyn Fn(&Deployment) + Send>;

/// The history.
pub struct Store {
    queue: mpsc::SyncSender<Job>,
    lost: Lost,
    /// Whether there was nothing in the file when it was opened; unset until then.
    began_empty: Arc<OnceLock<bool>>,
    /// Services that need not be rebuilt, or no more.
    rebuilt: Mutex<BTreeSet<ServiceId>>,
}

impl Store {
    /// Opens the history in `folder`, in the background.
    pub fn open(
        folder: &Path,
        lost: impl Fn() + Send + Sync + 'static,
        ended: impl Fn(&Deployment) + Send + 'static,
    ) -> Self {
        let (queue, jobs) = mpsc::sync_channel(QUEUE_MAX);
        let (lost, began_empty): (Lost, _) = (Arc::new(lost), Arc::new(OnceLock::new()));
        let keeper = Keeper {
            folder: folder.to_owned(),
            lost: lost.clone(),
            ended: Box::new(ended),
            began_empty: began_empty.clone(),
        };
        let thread = std::thread::Builder::new().name("history".into()).spawn(move || keeper.run(jobs));
        if let Err(error) = thread {
            tracing::warn!(event = "history", %error, "there is no thread for the history: nothing of it is kept");
        }
        Self { queue, lost, began_empty, rebuilt: Mutex::default() }
    }

    /// Takes in what happened.
    pub fn record(&self, event: &Event) {
        match &event.what {
            What::Fetched { .. } | What::FetchFailed { .. } | What::Read { .. } | What::Started { .. } => return,
            What::Rebuilt { service, .. } => self.give_up_rebuilding(service),
            What::Planned { .. } | What::Done { .. } | What::Ran { .. } | What::Failed { .. } | What::Left { .. } => {}
        }
        if self.queue.try_send(Job::Event(Box::new(event.clone()))).is_err() {
            (self.lost)();
        }
    }

    /// Whether what ECS still knows of a service is to be recorded: the file was lost, or never there.
    pub fn wants_rebuilding(&self, service: &ServiceId) -> bool {
        self.began_empty.get() == Some(&true)
            && !self.rebuilt.lock().unwrap_or_else(PoisonError::into_inner).contains(service)
    }

    /// What ECS still knows of a service is recorded, or cannot be had.
    pub fn give_up_rebuilding(&self, service: &ServiceId) {
        self.rebuilt.lock().unwrap_or_else(PoisonError::into_inner).insert(service.clone());
    }

    /// The newest rows of a service, or of all, newest first.
    pub async fn list(&self, service: Option<ServiceId>, limit: usize) -> Result<Vec<Deployment>, String> {
        self.ask(|reply| Job::List { service, limit, reply }).await
    }

    /// What people did last to a service, newest first.
    pub async fn acts(&self, service: ServiceId, limit: usize) -> Result<Vec<Act>, String> {
        self.ask(|reply| Job::Acts { service, limit, reply }).await
    }

    async fn ask<T>(&self, job: impl FnOnce(oneshot::Sender<Result<T, String>>) -> Job) -> Result<T, String> {
        let busy = || "the history does not answer: the disk is slow, or full".to_owned();
        let (reply, answer) = oneshot::channel();
        self.queue.try_send(job(reply)).map_err(|_| busy())?;
        match tokio::time::timeout(READ_LIMIT, answer).await {
            Ok(Ok(rows)) => rows,
            Ok(Err(_)) | Err(_) => Err(busy()),
        }
    }

    /// Writes what is still to be written, and closes the file.
    pub async fn close(&self) {
        let (reply, closed) = oneshot::channel();
        let sent = self.queue.try_send(Job::Close(reply)).is_ok();
        if !sent || tokio::time::timeout(CLOSE_LIMIT, closed).await.is_err() {
            tracing::warn!(event = "history", "the history could not be written to its end");
        }
    }
}

/// What the thread works with.
struct Keeper {
    folder: PathBuf,
    lost: Lost,
    ended: Ended,
    began_empty: Arc<OnceLock<bool>>,
}

impl Keeper {
    fn run(self, jobs: mpsc::Receiver<Job>) {
        let Some((mut database, newest)) = Database::open(&self.folder) else {
            tracing::warn!(event = "history", "nothing of the history is kept");
            return;
        };
        let _ = self.began_empty.set(newest.is_empty());
        let mut history = History::load(newest);
        while let Ok(job) = jobs.recv() {
            match job {
                Job::Event(event) => {
                    let rows = history.apply(&event);
                    rows.iter().filter(|row| row.ended_at == Some(event.at)).for_each(&self.ended);
                    if let Err(error) = database.put(&rows) {
                        database = self.again(database, &rows, &error);
                    }
                    if let Some((service, act)) = history.act(&event)
                        && let Err(error) = database.put_act(&service, &act)
                    {
                        tracing::warn!(event = "history", %error, "{service}: {act}: this could not be written");
                        (self.lost)();
                    }
                }
                Job::Acts { service, limit, reply } => {
                    let _ = reply.send(database.acts(&service, limit).map_err(|error| error.to_string()));
                }
                // Who asked may have gone.
                Job::List { service, limit, reply } => {
                    let _ = reply.send(database.list(service.as_ref(), limit).map_err(|error| error.to_string()));
                }
                Job::Close(reply) => {
                    drop((database, jobs));
                    let _ = reply.send(());
                    return;
                }
            }
        }
    }

    /// After rows could not be written: into a new file where the old one is damaged.
    fn again(&self, database: Database, rows: &[Deployment], error: &file::Error) -> Database {
        let mut database = database;
        let mut failed = Some(error.to_string());
        if error.is_damage() {
            drop(database);
            database = match Database::open(&self.folder) {
                Some((opened, _)) => opened,
                None => Database::nowhere(),
            };
            failed = database.put(rows).err().map(|error| error.to_string());
        }
        if let Some(error) = failed {
            tracing::warn!(event = "history", error, "{} rows of the history could not be written", rows.len());
            (self.lost)();
        }
        database
    }
}

#[cfg(test)]
mod tests;
