//! Whether a node's configuration is what its installer will take.

use saphyr::LoadableYamlNode as _;
use serde_json::Value;

use crate::profiles::ConfigKind;

/// Why a configuration can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Not JSON.
    #[error("it is no JSON: {0}")]
    Json(String),
    /// JSON, but not Ignition's.
    #[error("it has no \"ignition\": {{\"version\": …}}")]
    NotIgnition,
    /// A version of Ignition's format that no installer here takes.
    #[error("Ignition version {0:?} is not known; known are 2.0.0 to 2.4.0 and 3.0.0 to 3.6.0")]
    IgnitionVersion(String),
    /// Butane is what people write, Ignition is what machines read.
    #[error("it is Butane, not Ignition; translate it with `butane --strict`")]
    Butane,
    /// The header is missing, and without it cloud-init takes no notice of the rest.
    #[error("its first line must be `#cloud-config` (or `#!…` of a script), and is {0:?}")]
    Header(String),
    /// Not YAML.
    #[error("it is no YAML: {0}")]
    Yaml(String),
    /// YAML, but no list of keys.
    #[error("it has no keys below its header")]
    NoKeys,
    /// A line that Debian's installer can't read.
    #[error("line {line}: {text:?} is no answer; write OWNER QUESTION TYPE VALUE")]
    Preseed {
        /// From 1.
        line: usize,
        /// The line.
        text: String,
    },
}

/// Checks a configuration of this kind.
///
/// # Errors
/// [`ConfigError`] says what its installer would stumble over.
pub fn check(kind: ConfigKind, text: &str) -> Result<(), ConfigError> {
    match kind {
        ConfigKind::Ignition => ignition(text),
        ConfigKind::CloudConfig => cloud_config(text),
        ConfigKind::Preseed => preseed(text),
    }
}

fn ignition(text: &str) -> Result<(), ConfigError> {
    let json: Value = match serde_json::from_str(text) {
        Ok(json) => json,
        Err(_) if text.lines().any(|line| line.starts_with("variant:")) => return Err(ConfigError::Butane),
        Err(error) => return Err(ConfigError::Json(error.to_string())),
    };
    let version =
        json.pointer("/ignition/version").and_then(Value::as_str).ok_or(ConfigError::NotIgnition)?;
    let mut parts = version.split('.');
    let known = match (parts.next(), parts.next().and_then(|minor| minor.parse::<u8>().ok()), parts.next()) {
        (Some("2"), Some(minor), Some("0")) => minor <= 4,
        (Some("3"), Some(minor), Some("0")) => minor <= 6,
        _ => false,
    };
    if known && parts.next().is_none() {
        Ok(())
    } else {
        Err(ConfigError::IgnitionVersion(version.to_owned()))
    }
}

fn cloud_config(text: &str) -> Result<(), ConfigError> {
    let header = text.lines().next().unwrap_or_default();
    if header.starts_with("#!") {
        return Ok(());
    }
    if header.trim_end() != "#cloud-config" {
        return Err(ConfigError::Header(header.chars().take(60).collect()));
    }
    let documents =
        saphyr::Yaml::load_from_str(text).map_err(|error| ConfigError::Yaml(error.to_string()))?;
    match documents.first() {
        Some(document) if document.is_mapping() => Ok(()),
        _ => Err(ConfigError::NoKeys),
    }
}

/// The types that debconf knows (debconf-devel(7)), and `seen`, which d-i's preseed takes in their place.
const TYPES: [&str; 10] =
    ["string", "boolean", "select", "multiselect", "note", "text", "password", "title", "error", "seen"];

fn preseed(text: &str) -> Result<(), ConfigError> {
    let mut continued = false;
    for (number, line) in text.lines().enumerate() {
        let is_start = !std::mem::replace(&mut continued, line.ends_with('\\'));
        let words: Vec<&str> = line.split_whitespace().collect();
        if !is_start || words.is_empty() || line.trim_start().starts_with('#') {
            continue;
        }
        if words.len() < 3 || !TYPES.contains(&words[2]) {
            let text = line.chars().take(60).collect();
            return Err(ConfigError::Preseed { line: number + 1, text });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignition_is_json_of_a_known_version() {
        let check = |text: &str| check(ConfigKind::Ignition, text);
        for version in ["2.0.0", "2.4.0", "3.0.0", "3.4.0"] {
            assert_eq!(check(&format!("{{\"ignition\":{{\"version\":\"{version}\"}}}}")), Ok(()));
        }
        for version in ["1", "2.9.0", "3.1", "3.1.0-experimental", "4.0.0", "3.0.0.0"] {
            let text = format!("{{\"ignition\":{{\"version\":\"{version}\"}}}}");
            assert_eq!(check(&text), Err(ConfigError::IgnitionVersion(version.into())));
        }
        assert_eq!(check("{}"), Err(ConfigError::NotIgnition));
        assert_eq!(check("variant: fcos\nversion: 1.5.0\n"), Err(ConfigError::Butane));
        assert!(check("{\"ignition\":{},}").unwrap_err().to_string().contains("line 1 column"));
    }

    #[test]
    fn cloud_config_has_its_header_and_keys() {
        let check = |text: &str| check(ConfigKind::CloudConfig, text);
        assert_eq!(check("#cloud-config\nhostname: a\n"), Ok(()));
        assert_eq!(check("#cloud-config  \r\nhostname: a\r\n"), Ok(()));
        assert_eq!(check("#!/bin/sh\nexit 0\n"), Ok(()));
        assert_eq!(check("hostname: a\n"), Err(ConfigError::Header("hostname: a".into())));
        assert_eq!(check("# cloud-config\nhostname: a\n"), Err(ConfigError::Header("# cloud-config".into())));
        assert_eq!(check("#cloud-config\n"), Err(ConfigError::NoKeys));
        let error = check("#cloud-config\nunits:\n  - name: x\n command: y\n").unwrap_err();
        assert!(error.to_string().contains("line 4"), "{error}");
    }

    #[test]
    fn preseed_lines_are_answers() {
        let check = |text: &str| check(ConfigKind::Preseed, text);
        assert_eq!(
            check("# c\n\nd-i mirror/country string manual\nd-i a/b string \\\n  x \\\n  y\n"),
            Ok(())
        );
        assert!(check("d-i mirror/country manual\n").unwrap_err().to_string().starts_with("line 1"));
    }
}
