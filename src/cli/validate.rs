//! `driftless validate`

use super::load::load;
use super::{Exit, Output, Where};
use crate::core::desired::Desired;
use clap::Args;
use serde_json::json;
use std::sync::Arc;

#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    place: Where,
    /// The form of the output
    #[arg(long, value_enum, default_value = "human")]
    output: Output,
}

pub async fn run(options: Options) -> anyhow::Result<Exit> {
    let loaded = load(&options.place).await?;
    let reading = &loaded.reading;
    let errors = reading.problems.iter().filter(|problem| problem.is_error()).count();
    let warnings = reading.problems.len() - errors;
    let ecs = |desired: &Arc<Desired>| desired.services.keys().filter(|name| !name.is_shared()).count();
    let services = reading.desired.as_ref().map_or(0, ecs);
    match options.output {
        Output::Json => {
            let document = json!({
                "schemaVersion": 1, "valid": errors == 0, "services": services, "filesRead": reading.files_read,
                "problems": reading.problems,
            });
            println!("{document:#}");
        }
        Output::Human => {
            loaded.print_problems();
            let files = reading.files_read;
            println!(
                "{errors} errors, {warnings} warnings: {services} services are valid ({files} files read, no AWS calls)"
            );
        }
    }
    Ok(if loaded.has_errors() { Exit::Error } else { Exit::Ok })
}
