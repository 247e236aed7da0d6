//! What a kind uses to plan: looking things up, completing documents, adding steps, holds and notes.

use super::{Against, Cause, Hold, Inputs, Memory, Note, ServicePlan, Step, policy_holds, short_digest};
use crate::core::act::Act;
use crate::core::action::{Action, Call, Effect, Input};
use crate::core::before::Before;
use crate::core::desired::{Declared, Section, Workload};
use crate::core::diff::{Change, Differences, Path, Shown, change};
use crate::core::document::{Node, Part, Tree, pointer};
use crate::core::id::{Arn, Kind, ResourceId, ServiceName, StepId};
use crate::core::observed::{Facts, Live, Observed};
use crate::core::pause::Pause;
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;

/// The tag that says from which declaration a service was last brought up to date. A difference while the declaration
/// is still the same is drift.
pub const APPLIED_TAG: &str = "driftless:applied";
/// The tag that says which declaration ECS could not bring up: it is not tried again, also by a process that was started
/// since.
pub const FAILED_TAG: &str = "driftless:failed";
/// What [`FAILED_TAG`] holds when nothing is known to have failed any more.
const FAILED_ENDED: &str = "-";
/// What is said of a failure of which only the tag is known.
pub const FAILED_UNTOLD: &str = "ECS could not bring it up";
/// The tag with the digest of a task definition revision's content, by which it is found again.
pub const CONTENT_TAG: &str = "driftless:content";
/// The tag with the commit that a task definition revision was registered for.
pub const COMMIT_TAG: &str = "driftless:commit";
/// The tag that names the service whose documents a thing was made from.
pub const SERVICE_TAG: &str = "driftless:service";
/// The tag that names the environment that made a thing.
pub const ENVIRONMENT_TAG: &str = "driftless:environment";

/// What [`FAILED_TAG`] holds once somebody has asked that a declaration, by its whole digest, is tried once more.
pub fn retry_tag(digest: &str, asked: Timestamp) -> String {
    format!("retry {} {}", short_digest(digest), asked.as_millisecond())
}

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

/// What [`APPLIED_TAG`] says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The beginning of the declaration's digest.
    pub digest: String,
    /// The commit that it was last written from.
    pub commit: Option<String>,
    /// Whether the declaration had `sync.prune: true`.
    pub prune: bool,
}

impl Applied {
    /// Reads it from a service's tags.
    pub fn of(tags: &BTreeMap<String, String>) -> Option<Self> {
        let mut words = tags.get(APPLIED_TAG)?.split(' ');
        let digest = words.next()?.to_owned();
        let (mut commit, mut prune) = (None, false);
        for word in words {
            match word {
                "prune" => prune = true,
                word => commit = Some(word.to_owned()),
            }
        }
        Some(Self { digest, commit, prune })
    }
}

/// Words between blanks: the digest, the commit where there is one, `prune`.
impl std::fmt::Display for Applied {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { digest, commit, prune } = self;
        f.write_str(digest)?;
        commit.iter().try_for_each(|commit| write!(f, " {commit}"))?;
        if *prune { f.write_str(" prune") } else { Ok(()) }
    }
}

/// A thing that another one takes over from, and that still stands beside it.
#[derive(Debug, Clone)]
pub struct Moving {
    /// The thing that makes way.
    pub old: Arn,
}

/// Not known yet, or not readable.
struct Later;

/// The tags that a document declares: AWS's list of keys and values in either spelling, or a mapping.
pub fn declared_tags(document: &Value) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    match document.get("tags").or_else(|| document.get("Tags")) {
        Some(Value::Object(map)) => map.iter().filter_map(|(key, value)| Some((key.clone(), text(value)?))).collect(),
        Some(Value::Array(pairs)) => {
            let member =
                |pair: &Value, lower: &str, upper: &str| pair.get(lower).or_else(|| pair.get(upper)).and_then(text);
            let pair =
                |pair: &Value| Some((member(pair, "key", "Key")?, member(pair, "value", "Value").unwrap_or_default()));
            pairs.iter().filter_map(pair).collect()
        }
        _ => BTreeMap::new(),
    }
}

