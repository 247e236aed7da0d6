//! What left git is deleted only when everything says that this is meant, and then all of it that was made for it.

use crate::support::{Account, Repository, driftless, small};

/// Everything that deletes.
fn deletions(account: &Account) -> Vec<String> {
    let deletes = |operation: &str| operation.starts_with("Delete") || operation.starts_with("Deregister");
    account.writes().0.into_iter().map(|write| write.operation).filter(|operation| deletes(operation)).collect()
}

#[test]
fn a_service_that_left_git_is_deleted_on_demand_with_what_was_made_for_it() {
    let account = Account::start_brisk("convergence-website");
    let repository = Repository::of_example_with("convergence-website", |repository| {
        repository.edit("environment.yaml", "minInterval: 5m }", "minInterval: 5m, prune: true }");
        // Nothing waits for what leaves.
        repository.edit("services/prod-app.yaml", "dependsOn: [prod-api]", "");
    });
    let url = repository.path().to_str().unwrap().to_owned();
    let apply = |more: &[&str]| {
        let place = ["apply", "--repo", &url, "--ref", "main", "--path", "env"];
        driftless(&account, &place.iter().chain(more).copied().collect::<Vec<_>>())
    };
    apply(&[]).assert_status(0);

    // While git declares it, while it was not committed, and for a service that is not ours, nothing is deleted.
    let declared = apply(&["--prune", "prod-api"]).assert_status(1);
    assert!(declared.stderr.contains("prod-api is declared in git"), "{}", declared.stderr);
    repository.remove("services/prod-api.yaml");
    let folder = repository.environment();
    driftless(&account, &["apply", "--path", folder.to_str().unwrap(), "--prune", "prod-api"]).assert_status(64);
    let commit = repository.commit("prod-api is no more");
    let unknown = apply(&["--prune", "prod-ap"]).assert_status(1);
    assert!(unknown.stderr.contains("there is no service prod-ap"), "{}", unknown.stderr);

    // A file with an error may be the one that is missed.
    let good = repository.read("services/prod-app.yaml");
    repository.write("services/prod-app.yaml", &format!("{good}\nnothing: {{}}\n"));
    repository.commit("a typo");
    let broken = apply(&["--prune", "prod-api"]).assert_status(1);
    assert!(broken.stderr.contains("while files have errors"), "{}", broken.stderr);
    repository.write("services/prod-app.yaml", &good);
    repository.commit("no typo");

    // A branch that was rewound before the commit that was applied says nothing of what came later.
    repository.git(&["branch", "--quiet", "--force", "old", &format!("{commit}~1")]);
    apply(&[]).assert_status(0);
    assert_eq!(deletions(&account), Vec::<String>::new(), "apply alone deletes nothing");

    let done = apply(&["--prune", "prod-api"]).assert_status(0);
    assert!(done.stdout.contains("- prod-api  DELETE"), "{}", done.stdout);
    let mut deleted = deletions(&account);
    // The Cloud Map service may have had to wait for its instances.
    deleted.dedup();
    assert_eq!(
        deleted,
        [
            "DeleteAlarms",
            "DeregisterScalableTarget",
            "DeleteService",
            "DeleteRule",
            "DeleteTargetGroup",
            "DeleteService"
        ]
    );
    let again = apply(&["--prune", "prod-api"]).assert_status(1);
    assert!(again.stderr.contains("there is no service prod-api"), "{}", again.stderr);

    // The other service is as it was, and what is a log stays.
    driftless(&account, &["plan", "--detailed-exitcode", "--path", folder.to_str().unwrap()]).assert_status(0);
    let groups = account.aws(&["logs", "describe-log-groups"]).to_string();
    assert!(groups.contains("/ecs/prod-api-task"), "{groups}");
}

