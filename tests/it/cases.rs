//! Golden plans: `cases/NAME/` holds the files of a commit, `live.json` what AWS answers, and `plan.txt` what driftless
//! makes of both. `UPDATE_GOLDEN=1 cargo test` writes `plan.txt` anew: read the difference before you commit it.
//!
//! `live.json` holds answers as AWS prints them: `services` and `taskDefinitions`, `revisionTags` (ARN -> tags),
//! `images` (name -> digest, null for one that is not pushed; those that are left out are there),
//! `serviceDeployments` (service -> newest first, each `status`, `reason`, `taskDefinition`, `createdAt`, `images` by container),
//! `tasks` (family -> ARNs of the revisions that its tasks run), `since` (ARN of a secret, or name or ARN of a parameter -> stage, empty for a parameter -> since when its version has it), `targetGroups` and `secrets` (name -> ARN), `parameters`, `scalableTargets`, `unknown` (what could not be read, with the reason).
//! `overrideWindow` says why somebody goes past a closed deploy window, and `begun: true` that this process has begun with this commit.
//! `inputs: true` asks for the inputs of all steps behind the plan. `applied: true` says that this commit was applied before, so that differences are drift; `awaitedSince` since when its images are waited for,
//! `redeployed` for which it was deployed anew (container -> digest), `rotated` for a secret that was changed then. Whatever is not in it is
//! absent. `oneOffTasks` (SERVICE/FAMILY -> tasks, see [`one_off`]) are those before rollouts; `attempt` says that somebody asks for another try at
//! that time. Things beside the service are by name, each the ARN, a document, or a list of documents: `loadBalancers`,
//! `listeners`, `rules` (by listener), `targetGroups` and so on; `tags` by ARN. Files below `before/` are an earlier commit
//! that the same process has read, those beside it replace them. A first line `# ...` of `plan.txt` says what the case is about.

use driftless::aws::wire::decode;
use driftless::aws::{live, tables};
use driftless::core::before::OneOff;
use driftless::core::desired::{self, Context, Reading};
use driftless::core::id::{Arn, Kind, RepoPath, ResourceId, Revision, ServiceName};
use driftless::core::image::{Digests, Pushed};
use driftless::core::normal::canonical;
use driftless::core::observed::{Facts, Live, Observed, ServiceDeployment, Snapshot};
use driftless::core::plan::text::Header;
use driftless::core::plan::{Inputs, Memory, Plan, Planned, Policy, ServicePlan, plan};
use driftless::core::rotation::Since;
use driftless::core::source::Commit;
use driftless::core::stopped::StoppedTask;
use driftless::kind::KINDS;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A fixed time: the core gets it as an argument.
pub fn now() -> Timestamp {
    "2026-11-21T14:02:11Z".parse().unwrap()
}

pub fn commit() -> Commit {
    Commit {
        revision: Revision::from("8f3c2a1bd0e95210c6a1f4e7d2b3a4958677fedc"),
        branch: Some("main".into()),
        tag: Some("v2.1.0".into()),
        subject: "api: 2.1.0".into(),
        author: "Ana Souza".into(),
        committed_at: now(),
    }
}

/// All files below a folder, by their path from it.
pub fn files(folder: &Path) -> BTreeMap<RepoPath, Arc<str>> {
    let (mut files, mut open) = (BTreeMap::new(), vec![folder.to_owned()]);
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().replace('\\', "/");
                files.insert(RepoPath::new(name), fs::read_to_string(&path).unwrap().into());
            }
        }
    }
    files
}

pub fn read(files: &BTreeMap<RepoPath, Arc<str>>) -> Reading {
    read_after(files, None)
}

/// Reads as a process does that has read an earlier commit.
fn read_after(files: &BTreeMap<RepoPath, Arc<str>>, before: Option<&Reading>) -> Reading {
    let (shapes, commit, env) = (tables::shapes(), commit(), BTreeMap::new());
    let root = RepoPath::new("");
    desired::read(files, &Context { root: &root, commit: Some(&commit), shapes: &shapes, env: &env }, before)
}

/// An account that answers what `live.json` says.
struct Account(Value);

