//! Problems in what people wrote: what is wrong, where, and the way out. Reading collects them all; none stops it.

use super::document::Place;
use super::id::ServiceName;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde::Serialize;
use std::fmt;

/// How much a problem weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing is applied from the service (or the environment) until it is mended.
    Error,
    /// Worth a look; does not stop anything.
    Warning,
}

/// One thing that is wrong in the desired state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Error or warning.
    pub severity: Severity,
    /// A stable code, as `E0107`; [`CODES`] lists them all.
    pub code: &'static str,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// Where it is written.
    pub place: Option<Place>,
    /// Other places that belong to it, each with a label.
    pub related: Vec<(Place, String)>,
    /// What to do.
    pub help: Option<String>,
    /// The service that is stopped by it; `None` when it is the whole environment.
    pub service: Option<ServiceName>,
}

macro_rules! codes { ($($(#[$doc:meta])* $name:ident = $code:literal, $title:literal;)*) => {
    $($(#[$doc])* pub const $name: &str = $code;)*
    /// Every code with its title, for `--help`, the reference page and the tests.
    pub const CODES: &[(&str, &str)] = &[$(($code, $title)),*];
} }

codes! {
    /// The text is no YAML or JSON.
    SYNTAX = "E0101", "the file is not valid YAML or JSON";
    /// A limit of file, tree, depth or nodes.
    LIMIT = "E0102", "a file or folder is over a limit";
    /// No environment.yaml, or no such path.
    NO_ENVIRONMENT = "E0103", "there is no environment.yaml where the source points to";
    /// A file that a document names does not exist.
    NO_FILE = "E0104", "a file that is referred to does not exist in the commit";
    /// Symlinks, submodules and other entries that are never followed.
    REFUSED_ENTRY = "E0105", "a symbolic link or submodule is refused";
    /// `extends` in a circle.
    EXTENDS_CYCLE = "E0106", "files extend each other in a circle";
    /// A key that nothing knows.
    UNKNOWN_FIELD = "E0107", "an unknown field";
    /// A value of the wrong type or outside its enumeration or range.
    WRONG_VALUE = "E0108", "a value has the wrong type, or is outside the API's values";
    /// A field that must be given.
    MISSING_FIELD = "E0109", "a required field is missing";
    /// `${name}` of an unknown name.
    UNKNOWN_VARIABLE = "E0110", "an unknown variable";
    /// The same key or name twice.
    DUPLICATE = "E0111", "the same name is given twice";
    /// A path that leaves the repository.
    OUTSIDE = "E0112", "a path leaves the repository";
    /// One service declared in two files.
    SERVICE_TWICE = "E0201", "two files declare the same service";
    /// `containers` names a container that the task definition does not have.
    NO_CONTAINER = "E0202", "a container that the task definition does not have";
    /// A reference to something of another account or region.
    FOREIGN_ARN = "E0203", "an ARN of another account or region";
    /// `dependsOn` names an unknown service, or goes in a circle.
    DEPENDS_ON = "E0204", "dependsOn names an unknown service or goes in a circle";
    /// A field whose value belongs to somebody else.
    NOT_OURS = "E0205", "a field that cannot be declared here";
    /// A load balancer sends traffic to a port that the container does not have.
    NO_PORT = "E0206", "a container or port that the task definition does not have";
    /// One task family used by two services (desired-state rule 4).
    SHARED_FAMILY = "E0214", "two services would run one task family";
    /// One thing declared in two files, or twice in one.
    RESOURCE_TWICE = "E0215", "one resource is declared twice";
    /// Fargate sizes that do not exist.
    FARGATE_SIZE = "E0301", "a Fargate size that does not exist";
    /// minimumHealthyPercent and maximumPercent that leave no room for a deployment.
    CANNOT_ROLL = "E0302", "percentages under which no deployment can proceed";
    /// `ip` with tasks that have no address of their own, `instance` with tasks that have one.
    TARGET_TYPE = "E0303", "a target group's type does not fit the tasks' network mode";
    /// Fargate without awsvpc.
    NETWORK_MODE = "E0304", "a network mode that Fargate does not have";
    /// Two port numbers for what is one port.
    HOST_PORT = "E0305", "a host port that is not the container port";
    /// Days that CloudWatch Logs does not offer.
    RETENTION = "E0306", "a retention that CloudWatch Logs does not have";
    /// A scaling policy that contradicts itself.
    POLICY = "E0307", "a scaling policy's type, configuration and alarm do not fit together";
    /// Steps with gaps, overlaps or missing ends.
    STEPS = "E0308", "step adjustments that Application Auto Scaling refuses";
    /// No at(), rate() or cron().
    SCHEDULE = "E0309", "a schedule that is no at(), rate() or cron() expression";
    /// An answer may take longer than the next check.
    HEALTH_CHECK = "E0310", "a health check's timeout is not less than its interval";
    /// An attribute of a target group outside its range.
    ATTRIBUTE = "E0311", "a target group's attribute is outside its range";
    /// `rollout.approval` asks for what ECS cannot do.
    APPROVAL = "E0312", "an approval that ECS cannot wait for";
    /// `sync.windows` has a text that is no time of the week, or a time zone that does not exist.
    WINDOW = "E0313", "a deploy window that is no time of the week, or in no time zone";
    /// Parsed and validated, but this version does not act on it.
    /// A plain value whose name says that it is a secret.
    PLAIN_SECRET = "W0402", "a plain environment value looks like a secret";
    /// `0.6` where CloudWatch counts in percent.
    FRACTION = "W0403", "a utilization in percent that is written as a fraction";
    /// Scaling out and in meet at one value.
    NO_DEAD_BAND = "W0404", "scaling out and in without room between them";
    /// Policies that have nothing to decide.
    FIXED_CAPACITY = "W0405", "scaling policies with one possible number of tasks";
    /// The only task stops before the next one answers.
    DEPLOYMENT_GAP = "W0406", "a load balancer without a task during each deployment";
    /// An image that changes under its name.
    MOVING_TAG = "W0407", "an image by a tag that moves";
    /// A step policy that nothing triggers.
    NO_ALARM = "W0408", "a step scaling policy without an alarm";
    /// The port of a target group that no container has.
    GROUP_PORT = "W0409", "a target group's port that no container maps";
}

impl Problem {
    /// An error at a place.
    pub fn error(code: &'static str, place: &Place, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            message: message.into(),
            place: Some(place.clone()),
            related: Vec::new(),
            help: None,
            service: None,
        }
    }

    /// A warning at a place.
    pub fn warning(code: &'static str, place: &Place, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, place, message) }
    }

    /// An error of something that has no place in a file, as a missing folder.
    pub fn without_place(code: &'static str, message: impl Into<String>) -> Self {
        Self { place: None, ..Self::error(code, &Place::nowhere(), message) }
    }

    /// Adds what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds what to do, where it applies.
    #[must_use]
    pub fn help_if(self, applies: bool, help: &str) -> Self {
        if applies { self.help(help) } else { self }
    }

    /// Adds a second place.
    #[must_use]
    pub fn related(mut self, place: &Place, label: impl Into<String>) -> Self {
        self.related.push((place.clone(), label.into()));
        self
    }

    /// Whether nothing may be applied while it stands.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// The problem under its source line, as rustc prints one. `source` gives the text of a file of the desired state.
    pub fn render<'t>(&self, source: impl Fn(&str) -> Option<&'t str>, colour: bool) -> String {
        let level = if self.is_error() { Level::ERROR } else { Level::WARNING };
        let mut group = Group::with_title(level.primary_title(&self.message).id(self.code));
        let spots = self.place.iter().map(|place| (place, "")).chain(self.related.iter().map(|(p, l)| (p, l.as_str())));
        for (index, (place, label)) in spots.enumerate() {
            let Some(text) = source(place.file.as_str()) else { continue };
            let span = place.byte_range(text);
            let kind = if index == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
            let annotation = kind.span(span);
            let annotation = if label.is_empty() { annotation } else { annotation.label(label) };
            group = group.element(Snippet::source(text).path(place.file.as_str()).annotation(annotation));
        }
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help));
        }
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        renderer.render(&[group])
    }
}

/// `path:line:col: error[CODE]: message`, with `help:` on a line of its own: the form for logs, CI and editors.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { severity, code, message, place, related, help, service: _ } = self;
        if let Some(place) = place {
            write!(f, "{place}: ")?;
        }
        let severity = match severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{severity}[{code}]: {message}")?;
        for (place, label) in related {
            write!(f, "\n  {place}: {label}")?;
        }
        if let Some(help) = help {
            write!(f, "\n  help: {help}")?;
        }
        Ok(())
    }
}
