//! Asks a running daemon over its own port, in plain HTTP.

use anyhow::Context;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

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
