//! Names of container images, and which image a name stands for: in its registry now, and in a service that runs.

use super::observed::{ServiceDeployment, ServiceFacts};
use std::collections::BTreeMap;

/// An image in Amazon ECR, as a container definition names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EcrImage<'n> {
    /// The account of the registry.
    pub account: &'n str,
    /// The region of the registry.
    pub region: &'n str,
    /// The repository's name, which may have slashes.
    pub repository: &'n str,
    /// Its tag: `latest` where the name has neither tag nor digest.
    pub tag: &'n str,
    /// Its digest: it decides, whatever the tag says, and it never moves.
    pub digest: Option<&'n str>,
}

impl<'n> EcrImage<'n> {
    /// Reads `ACCOUNT.dkr.ecr.REGION.amazonaws.com/REPOSITORY[:TAG][@DIGEST]` (Amazon ECR user guide, "Amazon ECR private
    /// registry"; the endpoints for FIPS, dual stack and China as well). Nothing for another registry.
    pub fn of(name: &'n str) -> Option<Self> {
        let (host, rest) = name.split_once('/')?;
        let (account, host) = host.split_once('.')?;
        let region = if let Some(host) = host.strip_prefix("dkr-ecr.") {
            host.strip_suffix(".on.aws")?
        } else {
            let host = host.strip_prefix("dkr.ecr.").or_else(|| host.strip_prefix("dkr.ecr-fips."))?;
            host.strip_suffix(".amazonaws.com").or_else(|| host.strip_suffix(".amazonaws.com.cn"))?
        };
        let (rest, digest) = rest.split_once('@').map_or((rest, None), |(rest, digest)| (rest, Some(digest)));
        let (repository, tag) = rest.rsplit_once(':').unwrap_or((rest, "latest"));
        let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
        (is_account && !repository.is_empty()).then_some(Self { account, region, repository, tag, digest })
    }

    /// Account, region and repository: images that agree in it are asked for together.
    pub fn place(&self) -> String {
        let Self { account, region, repository, tag: _, digest: _ } = self;
        format!("{account}/{region}/{repository}")
    }
}

/// The host of the registry that a name is of: Docker Hub's where the name has none.
pub fn registry(name: &str) -> &str {
    let host = name.split_once('/').map(|(host, _)| host);
    host.filter(|host| host.contains(['.', ':']) || *host == "localhost").unwrap_or("docker.io")
}

/// The beginning of a digest, enough for people to tell images apart: `sha256:` and twelve digits.
pub fn short(digest: &str) -> &str {
    digest.get(..19).unwrap_or(digest)
}

/// What a registry has under a name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pushed {
    /// The digest of its manifest.
    pub digest: String,
    /// Where that is a list with an image for each platform, their digests.
    pub platforms: Vec<String>,
}

impl Pushed {
    /// Whether a digest is of this image, or of one of its platforms.
    pub fn is(&self, digest: &str) -> bool {
        self.digest == digest || self.platforms.iter().any(|platform| platform == digest)
    }
}

/// The digests that the containers of a service run, by container.
pub type Digests = BTreeMap<String, String>;

/// The images of a revision that runs, as people are told them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Running {
    /// By the names that its containers have for them.
    pub names: Vec<String>,
    /// The digest of each name of which it is known.
    pub digests: BTreeMap<String, String>,
}

/// The digests that the tasks of a service run: those that ECS found when the deployment began that was the last to
/// succeed ("Container image resolution": all its tasks run the same). Nothing while another one is under way, and nothing
/// where ECS has none: of a container with `versionConsistency: disabled`, of a deployment longer ago than 90 days.
pub fn running(facts: &ServiceFacts, deployments: &[ServiceDeployment]) -> Option<Digests> {
    let newest = deployments.first()?;
    let last = deployments.iter().find(|deployment| deployment.status == "SUCCESSFUL")?;
    let over = newest.status == "SUCCESSFUL" || newest.has_failed();
    let same = last.task_definition.is_some() && last.task_definition == facts.task_definition;
    (over && same && !facts.is_rolling_out()).then(|| last.images.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::id::Arn;

    #[test]
    fn names_of_images_in_ecr() {
        let host = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
        for (name, expected) in [
            (format!("{host}/web:2.1.0"), Some(("web", "2.1.0", None))),
            (format!("{host}/team/web"), Some(("team/web", "latest", None))),
            (format!("{host}/web@sha256:ab"), Some(("web", "latest", Some("sha256:ab")))),
            (format!("{host}/web:2@sha256:ab"), Some(("web", "2", Some("sha256:ab")))),
            ("123456789012.dkr-ecr.eu-west-1.on.aws/web:1".into(), Some(("web", "1", None))),
            ("123456789012.dkr.ecr-fips.eu-west-1.amazonaws.com/web:1".into(), Some(("web", "1", None))),
            ("123456789012.dkr.ecr.eu-west-1.amazonaws.com.cn/web:1".into(), Some(("web", "1", None))),
            ("public.ecr.aws/team/web:1".into(), None),
            ("web:1".into(), None),
            (format!("x.{host}/web:1"), None),
            (format!("{host}/"), None),
        ] {
            let found = EcrImage::of(&name);
            assert_eq!(found.map(|image| (image.repository, image.tag, image.digest)), expected, "{name}");
            assert!(found.is_none_or(|i| (i.account, i.region) == ("123456789012", "eu-west-1")), "{name}");
        }
        for (name, host) in [
            ("nginx:1", "docker.io"),
            ("team/web", "docker.io"),
            ("localhost/web", "localhost"),
            ("r:5000/w", "r:5000"),
        ] {
            assert_eq!(registry(name), host);
        }
    }

    #[test]
    fn what_runs_is_of_the_last_deployment_that_succeeded() {
        let deployment = |status: &str, revision: u32, digest: &str| ServiceDeployment {
            arn: Arn::from("arn"),
            status: status.into(),
            reason: None,
            task_definition: Some(Arn::new(format!("f:{revision}"))),
            sources: Vec::new(),
            images: Digests::from([("web".into(), digest.into())]),
            stage: None,
            production_percent: None,
            hooks: Vec::new(),
            created_at: None,
            finished_at: None,
        };
        let facts = ServiceFacts { task_definition: Some(Arn::from("f:1")), ..ServiceFacts::default() };
        let first = deployment("SUCCESSFUL", 1, "a");
        for (newest, expected) in [
            (deployment("SUCCESSFUL", 1, "b"), Some("b")),
            (deployment("ROLLBACK_SUCCESSFUL", 1, "b"), Some("a")),
            (deployment("ROLLBACK_SUCCESSFUL", 2, "b"), Some("a")),
            (deployment("IN_PROGRESS", 1, "b"), None),
            (deployment("PENDING", 1, "b"), None),
            // The service shows another revision still: what it says is behind.
            (deployment("SUCCESSFUL", 2, "b"), None),
        ] {
            let found = running(&facts, &[newest.clone(), first.clone()]);
            assert_eq!(found.as_ref().and_then(|found| found.get("web")).map(String::as_str), expected, "{newest:?}");
        }
        assert_eq!(running(&facts, &[]), None);
    }
}
