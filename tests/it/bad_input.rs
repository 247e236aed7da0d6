//! What people push: broken files, empty repositories, rewound branches. Nothing is ever deleted because of it, the last
//! good state stays in force, and what is wrong is said with its place. Promises R5, R7, R14, R19, S1.

use crate::support::small::{self, IMAGE, NEXT_IMAGE, ecs, file, live_service, running_definition};
use crate::support::{Account, Daemon, Options, Repository, Status};
use serde_json::{Value, json};
use std::fs;

/// One account, a repository with the services of these names, and a daemon that has brought them up.
struct Scene {
    account: Account,
    repository: Repository,
    daemon: Daemon,
}

impl Scene {
    fn new(names: &[&str]) -> Self {
        Self::with(names, Daemon::inside)
    }

    /// The same with a process whose log is read.
    fn logged(names: &[&str]) -> Self {
        Self::with(names, |account, repository| Daemon::start(account, repository, &Options::default()))
    }

    fn with(names: &[&str], start: fn(&Account, &Repository) -> Daemon) -> Self {
        let (account, repository) = (small::account(), small::repository(names));
        let daemon = start(&account, &repository);
        daemon.wait("everything is live", |status| status.all("live"));
        Self { account, repository, daemon }
    }

    /// Somebody changes the number of tasks past git.
    fn scale_by_hand(&self, name: &str, count: u32) {
        ecs(&self.account, "UpdateService", &json!({ "cluster": "small", "service": name, "desiredCount": count }));
    }

    #[track_caller]
    fn wait_corrected(&self, name: &str) {
        self.daemon
            .until(&format!("{name} has two tasks again"), || live_service(&self.account, name)["desiredCount"] == 2);
        // Until it has been seen, the same write is not sent again for a minute: that would be another story.
        let (began, services) = (self.daemon.passes(), self.daemon.status().services().len() as u64);
        self.daemon.until("it has been seen", || self.daemon.passes() >= began + 2 * services);
    }

    /// What the source says of itself.
    fn source(&self) -> Value {
        self.daemon.status().0["sources"][0].clone()
    }

    /// Waits until git's error holds all of `words`; the services go on being looked after meanwhile.
    #[track_caller]
    fn wait_for_git_error(&self, words: &[&str]) {
        let said = |status: &Status| {
            let error = status.0["sources"][0]["error"].as_str().unwrap_or_default().to_owned();
            words.iter().all(|word| error.contains(word))
        };
        self.daemon.wait(&format!("git's error says {words:?}"), said);
        let (code, body) = self.daemon.get("/readyz");
        assert_eq!(code, 503, "{body}");
        self.scale_by_hand("web", 1);
        self.wait_corrected("web");
        self.assert_nothing_destroyed();
    }

    /// Nothing was deleted or deregistered, no tag was taken away, nothing was scaled to zero.
    #[track_caller]
    fn assert_nothing_destroyed(&self) {
        let verbs = ["Delete", "Deregister", "Untag", "Remove", "Stop"];
        for entry in self.account.writes().0 {
            let destructive = verbs.iter().any(|verb| entry.operation.starts_with(verb));
            assert!(!destructive && entry.input["desiredCount"] != 0, "{} {}", entry.operation, entry.input);
        }
    }

    /// Waits until a problem's text holds all of `words`.
    #[track_caller]
    fn wait_for_problem(&self, words: &[&str]) {
        let said = |status: &Status| {
            let problems = status.0["sources"][0]["problems"].as_array().cloned().unwrap_or_default();
            problems.iter().any(|problem| words.iter().all(|word| problem.to_string().contains(word)))
        };
        self.daemon.wait(&format!("a problem says {words:?}"), said);
    }
}

