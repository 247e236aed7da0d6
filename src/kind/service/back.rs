//! A service goes back while a deployment of it is under way.
//!
//! A rolling update is overtaken by one UpdateService, as by every newer commit. Blue/green, linear and canary deployments
//! keep the tasks of before until they end, so ECS takes them back faster than anybody can deploy: "ROLLBACK - This option
//! rolls back the service deployment to the previous service revision. You can use this option even if you didn't
//! configure the service deployment for the rollback option" (StopServiceDeployment), in PENDING and IN_PROGRESS, which
//! the bake time is part of (Developer Guide, "Stopping Amazon ECS service deployments"). That is done only where the
//! revision of before is the one that is gone back to; elsewhere UpdateService is the one deployment.
//!
//! A deployment that waits at a PAUSE hook is answered (ContinueServiceDeployment): what is to be left is rolled back, and
//! what is gone back to goes on, since whoever asked for the rollback has approved it.

use super::{compare, complete, family, live_document};
use crate::core::action::{Action, Effect};
use crate::core::desired::Workload;
use crate::core::id::{Kind, ResourceId};
use crate::core::observed::{Facts, Live, ServiceDeployment, ServiceFacts};
use crate::core::plan::{Hold, Look, Output, Planner};
use serde_json::Value;

/// Plans what becomes of the deployment that is under way: nothing where the plan of everything else takes care of it.
pub fn back(planner: &mut Planner<'_>) {
    let Some(workload) = planner.workload() else { return };
    let Look::Present(live) = planner.look(&planner.service_resource()) else { return };
    let Facts::Service(facts) = &live.facts else { return };
    // A revision that is still to be registered is none that ran before.
    let Some(Output::Known(due)) = planner.outputs.get(&family(workload)).cloned() else { return };
    let id = ResourceId::new(Kind::ServiceDeployments, planner.declared.name.as_str());
    // Who may not read them goes back by UpdateService.
    let Look::Present(seen) = planner.look_if_readable(&id) else { return };
    let Facts::Deployments(all) = &seen.facts else { return };
    let Some(newest) = all.first() else { return };
    // What goes on here is what somebody asked for, and no drift.
    planner.under_way = true;
    match newest {
        newest if newest.task_definition.as_ref() == Some(&due) => goes_on(planner, workload, (&live, facts), newest),
        newest if !newest.began_from(&due) => {}
        newest if newest.goes_back() => {
            let deployment = newest.arn.short().to_owned();
            planner.hold(Hold::RolloutInProgress { deployment });
        }
        newest if newest.is_under_way() => leave(planner, &live, newest),
        _ => {}
    }
}

/// The deployment of what is gone back to: it waits for nobody.
fn goes_on(
    planner: &mut Planner<'_>,
    workload: &Workload,
    (live, facts): (&Live, &ServiceFacts),
    newest: &ServiceDeployment,
) {
    let Some(pause) = newest.pause().filter(|_| newest.is_under_way()) else { return };
    // Two declarations may have one task definition: that this deployment is the rollback's own is known by the tag, and by
    // settings that are those of the earlier commit.
    if !planner.applied_already() || facts.task_definition != newest.task_definition {
        return;
    }
    let Some(input) = complete(planner, workload) else { return };
    let shape = planner.inputs.shapes.create_service;
    let found = compare(&input.document, &live_document(&live.document), shape);
    let counted = |change: &&crate::core::diff::Change| change.path.top() != Some("desiredCount");
    if input.late.is_empty() && !found.changes.iter().any(|change| counted(&change)) {
        let action = Action::answer(planner.service_resource(), &pause, true);
        planner.step(action, Effect::NoRestart, None);
    }
}

/// The deployment of what is left.
fn leave(planner: &mut Planner<'_>, live: &Live, newest: &ServiceDeployment) {
    let action = match newest.pause() {
        Some(pause) => Action::answer(planner.service_resource(), &pause, false),
        None if keeps_tasks(live) => Action::stop(planner.service_resource(), &newest.arn),
        None => return,
    };
    planner.step(action, Effect::RollingRestart, None);
}

/// Whether a deployment of this service keeps the tasks of before until its end.
fn keeps_tasks(live: &Live) -> bool {
    let strategy = live.document.pointer("/deploymentConfiguration/strategy").and_then(Value::as_str);
    matches!(strategy, Some("BLUE_GREEN" | "LINEAR" | "CANARY"))
}
