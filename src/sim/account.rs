//! The door of the account: a request comes in, an answer goes out, everything between is in this order.

use super::clock::Clock;
use super::fault::{Fault, Faults, Trigger};
use super::ledger::{Entry, is_read};
use super::policy::Policy;
use super::rates::Rates;
use super::wire::{self, Asked, Form};
use super::world::{Refusal, World, asks};
use http::{Request, Response};
use jiff::Timestamp;
use serde_json::Value;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Requests that the ledger keeps: older ones go, so that a demo can run for days.
const LEDGER_MAX: usize = 200_000;

/// What the account is like.
#[derive(Debug, Clone)]
pub struct Options {
    /// Twelve digits.
    pub account: String,
    /// As `us-east-1`.
    pub region: String,
    /// The account's time when it starts.
    pub began: Timestamp,
    /// How many seconds of the account pass in one of ours.
    pub speed: f64,
    /// How long each answer takes, in our time.
    pub latency: Duration,
    /// Whether AWS's request rates are kept.
    pub rates: bool,
    /// Decides what is left to chance: ids, addresses.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            account: "123456789012".to_owned(),
            region: "us-east-1".to_owned(),
            began: Timestamp::now(),
            speed: 1.0,
            latency: Duration::ZERO,
            rates: false,
            seed: 1,
        }
    }
}

/// The connection ended without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the connection ended without an answer")]
pub struct Lost;

/// An AWS account in memory. Clones are the same account.
#[derive(Debug, Clone)]
pub struct Account(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Mutex<Clock>,
    latency: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    world: World,
    faults: Faults,
    rates: Option<Rates>,
    policy: Option<Policy>,
    ledger: VecDeque<Entry>,
    requests: u64,
}

impl Account {
    /// An empty account. Needs a tokio runtime: its time is the account's.
    pub fn new(options: Options) -> Self {
        let Options { account, region, began, speed, latency, rates, seed } = options;
        let state = State {
            world: World::new(&account, &region, began, seed),
            faults: Faults::default(),
            rates: rates.then(Rates::default),
            policy: None,
            ledger: VecDeque::new(),
            requests: 0,
        };
        Self(Arc::new(Inner { clock: Mutex::new(Clock::new(began, speed)), latency, state: Mutex::new(state) }))
    }

