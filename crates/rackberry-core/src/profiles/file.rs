//! `profile.toml`: strict, like every file that people write.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde::Deserialize;

use super::{
    Architecture, ConfigKind, FileSpec, FindCurrent, InstallerCheck, InstallerKeys, Mirror, Profile, Role,
    SHARED_SCRIPT,
};

/// The longest silence while a disk is written, where a profile does not say.
const SILENCE: Duration = Duration::from_secs(10 * 60);

/// Why a profile can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// It is not TOML, or has a key or a value that makes no sense; the text has line and column.
    #[error("{0}")]
    Toml(String),
    /// What one key alone can't say.
    #[error("{0}")]
    Invalid(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawProfile {
    title: String,
    configs: Vec<ConfigKind>,
    version_key: Option<String>,
    #[serde(default)]
    flat: bool,
    trust: RawTrust,
    arch: Vec<RawArch>,
    mirror: Option<RawMirror>,
    file: Vec<RawFile>,
    start: RawStart,
    #[serde(default)]
    install: RawInstall,
    #[serde(default)]
    templates: BTreeMap<String, String>,
    formats: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTrust {
    fingerprints: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawArch {
    name: String,
    folder: Option<String>,
    mirror: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMirror {
    files: String,
    current: RawCurrent,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCurrent {
    path: String,
    key: Option<String>,
    pointer: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    role: Role,
    name: OneOrMore,
    #[serde(default)]
    signature: OneOrMore,
    #[serde(default)]
    variant: OneOrMore,
    #[serde(default)]
    optional: bool,
    #[serde(default)]
    with_loaders: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStart {
    install: String,
    live: String,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawInstall {
    script: Option<String>,
    command: Option<String>,
    silence: Option<String>,
    check: Option<RawCheck>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
struct RawCheck {
    keys: InstallerKeys,
    #[serde(default)]
    forgives_missing: bool,
}

/// Reads the profile called `name`; `files` are the other files of its folder.
///
/// # Errors
/// [`ProfileError`] says what and, for TOML, where.
pub fn parse(name: &str, text: &str, files: &BTreeMap<String, Arc<str>>) -> Result<Profile, ProfileError> {
    let raw: RawProfile = toml::from_str(text).map_err(|error| ProfileError::Toml(error.to_string()))?;
    let invalid = |text: String| Err(ProfileError::Invalid(text));
    if raw.arch.is_empty() {
        return invalid("a profile needs one [[arch]] at least".into());
    }
    let specs: Vec<FileSpec> = raw.file.into_iter().map(FileSpec::from).collect();
    for role in [Role::Kernel, Role::Initrd, Role::Rootfs, Role::Image] {
        let count = specs.iter().filter(|file| file.role == role).count();
        if count > 1 || (count == 0 && role == Role::Kernel) {
            return invalid(format!("it has {count} files with role = \"{}\"", role.name()));
        }
    }
    let mut templates = BTreeMap::new();
    for (served, file) in raw.templates {
        let text = files.get(&file).cloned();
        let Some(text) = text else { return invalid(format!("its template {file} is not there")) };
        templates.insert(served, text);
    }
    let script = raw.install.script.map(|script| match files.get(&script) {
        Some(own) => Ok(own.to_string()),
        None if script == SHARED_SCRIPT.0 => Ok(SHARED_SCRIPT.1.to_owned()),
        None => Err(ProfileError::Invalid(format!("its script {script} is not there"))),
    });
    Ok(Profile {
        name: name.to_owned(),
        is_built_in: false,
        title: raw.title,
        configs: raw.configs,
        version_key: raw.version_key,
        flat: raw.flat,
        fingerprints: raw
            .trust
            .fingerprints
            .iter()
            .map(|text| fingerprint(text))
            .collect::<Result<_, _>>()?,
        arches: raw
            .arch
            .into_iter()
            .map(|RawArch { name, folder, mirror }| Architecture { name, folder, mirror })
            .collect(),
        files: specs,
        mirror: raw.mirror.map(Mirror::try_from).transpose()?,
        start_install: raw.start.install,
        start_live: raw.start.live,
        script: script.transpose()?,
        command: raw.install.command.unwrap_or_default(),
        formats: raw.formats,
        check: raw
            .install
            .check
            .map(|RawCheck { keys, forgives_missing }| InstallerCheck { keys, forgives_missing }),
        silence: raw.install.silence.map_or(Ok(SILENCE), |text| minutes(&text))?,
        templates,
    })
}

fn fingerprint(text: &str) -> Result<String, ProfileError> {
    let plain: String = text.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_uppercase();
    let fits = matches!(plain.len(), 40 | 64) && plain.bytes().all(|byte| byte.is_ascii_hexdigit());
    if fits { Ok(plain) } else { Err(ProfileError::Invalid(format!("{text:?} is no key's fingerprint"))) }
}

/// `30m`
fn minutes(text: &str) -> Result<Duration, ProfileError> {
    let number = text.strip_suffix('m').and_then(|number| number.parse::<u64>().ok());
    let number = number.filter(|number| (1..=24 * 60).contains(number));
    number.map(|number| Duration::from_secs(60 * number)).ok_or_else(|| {
        ProfileError::Invalid(format!("install.silence = {text:?} is no number of minutes, like \"30m\""))
    })
}

impl TryFrom<RawMirror> for Mirror {
    type Error = ProfileError;

    fn try_from(raw: RawMirror) -> Result<Mirror, ProfileError> {
        let find = match (raw.current.key, raw.current.pointer) {
            (Some(key), None) => FindCurrent::Key(key),
            (None, Some(pointer)) => FindCurrent::Pointer(pointer),
            _ => return Err(ProfileError::Invalid("mirror.current needs either key or pointer".into())),
        };
        Ok(Mirror { files: raw.files, current: raw.current.path, find })
    }
}

impl From<RawFile> for FileSpec {
    fn from(raw: RawFile) -> FileSpec {
        FileSpec {
            role: raw.role,
            names: raw.name.into(),
            signatures: raw.signature.into(),
            variants: raw.variant.into(),
            optional: raw.optional,
            with_loaders: raw.with_loaders,
        }
    }
}

impl Default for OneOrMore {
    fn default() -> Self {
        Self::More(Vec::new())
    }
}

impl From<OneOrMore> for Vec<String> {
    fn from(names: OneOrMore) -> Vec<String> {
        match names {
            OneOrMore::One(name) => vec![name],
            OneOrMore::More(names) => names,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = "title = 'T'\nconfigs = []\n[trust]\nfingerprints = []\n[[arch]]\nname = 'x86_64'\n\
        [[file]]\nrole = 'kernel'\nname = 'k'\n[start]\ninstall = ''\nlive = ''\n";

    fn read(text: &str) -> Result<Profile, ProfileError> {
        parse("own", text, &BTreeMap::new())
    }

    #[test]
    fn a_profile_needs_little() {
        let profile = read(LEAST).unwrap();
        assert_eq!((profile.name.as_str(), profile.silence), ("own", Duration::from_secs(600)));
        let kernel = &profile.files[0];
        assert_eq!(kernel.signatures("k", "1", "x86_64"), ["k.sig", "k.asc", "k.gpg", "k.sign"]);
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let cases = [
            (LEAST.replace("title", "titel"), "unknown field `titel`"),
            (LEAST.replace("'kernel'", "'kernle'"), "unknown variant `kernle`"),
            (LEAST.replace("'kernel'", "'image'"), "it has 0 files with role = \"kernel\""),
            (
                LEAST.replace("fingerprints = []", "fingerprints = ['12AB']"),
                "\"12AB\" is no key's fingerprint",
            ),
            (format!("{LEAST}[install]\nsilence = 'long'"), "\"long\" is no number of minutes"),
            (format!("{LEAST}[install]\ncheck = {{}}"), "missing field `keys`"),
            (format!("{LEAST}[install]\ncheck = {{ keys = 'mine' }}"), "unknown variant `mine`"),
            (format!("{LEAST}[install]\nscript = 'own.sh'"), "its script own.sh is not there"),
            (format!("{LEAST}[templates]\n'a' = 'b'"), "its template b is not there"),
        ];
        for (text, words) in cases {
            let error = read(&text).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
