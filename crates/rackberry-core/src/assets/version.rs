//! Versions: the files of one release of one operating system, and whether all are there.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc};

use crate::{
    assets::{
        authentic::Proof,
        folder::{Folder, Found, Name, value_of},
        proofs::{proof, vouches},
    },
    ids::folded,
    profiles::{Architecture, FileSpec, Profile, Role, matches},
};

/// One version of one operating system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The operating system family that it is a version of.
    pub profile: Arc<Profile>,
    /// What the version is called in folders and URLs.
    pub name: String,
    /// Its files, for each processor that has some.
    pub sets: Vec<FileSet>,
}

/// What a version has for one processor, all from one asset folder: files that came with different copies are not
/// mixed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSet {
    /// `x86_64` or `aarch64`.
    pub arch: String,
    /// Path of the asset folder that has the set.
    pub folder: PathBuf,
    /// The folder below it that has the files, as URLs name it.
    pub base: Name,
    /// Files that the profile names and that are there.
    pub files: Vec<File>,
    /// Images for other hardware or clouds that its installer can be told to take in the usual one's place.
    pub variants: Vec<File>,
    /// What stands beside them: signatures, lists of digests.
    pub companions: Vec<Found>,
    /// Needed files that are not there, or empty (the first moment of a copy).
    pub missing: Vec<String>,
    /// Files of which it can have one only, where several are there.
    pub surplus: Vec<String>,
    /// The `version.txt` among them.
    pub version_file: Option<Found>,
}

/// A file that a profile names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// What it is for.
    pub role: Role,
    /// Where the file lies, its size and its times.
    pub found: Found,
    /// What vouches for it, where something does.
    pub proof: Proof,
    /// It comes with the boot loaders.
    pub with_loaders: bool,
}

/// Why no version can be installed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "fields are what the message names")]
pub enum NotReady {
    /// The configuration names a profile that is not known.
    #[error("profile {profile:?} is not known; known are: {known}")]
    UnknownProfile { profile: String, known: String },
    /// Nothing of this profile is there.
    #[error("no version of {profile} in {dirs}; put one there as {profile}/VERSION/")]
    NoVersion { profile: String, dirs: String },
    /// `current` names nothing, and several versions are there.
    #[error("{profile} has versions {versions} and no file {profile}/current that names one of them")]
    NoCurrent { profile: String, versions: String },
    /// The version is not there.
    #[error("{profile} {version} is not in {dirs}")]
    Absent { profile: String, version: String, dirs: String },
    /// It is there, but not for this processor.
    #[error("{profile} {version} is not there for {arch} machines")]
    Arch { profile: String, version: String, arch: String },
    /// Its files have not all been looked at.
    #[error("{profile} {version} is being verified ({files}); try again soon")]
    Pending {
        profile: String,
        version: String,
        /// The files that are still to be looked at.
        files: String,
    },
    /// It is not what its maker released, or nobody knows.
    #[error("{profile} {version} is not authentic: {reason}")]
    NotAuthentic { profile: String, version: String, reason: String },
    /// Its own installer would not take it.
    #[error("{profile} {version} can't be installed: {reason}")]
    Installer { profile: String, version: String, reason: String },
    /// Several files are there of which one is meant.
    #[error(
        "{profile} {version} has several images ({files}), and nobody can tell which is meant; put each into a version's \
         folder of its own"
    )]
    Surplus { profile: String, version: String, files: String },
    /// A file is missing.
    #[error("{profile} {version} is incomplete: {missing} not there")]
    Incomplete { profile: String, version: String, missing: String },
}

impl NotReady {
    /// What this set lacks, or has too much of.
    pub fn incomplete(version: &Version, set: &FileSet) -> NotReady {
        if set.missing.is_empty() {
            let (profile, version) = (version.profile.name.clone(), version.name.clone());
            return NotReady::Surplus { profile, version, files: set.surplus.join(", ") };
        }
        NotReady::Incomplete {
            profile: version.profile.name.clone(),
            version: version.name.clone(),
            missing: set.missing.join(", "),
        }
    }
}

impl Version {
    /// What it has for a processor.
    pub fn set(&self, arch: &str) -> Option<&FileSet> {
        self.sets.iter().find(|set| set.arch == arch)
    }

    /// Takes a set from a further asset folder: it counts where none came before, or an incomplete one.
    pub(super) fn offer(&mut self, set: FileSet) {
        match self.sets.iter_mut().find(|known| known.arch == set.arch) {
            None => self.sets.push(set),
            Some(known) if !known.is_complete() && set.is_complete() => *known = set,
            Some(_) => {}
        }
    }
}

