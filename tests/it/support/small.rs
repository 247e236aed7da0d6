//! A small environment for tests that need many services and little around them: Fargate, one container, no load
//! balancer. All rows of a table share one account and have each a service, a repository, a proxy and a daemon.

use super::{Account, Options, Repository};
use crate::proxy::Proxy;
use serde_json::{Value, json};
use std::collections::BTreeMap;
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

/// The image of the first commit. The emulator's containers do what the tag says: this one simply runs.
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

/// An account in which all of that can run.
pub fn account() -> Account {
    Account::start_for(&repository(&["any"]).environment())
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
    (proxy, Options { env, ..Options::default() })
}

/// A service as AWS has it.
pub fn live_service(account: &Account, name: &str) -> Value {
    account.aws(&["ecs", "describe-services", "--cluster", "small", "--services", name])["services"][0].clone()
}

/// The ACTIVE revisions of a family.
pub fn revisions(account: &Account, family: &str) -> usize {
    let listed = account.aws(&["ecs", "list-task-definitions", "--family-prefix", family, "--status", "ACTIVE"]);
    listed["taskDefinitionArns"].as_array().map_or(0, Vec::len)
}

/// What a service has come to, without what differs from run to run: two rows of a table that meant the same are equal.
pub fn end_state(account: &Account, name: &str) -> Value {
    let mut service = live_service(account, name);
    let arn = service["taskDefinition"].as_str().unwrap_or_default().to_owned();
    let mut definition = account.aws(&["ecs", "describe-task-definition", "--task-definition", &arn])["taskDefinition"].clone();
    let drop = |value: &mut Value, keys: &[&str]| {
        let map = value.as_object_mut().unwrap_or_else(|| panic!("{name} is not there"));
        keys.iter().for_each(|key| drop(map.remove(*key)));
    };
    let moving = ["events", "deployments", "createdAt", "taskDefinition", "currentServiceDeployment", "currentServiceRevisions"];
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
