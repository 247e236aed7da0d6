//! Stories of the five example systems: what the teams' own documents wished for, told with their own files on the simulated
//! account. What changes is what a team commits.

mod connections;
mod convergence_website;
mod messenger;
mod phoenix;
mod windingtree;

use crate::support::simulated::{self, Served};
use crate::support::told;
use crate::support::{Output, Page, Repository, Simulated, driftless_with};
use driftless::sim::world::ecs::images::Behaviour;
use driftless::sim::world::names;
use driftless::sim::{Account, Options};
use serde_json::{Value, json};
use std::sync::Arc;

/// How much faster than ours the account's time runs.
const SPEED: f64 = 150.0;

/// An example's account, filled with what others have made: cluster, load balancer, what is in `more`.
struct Stage {
    account: Account,
    repository: Repository,
    cluster: &'static str,
    registry: String,
    served: Served,
}

impl Stage {
    fn new(
        repository: Repository,
        (number, region): (&str, &str),
        (cluster, balancer): (&'static str, &str),
        more: &[(&'static str, &str, Value)],
    ) -> Self {
        let account = simulated::account_in(Options {
            account: number.to_owned(),
            region: region.to_owned(),
            speed: SPEED,
            ..Options::default()
        });
        let subnets = json!(["subnet-0a1b2c3d4e5f60001", "subnet-0a1b2c3d4e5f60002"]);
        account.call("ecs", "CreateCluster", json!({ "clusterName": cluster })).unwrap();
        account.call("elbv2", "CreateLoadBalancer", json!({ "Name": balancer, "Subnets": subnets })).unwrap();
        for (service, operation, input) in more {
            account.call(service, operation, input.clone()).unwrap();
        }
        let registry = format!("{number}.dkr.ecr.{region}.amazonaws.com");
        let served = Served::start(&account);
        Self { account, repository, cluster, registry, served }
    }

    /// Follows a branch, a tag or a range of versions.
    fn follow(&self, reference: &Value) -> Simulated {
        let state = Arc::new(tempfile::tempdir().unwrap());
        Simulated::follow(state, self.account.clone(), &self.repository, reference)
    }

    /// The build pushes an image; it is another one with each letter.
    fn push(&self, repository: &str, tag: &str, letter: char) {
        self.account.world(|world| names::push(world, repository, tag, &digest(letter)));
    }

    /// An image does this when it runs.
    fn does(&self, image: &str, behaviour: Behaviour) {
        let image = format!("{}/{image}", self.registry);
        self.account.world(|world| world.ecs.images.set(&image, behaviour));
    }

    /// Writes of a service since the ledger had so many entries, `OPERATION COUNT`.
    fn writes(&self, daemon: &Simulated, service: &str, since: usize) -> Vec<String> {
        told::writes(daemon, service, since).iter().map(|(operation, count)| format!("{operation} {count}")).collect()
    }

    fn rows(&self, daemon: &Simulated, service: &str) -> Vec<String> {
        told::rows(daemon, self.cluster, service)
    }

    /// Waits until the newest row has ended, and gives all.
    #[track_caller]
    fn ended_rows(&self, daemon: &Simulated, service: &str) -> Vec<String> {
        let ended = |row: &String| row.split(' ').nth(1) != Some("-");
        daemon.wait_until("its newest row has ended", |_| self.rows(daemon, service).first().is_some_and(ended));
        self.rows(daemon, service)
    }

    /// How many entries the ledger has.
    fn mark(&self) -> usize {
        self.account.ledger().len()
    }

    /// A command, with where the repository is.
    fn command(&self, arguments: &[&str]) -> Output {
        let path = self.repository.path().display().to_string();
        driftless_with(&self.served.env, &[arguments, &["--repo", &path, "--path", "env"]].concat())
    }

    /// The service as ECS has it.
    fn live(&self, service: &str) -> Value {
        let input = json!({ "cluster": self.cluster, "services": [service] });
        self.account.call("ecs", "DescribeServices", input).unwrap()["services"][0].clone()
    }

    /// The weights with which a listener forwards a host's requests, by the names of the target groups.
    fn weights(&self, port: u64, host: &str) -> Vec<(String, i64)> {
        let of = |operation: &str, input: Value| self.account.call("elbv2", operation, input).unwrap();
        let balancers = of("DescribeLoadBalancers", json!({}));
        let balancer = &balancers["LoadBalancers"][0]["LoadBalancerArn"];
        let listeners = of("DescribeListeners", json!({ "LoadBalancerArn": balancer }));
        let listener = listeners["Listeners"].as_array().unwrap().iter().find(|l| l["Port"] == port).unwrap();
        let rules = of("DescribeRules", json!({ "ListenerArn": listener["ListenerArn"] }));
        let for_host = |rule: &&Value| rule["Conditions"].to_string().contains(host);
        let rule = rules["Rules"].as_array().unwrap().iter().find(for_host).expect("a rule for the host");
        let groups = rule["Actions"][0]["ForwardConfig"]["TargetGroups"].as_array().unwrap();
        let weight = |group: &Value| {
            let name = group["TargetGroupArn"].as_str()?.split('/').nth(1)?.to_owned();
            Some((name, group["Weight"].as_i64().unwrap_or(1)))
        };
        groups.iter().filter_map(weight).collect()
    }
}

fn digest(letter: char) -> String {
    format!("sha256:{}", String::from(letter).repeat(64))
}

/// Whether a service is live with this image, whatever its registry.
fn is_live(service: &Value, image: &str) -> bool {
    service["state"] == "live" && runs(service, image)
}

fn runs(service: &Value, image: &str) -> bool {
    service["images"][0].as_str().is_some_and(|runs| runs.ends_with(&format!("/{image}")))
}

fn reason(service: &Value) -> &str {
    service["reason"].as_str().unwrap_or_default()
}

/// It exits with an error a second after its start.
fn crashes() -> Behaviour {
    Behaviour { exits: Some((1.0, 1)), ..Behaviour::default() }
}
