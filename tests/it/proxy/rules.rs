//! Which calls are spoiled, and how. No I/O: a call and the rules give a fault, or none.

use hyper::header::{AUTHORIZATION, HeaderMap};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What is done to a call.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Too many requests; not applied.
    Throttled,
    /// The permission is missing; not applied.
    Denied,
    /// 503; not applied.
    Unavailable,
    /// Applied, and answered with 500.
    AppliedAndFailed,
    /// Applied, and the connection is closed without an answer.
    AnswerLost,
    /// The connection is closed before anything was passed on.
    Refused,
    /// Passed on after this time.
    Late(Duration),
    /// Applied and answered; for this time all reads are answered as they were answered before it.
    StaleAfter(Duration),
    /// Not passed on; a page of HTML with status 200.
    Html,
    /// Passed on; the connection is closed in the middle of the answer.
    Truncated,
    /// Calls back at a point of the call's way.
    At(Point, Hook),
}

/// A point of a call's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// It has left driftless and not reached AWS, where it never arrives.
    Sent,
    /// AWS has done it, driftless does not know yet.
    Applied,
    /// Driftless has the answer.
    Answered,
}

/// Something that is done at a [`Point`], as killing the daemon.
#[derive(Clone)]
pub struct Hook(Arc<dyn Fn() + Send + Sync>);

impl Hook {
    pub fn new(hook: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(hook))
    }

    pub fn call(&self) {
        (self.0)();
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook")
    }
}

/// Which calls are spoiled, and how.
#[derive(Debug, Clone)]
pub struct Rule {
    operation: &'static str,
    about: String,
    first: usize,
    times: usize,
    fault: Fault,
    /// How many calls have fitted.
    pub met: usize,
}

impl Rule {
    /// The first call of `operation` (AWS's name); the empty name is every operation.
    pub fn on(operation: &'static str, fault: Fault) -> Self {
        Self { operation, about: String::new(), first: 1, times: 1, fault, met: 0 }
    }

    /// Counts only calls whose body holds `text`.
    pub fn about(self, text: &str) -> Self {
        Self { about: text.to_owned(), ..self }
    }

    /// Leaves the calls before the `first` one alone.
    pub fn from(self, first: usize) -> Self {
        Self { first, ..self }
    }

    /// Spoils so many calls in a row.
    pub fn times(self, times: usize) -> Self {
        Self { times, ..self }
    }

    /// Spoils every call until the rules are cleared.
    pub fn always(self) -> Self {
        self.times(usize::MAX)
    }

    /// Counts the call where it fits; gives the fault when it is one of those to be spoiled.
    fn meet(&mut self, call: &Call) -> Option<Fault> {
        if !(self.operation.is_empty() || self.operation == call.operation) || !call.body.contains(&self.about) {
            return None;
        }
        self.met += 1;
        (self.met >= self.first && self.met - self.first < self.times).then(|| self.fault.clone())
    }
}

/// The fault of the first rule that spoils this call; every rule counts it.
pub fn decide(rules: &mut [Rule], call: &Call) -> Option<Fault> {
    let faults: Vec<Option<Fault>> = rules.iter_mut().map(|rule| rule.meet(call)).collect();
    faults.into_iter().flatten().next()
}

/// One call as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The service's name in the signature: `ecs`, `elasticloadbalancing`.
    pub service: String,
    /// AWS's name: `UpdateService`.
    pub operation: String,
    /// JSON, or a form.
    pub body: String,
}

impl Call {
    pub fn of(path: &str, headers: &HeaderMap, body: &[u8]) -> Self {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        // Credential=AKIA.../20261121/us-east-1/ecs/aws4_request
        let scope = header(AUTHORIZATION.as_str()).split("/aws4_request").next().unwrap_or_default();
        let service = scope.rsplit('/').next().unwrap_or_default().to_owned();
        let body = String::from_utf8_lossy(body).into_owned();
        let form = body.split('&').find_map(|pair| pair.strip_prefix("Action="));
        let target = header("x-amz-target").rsplit('.').next().filter(|name| !name.is_empty());
        let operation = target.or(form).or(path.rsplit('/').next()).unwrap_or_default().to_owned();
        Self { service, operation, body }
    }

    pub fn is_read(&self) -> bool {
        ["Describe", "List", "Get"].iter().any(|verb| self.operation.starts_with(verb))
    }

    pub fn speaks_json(&self) -> bool {
        self.body.starts_with('{')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(operation: &str, body: &str) -> Call {
        Call { service: "ecs".into(), operation: operation.into(), body: body.into() }
    }

    fn faults(rules: &mut [Rule], calls: &[Call]) -> Vec<String> {
        calls.iter().map(|call| decide(rules, call).map_or("-".into(), |fault| format!("{fault:?}"))).collect()
    }

    #[test]
    fn a_rule_spoils_the_calls_it_counts_to() {
        let mut rules = vec![Rule::on("UpdateService", Fault::Throttled).from(2).times(2)];
        let calls = [call("UpdateService", ""), call("DescribeServices", ""), call("UpdateService", "")];
        assert_eq!(faults(&mut rules, &calls), ["-", "-", "Throttled"]);
        assert_eq!(faults(&mut rules, &calls), ["Throttled", "-", "-"]);
    }

    #[test]
    fn a_rule_about_one_service_leaves_the_others_alone() {
        let mut rules = vec![Rule::on("", Fault::Denied).about("\"web\"").always()];
        let calls = [call("UpdateService", r#"{"service": "web"}"#), call("UpdateService", r#"{"service": "api"}"#)];
        assert_eq!(faults(&mut rules, &calls), ["Denied", "-"]);
    }

    #[test]
    fn the_first_rule_that_spoils_wins_and_all_count() {
        let mut rules = vec![Rule::on("A", Fault::Html), Rule::on("A", Fault::Refused).from(2)];
        assert_eq!(faults(&mut rules, &[call("A", ""), call("A", ""), call("A", "")]), ["Html", "Refused", "-"]);
    }

    #[test]
    fn a_call_is_told_by_its_target_its_form_or_its_path() {
        let mut headers = HeaderMap::new();
        let scope = "AWS4-HMAC-SHA256 Credential=1/20261121/us-east-1/elasticloadbalancing/aws4_request, Signature=0";
        headers.insert(AUTHORIZATION, scope.parse().unwrap());
        let form = Call::of("/", &headers, b"Action=DescribeTargetGroups&Names.member.1=a");
        assert_eq!((&*form.service, &*form.operation), ("elasticloadbalancing", "DescribeTargetGroups"));
        assert_eq!(Call::of("/service/X/operation/PutMetricAlarm", &headers, b"").operation, "PutMetricAlarm");
        headers.insert("x-amz-target", "AmazonEC2ContainerServiceV20141113.UpdateService".parse().unwrap());
        assert_eq!(Call::of("/", &headers, b"{}").operation, "UpdateService");
    }
}
