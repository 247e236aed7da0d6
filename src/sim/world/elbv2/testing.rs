//! What the tests of load balancing share: an account, and one call for each thing that they need.

use crate::sim::world::{Answer, World};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// An account with calls that have to succeed or to fail.
pub struct Lab {
    pub world: World,
    made: usize,
}

impl Lab {
    pub fn new() -> Self {
        Self { world: World::new("123456789012", "us-east-1", Timestamp::UNIX_EPOCH, 7), made: 0 }
    }

    pub fn call(&mut self, operation: &str, asked: Value) -> Answer {
        self.world.answer("elbv2", operation, &asked)
    }

    /// The answer; the call succeeds.
    pub fn ok(&mut self, operation: &str, asked: Value) -> Value {
        let answer = self.call(operation, asked.clone());
        answer.unwrap_or_else(|refusal| panic!("{operation} {asked}: {refusal}"))
    }

    /// The code of a call that is refused, or `ok`.
    pub fn code(&mut self, operation: &str, asked: Value) -> String {
        self.call(operation, asked).map_or_else(|refusal| refusal.code, |_| "ok".to_owned())
    }

    pub fn pass(&mut self, seconds: i64) {
        let now = self.world.now() + SignedDuration::from_secs(seconds);
        self.world.advance(now);
    }

    fn name(&mut self) -> String {
        self.made += 1;
        format!("made-{}", self.made)
    }

    /// The ARN of a new load balancer.
    pub fn balancer(&mut self, kind: &str) -> String {
        let asked = json!({ "Name": self.name(), "Type": kind, "Subnets": ["subnet-1", "subnet-2"] });
        arn(&self.ok("CreateLoadBalancer", asked)["LoadBalancers"][0], "LoadBalancerArn")
    }

    /// The ARN of a new target group of the protocol.
    pub fn group(&mut self, protocol: &str) -> String {
        let asked =
            json!({ "Name": self.name(), "Protocol": protocol, "Port": "80", "VpcId": "vpc-1", "TargetType": "ip" });
        arn(&self.ok("CreateTargetGroup", asked)["TargetGroups"][0], "TargetGroupArn")
    }

    /// The ARN of a new listener that answers 404.
    pub fn listener(&mut self, balancer: &str, port: i64) -> String {
        let asked =
            json!({ "LoadBalancerArn": balancer, "Protocol": "HTTP", "Port": port, "DefaultActions": [not_found()] });
        arn(&self.ok("CreateListener", asked)["Listeners"][0], "ListenerArn")
    }

    /// The ARN of a new rule that answers 404.
    pub fn rule(&mut self, listener: &str, priority: i64) -> String {
        let asked = rule(listener, &priority.to_string(), json!({}));
        arn(&self.ok("CreateRule", asked)["Rules"][0], "RuleArn")
    }
}

/// A request for a rule with a host of its own.
pub fn rule(listener: &str, priority: &str, changes: Value) -> Value {
    let mut asked = json!({
        "ListenerArn": listener, "Priority": priority, "Actions": [not_found()],
        "Conditions": [{ "Field": "host-header", "Values": [format!("h{priority}.example.com")] }],
    });
    for (name, value) in changes.as_object().into_iter().flatten() {
        asked[name] = value.clone();
    }
    asked
}

pub fn not_found() -> Value {
    json!({ "Type": "fixed-response", "FixedResponseConfig": { "StatusCode": "404" } })
}

pub fn forward(group: &str) -> Value {
    json!({ "Type": "forward", "TargetGroupArn": group })
}

pub fn arn(document: &Value, name: &str) -> String {
    document[name].as_str().unwrap_or_default().to_owned()
}
