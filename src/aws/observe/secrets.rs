//! Since when secrets and parameters are what they are. Their values are never asked for.

use super::{Looked, Observer, PAGES_MAX, Seen, absent_on, endless, observed, same};
use crate::aws::call::{Error, Operation};
use crate::aws::live::time;
use crate::aws::pace::Priority;
use crate::core::id::ResourceId;
use crate::core::observed::{Facts, Live, Observed};
use crate::core::retry::Class;
use crate::core::rotation::{Given, Since, since};
use aws_sdk_ssm::types::ParameterStringFilter;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

impl Observer {
    /// The stages of a secret. DescribeSecret says which version has them; when a version was made is asked for once, since it
    /// never changes. (Its LastChangedDate also moves with a description or a tag.)
    pub(super) async fn secret_versions(&self, arn: &str, priority: Priority) -> Looked {
        const OPERATION: Operation = Operation::read("secretsmanager", "DescribeSecret");
        let request = self.clients.secrets.describe_secret().secret_id(arn);
        let answer = self.clients.calls.call(OPERATION, priority, request.send()).await;
        // One that is scheduled for deletion cannot be used any more (DescribeSecret, DeletedDate).
        let answer = absent_on(answer, "ResourceNotFoundException")?;
        let Some(secret) = answer.filter(|secret| secret.deleted_date().is_none()) else { return Ok(None) };
        let stages = secret.version_ids_to_stages().cloned().unwrap_or_default();
        let known = |made: &BTreeMap<String, Timestamp>| stages.keys().all(|version| made.contains_key(version));
        let made = match self.cache.secret_versions(arn).filter(known) {
            Some(made) => made,
            None => {
                let Some(made) = self.list_versions(arn, priority).await? else { return Ok(None) };
                self.cache.keep_secret_versions(arn, made.clone());
                made
            }
        };
        let stages = stages.iter().filter_map(|(version, stages)| Some((stages, *made.get(version)?)));
        let since = since(stages, secret.last_rotated_date().and_then(time));
        Ok(Some(Arc::new(Live { facts: Facts::Since(since), ..Live::default() })))
    }

    /// When each version that has a stage was made.
    async fn list_versions(&self, arn: &str, priority: Priority) -> Result<Option<BTreeMap<String, Timestamp>>, Error> {
        const OPERATION: Operation = Operation::read("secretsmanager", "ListSecretVersionIds");
        let (mut made, mut token) = (BTreeMap::new(), None);
        for _ in 0..PAGES_MAX {
            let request = self.clients.secrets.list_secret_version_ids().secret_id(arn).set_next_token(token.clone());
            let answer = self.clients.calls.call(OPERATION, priority, request.send()).await;
            let Some(answer) = absent_on(answer, "ResourceNotFoundException")? else { return Ok(None) };
            let version = |entry: &aws_sdk_secretsmanager::types::SecretVersionsListEntry| {
                Some((entry.version_id()?.to_owned(), time(entry.created_date()?)?))
            };
            made.extend(answer.versions().iter().filter_map(version));
            match answer.next_token() {
                None => return Ok(Some(made)),
                next if next == token.as_deref() => break,
                next => token = next.map(str::to_owned),
            }
        }
        Err(endless(OPERATION))
    }

    /// When parameters were last written.
    pub(super) async fn parameter_versions(&self, ids: &[ResourceId], priority: Priority) -> Seen {
        let written = match self.written(ids, priority).await {
            Ok(written) => written,
            Err(error) => return same(ids, &observed(Err(error))),
        };
        let of = |id: &ResourceId| {
            let at = Given::parameter_names(&id.name).iter().filter_map(|name| written.get(name)).max().copied();
            let facts = |at: Timestamp| Facts::Since(Since::from([(String::new(), at)]));
            at.map_or(Observed::Absent, |at| Observed::Present(Arc::new(Live { facts: facts(at), ..Live::default() })))
        };
        ids.iter().map(|id| (id.clone(), of(id))).collect()
    }

    async fn written(&self, ids: &[ResourceId], priority: Priority) -> Result<BTreeMap<String, Timestamp>, Error> {
        const OPERATION: Operation = Operation::read("ssm", "DescribeParameters");
        let names = ids.iter().flat_map(|id| Given::parameter_names(&id.name)).collect();
        let filter = ParameterStringFilter::builder().key("Name").option("Equals").set_values(Some(names)).build();
        let filter = filter.map_err(|error| Error::local(OPERATION, Class::Terminal, error.to_string()))?;
        let (mut written, mut token) = (BTreeMap::new(), None);
        for _ in 0..PAGES_MAX {
            // "The maximum number of items to return: 50" (DescribeParameters); a page may have fewer, and none at all.
            let request = self.clients.ssm.describe_parameters().parameter_filters(filter.clone()).max_results(50);
            let request = request.set_next_token(token.clone());
            let answer = self.clients.calls.call(OPERATION, priority, request.send()).await?;
            let at = |found: &aws_sdk_ssm::types::ParameterMetadata| {
                Some((found.name()?.to_owned(), time(found.last_modified_date()?)?))
            };
            written.extend(answer.parameters().iter().filter_map(at));
            match answer.next_token() {
                None => return Ok(written),
                next if next == token.as_deref() => break,
                next => token = next.map(str::to_owned),
            }
        }
        Err(endless(OPERATION))
    }
}
