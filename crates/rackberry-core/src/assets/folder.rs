//! Asset folders, as a scan found them.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    path::PathBuf,
    sync::Arc,
};

use crate::{
    assets::text::NotText,
    ids::folded,
    profiles::{FileSpec, Profile},
};

/// Path of a file below its asset folder, as segments.
pub type Name = Vec<String>;

/// A file that a scan found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Its name, as it stands on the disk.
    pub name: Name,
    /// Where the file is on the disk.
    pub path: PathBuf,
    /// Its length in bytes.
    pub len: u64,
    /// Changes whenever its content does.
    pub stamp: Stamp,
    /// What is in it, of the files that say something: versions, configurations, profiles, keys.
    pub content: Content,
}

/// What is in a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Content {
    /// Nobody has looked: it says nothing by its text, or there was no room for more.
    #[default]
    Unread,
    /// Its text, as it is.
    Text(Arc<str>),
    /// Its bytes, of a key.
    Bytes(Arc<[u8]>),
    /// A configuration that was read, and is too long to be kept: the version of its format, where it has one, or why
    /// its installer would not take it.
    Large(Result<Option<String>, String>),
    /// It should be a text, and is none.
    NotText(NotText),
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

/// One asset folder, or the folder of loaders. Its names compare as on FAT, whatever file system it is on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Folder {
    /// Where the asset folder is on the disk.
    pub path: PathBuf,
    /// Its files, by their names as those compare.
    files: BTreeMap<Name, Found>,
    faults: Vec<String>,
}

/// A version's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Base {
    /// The version's name.
    pub version: String,
    /// The folder below the asset folder.
    pub base: Name,
}

/// Folders at the top of an asset folder that have a meaning of their own: they are no version's and no profile's.
const RESERVED: [&str; 7] =
    ["cloud-configs", "cloud-config", "keys", "profiles", "pxelinux.cfg", "loaders", "files"];

/// Whether a folder of this name at the top of an asset folder has a meaning of its own.
pub fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&folded(name).as_str())
}

/// A path as it compares; none where a segment is no name of a file that is served: hidden, or nothing at all.
pub(super) fn key(name: &[impl AsRef<str>]) -> Option<Name> {
    let segment = |segment: &str| {
        let folded = folded(segment);
        (!folded.is_empty() && !segment.starts_with('.')).then_some(folded)
    };
    name.iter().map(|name| segment(name.as_ref())).collect()
}

impl Found {
    /// Its text, where it was read and is one.
    pub fn text(&self) -> Option<&Arc<str>> {
        match &self.content {
            Content::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Why its text can't be used, where it can't.
    pub fn no_text(&self) -> Option<String> {
        match &self.content {
            Content::Text(_) => None,
            Content::NotText(what) => Some(what.to_string()),
            Content::Large(_) => Some(format!("it is too long for what it is: it has {} bytes", self.len)),
            Content::Unread | Content::Bytes(_) => Some("it was not read".into()),
        }
    }

    /// Its own name, without the folders.
    pub fn own_name(&self) -> &str {
        self.name.last().map_or("", String::as_str)
    }

    /// Whether `name` means it.
    pub fn is_called(&self, name: &[impl AsRef<str>]) -> bool {
        self.name.len() == name.len()
            && self.name.iter().zip(name).all(|(own, name)| folded(own) == folded(name.as_ref()))
    }
}

impl Folder {
    /// The same, with these faults beside its own.
    pub fn with_faults(mut self, faults: Vec<String>) -> Folder {
        self.faults.extend(faults);
        self
    }

    /// A folder of these files. Of two whose names compare as the same, the one counts that has the small letter
    /// where they first differ.
    pub fn new(path: PathBuf, found: impl IntoIterator<Item = Found>) -> Folder {
        let mut found: Vec<Found> = found.into_iter().collect();
        found.sort_by(|one, other| one.name.cmp(&other.name));
        let (mut files, mut faults) = (BTreeMap::new(), Vec::new());
        for found in found {
            let Some(key) = key(&found.name) else { continue };
            match files.entry(key) {
                Entry::Vacant(vacant) => drop(vacant.insert(found)),
                Entry::Occupied(mut occupied) => {
                    let other = occupied.insert(found);
                    faults.push(format!(
                        "{}: is passed over, because {} has the same name where case does not count; remove one",
                        other.path.display(),
                        occupied.get().name.join("/"),
                    ));
                }
            }
        }
        Folder { path, files, faults }
    }

    /// A file by its path here.
    pub fn get(&self, name: &[impl AsRef<str>]) -> Option<&Found> {
        self.files.get(&key(name)?)
    }

    /// Every file that was found below it.
    pub fn all(&self) -> impl Iterator<Item = &Found> {
        self.files.values()
    }

    /// Every file, with its name as it compares.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&Name, &Found)> {
        self.files.iter()
    }

    /// The files in the folder `base` and deeper.
    pub fn below<'f>(&'f self, base: &[impl AsRef<str>]) -> Box<dyn Iterator<Item = &'f Found> + 'f> {
        let Some(base) = key(base) else { return Box::new(std::iter::empty()) };
        let inside = self.files.range(base.clone()..).take_while(move |(name, _)| name.starts_with(&base));
        Box::new(inside.map(|(_, found)| found))
    }

