//! The one way in which AWS is called: paced, with a time limit, sorted into [`Error`]s and reported.
//!
//! ```text
//! Calls::call --Pacer::admit--> SDK operation, retries off --Error::of--> Result
//!                                          |
//!                                          +--> observer (metrics)
//! ```

pub use super::error::Error;

use super::pace::{Pacer, Priority};
use crate::core::retry::Class;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeSerializationInterceptorContextMut;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use std::fmt::{self, Debug};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long a read may take, from sending to the whole answer. The slowest answers in use are pages of 400 rules and
/// ten services with 100 events each, some hundred KiB; AWS gives up by itself only after a minute.
pub const READ_LIMIT: Duration = Duration::from_secs(10);

/// How long a write may take. Longer than a read: giving up leaves its outcome unknown.
pub const WRITE_LIMIT: Duration = Duration::from_secs(20);

/// Whether a call changes something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// It may be repeated at will.
    Read,
    /// Without an answer its outcome is unknown.
    Write,
}

/// An operation of an AWS API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Operation {
    /// Our short name: `ecs`, `elbv2`, `autoscaling`, `cloudwatch`, `discovery`, `logs`, `ecr`, `sts`,
    /// `secretsmanager`, `ssm`, `cloudformation`.
    pub service: &'static str,
    /// AWS's name: `UpdateService`.
    pub name: &'static str,
    /// Whether it changes something.
    pub effect: Effect,
}

impl Operation {
    /// An operation that changes nothing.
    pub const fn read(service: &'static str, name: &'static str) -> Self {
        Self { service, name, effect: Effect::Read }
    }

    /// An operation that changes something.
    pub const fn write(service: &'static str, name: &'static str) -> Self {
        Self { service, name, effect: Effect::Write }
    }

    /// What it means that no answer came.
    pub(super) fn unanswered(self) -> Class {
        match self.effect {
            Effect::Read => Class::Transient,
            Effect::Write => Class::Ambiguous,
        }
    }

    fn limit(self) -> Duration {
        match self.effect {
            Effect::Read => READ_LIMIT,
            Effect::Write => WRITE_LIMIT,
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service, name, effect: _ } = self;
        write!(f, "{service} {name}")
    }
}

/// What an observer is told of a call that is over.
#[derive(Debug, Clone, PartialEq)]
pub struct CallReport<'c> {
    /// What was called.
    pub operation: Operation,
    /// AWS's error code, or the class where there is none; `OK` for success.
    pub code: &'c str,
    /// From admission to the end of the answer, without the wait for admission.
    pub duration: Duration,
    /// The wait for admission: how long the pacing held it back.
    pub held: Duration,
}

/// Is told of every call. Must be quick: it runs on the caller's task.
pub type Observer = Box<dyn Fn(&CallReport<'_>) + Send + Sync>;

/// The way to call one account and region.
#[derive(Clone)]
pub struct Calls {
    pacer: Arc<Pacer>,
    observer: Arc<Observer>,
}

impl Debug for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calls").finish_non_exhaustive()
    }
}

impl Calls {
    /// Paces with `pacer`, reports to `observer`. All calls to one account and region belong to one `Calls` (or its
    /// clones), since AWS counts them together.
    pub fn new(pacer: Pacer, observer: Observer) -> Self {
        Self { pacer: Arc::new(pacer), observer: Arc::new(observer) }
    }

    /// Waits for its turn, sends once, and says what came of it. Nothing is retried here: the caller knows whether it
    /// still wants the answer.
    ///
    /// Dropping it after it was sent leaves the outcome of a write unknown.
    pub async fn call<T, E, F>(&self, operation: Operation, priority: Priority, send: F) -> Result<T, Error>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        let asked = Instant::now();
        self.pacer.admit(operation, priority).await;
        let sent = Instant::now();
        let result = match tokio::time::timeout(operation.limit(), send).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(Error::of(operation, &error)),
            Err(_) => {
                let message = format!("no answer within {} s", operation.limit().as_secs());
                Err(Error::local(operation, operation.unanswered(), message))
            }
        };
        if result.as_ref().is_err_and(|error| error.class == Class::Throttled) {
            self.pacer.throttled(operation);
        }
        let code = result.as_ref().err().map(|error| error.code.as_deref().unwrap_or(error.class.as_str()));
        (self.observer)(&CallReport {
            operation,
            code: code.unwrap_or("OK"),
            duration: sent.elapsed(),
            held: sent.duration_since(asked),
        });
        result
    }
}

/// Sends a typed input whole: replaces the operation's input before the SDK serializes it. The same for every operation
/// and protocol.
///
/// It replaces the input after the SDK filled in idempotency tokens, so an input that takes one must carry its own.
///
/// ```text
/// let input: CreateServiceInput = decode(&document)?;
/// client.create_service().customize().interceptor(WithInput(input)).send().await?;
/// ```
#[derive(Debug)]
pub struct WithInput<T>(pub T);

impl<T: Clone + Debug + Send + Sync + 'static> Intercept for WithInput<T> {
    fn name(&self) -> &'static str {
        "WithInput"
    }

    fn modify_before_serialization(
        &self,
        context: &mut BeforeSerializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let input = context.input_mut().downcast_mut::<T>().ok_or("the input is of another operation")?;
        *input = self.0.clone();
        Ok(())
    }
}
