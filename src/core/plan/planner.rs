//! What a kind uses to plan: looking things up, completing documents, adding steps, holds and notes.

use super::{Against, Cause, Hold, Inputs, Memory, Note, ServicePlan, Step, policy_holds};
use crate::core::action::{Action, Effect, Input};
use crate::core::desired::Declared;
use crate::core::diff::{Change, Path, change};
use crate::core::document::{Node, Part, Tree, pointer};
use crate::core::id::{Arn, Kind, ResourceId, StepId};
use crate::core::observed::{Facts, Live, Observed};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The tag that says from which declaration a service was last brought up to date. A difference while the declaration
/// is still the same is drift.
pub const APPLIED_TAG: &str = "driftless:applied";
/// The tag that says which declaration ECS could not bring up: it is not tried again, also by a process that was started
/// since.
pub const FAILED_TAG: &str = "driftless:failed";
/// The tag with the digest of a task definition revision's content, by which it is found again.
pub const CONTENT_TAG: &str = "driftless:content";
/// The tag that names the environment that made a thing.
pub const ENVIRONMENT_TAG: &str = "driftless:environment";

/// Where the ARN of a planned thing comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// It exists.
    Known(Arn),
    /// A step makes it.
    Made(StepId),
}

/// What a look at the snapshot shows.
pub enum Look {
    /// It is there.
    Present(Arc<Live>),
    /// It is not there.
    Absent,
    /// Not known yet, or not readable: there is nothing to plan now. The planner has noted why.
    Later,
}

/// The planning of one service.
pub struct Planner<'p> {
    /// What the plan is made from.
    pub inputs: &'p Inputs<'p>,
    /// The service.
    pub declared: &'p Declared,
    /// What is remembered of it.
    pub memory: Memory,
    /// The plan so far.
    pub plan: ServicePlan,
    /// The ARNs of what the kinds before have planned.
    pub outputs: BTreeMap<ResourceId, Output>,
    wanted: BTreeSet<ResourceId>,
    /// Set when something was unreadable or is still to be read: an empty plan then means nothing.
    blind: bool,
}

impl<'p> Planner<'p> {
    pub(super) fn new(inputs: &'p Inputs<'p>, declared: &'p Declared, memory: Memory) -> Self {
        let plan = ServicePlan {
            id: inputs.desired.service_id(&declared.name),
            file: declared.file.clone(),
            cause: Cause::InSync,
            changes: Vec::new(),
            steps: Vec::new(),
            holds: Vec::new(),
            notes: declared.not_converged.iter().map(|(section, _)| Note::NotConverged { section }).collect(),
            same: 0,
            digest: declared.digest.clone(),
            task_definition: None,
        };
        let (outputs, wanted) = (BTreeMap::new(), BTreeSet::new());
        Self { inputs, declared, memory, plan, outputs, wanted, blind: false }
    }

    /// Looks at a thing; asks for it to be read where nobody has, and holds the plan where it could not be.
    pub fn look(&mut self, id: &ResourceId) -> Look {
        match self.inputs.snapshot.get(id) {
            Some(Observed::Present(live)) => Look::Present(live.clone()),
            Some(Observed::Absent) => Look::Absent,
            Some(Observed::Unknown { why }) => {
                self.blind = true;
                self.hold(Hold::Unreadable { id: id.clone(), why: why.clone() });
                Look::Later
            }
            None => {
                self.blind = true;
                self.wanted.insert(id.clone());
                Look::Later
            }
        }
    }

    /// The service's own resource.
    pub fn service_resource(&self) -> ResourceId {
        ResourceId::new(Kind::Service, self.declared.name.as_str())
    }

    /// Adds a hold, once.
    pub fn hold(&mut self, hold: Hold) {
        if !self.plan.holds.contains(&hold) {
            self.plan.holds.push(hold);
        }
    }

    /// Adds differences with their effects, but for those that the service ignores.
    pub fn change(&mut self, changes: Vec<Change>, effect: impl Fn(&Change) -> Effect) -> bool {
        let ignored = |change: &Change| self.declared.sync.ignore.iter().any(|path| change.path.is_below(path));
        let before = self.plan.changes.len();
        self.plan.changes.extend(changes.into_iter().filter(|c| !ignored(c)).map(|change| {
            let effect = effect(&change);
            (change, effect)
        }));
        self.plan.changes.len() > before
    }

