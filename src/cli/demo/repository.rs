//! The demo's repository: the files of the example system, and the commits that a team would make.

use crate::git::Authoring;
use crate::sim::Account;
use anyhow::Context;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Where the environment is in the repository.
pub const ENVIRONMENT: &str = "environments/prod";

/// The files at the beginning: the example's, but for what the demo shows of blue/green.
const FILES: &[(&str, &str)] = &[
    ("environment.yaml", include_str!("../../../config/examples/convergence-website/environment.yaml")),
    ("services/prod-api.yaml", include_str!("../../../config/examples/convergence-website/services/prod-api.yaml")),
    (
        "services/prod-api.task.json",
        include_str!("../../../config/examples/convergence-website/services/prod-api.task.json"),
    ),
    (
        "services/prod-app.task.json",
        include_str!("../../../config/examples/convergence-website/services/prod-app.task.json"),
    ),
    ("services/prod-app.yaml", include_str!("prod-app.yaml")),
];

/// The version that both services run at the beginning.
const FIRST: &str = "2.0.1";

/// The demo: its repository and its account.
#[derive(Debug)]
pub struct Demo {
    /// The account.
    pub account: Account,
    repository: Authoring,
    /// The version that the last merge of a service replaced. One commit at a time.
    replaced: Mutex<BTreeMap<String, String>>,
}

impl Demo {
    /// Makes the repository with its first commit.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn create(folder: &Path, account: Account) -> anyhow::Result<Self> {
        let repository = Authoring::create(folder)?;
        let demo = Self { account, repository, replaced: Mutex::default() };
        let mut files: BTreeMap<String, String> =
            FILES.iter().map(|(path, text)| (format!("{ENVIRONMENT}/{path}"), (*text).to_owned())).collect();
        for text in files.values_mut() {
            // Somebody who tries things corrects drift more often than once in five minutes.
            *text = text.replace("minInterval: 5m", "minInterval: 1s");
        }
        let api = format!("{ENVIRONMENT}/services/prod-api.yaml");
        if let Some(text) = files.get_mut(&api) {
            *text = with_version(text, "convergence-prod-api", FIRST).context("prod-api.yaml names no image")?;
        }
        demo.repository.commit(&files, "prod-api and prod-app 2.0.1")?;
        Ok(demo)
    }

    /// Where the repository is.
    pub fn folder(&self) -> &Path {
        self.repository.folder()
    }

    /// Takes back the last merge of a service, which was of this version; says what was done.
    ///
    /// # Errors
    /// Git does not say this version.
    pub fn revert(&self, service: &str, bad: &str) -> anyhow::Result<String> {
        let path = format!("{ENVIRONMENT}/services/{service}.yaml");
        let text = self.repository.read(&path).with_context(|| format!("{path} cannot be read"))?;
        let said = tagged(&text, &format!("convergence-{service}"));
        anyhow::ensure!(said == Some(bad), "git does not say {bad} of {service}: there is nothing to revert");
        let before = self.replaced.lock().unwrap_or_else(PoisonError::into_inner).get(service).cloned();
        self.merge(service, before.as_deref().unwrap_or(FIRST), &format!("Revert \"{service} {bad}\""))
    }

    /// Merges another version of a service; says what was done.
    ///
    /// # Errors
    /// The file cannot be read or written, or has that version already.
    pub fn merge(&self, service: &str, version: &str, message: &str) -> anyhow::Result<String> {
        let mut replaced = self.replaced.lock().unwrap_or_else(PoisonError::into_inner);
        let path = format!("{ENVIRONMENT}/services/{service}.yaml");
        let text = self.repository.read(&path).with_context(|| format!("{path} cannot be read"))?;
        let image = format!("convergence-{service}");
        let new = with_version(&text, &image, version).with_context(|| format!("{path} names no image"))?;
        anyhow::ensure!(new != text, "{service} is at {version} in git already");
        let revision = self.repository.commit(&BTreeMap::from([(path, new)]), message)?;
        replaced.extend(tagged(&text, &image).map(|old| (service.to_owned(), old.to_owned())));
        Ok(format!("committed {}: {message}", revision.short()))
    }
}

/// The tag behind `image:`.
fn tagged<'t>(text: &'t str, image: &str) -> Option<&'t str> {
    text.split_once(&format!("/{image}:"))?.1.split_whitespace().next()
}

/// The text with another tag behind `image:`.
fn with_version(text: &str, image: &str, version: &str) -> Option<String> {
    let (before, rest) = text.split_once(&format!("/{image}:"))?;
    let end = rest.find(|c: char| c.is_whitespace()).unwrap_or(rest.len());
    Some(format!("{before}/{image}:{version}{}", &rest[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_replaced() {
        let text = "image: ${registry}/convergence-prod-api:2.1.0\nenvironment:\n";
        let new = with_version(text, "convergence-prod-api", "2.2.0").unwrap();
        assert_eq!(new, "image: ${registry}/convergence-prod-api:2.2.0\nenvironment:\n");
        assert_eq!(tagged(&new, "convergence-prod-api"), Some("2.2.0"));
        assert_eq!(with_version(text, "other", "1"), None);
    }

    #[test]
    fn the_example_has_what_the_demo_changes() {
        let text = |name: &str| FILES.iter().find(|(path, _)| *path == name).map(|(_, text)| *text).unwrap();
        assert!(text("environment.yaml").contains("minInterval: 5m"));
        for service in ["prod-api", "prod-app"] {
            let text = text(&format!("services/{service}.yaml"));
            assert!(with_version(text, &format!("convergence-{service}"), "1").is_some());
        }
    }
}