impl Account {
    fn look(&self, id: &ResourceId) -> Observed {
        let list = |name: &str| self.0.get(name).and_then(Value::as_array).into_iter().flatten().cloned();
        if let Some(why) = self.0.pointer(&format!("/unknown/{}", id.to_string().replace('/', "~1"))) {
            return Observed::Unknown { why: why.as_str().unwrap().into() };
        }
        let named = |section: &str| match self.0.get(section).and_then(|names| names.get(&*id.name)) {
            Some(answer) => present(answered(answer)),
            None => Observed::Absent,
        };
        match id.kind {
            Kind::Cluster => match self.0.get("noCluster") {
                Some(_) => Observed::Absent,
                None => present(Live::default()),
            },
            Kind::Secret => named("secrets"),
            Kind::Parameter => named("parameters"),
            Kind::LoadBalancer => named("loadBalancers"),
            Kind::LoadBalancerAttributes => named("loadBalancerAttributes"),
            Kind::Listener => named("listeners"),
            Kind::Listeners => named("listenersOf"),
            Kind::ListenerAttributes => named("listenerAttributes"),
            Kind::ListenerCertificates => named("listenerCertificates"),
            Kind::ListenerRules => named("rules"),
            Kind::TargetGroup => named("targetGroups"),
            Kind::TargetGroupAttributes => named("targetGroupAttributes"),
            Kind::Namespace => named("namespaces"),
            Kind::DiscoveryService => named("discoveryServices"),
            Kind::LogGroup => named("logGroups"),
            Kind::Alarm => named("alarms"),
            Kind::ScalableTarget => named("scalableTargets"),
            Kind::ScalingPolicies => named("scalingPolicies"),
            Kind::ScheduledActions => named("scheduledActions"),
            Kind::Tags => {
                let tags = self.0.get("tags").and_then(|tags| tags.get(&*id.name)).cloned().unwrap_or_default();
                present(Live { tags: serde_json::from_value(tags).unwrap_or_default(), ..Live::default() })
            }
            Kind::ParameterValue | Kind::StackOutput => {
                match self.0.get("values").and_then(|values| values.get(&*id.name)).and_then(Value::as_str) {
                    Some(value) => present(Live { facts: Facts::Value(value.into()), ..Live::default() }),
                    None => Observed::Absent,
                }
            }
            Kind::Service => {
                let found = list("services").find(|service| service["serviceName"] == *id.name);
                found.map_or(Observed::Absent, |service| present(live::service(&decode(&service).unwrap())))
            }
            Kind::ServiceDeployments => {
                let answer = self.0.get("serviceDeployments").and_then(|all| all.get(&*id.name)?.as_array());
                let text = |value: &Value| value.as_str().map(str::to_owned);
                let deployment = |of: &Value| ServiceDeployment {
                    arn: Arn::from("arn:of:a:deployment"),
                    status: text(&of["status"]).unwrap_or_default(),
                    reason: text(&of["reason"]),
                    task_definition: text(&of["taskDefinition"]).map(Arn::from),
                    sources: Vec::new(),
                    images: serde_json::from_value(of["images"].clone()).unwrap_or_default(),
                    stage: None,
                    production_percent: None,
                    hooks: Vec::new(),
                    created_at: text(&of["createdAt"]).map(|at| at.parse().unwrap()),
                    finished_at: None,
                };
                let all = answer.map(|all| all.iter().map(deployment).collect());
                all.map_or(Observed::Absent, |all| present(Live { facts: Facts::Deployments(all), ..Live::default() }))
            }
            Kind::StoppedTasks | Kind::Targets => Observed::Absent,
            Kind::OneOffTasks => {
                let answer = self.0.get("oneOffTasks").and_then(|all| all.get(&*id.name)?.as_array());
                let all = answer.map(|all| all.iter().map(one_off).collect());
                all.map_or(Observed::Absent, |all| present(Live { facts: Facts::OneOffs(all), ..Live::default() }))
            }
            Kind::Image => match self.0.get("images").and_then(|images| images.get(&*id.name)).map(Value::as_str) {
                Some(None) => Observed::Absent,
                digest => {
                    let digest = digest.flatten().unwrap_or("sha256:any").to_owned();
                    present(Live { facts: Facts::Image(Pushed { digest, platforms: Vec::new() }), ..Live::default() })
                }
            },
            Kind::FamilyTasks => {
                let running = self.0.pointer(&format!("/tasks/{}", id.name)).and_then(Value::as_array);
                let running = running.into_iter().flatten().filter_map(|arn| arn.as_str().map(Arn::from)).collect();
                present(Live { facts: Facts::Running(running), ..Live::default() })
            }
            Kind::SecretVersions | Kind::ParameterVersion => {
                let since = self.0.pointer(&format!("/since/{}", id.name.replace('/', "~1")));
                let since = since.map(|since| serde_json::from_value::<Since>(since.clone()).unwrap());
                let live = since.map(|since| Live { facts: Facts::Since(since), ..Live::default() });
                live.map_or(Observed::Absent, present)
            }
            Kind::TaskDefinitionRevision => {
                let found = list("taskDefinitions").find(|definition| definition["taskDefinitionArn"] == *id.name);
                found.map_or(Observed::Absent, |definition| {
                    let mut live = live::task_definition(&decode(&definition).unwrap(), &[]);
                    let tags = self.0.get("revisionTags").and_then(|tags| tags.get(&*id.name));
                    live.tags = tags.map(|tags| serde_json::from_value(tags.clone()).unwrap()).unwrap_or_default();
                    present(live)
                })
            }
            Kind::TaskDefinitionFamily => {
                let all = list("taskDefinitions").filter(|d| d["family"] == *id.name && d["status"] == "ACTIVE");
                let arns: Vec<Arn> = all.filter_map(|d| d["taskDefinitionArn"].as_str().map(Arn::from)).collect();
                present(Live { facts: Facts::Family(arns.into_iter().rev().collect()), ..Live::default() })
            }
            Kind::TaskDefinition
            | Kind::ListenerRule
            | Kind::ScalingPolicy
            | Kind::ScheduledAction
            | Kind::OneOffTask => {
                panic!("nothing is looked up by this kind")
            }
        }
    }
}

