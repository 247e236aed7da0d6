//! What goes wrong, by plan: at the n-th call of an operation on an object.

use super::world::{Refusal, World};
use serde_json::Value;

/// Which calls a fault meets.
#[derive(Debug, Clone, Default)]
pub struct Trigger {
    /// `ecs UpdateService`: service and operation; `ecs` all of a service; empty: everything.
    pub operation: String,
    /// A text that the input contains, usually a name; empty: any.
    pub object: String,
    /// How many matching calls go well before.
    pub after: u32,
    /// How many calls it meets; 0: all that follow.
    pub times: u32,
}

impl Trigger {
    /// The next call of this operation.
    pub fn next(operation: &str) -> Self {
        Self { operation: operation.to_owned(), times: 1, ..Self::default() }
    }

    /// All calls of this operation from now on.
    pub fn every(operation: &str) -> Self {
        Self { operation: operation.to_owned(), ..Self::default() }
    }

    /// Only calls that name this.
    pub fn of(self, object: &str) -> Self {
        Self { object: object.to_owned(), ..self }
    }

    /// Only from the call on that comes after so many.
    pub fn after(self, calls: u32) -> Self {
        Self { after: calls, ..self }
    }

    /// So many calls.
    pub fn times(self, times: u32) -> Self {
        Self { times, ..self }
    }

    fn matches(&self, service: &str, operation: &str, input: &str) -> bool {
        let named = match self.operation.split_once(' ') {
            _ if self.operation.is_empty() => true,
            Some((a, b)) => a == service && b == operation,
            None => self.operation == service,
        };
        named && input.contains(&self.object)
    }
}

/// What happens to a call.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Refused for its rate; nothing is done.
    Throttle,
    /// AWS's own failure, with what was asked for done or not.
    Error {
        /// As 500 or 503.
        status: u16,
        /// Whether it was done all the same.
        applied: bool,
    },
    /// The connection ends without an answer, with what was asked for done or not.
    Lost {
        /// Whether it was done all the same.
        applied: bool,
    },
    /// Refused with this error; nothing is done.
    Refuse(Refusal),
    /// Reads are answered from before the write that met this fault, for so many reads or so many seconds of the
    /// account's time, whichever ends first.
    Stale {
        /// Reads.
        calls: u32,
        /// Seconds.
        seconds: f64,
    },
    /// The answer's page token is the request's own again.
    RepeatToken,
    /// The body ends in the middle.
    Truncated,
    /// Something else answers, as a proxy's page does.
    Foreign {
        /// As 200, 503.
        status: u16,
        /// The content type.
        content_type: String,
        /// The body.
        body: String,
    },
}

#[derive(Debug, Clone)]
struct Planned {
    trigger: Trigger,
    fault: Fault,
    met: u32,
}

/// The plan of what goes wrong, and what of the past is still shown.
#[derive(Debug, Default)]
pub struct Faults {
    planned: Vec<Planned>,
    past: Option<Past>,
}

/// An account as it was.
#[derive(Debug)]
struct Past {
    world: Box<World>,
    calls: u32,
    until: jiff::Timestamp,
}

impl Faults {
    /// From now on.
    pub fn add(&mut self, trigger: Trigger, fault: Fault) {
        self.planned.push(Planned { trigger, fault, met: 0 });
    }

    /// All goes well again.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// What happens to this call: the first planned fault that matches and is due.
    pub fn meet(&mut self, service: &str, operation: &str, input: &Value) -> Option<Fault> {
        if self.planned.is_empty() {
            return None;
        }
        let text = input.to_string();
        let mut due = None;
        for planned in &mut self.planned {
            if !planned.trigger.matches(service, operation, &text) {
                continue;
            }
            planned.met += 1;
            let Trigger { after, times, .. } = planned.trigger;
            if due.is_none() && planned.met > after && (times == 0 || planned.met <= after.saturating_add(times)) {
                due = Some(planned.fault.clone());
            }
        }
        due
    }

    /// The account as it was is shown for a while.
    pub fn keep(&mut self, world: World, calls: u32, seconds: f64) {
        let passes = jiff::SignedDuration::try_from_secs_f64(seconds).unwrap_or(jiff::SignedDuration::MAX);
        let until = world.now().checked_add(passes).unwrap_or(jiff::Timestamp::MAX);
        self.past = Some(Past { world: Box::new(world), calls, until });
    }

    /// The account that a read sees while the past is still shown.
    pub fn past(&mut self, now: jiff::Timestamp) -> Option<&mut World> {
        let past = self.past.as_mut()?;
        if past.calls == 0 || now >= past.until {
            self.past = None;
            return None;
        }
        past.calls -= 1;
        self.past.as_mut().map(|past| &mut *past.world)
    }
}
