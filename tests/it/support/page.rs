//! What a page shows: the API and the metrics behind it, and waiting for them.

use super::{Status, http};
use std::time::{Duration, Instant};

/// How long something may take to become true.
const WAIT_LIMIT: Duration = Duration::from_secs(150);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(50);

/// Something with a page.
pub trait Page {
    /// Where it is.
    fn address(&self) -> &str;

    /// What to print when something was waited for in vain.
    fn log(&self) -> String;

    /// What GET answers, which is to be 200.
    #[track_caller]
    fn page(&self, path: &str) -> String {
        let (code, body) = http(self.address(), "GET", path);
        assert_eq!(code, 200, "GET {path}: {body}\n{}", self.log());
        body
    }

    /// All services as the daemon sees them now.
    #[track_caller]
    fn seen(&self) -> Status {
        Status(serde_json::from_str(&self.page("/api/v1/services")).unwrap())
    }

    /// Waits until `is` is true of the status, and gives that status; after a while it panics with everything.
    #[track_caller]
    fn wait_until(&self, what: &str, mut is: impl FnMut(&Status) -> bool) -> Status {
        let until = Instant::now() + WAIT_LIMIT;
        loop {
            let status = self.seen();
            if is(&status) {
                return status;
            }
            assert!(Instant::now() < until, "waited in vain until {what}:\n{status}\n{}", self.log());
            std::thread::sleep(LOOK);
        }
    }

    /// The sum of all series of a metric whose line has these labels.
    #[track_caller]
    fn series(&self, name: &str, labels: &[&str]) -> u64 {
        let text = self.page("/metrics");
        let of_it = |line: &&str| line.split(['{', ' ']).next() == Some(name);
        let fits = |line: &&str| labels.iter().all(|label| line.contains(label));
        let value = |line: &str| line.rsplit(' ').next().and_then(|value| value.parse::<f64>().ok());
        text.lines().filter(of_it).filter(fits).filter_map(value).sum::<f64>() as u64
    }

    /// So many passes over every service go by.
    #[track_caller]
    fn pass(&self, count: u64) {
        let name = "driftless_reconciles_total";
        let enough = self.series(name, &[]) + count * self.seen().services().len() as u64;
        self.wait_until("passes go by", |_| self.series(name, &[]) >= enough);
    }
}
