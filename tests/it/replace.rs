//! A target group with another port takes the place of the old one without a gap.

use crate::support::{Account, Repository, driftless};
use serde_json::{Value, json};

/// The groups of a service's UpdateService, or of a rule with their weights, as `NAME` or `NAME:WEIGHT`. Requests to
/// ELBv2 are forms: `Actions.member.1.ForwardConfig.TargetGroups.member.2.TargetGroupArn`.
fn groups(input: &Value) -> Vec<String> {
    let name = |arn: &Value| arn.as_str().unwrap().split('/').nth(1).unwrap().to_owned();
    let balancers = input["loadBalancers"].as_array().into_iter().flatten();
    let mut groups: Vec<String> = balancers.map(|balancer| name(&balancer["targetGroupArn"])).collect();
    for (key, value) in input.as_object().into_iter().flatten() {
        let Some(group) = key.strip_suffix(".TargetGroupArn").filter(|key| key.starts_with("Actions.")) else {
            continue;
        };
        let weight = input.get(format!("{group}.Weight")).and_then(Value::as_str);
        groups.push(weight.map_or_else(|| name(value), |weight| format!("{}:{weight}", name(value))));
    }
    groups.sort();
    groups
}

#[test]
fn a_target_group_with_another_port_is_made_beside_the_old_one() {
    let account = Account::start_brisk("convergence-website");
    let repository = Repository::of_example("convergence-website");
    let folder = repository.environment();
    let folder = folder.to_str().unwrap();
    driftless(&account, &["apply", "--path", folder]).assert_status(0);
    let before = account.writes().len();

    repository.edit("services/prod-app.yaml", "port: 3000\n", "port: 3001\n");
    repository.commit("app: another port");
    let plan = driftless(&account, &["plan", "--path", folder]).assert_status(0).stdout;
    assert!(plan.contains("replace target group prod-app: port cannot be changed in place"), "{plan}");
    driftless(&account, &["apply", "--path", folder]).assert_status(0);

    let writes = account.writes().since(before);
    let created = writes.of("CreateTargetGroup")[0].input["Name"].as_str().unwrap().to_owned();
    assert!(created.starts_with("prod-app-"), "{created}");
    let story: Vec<(String, Vec<String>)> = writes
        .0
        .iter()
        .filter(|write| !matches!(write.operation.as_str(), "TagResource" | "ModifyTargetGroupAttributes"))
        .map(|write| (write.operation.clone(), groups(&write.input)))
        .collect();
    let both = vec!["prod-app".to_owned(), created.clone()];
    let expected: Vec<(String, Vec<String>)> = vec![
        ("CreateTargetGroup".into(), Vec::new()),
        ("ModifyRule".into(), vec![format!("{created}:0"), "prod-app:1".into()]),
        ("UpdateService".into(), both),
        // All tasks are in both now.
        ("ModifyRule".into(), vec![created.clone()]),
        ("UpdateService".into(), vec![created.clone()]),
        ("DeleteTargetGroup".into(), Vec::new()),
    ];
    assert_eq!(story, expected, "{}", writes.text());
    assert!(writes.0.iter().all(|write| write.status == 200), "{}", writes.text());
    driftless(&account, &["plan", "--detailed-exitcode", "--path", folder]).assert_status(0);
    let left = account.aws(&["elbv2", "describe-target-groups"]);
    let names: Vec<&Value> = left["TargetGroups"].as_array().unwrap().iter().map(|g| &g["TargetGroupName"]).collect();
    assert!(names.contains(&&json!(created)) && !names.contains(&&json!("prod-app")), "{names:?}");
}
