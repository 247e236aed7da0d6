//! What a document node must be, and how its list elements are matched. No SDK types here.
//!
//! The shapes themselves are made by the edge from one names-only table per AWS service; the core sees only these
//! constants. From one shape come strict validation with "did you mean", the order of every output, list semantics for
//! the diff, and JSON Schema.

/// What a document node must be. Nested shapes are functions, so that recursive shapes need no boxes and the tables
/// are constants.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// `true` or `false`.
    Boolean,
    /// A 32-bit integer.
    Integer,
    /// A 64-bit integer.
    Long,
    /// A number with a fraction.
    Number,
    /// A string.
    Text,
    /// An RFC 3339 instant.
    Time,
    /// A length of time with its unit, as `15m`: only in driftless's own fields, AWS has plain numbers.
    Duration,
    /// Anything (the API's `document` type).
    FreeForm,
    /// One of these strings.
    Enum(&'static [&'static str]),
    /// A list; how its elements are matched is said by the field that holds it.
    List(fn() -> Shape),
    /// Free-form keys, all values of one shape. Key case counts.
    Map(fn() -> Shape),
    /// Named fields.
    Struct {
        /// The API model's name of the structure, for messages.
        name: &'static str,
        /// In the order of the API reference, which is also the order of every output.
        fields: &'static [Field],
    },
    /// Exactly one of the fields is set.
    Union {
        /// The API model's name of the union, for messages.
        name: &'static str,
        /// The alternatives.
        fields: &'static [Field],
    },
}

/// A field of a structure.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// AWS's own name, as in the API reference.
    pub name: &'static str,
    /// What its value must be.
    pub shape: fn() -> Shape,
    /// How the elements are matched if the value is a list.
    pub order: Order,
    /// Whether the API model demands the field.
    pub required: bool,
}

/// How the elements of a list are matched between two documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// By position: `command`.
    Kept,
    /// Neither order nor repetition matters: `subnets[]`.
    Set,
    /// By the values of key fields: `environment[name]`.
    By(&'static [&'static str]),
}

impl Shape {
    /// The fields of a structure or union; nothing for other shapes.
    pub fn fields(self) -> &'static [Field] {
        match self {
            Shape::Struct { fields, .. } | Shape::Union { fields, .. } => fields,
            _ => &[],
        }
    }

    /// The field of this AWS name. Both spellings of the first letter are taken (desired-state rule 1).
    pub fn field(self, name: &str) -> Option<&'static Field> {
        Self::find(self.fields(), name)
    }

    /// The field of this name among `fields`, in either spelling of the first letter.
    pub fn find<'f>(fields: &'f [Field], name: &str) -> Option<&'f Field> {
        fields
            .iter()
            .find(|field| field.name == name)
            .or_else(|| fields.iter().find(|f| same_but_first_case(f.name, name)))
    }
}

/// Whether `key` is `name` with its first letter, or its first word where that is an acronym, in the other case:
/// `Name` and `name`, `TTL` and `ttl`, `OKActions` and `okActions`.
fn same_but_first_case(name: &str, key: &str) -> bool {
    if !name.eq_ignore_ascii_case(key) {
        return false;
    }
    let upper = |text: &str| text.chars().take_while(char::is_ascii_uppercase).count();
    let acronym = match upper(name) {
        // All of it, or all but the letter that begins the next word.
        run if run == name.len() => run,
        run => run.saturating_sub(1).max(1),
    };
    let same_from = |at: usize| name.get(at..) == key.get(at..);
    same_from(1) || (same_from(acronym) && upper(key) == 0)
}

/// AWS's name with its first letter, or its first word where that is an acronym, in lower case, as documents write it:
/// `healthCheckPath`, `ttl`, `okActions`.
pub fn lower_first(name: &str) -> String {
    let run = name.chars().take_while(char::is_ascii_uppercase).count();
    let lower = match run {
        run if run == name.len() => run,
        run => run.saturating_sub(1).max(run.min(1)),
    };
    name.chars().enumerate().map(|(at, c)| if at < lower { c.to_ascii_lowercase() } else { c }).collect()
}

/// The shapes of every input that a desired-state document can hold, made by the edge from its tables.
#[derive(Debug, Clone, Copy)]
pub struct Shapes {
    /// ECS RegisterTaskDefinition.
    pub task_definition: Shape,
    /// ECS TaskDefinition as DescribeTaskDefinition answers: its read-only fields are dropped on reading.
    pub task_definition_answer: Shape,
    /// ECS CreateService.
    pub create_service: Shape,
    /// ECS UpdateService.
    pub update_service: Shape,
    /// ECS Service as DescribeServices answers: its read-only fields are dropped on reading.
    pub service_answer: Shape,
    /// ELBv2 CreateTargetGroup.
    pub target_group: Shape,
    /// ELBv2 CreateListener.
    pub listener: Shape,
    /// ELBv2 CreateRule.
    pub rule: Shape,
    /// Application Auto Scaling RegisterScalableTarget.
    pub scalable_target: Shape,
    /// Application Auto Scaling PutScalingPolicy.
    pub scaling_policy: Shape,
    /// Application Auto Scaling PutScheduledAction.
    pub scheduled_action: Shape,
    /// CloudWatch PutMetricAlarm.
    pub alarm: Shape,
    /// Cloud Map CreateService.
    pub discovery_service: Shape,
}
