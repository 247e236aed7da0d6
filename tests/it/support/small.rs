//! A small environment for tests that need many services and little around them: Fargate, one container, no load
//! balancer. All rows of a table share one account and have each a service, a repository, a proxy and a daemon.

use super::{Account, Options, Repository, simulated};
use crate::proxy::Proxy;
use driftless::core::plan::APPLIED_TAG;
use driftless::sim;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;

/// environment.yaml.
pub const ENVIRONMENT: &str = "\
environment: small
account: \"123456789012\"
region: us-east-1
cluster: small
defaults:
  service:
    launchType: FARGATE
    networkConfiguration: { awsvpcConfiguration: { subnets: [subnet-0a1b2c3d4e5f60001], securityGroups: [sg-0a1b2c3d4e5f60001] } }
";

/// Behind [`ENVIRONMENT`]: drift is corrected at once, and there is a load balancer with one listener.
const BALANCER: &str = "  sync: { minInterval: 0s }
loadBalancers:
  lb:
    listeners:
      - port: 80
        protocol: HTTP
        defaultActions: [{ type: fixed-response, fixedResponseConfig: { statusCode: \"404\" } }]
";

/// environment.yaml with a load balancer.
pub fn balanced_environment() -> String {
    format!("{ENVIRONMENT}{BALANCER}")
}

/// A simulated account with the cluster and the load balancer of it.
pub fn balanced(speed: f64) -> driftless::sim::Account {
    let account = super::simulated::account("123456789012", speed);
    account.call("ecs", "CreateCluster", json!({ "clusterName": "small" })).unwrap();
    let subnets = json!(["subnet-0a1b2c3d4e5f60001", "subnet-0a1b2c3d4e5f60002"]);
    account.call("elbv2", "CreateLoadBalancer", json!({ "Name": "lb", "Subnets": subnets })).unwrap();
    account
}

/// The image of the first commit. Containers do what the tag says: this one simply runs.
pub const IMAGE: &str = "public.ecr.aws/small/web:1";
/// The image of the second commit.
pub const NEXT_IMAGE: &str = "public.ecr.aws/small/web:2";

/// A service file with an inline task definition.
pub fn service(name: &str) -> String {
    format!(
        "name: {name}\n\
         taskDefinition:\n  \
           family: {name}\n  networkMode: awsvpc\n  requiresCompatibilities: [FARGATE]\n  cpu: 256\n  memory: 512\n  \
           containerDefinitions:\n    \
             - {{ name: web, image: \"{IMAGE}\", portMappings: [{{ containerPort: 80 }}], environment: [{{ name: A, value: b }}] }}\n\
         service: {{ desiredCount: 2 }}\n\
         sync: {{ minInterval: 0s }}\n"
    )
}

/// How much faster than ours the account's time runs: a rollout takes a second or two.
const SPEED: f64 = 60.0;

/// A simulated account in which all of that can run, served on a port.
pub fn account() -> Account {
    account_with(|_| {})
}

/// The same with what `others` have made.
pub fn account_with(others: impl FnOnce(&sim::Account)) -> Account {
    let account = simulated::account("123456789012", SPEED);
    account.call("ecs", "CreateCluster", json!({ "clusterName": "small" })).unwrap();
    others(&account);
    Account::simulated(account)
}

/// The file of a service, below `env`.
pub fn file(name: &str) -> String {
    format!("services/{name}.yaml")
}

/// A repository with these services.
pub fn repository(names: &[&str]) -> Repository {
    let files: Vec<(String, String)> = names.iter().map(|name| (file(name), service(name))).collect();
    let mut files: Vec<(&str, &str)> = files.iter().map(|(file, text)| (file.as_str(), text.as_str())).collect();
    files.push(("environment.yaml", ENVIRONMENT));
    Repository::of_files(&files)
}

/// The proxy before an account, and the options that send a daemon through it.
pub fn behind_proxy(account: &Account) -> (Proxy, Options) {
    let proxy = Proxy::before(&account.env()["AWS_ENDPOINT_URL_ECS"], &account.env()["AWS_ENDPOINT_URL"]);
    let url = || proxy.url().to_owned();
    let env = BTreeMap::from([("AWS_ENDPOINT_URL".to_owned(), url()), ("AWS_ENDPOINT_URL_ECS".to_owned(), url())]);
    // Its rows share the account.
    (proxy, Options { env, among_others: true, ..Options::default() })
}

/// Asks ECS itself, past every proxy. The CLI does the same, and takes a second of a processor for it.
#[track_caller]
pub fn ecs(account: &Account, operation: &str, input: &Value) -> Value {
    let address = account.env()["AWS_ENDPOINT_URL_ECS"].trim_start_matches("http://").to_owned();
    let (body, who) = (input.to_string(), &account.env()["AWS_ACCESS_KEY_ID"]);
    let mut stream = TcpStream::connect(&address).unwrap();
    write!(
        stream,
        "POST / HTTP/1.0\r\nHost: {address}\r\nContent-Type: application/x-amz-json-1.1\r\n\
         X-Amz-Target: AmazonEC2ContainerServiceV20141113.{operation}\r\nUser-Agent: aws-cli/tests\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential={who}/20260101/us-east-1/ecs/aws4_request, Signature=0\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.lines().next().unwrap().contains(" 200"), "{operation}: {answer}");
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"))
}

/// A service as AWS has it.
pub fn live_service(account: &Account, name: &str) -> Value {
    let input = json!({ "cluster": "small", "services": [name], "include": ["TAGS"] });
    ecs(account, "DescribeServices", &input)["services"][0].clone()
}

/// The revision that a service is set to run.
pub fn running_definition(account: &Account, name: &str) -> Value {
    let arn = live_service(account, name)["taskDefinition"].clone();
    ecs(account, "DescribeTaskDefinition", &json!({ "taskDefinition": arn }))["taskDefinition"].clone()
}

/// The declaration that the service says it was brought up to date from.
pub fn applied_tag(account: &Account, name: &str) -> String {
    let service = live_service(account, name);
    let tag = service["tags"].as_array().into_iter().flatten().find(|tag| tag["key"] == APPLIED_TAG);
    tag.and_then(|tag| tag["value"].as_str()).unwrap_or_default().to_owned()
}

/// The ACTIVE revisions of a family.
pub fn revisions(account: &Account, family: &str) -> usize {
    let listed = ecs(account, "ListTaskDefinitions", &json!({ "familyPrefix": family, "status": "ACTIVE" }));
    listed["taskDefinitionArns"].as_array().map_or(0, Vec::len)
}

/// What a service has come to, without what differs from run to run: two rows of a table that meant the same are equal.
pub fn end_state(account: &Account, name: &str) -> Value {
    let (mut service, mut definition) = (live_service(account, name), running_definition(account, name));
    let drop = |value: &mut Value, keys: &[&str]| {
        let map = value.as_object_mut().unwrap_or_else(|| panic!("{name} is not there"));
        keys.iter().for_each(|key| drop(map.remove(*key)));
    };
    let moving = [
        "events",
        "deployments",
        "createdAt",
        "taskDefinition",
        "tags",
        "currentServiceDeployment",
        "currentServiceRevisions",
    ];
    drop(&mut service, &moving);
    drop(&mut definition, &["taskDefinitionArn", "revision", "registeredAt"]);
    let text = json!({ "service": service, "taskDefinition": definition }).to_string().replace(name, "NAME");
    serde_json::from_str(&text).unwrap()
}

/// Runs `row` for every index below `rows`, `at_once` of them at a time, and collects what went wrong, one text a row.
pub fn table(rows: usize, at_once: usize, row: impl Fn(usize) + Sync) -> Vec<usize> {
    let (next, failed) = (Mutex::new(0..rows), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                loop {
                    let Some(index) = next.lock().unwrap().next() else { return };
                    // A row that fails has said why; the others go on.
                    if std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| row(index))).is_err() {
                        failed.lock().unwrap().push(index);
                    }
                }
            });
        }
    });
    failed.into_inner().unwrap()
}
