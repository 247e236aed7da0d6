//! `driftless demo`: an AWS account in memory, a git repository, the daemon and its page; or the account alone.

mod prepared;
mod repository;
mod steps;

use super::{Exit, run as running};
use crate::aws::transport::Transport;
use crate::core::shell;
use crate::daemon::{self, Surroundings};
use crate::settings::Settings;
use crate::sim::{Account, Options as AccountOptions, serve};
use anyhow::Context;
use clap::Args;
use repository::Demo;
use serde_json::json;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// The account of the demo: the one of the example system.
const ACCOUNT: &str = "620197346831";
const REGION: &str = "us-east-1";
/// A rolling update takes about two minutes in AWS, of which nobody wants to watch more than some seconds.
const SPEED: f64 = 20.0;
/// The account alone is as fast as AWS.
const SPEED_ALONE: f64 = 1.0;

#[derive(Debug, Args)]
pub struct Options {
    /// The port of the page on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 0, value_name = "PORT")]
    port: u16,
    /// Serves only the account, on this port of 127.0.0.1, for the AWS CLI, Terraform and every SDK; 0 takes a free one
    #[arg(long, value_name = "PORT", conflicts_with = "port")]
    endpoint_only: Option<u16>,
    /// How many seconds of the account pass in one second [default: 20, with --endpoint-only 1]
    #[arg(long, value_name = "N")]
    speed: Option<f64>,
    /// What is logged, as in "info,driftless=debug"
    #[arg(long, default_value = "warn")]
    log: String,
}

pub async fn run(options: Options) -> anyhow::Result<Exit> {
    if let Some(speed) = options.speed {
        anyhow::ensure!(speed > 0.0 && speed.is_finite(), "--speed must be above 0");
    }
    running::start_log(&options.log, Some(running::LogFormat::Text))?;
    let stop = CancellationToken::new();
    running::stop_on_signals(&stop)?;
    match options.endpoint_only {
        Some(port) => endpoint(port, options.speed.unwrap_or(SPEED_ALONE), stop).await?,
        None => demo(options.port, options.speed.unwrap_or(SPEED), stop).await?,
    }
    Ok(Exit::Ok)
}

/// The account alone, empty.
async fn endpoint(port: u16, speed: f64, stop: CancellationToken) -> anyhow::Result<()> {
    let account = Account::new(AccountOptions { speed, ..AccountOptions::default() });
    let listener = serve::bind(port).await.with_context(|| format!("cannot listen on 127.0.0.1:{port}"))?;
    println!("http://{}/", listener.local_addr()?);
    eprintln!("An empty AWS account, 123456789012 in us-east-1, gone with Ctrl-C. In another terminal:");
    eprintln!("  export AWS_ENDPOINT_URL=http://{}", listener.local_addr()?);
    eprintln!(
        "  export AWS_ACCESS_KEY_ID=demo AWS_SECRET_ACCESS_KEY=demo AWS_REGION={REGION} AWS_DEFAULT_REGION={REGION}"
    );
    eprintln!("  aws ecs create-cluster --cluster-name prod");
    serve::serve(account, listener, stop).await;
    Ok(())
}

async fn demo(port: u16, speed: f64, stop: CancellationToken) -> anyhow::Result<()> {
    let folder = tempfile::Builder::new().prefix("driftless-demo-").tempdir();
    let folder = folder.context("no temporary folder can be made")?;
    let account = Account::new(AccountOptions {
        account: ACCOUNT.to_owned(),
        region: REGION.to_owned(),
        speed,
        ..AccountOptions::default()
    });
    prepared::prepare(&account).context("the simulated account refused its preparation")?;
    let demo = Demo::create(&folder.path().join("repository"), account.clone())?;
    let endpoint = serve::bind(0).await.context("no port is free on 127.0.0.1")?;
    let endpoint_address = endpoint.local_addr()?;
    let served = tokio::spawn(serve::serve(account.clone(), endpoint, stop.clone()));
    // The page's commands name its port, so that it is taken before they are written.
    let page = serve::bind(port).await.with_context(|| format!("cannot listen on 127.0.0.1:{port}"))?;
    let address = page.local_addr()?;
    drop(page);
    let demo = Arc::new(demo);
    let surroundings = Surroundings {
        transport: Some(transport(account)),
        panel: Some(steps::panel(demo.clone(), address)),
        ..Surroundings::default()
    };
    let settings = settings(folder.path(), address)?;
    daemon::run(settings, surroundings, stop, |address| introduce(address, endpoint_address, &demo)).await?;
    served.await.context("the simulated account ended early")?;
    Ok(())
}

/// Requests of the daemon's SDK go straight into the account.
fn transport(account: Account) -> Transport {
    Transport::new(Arc::new(move |request| {
        let account = account.clone();
        Box::pin(async move { account.answer(request).await.map_err(Into::into) })
    }))
}

/// Made here, so that no variable of the environment changes them.
fn settings(folder: &Path, address: SocketAddr) -> anyhow::Result<Settings> {
    let settings = json!({
        "sources": [{
            "name": "demo", "url": folder.join("repository"), "ref": { "branch": "main" }, "path": repository::ENVIRONMENT,
            "interval": "1s", "driftInterval": "1s",
        }],
        "http": { "listen": address },
        "state": { "path": folder.join("state") },
        "aws": { "share": 1.0 },
    });
    serde_json::from_value(settings).context("the demo's settings")
}

fn introduce(page: SocketAddr, endpoint: SocketAddr, demo: &Demo) {
    let place = shell::place(demo.folder().to_str(), None, repository::ENVIRONMENT);
    println!("http://{page}/");
    eprintln!();
    eprintln!("The page has a button for each of these; the commands do the same:");
    for (at, step) in steps::steps(page).iter().enumerate() {
        eprintln!("  {}. {:<46} {}", at + 1, step.title, step.command);
    }
    eprintln!();
    eprintln!("Or commit to {} yourself,", demo.folder().display());
    eprintln!("or, in another terminal, ask and act as a person with an account would:");
    eprintln!("  export AWS_ENDPOINT_URL=http://{endpoint}");
    eprintln!(
        "  export AWS_ACCESS_KEY_ID=demo AWS_SECRET_ACCESS_KEY=demo AWS_REGION={REGION} AWS_DEFAULT_REGION={REGION}"
    );
    eprintln!("  driftless status --address {page}");
    eprintln!("  driftless history prod-api --address {page}");
    eprintln!("  driftless rollback prod-api --reason 500s --address {page} {place}");
    eprintln!("  aws ecs list-services --cluster prod-convergence-website");
    eprintln!();
    eprintln!("Everything is on this machine and in memory. Ctrl-C removes all of it.");
}
