//! What a task wrote before it stopped: where its lines are, and how they may be shown.

mod shown;

pub use shown::shown;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The last lines of one container of one task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogLines {
    /// The log group.
    pub group: String,
    /// The log stream: the container and the task by name.
    pub stream: String,
    /// The lines, oldest first, with what looks like a secret taken out.
    pub lines: Vec<String>,
}

/// Where a container of a task writes: log group and log stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogStream {
    /// The log group.
    pub group: String,
    /// `PREFIX/CONTAINER/TASK` (ECS guide, "awslogs-stream-prefix").
    pub stream: String,
}

impl LogStream {
    /// Of a container that a task definition, as DescribeTaskDefinition gives it, sends to CloudWatch Logs in `region`.
    /// Without a prefix the stream has a name that only the container instance knows.
    pub fn of(task_definition: &Value, container: &str, task: &str, region: &str) -> Option<Self> {
        let containers = task_definition.get("containerDefinitions")?.as_array()?;
        let named = |found: &&Value| found.get("name").and_then(Value::as_str) == Some(container);
        let configuration = containers.iter().find(named)?.get("logConfiguration")?;
        if configuration.get("logDriver").and_then(Value::as_str) != Some("awslogs") {
            return None;
        }
        let option = |name: &str| configuration.get("options")?.get(name)?.as_str();
        if option("awslogs-region").is_some_and(|found| found != region) {
            return None;
        }
        let stream = format!("{}/{container}/{task}", option("awslogs-stream-prefix")?);
        Some(Self { group: option("awslogs-group")?.to_owned(), stream })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn where_a_container_writes() {
        let options =
            json!({ "awslogs-group": "/ecs/api", "awslogs-stream-prefix": "ecs", "awslogs-region": "eu-west-1" });
        let revision = |driver: &str, options: &Value| {
            json!({ "containerDefinitions": [
                { "name": "side" },
                { "name": "api", "logConfiguration": { "logDriver": driver, "options": options } },
            ] })
        };
        let of = |revision: &Value, container: &str, region: &str| {
            LogStream::of(revision, container, "5f1c0a", region).map(|at| format!("{} {}", at.group, at.stream))
        };
        let good = revision("awslogs", &options);
        assert_eq!(of(&good, "api", "eu-west-1").as_deref(), Some("/ecs/api ecs/api/5f1c0a"));
        assert_eq!(of(&good, "api", "us-east-1"), None, "another region's");
        assert_eq!(of(&good, "side", "eu-west-1"), None);
        assert_eq!(of(&revision("splunk", &options), "api", "eu-west-1"), None);
        let nameless = json!({ "awslogs-group": "/ecs/api" });
        assert_eq!(of(&revision("awslogs", &nameless), "api", "eu-west-1"), None);
    }
}
