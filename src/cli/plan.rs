//! `driftless plan`

use super::load::{Loaded, load};
use super::{Denied, Exit, Output, Where};
use crate::aws::clients::Connection;
use crate::aws::observe::{Cache, Observer};
use crate::aws::pace::Priority;
use crate::aws::tables;
use crate::core::id::Scope;
use crate::core::observed::Snapshot;
use crate::core::plan::text::Header;
use crate::core::plan::{Memory, Plan, Policy};
use crate::core::retry::Class;
use crate::daemon::account::verify;
use crate::daemon::clients;
use crate::daemon::engine::{Task, plan_services};
use clap::Args;
use jiff::Timestamp;
use std::collections::BTreeMap;

#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    place: Where,
    /// The form of the output
    #[arg(long, value_enum, default_value = "human")]
    output: Output,
    /// Exit with 2 when something would be changed, or could not be compared
    #[arg(long)]
    detailed_exitcode: bool,
}

pub async fn run(options: Options) -> anyhow::Result<Exit> {
    let loaded = load(&options.place).await?;
    loaded.print_problems();
    let scope = loaded.desired()?.environment.scope.clone();
    let observer = connect(&scope).await?;
    let (plan, _) = plan(&loaded, &observer, &options.place.services, &BTreeMap::new(), Policy::default()).await?;
    let header = Header { scope: &scope, commit: loaded.commit.as_ref() };
    match options.output {
        Output::Human => print!("{}", plan.to_text(header)),
        Output::Json => println!("{:#}", plan.to_json(header)),
    }
    if loaded.has_errors() {
        return Ok(Exit::Error);
    }
    Ok(if options.detailed_exitcode && plan.has_changes() { Exit::Changes } else { Exit::Ok })
}

/// How the SDK begins its list of everywhere that it looked.
const NO_CREDENTIALS: &str = "no credentials found in chain";

/// The way to AWS for one command, proven to be of the environment's account.
pub async fn connect(scope: &Scope) -> anyhow::Result<Observer> {
    let connection = Connection { region: Some(scope.region.clone()), ..Connection::default() };
    let clients = clients(&connection).await;
    verify(&clients, scope).await.map_err(|refused| match refused.class {
        Class::Denied if refused.why.contains(NO_CREDENTIALS) => anyhow::Error::new(Denied(
            "no AWS credentials were found: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY".to_owned(),
        )),
        Class::Denied => anyhow::Error::new(Denied(refused.why)),
        _ => anyhow::anyhow!(refused.why),
    })?;
    Ok(Observer { clients, scope: scope.clone(), cache: Cache::default() })
}

/// Plans the services that were asked for; gives what was read beside it.
pub async fn plan(
    loaded: &Loaded,
    observer: &Observer,
    services: &[String],
    memory: &BTreeMap<crate::core::id::ServiceName, Memory>,
    policy: Policy<'_>,
) -> anyhow::Result<(Plan, Snapshot)> {
    let desired = loaded.desired()?;
    let revision = loaded.commit.as_ref().map(|commit| &commit.revision);
    let mut snapshot = Snapshot::new(Timestamp::now());
    let task = Task {
        desired,
        revision,
        services: loaded.services(services)?,
        memory: memory.clone(),
        policy,
        priority: Priority::Commit,
        kinds: crate::kind::KINDS,
        past: loaded.past.as_ref(),
    };
    let plans = plan_services(observer, &tables::shapes(), &task, &mut snapshot).await;
    let services: Result<Vec<_>, _> =
        plans.into_iter().map(|(name, plan)| plan.map_err(|why| anyhow::anyhow!("service {name}: {why}"))).collect();
    let plan = Plan { revision: revision.cloned(), read_at: snapshot.taken_at, services: services? };
    Ok((plan, snapshot))
}
