//! Log streams and their lines.

use super::{Event, Group, Stream, group, groups, invalid, not_found};
use crate::sim::world::input::{Pages, flag, list, number, required, text, texts};
use crate::sim::world::{Answer, Refusal, World};
use serde_json::{Value, json};
use std::collections::VecDeque;

/// Lines that a stream keeps: older ones go, so that a demo can run for days.
const KEPT: usize = 10_000;
/// Lines that one call takes or answers (PutLogEvents, GetLogEvents, FilterLogEvents).
const EVENTS_MAX: usize = 10_000;
const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

/// A task writes a line. Without the group nothing happens; the stream is made.
pub fn write(world: &mut World, group: &str, stream: &str, line: &str) {
    let now = world.now().as_millisecond();
    if let Some(group) = world.logs.groups.get_mut(group) {
        let stream = group.streams.entry(stream.to_owned()).or_insert_with(|| Stream::new(now));
        stream.push(Event { at: now, ingested: now, message: line.to_owned() });
    }
}

impl Stream {
    fn new(created: i64) -> Self {
        Self { created, events: VecDeque::new(), dropped: 0 }
    }

    fn push(&mut self, event: Event) {
        self.events.push_back(event);
        if self.events.len() > KEPT {
            self.events.pop_front();
            self.dropped += 1;
        }
    }
}

/// CreateLogStream.
pub fn create(world: &mut World, input: &Value) -> Answer {
    let now = world.now().as_millisecond();
    let name = required(input, "logStreamName", "InvalidParameterException")?;
    if name.contains([':', '*']) {
        return Err(invalid(format!("Value '{name}' at 'logStreamName' failed to satisfy constraint: [^:*]*")));
    }
    let group = group(world, input)?;
    if group.streams.contains_key(name) {
        return Err(Refusal::new("ResourceAlreadyExistsException", "The specified log stream already exists"));
    }
    group.streams.insert(name.to_owned(), Stream::new(now));
    Ok(json!({}))
}

/// DescribeLogStreams, by name or by the last line.
pub fn streams(world: &mut World, input: &Value) -> Answer {
    let group = group(world, input)?;
    let prefix = text(input, "logStreamNamePrefix");
    let by_time = text(input, "orderBy") == Some("LastEventTime");
    if by_time && prefix.is_some() {
        return Err(invalid("Cannot order by LastEventTime with a logStreamNamePrefix."));
    }
    let mut found: Vec<_> =
        group.streams.iter().filter(|(name, _)| prefix.is_none_or(|prefix| name.starts_with(prefix))).collect();
    if by_time {
        found.sort_by_key(|(_, stream)| stream.events.back().map(|event| event.at));
    }
    if flag(input, "descending") == Some(true) {
        found.reverse();
    }
    let arn = text(&group.document, "logGroupArn").unwrap_or_default();
    let shown = found.into_iter().map(|(name, stream)| {
        let mut shown = json!({
            "logStreamName": name, "creationTime": stream.created, "arn": format!("{arn}:log-stream:{name}"),
            "storedBytes": 0,
        });
        if let (Some(first), Some(last)) = (stream.events.front(), stream.events.back()) {
            shown["firstEventTimestamp"] = json!(first.at);
            shown["lastEventTimestamp"] = json!(last.at);
            shown["lastIngestionTime"] = json!(last.ingested);
            shown["uploadSequenceToken"] = json!(sequence(stream));
        }
        shown
    });
    groups::page("logStreams", shown.collect(), input)
}

/// A token that nobody has to send any more (PutLogEvents, sequenceToken).
fn sequence(stream: &Stream) -> String {
    format!("{:056}", stream.dropped + stream.events.len())
}

fn stream<'g>(group: &'g mut Group, input: &Value) -> Result<&'g mut Stream, Refusal> {
    let name = required(input, "logStreamName", "InvalidParameterException")?;
    group.streams.get_mut(name).ok_or_else(|| not_found("The specified log stream does not exist."))
}

/// PutLogEvents: in the order of time; what is older than fourteen days or the retention, or more than two hours ahead,
/// is rejected and told.
pub fn put(world: &mut World, input: &Value) -> Answer {
    let now = world.now().as_millisecond();
    let group = group(world, input)?;
    let retention = number(&group.document, "retentionInDays");
    let stream = stream(group, input)?;
    let events = list(input, "logEvents");
    if events.is_empty() || events.len() > EVENTS_MAX {
        return Err(invalid(format!("There must be between 1 and {EVENTS_MAX} log events")));
    }
    let times: Vec<_> = events.iter().map(|event| number(event, "timestamp").unwrap_or_default()).collect();
    if !times.is_sorted() {
        return Err(invalid("Log events in a single PutLogEvents request must be in chronological order."));
    }
    let before = |limit: i64| times.partition_point(|at| *at < limit);
    let expired = retention.map_or(0, |days| before(now - days * DAY));
    let (old, new) = (before(now - 14 * DAY), before(now + 2 * HOUR + 1));
    for (event, at) in events.iter().zip(&times).take(new).skip(old.max(expired)) {
        let message = text(event, "message").unwrap_or_default().to_owned();
        stream.push(Event { at: *at, ingested: now, message });
    }
    let mut answer = json!({ "nextSequenceToken": sequence(stream) });
    let mut reject = |member: &str, at: usize| answer["rejectedLogEventsInfo"][member] = json!(at);
    if new < times.len() {
        reject("tooNewLogEventStartIndex", new);
    }
    if old > 0 {
        reject("tooOldLogEventEndIndex", old);
    }
    if expired > 0 {
        reject("expiredLogEventEndIndex", expired);
    }
    Ok(answer)
}

