//! AWS's request rates: token buckets that refill all the time.
//!
//! ECS: API Reference, "Request throttling for the Amazon ECS API". ELBv2: "Request throttling" of the API Reference: one
//! bucket of the account over all actions, and inside it one a group of actions. CloudWatch: "CloudWatch service quotas".
//! The others publish none.

use jiff::Timestamp;
use std::collections::BTreeMap;

/// Tokens at most, and tokens a second.
type Rate = (f64, f64);

/// The buckets that one call takes a token of; all have to have one.
fn buckets(service: &str, operation: &str) -> Vec<(&'static str, Rate)> {
    match service {
        "ecs" => vec![ecs(operation)],
        "elbv2" => vec![("elb account", (40.0, 10.0)), elbv2(operation)],
        "cloudwatch" if operation == "DescribeAlarms" => vec![("cloudwatch describe alarms", (9.0, 9.0))],
        "cloudwatch" if operation == "PutMetricAlarm" => vec![("cloudwatch put alarm", (3.0, 3.0))],
        _ => Vec::new(),
    }
}

fn ecs(operation: &str) -> (&'static str, Rate) {
    match operation {
        "CreateCluster" | "UpdateCluster" | "DeleteCluster" => ("cluster modify", (20.0, 1.0)),
        "DescribeClusters" | "ListClusters" => ("cluster read", (50.0, 20.0)),
        "RegisterTaskDefinition" | "DeregisterTaskDefinition" => ("task definition modify", (20.0, 1.0)),
        "DeleteTaskDefinitions" => ("task definition delete", (5.0, 1.0)),
        "DescribeTaskDefinition" | "ListTaskDefinitions" | "ListTaskDefinitionFamilies" => {
            ("task definition read", (50.0, 20.0))
        }
        "TagResource" | "UntagResource" => ("tag modify", (20.0, 10.0)),
        "ListTagsForResource" => ("tag read", (50.0, 20.0)),
        "RunTask" | "StartTask" | "StopTask" => ("cluster resource modify", (100.0, 40.0)),
        "ListTasks" | "DescribeTasks" => ("cluster resource read", (100.0, 20.0)),
        "CreateService" | "UpdateService" | "DeleteService" => ("service modify", (50.0, 5.0)),
        "DescribeServices" | "ListServices" => ("service read", (100.0, 20.0)),
        "ListServiceDeployments"
        | "DescribeServiceDeployments"
        | "StopServiceDeployment"
        | "ContinueServiceDeployment" => ("service deployments", (50.0, 20.0)),
        "DescribeServiceRevisions" => ("service revisions", (50.0, 20.0)),
        _ => ("ecs other", (20.0, 10.0)),
    }
}

fn elbv2(operation: &str) -> (&'static str, Rate) {
    match operation {
        "RegisterTargets" | "DeregisterTargets" => ("elb targets", (20.0, 4.0)),
        "CreateLoadBalancer" | "SetSubnets" => ("elb create load balancer", (10.0, 0.2)),
        _ if operation.starts_with("Describe") => ("elb describe", (40.0, 10.0)),
        _ => ("elb mutating", (20.0, 3.0)),
    }
}

/// The buckets of one account and region.
#[derive(Debug, Clone, Default)]
pub struct Rates {
    filled: BTreeMap<&'static str, (f64, Timestamp)>,
}

impl Rates {
    /// Takes a token of every bucket of this call; false, and takes none, when one is empty.
    pub fn admit(&mut self, service: &str, operation: &str, now: Timestamp) -> bool {
        let buckets = buckets(service, operation);
        for (name, (burst, rate)) in &buckets {
            let (tokens, at) = self.filled.entry(name).or_insert((*burst, now));
            let passed = now.duration_since(*at).as_secs_f64().max(0.0);
            (*tokens, *at) = ((*tokens + passed * rate).min(*burst), now);
        }
        let has = |name: &&str| self.filled.get(*name).is_some_and(|(tokens, _)| *tokens >= 1.0);
        if !buckets.iter().all(|(name, _)| has(name)) {
            return false;
        }
        for (name, _) in &buckets {
            if let Some((tokens, _)) = self.filled.get_mut(name) {
                *tokens -= 1.0;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_and_refills() {
        let (mut rates, start) = (Rates::default(), Timestamp::UNIX_EPOCH);
        let admitted = (0..60).filter(|_| rates.admit("ecs", "UpdateService", start)).count();
        assert_eq!(admitted, 50);
        let later = start + jiff::SignedDuration::from_secs(2);
        let admitted = (0..60).filter(|_| rates.admit("ecs", "UpdateService", later)).count();
        assert_eq!(admitted, 10, "5 a second");
    }

    #[test]
    fn the_account_wide_bucket_of_load_balancing_is_shared() {
        let (mut rates, start) = (Rates::default(), Timestamp::UNIX_EPOCH);
        assert_eq!((0..30).filter(|_| rates.admit("elbv2", "ModifyRule", start)).count(), 20);
        assert_eq!((0..30).filter(|_| rates.admit("elbv2", "DescribeRules", start)).count(), 20);
    }
}
