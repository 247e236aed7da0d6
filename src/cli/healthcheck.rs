//! `driftless healthcheck`: for containers that have no curl.

use super::{Exit, ask};
use anyhow::Context;
use clap::Args;
use std::time::Duration;

/// ECS gives a container health check 5 s by default (HealthCheck, timeout).
const LIMIT: Duration = Duration::from_secs(4);

/// What it answers is one line.
const ANSWER_BYTES_MAX: u64 = 4096;

#[derive(Debug, Args)]
pub struct Options {
    /// Where the daemon listens
    #[arg(long, env = "DRIFTLESS_HTTP__LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    address: String,
}

pub async fn run(options: Options) -> anyhow::Result<Exit> {
    let answer = tokio::time::timeout(LIMIT, ask::get(&options.address, "/livez", ANSWER_BYTES_MAX)).await;
    let answer = answer.context("no answer in time")??;
    if answer.code == 200 {
        return Ok(Exit::Ok);
    }
    anyhow::bail!("not alive: {}", answer.status);
}