    /// Answers one request of an SDK.
    ///
    /// # Errors
    /// By plan only: see [`Fault::Lost`].
    pub async fn answer(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, Lost> {
        if !self.0.latency.is_zero() {
            tokio::time::sleep(self.0.latency).await;
        }
        let now = self.now();
        let asked = match wire::read(&request) {
            Ok(asked) => asked,
            Err((form, refusal)) => return Ok(wire::write(form, "Unknown", &Err(refusal), "0")),
        };
        self.state().answer(&asked, now)
    }

    /// The same without the wire, for benchmarks and for what happens outside of git.
    ///
    /// # Errors
    /// AWS's, as an SDK would see them.
    pub fn call(&self, service: &'static str, operation: &str, input: Value) -> Result<Value, Refusal> {
        let now = self.now();
        let mut state = self.state();
        state.world.advance(now);
        state.world.answer(service, operation, &input)
    }

    /// Looks into the account, or changes what no call can: what an image does, what a schedule did.
    pub fn world<T>(&self, look: impl FnOnce(&mut World) -> T) -> T {
        let now = self.now();
        let mut state = self.state();
        state.world.advance(now);
        look(&mut state.world)
    }

    /// From now on `speed` seconds of the account pass in one of ours.
    pub fn set_speed(&self, speed: f64) {
        self.clock().set_speed(speed);
    }

    /// Plans a fault.
    pub fn fault(&self, trigger: Trigger, fault: Fault) {
        self.state().faults.add(trigger, fault);
    }

    /// All goes well again.
    pub fn clear_faults(&self) {
        self.state().faults.clear();
    }

    /// From now on only what `policy` allows is done; `None` allows everything.
    pub fn enforce(&self, policy: Option<Policy>) {
        self.state().policy = policy;
    }

    /// Every request so far, oldest first.
    pub fn ledger(&self) -> Vec<Entry> {
        self.state().ledger.iter().cloned().collect()
    }

    fn now(&self) -> Timestamp {
        self.clock().now()
    }

    fn clock(&self) -> MutexGuard<'_, Clock> {
        self.0.clock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn answer(&mut self, asked: &Asked, now: Timestamp) -> Result<Response<Vec<u8>>, Lost> {
        self.world.advance(now);
        self.requests += 1;
        let id = format!("00000000-0000-4000-8000-{:012x}", self.requests);
        let fault = self.faults.meet(asked.service, &asked.operation, &asked.input);
        let answer = self.decide(asked, now, fault.as_ref());
        let lost = matches!(fault, Some(Fault::Lost { .. }));
        let answer = answer.map(|answer| spoilt(answer, &asked.input, fault.as_ref()));
        self.note(asked, now, if lost { None } else { Some(&answer) });
        if lost {
            return Err(Lost);
        }
        let response = wire::write(asked.form, &asked.operation, &answer, &id);
        Ok(damaged(response, fault.as_ref()))
    }

    fn decide(&mut self, asked: &Asked, now: Timestamp, fault: Option<&Fault>) -> Result<Value, Refusal> {
        let Asked { service, operation, input, form, region, .. } = asked;
        if region.as_deref().is_some_and(|region| region != self.world.region && *service != "sts") {
            return Err(Refusal::new("InvalidSignatureException", format!("this account is in {}", self.world.region)));
        }
        // "No permissions are required to perform this operation" (GetCallerIdentity).
        if let Some(policy) = self.policy.as_ref().filter(|_| operation != "GetCallerIdentity") {
            let asks = asks(&self.world, service, operation, input);
            if !policy.allows(&asks) {
                let (user, resource) =
                    (format!("arn:aws:iam::{}:role/driftless", self.world.account), &asks.resources[0]);
                let message = format!(
                    "User: {user} is not authorized to perform: {} on resource: {resource} because no identity-based policy allows the {} action",
                    asks.action, asks.action
                );
                let code = if matches!(form, Form::Query(_)) { "AccessDenied" } else { "AccessDeniedException" };
                return Err(Refusal {
                    status: if code == "AccessDenied" { 403 } else { 400 },
                    ..Refusal::new(code, message)
                });
            }
        }
        if let Some(rates) = &mut self.rates
            && !rates.admit(service, operation, now)
        {
            return Err(throttled(service));
        }
        match fault {
            Some(Fault::Throttle) => return Err(throttled(service)),
            Some(Fault::Refuse(refusal)) => return Err(refusal.clone()),
            Some(Fault::Lost { applied: false }) => return Err(Refusal::new("Lost", "not done")),
            Some(Fault::Error { status, applied: false }) => return Err(failure(*status)),
            Some(Fault::Stale { calls, seconds }) => self.faults.keep(self.world.clone(), *calls, *seconds),
            _ => {}
        }
        if is_read(operation)
            && let Some(past) = self.faults.past(now)
        {
            return past.answer(service, operation, input);
        }
        let answer = self.world.answer(service, operation, input);
        match fault {
            Some(Fault::Error { status, applied: true }) => Err(failure(*status)),
            _ => answer,
        }
    }

    fn note(&mut self, asked: &Asked, at: Timestamp, answer: Option<&Result<Value, Refusal>>) {
        let refusal = answer.and_then(|answer| answer.as_ref().err());
        let status = if answer.is_some() { refusal.map_or(200, |refusal| refusal.status) } else { 0 };
        let Asked { service, operation, input, agent, .. } = asked.clone();
        let code = refusal.map(|refusal| refusal.code.clone());
        if self.ledger.len() == LEDGER_MAX {
            self.ledger.pop_front();
        }
        self.ledger.push_back(Entry { at, service, operation, input, status, code, agent });
    }
}

/// "Rate exceeded": ELBv2 and CloudWatch answer `Throttling`, the JSON services `ThrottlingException`.
fn throttled(service: &str) -> Refusal {
    let code = if matches!(service, "elbv2" | "cloudwatch") { "Throttling" } else { "ThrottlingException" };
    Refusal::new(code, "Rate exceeded")
}

fn failure(status: u16) -> Refusal {
    let code = if status == 503 { "ServiceUnavailable" } else { "InternalFailure" };
    Refusal { status, ..Refusal::new(code, "The request processing has failed because of an unknown error.") }
}

/// A page that names itself as the next one.
fn spoilt(mut answer: Value, input: &Value, fault: Option<&Fault>) -> Value {
    if !matches!(fault, Some(Fault::RepeatToken)) {
        return answer;
    }
    for (asked, next) in [("nextToken", "nextToken"), ("NextToken", "NextToken"), ("Marker", "NextMarker")] {
        if answer.get(next).is_some() {
            answer[next] = input.get(asked).cloned().unwrap_or_else(|| "1".into());
        }
    }
    answer
}

fn damaged(mut response: Response<Vec<u8>>, fault: Option<&Fault>) -> Response<Vec<u8>> {
    match fault {
        Some(Fault::Truncated) => {
            let half = response.body().len() / 2;
            response.body_mut().truncate(half);
            response
        }
        Some(Fault::Foreign { status, content_type, body }) => {
            let built = Response::builder().status(*status).header("content-type", content_type);
            built.body(body.clone().into_bytes()).unwrap_or(response)
        }
        _ => response,
    }
}