/// Whether a line is in the time that a request asks for: from its start, before its end.
fn within(input: &Value, event: &Event) -> bool {
    number(input, "startTime").is_none_or(|start| event.at >= start)
        && number(input, "endTime").is_none_or(|end| event.at < end)
}

fn limit(input: &Value) -> Result<usize, Refusal> {
    let limit = number(input, "limit").unwrap_or(EVENTS_MAX as i64);
    match usize::try_from(limit) {
        Ok(limit) if (1..=EVENTS_MAX).contains(&limit) => Ok(limit),
        _ => Err(invalid(format!("Value '{limit}' at 'limit' must be between 1 and {EVENTS_MAX}"))),
    }
}

/// GetLogEvents: the newest page unless `startFromHead` is set, with a token for each direction. At the end of the
/// stream the forward token is the one that was sent.
pub fn get(world: &mut World, input: &Value) -> Answer {
    let limit = limit(input)?;
    let stream = stream(group(world, input)?, input)?;
    let numbered = stream.events.iter().enumerate().map(|(at, event)| (at + stream.dropped, event));
    let mut found: Vec<_> = numbered.filter(|(_, event)| within(input, event)).collect();
    let token = match text(input, "nextToken") {
        None => None,
        Some(token) => {
            let read = token.split_once('/').and_then(|(way, at)| Some((way, at.parse::<usize>().ok()?)));
            Some(read.ok_or_else(|| invalid("The specified nextToken is invalid."))?)
        }
    };
    let forward = match token {
        Some(("f", from)) => {
            found.retain(|(at, _)| *at >= from);
            true
        }
        Some(("b", to)) => {
            found.retain(|(at, _)| *at < to);
            false
        }
        Some(_) => return Err(invalid("The specified nextToken is invalid.")),
        None => flag(input, "startFromHead") == Some(true),
    };
    let skipped = if forward { 0 } else { found.len().saturating_sub(limit) };
    let page: Vec<_> = found.into_iter().skip(skipped).take(limit).collect();
    let here = token.map_or(stream.dropped + stream.events.len(), |(_, at)| at);
    let (first, next) = (page.first().map_or(here, |(at, _)| *at), page.last().map_or(here, |(at, _)| at + 1));
    let events: Vec<_> = page
        .iter()
        .map(|(_, event)| json!({ "timestamp": event.at, "message": event.message, "ingestionTime": event.ingested }))
        .collect();
    let tokens = (format!("f/{next:056}"), format!("b/{first:056}"));
    Ok(json!({ "events": events, "nextForwardToken": tokens.0, "nextBackwardToken": tokens.1 }))
}

/// FilterLogEvents: lines of several streams in the order of time.
pub fn filter(world: &mut World, input: &Value) -> Answer {
    limit(input)?;
    let group = group(world, input)?;
    let (names, prefix) = (list(input, "logStreamNames"), text(input, "logStreamNamePrefix"));
    if !names.is_empty() && prefix.is_some() {
        return Err(invalid("logStreamNames and logStreamNamePrefix are mutually exclusive"));
    }
    if texts(input, "logStreamNames").any(|name| !group.streams.contains_key(name)) {
        return Err(not_found("The specified log stream does not exist."));
    }
    let pattern = Pattern::read(text(input, "filterPattern").unwrap_or_default())?;
    let mut found = Vec::new();
    for (name, stream) in &group.streams {
        let asked =
            (names.is_empty() || names.contains(&json!(name))) && prefix.is_none_or(|prefix| name.starts_with(prefix));
        let lines = stream.events.iter().enumerate().filter(|(_, event)| asked && within(input, event));
        found.extend(lines.filter(|(_, event)| pattern.fits(&event.message)).map(|(at, event)| {
            let id = format!("{:020}{:036}", event.at, at + stream.dropped);
            let event = json!({
                "logStreamName": name, "timestamp": event.at, "message": event.message,
                "ingestionTime": event.ingested, "eventId": id,
            });
            (event["timestamp"].as_i64(), event)
        }));
    }
    found.sort_by_key(|(at, _)| *at);
    let found = found.into_iter().map(|(_, event)| event).collect();
    let (token, size, code) = ("nextToken", "limit", "InvalidParameterException");
    let pages = Pages { into: "events", token, next: token, size, usual: EVENTS_MAX, most: EVENTS_MAX, code };
    let mut answer = pages.page(found, input)?;
    answer["searchedLogStreams"] = json!([]);
    Ok(answer)
}

/// A filter pattern of terms ("Filter pattern syntax", unstructured log events): all of them, at least one of those
/// with `?` (which count only when there are no others), none of those with `-`. Patterns of JSON and of columns are
/// refused.
struct Pattern(Vec<(char, String)>);

impl Pattern {
    fn read(text: &str) -> Result<Self, Refusal> {
        if text.starts_with(['{', '[', '%']) {
            return Err(invalid("Filter patterns other than terms are not simulated"));
        }
        let (mut terms, mut rest) = (Vec::new(), text.trim());
        while let Some(first) = rest.chars().next() {
            let kind = if matches!(first, '?' | '-') { first } else { '+' };
            rest = rest.strip_prefix(['?', '-']).unwrap_or(rest);
            let (term, after) = match rest.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"').ok_or_else(|| invalid("Invalid filter pattern"))?,
                None => rest.split_once(' ').unwrap_or((rest, "")),
            };
            terms.push((kind, term.to_owned()));
            rest = after.trim_start();
        }
        Ok(Self(terms))
    }

    fn fits(&self, line: &str) -> bool {
        let of = |kind: char| self.0.iter().filter(move |(known, _)| *known == kind).map(|(_, term)| term);
        let all = of('+').all(|term| line.contains(term));
        let any = of('+').next().is_some() || of('?').next().is_none() || of('?').any(|term| line.contains(term));
        all && any && !of('-').any(|term| line.contains(term))
    }
}
