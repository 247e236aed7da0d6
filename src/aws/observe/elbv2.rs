//! ELBv2: load balancers, listeners, rules, target groups.

use super::{Looked, Observer, PAGES_MAX, Seen, absent_on, endless, observed, same};
use crate::aws::call::{Error, Operation};
use crate::aws::pace::Priority;
use crate::aws::wire::encode;
use crate::core::id::{Arn, Kind, ResourceId};
use crate::core::observed::{Facts, Live, Observed};
use aws_sdk_elasticloadbalancingv2::types::Listener;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// The largest page (ELBv2 DescribeRules, PageSize).
const PAGE: i32 = 400;

impl Observer {
    pub(super) async fn load_balancer(&self, name: &str, priority: Priority) -> Looked {
        const OPERATION: Operation = Operation::read("elbv2", "DescribeLoadBalancers");
        let request = self.clients.elbv2.describe_load_balancers().names(name);
        let answer = self.clients.calls.call(OPERATION, priority, request.send()).await;
        let answer = absent_on(answer, "LoadBalancerNotFound")?;
        let found = answer.and_then(|answer| answer.load_balancers().first().cloned());
        Ok(found.map(|found| live(found.load_balancer_arn(), encode(&found))))
    }

    /// The ARN behind a name, believed for a while.
    async fn load_balancer_arn(&self, name: &str, priority: Priority) -> Result<Option<Arn>, Error> {
        let id = ResourceId::new(Kind::LoadBalancer, name);
        if let Some(live) = self.cache.name(&self.scope, &id) {
            return Ok(live.arn.clone());
        }
        let live = self.load_balancer(name, priority).await?;
        if let Some(live) = &live {
            self.cache.keep_name(&self.scope, &id, live.clone());
        }
        Ok(live.and_then(|live| live.arn.clone()))
    }

    pub(super) async fn load_balancer_attributes(&self, name: &str, priority: Priority) -> Looked {
        const OPERATION: Operation = Operation::read("elbv2", "DescribeLoadBalancerAttributes");
        let Some(arn) = self.load_balancer_arn(name, priority).await? else { return Ok(None) };
        let request = self.clients.elbv2.describe_load_balancer_attributes().load_balancer_arn(arn.as_str());
        let answer = self.clients.calls.call(OPERATION, priority, request.send()).await;
        let answer = absent_on(answer, "LoadBalancerNotFound")?;
        Ok(answer.map(|answer| attributes(answer.attributes().iter().map(|a| (a.key(), a.value())))))
    }

    /// Listeners of one load balancer, or one by its ARN.
    pub(super) async fn listeners(&self, ids: &[ResourceId], priority: Priority) -> Seen {
        let Some(first) = ids.first() else { return Seen::new() };
        let all = match self.all_listeners(&first.name, priority).await {
            Ok(all) => all,
            Err(error) => return same(ids, &observed(Err(error))),
        };
        let is_it = |listener: &&Listener, name: &str| match name.rsplit_once(':') {
            _ if Arn::is_arn(name) => listener.listener_arn() == Some(name),
            Some((_, port)) => listener.port().is_some_and(|found| found.to_string() == port),
            None => false,
        };
        let of = |id: &ResourceId| match all.iter().find(|listener| is_it(listener, &id.name)) {
            Some(listener) => Observed::Present(live(listener.listener_arn(), encode(listener))),
            None => Observed::Absent,
        };
        ids.iter().map(|id| (id.clone(), of(id))).collect()
    }

    /// All listeners of a load balancer, by its ARN.
    pub(super) async fn listeners_of(&self, balancer: &str, priority: Priority) -> Looked {
        let all = self.all_listeners(balancer, priority).await?;
        let members = all.iter().map(|listener| live(listener.listener_arn(), encode(listener))).collect();
        Ok(Some(Arc::new(Live { facts: Facts::Members(members), ..Live::default() })))
    }

