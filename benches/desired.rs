//! How fast desired state is read and planned: `cargo bench`.
//!
//! Prints files per second, the time to plan 1,000 services from memory, and the peak memory of the process. Reading is
//! given as a ratio to a plain JSON parse of the same bytes in the same run, because absolute times depend on the machine.

use driftless::aws::{live, tables, wire};
use driftless::core::desired::{self, Context, Reading};
use driftless::core::id::{Arn, Kind, RepoPath, ResourceId, Revision};
use driftless::core::observed::{Facts, Live, Observed, Snapshot};
use driftless::core::plan::{Inputs, Planned, Policy, plan};
use driftless::core::source::Commit;
use driftless::kind::KINDS;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

const SERVICES: usize = 1_000;
const ROUNDS: usize = 7;
const ACCOUNT: &str = "arn:aws:ecs:us-east-1:620197346831";

type Files = BTreeMap<RepoPath, Arc<str>>;

fn files() -> Files {
    let environment = "environment: prod\naccount: \"620197346831\"\nregion: us-east-1\ncluster: prod\nvariables: { registry: 620197346831.dkr.ecr.us-east-1.amazonaws.com }\n";
    let mut files = Files::from([(RepoPath::new("environment.yaml"), environment.into())]);
    for n in 0..SERVICES {
        let service = format!(
            "name: service-{n}\ntaskDefinition: service-{n}.task.json\ncontainers:\n  api:\n    image: ${{registry}}/service-{n}:2.1.0\n    environment: {{ LOG_LEVEL: info }}\nservice:\n  launchType: FARGATE\n  desiredCount: 2\n  healthCheckGracePeriodSeconds: 300\n  networkConfiguration: {{ awsvpcConfiguration: {{ subnets: [subnet-a, subnet-b], securityGroups: [sg-1] }} }}\n  deploymentConfiguration: {{ minimumHealthyPercent: 100, maximumPercent: 200, deploymentCircuitBreaker: {{ enable: true, rollback: true }} }}\n"
        );
        files.insert(RepoPath::new(format!("services/service-{n}.yaml")), service.into());
        let task = json!({
            "family": format!("service-{n}"), "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"],
            "cpu": "256", "memory": "512",
            "containerDefinitions": [{
                "name": "api", "image": "service:1", "portMappings": [{ "containerPort": 8080 }],
                "environment": (0..10).map(|v| json!({ "name": format!("VARIABLE_{v}"), "value": format!("value {v}") })).collect::<Vec<_>>(),
                "logConfiguration": { "logDriver": "awslogs", "options": { "awslogs-group": "/ecs/prod", "awslogs-region": "us-east-1" } },
            }],
        });
        files.insert(RepoPath::new(format!("services/service-{n}.task.json")), format!("{task:#}").into());
    }
    files
}

fn read(files: &Files, before: Option<&Reading>) -> Reading {
    let (shapes, env, root) = (tables::shapes(), BTreeMap::new(), RepoPath::new(""));
    let commit = commit();
    desired::read(files, &Context { root: &root, commit: Some(&commit), shapes: &shapes, env: &env }, before)
}

fn commit() -> Commit {
    Commit {
        revision: Revision::new("8f3c2a1bd0e95210c6a1f4e7d2b3a4958677fedc"),
        branch: Some("main".into()),
        tag: None,
        subject: "benchmark".into(),
        author: "nobody".into(),
        committed_at: Timestamp::UNIX_EPOCH,
    }
}

