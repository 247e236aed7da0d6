//! Schedule expressions: `at(...)`, `rate(...)`, `cron(...)` (PutScheduledAction, Schedule).

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

const MINUTE: i64 = 60;

/// When a scheduled action runs.
#[derive(Debug, Clone, PartialEq)]
pub enum Schedule {
    /// Once, in the action's time zone.
    At(DateTime),
    /// Every so many seconds.
    Rate(i64),
    /// Six fields, in the action's time zone: minutes, hours, day of month, month, day of week, year.
    Cron(Box<[Vec<Part>; 6]>),
}

/// An item of a field's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// From, to, every so many. A range can go over the end: `FRI-MON`.
    Span(i64, i64, i64),
    /// `L` as day of month.
    LastDay,
    /// `15W`: the weekday nearest to that day of the month.
    Workday(i64),
    /// `6L`: the last Friday of the month.
    LastOf(i64),
    /// `6#3`: the third Friday of the month.
    NthOf(i64, i64),
}

/// The fields with their smallest and largest values and the names that they take.
const FIELDS: [(i64, i64, &[&str]); 6] = [
    (0, 59, &[]),
    (0, 23, &[]),
    (1, 31, &[]),
    (1, 12, &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]),
    (1, 7, &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]),
    (1970, 2199, &[]),
];

impl Schedule {
    /// Reads an expression; none when it is not valid.
    pub fn read(text: &str) -> Option<Self> {
        let (kind, rest) = text.trim().split_once('(')?;
        let inner = rest.strip_suffix(')')?;
        match kind {
            "at" => Some(Self::At(inner.parse().ok().filter(|_| inner.len() == "yyyy-mm-ddThh:mm:ss".len())?)),
            "rate" => {
                let (value, unit) = inner.split_once(' ')?;
                let seconds = match unit {
                    "minute" | "minutes" => MINUTE,
                    "hour" | "hours" => 60 * MINUTE,
                    "day" | "days" => 24 * 60 * MINUTE,
                    _ => return None,
                };
                let value = value.parse::<i64>().ok().filter(|value| *value > 0)?;
                Some(Self::Rate(value.checked_mul(seconds)?))
            }
            "cron" => {
                let words: Vec<_> = inner.split_whitespace().collect();
                let fields: Vec<_> =
                    words.iter().enumerate().map(|(at, word)| field(at, word)).collect::<Option<_>>()?;
                Some(Self::Cron(Box::new(fields.try_into().ok()?)))
            }
            _ => None,
        }
    }

    /// The last time at which it runs after `last`, up to `now`; not before `start`. A rate counts from `start`, at
    /// which it runs, or from when the action was made.
    pub fn between(
        &self,
        last: Timestamp,
        now: Timestamp,
        zone: &TimeZone,
        start: Option<Timestamp>,
        created: Timestamp,
    ) -> Option<Timestamp> {
        let fits = |at: Timestamp| at > last && at <= now && start.is_none_or(|start| at >= start);
        match self {
            Self::At(at) => zone.to_timestamp(*at).ok().filter(|at| fits(*at)),
            Self::Rate(seconds) => {
                let base = start.unwrap_or(created);
                let rounds = now.as_second().checked_sub(base.as_second())?.div_euclid(*seconds);
                let at = base.checked_add(SignedDuration::from_secs(rounds * seconds)).ok()?;
                Some(at).filter(|at| fits(*at) && (rounds > 0 || start.is_some()))
            }
            Self::Cron(fields) => {
                let minute = |at: i64| Timestamp::from_second(at * MINUTE).ok();
                let (first, newest) = (last.as_second().div_euclid(MINUTE), now.as_second().div_euclid(MINUTE));
                let mut minutes = (first..=newest).rev().filter_map(minute);
                minutes.find(|at| fits(*at) && matches(fields, at.to_zoned(zone.clone()).datetime()))
            }
        }
    }
}

fn field(at: usize, word: &str) -> Option<Vec<Part>> {
    word.split(',').map(|item| part(at, item)).collect()
}

fn part(at: usize, item: &str) -> Option<Part> {
    let (least, most, names) = *FIELDS.get(at)?;
    let value = |text: &str| {
        let named = names.iter().position(|name| text.eq_ignore_ascii_case(name)).map(|place| place as i64 + least);
        named.or_else(|| text.parse().ok()).filter(|value| (least..=most).contains(value))
    };
    let (days, weekdays) = (at == 2, at == 4);
    if days && item == "L" {
        return Some(Part::LastDay);
    }
    if days && let Some(day) = item.strip_suffix('W') {
        return value(day).map(Part::Workday);
    }
    if weekdays && let Some(day) = item.strip_suffix('L') {
        return if day.is_empty() { Some(Part::Span(most, most, 1)) } else { value(day).map(Part::LastOf) };
    }
    if weekdays && let Some((day, which)) = item.split_once('#') {
        let which = which.parse().ok().filter(|which| (1..=5).contains(which))?;
        return value(day).map(|day| Part::NthOf(day, which));
    }
    let (range, step) = match item.split_once('/') {
        Some((range, step)) => (range, step.parse().ok().filter(|step| *step > 0)?),
        None => (item, 1),
    };
    let every = range == "*" || (range == "?" && (days || weekdays));
    let (from, to) = match range.split_once('-') {
        _ if every => (least, most),
        Some((from, to)) => (value(from)?, value(to)?),
        // `5/15` goes on to the end.
        None if range.len() < item.len() => (value(range)?, most),
        None => (value(range)?, value(range)?),
    };
    Some(Part::Span(from, to, step))
}

