//! Whether a node's configuration is what its installer will take.

use saphyr::LoadableYamlNode as _;
use serde_json::Value;

use super::preseed;
use crate::profiles::ConfigKind;

/// Why a configuration can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "fields are what the message names")]
pub enum ConfigFormatError {
    /// Some editors put it before the first line, where machines look for something else.
    #[error("it begins with a byte order mark; save it as UTF-8 without one (Notepad: UTF-8, not UTF-8-BOM)")]
    Mark,
    /// Not JSON.
    #[error("it is no JSON: {0}")]
    Json(String),
    /// JSON, but not Ignition's.
    #[error("it has no \"ignition\": {{\"version\": …}}")]
    NotIgnition,
    /// A version of Ignition's format that no installer here takes.
    #[error("Ignition version {0:?} is not known; known are 1, 2.0.0 to 2.4.0 and 3.0.0 to 3.6.0")]
    IgnitionVersion(String),
    /// Butane is what people write, Ignition is what machines read.
    #[error("it is Butane, not Ignition; translate it with `butane --strict`")]
    Butane,
    /// Something else that cloud-init takes, and CoreOS' program of that name does not.
    #[error("it is {0}, which coreos-cloudinit does not take; write one #cloud-config, or a script (#!…)")]
    UserData(&'static str),
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
    Preseed { line: usize, text: String },
    /// It would be taken for that of the script which the appliance adds.
    #[error("preseed/run/checksum would be taken for rackberry's own script, too; leave it out")]
    RunChecksum,
}

/// What a configuration says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Its format, as profiles call it, where it is one that not every version of a system takes: `ignition-3.4`,
    /// `mime`.
    pub format: Option<String>,
}

/// Checks a configuration of this kind.
///
/// # Errors
/// [`ConfigFormatError`] says what its installer would stumble over.
pub fn check(kind: ConfigKind, text: &str) -> Result<Facts, ConfigFormatError> {
    examine(kind, text, Depth::Whole)
}

/// As [`check`], of a long text: it takes little memory, and leaves YAML below its header to the installer.
///
/// # Errors
/// [`ConfigFormatError`] says what its installer would stumble over.
pub fn check_large(kind: ConfigKind, text: &str) -> Result<Facts, ConfigFormatError> {
    examine(kind, text, Depth::Header)
}

/// How much of a YAML text is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    Whole,
    Header,
}

fn examine(kind: ConfigKind, text: &str, depth: Depth) -> Result<Facts, ConfigFormatError> {
    if text.starts_with('\u{feff}') {
        return Err(ConfigFormatError::Mark);
    }
    match kind {
        ConfigKind::Ignition => ignition(text).map(|format| Facts { format: Some(format) }),
        ConfigKind::CloudConfig => cloud_config(text, depth).map(|format| Facts { format }),
        ConfigKind::Preseed => preseed::check(text).map(|()| Facts::default()),
    }
}

/// What of a config says which format it has; the rest is read over.
#[derive(serde::Deserialize)]
struct Head {
    ignition: Option<IgnitionHead>,
    #[serde(rename = "ignitionVersion")]
    first: Option<serde::de::IgnoredAny>,
}

#[derive(serde::Deserialize)]
struct IgnitionHead {
    version: Option<Value>,
}

fn ignition(text: &str) -> Result<String, ConfigFormatError> {
    let head: Head = match serde_json::from_str(text) {
        Ok(head) => head,
        Err(_) if text.lines().any(|line| line.starts_with("variant:")) => {
            return Err(ConfigFormatError::Butane);
        }
        // It is JSON, and something else than Ignition's.
        Err(error) if error.is_data() => return Err(ConfigFormatError::NotIgnition),
        Err(error) => return Err(ConfigFormatError::Json(error.to_string())),
    };
    // Of 2015 and 2016.
    if head.first.is_some() {
        return Ok("ignition-1".into());
    }
    let version = head.ignition.and_then(|head| head.version).ok_or(ConfigFormatError::NotIgnition)?;
    let version = version.as_str().ok_or(ConfigFormatError::NotIgnition)?;
    let mut parts = version.split('.');
    let (major, minor, patch) = (parts.next(), parts.next(), parts.next());
    let minor = minor.and_then(|minor| minor.parse::<u8>().ok());
    match (major, minor, patch, parts.next()) {
        (Some(major @ "2"), Some(minor @ 0..=4), Some("0"), None)
        | (Some(major @ "3"), Some(minor @ 0..=6), Some("0"), None) => {
            Ok(format!("ignition-{major}.{minor}"))
        }
        _ => Err(ConfigFormatError::IgnitionVersion(version.to_owned())),
    }
}

/// How other user data of cloud-init begins.
const USER_DATA: [(&str, &str); 6] = [
    ("content-type:", "MIME user data of cloud-init, of one part"),
    ("#cloud-config-archive", "an archive of cloud-init's"),
    ("#include", "a list of URLs for cloud-init"),
    ("#cloud-boothook", "a boot hook of cloud-init's"),
    ("#upstart-job", "an upstart job for cloud-init"),
    ("## template:", "a template of cloud-init's"),
];