#[test]
fn a_service_that_did_not_ask_for_it_or_is_not_ours_is_kept() {
    let account = Account::simulated_example("convergence-website");
    let repository = Repository::of_example_with("convergence-website", |repository| {
        repository.edit("services/prod-app.yaml", "dependsOn: [prod-api]", "");
    });
    let url = repository.path().to_str().unwrap().to_owned();
    let place = ["apply", "--repo", url.as_str(), "--ref", "main", "--path", "env"];
    driftless(&account, &place).assert_status(0);
    repository.remove("services/prod-api.yaml");
    repository.commit("prod-api is no more");
    let prune = || driftless(&account, &[&place[..], &["--prune", "prod-api"]].concat());
    let kept = prune().assert_status(1);
    assert!(kept.stderr.contains("did not have sync.prune: true"), "{}", kept.stderr);
    assert_eq!(deletions(&account), Vec::<String>::new());

    let cluster = "prod-convergence-website";
    let found = account.aws(&["ecs", "describe-services", "--cluster", cluster, "--services", "prod-api"]);
    let arn = found["services"][0]["serviceArn"].as_str().unwrap().to_owned();
    account.aws(&["ecs", "untag-resource", "--resource-arn", &arn, "--tag-keys", "driftless:environment"]);
    let foreign = prune().assert_status(1);
    assert!(foreign.stderr.contains("there is no service prod-api that this environment made"), "{}", foreign.stderr);
    assert_eq!(deletions(&account), Vec::<String>::new());
}

#[test]
fn many_at_once_are_asked_for_again_and_all_of_them_never() {
    let account = small::account();
    let repository = small::repository(&["a", "b", "c"]);
    repository.edit("environment.yaml", "defaults:\n", "defaults:\n  sync: { prune: true }\n");
    repository.commit("What leaves may be deleted");
    let url = repository.path().to_str().unwrap().to_owned();
    let apply = |more: &[&str]| {
        let place = ["apply", "--repo", &url, "--ref", "main", "--path", "env"];
        driftless(&account, &place.iter().chain(more).copied().collect::<Vec<_>>())
    };
    apply(&[]).assert_status(0);
    let applied = repository.git(&["rev-parse", "HEAD"]);
    for name in ["a", "b"] {
        repository.remove(&small::file(name));
    }
    let commit = repository.commit("Two of three");
    let asked = apply(&["--prune", "a"]).assert_status(1);
    assert!(asked.stderr.contains("2 of 3 services left git (a, b), more than 1"), "{}", asked.stderr);
    let other = apply(&["--prune", "a", "--acknowledge", &applied]).assert_status(1);
    assert!(other.stderr.contains(&format!("--acknowledge {commit}")), "{}", other.stderr);
    assert_eq!(deletions(&account), Vec::<String>::new());
    apply(&["--prune", "a", "--acknowledge", &commit]).assert_status(0);
    assert_eq!(deletions(&account), ["DeleteService"]);

    // A commit that does not come after the one that was applied proves nothing.
    repository.git(&["switch", "--quiet", "--orphan", "elsewhere"]);
    std::fs::create_dir_all(repository.environment().join("services")).unwrap();
    repository
        .write("environment.yaml", &small::ENVIRONMENT.replace("defaults:\n", "defaults:\n  sync: { prune: true }\n"));
    repository.write(&small::file("c"), &small::service("c"));
    let unrelated = repository.commit("Another history");
    repository.git(&["branch", "--quiet", "--force", "main", &unrelated]);
    let refused = apply(&["--prune", "b"]).assert_status(1);
    assert!(refused.stderr.contains("does not follow"), "{}", refused.stderr);

    repository.remove(&small::file("c"));
    let none = repository.commit("Nothing is left");
    repository.git(&["branch", "--quiet", "--force", "main", &none]);
    let empty = apply(&["--prune", "b", "--acknowledge", &none]).assert_status(1);
    assert!(empty.stderr.contains("declares no service at all"), "{}", empty.stderr);
    assert_eq!(deletions(&account), ["DeleteService"]);
}
