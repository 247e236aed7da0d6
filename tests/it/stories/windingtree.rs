//! 001: a tag that is merged into `release/playground` is a release; its image may be built meanwhile.

use super::{Stage, is_live, reason};
use crate::support::{Page, Repository, Status};
use serde_json::{Value, json};

const SERVICE: &str = "playground-wt-demo-app";
const BRANCH: &str = "release/playground";

#[test]
fn a_tag_merged_into_the_branch_is_live_when_its_image_is_there() {
    let parameter =
        json!({ "Name": "/playground/wt-demo-app/INFURA_API_KEY", "Value": "never read", "Type": "SecureString" });
    let stage = Stage::new(
        Repository::of_example("windingtree"),
        ("111122223333", "eu-west-1"),
        ("shared-docker-cluster-t3", "shared-docker-cluster-t3-alb"),
        &[("ssm", "PutParameter", parameter)],
    );
    let repository = &stage.repository;
    let merge = || repository.git(&["branch", "--force", BRANCH, "main"]);
    fn app(status: &Status) -> &Value {
        status.service(SERVICE)
    }
    stage.push("wt-demo-app", "v1.2.3-playground", 'a');
    merge();
    let daemon = stage.follow(&json!({ "branch": BRANCH }));
    daemon.wait_until("v1.2.3 is live", |status| is_live(app(status), "wt-demo-app:v1.2.3-playground"));
    let since = stage.mark();

    // A push without a new tag starts nothing.
    let commit = repository.commit("Words only");
    merge();
    daemon.wait_until("it is known", |status| {
        app(status)["commit"]["revision"] == commit.as_str() && app(status)["state"] == "live"
    });
    daemon.pass(5);
    assert_eq!(stage.writes(&daemon, SERVICE, since), Vec::<String>::new(), "{}", daemon.log());

    // Nor does a tag that is not merged.
    repository.commit("The next version");
    repository.tag("v1.3.0");
    daemon.pass(5);
    assert!(is_live(app(&daemon.seen()), "wt-demo-app:v1.2.3-playground"));

    // Merged, it waits for what its build is to push.
    merge();
    let status = daemon.wait_until("it waits for its image", |status| reason(app(status)).contains("waits for image"));
    assert_eq!(app(&status)["state"], "pending");
    assert!(reason(app(&status)).contains("wt-demo-app:v1.3.0-playground"), "{status}");
    daemon.pass(5);
    assert_eq!(stage.writes(&daemon, SERVICE, since), Vec::<String>::new(), "{}", daemon.log());
    stage.push("wt-demo-app", "v1.3.0-playground", 'b');
    daemon.wait_until("v1.3.0 is live", |status| is_live(app(status), "wt-demo-app:v1.3.0-playground"));
    daemon.pass(5);
    let writes = ["RegisterTaskDefinition 1", "TagResource 1", "UpdateService 1"];
    assert_eq!(stage.writes(&daemon, SERVICE, since), writes, "{}", daemon.log());
    let rows = stage.ended_rows(&daemon, SERVICE);
    let expected = [
        "2 live wt-demo-app:v1.3.0-playground \"The next version\"",
        "1 live wt-demo-app:v1.2.3-playground \"The first one\"",
    ];
    assert_eq!(rows, expected);
}