    async fn all_listeners(&self, name: &str, priority: Priority) -> Result<Vec<Listener>, Error> {
        const OPERATION: Operation = Operation::read("elbv2", "DescribeListeners");
        let request = self.clients.elbv2.describe_listeners();
        let request = if name.contains(":loadbalancer/") {
            request.load_balancer_arn(name)
        } else if Arn::is_arn(name) {
            request.listener_arns(name)
        } else {
            let balancer = name.rsplit_once(':').map_or(name, |(balancer, _)| balancer);
            let Some(arn) = self.load_balancer_arn(balancer, priority).await? else { return Ok(Vec::new()) };
            request.load_balancer_arn(arn.as_str())
        };
        let mut found = Vec::new();
        let mut marker: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let request = request.clone().page_size(PAGE).set_marker(marker.clone());
            let answer = self.clients.calls.call(OPERATION, priority, request.send()).await;
            let gone = if name.contains(":listener/") { "ListenerNotFound" } else { "LoadBalancerNotFound" };
            let Some(answer) = absent_on(answer, gone)? else { return Ok(found) };
            found.extend_from_slice(answer.listeners());
            match answer.next_marker() {
                None => return Ok(found),
                next if next == marker.as_deref() => break,
                next => marker = next.map(str::to_owned),
            }
        }
        Err(endless(OPERATION))
    }

    /// The ARN of a listener; always read, since listeners come and go.
    async fn listener_arn(&self, name: &str, priority: Priority) -> Result<Option<String>, Error> {
        if Arn::is_arn(name) {
            return Ok(Some(name.to_owned()));
        }
        let id = ResourceId::new(Kind::Listener, name);
        if let Some(live) = self.cache.name(&self.scope, &id) {
            return Ok(live.arn.as_ref().map(|arn| arn.as_str().to_owned()));
        }
        let all = self.all_listeners(name, priority).await?;
        let port = name.rsplit_once(':').map_or("", |(_, port)| port);
        let found = all.iter().find(|listener| listener.port().is_some_and(|found| found.to_string() == port));
        let arn = found.and_then(|listener| listener.listener_arn());
        if let Some(arn) = arn {
            self.cache.keep_name(&self.scope, &id, live(Some(arn), Value::Null));
        }
        Ok(arn.map(str::to_owned))
    }

    pub(super) async fn listener_attributes(&self, name: &str, priority: Priority) -> Looked {
        const OPERATION: Operation = Operation::read("elbv2", "DescribeListenerAttributes");
        let Some(arn) = self.listener_arn(name, priority).await? else { return Ok(None) };
        let request = self.clients.elbv2.describe_listener_attributes().listener_arn(arn);
        let answer = self.clients.calls.call(OPERATION, priority, request.send()).await;
        let answer = absent_on(answer, "ListenerNotFound")?;
        Ok(answer.map(|answer| attributes(answer.attributes().iter().map(|a| (a.key(), a.value())))))
    }

    /// "DescribeListenerCertificates lists the default certificate, too", sometimes twice: it is left out.
    pub(super) async fn listener_certificates(&self, name: &str, priority: Priority) -> Looked {
        const OPERATION: Operation = Operation::read("elbv2", "DescribeListenerCertificates");
        let Some(arn) = self.listener_arn(name, priority).await? else { return Ok(None) };
        let (mut found, mut marker) = (Vec::new(), None);
        for _ in 0..PAGES_MAX {
            let request = self.clients.elbv2.describe_listener_certificates().listener_arn(&arn);
            let request = request.page_size(PAGE).set_marker(marker.clone());
            let answer = self.clients.calls.call(OPERATION, priority, request.send()).await;
            let Some(answer) = absent_on(answer, "ListenerNotFound")? else { return Ok(None) };
            let added = answer.certificates().iter().filter(|certificate| certificate.is_default() != Some(true));
            found.extend(added.filter_map(|c| Some(json!({ "CertificateArn": c.certificate_arn()? }))));
            match answer.next_marker() {
                None => return Ok(Some(live(Some(&arn), json!({ "Certificates": found })))),
                next if next == marker.as_deref() => break,
                next => marker = next.map(str::to_owned),
            }
        }
        Err(endless(OPERATION))
    }

    /// All rules of a listener but the default one, which belongs to the listener.
    pub(super) async fn rules(&self, name: &str, priority: Priority) -> Looked {
        const OPERATION: Operation = Operation::read("elbv2", "DescribeRules");
        let Some(listener) = self.listener_arn(name, priority).await? else { return Ok(None) };
        let (mut found, mut marker) = (Vec::new(), None);
        for _ in 0..PAGES_MAX {
            let request = self.clients.elbv2.describe_rules().listener_arn(&listener).page_size(PAGE);
            let request = request.set_marker(marker.clone());
            let answer = self.clients.calls.call(OPERATION, priority, request.send()).await;
            let Some(answer) = absent_on(answer, "ListenerNotFound")? else { return Ok(None) };
            let rules = answer.rules().iter().filter(|rule| rule.is_default() != Some(true));
            found.extend(rules.map(|rule| live(rule.rule_arn(), encode(rule))));
            match answer.next_marker() {
                None => {
                    let facts = Facts::Members(found);
                    return Ok(Some(Arc::new(Live { arn: Some(Arn::from(listener)), facts, ..Live::default() })));
                }
                next if next == marker.as_deref() => break,
                next => marker = next.map(str::to_owned),
            }
        }
        Err(endless(OPERATION))
    }

    pub(super) async fn target_group(&self, name: &str, priority: Priority) -> Looked {
        const OPERATION: Operation = Operation::read("elbv2", "DescribeTargetGroups");
        let request = self.clients.elbv2.describe_target_groups().names(name);
        let answer = self.clients.calls.call(OPERATION, priority, request.send()).await;
        let answer = absent_on(answer, "TargetGroupNotFound")?;
        let found = answer.and_then(|answer| answer.target_groups().first().cloned());
        let found = found.map(|found| live(found.target_group_arn(), encode(&found)));
        if let Some(found) = &found {
            // For its attributes, which are asked for by ARN.
            self.cache.keep_name(&self.scope, &ResourceId::new(Kind::TargetGroup, name), found.clone());
        }
        Ok(found)
    }

    pub(super) async fn target_group_attributes(&self, name: &str, priority: Priority) -> Looked {
        const OPERATION: Operation = Operation::read("elbv2", "DescribeTargetGroupAttributes");
        let known = self.cache.name(&self.scope, &ResourceId::new(Kind::TargetGroup, name));
        let group = match known {
            Some(group) => Some(group),
            None => self.target_group(name, priority).await?,
        };
        let Some(group) = group else { return Ok(None) };
        let arn = group.arn.as_ref().map(Arn::as_str).unwrap_or_default();
        let request = self.clients.elbv2.describe_target_group_attributes().target_group_arn(arn);
        let answer = self.clients.calls.call(OPERATION, priority, request.send()).await;
        let answer = absent_on(answer, "TargetGroupNotFound")?;
        Ok(answer.map(|answer| attributes(answer.attributes().iter().map(|a| (a.key(), a.value())))))
    }
}

fn live(arn: Option<&str>, document: Value) -> Arc<Live> {
    Arc::new(Live { arn: arn.map(Arn::from), document, ..Live::default() })
}

/// Attributes by key.
fn attributes<'a>(pairs: impl Iterator<Item = (Option<&'a str>, Option<&'a str>)>) -> Arc<Live> {
    let pairs = pairs.filter_map(|(key, value)| Some((key?.to_owned(), json!(value.unwrap_or_default()))));
    live(None, Value::Object(pairs.collect::<Map<_, _>>()))
}