/// What [`SERVICE_TAG`] says of a unit's things. Tag values may hold no parentheses (ELBv2 AddTags, "Tag restrictions").
pub fn owner(unit: &ServiceName) -> &str {
    if unit.is_shared() { "environment" } else { unit.as_str() }
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
    /// The name under which a declared thing is found, where that is not the one git gives it.
    pub names: BTreeMap<ResourceId, String>,
    /// Whether something goes on that an earlier pass began, over several passes: what differs is no drift.
    pub under_way: bool,
    /// Whether AWS shows that an earlier pass began what goes on.
    pub begun: bool,
    /// Things that take over from others.
    pub moving: BTreeMap<ResourceId, Moving>,
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
            notes: Vec::new(),
            same: 0,
            digest: declared.digest.clone(),
            task_definition: None,
            paused: None,
            rolled_back: None,
            before: Before::default(),
            chores: Vec::new(),
            act: None,
        };
        Self {
            inputs,
            declared,
            memory,
            plan,
            outputs: BTreeMap::new(),
            names: BTreeMap::new(),
            under_way: false,
            begun: false,
            moving: BTreeMap::new(),
            wanted: BTreeSet::new(),
            blind: false,
        }
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

    /// The same for what only tells more: that it cannot be read holds nothing, and it counts as absent.
    pub fn look_if_readable(&mut self, id: &ResourceId) -> Look {
        match self.inputs.snapshot.get(id) {
            Some(Observed::Unknown { .. }) => Look::Absent,
            _ => self.look(id),
        }
    }

    /// The ECS service with its task definition; nothing where what an environment shares is planned.
    pub fn workload(&self) -> Option<&'p Workload> {
        self.declared.workload.as_ref()
    }

    /// The tags of a thing outside of ECS, where its own answer does not hold them.
    pub fn tags_of(&mut self, arn: &Arn) -> Option<BTreeMap<String, String>> {
        match self.look(&ResourceId::new(Kind::Tags, arn.as_str())) {
            Look::Present(live) => Some(live.tags.clone()),
            Look::Absent => Some(BTreeMap::new()),
            Look::Later => None,
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

    /// Adds a note, once.
    pub fn note(&mut self, note: Note) {
        if !self.plan.notes.contains(&note) {
            self.plan.notes.push(note);
        }
    }

    /// Whether git says that this path is not compared (`sync.ignore`).
    pub fn ignores(&self, path: &Path) -> bool {
        self.declared.sync.ignore.iter().any(|ignored| path.is_below(ignored))
    }

    /// Says of a value that only AWS has that git does not have it, unless it is ignored.
    pub fn not_in_git(&mut self, change: Change) {
        // What AWS does not have nobody has set there.
        if change.live != Shown::Absent && !self.ignores(&change.path) {
            self.note(Note::NotInGit { change });
        }
    }

    /// Adds differences with their effects, but for those that the service ignores; gives those that were added.
    pub fn change(&mut self, changes: Vec<Change>, effect: impl Fn(&Change) -> Effect) -> Vec<(Change, Effect)> {
        let with_effect = |change: Change| {
            let effect = effect(&change);
            (change, effect)
        };
        let added: Vec<_> = changes.into_iter().filter(|change| !self.ignores(&change.path)).map(with_effect).collect();
        self.plan.changes.extend(added.iter().cloned());
        added
    }

    /// Takes in what a comparison found: what is declared and differs is a change, and so is what only AWS has where the
    /// service is strict; otherwise that is a note.
    pub fn found(&mut self, found: Differences, effect: impl Fn(&Change) -> Effect) -> Vec<(Change, Effect)> {
        let Differences { mut changes, mut undeclared, same } = found;
        self.plan.same += same;
        // What AWS would fill in and does not hold is nobody's setting.
        undeclared.retain(|change| change.live != Shown::Absent);
        if self.declared.sync.strict {
            changes.extend(undeclared);
        } else {
            undeclared.into_iter().for_each(|change| self.not_in_git(change));
        }
        self.change(changes, effect)
    }

    /// Whether a difference in this section may be put right: not where git's drift policy only reports it. Where all of
    /// the service is only reported, that is a hold of the whole plan instead.
    pub fn may_write(&mut self, section: Section) -> bool {
        let reported = &self.declared.sync.reported;
        let some = reported.contains(&section) && reported.len() < Section::ALL.len();
        if !some || self.inputs.policy.asked || self.under_way || !self.applied_already() {
            return true;
        }
        self.note(Note::DriftReported { section });
        false
    }

    /// Adds a step behind all steps that make what it needs; gives its id.
    pub fn step(&mut self, action: Action, effect: Effect, against: Option<Against>) -> StepId {
        let id = StepId::new(format!("{}/{} {}", self.declared.name, action.call.operation(), action.target));
        let after = self.after(&action);
        self.plan.steps.push(Step { id: id.clone(), action, effect, after, against });
        id
    }

    /// What an action waits for that comes behind the steps so far.
    fn after(&self, action: &Action) -> Vec<StepId> {
        let made = |(_, needed): &(String, ResourceId)| match self.outputs.get(needed) {
            Some(Output::Made(step)) => Some(step.clone()),
            Some(Output::Known(_)) | None => None,
        };
        let mut after: Vec<StepId> = action.input.late.iter().filter_map(made).collect();
        // Of one service's steps each waits for the one before it: one write at a time.
        after.extend(self.plan.steps.last().map(|step| step.id.clone()));
        after.dedup();
        after
    }

    /// Adds steps in front of all but those that they need: what makes the ARNs that they lack, and log groups, since a task
    /// whose group is missing does not start.
    pub fn first(&mut self, actions: Vec<Action>) {
        let late = |action: &Action| action.input.late.iter().map(|(_, id)| id.clone()).collect::<Vec<_>>();
        let mut needed: BTreeSet<ResourceId> = actions.iter().flat_map(late).collect();
        let (mut front, mut rest) = (Vec::new(), Vec::new());
        for step in std::mem::take(&mut self.plan.steps).into_iter().rev() {
            if step.action.target.kind == Kind::LogGroup || needed.contains(&step.action.target) {
                needed.extend(late(&step.action));
                front.push(step);
            } else {
                rest.push(step);
            }
        }
        for step in front.into_iter().rev() {
            let after = self.after(&step.action);
            self.plan.steps.push(Step { after, ..step });
        }
        for action in actions {
            self.step(action, Effect::NoRestart, None);
        }
        for step in rest.into_iter().rev() {
            let after = self.after(&step.action);
            self.plan.steps.push(Step { after, ..step });
        }
    }

    /// Adds what is tidied up when nothing else is to be done.
    pub fn chore(&mut self, action: Action, against: Option<Against>) {
        let id = StepId::new(format!("{}/{} {}", self.declared.name, action.call.operation(), action.target));
        let after = self.plan.chores.last().map(|step| step.id.clone()).into_iter().collect();
        self.plan.chores.push(Step { id, action, effect: Effect::NoRestart, after, against });
    }

    /// Adds a step that makes a thing: later steps may name it before it has an ARN.
    pub fn make(&mut self, action: Action, effect: Effect, against: Option<Against>) {
        let target = action.target.clone();
        let step = self.step(action, effect, against);
        self.outputs.insert(target, Output::Made(step));
    }

    /// Notes that a planned thing exists.
    pub fn exists(&mut self, id: &ResourceId, live: &Live) {
        if let Some(arn) = &live.arn {
            self.outputs.insert(id.clone(), Output::Known(arn.clone()));
        }
    }

    /// The ARN of a thing, as far as it is known.
    pub fn known(&self, id: &ResourceId) -> Option<Arn> {
        match self.outputs.get(id) {
            Some(Output::Known(arn)) => Some(arn.clone()),
            Some(Output::Made(_)) => None,
            None => self.inputs.snapshot.live(id).and_then(|live| live.arn.clone()),
        }
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
                            let _ = write!(text, "(ARN of {made})");
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
                None => match self.arn_of(id) {
                    Ok(Some(arn)) => Some(Ok(arn.as_str().to_owned())),
                    Ok(None) => {
                        self.missing(id, named_by);
                        None
                    }
                    Err(Later) => None,
                },
            },
            Part::Value(id) => match self.look(id) {
                Look::Present(live) => match &live.facts {
                    Facts::Value(value) => Some(Ok(value.clone())),
                    _ => None,
                },
                Look::Absent => {
                    self.missing(id, named_by);
                    None
                }
                Look::Later => None,
            },
        }
    }

    /// Something that is named is not there: another file makes it, or nobody does.
    pub fn missing(&mut self, id: &ResourceId, named_by: String) {
        // What this file makes and could not plan yet: why is noted already.
        if self.declared.resource(id).is_some() && (self.blind || !self.plan.holds.is_empty()) {
            return;
        }
        let declarer = self.inputs.desired.declarer(id).filter(|other| other.name != self.declared.name);
        self.hold(match declarer {
            Some(other) => Hold::WaitsFor { service: other.name.clone(), id: Some(id.clone()) },
            None => Hold::Missing { id: id.clone(), named_by },
        });
    }

    /// The ARN of something that this plan does not make.
    fn arn_of(&mut self, id: &ResourceId) -> Result<Option<Arn>, Later> {
        // These are read many at a time.
        let (all, field, name) = match (id.kind, id.name.rsplit_once('/'), id.name.split_once('/')) {
            (Kind::ListenerRule, Some((listener, priority)), _) => {
                (ResourceId::new(Kind::ListenerRules, listener), "Priority", priority)
            }
            (Kind::ScalingPolicy, _, Some((service, name))) => {
                (ResourceId::new(Kind::ScalingPolicies, service), "PolicyName", name)
            }
            _ => {
                return match self.look(id) {
                    Look::Present(live) => Ok(live.arn.clone()),
                    Look::Absent => Ok(None),
                    Look::Later => Err(Later),
                };
            }
        };
        let is_it = |member: &&Arc<Live>| member.document.get(field).and_then(Value::as_str) == Some(name);
        match self.look(&all) {
            Look::Present(live) => Ok(live.members().iter().find(is_it).and_then(|member| member.arn.clone())),
            Look::Absent => Ok(None),
            Look::Later => Err(Later),
        }
    }

    /// The tags that `document` declares and that `live` lacks or has otherwise; each becomes a change. Tags that git
    /// does not name are somebody else's.
    pub fn missing_tags(
        &mut self,
        path: &Path,
        document: &Value,
        live: &BTreeMap<String, String>,
    ) -> BTreeMap<String, String> {
        let missing: BTreeMap<String, String> =
            declared_tags(document).into_iter().filter(|(key, value)| live.get(key) != Some(value)).collect();
        let path = path.field("tags");
        let of = |(key, value): (&String, &String)| {
            change(path.key(key.as_str()), live.get(key).map(String::as_str), Some(value))
        };
        let kept = self.change(missing.iter().map(of).collect(), |_| Effect::NoRestart);
        let kept: BTreeSet<Path> = kept.into_iter().map(|(change, _)| change.path).collect();
        missing.into_iter().filter(|(key, _)| kept.contains(&path.key(key.as_str()))).collect()
    }

    /// The tags that everything gets which is made here.
    pub fn made_tags(&self) -> BTreeMap<String, String> {
        let environment = &self.inputs.desired.environment.name;
        BTreeMap::from([(ENVIRONMENT_TAG.to_owned(), environment.as_str().to_owned())])
    }

    /// The tags that everything gets which is made here for one service, but for the ECS service itself. By them it is known as ours, and as whose.
    pub fn owner_tags(&self) -> BTreeMap<String, String> {
        let mut tags = self.made_tags();
        tags.insert(SERVICE_TAG.to_owned(), owner(&self.declared.name).to_owned());
        tags
    }

    /// Whether tags say that this environment made a thing.
    pub fn is_ours(&self, tags: &BTreeMap<String, String>) -> bool {
        tags.get(ENVIRONMENT_TAG).is_some_and(|name| *name == *self.inputs.desired.environment.name.as_str())
    }

    /// Why ECS could not bring up what git says, if it could not: remembered, or written as a tag.
    pub fn failed_before(&self) -> Option<String> {
        if self.is_retried() {
            return None;
        }
        if let Some((digest, reason)) = &self.memory.failed
            && *digest == self.plan.digest
        {
            return Some(reason.clone());
        }
        // Who asks for it now may try again.
        let same = *self.failed_tag()? == self.plan.short_digest() && !self.inputs.policy.asked;
        same.then(|| FAILED_UNTOLD.to_owned())
    }

    /// Whether somebody asked that what ECS could not bring up is tried once more.
    pub fn is_retried(&self) -> bool {
        self.retry().is_some()
    }

    /// When somebody last asked for another try, in milliseconds since 1970: with `driftless apply`, or by a tag.
    pub fn retried_at(&self) -> Option<u64> {
        self.inputs.policy.attempt.max(self.retry().and_then(|mark| mark.parse().ok()))
    }

    /// What the service's tag says beside `retry DIGEST`, where it says that of this declaration.
    fn retry(&self) -> Option<&str> {
        let tag = self.failed_tag()?.strip_prefix("retry ")?;
        let (digest, mark) = tag.split_once(' ').unwrap_or((tag, ""));
        (digest == self.plan.short_digest()).then_some(mark)
    }

    fn failed_tag(&self) -> Option<&'p String> {
        self.inputs.snapshot.live(&self.service_resource())?.tags.get(FAILED_TAG)
    }

    /// The tag of a plan that deploys what has failed before: it is tried once, also where nobody is there to see what comes
    /// of it.
    pub fn tried_again(&self) -> Option<(String, String)> {
        let deploys = self.plan.steps.iter().any(|step| step.action.call == Call::UpdateService);
        let failed = self.failed_tag().is_some_and(|tag| *tag == self.plan.short_digest()) || self.is_retried();
        (deploys && failed).then(|| (FAILED_TAG.to_owned(), FAILED_ENDED.to_owned()))
    }

    /// What [`APPLIED_TAG`] holds once this plan is done.
    pub fn applied_tag(&self) -> String {
        let commit = self.inputs.revision.map(|revision| revision.as_str().to_owned());
        Applied { digest: self.plan.short_digest(), commit, prune: self.declared.sync.prune }.to_string()
    }

    /// What the live service's tag says of the declaration that it was brought up to date from.
    pub fn live_applied(&self) -> Option<Applied> {
        self.inputs.snapshot.live(&self.service_resource()).and_then(|live| Applied::of(&live.tags))
    }

    /// Whether what git says now was applied before, so that a difference is drift.
    pub fn applied_already(&self) -> bool {
        let tagged = self.live_applied().is_some_and(|applied| applied.digest == self.plan.short_digest());
        // Something else was begun since, and did not come to the end at which it is written down.
        let other = self.memory.begun.as_ref().is_some_and(|begun| *begun != self.plan.digest);
        !other && (tagged || self.memory.applied.as_ref() == Some(&self.plan.digest))
    }

    pub(super) fn finish(mut self) -> (ServicePlan, BTreeSet<ResourceId>) {
        let left = self.declared.left.iter().map(|path| Note::NoLongerManaged { path: path.clone() });
        // One sentence for each: that it left git says more than that git does not have it.
        let has_left = |note: &Note| match note {
            Note::NotInGit { change } => self.declared.left.iter().any(|path| change.path.is_below(path)),
            _ => false,
        };
        self.plan.notes.retain(|note| !has_left(note));
        self.plan.notes.extend(left);
        self.plan.cause = self.cause();
        self.plan.rolled_back = self.inputs.rolled_back.get(&self.declared.name).cloned();
        let live = self.inputs.snapshot.live(&self.service_resource());
        self.plan.paused = live.and_then(|live| Pause::of(&live.tags, self.inputs.now));
        self.plan.act = live.and_then(|live| Act::of(&live.tags));
        let held = policy_holds(&self.plan, self.declared, self.inputs.policy, &self.memory, self.inputs.now);
        // That a window is closed says more than that drift was corrected moments ago, and less than all else.
        match (self.window(), held) {
            (Some(closed), None | Some(Hold::TooSoon { .. })) => self.plan.holds.push(closed),
            (_, held) => self.plan.holds.extend(held),
        }
        if self.wanted.is_empty() {
            self.plan.check();
        }
        (self.plan, self.wanted)
    }

    /// Deploy and drift are told apart by what was last applied: remembered, or written as a tag.
    fn cause(&self) -> Cause {
        let nothing = self.plan.steps.is_empty() && self.plan.changes.is_empty();
        let there = self.workload().is_none()
            || self
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
            () if self.plan.steps.iter().any(|step| step.action.call == Call::DeleteService) => Cause::Remove,
            () if nothing && self.blind => Cause::Unknown,
            () if nothing && !self.plan.holds.is_empty() => Cause::Blocked,
            () if nothing => Cause::InSync,
            // Somebody pushed an image, or changed a secret: nobody changed AWS's settings behind git's back.
            () if self.plan.changes.is_empty() && self.plan.deploys_anew() => Cause::Deploy,
            () if self.applied_already() && !self.under_way => Cause::Drift,
            () => Cause::Deploy,
        }
    }
}
