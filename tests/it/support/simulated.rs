//! The daemon in this process, on a simulated account: no socket between them, and every request in its ledger.

use super::{Page, Repository};
use driftless::aws::transport::Transport;
use driftless::daemon::{self, Surroundings};
use driftless::settings::Settings;
use driftless::sim::ledger::Entry;
use driftless::sim::world::names;
use driftless::sim::{Account, Options, serve};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How much faster than in the real world the daemon looks, waits and asks: the account's time runs faster still.
const SPEED: f64 = 4.0;
/// How long the daemon may take to listen.
const START_LIMIT: Duration = Duration::from_secs(20);

/// A daemon that follows `env` of a repository, on a simulated account.
pub struct Simulated {
    /// The account.
    pub account: Account,
    address: String,
    stop: CancellationToken,
    daemon: Option<JoinHandle<anyhow::Result<()>>>,
    _state: Arc<tempfile::TempDir>,
}

/// Requests go straight into the account.
pub fn transport(account: &Account) -> Transport {
    let account = account.clone();
    Transport::new(Arc::new(move |request| {
        let account = account.clone();
        Box::pin(async move { account.answer(request).await.map_err(Into::into) })
    }))
}

/// An account whose time runs fast.
pub fn account(number: &str, speed: f64) -> Account {
    account_in(Options { account: number.to_owned(), speed, ..Options::default() })
}

/// An account with these options.
pub fn account_in(options: Options) -> Account {
    // Its clock is tokio's.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _inside = runtime.enter();
    Account::new(options)
}

/// An account with what an example refers to and others have made: cluster, load balancer, secrets, images.
pub fn of_example(name: &str, speed: f64) -> Account {
    type Made = &'static [(&'static str, &'static str, &'static str)];
    let (number, region, cluster, balancer, made, images): (_, _, _, _, Made, &[(&str, &str)]) = match name {
        "convergence-website" => (
            "620197346831",
            "us-east-1",
            "prod-convergence-website",
            "convergence-website",
            &[
                ("discovery", "CreatePrivateDnsNamespace", r#"{ "Name": "local", "Vpc": "vpc-0a1b2c3d4e5f60001" }"#),
                ("secretsmanager", "CreateSecret", r#"{ "Name": "prod/database-url", "SecretString": "never read" }"#),
            ],
            &[("convergence-prod-api", "2.1.0"), ("convergence-prod-app", "2.0.1")],
        ),
        "windingtree" => (
            "111122223333",
            "eu-west-1",
            "shared-docker-cluster-t3",
            "shared-docker-cluster-t3-alb",
            &[(
                "ssm",
                "PutParameter",
                r#"{ "Name": "/playground/wt-demo-app/INFURA_API_KEY", "Value": "never read", "Type": "SecureString" }"#,
            )],
            &[("wt-demo-app", "v1.2.3-playground")],
        ),
        other => panic!("what {other} refers to is not written here"),
    };
    let (number, region) = (number.to_owned(), region.to_owned());
    let account = account_in(Options { account: number, region, speed, ..Options::default() });
    let subnets = json!(["subnet-0a1b2c3d4e5f60001", "subnet-0a1b2c3d4e5f60002"]);
    account.call("ecs", "CreateCluster", json!({ "clusterName": cluster })).unwrap();
    account.call("elbv2", "CreateLoadBalancer", json!({ "Name": balancer, "Subnets": subnets })).unwrap();
    for (service, operation, input) in made {
        account.call(service, operation, serde_json::from_str(input).unwrap()).unwrap();
    }
    for (repository, tag) in images {
        push(&account, repository, tag);
    }
    account
}

/// The build pushes an image; it is another one with each tag.
pub fn push(account: &Account, repository: &str, tag: &str) {
    let letters: String = tag.bytes().map(|byte| format!("{byte:02x}")).collect();
    account.world(|world| names::push(world, repository, tag, &format!("sha256:{letters:0<64.64}")));
}

/// An account on a port, for commands and the AWS CLI, until it is dropped.
pub struct Served {
    /// The variables that lead a command there.
    pub env: BTreeMap<String, String>,
    stop: CancellationToken,
    server: Option<JoinHandle<()>>,
}

impl Served {
    /// Serves an account.
    pub fn start(account: &Account) -> Self {
        let (account, stop) = (account.clone(), CancellationToken::new());
        let (told, listening) = mpsc::channel::<SocketAddr>();
        let stopped = stop.clone();
        let server = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = serve::bind(0).await.unwrap();
                told.send(listener.local_addr().unwrap()).unwrap();
                serve::serve(account, listener, stopped).await;
            });
        });
        let address = listening.recv_timeout(START_LIMIT).expect("the account is served");
        let env = [
            ("AWS_ENDPOINT_URL", format!("http://{address}")),
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ];
        Self { env: env.map(|(name, value)| (name.to_owned(), value)).into(), stop, server: Some(server) }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(server) = self.server.take() {
            let _ = server.join();
        }
    }
}

impl Simulated {
    /// Starts the daemon; returns when it listens.
    pub fn start(account: Account, repository: &Repository) -> Self {
        Self::start_in(Arc::new(tempfile::tempdir().unwrap()), account, repository)
    }

    /// The same with the state that another one has left.
    pub fn start_in(state: Arc<tempfile::TempDir>, account: Account, repository: &Repository) -> Self {
        Self::follow(state, account, repository, &json!({ "branch": "main" }))
    }

    /// The same with another reference than the branch `main`.
    pub fn follow(state: Arc<tempfile::TempDir>, account: Account, repository: &Repository, reference: &Value) -> Self {
        let settings = json!({
            "sources": [{
                "name": "test", "url": repository.path(), "ref": reference, "path": "env",
                "interval": "1s", "driftInterval": "1s",
            }],
            "http": { "listen": "127.0.0.1:0" },
            "state": { "path": state.path() },
            "aws": { "share": 1.0 },
        });
        let settings: Settings = serde_json::from_value(settings).unwrap();
        let (told, listening) = mpsc::channel::<SocketAddr>();
        let (stop, surroundings) = (
            CancellationToken::new(),
            Surroundings { transport: Some(transport(&account)), panel: None, speed: SPEED },
        );
        let stopped = stop.clone();
        let daemon = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(daemon::run(settings, surroundings, stopped, move |address| {
                let _ = told.send(address);
            }))
        });
        let address = listening.recv_timeout(START_LIMIT).expect("the daemon listens").to_string();
        Self { account, address, stop, daemon: Some(daemon), _state: state }
    }

    /// The daemon's requests so far that can change something.
    pub fn writes(&self) -> Vec<Entry> {
        self.account.ledger().into_iter().filter(Entry::writes).collect()
    }

    /// How many of the daemon's requests were of this operation and done.
    pub fn done(&self, operation: &str) -> usize {
        self.writes().iter().filter(|entry| entry.operation == operation && entry.status == 200).count()
    }
}

impl Page for Simulated {
    fn address(&self) -> &str {
        &self.address
    }

    fn log(&self) -> String {
        let line = |entry: &Entry| format!("{} {} {} {:?}\n", entry.at, entry.service, entry.operation, entry.code);
        self.writes().iter().map(line).collect()
    }
}

impl Drop for Simulated {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(daemon) = self.daemon.take() {
            let ended = daemon.join();
            if !std::thread::panicking() {
                ended.expect("the daemon does not panic").expect("the daemon ends well");
            }
        }
    }
}
