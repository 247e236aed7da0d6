//! The account on a port of this machine, for every SDK, the AWS CLI and Terraform.

use super::account::Account;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::net::{Ipv4Addr, SocketAddr};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The largest request body. A task definition has 64 KiB at most (ECS quotas).
const BODY_MAX: usize = 1024 * 1024;

/// Listens on 127.0.0.1; port 0 takes any free one.
///
/// # Errors
/// The port is taken.
pub async fn bind(port: u16) -> std::io::Result<TcpListener> {
    TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await
}

/// Answers until `stop`.
pub async fn serve(account: Account, listener: TcpListener, stop: CancellationToken) {
    let connections = TaskTracker::new();
    loop {
        let stream = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                // A connection that was gone before it was accepted, or too many open files: the next may go well.
                Err(_) => {
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                    continue;
                }
            },
        };
        let (account, stop) = (account.clone(), stop.clone());
        connections.spawn(async move {
            let service = service_fn(|request| answer(account.clone(), request));
            let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::select! {
                () = stop.cancelled() => {}
                // A lost connection is by plan, or the client's own affair.
                _ = connection => {}
            }
        });
    }
    connections.close();
    connections.wait().await;
}

/// An error ends the connection, as a lost answer does.
async fn answer(account: Account, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, super::Lost> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, BODY_MAX).collect().await.map_err(|_| super::Lost)?.to_bytes();
    let answer = account.answer(Request::from_parts(parts, body.to_vec())).await?;
    Ok(answer.map(|body| Full::new(Bytes::from(body))))
}
