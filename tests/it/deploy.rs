//! `deploy/` and the image: what runs the daemon itself is held to what the daemon demands of others.

use aws_sdk_ecs::operation::register_task_definition::RegisterTaskDefinitionInput;
use driftless::aws::wire::decode;
use driftless::daemon::STOP_LIMIT;
use serde_json::{Value, json};

fn text(path: &str) -> String {
    let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn task_definition() -> Value {
    serde_json::from_str(&text("deploy/task-definition.json")).expect("JSON")
}

#[test]
fn the_task_definition_is_one() {
    let input: RegisterTaskDefinitionInput = decode(&task_definition()).expect("only names and values of the ECS API");
    assert_eq!(input.container_definitions().len(), 2);
}

#[test]
fn its_containers_may_do_nothing_and_keep_nothing() {
    for container in task_definition()["containerDefinitions"].as_array().expect("containers") {
        let name = &container["name"];
        assert_eq!(container["readonlyRootFilesystem"], json!(true), "{name}");
        assert_eq!(container["user"], json!("65532:65532"), "{name}");
        assert_eq!(container["linuxParameters"], json!({ "capabilities": { "drop": ["ALL"] } }), "{name}");
        assert!(container.get("privileged").is_none(), "{name}");
    }
}

#[test]
fn image_task_and_program_agree() {
    let (image, task) = (text("Dockerfile"), task_definition());
    let daemon = &task["containerDefinitions"][1];
    assert!(image.contains("USER 65532:65532"));
    assert!(image.contains(r#"HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 CMD ["/usr/local/bin/driftless", "healthcheck"]"#));
    assert_eq!(daemon["healthCheck"]["command"], json!(["CMD", "/usr/local/bin/driftless", "healthcheck"]));
    for mount in daemon["mountPoints"].as_array().expect("mounts") {
        let path = mount["containerPath"].as_str().expect("a path");
        assert!(
            image.contains(&format!("\"{path}\"")),
            "{path}: a volume belongs to root unless the image declares it"
        );
    }
    // ECS sends SIGKILL after this; what is under way must have been abandoned before.
    let stop = daemon["stopTimeout"].as_u64().expect("seconds");
    assert!(stop > STOP_LIMIT.as_secs(), "{stop} s");
    let tag = format!(":{}", env!("CARGO_PKG_VERSION"));
    assert!(daemon["image"].as_str().is_some_and(|image| image.ends_with(&tag)), "the image of this version");
}
