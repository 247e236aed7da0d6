//! One file a command, thin: parse, call, print. Data goes to stdout, everything else to stderr.

mod apply;
mod approve;
mod ask;
mod demo;
mod healthcheck;
mod healthy;
mod history;
mod load;
mod pause;
mod plan;
mod prune;
mod render;
mod rollback;
mod run;
mod service;
mod status;
mod validate;

use crate::core::retry::Class;
use crate::core::shell;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

/// How a command ended. Stable: scripts rely on the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Everything is as it should be.
    Ok = 0,
    /// Something went wrong; stderr says what.
    Error = 1,
    /// Changes are present (only with `plan --detailed-exitcode`).
    Changes = 2,
    /// A rollout failed or was rolled back.
    RolloutFailed = 3,
    /// Timed out while waiting; the rollout goes on.
    TimedOut = 4,
    /// Credentials or permissions are missing.
    Denied = 5,
    /// The command line is wrong.
    Usage = 64,
    /// Interrupted.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

const EXIT_CODES: &str = "\
Exit codes: 0 ok, 1 error, 2 changes present (only with plan --detailed-exitcode), 3 rollout failed or rolled back,
4 timed out while waiting, 5 credentials or permission, 64 usage, 130 interrupted.

AWS is found as by every AWS tool: AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL and so on.";

/// Keeps Amazon ECS services as a git repository says.
#[derive(Debug, Parser)]
#[command(name = "driftless", version, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Checks the files of an environment; asks AWS nothing
    #[command(after_help = "Example: driftless validate --path environments/prod")]
    Validate(validate::Options),
    /// Prints what a service's files say after extends, defaults and variables
    #[command(after_help = "Example: driftless render --path environments/prod --service prod-api --places")]
    Render(render::Options),
    /// Shows what would be changed in AWS, and changes nothing
    #[command(
        alias = "diff",
        after_help = "Examples:\n  driftless plan --path environments/prod\n  driftless plan --repo git@github.com:acme/deploy.git --ref main --path environments/prod --output json"
    )]
    Plan(plan::Options),
    /// Makes AWS agree with git once, and follows the rollouts to their end
    #[command(after_help = "Example: driftless apply --path environments/prod --service prod-api")]
    Apply(apply::Options),
    /// Shows what runs, and whether it is what git says; reads AWS itself, or asks a running daemon
    #[command(
        after_help = "Examples:\n  driftless status --path environments/prod         # reads AWS now, and needs no daemon\n  driftless status --address 127.0.0.1:8080         # what a running daemon says"
    )]
    Status(status::Options),
    /// Follows git and keeps AWS in agreement with it until it is stopped
    #[command(after_help = "Example: driftless run --config config/driftless.yaml")]
    Run(run::Options),
    /// Shows what was done to a service: which commit, what came of it, how long it took, and what people did beside git
    #[command(
        mut_arg("services", alone),
        after_help = "Examples:\n  driftless history prod-api --limit 5                    # asks the daemon at --address\n  driftless history prod-api --path environments/prod    # without a daemon, what ECS still knows"
    )]
    History(history::Options),
    /// Takes a service back to an earlier commit, and holds what git says until it says something new
    #[command(
        mut_arg("services", alone),
        after_help = "Examples:\n  driftless rollback prod-api --repo git@github.com:acme/deploy.git --path environments/prod --reason \"500s since 14:02\"\n  the same with --to 117      # the commit of row 117 of driftless history, asked of the daemon at --address\n  the same with --to 71bd0e9  # that commit"
    )]
    Rollback(rollback::RollbackOptions),
    /// Ends a rollback, or tries a rollout that failed once more
    #[command(mut_arg("services", alone), after_help = "Example: driftless retry prod-api --path environments/prod")]
    Retry(rollback::RetryOptions),
    /// Changes nothing of a service for a while; drift is still shown
    #[command(
        mut_arg("services", alone),
        after_help = "Example: driftless pause prod-api --path environments/prod --reason \"database move\" --for 2h"
    )]
    Pause(pause::PauseOptions),
    /// Ends a pause
    #[command(mut_arg("services", alone), after_help = "Example: driftless resume prod-api --path environments/prod")]
    Resume(pause::ResumeOptions),
    /// Lets a rollout go on that waits for approval
    #[command(
        mut_arg("services", alone),
        after_help = "Example: driftless approve prod-app --path environments/prod --deployment 40b7a2e6d83c15a4c24af"
    )]
    Approve(approve::Options),
    /// Rolls back a rollout that waits for approval
    #[command(
        mut_arg("services", alone),
        after_help = "Example: driftless reject prod-app --path environments/prod --deployment 40b7a2e6d83c15a4c24af"
    )]
    Reject(approve::Options),
    /// Shows everything on this machine alone: an AWS account in memory, a repository, the daemon and its page
    #[command(
        after_help = "Examples:\n  driftless demo\n  driftless demo --endpoint-only 4566    # the account alone, for the AWS CLI and Terraform"
    )]
    Demo(demo::Options),
    /// Asks a running daemon whether it is alive, for container health checks
    #[command(after_help = "Example: driftless healthcheck --address 127.0.0.1:8080")]
    Healthcheck(healthcheck::Options),
}

