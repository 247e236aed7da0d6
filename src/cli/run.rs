//! `driftless run`: the daemon.

use super::Exit;
use crate::daemon::{self, Surroundings};
use crate::settings::Settings;
use clap::{Args, ValueEnum};
use std::io::IsTerminal;
use std::path::PathBuf;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

#[derive(Debug, Args)]
pub struct Options {
    /// The settings
    #[arg(long, env = "DRIFTLESS_CONFIG", default_value = "/etc/driftless/driftless.yaml", value_name = "FILE")]
    config: PathBuf,
    /// The form of the log on stderr: text on a terminal, else JSON
    #[arg(long, value_enum)]
    log_format: Option<LogFormat>,
    /// What is logged, as in "info,driftless=debug"
    #[arg(long, env = "DRIFTLESS_LOG", default_value = "info")]
    log: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// For people
    Text,
    /// One JSON document a line
    Json,
}

pub async fn run(options: Options) -> anyhow::Result<Exit> {
    let settings = Settings::read(&options.config, std::env::vars())?;
    start_log(&options.log, options.log_format)?;
    let stop = CancellationToken::new();
    stop_on_signals(&stop)?;
    daemon::run(settings, Surroundings::default(), stop, |address| {
        println!("http://{address}/");
        tracing::info!(event = "listening", %address, "the page is at http://{address}/");
    })
    .await?;
    Ok(Exit::Ok)
}

/// Ends `stop` with SIGTERM or Ctrl-C; the second one ends the process.
pub(super) fn stop_on_signals(stop: &CancellationToken) -> anyhow::Result<()> {
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let on_signal = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
        on_signal.cancel();
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
        // Asked twice: what is under way is abandoned.
        std::process::exit(Exit::Interrupted as i32);
    });
    Ok(())
}

/// Begins to log to stderr.
pub(super) fn start_log(filter: &str, format: Option<LogFormat>) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(filter)?;
    let text = match format {
        Some(format) => format == LogFormat::Text,
        None => std::io::stderr().is_terminal(),
    };
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    if text {
        log.with_ansi(super::colour()).init();
    } else {
        log.json().flatten_event(true).with_current_span(false).with_span_list(false).init();
    }
    Ok(())
}
