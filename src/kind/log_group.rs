//! CloudWatch log groups: retention and key.

use super::settle::{self, against, complete, fields};
use crate::core::action::{Action, Call, Effect};
use crate::core::desired::{Resource, Section, own};
use crate::core::diff::change;
use crate::core::id::Kind;
use crate::core::plan::{Look, Planner, declared_tags};
use serde_json::{Value, json};

/// Plans the log groups that a service declares.
pub fn plan(planner: &mut Planner<'_>) {
    for resource in planner.declared.of(Kind::LogGroup) {
        one(planner, resource);
    }
}

fn one(planner: &mut Planner<'_>, resource: &Resource) {
    let Some(input) = complete(planner, resource) else { return };
    let written = &input.document;
    let name = &*resource.id.name;
    match planner.look(&resource.id) {
        Look::Later => {}
        Look::Absent if !settle::may_create(planner, Section::Logs, resource) => {}
        Look::Absent => {
            let mut tags = declared_tags(written);
            tags.extend(planner.owner_tags());
            let mut document = json!({ "logGroupName": name, "tags": tags });
            if let (Value::Object(map), Some(key)) = (&mut document, written.get("kmsKeyId")) {
                map.insert("kmsKeyId".into(), key.clone());
            }
            let against = against(planner, &resource.id);
            planner.step(Action::new(Call::CreateLogGroup, resource.id.clone(), document), Effect::NoRestart, against);
            if let Some(days) = written.get("retentionInDays") {
                let document = json!({ "logGroupName": name, "retentionInDays": days });
                planner.step(
                    Action::new(Call::PutRetentionPolicy, resource.id.clone(), document),
                    Effect::NoRestart,
                    None,
                );
            }
        }
        Look::Present(live) => {
            planner.exists(&resource.id, &live);
            let settings = settle::without(written, &["tags"]);
            let mut now = live.document.clone();
            // No call here takes a key away: one that only AWS has is said, and strict or not it stays.
            if let (None, Value::Object(now)) = (written.get("kmsKeyId"), &mut now)
                && let Some(Value::String(theirs)) = now.remove("kmsKeyId")
            {
                planner.not_in_git(change(resource.path.field("kmsKeyId"), Some(&theirs), None));
            }
            let found = settle::compare(planner, &resource.path, own::log_group(), &settings, &settings, &now);
            let found = fields(&resource.path, &found);
            if !found.is_empty() && planner.may_write(Section::Logs) {
                for (field, call) in
                    [("retentionInDays", Call::PutRetentionPolicy), ("kmsKeyId", Call::AssociateKmsKey)]
                {
                    if let (true, Some(value)) = (found.contains(&field), written.get(field)) {
                        let document = json!({ "logGroupName": name, field: value });
                        settle::update(planner, call, &resource.id, document, Vec::new());
                    }
                }
                if found.contains(&"retentionInDays") && written.get("retentionInDays").is_none() {
                    let document = json!({ "logGroupName": name });
                    settle::update(planner, Call::DeleteRetentionPolicy, &resource.id, document, Vec::new());
                }
            }
            settle::tag(planner, Section::Logs, &resource.path, &resource.id, live.arn.as_ref(), written);
        }
    }
}
