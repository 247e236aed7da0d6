//! `driftless pause` and `driftless resume`: a tag on the ECS service, which every process that looks at it respects.

use super::service::OneService;
use super::{Exit, Where};
use crate::core::act::Deed;
use crate::core::document::check::duration;
use crate::core::pause::{PAUSED_TAG, Pause};
use anyhow::{Context, ensure};
use clap::Args;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

#[derive(Debug, Args)]
pub struct PauseOptions {
    /// The service
    #[arg(value_name = "NAME")]
    name: String,
    /// Why, for everybody who sees it
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// For how long
    #[arg(long = "for", default_value = "4h", value_name = "TIME", value_parser = time)]
    time: Duration,
    #[command(flatten)]
    place: Where,
}

#[derive(Debug, Args)]
pub struct ResumeOptions {
    /// The service
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    place: Where,
}

fn time(text: &str) -> Result<Duration, String> {
    let time = duration(text).filter(|time| !time.is_zero());
    time.ok_or_else(|| "expected a duration with its unit, as 30m or 4h".to_owned())
}

pub async fn pause(options: PauseOptions) -> anyhow::Result<Exit> {
    let PauseOptions { name, reason, time, place } = options;
    ensure!(!reason.trim().is_empty(), "--reason is empty: say why, for those who see that nothing happens");
    let service = OneService::look(&name, &place).await?;
    let until = Timestamp::now().checked_add(SignedDuration::try_from(time)?).context("--for is too long")?;
    let pause = Pause { until, by: service.who().await?, why: reason };
    service.note(Deed::Paused, (&pause.by, &pause.why), &[(PAUSED_TAG, pause.tag_value())]).await?;
    println!("Paused: {name} {pause}");
    if let Some(before) = Pause::of(&service.tags, Timestamp::now()) {
        println!("It was paused before, {before}");
    }
    println!("Next: driftless resume {name} {}", place.arguments());
    Ok(Exit::Ok)
}

pub async fn resume(options: ResumeOptions) -> anyhow::Result<Exit> {
    let ResumeOptions { name, place } = options;
    let service = OneService::look(&name, &place).await?;
    let now = Timestamp::now();
    let Some(pause) = Pause::of(&service.tags, now) else {
        println!("{name} is not paused");
        return Ok(Exit::Ok);
    };
    // A pause that is over, rather than no tag: who paused it stays known, and no permission to take tags away is needed.
    let tag = (PAUSED_TAG, Pause { until: now, ..pause }.tag_value());
    service.note(Deed::Resumed, (&service.who().await?, ""), &[tag]).await?;
    println!("Resumed: {name}");
    Ok(Exit::Ok)
}