    /// Adds a step behind all steps that make what it needs; gives its id.
    pub fn step(&mut self, action: Action, effect: Effect, against: Option<Against>) -> StepId {
        let what = action.target().kind.words();
        let id = StepId::new(format!("{}/{} {what}", self.declared.name, action.operation()));
        let needs = action.input().map(|input| input.late.as_slice()).unwrap_or_default();
        let mut after: Vec<StepId> = needs
            .iter()
            .filter_map(|(_, needed)| match self.outputs.get(needed) {
                Some(Output::Made(step)) => Some(step.clone()),
                Some(Output::Known(_)) | None => None,
            })
            .collect();
        // Of one service's steps each waits for the one before it: one write at a time.
        after.extend(self.plan.steps.last().map(|step| step.id.clone()));
        after.dedup();
        self.plan.steps.push(Step { id: id.clone(), action, effect, after, against });
        id
    }

    /// The document with every name resolved; `None` when something is missing, unreadable or still to be read.
    /// `live` gives the live values of environment variables, by container and name.
    pub fn complete(&mut self, section: &str, node: &Node, live: &BTreeMap<(String, String), String>) -> Option<Input> {
        let mut input = Input::default();
        let mut complete = true;
        let mut at = Vec::new();
        input.document = self.completed(section, &mut at, node, live, &mut input.late, &mut complete);
        complete.then_some(input)
    }

