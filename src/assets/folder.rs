//! Asset folders, as a scan found them.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use crate::profiles::Profile;

/// Path of a file below its asset folder, as segments.
pub type Name = Vec<String>;

/// A file that a scan found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its name.
    pub name: Name,
    /// Where it lies.
    pub path: PathBuf,
    /// Its length in bytes.
    pub len: u64,
    /// Changes whenever its content does.
    pub stamp: Stamp,
    /// Its text, of the small files that say something: versions, configurations, profiles.
    pub text: Option<Arc<str>>,
}

/// When a file's content and its entry last changed, in nanoseconds since 1970. No inode: FAT has none, and numbers
/// files anew each time it is mounted.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct Stamp {
    /// The content (mtime).
    pub content: i64,
    /// The entry (ctime), which programs that copy can't set back.
    pub entry: i64,
}

/// One asset folder, or the folder of loaders.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Folder {
    /// Where it is.
    pub path: PathBuf,
    /// Its files.
    pub files: BTreeMap<Name, Found>,
}

impl Folder {
    /// A folder of these files.
    pub fn new(path: PathBuf, files: impl IntoIterator<Item = Found>) -> Folder {
        Folder { path, files: files.into_iter().map(|found| (found.name.clone(), found)).collect() }
    }

    /// The texts of the files in the same folder as `name`, by their own names.
    pub(super) fn beside(&self, name: &[String]) -> BTreeMap<String, Arc<str>> {
        let parent = &name[..name.len() - 1];
        let beside = self
            .files
            .values()
            .filter(|found| found.name.len() == name.len() && found.name.starts_with(parent));
        beside.filter_map(|found| Some((found.name.last()?.clone(), found.text.clone()?))).collect()
    }

    /// Names of a profile's versions here, and their folders: PROFILE/VERSION/, or VERSION/ where the profile has
    /// the flat tree of 2016 and one of its files is in it.
    pub(super) fn versions_of(&self, profile: &Profile) -> BTreeMap<String, Name> {
        let mut versions = BTreeMap::new();
        for name in self.files.keys() {
            match name.as_slice() {
                [first, version, _, ..] if *first == profile.name && version != "current" => {
                    versions.insert(version.clone(), vec![first.clone(), version.clone()]);
                }
                [version, file]
                    if profile.flat
                        && version != "current"
                        && *version != profile.name
                        && profile
                            .files
                            .iter()
                            .any(|spec| spec.names(version, "").any(|name| name == *file)) =>
                {
                    versions.entry(version.clone()).or_insert_with(|| vec![version.clone()]);
                }
                _ => {}
            }
        }
        versions
    }
}

/// The value of `key` in lines `KEY=VALUE`.
pub fn value_of(text: &str, key: &str) -> Option<String> {
    let values = text.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    values.map(|value| value.trim().trim_matches('"').to_owned()).find(|value| !value.is_empty())
}
