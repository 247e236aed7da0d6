//! The team's deploy windows: times of the week at which nothing may begin, or at which alone something may.
//!
//! ```text
//! fri 16:00-mon 08:00       once a week, from a day and time to a day and time
//! mon-fri 09:00-17:00       on these days, or on one: sat 10:00-14:00
//! daily 22:00-06:00         every day, also without the word; the end is on the next day where it is not later
//! ```
//!
//! Times are those that clocks of the time zone show. A time that they skip in spring is the moment at which they are set
//! forward; of one that they show twice in autumn, the first begins a window and the last ends it. So a window holds at
//! every moment at which the clock on the wall is inside of it.
//!
//! The time zones are those that the program was built with: the same files and the same moment give the same answer on
//! every machine.

use jiff::civil::{Date, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, ToSpan};
use std::fmt;
use std::sync::LazyLock;

/// The names of the days, from Monday.
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
/// How a span may be written, for people.
pub const EXAMPLES: &str = "fri 16:00-mon 08:00, mon-fri 09:00-17:00 or daily 22:00-06:00";
const MINUTES_OF_DAY: u16 = 24 * 60;
/// The longest a window lasts: a week.
const DAYS_MAX: i64 = 7;
/// How far ahead an opening is looked for: in a year every week comes at which clocks are changed.
const WEEKS_MAX: i64 = 53;

static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// What holds inside of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Nothing begins.
    Deny,
    /// Something may begin; outside of all windows of this rule nothing does.
    Allow,
}

/// One window, every week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// What holds inside of it.
    pub rule: Rule,
    /// When it is.
    pub span: Span,
    /// Whose clocks show that.
    pub zone: TimeZone,
}

/// From a time to a time, on some days of the week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// As it was written.
    text: String,
    /// The days on which it begins, from Monday.
    days: [bool; 7],
    /// The minute of the day at which it begins.
    from: u16,
    /// How many days later it ends.
    later: i64,
    /// The minute of that day at which it ends.
    to: u16,
}

/// Why nothing may begin, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// The window that denies it, or those that do not allow it now.
    pub why: String,
    /// When something may begin again; `None` when that is not within a year.
    pub until: Option<Timestamp>,
}

/// The time zone of this name in the IANA database.
pub fn zone(name: &str) -> Option<TimeZone> {
    ZONES.get(name).ok()
}

/// The names of all time zones.
pub fn zones() -> Vec<String> {
    ZONES.available().map(|name| name.to_string()).collect()
}

/// Whether the windows let nothing begin at `now`: one that denies it always does, and where there is any that allows it,
/// so does being outside of them all.
pub fn closed(windows: &[Window], now: Timestamp) -> Option<Closed> {
    let why = denial(windows, now)?;
    Some(Closed { why, until: opening(windows, now) })
}

fn of(windows: &[Window], rule: Rule) -> impl Iterator<Item = &Window> {
    windows.iter().filter(move |window| window.rule == rule)
}

/// Why nothing may begin.
fn denial(windows: &[Window], at: Timestamp) -> Option<String> {
    if let Some(window) = of(windows, Rule::Deny).find(|window| window.holds(at)) {
        return Some(window.to_string());
    }
    let allowing: Vec<String> = of(windows, Rule::Allow).map(Window::to_string).collect();
    let outside = !allowing.is_empty() && !of(windows, Rule::Allow).any(|window| window.holds(at));
    outside.then(|| format!("outside of {}", allowing.join(", ")))
}

/// The first moment after `now` at which something may begin. That is always the end of a window that denies it, or the
/// beginning of one that allows it.
fn opening(windows: &[Window], now: Timestamp) -> Option<Timestamp> {
    let edges = |week: i64| {
        let from = now.checked_add((week * DAYS_MAX * 24).hours()).ok()?;
        let to = from.checked_add((DAYS_MAX * 24).hours()).ok()?;
        let edge = |window: &Window, (begin, end)| if window.rule == Rule::Deny { end } else { begin };
        let found = windows.iter().flat_map(|window| window.spans(from, to).map(move |span| edge(window, span)));
        let mut found: Vec<Timestamp> = found.filter(|edge| from < *edge && *edge <= to).collect();
        found.sort_unstable();
        Some(found)
    };
    (0..WEEKS_MAX).filter_map(edges).flatten().find(|edge| denial(windows, *edge).is_none())
}

