//! What the demo's account has before anything is deployed: what others of the team made.

use crate::sim::Account;
use crate::sim::world::ecs::images::Behaviour;
use crate::sim::world::names;
use serde_json::{Value, json};

/// The registry of the example system.
pub const REGISTRY: &str = "620197346831.dkr.ecr.us-east-1.amazonaws.com";
/// The version that ends with an error soon after its start.
pub const BROKEN: &str = "2.2.0";

/// Fills the account.
///
/// # Errors
/// What the account refused.
pub fn prepare(account: &Account) -> anyhow::Result<()> {
    let subnets = json!(["subnet-0a1b2c3d4e5f60001", "subnet-0a1b2c3d4e5f60002"]);
    let calls: [(&'static str, &str, Value); 4] = [
        ("ecs", "CreateCluster", json!({ "clusterName": "prod-convergence-website" })),
        ("elbv2", "CreateLoadBalancer", json!({ "Name": "convergence-website", "Subnets": subnets })),
        ("discovery", "CreatePrivateDnsNamespace", json!({ "Name": "local", "Vpc": "vpc-0a1b2c3d4e5f60001" })),
        ("secretsmanager", "CreateSecret", json!({ "Name": "prod/database-url", "SecretString": "never read" })),
    ];
    for (service, operation, input) in calls {
        account.call(service, operation, input)?;
    }
    for repository in ["convergence-prod-api", "convergence-prod-app"] {
        account.call("ecr", "CreateRepository", json!({ "repositoryName": repository }))?;
        for (tag, digit) in [("2.0.1", '1'), ("2.1.0", '2'), (BROKEN, '3')] {
            let digest = format!("sha256:{}", String::from(digit).repeat(64));
            account.world(|world| names::push(world, repository, tag, &digest));
        }
    }
    let crashes = Behaviour {
        exits: Some((2.0, 1)),
        says: vec!["Error: Cannot find module 'express-session'".to_owned()],
        ..Behaviour::default()
    };
    let image = format!("{REGISTRY}/convergence-prod-api:{BROKEN}");
    account.world(|world| world.ecs.images.set(&image, crashes));
    Ok(())
}