/// What AWS would answer for every service, in AWS's own form.
fn snapshot(reading: &Reading) -> Snapshot {
    let mut snapshot = Snapshot::new(Timestamp::UNIX_EPOCH);
    let present = |live: Live| Observed::Present(Arc::new(live));
    for (n, declared) in reading.desired.iter().flat_map(|desired| desired.services.values()).enumerate() {
        let Some(workload) = &declared.workload else { continue };
        let revision = format!("{ACCOUNT}:task-definition/{}:7", workload.family);
        let mut document = workload.task_definition.to_value();
        document["taskDefinitionArn"] = json!(revision);
        document["status"] = json!("ACTIVE");
        let definition = wire::decode(&document).unwrap_or_else(|wrong| panic!("{wrong:?}"));
        let id = ResourceId::new(Kind::TaskDefinitionRevision, revision.as_str());
        snapshot.set(id, present(live::task_definition(&definition, &[])));
        let mut service = workload.service.to_value();
        let rest = json!({
            "serviceArn": format!("{ACCOUNT}:service/prod/{}", declared.name), "serviceName": declared.name.as_str(),
            "clusterArn": format!("{ACCOUNT}:cluster/prod"), "status": "ACTIVE", "runningCount": 2, "pendingCount": 0,
            "taskDefinition": revision,
            "deployments": [{ "id": format!("ecs-svc/{n}"), "status": "PRIMARY", "taskDefinition": revision, "desiredCount": 2,
                "pendingCount": 0, "runningCount": 2, "failedTasks": 0, "rolloutState": "COMPLETED" }],
        });
        if let (Value::Object(service), Value::Object(rest)) = (&mut service, rest) {
            service.extend(rest);
        }
        let service = wire::decode(&service).unwrap_or_else(|wrong| panic!("{wrong:?}"));
        snapshot.set(ResourceId::new(Kind::Service, declared.name.as_str()), present(live::service(&service)));
        let family = Live { facts: Facts::Family(vec![Arn::new(revision)]), ..Live::default() };
        snapshot.set(ResourceId::new(Kind::TaskDefinitionFamily, workload.family.as_str()), present(family));
    }
    snapshot
}

/// The median of several runs.
fn median<T>(mut run: impl FnMut() -> T) -> Duration {
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let began = Instant::now();
            black_box(run());
            began.elapsed()
        })
        .collect();
    times.sort();
    times[ROUNDS / 2]
}

/// The peak resident size in MiB (Linux).
fn peak_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? / 1024)
}

fn main() {
    let files = files();
    let bytes: usize = files.values().map(|text| text.len()).sum();
    // The same bytes as JSON: each text as one JSON value of the same content.
    let jsons: Vec<String> = files.values().map(|text| Value::String(text.to_string()).to_string()).collect();
    let documents: Vec<String> = files
        .iter()
        .filter(|(path, _)| path.as_str().ends_with(".json"))
        .map(|(_, text)| text.to_string())
        .chain(files.iter().filter(|(path, _)| path.as_str().ends_with(".yaml")).map(|(path, text)| {
            let node = driftless::core::document::read::read(path, text).unwrap_or_else(|problem| panic!("{problem}"));
            node.to_value().to_string()
        }))
        .collect();
    let parse = median(|| {
        documents
            .iter()
            .map(|text| serde_json::from_str::<Value>(text).map_or(0, |v| v.to_string().len()))
            .sum::<usize>()
    });
    black_box(jsons);
    let reading = read(&files, None);
    assert!(reading.is_valid(), "{:?}", reading.problems.first());
    let cold = median(|| read(&files, None));
    let warm = median(|| read(&files, Some(&reading)));
    let snapshot = snapshot(&reading);
    let Some(desired) = &reading.desired else { panic!("nothing was read") };
    let (shapes, memory) = (tables::shapes(), BTreeMap::new());
    let inputs = Inputs {
        desired,
        revision: None,
        snapshot: &snapshot,
        shapes: &shapes,
        policy: Policy::default(),
        memory: &memory,
        kinds: KINDS,
        rolled_back: &BTreeMap::new(),
        now: Timestamp::UNIX_EPOCH,
    };
    let Planned::Plan(first) = plan(&inputs, None) else { panic!("the plan lacks something") };
    assert!(!first.has_changes(), "{:?}", first.services.iter().find(|service| !service.is_in_sync()));
    let planning = median(|| plan(&inputs, None));
    let per_second = files.len() as f64 / cold.as_secs_f64();
    println!("services {SERVICES}, files {}, {} KiB", files.len(), bytes / 1024);
    println!("plain JSON parse and print of the same content  {parse:>10.2?}  1.0");
    println!(
        "read, parse, validate, all files                {cold:>10.2?}  {:.1}  ({per_second:.0} files/s)",
        cold.as_secs_f64() / parse.as_secs_f64()
    );
    println!(
        "the same when nothing changed                   {warm:>10.2?}  {:.1}",
        warm.as_secs_f64() / parse.as_secs_f64()
    );
    println!(
        "plan {SERVICES} services from memory, in sync       {planning:>10.2?}  {:.1}",
        planning.as_secs_f64() / parse.as_secs_f64()
    );
    println!("peak memory {} MiB", peak_mib().map_or_else(|| "?".into(), |mib| mib.to_string()));
}