#[test]
fn a_broken_file_stops_its_own_commit_and_nothing_else() {
    let scene = Scene::new(&["web", "api"]);
    let good = scene.repository.read(&file("web"));
    for (broken, words) in [
        ("name: \"web\n".to_owned(), ["E0101", "services/web.yaml"]),
        (
            good.replace("desiredCount", "desired_count").replace(IMAGE, NEXT_IMAGE),
            ["E0107", "did you mean `desiredCount`?"],
        ),
    ] {
        scene.repository.write(&file("web"), &broken);
        let api = scene.repository.read(&file("api"));
        let next = if api.contains(IMAGE) { api.replace(IMAGE, NEXT_IMAGE) } else { api.replace(NEXT_IMAGE, IMAGE) };
        scene.repository.write(&file("api"), &next);
        let commit = scene.repository.commit("web is broken, api has another image");
        scene.wait_for_problem(&words);
        let status = scene.daemon.wait("api goes on, web is shown as broken", |status| {
            let (api, web) = (status.service("api"), status.service("web"));
            api["state"] == "live"
                && api["commit"]["revision"] == commit
                && web["broken"] == true
                && web["left"] == false
        });
        let reason = status.service("web")["reason"].as_str().unwrap().to_owned();
        assert!(reason.contains("errors") && reason.contains("stays in force"), "{reason}");
        assert_ne!(status.service("web")["state"], "live", "{status}");
        // What web said last is still enforced, and nothing of the broken file is.
        scene.scale_by_hand("web", 1);
        scene.wait_corrected("web");
        assert_eq!(running_definition(&scene.account, "web")["containerDefinitions"][0]["image"], IMAGE);
    }
    // Mended, it goes on without a restart (R14).
    scene.repository.write(&file("web"), &good.replace(IMAGE, NEXT_IMAGE));
    let commit = scene.repository.commit("web is mended");
    scene.daemon.wait("both are live", |status| status.all_live_on(&commit));
    assert_eq!(running_definition(&scene.account, "web")["containerDefinitions"][0]["image"], NEXT_IMAGE);
    scene.assert_nothing_destroyed();
    scene.daemon.stop();
}

#[test]
fn an_environment_that_is_gone_or_broken_leaves_the_last_one_in_force() {
    let scene = Scene::new(&["web"]);
    scene.repository.write("environment.yaml", "environment: small\naccuont: \"123456789012\"\n");
    scene.repository.commit("A typing mistake");
    scene.wait_for_problem(&["E0107", "environment.yaml", "did you mean `account`?"]);
    scene.scale_by_hand("web", 1);
    scene.wait_corrected("web");

    // Mended, with a broken service: what was good two commits ago is still known.
    scene.repository.write("environment.yaml", small::ENVIRONMENT);
    scene.repository.write(&file("web"), "name: [\n");
    scene.repository.commit("The next mistake");
    scene.wait_for_problem(&["E0101", "services/web.yaml"]);
    scene.scale_by_hand("web", 1);
    scene.wait_corrected("web");

    scene.repository.git(&["rm", "-r", "--quiet", "env"]);
    fs::write(scene.repository.path().join("README"), "moved\n").unwrap();
    scene.repository.commit("The folder is gone");
    scene.wait_for_problem(&["E0103", "env"]);
    scene.scale_by_hand("web", 1);
    scene.wait_corrected("web");
    assert_eq!(scene.daemon.status().service("web")["left"], false);
    scene.assert_nothing_destroyed();
    scene.daemon.stop();
}

#[test]
fn git_that_is_away_says_so_and_comes_back() {
    let scene = Scene::new(&["web"]);
    let at = |name: &str| scene.repository.path().join(name);
    // The remote cannot be reached.
    fs::rename(at(".git"), at("away")).unwrap();
    scene.wait_for_git_error(&[scene.repository.path().to_str().unwrap()]);
    fs::rename(at("away"), at(".git")).unwrap();
    scene.daemon.wait("git is back", |status| status.0["sources"][0]["error"].is_null());
    // The branch is gone.
    scene.repository.git(&["branch", "--move", "main", "trunk"]);
    scene.wait_for_git_error(&["main"]);
    scene.repository.git(&["branch", "--move", "trunk", "main"]);
    scene.daemon.wait("the branch is back", |status| status.0["sources"][0]["error"].is_null());
    // A repository without a commit took its place.
    fs::rename(at(".git"), at("away")).unwrap();
    scene.repository.git(&["init", "--quiet", "--initial-branch", "main"]);
    scene.wait_for_git_error(&["is empty"]);
    fs::remove_dir_all(at(".git")).unwrap();
    fs::rename(at("away"), at(".git")).unwrap();
    scene.repository.edit(&file("web"), IMAGE, NEXT_IMAGE);
    let commit = scene.repository.commit("Life goes on");
    scene.daemon.wait("the next commit is live", |status| status.all_live_on(&commit));
    scene.daemon.stop();
}

