//! `driftless healthcheck`: for containers that have no curl.

use super::Exit;
use anyhow::Context;
use clap::Args;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// ECS gives a container health check 5 s by default (HealthCheck, timeout).
const LIMIT: Duration = Duration::from_secs(4);

#[derive(Debug, Args)]
pub struct Options {
    /// Where the daemon listens
    #[arg(long, env = "DRIFTLESS_HTTP__LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    address: String,
}

pub async fn run(options: Options) -> anyhow::Result<Exit> {
    // The wildcard address is listened on, and not to be connected to.
    let address = options.address.replace("0.0.0.0:", "127.0.0.1:").replace("[::]:", "[::1]:");
    let answer = tokio::time::timeout(LIMIT, ask(&address)).await.context("no answer in time")?;
    let answer = answer.with_context(|| format!("{address} does not answer"))?;
    if answer.starts_with("HTTP/1.1 200") {
        return Ok(Exit::Ok);
    }
    anyhow::bail!("not alive: {}", answer.lines().next().unwrap_or("an empty answer"));
}

async fn ask(address: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
    let mut answer = Vec::new();
    stream.take(4096).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
