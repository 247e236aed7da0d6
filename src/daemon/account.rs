//! One source's way to AWS: the clients of its account and region, made when the region is known, and the proof that
//! the credentials are of the account that git names.

use crate::aws::call::{Calls, Observer as CallObserver};
use crate::aws::clients::{AssumeRole, Clients, Connection};
use crate::aws::observe::{Cache, Observer};
use crate::aws::pace::{Pacer, Share};
use crate::aws::transport::Transport;
use crate::core::id::{Arn, Region, Scope};
use crate::core::retry::Class;
use crate::settings::{Aws, Source};
use std::collections::BTreeMap;
use tokio::sync::Mutex;

/// The way to AWS of one source.
pub struct Account {
    endpoint_url: Option<String>,
    assume_role: Option<AssumeRole>,
    transport: Option<Transport>,
    calls: Calls,
    cache: Cache,
    known: Mutex<BTreeMap<Scope, Observer>>,
}

/// Why AWS cannot be asked.
#[derive(Debug)]
pub struct Refused {
    /// For people.
    pub why: String,
    /// What happens next.
    pub class: Class,
}

impl Account {
    /// The way to AWS that the settings describe, or `transport` instead of the network, where time runs `speed` times as
    /// fast.
    pub fn new(source: &Source, aws: &Aws, transport: Option<Transport>, speed: f64, observer: CallObserver) -> Self {
        let share = Share { total: Share::default().total * speed, background: aws.share * speed };
        Self {
            endpoint_url: aws.endpoint_url.clone(),
            assume_role: source.assume_role.as_ref().map(|role| AssumeRole {
                role: Arn::from(role.role_arn.as_str()),
                external_id: role.external_id.clone().map(Into::into),
            }),
            transport,
            calls: Calls::new(Pacer::new(share), observer),
            cache: Cache::default(),
            known: Mutex::default(),
        }
    }

    /// What reads this environment; refused when the credentials are another account's. The proof is made once: clients
    /// keep their credentials' account.
    pub async fn observer(&self, scope: &Scope) -> Result<Observer, Refused> {
        let mut known = self.known.lock().await;
        if let Some(observer) = known.get(scope) {
            return Ok(observer.clone());
        }
        let clients = Clients::connect(&self.connection(&scope.region), self.calls.clone()).await;
        verify(&clients, scope).await?;
        let observer = Observer { clients, scope: scope.clone(), cache: self.cache.clone() };
        known.insert(scope.clone(), observer.clone());
        Ok(observer)
    }

    fn connection(&self, region: &Region) -> Connection {
        Connection {
            region: Some(region.clone()),
            profile: None,
            endpoint_url: self.endpoint_url.clone(),
            assume_role: self.assume_role.clone(),
            transport: self.transport.clone(),
        }
    }
}

/// Refuses credentials of another account than the environment's (desired state: "the daemon refuses to act if it is
/// another one's").
pub async fn verify(clients: &Clients, scope: &Scope) -> Result<(), Refused> {
    let identity = clients.identity().await;
    let account = identity.map_err(|error| Refused { why: error.to_string(), class: error.class() })?.account;
    if account == scope.account {
        return Ok(());
    }
    let why = format!(
        "the credentials are of account {account}, environment.yaml says {}: nothing is read or changed; use the right profile or role, or correct the file",
        scope.account
    );
    Err(Refused { why, class: Class::Denied })
}
