//! What the kinds beside task definition and service have in common: a declared document and a live one, compared.

use super::service::settings_digest;
use crate::core::action::{Action, Call, Effect, Input};
use crate::core::desired::{Resource, Section};
use crate::core::diff::{Change, Managed, Path, change, diff_at};
use crate::core::id::{Arn, ResourceId};
use crate::core::observed::{Facts, Live, Observed};
use crate::core::plan::{Against, Hold, Planner, declared_tags};
use crate::core::shape::{Shape, Shapes};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The digest of a thing by which a step knows that nothing has changed since it was planned; `None` when it is gone.
pub fn digest_of(live: &Live, shapes: &Shapes) -> Option<String> {
    match &live.facts {
        // An INACTIVE service is gone, its name is free (DeleteService).
        Facts::Service(facts) if facts.status == "INACTIVE" => None,
        Facts::Service(_) => Some(settings_digest(live, shapes.create_service)),
        _ => Some(live.digest()),
    }
}

/// What a step on `id` is planned against: how it was read.
pub(super) fn against(planner: &Planner<'_>, id: &ResourceId) -> Option<Against> {
    let digest = match planner.inputs.snapshot.get(id)? {
        Observed::Present(live) => digest_of(live, planner.inputs.shapes),
        Observed::Absent => None,
        Observed::Unknown { .. } => return None,
    };
    Some(Against { id: id.clone(), digest })
}

/// The input of a declared thing with every name resolved.
pub(super) fn complete(planner: &mut Planner<'_>, resource: &Resource) -> Option<Input> {
    planner.complete(&resource.path.to_string(), &resource.input, &BTreeMap::new())
}

/// Compares what is written with what is live; both in the one form of their kind. Gives the changes that count.
pub(super) fn compare(
    planner: &mut Planner<'_>,
    path: &Path,
    shape: Shape,
    written: &Value,
    desired: &Value,
    live: &Value,
) -> Vec<(Change, Effect)> {
    let found = diff_at(path.clone(), shape, Managed::Declared(written), desired, live);
    planner.found(found, |_| Effect::NoRestart)
}

/// The fields of the thing at `path` that the changes lie in, each once, in their order.
pub(super) fn fields(path: &Path, changes: &[(Change, Effect)]) -> Vec<&'static str> {
    let mut fields: Vec<&'static str> =
        changes.iter().filter_map(|(change, _)| change.path.top_of(path.steps())).collect();
    fields.dedup();
    fields
}

/// Of `fields`, those in `fixed` hold the plan: the thing would have to be made anew.
pub(super) fn immutable(planner: &mut Planner<'_>, id: &ResourceId, fields: &[&str], fixed: &[&str]) -> bool {
    let found: Vec<String> = fields
        .iter()
        .filter(|field| fixed.contains(field))
        .map(|field| crate::core::shape::lower_first(field))
        .collect();
    if found.is_empty() {
        return false;
    }
    planner.hold(Hold::Immutable { id: id.clone(), fields: found });
    true
}

/// Whether something that is not there may be made. Where somebody took it away and git's drift policy only reports that,
/// it is shown.
pub(super) fn may_create(planner: &mut Planner<'_>, section: Section, resource: &Resource) -> bool {
    if planner.may_write(section) {
        return true;
    }
    let missing = change(resource.path.clone(), None, Some(resource.id.kind.words()));
    planner.change(vec![missing], |_| Effect::NoRestart);
    false
}

/// The document without these fields.
pub(super) fn without(document: &Value, fields: &[&str]) -> Value {
    let mut document = document.clone();
    if let Value::Object(map) = &mut document {
        map.retain(|key, _| !fields.contains(&key.as_str()));
    }
    document
}

