//! Versions: the files of one release of one operating system, and whether all are there.

use std::{path::PathBuf, sync::Arc};

use crate::{
    assets::{
        authentic::Proof,
        folder::{Folder, Found, Name, value_of},
    },
    profiles::{Architecture, FileSpec, Profile, Role, SIGNATURES, matches},
};

/// One version of one operating system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The profile.
    pub profile: Arc<Profile>,
    /// The version's name.
    pub name: String,
    /// Its files, for each processor that has some.
    pub sets: Vec<FileSet>,
}

/// What a version has for one processor, all from one asset folder: files that came with different copies are not
/// mixed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSet {
    /// The processor.
    pub arch: String,
    /// The asset folder.
    pub folder: PathBuf,
    /// The folder below it that has the files, as URLs name it.
    pub base: Name,
    /// Its files.
    pub files: Vec<File>,
    /// Needed files that are not there, or empty (the first moment of a copy).
    pub missing: Vec<String>,
    /// The `version.txt` among them.
    pub version_file: Option<Found>,
}

/// A file that a profile names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// What it is for.
    pub role: Role,
    /// The file.
    pub found: Found,
    /// What vouches for it, where something does.
    pub proof: Option<Proof>,
    /// It comes with the boot loaders.
    pub with_loaders: bool,
}

/// Why no version can be installed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotReady {
    /// The configuration names a profile that is not known.
    #[error("profile {profile:?} is not known; known are: {known}")]
    UnknownProfile {
        /// The profile.
        profile: String,
        /// All that are known.
        known: String,
    },
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
    /// It is there, but not for this processor.
    #[error("{profile} {version} is not there for {arch} machines")]
    Arch {
        /// The profile.
        profile: String,
        /// The version.
        version: String,
        /// The processor.
        arch: String,
    },
    /// Its files have not all been looked at.
    #[error("{profile} {version} is being verified ({files}); try again soon")]
    Pending {
        /// The profile.
        profile: String,
        /// The version.
        version: String,
        /// The files that are still to be looked at.
        files: String,
    },
    /// It is not what its maker released, or nobody knows.
    #[error("{profile} {version} is not authentic: {reason}")]
    NotAuthentic {
        /// The profile.
        profile: String,
        /// The version.
        version: String,
        /// Why.
        reason: String,
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

impl NotReady {
    /// What this set lacks.
    pub fn incomplete(version: &Version, set: &FileSet) -> NotReady {
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
            Some(known) if !known.missing.is_empty() && set.missing.is_empty() => *known = set,
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
        base: &[String],
        folder: &Folder,
        loaders: &Folder,
    ) -> Option<FileSet> {
        let base = [base, arch.folder.as_slice()].concat();
        let mut set = FileSet {
            arch: arch.name.clone(),
            folder: folder.path.clone(),
            base: base.clone(),
            files: Vec::new(),
            missing: Vec::new(),
            version_file: folder.files.get(&[base.as_slice(), &["version.txt".to_owned()]].concat()).cloned(),
        };
        for spec in &profile.files {
            let names: Vec<String> = spec.names(version, &arch.name).collect();
            let found = if spec.with_loaders {
                names.iter().find_map(|name| loaders.files.get(&segments(name)))
            } else {
                names.iter().find_map(|name| in_folder(folder, &base, name))
            };
            match found.filter(|found| found.len > 0) {
                Some(found) => set.files.push(File {
                    role: spec.role,
                    proof: proof(spec, found.name.last()?, version, &arch.name, folder, &base),
                    found: found.clone(),
                    with_loaders: spec.with_loaders,
                }),
                None if spec.optional => {}
                None => set.missing.extend(names.into_iter().next()),
            }
        }
        set.files.iter().any(|file| !file.with_loaders).then_some(set)
    }

    /// The version that their `version.txt` is of.
    pub fn named(&self, profile: &Profile) -> Option<String> {
        value_of(self.version_file.as_ref()?.text.as_deref()?, profile.version_key.as_deref()?)
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
    if !name.contains('*') {
        return folder.files.get(&[base, &segments(name)].concat());
    }
    let inside = folder.files.range(base.to_vec()..).take_while(|(path, _)| path.starts_with(base));
    inside.map(|(_, found)| found).find(|found| {
        found.name.len() == base.len() + 1 && found.name.last().is_some_and(|last| matches(name, last))
    })
}

/// What vouches for the file called `name`: its own signature, or a list of digests that is signed.
fn proof(
    spec: &FileSpec,
    name: &str,
    version: &str,
    arch: &str,
    folder: &Folder,
    base: &[String],
) -> Option<Proof> {
    let beside = |name: &str| folder.files.get(&[base, &segments(name)].concat()).cloned();
    let signed = |name: &str| SIGNATURES.iter().find_map(|extension| beside(&format!("{name}.{extension}")));
    let own = spec.signatures(name, version, arch).iter().find_map(|signature| beside(signature));
    if let Some(signature) = own {
        return Some(Proof::Signature(signature));
    }
    // These carry their signature: CoreOS' and Flatcar's, and Fedora's `Fedora-…-CHECKSUM`.
    let whole = beside(&format!("{name}.DIGESTS.asc"));
    if let Some(list) = whole.or_else(|| in_folder(folder, base, "*-CHECKSUM").cloned()) {
        return Some(Proof::Listed(list, None));
    }
    [format!("{name}.DIGESTS"), "SHA256SUMS".into(), "SHA512SUMS".into()]
        .iter()
        .find_map(|list| Some(Proof::Listed(beside(list)?, Some(signed(list)?))))
}

fn segments(name: &str) -> Name {
    name.split('/').map(str::to_owned).collect()
}