impl Window {
    fn holds(&self, at: Timestamp) -> bool {
        self.spans(at, at).any(|(begin, end)| begin <= at && at < end)
    }

    /// When it begins and ends, for each time that it may touch what is between two moments.
    fn spans(&self, from: Timestamp, to: Timestamp) -> impl Iterator<Item = (Timestamp, Timestamp)> {
        let day = |at: Timestamp| self.zone.to_datetime(at).date();
        let first = day(from).saturating_sub((self.span.later + 1).days());
        let dates = first.series(1.day()).take_while(move |date| *date <= day(to));
        dates.filter_map(|date| self.on(date)).filter(|(begin, end)| begin < end)
    }

    /// When it begins and ends, if it begins on this date.
    fn on(&self, date: Date) -> Option<(Timestamp, Timestamp)> {
        let Span { days, from, later, to, .. } = &self.span;
        if !days[index(date.weekday())] {
            return None;
        }
        let end = date.checked_add(later.days()).ok()?;
        Some((self.moment(date, *from, false)?, self.moment(end, *to, true)?))
    }

    /// When clocks show a minute of a day: the first time, or the last.
    fn moment(&self, date: Date, minute: u16, last: bool) -> Option<Timestamp> {
        let shown = date.at(0, 0, 0, 0).checked_add(i64::from(minute).minutes()).ok()?;
        let ambiguous = self.zone.to_ambiguous_timestamp(shown);
        match ambiguous.offset() {
            AmbiguousOffset::Unambiguous { .. } => ambiguous.compatible().ok(),
            AmbiguousOffset::Fold { .. } if last => ambiguous.later().ok(),
            AmbiguousOffset::Fold { .. } => ambiguous.earlier().ok(),
            AmbiguousOffset::Gap { .. } => {
                // `later` is as long after the change as the time would have been after it.
                let after = ambiguous.later().ok()?.checked_add(1.second()).ok()?;
                self.zone.preceding(after).next().map(|change| change.timestamp())
            }
        }
    }
}

/// `deny fri 16:00-mon 08:00 Europe/Paris`.
impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rule = if self.rule == Rule::Deny { "deny" } else { "allow" };
        write!(f, "{rule} {} {}", self.span.text, self.zone.iana_name().unwrap_or("UTC"))
    }
}

impl Span {
    /// Reads one of the forms; `None` for every other text, and for a span without any time in it.
    pub fn of(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (days, from, to, later) = match *words.as_slice() {
            [times] | ["daily", times] => hours([true; 7], times)?,
            [days, times] => hours(some_days(days)?, times)?,
            [day, middle, to] => {
                let (from, last) = middle.split_once('-')?;
                let (begin, end) = (day_of(day)?, day_of(last)?);
                let (from, to) = (clock(from, false)?, clock(to, true)?);
                let between = (end + 7 - begin) % 7;
                let later = if between == 0 && to < from { 7 } else { between };
                let mut days = [false; 7];
                days[begin] = true;
                (days, from, to, i64::try_from(later).ok()?)
            }
            _ => return None,
        };
        if later == 0 && from == to {
            return None;
        }
        let (later, to) = if to == MINUTES_OF_DAY { (later + 1, 0) } else { (later, to) };
        Some(Self { text: words.join(" "), days, from, later, to })
    }
}

/// `09:00-17:00`; an end that is not later is on the next day.
fn hours(days: [bool; 7], times: &str) -> Option<([bool; 7], u16, u16, i64)> {
    let (from, to) = times.split_once('-')?;
    let (from, to) = (clock(from, false)?, clock(to, true)?);
    Some((days, from, to, i64::from(to < from)))
}

/// `sat`, or `mon-fri`, which may go over the end of the week.
fn some_days(text: &str) -> Option<[bool; 7]> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (day_of(first)?, day_of(last)?);
    let mut days = [false; 7];
    for day in 0..=(last + 7 - first) % 7 {
        days[(first + day) % 7] = true;
    }
    Some(days)
}

fn day_of(text: &str) -> Option<usize> {
    DAYS.iter().position(|day| *day == text)
}

/// `08:00` in minutes; an end may be `24:00`.
fn clock(text: &str, ends: bool) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |part: &str| part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse::<u16>().ok())?;
    let (hours, minutes) =
        (number(hours).filter(|_| hours.len() == 2)?, number(minutes).filter(|_| minutes.len() == 2)?);
    let whole = hours * 60 + minutes;
    (minutes < 60 && (whole < MINUTES_OF_DAY || (ends && whole == MINUTES_OF_DAY))).then_some(whole)
}

