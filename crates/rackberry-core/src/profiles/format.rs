//! Formats of configurations, and which versions take them.

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