/// The document with only these fields.
pub(super) fn only(document: &Value, fields: &[&str]) -> Map<String, Value> {
    let all = document.as_object().into_iter().flatten();
    all.filter(|(key, _)| fields.contains(&key.as_str())).map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// `over` upon `base`: structures deeply, everything else whole: free keys that git does not name are drift, and of a
/// union one alternative is set. For calls that replace: what git leaves out stays.
pub(super) fn laid_over(shape: Shape, base: &Value, over: &Value) -> Value {
    match (shape, base, over) {
        (Shape::Struct { .. }, Value::Object(base), Value::Object(over)) => {
            let mut merged = base.clone();
            for (key, value) in over {
                let value = match (shape.field(key), base.get(key)) {
                    (Some(field), Some(base)) => laid_over((field.shape)(), base, value),
                    _ => value.clone(),
                };
                merged.insert(key.clone(), value);
            }
            Value::Object(merged)
        }
        _ => over.clone(),
    }
}

/// `written` upon what is live, for calls that replace: what git leaves out stays unless it is strict, and what it ignores
/// stays always.
pub(super) fn over(planner: &Planner<'_>, path: &Path, shape: Shape, live: &Value, written: &Value) -> Value {
    let (Shape::Struct { .. }, Value::Object(live), Value::Object(ours)) = (shape, live, written) else {
        return written.clone();
    };
    let mut merged = Map::new();
    for (key, theirs) in live {
        let at = path.key(key.as_str());
        match ours.get(key) {
            _ if planner.ignores(&at) => merged.insert(key.clone(), theirs.clone()),
            Some(ours) => {
                let shape = shape.field(key).map_or(Shape::FreeForm, |field| (field.shape)());
                merged.insert(key.clone(), over(planner, &at, shape, theirs, ours))
            }
            None if !planner.declared.sync.strict => merged.insert(key.clone(), theirs.clone()),
            None => None,
        };
    }
    let new = ours.iter().filter(|(key, _)| !live.contains_key(*key) && !planner.ignores(&path.key(key.as_str())));
    merged.extend(new.map(|(key, value)| (key.clone(), value.clone())));
    Value::Object(merged)
}

/// What is sent of `fields`: as git says it or, where only AWS has a value that a strict service takes away, as AWS would
/// fill it in.
pub(super) fn sent(written: &Value, desired: &Value, fields: &[&str]) -> Map<String, Value> {
    let mut sent = only(desired, fields);
    sent.extend(only(written, fields));
    sent
}

/// Adds the tags by which the thing is known as ours to an input that takes `Tags` as keys and values.
pub(super) fn owned(planner: &Planner<'_>, document: &mut Value) {
    let Value::Object(map) = document else { return };
    let mut tags = declared_tags(&Value::Object(map.clone()));
    tags.extend(planner.owner_tags());
    let pairs = tags.into_iter().map(|(key, value)| json!({ "Key": key, "Value": value }));
    map.insert("Tags".into(), pairs.collect());
}

/// The step that sets declared tags which are missing. They are looked at only where git declares any.
pub(super) fn tag(
    planner: &mut Planner<'_>,
    section: Section,
    path: &Path,
    id: &ResourceId,
    arn: Option<&Arn>,
    document: &Value,
) {
    let Some(arn) = arn.filter(|_| !declared_tags(document).is_empty()) else { return };
    let Some(live) = planner.tags_of(arn) else { return };
    let missing = planner.missing_tags(path, document, &live);
    if missing.is_empty() || !planner.may_write(section) {
        return;
    }
    if let Some(action) = Action::tag(id.clone(), arn, &missing) {
        planner.step(action, Effect::NoRestart, None);
    }
}

/// A step on something that exists.
pub(super) fn update(planner: &mut Planner<'_>, call: Call, id: &ResourceId, document: Value, late: Late) {
    let against = against(planner, id);
    let input = Input { document, late };
    planner.step(Action { call, target: id.clone(), input }, Effect::NoRestart, against);
}

/// JSON pointers into an input, each with the thing whose ARN belongs there.
pub(super) type Late = Vec<(String, ResourceId)>;

/// Those of `late` that lie in these fields of the document.
pub(super) fn late_in(late: &Late, fields: &[&str]) -> Late {
    let inside = |at: &String| at.split('/').nth(1).is_some_and(|field| fields.contains(&field));
    late.iter().filter(|(at, _)| inside(at)).cloned().collect()
}
