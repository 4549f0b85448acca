//! What the asset folders hold, as the last scan found it.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use crate::{
    ids::Mac,
    profiles::{self, Profile, Role},
};

/// A file that a scan found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Path below its asset folder, as segments.
    pub name: Vec<String>,
    /// Where it lies.
    pub path: PathBuf,
    /// Its length in bytes.
    pub len: u64,
    /// Its text, of the small files that name a version.
    pub text: Option<String>,
}

/// Everything that can be served from the asset folders and the loader folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalog {
    files: BTreeMap<Vec<String>, Found>,
    loaders: BTreeMap<String, PathBuf>,
    /// The folders that were looked at, for messages.
    pub dirs: Vec<PathBuf>,
}

/// One version of one operating system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The profile.
    pub profile: &'static Profile,
    /// The version's name.
    pub version: String,
    /// The path of its files, as URLs name it.
    pub base: Vec<String>,
    /// Needed files that are not there.
    pub missing: Vec<String>,
}

/// Why no version can be installed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotReady {
    /// The configuration names a profile that is not known.
    #[error("profile {0:?} is not known; known are: {known}", known = known())]
    UnknownProfile(String),
    /// Nothing of this profile is there.
    #[error("no version of {profile} in {dirs}; put one there as {profile}/VERSION/")]
    NoVersion {
        /// The profile.
        profile: String,
        /// Where was looked.
        dirs: String,
    },
    /// `current` names nothing, and several versions are there.
    #[error("{profile} has versions {versions} and no file {profile}/current that names one of them")]
    NoCurrent {
        /// The profile.
        profile: String,
        /// What is there.
        versions: String,
    },
    /// The version is not there.
    #[error("{profile} {version} is not in {dirs}")]
    Absent {
        /// The profile.
        profile: String,
        /// The version.
        version: String,
        /// Where was looked.
        dirs: String,
    },
    /// A file is missing.
    #[error("{profile} {version} is incomplete: {missing} not there")]
    Incomplete {
        /// The profile.
        profile: String,
        /// The version.
        version: String,
        /// What is missing.
        missing: String,
    },
}

fn known() -> String {
    profiles::BUILT_IN.iter().map(|profile| profile.name).collect::<Vec<_>>().join(", ")
}

impl Catalog {
    /// A catalog of these files; of files of one name, the first counts.
    pub fn new(dirs: Vec<PathBuf>, found: impl IntoIterator<Item = Found>) -> Catalog {
        let mut files = BTreeMap::new();
        for file in found {
            files.entry(file.name.clone()).or_insert(file);
        }
        Catalog { files, loaders: BTreeMap::new(), dirs }
    }

    /// Adds the boot loaders.
    pub fn with_loaders(mut self, loaders: impl IntoIterator<Item = (String, PathBuf)>) -> Catalog {
        self.loaders.extend(loaders);
        self
    }

    /// A boot loader's file.
    pub fn loader(&self, name: &str) -> Option<&Path> {
        self.loaders.get(name).map(PathBuf::as_path)
    }

    /// A file by its path below an asset folder.
    pub fn file(&self, name: &[&str]) -> Option<&Found> {
        let name: Vec<String> = name.iter().map(|segment| (*segment).to_owned()).collect();
        self.files.get(&name)
    }

    /// The file that a client means by `path`, and what it is for: as it lies in the folders; or with
    /// `static/` before it; or `current` for the version that is current; or a bare name of the default
    /// profile's current version.
    pub fn locate(&self, path: &[String], default: &str) -> Option<(&Found, Role)> {
        let path = match path {
            [first, rest @ ..] if first == "static" && !rest.is_empty() => rest,
            _ => path,
        };
        let profile = profiles::find(default);
        let candidates = [Some(path.to_vec()), self.behind_current(path, default)];
        for name in candidates.into_iter().flatten() {
            if let Some(found) = self.files.get(&name) {
                let file = name.last().map_or("", String::as_str);
                let owner = name.first().and_then(|first| profiles::find(first)).or(profile);
                return Some((found, owner.map_or(Role::Other, |owner| owner.role(file))));
            }
        }
        None
    }

    fn behind_current(&self, path: &[String], default: &str) -> Option<Vec<String>> {
        let (profile, file) = match path {
            [file] => (default, file),
            [current, file] if current == "current" => (default, file),
            [profile, current, file] if current == "current" => (profile.as_str(), file),
            // The 2016 flat tree's URLs also work for PROFILE/VERSION/ folders of the default profile.
            [version, file] => {
                return Some(vec![default.to_owned(), version.clone(), file.clone()]);
            }
            _ => return None,
        };
        let version = self.ready(profile, "current").ok()?;
        Some([version.base, vec![file.clone()]].concat())
    }

