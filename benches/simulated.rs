//! How many calls a second the simulated account answers in process: `cargo bench --bench simulated`.
//!
//! Each figure is given beside a floor of the same run: reading the same bytes of an answer as JSON, which is what any
//! client of AWS does at least.

use driftless::sim::{Account, Options};
use serde_json::{Value, json};
use std::hint::black_box;
use std::time::{Duration, Instant};

const SERVICES: usize = 1_000;
const ROUNDS: usize = 5;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let Ok(runtime) = runtime else { return eprintln!("no runtime") };
    runtime.block_on(async {
        let account = account();
        println!("{SERVICES} services");
        for (words, target, input) in [
            ("DescribeClusters", "DescribeClusters", json!({ "clusters": ["prod"] })),
            ("DescribeServices of one", "DescribeServices", json!({ "cluster": "prod", "services": ["service-7"] })),
            (
                "DescribeServices of ten",
                "DescribeServices",
                json!({ "cluster": "prod", "services": (0..10).map(|n| format!("service-{n}")).collect::<Vec<_>>() }),
            ),
            ("DescribeTaskDefinition", "DescribeTaskDefinition", json!({ "taskDefinition": "web" })),
        ] {
            measure(&account, words, target, &input).await;
        }
    });
}

fn account() -> Account {
    let account = Account::new(Options::default());
    let call = |operation: &str, input: Value| {
        if let Err(error) = account.call("ecs", operation, input) {
            panic!("{operation}: {error}");
        }
    };
    call("CreateCluster", json!({ "clusterName": "prod" }));
    let container = json!({ "name": "web", "image": "web:1", "portMappings": [{ "containerPort": 80 }] });
    call(
        "RegisterTaskDefinition",
        json!({
            "family": "web", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512",
            "containerDefinitions": [container],
        }),
    );
    let network = json!({ "awsvpcConfiguration": { "subnets": ["subnet-1"], "securityGroups": ["sg-1"] } });
    for n in 0..SERVICES {
        call(
            "CreateService",
            json!({
                "cluster": "prod", "serviceName": format!("service-{n}"), "taskDefinition": "web", "desiredCount": 2,
                "launchType": "FARGATE", "networkConfiguration": network,
            }),
        );
    }
    account
}

async fn measure(account: &Account, words: &str, operation: &str, input: &Value) {
    let mut best = (f64::MAX, f64::MAX);
    for _ in 0..ROUNDS {
        let (began, mut calls, mut bytes) = (Instant::now(), 0_u32, Vec::new());
        while began.elapsed() < Duration::from_millis(300) {
            let request = http::Request::builder()
                .uri("https://ecs.us-east-1.amazonaws.com/")
                .header("content-type", "application/x-amz-json-1.1")
                .header("x-amz-target", format!("AmazonEC2ContainerServiceV20141113.{operation}"))
                .body(input.to_string().into_bytes());
            let Ok(request) = request else { return eprintln!("no request") };
            match account.answer(request).await {
                Ok(answer) if answer.status() == 200 => bytes = answer.into_body(),
                other => panic!("{operation}: {other:?}"),
            }
            calls += 1;
        }
        let took = began.elapsed().as_secs_f64() / f64::from(calls);
        let (began, mut parses) = (Instant::now(), 0_u32);
        while began.elapsed() < Duration::from_millis(50) {
            let _ = black_box(serde_json::from_slice::<Value>(black_box(&bytes)));
            parses += 1;
        }
        let floor = began.elapsed().as_secs_f64() / f64::from(parses);
        best = (best.0.min(took), best.1.min(floor));
    }
    let (took, floor) = best;
    println!("{words:28} {:>9.0} calls/s, {:>5.1} x the time of reading its answer", 1.0 / took, took / floor);
}