impl FileSet {
    /// What a version's folder `base` has for a processor; none where not one of its own files is there.
    pub(super) fn gather(
        profile: &Profile,
        arch: &Architecture,
        version: &str,
        (folder, base): (&Folder, &[String]),
        loaders: &Folder,
    ) -> Option<FileSet> {
        let base = [base, arch.folder.as_slice()].concat();
        let mut set = FileSet {
            arch: arch.name.clone(),
            folder: folder.path.clone(),
            base: base.clone(),
            files: Vec::new(),
            variants: Vec::new(),
            companions: Vec::new(),
            missing: Vec::new(),
            surplus: Vec::new(),
            version_file: folder.get(&[base.as_slice(), &["version.txt".to_owned()]].concat()).cloned(),
        };
        let file = |spec: &FileSpec, found: &Found| File {
            role: spec.role,
            proof: proof((spec, found.own_name()), (version, &arch.name), (folder, &base)),
            found: found.clone(),
            with_loaders: spec.with_loaders,
        };
        for spec in &profile.files {
            let names: Vec<String> = spec.names(version, &arch.name).collect();
            let found = if spec.with_loaders {
                names.iter().find_map(|name| loaders.get(&segments(name)))
            } else {
                set.surplus.extend(several(folder, &base, &names));
                names.iter().find_map(|name| in_folder(folder, &base, name))
            };
            match found.filter(|found| found.len > 0) {
                Some(found) => set.files.push(file(spec, found)),
                None if spec.optional => {}
                None => set.missing.extend(names.into_iter().next()),
            }
            let variants = spec.variants(version, &arch.name);
            let variants = variants.flat_map(|pattern| inside(folder, &base, &pattern).collect::<Vec<_>>());
            set.variants.extend(variants.map(|found| file(spec, found)));
        }
        let own = |found: &Found| set.files.iter().any(|file| file.found.name == found.name);
        set.variants.retain(|file| !own(&file.found));
        set.companions = set.beside_files(folder);
        set.files.iter().any(|file| !file.with_loaders).then_some(set)
    }

    /// Whether all that is needed is there, once.
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty() && self.surplus.is_empty()
    }

    /// What vouches for its files, and what is called as if it did.
    fn beside_files(&self, folder: &Folder) -> Vec<Found> {
        let names: Vec<String> = self.all_files().map(|file| file.found.own_name().to_owned()).collect();
        let proofs: Vec<&Found> = self.all_files().flat_map(|file| file.proof.files()).collect();
        let vouching = folder.inside(&self.base).filter(|found| {
            vouches(found.own_name(), &names) || proofs.iter().any(|proof| proof.name == found.name)
        });
        vouching.cloned().collect()
    }

    /// The version's own folder, which may be the one above an architecture's.
    pub fn version_folder(&self, profile: &Profile) -> &[String] {
        let arch = profile.arch(&self.arch).and_then(|arch| arch.folder.as_ref());
        &self.base[..self.base.len() - usize::from(arch.is_some())]
    }

    /// Its files, images for other hardware included.
    pub fn all_files(&self) -> impl Iterator<Item = &File> {
        self.files.iter().chain(&self.variants)
    }

    /// The version that their `version.txt` is of.
    pub fn named(&self, profile: &Profile) -> Option<String> {
        value_of(self.version_file.as_ref()?.text()?, profile.version_key.as_deref()?)
    }

    /// The file of a role.
    pub fn file(&self, role: Role) -> Option<&File> {
        self.files.iter().find(|file| file.role == role)
    }
}

impl File {
    /// Its path below the root of TFTP and HTTP.
    pub fn url_path(&self) -> String {
        self.found.name.join("/")
    }
}

/// The file called `name`, or the first one that the pattern `name` means.
fn in_folder<'f>(folder: &'f Folder, base: &[String], name: &str) -> Option<&'f Found> {
    if name.contains('*') {
        return inside(folder, base, name).next();
    }
    folder.get(&[base, &segments(name)].concat())
}

/// The names of the files that patterns mean, if there are several of them.
fn several(folder: &Folder, base: &[String], patterns: &[String]) -> Vec<String> {
    let patterns = patterns.iter().filter(|pattern| pattern.contains('*'));
    let found = patterns.flat_map(|pattern| inside(folder, base, pattern).collect::<Vec<_>>());
    let names: BTreeSet<&str> = found.filter(|found| found.len > 0).map(Found::own_name).collect();
    if names.len() < 2 { Vec::new() } else { names.into_iter().map(str::to_owned).collect() }
}

/// The files in the folder `base` that a pattern means.
pub(super) fn inside<'f>(
    folder: &'f Folder,
    base: &[String],
    pattern: &str,
) -> impl Iterator<Item = &'f Found> {
    let pattern = folded(pattern);
    folder.inside(base).filter(move |found| matches(&pattern, &folded(found.own_name())))
}

fn segments(name: &str) -> Name {
    name.split('/').map(str::to_owned).collect()
}