    /// The version to install, complete, with `current` resolved.
    pub fn ready(&self, profile: &str, version: &str) -> Result<Version, NotReady> {
        let known = profiles::find(profile).ok_or_else(|| NotReady::UnknownProfile(profile.to_owned()))?;
        let versions = self.versions(known);
        let name = if version == "current" { self.current(known, &versions)? } else { version.to_owned() };
        let chosen = versions.into_iter().find(|candidate| candidate.version == name).ok_or_else(|| {
            NotReady::Absent { profile: profile.to_owned(), version: name, dirs: self.dirs_text() }
        })?;
        if chosen.missing.is_empty() {
            return Ok(chosen);
        }
        Err(NotReady::Incomplete {
            profile: profile.to_owned(),
            version: chosen.version,
            missing: chosen.missing.join(", "),
        })
    }

    /// Every version of a profile that has at least one of its needed files.
    pub fn versions(&self, profile: &'static Profile) -> Vec<Version> {
        let mut bases: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for name in self.files.keys() {
            let needed = |file: &String| profile.needed().contains(file);
            match name.as_slice() {
                [first, version, file] if first == profile.name && needed(file) => {
                    bases.insert(version.clone(), vec![first.clone(), version.clone()]);
                }
                // The flat tree of 2016: VERSION/FILE, and nothing else is laid out so.
                [version, file] if version != profile.name && needed(file) => {
                    bases.entry(version.clone()).or_insert_with(|| vec![version.clone()]);
                }
                _ => {}
            }
        }
        let version = |(version, base): (String, Vec<String>)| {
            // An empty file is the first moment of a copy.
            let present = |file: &String| {
                self.files
                    .get(&[base.as_slice(), std::slice::from_ref(file)].concat())
                    .is_some_and(|found| found.len > 0)
            };
            let missing = profile.needed().into_iter().filter(|file| !present(file)).collect();
            Version { profile, version, base: base.clone(), missing }
        };
        bases.into_iter().filter(|(name, _)| name != "current").map(version).collect()
    }

    fn current(&self, profile: &Profile, versions: &[Version]) -> Result<String, NotReady> {
        let text = self.file(&[profile.name, "current"]).and_then(|found| found.text.as_deref());
        if let Some(name) = text.map(str::trim).filter(|name| !name.is_empty()) {
            return Ok(name.to_owned());
        }
        let key = format!("{}=", profile.version_key);
        for place in [[profile.name, "current", "version.txt"].as_slice(), &["current", "version.txt"]] {
            let text = self.file(place).and_then(|found| found.text.as_deref()).unwrap_or("");
            if let Some(name) = text.lines().find_map(|line| line.strip_prefix(&key)) {
                return Ok(name.trim().to_owned());
            }
        }
        match versions {
            [] => Err(NotReady::NoVersion { profile: profile.name.to_owned(), dirs: self.dirs_text() }),
            [only] => Ok(only.version.clone()),
            several => Err(NotReady::NoCurrent {
                profile: profile.name.to_owned(),
                versions: several.iter().map(|v| v.version.as_str()).collect::<Vec<_>>().join(", "),
            }),
        }
    }

    /// A node's own configuration file: by any spelling of its address, then by its name, then the default.
    pub fn node_config(&self, mac: Mac, name: Option<&str>) -> Option<&Found> {
        let stems =
            [Some(mac.to_string()), Some(mac.dashed()), name.map(str::to_owned), Some("default".into())];
        stems.into_iter().flatten().find_map(|stem| {
            ["yml", "yaml", "ign", "json"]
                .iter()
                .find_map(|extension| self.file(&["cloud-configs", &format!("{stem}.{extension}")]))
        })
    }

    /// The user's own pxelinux menu for a node: its own, then the default.
    pub fn pxelinux_menu(&self, mac: Mac) -> Option<&Found> {
        [mac.bootif().as_str(), "default"].iter().find_map(|name| self.file(&["pxelinux.cfg", name]))
    }

    fn dirs_text(&self) -> String {
        let dirs: Vec<String> = self.dirs.iter().map(|dir| dir.display().to_string()).collect();
        dirs.join(" or ")
    }
}
