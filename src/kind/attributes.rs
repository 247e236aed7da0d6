//! Attributes of load balancers, listeners and target groups: strings by key, each of which stays until it is set.

use super::settle::against;
use crate::core::action::{Action, Call, Effect, Input};
use crate::core::desired::{Resource, Section};
use crate::core::diff::change;
use crate::core::id::{Kind, ResourceId};
use crate::core::plan::{Look, Output, Planner};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How the attributes of one kind of thing are read and written.
pub(super) struct Spec {
    pub section: Section,
    /// What is read.
    pub kind: Kind,
    /// What writes them.
    pub call: Call,
    /// The field of the input that names the thing.
    pub arn: &'static str,
    /// The value of an attribute that nobody has set; `None` where it is not known.
    pub default: fn(key: &str) -> Option<&'static str>,
}

/// Plans the declared attributes of a thing that exists or is made by a step before.
pub(super) fn plan(planner: &mut Planner<'_>, resource: &Resource, spec: &Spec) {
    let Some(node) = &resource.attributes else { return };
    let path = resource.path.field("attributes");
    let Some(input) = planner.complete(&path.to_string(), node, &BTreeMap::new()) else { return };
    let declared = strings(&input.document);
    let (live, arn) = match planner.outputs.get(&resource.id).cloned() {
        Some(Output::Known(arn)) => {
            // The group behind a name may be a replacement under a derived name.
            let name = read_name(planner, resource);
            match planner.look(&ResourceId::new(spec.kind, name)) {
                Look::Present(live) => (strings(&live.document), Some(arn)),
                Look::Absent => (BTreeMap::new(), Some(arn)),
                Look::Later => return,
            }
        }
        Some(Output::Made(_)) => (BTreeMap::new(), None),
        None => return,
    };
    // Value by key: what is wanted.
    let mut wanted: BTreeMap<&str, &str> =
        declared.iter().filter(|(key, value)| live.get(*key) != Some(*value)).map(|(k, v)| (&**k, &**v)).collect();
    planner.plan.same += declared.len() - wanted.len();
    for (key, value) in live.iter().filter(|(key, _)| arn.is_some() && !declared.contains_key(*key)) {
        match (spec.default)(key).filter(|default| default != value) {
            // A strict service has what nobody declares as AWS fills it in.
            Some(default) if planner.declared.sync.strict => {
                wanted.insert(key, default);
            }
            Some(_) => planner.not_in_git(change(path.key(key.as_str()), Some(value), None)),
            None => {}
        }
    }
    // With the thing itself: that it is made says it all.
    if arn.is_some() {
        let differ = wanted
            .iter()
            .map(|(key, value)| change(path.key(*key), live.get(*key).map(String::as_str), Some(value)))
            .collect();
        let found = planner.change(differ, |_| Effect::NoRestart);
        wanted.retain(|key, _| found.iter().any(|(change, _)| change.path == path.key(*key)));
    }
    if wanted.is_empty() || !planner.may_write(spec.section) {
        return;
    }
    let wanted: Vec<Value> = wanted.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
    let late = match &arn {
        Some(_) => Vec::new(),
        None => vec![(format!("/{}", spec.arn), resource.id.clone())],
    };
    let against =
        arn.as_ref().and_then(|_| against(planner, &ResourceId::new(spec.kind, read_name(planner, resource))));
    let document = json!({ spec.arn: arn.map(|arn| arn.as_str().to_owned()), "Attributes": wanted });
    let action = Action { call: spec.call, target: resource.id.clone(), input: Input { document, late } };
    planner.step(action, Effect::NoRestart, against);
}

fn read_name(planner: &Planner<'_>, resource: &Resource) -> String {
    planner.names.get(&resource.id).cloned().unwrap_or_else(|| resource.id.name.to_string())
}

/// The strings of a mapping.
fn strings(document: &Value) -> BTreeMap<String, String> {
    let all = document.as_object().into_iter().flatten();
    all.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}