#[test]
fn a_rewound_branch_is_followed_and_shown() {
    let scene = Scene::logged(&["web"]);
    scene.repository.edit(&file("web"), IMAGE, NEXT_IMAGE);
    let second = scene.repository.commit("The next image");
    scene.daemon.wait("the second commit is live", |status| status.all_live_on(&second));
    assert_eq!(scene.source()["rewound"], false);
    scene.repository.git(&["reset", "--quiet", "--hard", "HEAD~1"]);
    let first = scene.repository.git(&["rev-parse", "HEAD"]);
    scene.daemon.wait("the first commit is live again", |status| status.all_live_on(&first));
    assert_eq!(scene.source()["rewound"], true);
    let log = scene.daemon.log();
    assert!(log.contains("no longer contains what was applied last"), "{log}");
    // The image before is the revision before, not a third one.
    assert_eq!(small::revisions(&scene.account, "web"), 2);
    assert_eq!(running_definition(&scene.account, "web")["containerDefinitions"][0]["image"], IMAGE);
    scene.assert_nothing_destroyed();
    scene.daemon.stop();
}

#[test]
fn a_service_that_left_git_is_left_alone() {
    let scene = Scene::new(&["web", "api"]);
    scene.repository.remove(&file("web"));
    scene.repository.commit("Without web");
    let status = scene.daemon.wait("web is shown as left", |status| status.service("web")["left"] == true);
    let reason = status.service("web")["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("no longer in git") && reason.contains("nothing of it is changed or deleted"), "{reason}");
    // From now on it is somebody else's: what is changed by hand stays.
    scene.scale_by_hand("web", 1);
    scene.scale_by_hand("api", 1);
    scene.wait_corrected("api");
    assert_eq!(live_service(&scene.account, "web")["desiredCount"], 1);
    assert_eq!(live_service(&scene.account, "web")["status"], "ACTIVE");
    scene.assert_nothing_destroyed();
    scene.daemon.stop();
}

#[test]
fn links_and_submodules_are_refused_by_name() {
    let scene = Scene::logged(&["web"]);
    let services = scene.repository.environment().join("services");
    std::os::unix::fs::symlink("/proc/self/environ", services.join("link.yaml")).unwrap();
    scene.repository.commit("A link out of the repository");
    scene.wait_for_problem(&["E0105", "services/link.yaml", "symbolic link", "commit the file itself"]);
    fs::remove_file(services.join("link.yaml")).unwrap();
    let id = "1111111111111111111111111111111111111111";
    scene.repository.git(&["add", "--all"]);
    scene.repository.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{id},env/services/sub")]);
    scene.repository.git(&["commit", "--quiet", "--message", "A submodule"]);
    scene.wait_for_problem(&["E0105", "services/sub", "submodule"]);
    let shown = format!("{}{}", scene.daemon.status(), scene.daemon.log());
    assert!(!shown.contains("PATH="), "the link was followed");
    scene.assert_nothing_destroyed();
    scene.daemon.stop();
}

#[test]
fn credentials_of_another_account_touch_nothing() {
    let account = small::account();
    let repository = small::repository(&["web"]);
    repository.edit("environment.yaml", "123456789012", "210987654321");
    repository.commit("Another account");
    let daemon = Daemon::start(&account, &repository, &Options::default());
    let status = daemon.wait("the reason is shown", |status| {
        let reason = status.service("web")["reason"].as_str().unwrap_or_default();
        ["123456789012", "210987654321", "nothing is read or changed"].iter().all(|word| reason.contains(word))
    });
    assert_eq!(status.service("web")["state"], "unknown");
    let asked: Vec<String> = account.ledger().into_iter().map(|entry| entry.operation).collect();
    assert!(asked.iter().all(|operation| operation == "GetCallerIdentity"), "{asked:?}");
    daemon.stop();
}