/// An answer as AWS prints it: the ARN alone, a document with its ARN in it, or a list of those.
fn answered(answer: &Value) -> Live {
    const ARNS: &[&str] = &[
        "LoadBalancerArn",
        "ListenerArn",
        "RuleArn",
        "TargetGroupArn",
        "ScalableTargetARN",
        "PolicyARN",
        "ScheduledActionARN",
        "AlarmArn",
        "Arn",
        "logGroupArn",
    ];
    match answer {
        Value::String(arn) => Live { arn: Some(Arn::from(arn.as_str())), ..Live::default() },
        Value::Array(items) => {
            let members = items.iter().map(|item| Arc::new(answered(item))).collect();
            Live { facts: Facts::Members(members), ..Live::default() }
        }
        document => {
            // A listener names its load balancer as well: its own ARN comes last.
            let arn = ARNS.iter().filter_map(|name| document.get(name)?.as_str()).next_back();
            Live { arn: arn.map(Arn::from), document: document.clone(), ..Live::default() }
        }
    }
}

/// A one-off task: `arn`, `group`, `status`, `createdAt`, `taskDefinition` and, once it has stopped, `stopCode`, `reason`,
/// `exits` (container -> code).
fn one_off(of: &Value) -> OneOff {
    let text = |name: &str| of[name].as_str().unwrap_or_default().to_owned();
    let exits = of["exits"].as_object().into_iter().flatten();
    OneOff {
        arn: Arn::new(text("arn")),
        group: text("group"),
        status: text("status"),
        stopping: text("status") == "STOPPED",
        created_at: text("createdAt").parse().ok(),
        ended: StoppedTask {
            id: text("arn").rsplit('/').next().unwrap().to_owned(),
            stopped_at: None,
            task_definition: Some(Arn::new(text("taskDefinition"))),
            code: text("stopCode"),
            reason: text("reason"),
            containers: exits.map(|(name, code)| (name.clone(), code.as_i64().map(|code| code as i32), None)).collect(),
        },
    }
}

fn present(live: Live) -> Observed {
    Observed::Present(Arc::new(live))
}

