//! Formats of configurations, and which versions take them.

use std::fmt;

/// A configuration's format that a version does not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormatError {
    pub(super) format: String,
    pub(super) profile: String,
    pub(super) version: String,
    /// The first version that does, or `*.` and its day.
    pub(super) since: Option<String>,
    /// Those that it takes, in words.
    pub(super) taken: Vec<String>,
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it is {}, which {} {} does not take", self.format, self.profile, self.version)?;
        match self.since.as_deref().map(|first| (first, first.strip_prefix("*."))) {
            Some((_, Some(day))) => write!(f, " (versions since {day} do)")?,
            Some((first, None)) => write!(f, " (the first that does is {first})")?,
            None => {}
        }
        let taken = if self.taken.is_empty() { "none".to_owned() } else { self.taken.join(", ") };
        write!(f, "; of such it takes {taken}")
    }
}

impl std::error::Error for FormatError {}

/// A format's name for people.
pub fn format_words(format: &str) -> String {
    match format.strip_prefix("ignition-") {
        Some(version) => format!("Ignition {version}"),
        None if format == "mime" => "MIME user data of cloud-init".into(),
        None => format.to_owned(),
    }
}

/// Whether a version is `first` or a later one, number by number; `*` stands for any number, and a date is behind it. What
/// is no number, or no date, can't be compared, and passes.
pub(super) fn is_since(version: &str, first: &str) -> bool {
    let number = |part: &str| part.parse::<u64>().ok();
    let is_date = first.starts_with('*');
    for (own, least) in version.split('.').zip(first.split('.')) {
        match (number(own), number(least)) {
            (Some(_), Some(_)) if is_date && own.len() != least.len() => return true,
            (Some(own), Some(least)) if own != least => return own > least,
            _ => {}
        }
    }
    true
}
