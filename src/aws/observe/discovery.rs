//! Cloud Map namespaces and services, and log groups.

use super::{Looked, Observer, PAGES_MAX, endless};
use crate::aws::call::{Error, Operation};
use crate::aws::pace::Priority;
use crate::aws::wire::encode;
use crate::core::id::{Arn, Kind, ResourceId};
use crate::core::observed::Live;
use crate::core::retry::Class;
use aws_sdk_servicediscovery::types::{
    FilterCondition, NamespaceFilter, NamespaceFilterName, NamespaceType, ServiceFilter, ServiceFilterName,
};
use serde_json::{Value, json};
use std::sync::Arc;

impl Observer {
    /// A namespace by its name, or by its id as `ns-...`. Of several of one name the private one is meant.
    pub(super) async fn namespace(&self, name: &str, priority: Priority) -> Looked {
        const OPERATION: Operation = Operation::read("discovery", "ListNamespaces");
        let filter = NamespaceFilter::builder()
            .name(NamespaceFilterName::Name)
            .values(name)
            .condition(FilterCondition::Eq)
            .build()
            .map_err(|error| Error::local(OPERATION, Class::Terminal, error.to_string()))?;
        let (mut found, mut token) = (Vec::new(), None);
        for page in 0.. {
            if page == PAGES_MAX {
                return Err(endless(OPERATION));
            }
            let request = self.clients.discovery.list_namespaces().filters(filter.clone());
            let request = request.set_next_token(token.clone());
            let answer = self.clients.calls.call(OPERATION, priority, request.send()).await?;
            found.extend(answer.namespaces().iter().filter(|space| space.name() == Some(name)).cloned());
            match answer.next_token() {
                None => break,
                next if next == token.as_deref() => return Err(endless(OPERATION)),
                next => token = next.map(str::to_owned),
            }
        }
        if name.starts_with("ns-") && found.is_empty() {
            return Ok(Some(Arc::new(Live { document: json!({ "Id": name }), ..Live::default() })));
        }
        let private = found.iter().filter(|space| space.r#type() == Some(&NamespaceType::DnsPrivate));
        let chosen = match (private.collect::<Vec<_>>().as_slice(), found.as_slice()) {
            ([only], _) => (*only).clone(),
            ([], [only]) => only.clone(),
            ([], []) => return Ok(None),
            _ => {
                let ids: Vec<_> = found.iter().filter_map(|space| space.id()).collect();
                let message = format!("several namespaces are called {name}: name one by its id, {}", ids.join(" or "));
                return Err(Error::local(OPERATION, Class::Terminal, message));
            }
        };
        Ok(Some(Arc::new(Live {
            arn: chosen.arn().map(Arn::from),
            document: json!({ "Id": chosen.id() }),
            ..Live::default()
        })))
    }

    /// `NAMESPACE/NAME`.
    pub(super) async fn discovery_service(&self, name: &str, priority: Priority) -> Looked {
        const LIST: Operation = Operation::read("discovery", "ListServices");
        const GET: Operation = Operation::read("discovery", "GetService");
        let Some((namespace, name)) = name.rsplit_once('/') else { return Ok(None) };
        let Some(namespace) = self.namespace_id(namespace, priority).await? else { return Ok(None) };
        let filter = ServiceFilter::builder()
            .name(ServiceFilterName::NamespaceId)
            .values(namespace)
            .condition(FilterCondition::Eq)
            .build()
            .map_err(|error| Error::local(LIST, Class::Terminal, error.to_string()))?;
        let mut token = None;
        for _ in 0..PAGES_MAX {
            let request = self.clients.discovery.list_services().filters(filter.clone());
            let request = request.set_next_token(token.clone());
            let answer = self.clients.calls.call(LIST, priority, request.send()).await?;
            let found = answer.services().iter().find(|service| service.name() == Some(name));
            if let Some(id) = found.and_then(|service| service.id()) {
                // Only GetService answers every setting.
                let request = self.clients.discovery.get_service().id(id);
                let answer = self.clients.calls.call(GET, priority, request.send()).await;
                let answer = super::absent_on(answer, "ServiceNotFound")?;
                let service = answer.and_then(|answer| answer.service().cloned());
                return Ok(service.map(|service| Arc::new(discovery_live(&service))));
            }
            match answer.next_token() {
                None => return Ok(None),
                next if next == token.as_deref() => break,
                next => token = next.map(str::to_owned),
            }
        }
        Err(endless(LIST))
    }

    async fn namespace_id(&self, name: &str, priority: Priority) -> Result<Option<String>, Error> {
        let id = ResourceId::new(Kind::Namespace, name);
        let live = match self.cache.name(&self.scope, &id) {
            Some(live) => Some(live),
            None => self.namespace(name, priority).await?,
        };
        let Some(live) = live else { return Ok(None) };
        self.cache.keep_name(&self.scope, &id, live.clone());
        Ok(live.document.get("Id").and_then(Value::as_str).map(str::to_owned))
    }

    pub(super) async fn log_group(&self, name: &str, priority: Priority) -> Looked {
        const OPERATION: Operation = Operation::read("logs", "DescribeLogGroups");
        let mut token = None;
        for _ in 0..PAGES_MAX {
            let request = self.clients.logs.describe_log_groups().log_group_name_prefix(name);
            let request = request.set_next_token(token.clone());
            let answer = self.clients.calls.call(OPERATION, priority, request.send()).await?;
            if let Some(group) = answer.log_groups().iter().find(|group| group.log_group_name() == Some(name)) {
                // `arn` ends with `:*`, which TagResource does not take (DescribeLogGroups, LogGroup).
                let arn = group.log_group_arn().or(group.arn()).map(|arn| arn.trim_end_matches(":*"));
                let mut document = encode(group);
                if let Value::Object(map) = &mut document {
                    map.retain(|field, _| matches!(field.as_str(), "retentionInDays" | "kmsKeyId"));
                }
                return Ok(Some(Arc::new(Live { arn: arn.map(Arn::from), document, ..Live::default() })));
            }
            match answer.next_token() {
                None => return Ok(None),
                next if next == token.as_deref() => break,
                next => token = next.map(str::to_owned),
            }
        }
        Err(endless(OPERATION))
    }
}

/// Without what moves.
fn discovery_live(service: &aws_sdk_servicediscovery::types::Service) -> Live {
    let mut document = encode(service);
    if let Value::Object(map) = &mut document {
        map.remove("InstanceCount");
    }
    Live { arn: service.arn().map(Arn::from), document, ..Live::default() }
}