    /// `at` is the way to `node`; it is written out only for the few values that have to be looked up.
    fn completed<'n>(
        &mut self,
        section: &str,
        at: &mut Vec<Cow<'n, str>>,
        node: &'n Node,
        live: &BTreeMap<(String, String), String>,
        late: &mut Vec<(String, ResourceId)>,
        complete: &mut bool,
    ) -> Value {
        match &node.tree {
            Tree::List(items) => {
                let mut completed = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    at.push(Cow::Owned(index.to_string()));
                    completed.push(self.completed(section, at, item, live, late, complete));
                    at.pop();
                }
                Value::Array(completed)
            }
            Tree::Map(entries) => {
                let mut completed = Map::new();
                for entry in entries.iter().filter(|entry| entry.node.tree != Tree::Null) {
                    at.push(Cow::Borrowed(&entry.key));
                    completed.insert(entry.key.clone(), self.completed(section, at, &entry.node, live, late, complete));
                    at.pop();
                }
                Value::Object(completed)
            }
            Tree::Template(parts) => {
                let named_by = at.iter().fold(section.to_owned(), |text, step| format!("{text}.{step}"));
                let mut text = String::new();
                for part in parts {
                    match self.part(part, &named_by, live) {
                        Some(Ok(value)) => text.push_str(&value),
                        Some(Err(made)) => {
                            late.push((at.iter().fold(String::new(), |at, step| pointer(&at, step)), made));
                        }
                        None => *complete = false,
                    }
                }
                Value::String(text)
            }
            Tree::Null | Tree::Bool(_) | Tree::Number(_) | Tree::Text(_) => node.to_value(),
        }
    }

    /// The text of a part, or the thing that a step makes whose ARN it will be.
    fn part(
        &mut self,
        part: &Part,
        named_by: &str,
        live: &BTreeMap<(String, String), String>,
    ) -> Option<Result<String, ResourceId>> {
        let named_by = named_by.to_owned();
        match part {
            Part::Text(text) => Some(Ok(text.clone())),
            Part::Live { container, variable } => match live.get(&(container.clone(), variable.clone())) {
                Some(value) => Some(Ok(value.clone())),
                None => {
                    self.hold(Hold::NothingToKeep { container: container.clone(), variable: variable.clone() });
                    None
                }
            },
            Part::Arn(id) => match self.outputs.get(id) {
                Some(Output::Known(arn)) => Some(Ok(arn.as_str().to_owned())),
                Some(Output::Made(_)) => Some(Err(id.clone())),
                None => match self.look(id) {
                    Look::Present(live) => live.arn.as_ref().map(|arn| Ok(arn.as_str().to_owned())),
                    Look::Absent => {
                        self.hold(Hold::Missing { id: id.clone(), named_by });
                        None
                    }
                    Look::Later => None,
                },
            },
            Part::Value(id) => match self.look(id) {
                Look::Present(live) => match &live.facts {
                    Facts::Value(value) => Some(Ok(value.clone())),
                    Facts::None | Facts::Family(_) | Facts::Revision { .. } | Facts::Service(_) => None,
                },
                Look::Absent => {
                    self.hold(Hold::Missing { id: id.clone(), named_by });
                    None
                }
                Look::Later => None,
            },
        }
    }

    /// The tags that `document` declares and that `live` lacks or has otherwise; each becomes a change. Tags that git
    /// does not name are somebody else's.
    pub fn missing_tags(&mut self, section: &'static str, document: &Value, live: &Live) -> BTreeMap<String, String> {
        let text = |tag: &Value, key: &str| tag.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let declared = document.get("tags").and_then(Value::as_array).into_iter().flatten();
        let missing: BTreeMap<String, String> = declared
            .map(|tag| (text(tag, "key"), text(tag, "value")))
            .filter(|(key, value)| live.tags.get(key) != Some(value))
            .collect();
        let path = Path::section(section).field("tags");
        let of = |(key, value): (&String, &String)| {
            change(path.key(key.as_str()), live.tags.get(key).map(String::as_str), Some(value))
        };
        self.change(missing.iter().map(of).collect(), |_| Effect::NoRestart);
        missing
    }

    /// The tags that everything gets which is made here.
    pub fn made_tags(&self) -> BTreeMap<String, String> {
        let environment = &self.inputs.desired.environment.name;
        BTreeMap::from([(ENVIRONMENT_TAG.to_owned(), environment.as_str().to_owned())])
    }

    /// Why ECS could not bring up what git says, if it could not: remembered, or written as a tag.
    pub fn failed_before(&self) -> Option<String> {
        if let Some((digest, reason)) = &self.memory.failed
            && *digest == self.plan.digest
        {
            return Some(reason.clone());
        }
        let tag = self.inputs.snapshot.live(&self.service_resource())?.tags.get(FAILED_TAG)?;
        // Who asks for it now may try again.
        let same = *tag == self.applied_tag() && !self.inputs.policy.asked;
        same.then(|| "ECS could not bring it up".to_owned())
    }

    /// What [`APPLIED_TAG`] holds once this plan is done.
    pub fn applied_tag(&self) -> String {
        self.plan.short_digest()
    }

    /// Whether what git says now was applied before, so that a difference is drift.
    pub fn applied_already(&self) -> bool {
        let live = self.inputs.snapshot.live(&self.service_resource());
        let tagged = live.is_some_and(|live| live.tags.get(APPLIED_TAG).is_some_and(|tag| *tag == self.applied_tag()));
        tagged || self.memory.applied.as_ref() == Some(&self.plan.digest)
    }

    pub(super) fn finish(mut self) -> (ServicePlan, BTreeSet<ResourceId>) {
        self.plan.cause = self.cause();
        let holds = policy_holds(&self.plan, self.declared, self.inputs.policy, &self.memory, self.inputs.now);
        self.plan.holds.extend(holds);
        if self.wanted.is_empty() {
            self.plan.check();
        }
        (self.plan, self.wanted)
    }

    /// Deploy and drift are told apart by what was last applied: remembered, or written as a tag.
    fn cause(&self) -> Cause {
        let nothing = self.plan.steps.is_empty() && self.plan.changes.is_empty();
        let there = self
            .inputs
            .snapshot
            .live(&self.service_resource())
            .is_some_and(|live| !matches!(&live.facts, Facts::Service(facts) if facts.status == "INACTIVE"));
        match () {
            () if !there => {
                if self.blind {
                    Cause::Unknown
                } else {
                    Cause::Create
                }
            }
            () if nothing && self.blind => Cause::Unknown,
            () if nothing && !self.plan.holds.is_empty() => Cause::Blocked,
            () if nothing => Cause::InSync,
            () if self.applied_already() => Cause::Drift,
            () => Cause::Deploy,
        }
    }
}