    /// The files in the folder `base` itself.
    pub(super) fn inside(&self, base: &[String]) -> impl Iterator<Item = &Found> {
        let deep = base.len() + 1;
        self.below(base).filter(move |found| found.name.len() == deep)
    }

    /// What is wrong here, a sentence each.
    pub fn faults(&self) -> &[String] {
        &self.faults
    }

    /// The texts of the files in the same folder as `name`, by their own names.
    pub(super) fn beside(&self, name: &[String]) -> BTreeMap<String, Arc<str>> {
        let beside = self.inside(&name[..name.len() - 1]);
        beside.filter_map(|found| Some((found.own_name().to_owned(), found.text()?.clone()))).collect()
    }

    /// A profile's versions here, by their names as those compare: PROFILE/VERSION/, or VERSION/ where the profile
    /// has the flat tree of 2016 and one of its files is in it.
    pub(super) fn versions_of(&self, profile: &Profile) -> BTreeMap<String, Base> {
        let own = folded(&profile.name);
        let is_version = |name: &str| name != "current" && name != own;
        let is_flat = |file: &str| profile.flat && profile.files.iter().any(|spec| is_named(spec, file));
        let mut versions = BTreeMap::new();
        for (key, found) in &self.files {
            match key.as_slice() {
                [first, version, _, ..] if *first == own && version != "current" => {
                    let base = Base { version: found.name[1].clone(), base: found.name[..2].to_vec() };
                    versions.insert(version.clone(), base);
                }
                [version, file] if is_version(version) && !is_reserved(version) && is_flat(file) => {
                    let base = Base { version: found.name[0].clone(), base: found.name[..1].to_vec() };
                    versions.entry(version.clone()).or_insert(base);
                }
                _ => {}
            }
        }
        versions
    }
}

fn is_named(spec: &FileSpec, file: &str) -> bool {
    spec.names("", "").any(|name| folded(&name) == *file)
}

/// The value of `key` in lines `KEY=VALUE`.
pub fn value_of(text: &str, key: &str) -> Option<String> {
    let values = text.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    values.map(|value| value.trim().trim_matches('"').to_owned()).find(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str) -> Found {
        Found {
            name: name.split('/').map(str::to_owned).collect(),
            path: name.into(),
            len: 1,
            ..Found::default()
        }
    }

    #[test]
    fn names_compare_as_on_fat_and_stay_as_they_are() {
        let folder = Folder::new("f".into(), [found("Cloud-Configs./Node1.YML"), found("KEYS/a.asc")]);
        let config = folder.get(&["cloud-configs", "node1.yml"]).unwrap();
        assert_eq!(config.name, ["Cloud-Configs.", "Node1.YML"]);
        assert!(config.is_called(&["cloud-configs ", "NODE1.yml."]));
        assert_eq!(folder.below(&["Keys"]).count(), 1);
        assert!(folder.get(&[".", "a"]).is_none() && folder.get(&["...", "a"]).is_none());
        assert!(folder.faults().is_empty());
    }

    #[test]
    fn of_two_that_are_the_same_on_fat_the_one_with_small_letters_counts_and_the_other_is_named() {
        for order in [["Coreos/current", "coreos/Current"], ["coreos/Current", "Coreos/current"]] {
            let folder = Folder::new("f".into(), order.map(found));
            assert_eq!(folder.all().count(), 1);
            assert_eq!(folder.get(&["coreos", "current"]).unwrap().name[0], "coreos");
            assert_eq!(
                folder.faults(),
                [
                    "Coreos/current: is passed over, because coreos/Current has the same name where case does not count; \
                  remove one"
                ]
            );
        }
    }
}