fn index(day: Weekday) -> usize {
    usize::try_from(day.to_monday_zero_offset()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(text: &str) -> Window {
        let (rule, rest) = text.split_once(' ').unwrap();
        let (span, zone_name) = rest.rsplit_once(' ').unwrap();
        let rule = if rule == "deny" { Rule::Deny } else { Rule::Allow };
        Window { rule, span: Span::of(span).unwrap(), zone: zone(zone_name).unwrap() }
    }

    /// `open`, `until TIME`, or `never`.
    fn said(windows: &[&str], now: &str) -> String {
        let windows: Vec<Window> = windows.iter().map(|text| window(text)).collect();
        match closed(&windows, now.parse().unwrap()) {
            None => "open".to_owned(),
            Some(Closed { until: Some(until), .. }) => format!("until {until}"),
            Some(Closed { until: None, .. }) => "never".to_owned(),
        }
    }

    #[test]
    fn what_the_windows_say() {
        // 2026-11-20 is a Friday; Paris is at +01:00 then, New York at -05:00, Kathmandu always at +05:45.
        let weekend = &["deny fri 16:00-mon 08:00 Europe/Paris"][..];
        let office = &["allow mon-fri 09:00-17:00 UTC"][..];
        let night = &["deny daily 22:00-06:00 UTC"][..];
        let nights = &["deny fri-sun 22:00-06:00 UTC"][..];
        let both = &["allow mon-fri 09:00-17:00 UTC", "deny fri 12:00-mon 08:00 UTC"][..];
        let two = &["allow mon 09:00-10:00 UTC", "allow thu 09:00-10:00 UTC"][..];
        let chain = &["deny sat 00:00-24:00 UTC", "deny sun 00:00-mon 06:00 UTC"][..];
        for (windows, now, expected) in [
            (&[][..], "2026-11-20T16:00:00Z", "open"),
            (weekend, "2026-11-20T14:59:59Z", "open"),
            (weekend, "2026-11-20T15:00:00Z", "until 2026-11-23T07:00:00Z"),
            (weekend, "2026-11-22T12:00:00Z", "until 2026-11-23T07:00:00Z"),
            (weekend, "2026-11-23T06:59:59Z", "until 2026-11-23T07:00:00Z"),
            (weekend, "2026-11-23T07:00:00Z", "open"),
            (office, "2026-11-20T08:59:59Z", "until 2026-11-20T09:00:00Z"),
            (office, "2026-11-20T09:00:00Z", "open"),
            (office, "2026-11-20T17:00:00Z", "until 2026-11-23T09:00:00Z"),
            (office, "2026-11-21T10:00:00Z", "until 2026-11-23T09:00:00Z"),
            (night, "2026-12-31T23:30:00Z", "until 2027-01-01T06:00:00Z"),
            (night, "2027-01-01T05:59:00Z", "until 2027-01-01T06:00:00Z"),
            (night, "2027-01-01T12:00:00Z", "open"),
            (nights, "2026-11-20T05:00:00Z", "open"),
            (nights, "2026-11-21T05:00:00Z", "until 2026-11-21T06:00:00Z"),
            (nights, "2026-11-23T05:00:00Z", "until 2026-11-23T06:00:00Z"),
            (nights, "2026-11-24T05:00:00Z", "open"),
            // A window that denies wins, and its end is no opening where nothing is allowed yet.
            (both, "2026-11-20T10:00:00Z", "open"),
            (both, "2026-11-20T13:00:00Z", "until 2026-11-23T09:00:00Z"),
            // Any of those that allow will do.
            (two, "2026-11-24T10:00:00Z", "until 2026-11-26T09:00:00Z"),
            (two, "2026-11-26T09:30:00Z", "open"),
            // Where one ends and another begins, nothing opens.
            (chain, "2026-11-21T10:00:00Z", "until 2026-11-23T06:00:00Z"),
            (&["deny mon 00:00-sun 24:00 UTC"], "2026-11-21T10:00:00Z", "never"),
            (&["deny daily 00:00-24:00 UTC"], "2026-11-21T10:00:00Z", "never"),
            (&["deny daily 00:00-24:00 UTC", "allow mon-fri 09:00-17:00 UTC"], "2026-11-20T10:00:00Z", "never"),
            (&["deny fri 16:00-fri 15:00 UTC"], "2026-11-20T16:00:00Z", "until 2026-11-27T15:00:00Z"),
            (&["deny fri 16:00-fri 15:00 UTC"], "2026-11-27T15:30:00Z", "open"),
            (&["deny sun 12:00-sun 13:00 UTC"], "2026-11-22T12:30:00Z", "until 2026-11-22T13:00:00Z"),
            (&["deny sat 10:00-02:00 UTC"], "2026-11-22T01:00:00Z", "until 2026-11-22T02:00:00Z"),
            (&["deny sat-mon 10:00-14:00 UTC"], "2026-11-23T11:00:00Z", "until 2026-11-23T14:00:00Z"),
            (&["deny sat-mon 10:00-14:00 UTC"], "2026-11-24T11:00:00Z", "open"),
            (&["deny daily 09:00-10:00 America/New_York"], "2026-11-20T14:30:00Z", "until 2026-11-20T15:00:00Z"),
            (&["deny mon 00:00-24:00 Asia/Kathmandu"], "2026-11-22T18:15:00Z", "until 2026-11-23T18:15:00Z"),
            // Its Monday is over where it is still Monday elsewhere.
            (&["deny mon 00:00-24:00 Pacific/Kiritimati"], "2026-11-23T11:00:00Z", "open"),
        ] {
            assert_eq!(said(windows, now), expected, "{windows:?} at {now}");
        }
    }

    #[test]
    fn the_nights_on_which_clocks_are_changed() {
        // Paris, 2026-03-29: 02:00 becomes 03:00 at 01:00Z. 2026-10-25: 03:00 becomes 02:00 at 01:00Z.
        for (window, now, expected) in [
            // The same hours on the clock, one hour less and one hour more in between.
            ("deny sat 22:00-06:00 Europe/Paris", "2026-03-28T21:00:00Z", "until 2026-03-29T04:00:00Z"),
            ("deny sat 22:00-06:00 Europe/Paris", "2026-10-24T20:00:00Z", "until 2026-10-25T05:00:00Z"),
            ("deny fri 16:00-mon 08:00 Europe/Paris", "2026-03-27T15:00:00Z", "until 2026-03-30T06:00:00Z"),
            ("deny fri 16:00-mon 08:00 Europe/Paris", "2026-10-23T14:00:00Z", "until 2026-10-26T07:00:00Z"),
            // A time that is skipped is the moment of the change: the beginning, the end, both.
            ("deny daily 02:30-05:00 Europe/Paris", "2026-03-29T00:59:59Z", "open"),
            ("deny daily 02:30-05:00 Europe/Paris", "2026-03-29T01:00:00Z", "until 2026-03-29T03:00:00Z"),
            ("deny daily 02:00-05:00 Europe/Paris", "2026-03-29T01:00:00Z", "until 2026-03-29T03:00:00Z"),
            ("deny daily 01:00-02:30 Europe/Paris", "2026-03-29T00:59:59Z", "until 2026-03-29T01:00:00Z"),
            ("deny daily 02:15-02:45 Europe/Paris", "2026-03-29T01:00:00Z", "open"),
            ("allow daily 02:15-02:45 Europe/Paris", "2026-03-29T01:00:00Z", "until 2026-03-30T00:15:00Z"),
            // A time that is shown twice begins a window the first time and ends it the second.
            ("deny daily 02:30-05:00 Europe/Paris", "2026-10-25T00:29:59Z", "open"),
            ("deny daily 02:30-05:00 Europe/Paris", "2026-10-25T00:30:00Z", "until 2026-10-25T04:00:00Z"),
            ("deny daily 02:30-05:00 Europe/Paris", "2026-10-25T01:10:00Z", "until 2026-10-25T04:00:00Z"),
            ("deny daily 01:00-02:30 Europe/Paris", "2026-10-25T00:45:00Z", "until 2026-10-25T01:30:00Z"),
            ("deny daily 01:00-02:30 Europe/Paris", "2026-10-25T01:30:00Z", "open"),
            ("allow daily 02:15-02:45 Europe/Paris", "2026-10-25T00:10:00Z", "until 2026-10-25T00:15:00Z"),
            ("allow daily 02:15-02:45 Europe/Paris", "2026-10-25T01:44:59Z", "open"),
            ("allow daily 02:15-02:45 Europe/Paris", "2026-10-25T01:45:00Z", "until 2026-10-26T01:15:00Z"),
            // Clocks that go forward at midnight: the day begins at one (Santiago, 2026-09-06).
            ("deny sun 00:00-24:00 America/Santiago", "2026-09-06T03:59:59Z", "open"),
            ("deny sun 00:00-24:00 America/Santiago", "2026-09-06T04:00:00Z", "until 2026-09-07T03:00:00Z"),
            // Years that the database has only a rule for.
            ("deny sat 22:00-06:00 Europe/Paris", "2061-10-29T21:00:00Z", "until 2061-10-30T05:00:00Z"),
        ] {
            assert_eq!(said(&[window], now), expected, "{window} at {now}");
        }
    }

    #[test]
    fn inside_of_a_window_is_whenever_clocks_show_it() {
        // Every five minutes of two weekends, against the clock on the wall.
        let shown = |window: &str, wall: &dyn Fn(i8, i8) -> bool| {
            let window = self::window(window);
            for start in ["2026-03-28T00:00:00Z", "2026-10-24T00:00:00Z"] {
                let start: Timestamp = start.parse().unwrap();
                for step in 0..(3 * 24 * 12) {
                    let at = start + (step * 5).minutes();
                    let clock = window.zone.to_datetime(at);
                    assert!(!wall(clock.hour(), clock.minute()) || window.holds(at), "{window} at {at}");
                }
            }
        };
        shown("deny daily 01:30-02:15 Europe/Paris", &|hour, minute| {
            (hour, minute) >= (1, 30) && (hour, minute) < (2, 15)
        });
        shown("deny daily 02:30-03:30 Europe/Paris", &|hour, minute| {
            (hour, minute) >= (2, 30) && (hour, minute) < (3, 30)
        });
        shown("deny daily 22:00-02:30 Europe/Paris", &|hour, minute| hour >= 22 || (hour, minute) < (2, 30));
    }

    #[test]
    fn forms() {
        for right in [
            "fri 16:00-mon 08:00",
            "22:00-06:00",
            "daily 22:00-06:00",
            "mon-fri 09:00-17:00",
            "sat-mon 09:00-17:00",
            "sat 10:00-14:00",
            "fri 16:00-08:00",
            "sun 00:00-sun 24:00",
            "00:00-24:00",
            "fri 16:00-fri 15:59",
        ] {
            assert!(Span::of(right).is_some(), "{right}");
        }
        for wrong in [
            "",
            "fri",
            "fri 16:00",
            "fri 24:00-mon 08:00",
            "fri 16:00-mon 24:01",
            "fri 16:60-mon 08:00",
            "friday 16:00-mon 08:00",
            "Fri 16:00-mon 08:00",
            "16:0-17:00",
            "+1:00-17:00",
            "1:00-17:00",
            "16:00-mon 08:00",
            "mon-fri",
            "mon-fri 09:00",
            "mon,fri 09:00-17:00",
            "mon-fri-sun 09:00-17:00",
            "mon-fri 09:00-17:00 UTC",
            "fri 16:00 - mon 08:00",
            "weekly 09:00-17:00",
            // No time at all.
            "09:00-09:00",
            "fri 16:00-fri 16:00",
            "0 16 * * 5",
            "é 16:00-17:00",
            "99999999999:00-17:00",
        ] {
            assert_eq!(Span::of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn why_is_said_as_it_was_written() {
        let windows = ["allow mon-fri 09:00-12:00 UTC", "allow  mon-fri 14:00-17:00 UTC"].map(window);
        let now: Timestamp = "2026-11-20T13:00:00Z".parse().unwrap();
        let why = closed(&windows, now).map(|closed| closed.why);
        assert_eq!(why.as_deref(), Some("outside of allow mon-fri 09:00-12:00 UTC, allow mon-fri 14:00-17:00 UTC"));
        let windows = [window("deny fri 12:00-mon 08:00 Europe/Paris")];
        let why = closed(&windows, now).map(|closed| closed.why);
        assert_eq!(why.as_deref(), Some("deny fri 12:00-mon 08:00 Europe/Paris"));
    }

    #[test]
    fn the_ends_of_time_panic_nowhere() {
        let windows = [window("deny fri 16:00-mon 08:00 Europe/Paris"), window("allow sat 10:00-14:00 UTC")];
        for now in [Timestamp::MIN, Timestamp::MAX] {
            closed(&windows, now);
        }
    }
}
