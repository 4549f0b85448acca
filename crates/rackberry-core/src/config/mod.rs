//! Configuration in three stages: TOML text, raw tables (unknown keys refused), validated [`Settings`].
//!
//! [`parse`] reports every fault that it can find at once, each
//! with file, line, key and remedy. What each key means is told once, in `keys.rs`; the commented default file
//! and the reference in `docs/config.md` are made from it.

mod defaults;
mod duration;
mod file;
pub(crate) mod keys;
mod nodes;
pub(crate) mod raw;
mod reload;
mod settings;
pub(crate) mod validate;
pub(crate) mod values;
mod warnings;

use std::path::PathBuf;

pub use duration::{DurationError, display as display_duration, parse_duration};
pub use file::{
    fault::{self, ConfigError, Faults, Ink, Position},
    source,
};
pub(crate) use file::{read, syntax};
pub use settings::*;
pub use warnings::Warning;

/// Merges the texts of files in order, later ones over earlier ones, and validates the whole. Each text comes
/// with the path that errors name.
///
/// # Errors
///
/// All faults, in the order of files and lines. Values that a later file replaced are checked for their type
/// only. After a syntax error, values are not validated: too much may be missing.
pub fn parse(sources: &[(PathBuf, String)]) -> Result<Settings, Faults> {
    parse_all(sources, Vec::new())
}

/// As [`parse`], where `unread` tells of further files that can't be read.
pub fn parse_all(sources: &[(PathBuf, String)], unread: Vec<ConfigError>) -> Result<Settings, Faults> {
    let texts: Vec<source::Text> =
        sources.iter().map(|(path, text)| source::Text::new(path.clone(), text)).collect();
    let mut report = source::FaultReport::new(&texts);
    let mut complete = unread.is_empty();
    unread.into_iter().for_each(|error| report.file_fault(error));
    let mut merged = raw::RawConfig::default();
    for (file, text) in texts.iter().enumerate() {
        match syntax::parse(text, file, keys::KEYS, &mut report) {
            Some(root) => merged.merge(raw::RawConfig::read(&root, file, &mut report)),
            None => complete = false,
        }
    }
    let settings = if complete { validate::settings(&merged, &mut report) } else { Settings::default() };
    match report.into_faults() {
        None => Ok(settings),
        Some(faults) => Err(faults),
    }
}

#[cfg(test)]
mod tests;