fn matches(fields: &[Vec<Part>; 6], at: DateTime) -> bool {
    let date = at.date();
    let weekday = i64::from(date.weekday().to_sunday_one_offset());
    let values = [
        i64::from(at.minute()),
        i64::from(at.hour()),
        i64::from(at.day()),
        i64::from(at.month()),
        weekday,
        i64::from(at.year()),
    ];
    fields.iter().zip(values).all(|(parts, value)| parts.iter().any(|part| part.holds(value, date)))
}

impl Part {
    fn holds(self, value: i64, date: Date) -> bool {
        let (day, last) = (i64::from(date.day()), i64::from(date.days_in_month()));
        match self {
            Self::Span(from, to, step) if from <= to => (from..=to).contains(&value) && (value - from) % step == 0,
            Self::Span(from, to, _) => value >= from || value <= to,
            Self::LastDay => day == last,
            Self::LastOf(weekday) => value == weekday && day + 7 > last,
            Self::NthOf(weekday, which) => value == weekday && (day - 1) / 7 + 1 == which,
            Self::Workday(wanted) => {
                let wanted = wanted.min(last);
                let weekday = i8::try_from(wanted).ok().and_then(|day| date.with().day(day).build().ok());
                let nearest = match weekday.map(|date| date.weekday().to_sunday_one_offset()) {
                    Some(7) if wanted == 1 => 3,
                    Some(7) => wanted - 1,
                    Some(1) if wanted == last => wanted - 2,
                    Some(1) => wanted + 1,
                    _ => wanted,
                };
                day == nearest
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions() {
        let good = ["at(2026-01-02T03:04:05)", "rate(1 minute)", "rate(5 hours)", "cron(0 20 * * ? *)"];
        let more =
            ["cron(0/15 8-18 ? JAN,mar MON-FRI 2026)", "cron(0 0 L * ? *)", "cron(0 0 15W * ? *)", " rate(1 day) "];
        let last = ["cron(0 0 ? * 6#3 *)", "cron(0 0 ? * 6L *)", "cron(0 0 ? * FRI-MON *)", "cron(5,10 0 1 1 ? *)"];
        for text in good.into_iter().chain(more).chain(last) {
            assert!(Schedule::read(text).is_some(), "{text}");
        }
        let bad =
            ["every night", "rate(0 days)", "rate(1 week)", "cron(0 20 * * ?)", "cron(60 0 * * ? *)", "at(2026-01-02)"];
        let worse =
            ["cron(? 0 * * ? *)", "cron(0 0 32 * ? *)", "cron(0 0 ? * 6#6 *)", "rate(1 day", "cron(0 0 * * ? * *)"];
        for text in bad.into_iter().chain(worse) {
            assert_eq!(Schedule::read(text), None, "{text}");
        }
    }

    /// When an expression runs, looked at every minute for so many days from 2026-03-27 (a Friday) on.
    fn runs(text: &str, zone: &str, days: i64) -> Vec<String> {
        let (zone, schedule) = (TimeZone::get(zone).unwrap(), Schedule::read(text).unwrap());
        let began: Timestamp = "2026-03-27T00:00:00Z".parse().unwrap();
        let look = |minute: i64| {
            let now = began + SignedDuration::from_mins(minute);
            schedule.between(now - SignedDuration::from_mins(1), now, &zone, None, began)
        };
        (1..days * 24 * 60).filter_map(look).map(|at| at.to_string()).collect()
    }

    #[test]
    fn times() {
        let rows: &[(&str, &str, i64, &[&str])] = &[
            ("at(2026-03-28T12:00:30)", "UTC", 4, &["2026-03-28T12:00:30Z"]),
            ("at(2026-03-28T12:00:00)", "America/New_York", 4, &["2026-03-28T16:00:00Z"]),
            ("rate(12 hours)", "UTC", 1, &["2026-03-27T12:00:00Z"]),
            // Paris goes to summer time on the 29th.
            ("cron(0 20 28,29 * ? *)", "Europe/Paris", 4, &["2026-03-28T19:00:00Z", "2026-03-29T18:00:00Z"]),
            ("cron(30 6 ? * SAT-SUN *)", "UTC", 4, &["2026-03-28T06:30:00Z", "2026-03-29T06:30:00Z"]),
            ("cron(0 7 ? * SUN-MON 2026)", "UTC", 4, &["2026-03-29T07:00:00Z", "2026-03-30T07:00:00Z"]),
            (
                "cron(10/20 1 27 3 ? *)",
                "UTC",
                2,
                &["2026-03-27T01:10:00Z", "2026-03-27T01:30:00Z", "2026-03-27T01:50:00Z"],
            ),
            ("cron(0 1 L * ? *)", "UTC", 9, &["2026-03-31T01:00:00Z"]),
            ("cron(0 1 29W * ? *)", "UTC", 9, &["2026-03-30T01:00:00Z"]),
            ("cron(0 1 ? * 6L *)", "UTC", 9, &["2026-03-27T01:00:00Z"]),
            ("cron(0 1 ? * 6#1 *)", "UTC", 9, &["2026-04-03T01:00:00Z"]),
            ("cron(0 1 * * ? 2027)", "UTC", 9, &[]),
        ];
        for (text, zone, days, expected) in rows {
            assert_eq!(runs(text, zone, *days), *expected, "{text}");
        }
    }
}
