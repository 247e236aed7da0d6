//! Things to try, shown above the services: buttons of the demo. Without a panel there are no such routes.

use super::Shared;
use super::api::problem;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use futures_util::future::BoxFuture;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// One thing to try.
#[derive(Debug, Clone)]
pub struct Step {
    /// What is done, as a button says it.
    pub title: &'static str,
    /// What will be seen.
    pub text: &'static str,
    /// The command that does the same.
    pub command: String,
}

/// Does a step, by its place; says what it did, or why it could not.
pub type Act = dyn Fn(usize) -> BoxFuture<'static, Result<String, String>> + Send + Sync;

/// Things to try.
#[derive(Clone)]
pub struct Panel {
    /// In their order.
    pub steps: Arc<[Step]>,
    /// Does one.
    pub act: Arc<Act>,
    /// What each said when it was last done.
    pub said: Arc<Mutex<Vec<Option<String>>>>,
}

impl fmt::Debug for Panel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Panel").field("steps", &self.steps).finish_non_exhaustive()
    }
}

/// A step as the page shows it.
pub(super) struct StepRow {
    pub number: usize,
    pub title: &'static str,
    pub text: &'static str,
    pub command: String,
    pub said: Option<String>,
}

impl Panel {
    /// Nothing was tried yet.
    pub fn new(steps: Vec<Step>, act: Arc<Act>) -> Self {
        let said = vec![None; steps.len()];
        Self { steps: steps.into(), act, said: Arc::new(Mutex::new(said)) }
    }

    pub(super) fn rows(&self) -> Vec<StepRow> {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let row = |(at, (step, said)): (usize, (&Step, Option<String>))| {
            let Step { title, text, command } = step.clone();
            StepRow { number: at + 1, title, text, command, said }
        };
        self.steps.iter().zip(said).enumerate().map(row).collect()
    }
}

/// `POST /demo/N`: browsers go back to the page, programs get the sentence.
pub async fn act(State(shared): State<Shared>, Path(number): Path<usize>, request: Request) -> Response {
    let Some(panel) = shared.panel.clone() else { return problem(StatusCode::NOT_FOUND, "this is not the demo") };
    let headers = request.headers();
    if !is_ours(headers) {
        return problem(StatusCode::FORBIDDEN, "only this page's own buttons, and programs, may do this");
    }
    let Some(at) = number.checked_sub(1).filter(|at| *at < panel.steps.len()) else {
        return problem(StatusCode::NOT_FOUND, &format!("there are steps 1 to {}", panel.steps.len()));
    };
    let done = (panel.act)(at).await;
    let (code, text) = match done {
        Ok(text) => (StatusCode::OK, text),
        Err(text) => (StatusCode::CONFLICT, text),
    };
    if let Some(said) = panel.said.lock().unwrap_or_else(PoisonError::into_inner).get_mut(at) {
        *said = Some(text.clone());
    }
    let browser = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    if browser.is_some_and(|accepts| accepts.contains("text/html")) {
        return Redirect::to("/").into_response();
    }
    (code, format!("{text}\n")).into_response()
}

/// Not a form of another site: browsers say where a request comes from (Fetch Metadata, `Origin`).
fn is_ours(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let host = text("host").unwrap_or_default();
    let same_origin = text("origin").is_none_or(|origin| origin.strip_prefix("http://") == Some(host));
    let same_site = text("sec-fetch-site").is_none_or(|site| matches!(site, "same-origin" | "none"));
    // A name that was made to point to this machine (DNS rebinding) is not an address of it.
    let loopback = host.starts_with("127.0.0.1") || host.starts_with("localhost") || host.starts_with("[::1]");
    same_origin && same_site && loopback
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_other_sites_are_refused() {
        for (pairs, expected) in [
            (&[("host", "127.0.0.1:8080")][..], true),
            (
                &[("host", "127.0.0.1:8080"), ("origin", "http://127.0.0.1:8080"), ("sec-fetch-site", "same-origin")],
                true,
            ),
            (&[("host", "127.0.0.1:8080"), ("origin", "https://evil.example")], false),
            (&[("host", "127.0.0.1:8080"), ("sec-fetch-site", "cross-site")], false),
            (&[("host", "evil.example:8080"), ("origin", "http://evil.example:8080")], false),
        ] {
            let headers: HeaderMap = pairs
                .iter()
                .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
                .collect::<Vec<(header::HeaderName, _)>>()
                .into_iter()
                .collect();
            assert_eq!(is_ours(&headers), expected, "{pairs:?}");
        }
    }
}
