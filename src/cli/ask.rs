//! Asks a running daemon over its own port, in plain HTTP.

use crate::core::act::Act;
use crate::core::history::Listed;
use anyhow::Context;
use serde::Deserialize;
use serde_json::Value;
use std::fmt::Write as _;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long the daemon may take; it gives up on its disk after 2 s.
const LIMIT: Duration = Duration::from_secs(10);
/// 200 rows, each with up to 50 changes of 400 characters, and room to spare.
const ANSWER_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// The most rows of a history that a daemon gives.
pub const ROWS_MAX: u16 = 200;

/// What a daemon answered.
pub struct Answer {
    /// The status code; 0 where it was no HTTP.
    pub code: u16,
    /// The first line.
    pub status: String,
    /// What follows the head.
    pub body: String,
}

/// GET of a path, of at most `bytes_max` bytes.
pub async fn get(address: &str, path: &str, bytes_max: u64) -> anyhow::Result<Answer> {
    // The wildcard address is listened on, and not to be connected to.
    let address = address.replace("0.0.0.0:", "127.0.0.1:").replace("[::]:", "[::1]:");
    let text = ask(&address, path, bytes_max).await.with_context(|| format!("{address} does not answer"))?;
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.lines().next().filter(|line| !line.is_empty()).unwrap_or("an empty answer").to_owned();
    let code = status.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1)?.parse().ok()).unwrap_or(0);
    Ok(Answer { code, status, body: body.to_owned() })
}

async fn ask(address: &str, path: &str, bytes_max: u64) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    // HTTP/1.0: the body ends with the connection.
    stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(bytes_max).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// What a daemon answers to GET of a path of its API.
pub async fn api(address: &str, path: &str) -> anyhow::Result<String> {
    let answer = tokio::time::timeout(LIMIT, get(address, path, ANSWER_BYTES_MAX)).await;
    let answer = answer.with_context(|| format!("{address} gives no answer in time"))??;
    if answer.code == 200 {
        return Ok(answer.body);
    }
    let detail = serde_json::from_str::<Value>(&answer.body).ok();
    let detail = detail.as_ref().and_then(|problem| problem["detail"].as_str()).unwrap_or(&answer.status);
    anyhow::bail!("{address}: {detail}")
}

/// The same error, with what to do where nobody listens.
pub fn unanswered(error: anyhow::Error) -> anyhow::Error {
    match error.downcast_ref::<std::io::Error>() {
        Some(_) => anyhow::anyhow!(
            "{error:#}\n  help: --address HOST:PORT says where a daemon listens; without one --path DIR, or --repo URL --path DIR, reads AWS"
        ),
        None => error,
    }
}

/// A service's history as the daemon answers it, newest first.
pub async fn history(address: &str, cluster: &str, service: &str, limit: u16) -> anyhow::Result<String> {
    let path = format!("/api/v1/services/{}/{}/deployments?limit={limit}", segment(cluster), segment(service));
    api(address, &path).await
}

/// The rows of such an answer.
pub fn rows(address: &str, body: &str) -> anyhow::Result<Vec<Listed>> {
    #[derive(Deserialize)]
    struct Answer {
        deployments: Vec<Listed>,
    }
    let answer: Answer = serde_json::from_str(body)
        .with_context(|| format!("{address}: what it answers is not the history of a driftless of this version"))?;
    Ok(answer.deployments)
}

/// What people did to a service beside git, newest first.
pub async fn acts(address: &str, cluster: &str, service: &str, limit: u16) -> anyhow::Result<Vec<Act>> {
    #[derive(Deserialize)]
    struct Answer {
        acts: Vec<Act>,
    }
    let path = format!("/api/v1/services/{}/{}/acts?limit={limit}", segment(cluster), segment(service));
    let answer: Answer = serde_json::from_str(&api(address, &path).await?)
        .with_context(|| format!("{address}: what it answers is not what a driftless of this version says"))?;
    Ok(answer.acts)
}

/// A part of a path: nothing of it may end the part.
fn segment(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    name.bytes().fold(String::new(), |mut text, byte| {
        if plain(byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_one_part_of_the_path() {
        assert_eq!(segment("prod-api_1"), "prod-api_1");
        assert_eq!(segment("(shared)"), "%28shared%29");
        assert_eq!(segment("a/../b c?"), "a%2F..%2Fb%20c%3F");
    }
}
