//! Servers that hang, refuse, redirect and lie. They listen on this machine, where plain http is allowed.

use super::*;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

/// Answers each request with what `answer` makes of its head; an empty answer is silence.
fn serve(answer: impl Fn(&str) -> Vec<u8> + Send + 'static) -> (u16, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (seen, requests) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut head = Vec::new();
            let mut piece = [0; 4096];
            while !head.windows(4).any(|end| end == b"\r\n\r\n") {
                match stream.read(&mut piece) {
                    Ok(length @ 1..) => head.extend(&piece[..length]),
                    _ => break,
                }
            }
            let head = String::from_utf8_lossy(&head).into_owned();
            let answer = answer(&head);
            if seen.send(head).is_err() {
                return;
            }
            if answer.is_empty() {
                // Silence until the client gives up.
                let _ = stream.read(&mut piece);
            }
            let _ = stream.write_all(&answer);
            let _ = stream.shutdown(Shutdown::Both);
        }
    });
    (port, requests)
}

fn response(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}").into_bytes()
}

/// Fetches `url` with a token, and checks that no text of the error has it.
fn fails(url: &str, timeout: Duration) -> Error {
    let folder = tempfile::tempdir().expect("a folder");
    let token = folder.path().join("token");
    std::fs::write(&token, format!("{CANARY}\n")).expect("written");
    let auth = Auth { token: Some(token), ..Auth::default() };
    let source =
        Source { url: url.to_owned(), reference: Reference::Branch("main".into()), path: RepoPath::new(""), auth };
    let error = fetch(&source, folder.path(), timeout).expect_err("an error");
    let all = format!("{} {source:?}", all_texts(&error));
    assert!(!all.contains(CANARY), "{all}");
    error
}

#[test]
fn a_silent_server_is_left() {
    let (port, _requests) = serve(|_| Vec::new());
    let begun = Instant::now();
    let error = fails(&format!("http://127.0.0.1:{port}/d.git"), TIMEOUT);
    assert!(matches!(error, Error::TimedOut { .. }) && error.is_transient(), "{error:?}");
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
}

#[test]
fn nobody_listens() {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
    for scheme in ["http", "ssh"] {
        let error = fails(&format!("{scheme}://127.0.0.1:{port}/d.git"), TIMEOUT);
        assert!(matches!(error, Error::Unreachable { .. }) && error.is_transient(), "{error:?}");
    }
}

#[test]
fn a_refused_token_is_said_and_not_shown() {
    let (port, requests) = serve(|_| response("401 Unauthorized", "WWW-Authenticate: Basic realm=\"x\"\r\n", ""));
    let error = fails(&format!("http://me:{CANARY}@127.0.0.1:{port}/d.git"), TIMEOUT);
    assert!(matches!(error, Error::Authentication { .. }), "{error:?}");
    assert!(
        error
            .to_string()
            .ends_with("the server refused the token: give one that may read the repository with auth.token"),
        "{error}"
    );
    assert!(error.to_string().contains(&format!("http://127.0.0.1:{port}/d.git")), "{error}");
    let requests: Vec<String> = requests.try_iter().collect();
    assert!(!requests[0].contains("Authorization"), "nothing is sent before it is asked for");
    assert!(requests[1].contains("Authorization: Basic"), "{requests:?}");
    assert_eq!(requests.len(), 2, "asked once, not in circles");
}

#[test]
fn a_login_without_a_token_is_asked_for() {
    let (port, _requests) = serve(|_| response("401 Unauthorized", "WWW-Authenticate: Basic realm=\"x\"\r\n", ""));
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("http://127.0.0.1:{port}/d.git");
    let source =
        Source { url, reference: Reference::Branch("main".into()), path: RepoPath::new(""), auth: Auth::default() };
    let error = fetch(&source, folder.path(), TIMEOUT).expect_err("an error");
    assert!(error.to_string().ends_with("the server asks for a login: give a token with auth.token"), "{error}");
    let auth = Auth { token: Some(folder.path().join("none")), ..Auth::default() };
    let error = fetch(&Source { auth, ..source }, folder.path(), TIMEOUT).expect_err("an error");
    assert!(
        error.to_string().starts_with("auth.token ") && error.to_string().ends_with("none cannot be read"),
        "{error}"
    );
}

#[test]
fn a_redirect_to_another_host_is_not_followed() {
    let (other, asked) = serve(|_| response("401 Unauthorized", "WWW-Authenticate: Basic realm=\"x\"\r\n", ""));
    for target in [
        format!("http://localhost:{other}/d.git"),
        "https://169.254.169.254/latest".into(),
        "file:///etc/passwd".into(),
    ] {
        let (port, _requests) = serve(move |_| {
            response("302 Found", &format!("Location: {target}/info/refs?service=git-upload-pack\r\n"), "")
        });
        let error = fails(&format!("http://127.0.0.1:{port}/d.git"), TIMEOUT);
        assert!(matches!(error, Error::Redirect { .. }), "{error:?}");
    }
    assert_eq!(asked.try_iter().count(), 0);
    // The same host, another port: followed, but the token stays here.
    let target = format!("http://127.0.0.1:{other}/d.git");
    let (port, _requests) =
        serve(move |_| response("302 Found", &format!("Location: {target}/info/refs?service=git-upload-pack\r\n"), ""));
    let error = fails(&format!("http://127.0.0.1:{port}/d.git"), TIMEOUT);
    assert!(matches!(error, Error::Authentication { .. }), "{error:?}");
    let asked: Vec<String> = asked.try_iter().collect();
    assert!(!asked.is_empty() && asked.iter().all(|request| !request.contains("Authorization")), "{asked:?}");
}

#[test]
fn answers_that_are_no_repository() {
    for (status, kind) in [
        ("404 Not Found", "NoRepository"),
        ("403 Forbidden", "Authentication"),
        ("500 Oops", "Unreachable"),
        ("200 OK", "Unreachable"),
    ] {
        let (port, _requests) = serve(move |_| response(status, "Content-Type: text/html\r\n", "<h1>hello</h1>"));
        let error = fails(&format!("http://127.0.0.1:{port}/d.git"), TIMEOUT);
        assert!(format!("{error:?}").starts_with(kind), "{status}: {error:?}");
    }
}

/// A pack of one byte now and then: every single read succeeds, and the whole never ends.
#[test]
fn an_endless_trickle_is_left() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        for stream in listener.incoming().take(2) {
            let Ok(mut stream) = stream else { return };
            let mut head = [0; 8192];
            let length = stream.read(&mut head).unwrap_or(0);
            let id = "7".repeat(40);
            if head[..length].starts_with(b"GET") {
                let line = |text: &str| format!("{:04x}{text}", text.len() + 4);
                let first = format!("{id} refs/heads/main\0side-band-64k\n");
                let body = format!("{}0000{}0000", line("# service=git-upload-pack\n"), line(&first));
                let _ = stream.write_all(&response(
                    "200 OK",
                    "Content-Type: application/x-git-upload-pack-advertisement\r\n",
                    &body,
                ));
                continue;
            }
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-result\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n0008NAK\n\r\n");
            // Progress messages keep the connection alive; a real server may do so while it packs.
            while stream.write_all(b"6\r\n0006\x02.\r\n").is_ok() {
                thread::sleep(Duration::from_millis(50));
            }
        }
    });
    let begun = Instant::now();
    let error = fails(&format!("http://127.0.0.1:{port}/d.git"), Duration::from_millis(700));
    assert!(matches!(error, Error::TimedOut { .. }), "{error:?}");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}
