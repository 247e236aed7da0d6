//! Only services whose inputs changed are read again; what is taken over is what reading anew would give.

use crate::cases::{commit, read};
use driftless::aws::tables;
use driftless::core::desired::{self, Context, Reading};
use driftless::core::id::RepoPath;
use driftless::core::source::Commit;
use std::collections::BTreeMap;
use std::sync::Arc;

type Files = BTreeMap<RepoPath, Arc<str>>;

fn files() -> Files {
    let service = |name: &str, image: &str, extends: &str| {
        format!(
            "name: {name}\n{extends}taskDefinition: {{ family: {name}, containerDefinitions: [{{ name: a, memory: 128, image: '{image}' }}] }}\nservice: {{ desiredCount: 1 }}\n"
        )
    };
    let environment = "environment: e\naccount: \"111122223333\"\nregion: r\ncluster: c\nvariables: { registry: here }\ndefaults: { sync: { mode: auto } }\n";
    [
        ("environment.yaml", environment.to_owned()),
        ("base/shared.yaml", "service: { healthCheckGracePeriodSeconds: 5 }\n".to_owned()),
        ("services/plain.yaml", service("plain", "x:1", "")),
        ("services/extended.yaml", service("extended", "x:1", "extends: ../base/shared.yaml\n")),
        ("services/variable.yaml", service("variable", "${registry}/x:1", "")),
        ("services/tagged.yaml", service("tagged", "x:${git.tag}", "")),
        ("services/broken.yaml", "name: broken\n".to_owned()),
    ]
    .into_iter()
    .map(|(path, text)| (RepoPath::new(path), text.into()))
    .collect()
}

fn again(files: &Files, commit: &Commit, before: &Reading) -> Reading {
    let (shapes, env, root) = (tables::shapes(), BTreeMap::new(), RepoPath::new(""));
    desired::read(files, &Context { root: &root, commit: Some(commit), shapes: &shapes, env: &env }, Some(before))
}

#[test]
fn only_what_changed_is_read_again() {
    let edits: [(&str, &str, &str, usize); 6] = [
        ("services/plain.yaml", "x:1", "x:2", 4),
        ("base/shared.yaml", "5", "6", 4),
        ("environment.yaml", "registry: here", "registry: there", 4),
        ("environment.yaml", "mode: auto", "mode: detect", 0),
        ("services/broken.yaml", "broken", "mended", 4),
        ("README.md", "", "", 5),
    ];
    for (path, from, to, reused) in edits {
        let before = read(&files());
        let mut changed = files();
        let text = changed.get(&RepoPath::new(path)).map_or(String::new(), |text| text.replace(from, to));
        changed.insert(RepoPath::new(path), text.into());
        let (incremental, anew) = (again(&changed, &commit(), &before), read(&changed));
        assert_eq!(incremental.reused, reused, "{path}: {from} -> {to}");
        assert_eq!(incremental.problems, anew.problems, "{path}");
        let documents = |reading: &Reading| -> Vec<String> {
            let desired = reading.desired.as_ref().unwrap();
            desired.services.values().map(|d| format!("{:?} {:?}", d.workload, d.resources)).collect()
        };
        assert_eq!(documents(&incremental), documents(&anew), "{path}");
    }
}

#[test]
fn a_new_tag_matters_only_to_who_uses_it() {
    let before = read(&files());
    let newer = Commit { tag: Some("v3".into()), ..commit() };
    assert_eq!(again(&files(), &newer, &before).reused, 4);
    assert_eq!(again(&files(), &commit(), &before).reused, 5);
}
