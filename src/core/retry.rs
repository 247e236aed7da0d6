//! What a failure means for the next try, and how long to wait for it. Chance is an argument.

use serde::Serialize;
use std::time::Duration;

/// What happens next after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// A passing disturbance that changed nothing: the same again, with backoff.
    Transient,
    /// Too many requests: the same again, with backoff, and the pace slows down.
    Throttled,
    /// Something that it needs is not there yet, or not seen yet: soon again, without alarm.
    Dependency,
    /// The request itself is refused: nothing changes until there is a new commit or somebody changes AWS. Shown, and
    /// tried again slowly.
    Terminal,
    /// Credentials or permissions are missing or expired: shown as such (exit code 5), tried again slowly.
    Denied,
    /// A write whose outcome is unknown: never repeated blindly. What is there is read, then it is decided.
    Ambiguous,
    /// A newer revision or another writer came first: dropped, and planned anew at once.
    Superseded,
}

impl Class {
    /// Every class, for tables and tests.
    pub const ALL: [Class; 7] = [
        Class::Transient,
        Class::Throttled,
        Class::Dependency,
        Class::Terminal,
        Class::Denied,
        Class::Ambiguous,
        Class::Superseded,
    ];

    /// One word for logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Class::Transient => "transient",
            Class::Throttled => "throttled",
            Class::Dependency => "dependency",
            Class::Terminal => "terminal",
            Class::Denied => "denied",
            Class::Ambiguous => "ambiguous",
            Class::Superseded => "superseded",
        }
    }

    /// Whether somebody should look, because waiting alone is not expected to help.
    pub fn is_alarming(self) -> bool {
        match self {
            Class::Terminal | Class::Denied => true,
            Class::Transient | Class::Throttled | Class::Dependency | Class::Ambiguous | Class::Superseded => false,
        }
    }
}

/// The bounds of the wait of one class.
struct Bounds {
    /// Never less, however the dice fall: a hot loop is never right.
    least: Duration,
    /// The upper bound of the first wait; it doubles with every attempt.
    base: Duration,
    /// The upper bound of every wait.
    cap: Duration,
}

const fn bounds(class: Class) -> Bounds {
    const fn of(least: u64, base: u64, cap: u64) -> Bounds {
        Bounds {
            least: Duration::from_millis(least),
            base: Duration::from_millis(base),
            cap: Duration::from_millis(cap),
        }
    }
    match class {
        // 20 s is where the AWS SDKs' own standard mode stops.
        Class::Transient => of(50, 400, 20_000),
        // The slowest documented bucket in use gives one token a second (ECS RegisterTaskDefinition).
        Class::Throttled => of(250, 1_000, 30_000),
        // AWS's eventual consistency is seconds; an image or a target group may take minutes.
        Class::Dependency => of(500, 2_000, 30_000),
        // The world may mend it (a quota, a subnet): looked at again, but at most every 15 minutes in the long run.
        Class::Terminal => of(15_000, 60_000, 900_000),
        // New credentials and policies arrive in minutes, and the daemon should notice by itself.
        Class::Denied => of(10_000, 30_000, 300_000),
        // The read that settles it: time for the write to become visible.
        Class::Ambiguous => of(200, 1_000, 10_000),
        Class::Superseded => of(0, 0, 0),
    }
}

/// How long to wait before attempt number `attempt` is repeated; the first failure is attempt 1.
///
/// Capped exponential backoff with full jitter: uniform between a class's least wait and its bound, which doubles with
/// every attempt. The same arguments give the same wait; `seed` should differ between resources and processes.
pub fn backoff(class: Class, attempt: u32, seed: u64) -> Duration {
    let Bounds { least, base, cap } = bounds(class);
    // 2^20 times the smallest base is beyond every cap.
    let doubled = base.saturating_mul(1 << attempt.saturating_sub(1).min(20));
    let span = doubled.min(cap).saturating_sub(least);
    least + span.mul_f64(fraction(seed ^ mix(u64::from(attempt))))
}

/// 53 bits of a well-mixed number: a fraction in 0..1.
fn fraction(seed: u64) -> f64 {
    (mix(seed) >> 11) as f64 / (1_u64 << 53) as f64
}

/// Between nine and eleven tenths of `interval`, so that what began together does not stay in step.
pub fn jittered(interval: Duration, seed: u64) -> Duration {
    interval.mul_f64(0.9 + 0.2 * fraction(seed))
}

/// SplitMix64 (Steele, Lea, Flood 2014): neighbouring seeds give unrelated numbers.
fn mix(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wait_is_within_the_bounds_of_its_class() {
        for class in Class::ALL {
            let Bounds { least, cap, .. } = bounds(class);
            for attempt in 0..200 {
                for seed in 0..50 {
                    let wait = backoff(class, attempt, seed);
                    assert!(least <= wait && wait <= cap, "{class:?} {attempt} {seed}: {wait:?}");
                }
            }
        }
        assert!(backoff(Class::Transient, u32::MAX, u64::MAX) <= Duration::from_secs(20));
        assert_eq!(backoff(Class::Superseded, 9, 1), Duration::ZERO);
    }

    #[test]
    fn waits_grow_and_spread() {
        let mean = |class, attempt| {
            let total: f64 = (0..1000).map(|seed| backoff(class, attempt, seed).as_secs_f64()).sum();
            total / 1000.0
        };
        for class in [Class::Transient, Class::Throttled, Class::Dependency, Class::Terminal, Class::Denied] {
            assert!(mean(class, 3) > 1.5 * mean(class, 1), "{class:?}");
        }
        // Full jitter: the mean of the capped wait lies in the middle, and its values over the whole range.
        assert!((mean(Class::Terminal, 30) - 457.5).abs() < 20.0, "{}", mean(Class::Terminal, 30));
        let waits: Vec<Duration> = (0..1000).map(|seed| backoff(Class::Transient, 30, seed)).collect();
        assert!(waits.iter().any(|w| w.as_secs() < 2) && waits.iter().any(|w| w.as_secs() >= 18));
        assert_eq!(backoff(Class::Transient, 4, 7), backoff(Class::Transient, 4, 7), "chance is an argument");
    }
}