/// For a command about the one service that it names: `--service` beside it would say nothing.
fn alone(services: clap::Arg) -> clap::Arg {
    services.hide(true).conflicts_with("name")
}

/// Where the desired state is.
#[derive(Debug, Clone, Args)]
pub struct Where {
    /// The environment's folder: on the disk as it is, or with --repo in the repository
    #[arg(long, default_value = ".", value_name = "DIR")]
    pub path: PathBuf,
    /// A repository to read a commit of, instead of the folder as it is: https, ssh or a local path
    #[arg(long, value_name = "URL")]
    pub repo: Option<String>,
    /// The branch to read; main when left out
    #[arg(long = "ref", value_name = "BRANCH", requires = "repo")]
    pub reference: Option<String>,
    /// The file of a private key for ssh
    #[arg(long, value_name = "FILE", requires = "repo")]
    pub ssh_key: Option<PathBuf>,
    /// The file of a token for https
    #[arg(long, value_name = "FILE", requires = "repo")]
    pub token: Option<PathBuf>,
    /// Only this service; may be given several times
    #[arg(long = "service", value_name = "NAME")]
    pub services: Vec<String>,
    /// An environment variable that the files may use as env.NAME; may be given several times
    #[arg(long = "env", value_name = "NAME")]
    pub env: Vec<String>,
}

impl Where {
    /// The same place as arguments of another command.
    pub fn arguments(&self) -> String {
        shell::place(self.repo.as_deref(), self.reference.as_deref(), &self.path.to_string_lossy())
    }
}

/// The form of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people
    Human,
    /// One document for programs
    Json,
}

/// Parses the command line and does what it says.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            // clap's own code for a wrong command line is 2, which scripts would read as "changes present".
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Ok.into() };
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the runtime cannot be started: {error}");
            return Exit::Error.into();
        }
    };
    let result = runtime.block_on(async {
        match cli.command {
            Command::Run(options) => run::run(options).await,
            Command::Demo(options) => demo::run(options).await,
            command => {
                tokio::select! {
                    result = short(command) => result,
                    _ = tokio::signal::ctrl_c() => Ok(Exit::Interrupted),
                }
            }
        }
    });
    // A fetch that hangs must not keep the process.
    runtime.shutdown_background();
    match result {
        Ok(exit) => exit.into(),
        Err(error) => {
            eprintln!("error: {error:#}");
            error.downcast_ref::<Denied>().map_or(Exit::Error, |_| Exit::Denied).into()
        }
    }
}

async fn short(command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::Validate(options) => validate::run(options).await,
        Command::Plan(options) => plan::run(options).await,
        Command::Apply(options) => apply::run(options).await,
        Command::Render(options) => render::run(options).await,
        Command::Healthcheck(options) => healthcheck::run(options).await,
        Command::History(options) => history::run(options).await,
        Command::Status(options) => status::run(options).await,
        Command::Pause(options) => pause::pause(options).await,
        Command::Resume(options) => pause::resume(options).await,
        Command::Rollback(options) => rollback::rollback(options).await,
        Command::Retry(options) => rollback::retry(options).await,
        Command::Approve(options) => approve::run(options, true).await,
        Command::Reject(options) => approve::run(options, false).await,
        Command::Demo(options) => demo::run(options).await,
        Command::Run(options) => run::run(options).await,
    }
}

/// Credentials or permissions are missing.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Denied(pub String);

/// An error of AWS as a command ends with it: a permission that is missing has an exit code of its own.
fn ended(error: crate::aws::call::Error) -> anyhow::Error {
    match error.class() {
        Class::Denied => anyhow::Error::new(Denied(error.to_string())),
        _ => anyhow::Error::new(error),
    }
}

/// Whether problems and plans are drawn in colour on stderr.
pub fn colour() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}
