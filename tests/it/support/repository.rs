//! A git repository for one test, made from an example.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The folder of an example.
pub fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config/examples").join(name)
}

/// A repository with an environment in its folder `env`, on the branch `main`.
pub struct Repository {
    folder: tempfile::TempDir,
}

impl Repository {
    /// The files of an example, committed and tagged v1.2.3.
    pub fn of_example(name: &str) -> Self {
        Self::of_example_with(name, |_| {})
    }

    /// The same, after `change` has changed what is committed first.
    pub fn of_example_with(name: &str, change: impl FnOnce(&Self)) -> Self {
        let repository = Self { folder: tempfile::tempdir().unwrap() };
        copy(&example(name), &repository.path().join("env"));
        repository.git(&["init", "--quiet", "--initial-branch", "main"]);
        change(&repository);
        repository.commit("The first one");
        repository.tag("v1.2.3");
        repository
    }

    /// These files below `env`, committed.
    pub fn of_files(files: &[(&str, &str)]) -> Self {
        let repository = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir_all(repository.environment().join("services")).unwrap();
        repository.git(&["init", "--quiet", "--initial-branch", "main"]);
        files.iter().for_each(|(file, text)| repository.write(file, text));
        repository.commit("The first one");
        repository
    }

    /// Where it is; its URL too.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The environment's folder.
    pub fn environment(&self) -> PathBuf {
        self.path().join("env")
    }

    /// Replaces `from`, which must be there exactly once, in a file below `env`.
    #[track_caller]
    pub fn edit(&self, file: &str, from: &str, to: &str) {
        let text = self.read(file);
        assert_eq!(text.matches(from).count(), 1, "{from:?} is not once in {file}:\n{text}");
        self.write(file, &text.replace(from, to));
    }

    /// Gives every service, and what they share, this `sync` section instead of its own.
    pub fn sync(&self, section: &str) {
        let environment = self.read("environment.yaml");
        let kept: String =
            environment.lines().filter(|line| !line.starts_with("  sync:")).map(|l| format!("{l}\n")).collect();
        let section_of_defaults = format!("defaults:\n  sync: {section}\n");
        let changed = match kept.contains("\ndefaults:\n") {
            true => kept.replace("\ndefaults:\n", &format!("\n{section_of_defaults}")),
            false => format!("{kept}\n{section_of_defaults}"),
        };
        self.write("environment.yaml", &changed);
        for entry in fs::read_dir(self.environment().join("services")).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "yaml") {
                let text = fs::read_to_string(&path).unwrap();
                // In the examples it is the last section of a file.
                let rest = text.split("\nsync:").next().unwrap_or_default();
                fs::write(&path, format!("{}\n\nsync: {section}\n", rest.trim_end())).unwrap();
            }
        }
    }

    /// The text of a file below `env`.
    pub fn read(&self, file: &str) -> String {
        fs::read_to_string(self.environment().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
    }

    /// Writes a file below `env`.
    pub fn write(&self, file: &str, text: &str) {
        fs::write(self.environment().join(file), text).unwrap();
    }

    /// Removes a file below `env`.
    pub fn remove(&self, file: &str) {
        fs::remove_file(self.environment().join(file)).unwrap();
    }

    /// Commits everything; gives the commit's id.
    pub fn commit(&self, message: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Tags the newest commit.
    pub fn tag(&self, name: &str) {
        self.git(&["tag", name]);
    }

    /// Runs git as nobody in particular: no configuration of this machine has a say.
    #[track_caller]
    pub fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .current_dir(self.path())
            .args(["-c", "user.name=Ana Souza", "-c", "user.email=ana@example.com", "-c", "commit.gpgsign=false"])
            .args(arguments)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env_remove("GIT_DIR")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() { copy(&path, &target) } else { fs::write(target, fs::read(&path).unwrap()).unwrap() }
    }
}