fn cloud_config(text: &str, depth: Depth) -> Result<Option<String>, ConfigFormatError> {
    let header = text.lines().next().unwrap_or_default();
    if header.starts_with("#!") {
        return Ok(None);
    }
    if header.trim_end() != "#cloud-config" {
        let lower = header.to_lowercase();
        if lower.starts_with("content-type: multipart/") || lower.starts_with("mime-version:") {
            return Ok(Some("mime".into()));
        }
        let known = USER_DATA.iter().find(|(start, _)| lower.starts_with(start));
        if let Some((_, what)) = known {
            return Err(ConfigFormatError::UserData(what));
        }
        if text.trim_start().starts_with('{') && text.contains("\"ignition") {
            return Err(ConfigFormatError::UserData("Ignition, under a cloud-config's name (call it .ign)"));
        }
        return Err(ConfigFormatError::Header(header.chars().take(60).collect()));
    }
    if depth == Depth::Header {
        return Ok(None);
    }
    let documents =
        saphyr::Yaml::load_from_str(text).map_err(|error| ConfigFormatError::Yaml(error.to_string()))?;
    match documents.first() {
        Some(document) if document.is_mapping() => Ok(None),
        _ => Err(ConfigFormatError::NoKeys),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignition_is_json_of_a_known_version() {
        let check = |text: &str| check(ConfigKind::Ignition, text);
        let format = |format: &str| Ok(Facts { format: Some(format.into()) });
        for (version, known) in [
            ("2.0.0", "ignition-2.0"),
            ("2.4.0", "ignition-2.4"),
            ("3.0.0", "ignition-3.0"),
            ("3.4.0", "ignition-3.4"),
        ] {
            assert_eq!(check(&format!("{{\"ignition\":{{\"version\":\"{version}\"}}}}")), format(known));
        }
        assert_eq!(check("{\"ignitionVersion\": 1, \"storage\": {}}"), format("ignition-1"));
        for version in ["1", "2.9.0", "3.1", "3.1.0-experimental", "4.0.0", "3.0.0.0"] {
            let text = format!("{{\"ignition\":{{\"version\":\"{version}\"}}}}");
            assert_eq!(check(&text), Err(ConfigFormatError::IgnitionVersion(version.into())));
        }
        for text in
            ["{}", "[]", "3", "{\"ignition\":{}}", "{\"ignition\":{\"version\":3}}", "{\"ignition\":\"x\"}"]
        {
            assert_eq!(check(text), Err(ConfigFormatError::NotIgnition), "{text}");
        }
        assert_eq!(check("variant: fcos\nversion: 1.5.0\n"), Err(ConfigFormatError::Butane));
        assert!(check("{\"ignition\":{},}").unwrap_err().to_string().contains("line 1 column"));
        assert_eq!(check("\u{feff}{}"), Err(ConfigFormatError::Mark));
    }

    #[test]
    fn long_configurations_are_checked_without_being_taken_apart() {
        let files = format!("\"x\":[{}0]", "0,".repeat(500_000));
        let text = format!("{{{files},\"ignition\":{{\"version\":\"3.4.0\",\"config\":{{}}}}}}");
        let facts = Facts { format: Some("ignition-3.4".into()) };
        assert_eq!(check_large(ConfigKind::Ignition, &text), Ok(facts));
        assert!(check_large(ConfigKind::Ignition, &text[..text.len() - 1]).is_err(), "cut off");
        assert!(check_large(ConfigKind::CloudConfig, "#cloud-config\nx: [\n").is_ok());
        assert!(check_large(ConfigKind::CloudConfig, "x: y\n").is_err());
    }

    #[test]
    fn cloud_config_has_its_header_and_keys() {
        let check = |text: &str| check(ConfigKind::CloudConfig, text).map(drop);
        assert_eq!(check("#cloud-config\nhostname: a\n"), Ok(()));
        assert_eq!(check("#cloud-config  \r\nhostname: a\r\n"), Ok(()));
        assert_eq!(check("#!/bin/sh\nexit 0\n"), Ok(()));
        assert_eq!(check("hostname: a\n"), Err(ConfigFormatError::Header("hostname: a".into())));
        assert_eq!(
            check("# cloud-config\nhostname: a\n"),
            Err(ConfigFormatError::Header("# cloud-config".into()))
        );
        assert_eq!(check("#cloud-config\n"), Err(ConfigFormatError::NoKeys));
        assert_eq!(check("\u{feff}#cloud-config\nhostname: a\n"), Err(ConfigFormatError::Mark));
        let error = check("#cloud-config\nunits:\n  - name: x\n command: y\n").unwrap_err();
        assert!(error.to_string().contains("line 4"), "{error}");
    }

    /// What else people have for cloud-init is called by its name.
    #[test]
    fn other_user_data_is_named() {
        for text in [
            "Content-Type: multipart/mixed; boundary=\"=1\"\nMIME-Version: 1.0\n\n--=1\n",
            "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=x\n",
        ] {
            assert_eq!(check(ConfigKind::CloudConfig, text).unwrap().format.as_deref(), Some("mime"));
        }
        for (text, words) in [
            ("Content-Type: text/cloud-config\n\n#cloud-config\n", "MIME user data"),
            ("#include\nhttp://e/x\n", "a list of URLs"),
            ("#cloud-config-archive\n- type: x\n", "an archive"),
            ("#cloud-boothook\n", "a boot hook"),
            ("## template: jinja\n#cloud-config\n", "a template of cloud-init's"),
            ("{\"ignition\": {\"version\": \"3.0.0\"}}", "call it .ign"),
        ] {
            let error = check(ConfigKind::CloudConfig, text).unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
