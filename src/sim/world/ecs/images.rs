//! What images do when they run: said by the words of their tag, or row by row.

use std::collections::BTreeMap;

/// What a container of an image does.
#[derive(Debug, Clone, PartialEq)]
pub struct Behaviour {
    /// Seconds that pulling it takes.
    pub pull: f64,
    /// The registry does not have it.
    pub missing: bool,
    /// It exits so many seconds after its start, with this code.
    pub exits: Option<(f64, i64)>,
    /// What it answers to its target group's checks; none answers nothing.
    pub answers: Option<u16>,
    /// Its own health check fails.
    pub sick: bool,
    /// No capacity is found for a task that has it.
    pub nowhere: bool,
    /// What it writes when it starts.
    pub says: Vec<String>,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            pull: PULL_SECONDS,
            missing: false,
            exits: None,
            answers: Some(200),
            sick: false,
            nowhere: false,
            says: Vec::new(),
        }
    }
}

/// A small image from a registry in the region.
const PULL_SECONDS: f64 = 3.0;

impl Behaviour {
    /// What the words of a tag say; they combine, and may stand anywhere in it.
    ///
    /// ```text
    /// slow-N      pulling it takes N seconds
    /// nopull      it cannot be pulled
    /// crash-N     it exits with code 1, N seconds after its start
    /// job-N       it exits with code 0, N seconds after its start
    /// unready-N   its target group's checks are answered with the HTTP code N; 0: not at all
    /// sick        its own health check fails
    /// nocapacity  no capacity is found for it
    /// ```
    pub fn of_tag(tag: &str) -> Self {
        let words: Vec<&str> = tag.split('-').collect();
        let number = |word: &str| {
            let at = words.iter().position(|found| *found == word)?;
            Some(words.get(at + 1).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0))
        };
        let has = |word: &str| words.contains(&word);
        let mut behaviour =
            Self { missing: has("nopull"), sick: has("sick"), nowhere: has("nocapacity"), ..Self::default() };
        if let Some(seconds) = number("slow") {
            behaviour.pull = seconds;
        }
        behaviour.exits = exits(number("crash"), number("job"));
        if let Some(code) = number("unready") {
            behaviour.answers = Some(code as u16).filter(|code| *code > 0);
        }
        behaviour
    }
}

fn exits(crash: Option<f64>, job: Option<f64>) -> Option<(f64, i64)> {
    crash.map(|after| (after, 1)).or_else(|| job.map(|after| (after, 0)))
}

/// How a container ends that was given another command when it was started (RunTask, containerOverrides): as the words of
/// the command say, else as those of its image do, else with code 0 when a short job is done.
pub fn ends_of(command: &[&str], image: &Behaviour) -> (f64, i64) {
    let said = Behaviour::of_tag(&command.join("-")).exits;
    said.or(image.exits).unwrap_or((JOB_SECONDS, 0))
}

/// A migration with little to do.
const JOB_SECONDS: f64 = 5.0;

/// What images do; what nobody said is read off the tag.
#[derive(Debug, Clone, Default)]
pub struct Images {
    rows: BTreeMap<String, Behaviour>,
    /// What Lambda functions do as lifecycle hooks, by ARN.
    pub hooks: BTreeMap<String, Function>,
}

/// What a Lambda function does as a lifecycle hook.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Function {
    /// Seconds until it answers. ECS asks it again as long as it answers IN_PROGRESS.
    pub seconds: f64,
    /// Whether it then answers SUCCEEDED, or FAILED.
    pub succeeds: bool,
}

impl Default for Function {
    fn default() -> Self {
        Self { seconds: FUNCTION_SECONDS, succeeds: true }
    }
}

/// A Lambda function answers.
const FUNCTION_SECONDS: f64 = 2.0;

impl Images {
    /// From now on containers of this image (the whole text of it) do this.
    pub fn set(&mut self, image: &str, behaviour: Behaviour) {
        self.rows.insert(image.to_owned(), behaviour);
    }

    /// What a container of this image does.
    pub fn does(&self, image: &str) -> Behaviour {
        self.rows.get(image).cloned().unwrap_or_else(|| Behaviour::of_tag(tag(image)))
    }
}

/// `registry:5000/name:TAG@digest`.
fn tag(image: &str) -> &str {
    let name = image.split('@').next().unwrap_or_default();
    name.rsplit('/').next().and_then(|last| last.split_once(':')).map_or("", |(_, tag)| tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_tags() {
        let usual = Behaviour::default();
        for (image, expected) in [
            ("r:5000/a/b", usual.clone()),
            ("r:5000/a/b:2.1.0", usual.clone()),
            ("a:2.1.0-crash-0.5", Behaviour { exits: Some((0.5, 1)), ..usual.clone() }),
            ("a:slow-9-job-2", Behaviour { pull: 9.0, exits: Some((2.0, 0)), ..usual.clone() }),
            ("a:nopull@sha256:1", Behaviour { missing: true, ..usual.clone() }),
            ("a:unready-503", Behaviour { answers: Some(503), ..usual.clone() }),
            ("a:unready-0", Behaviour { answers: None, ..usual.clone() }),
            ("sick/a:1", usual.clone()),
        ] {
            assert_eq!(Images::default().does(image), expected, "{image}");
        }
    }

    #[test]
    fn a_command_of_its_own_ends() {
        for (command, tag, expected) in [
            (&["pnpm", "migrate"][..], "2.1.0", (JOB_SECONDS, 0)),
            (&["migrate", "crash-1"], "2.1.0", (1.0, 1)),
            (&["migrate", "job-9"], "2-crash-1", (9.0, 0)),
            (&["migrate"], "2-crash-1", (1.0, 1)),
        ] {
            assert_eq!(ends_of(command, &Behaviour::of_tag(tag)), expected, "{command:?} {tag}");
        }
    }
}