/// Plans until nothing more has to be read, as the daemon does.
fn planned(reading: &Reading, account: &Value) -> Option<Plan> {
    let desired = reading.desired.as_ref()?;
    let (shapes, commit) = (tables::shapes(), commit());
    let mut snapshot = Snapshot::new(now());
    let mut memory: BTreeMap<ServiceName, Memory> = BTreeMap::new();
    let mut awaited: Option<Timestamp> = account.get("awaitedSince").and_then(|since| since.as_str()?.parse().ok());
    let redeployed: Digests =
        account.get("redeployed").map(|digests| serde_json::from_value(digests.clone()).unwrap()).unwrap_or_default();
    let rotated: Option<Timestamp> = account.get("rotated").and_then(|at| at.as_str()?.parse().ok());
    let (mut applied, mut begun) = (account.get("applied").is_some(), account.get("begun").is_some());
    let attempt = account.get("attempt").and_then(Value::as_u64);
    let override_window = account.get("overrideWindow").and_then(Value::as_str);
    for _ in 0..10 {
        let inputs = Inputs {
            desired,
            revision: Some(&commit.revision),
            snapshot: &snapshot,
            shapes: &shapes,
            policy: Policy { asked: override_window.is_some() || attempt.is_some(), override_window, attempt },
            memory: &memory,
            kinds: KINDS,
            rolled_back: &BTreeMap::new(),
            now: now(),
        };
        match plan(&inputs, None) {
            Planned::Plan(plan) if applied || begun || awaited.is_some() => {
                let remembered = |plan: ServicePlan| Memory {
                    applied: applied.then(|| plan.digest.clone()),
                    begun: begun.then(|| plan.digest.clone()),
                    awaited: awaited.map(|since| (plan.digest, since)),
                    redeployed: redeployed.clone(),
                    rotated,
                    ..Memory::default()
                };
                memory = plan.services.into_iter().map(|plan| (plan.id.service.clone(), remembered(plan))).collect();
                (applied, begun, awaited) = (false, false, None);
            }
            Planned::Plan(plan) => return Some(plan),
            Planned::Wanted(wanted) => {
                for id in wanted {
                    let seen = Account(account.clone()).look(&id);
                    snapshot.set(id, seen);
                }
            }
        }
    }
    panic!("planning asks for ever more");
}

fn outcome(folder: &Path) -> String {
    let mut files = files(folder);
    let live = files.remove(&RepoPath::new("live.json"));
    files.remove(&RepoPath::new("plan.txt"));
    let account: Value = live.map_or(Value::Null, |text| serde_json::from_str(&text).unwrap());
    let (before, files): (BTreeMap<_, _>, BTreeMap<_, _>) =
        files.into_iter().partition(|(path, _)| path.is_in(&RepoPath::new("before")));
    let before =
        before.into_iter().map(|(path, text)| (RepoPath::new(path.as_str().trim_start_matches("before/")), text));
    let before: BTreeMap<_, _> = before.collect();
    let reading = match before.is_empty() {
        true => read(&files),
        // What the earlier commit has and this one does not change is the same.
        false => read_after(&before.clone().into_iter().chain(files).collect(), Some(&read(&before))),
    };
    let mut text: String = reading.problems.iter().map(|problem| format!("{problem}\n")).collect();
    if let Some(plan) = planned(&reading, &account) {
        let (scope, commit) = (&reading.desired.as_ref().unwrap().environment.scope, commit());
        text.push_str(&plan.to_text(Header { scope, commit: Some(&commit) }));
        let steps = plan.services.iter().flat_map(|service| service.steps.iter().chain(&service.chores));
        let steps = steps.filter(|_| account.get("inputs").is_some());
        for step in steps {
            text.push_str(&format!("{} {}\n", step.action.call.operation(), canonical(&step.action.input.document)));
        }
    }
    text
}

/// Compares with `path`, or writes it. Lines that begin with `#` are a comment of the case and stay.
pub fn golden(path: &Path, found: &str) -> Result<(), String> {
    let before = fs::read_to_string(path).unwrap_or_default();
    let comment: String = before.lines().take_while(|line| line.starts_with('#')).map(|l| format!("{l}\n")).collect();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(path, format!("{comment}{found}")).unwrap();
        return Ok(());
    }
    if before.strip_prefix(&comment) == Some(found) {
        return Ok(());
    }
    Err(format!("{} differs\n--- expected\n{before}\n--- found\n{found}", path.display()))
}

#[test]
fn plans_are_as_they_were() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/cases");
    let mut cases: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    assert!(cases.len() >= 10, "only {} cases were found", cases.len());
    let wrong: Vec<String> =
        cases.iter().filter_map(|case| golden(&case.join("plan.txt"), &outcome(case)).err()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
