//! The account's time: tokio's, which tests can pause, times a speed.

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// Tells the time of the account.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    began: Timestamp,
    at: Instant,
    speed: f64,
}

impl Clock {
    /// Starts now at `began`; `speed` seconds of the account pass in one of ours.
    pub fn new(began: Timestamp, speed: f64) -> Self {
        Self { began, at: Instant::now(), speed: speed.clamp(0.001, 1e6) }
    }

    /// From now on `speed` seconds of the account pass in one of ours.
    pub fn set_speed(&mut self, speed: f64) {
        let (began, at) = (self.now(), self.at + self.at.elapsed());
        *self = Self { began, at, speed: speed.clamp(0.001, 1e6) };
    }

    /// What time it is in the account.
    pub fn now(&self) -> Timestamp {
        let passed = self.at.elapsed().as_secs_f64() * self.speed;
        let passed = SignedDuration::try_from_secs_f64(passed).unwrap_or(SignedDuration::MAX);
        self.began.checked_add(passed).unwrap_or(Timestamp::MAX)
    }
}
