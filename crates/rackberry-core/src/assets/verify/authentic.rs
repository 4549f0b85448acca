//! Whether files are what their makers released: what vouches for each, and what was found of it.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use crate::{
    assets::{
        folder::{Found, Stamp},
        keys::Keys,
        version::{File, FileSet, NotReady, Version},
    },
    config::Verify,
    profiles::Profile,
};
use release_signature::{Good, digest::Digest};

/// The files of one release are signed within this time; more between two of them says that they were put
/// together from several.
const ONE_RELEASE: u32 = 7 * 24 * 60 * 60;

/// What vouches for a file, as it lies on the disk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proof {
    /// A signature of it.
    pub signature: Option<Found>,
    /// Lists of digests that may name it. They count where there is no signature, or it proves nothing.
    pub lists: Vec<Listed>,
}

/// A list of digests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The list of digests.
    pub list: Found,
    /// Its signature; none where it carries its own, or has none.
    pub signature: Option<Found>,
}

impl Proof {
    /// Whether nothing stands beside the file.
    pub fn is_empty(&self) -> bool {
        self.signature.is_none() && self.lists.is_empty()
    }

    /// Signature and lists, with what signs these.
    pub fn files(&self) -> impl Iterator<Item = &Found> {
        let lists = self.lists.iter().flat_map(|listed| [&listed.list].into_iter().chain(&listed.signature));
        self.signature.iter().chain(lists)
    }
}

/// What was found of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Whether it is authentic.
    pub verdict: FileVerdict,
    /// Its digest, where it could be read to its end.
    pub sha256: Option<Digest>,
}

/// Whether a file is authentic. That nobody vouches for it is one thing; that somebody does and it is another file is
/// the other, which nothing makes good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileVerdict {
    /// A trusted key vouches for it.
    Good(Good),
    /// It is proven to be wrong; how, in one clause.
    Bad(String),
    /// What stands beside it proves nothing: a signature by nobody who is known, a list that nobody signed. Why, in
    /// one clause.
    Unproven(String),
    /// Nothing stands beside it that could vouch for it.
    Unsigned,
}

/// Why a file will not do, in one clause.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAccepted {
    /// It is proven to be another one.
    #[error("{0}")]
    Bad(String),
    /// Nobody who is known vouches for it.
    #[error("{0}")]
    Unproven(String),
    /// Nobody vouches for it.
    #[error("nobody has signed it")]
    Unsigned,
}

impl FileVerdict {
    /// Whether it will do: good, or such as nobody vouches for, where those are accepted. What is proven to be wrong
    /// never will.
    ///
    /// # Errors
    /// [`NotAccepted`] says why not.
    pub fn will_do(&self, verify: Verify) -> Result<(), NotAccepted> {
        match self {
            FileVerdict::Good(_) => Ok(()),
            FileVerdict::Bad(reason) => Err(NotAccepted::Bad(reason.clone())),
            FileVerdict::Unproven(_) | FileVerdict::Unsigned if verify == Verify::UnsignedOk => Ok(()),
            FileVerdict::Unproven(reason) => Err(NotAccepted::Unproven(reason.clone())),
            FileVerdict::Unsigned => Err(NotAccepted::Unsigned),
        }
    }
}

/// Everything that a finding depends on: another file, another signature or another key makes another subject.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ProofSubject {
    files: Vec<(PathBuf, u64, Stamp)>,
    keys: String,
    pins: Vec<String>,
}

impl ProofSubject {
    /// Where the file is that it is about.
    pub fn path(&self) -> Option<&Path> {
        self.files.first().map(|(path, ..)| path.as_path())
    }
}

/// All that was found.
pub type ProofFindings = BTreeMap<ProofSubject, Finding>;

/// A file that is to be looked at.
#[derive(Debug, Clone)]
pub struct Job {
    /// What the finding depends on.
    pub subject: ProofSubject,
    /// The file that is to be read.
    pub file: Found,
    /// What vouches for it.
    pub proof: Proof,
    /// The profile, which says whom to trust.
    pub profile: Arc<Profile>,
}

/// What is known of a set of files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authenticity {
    /// Every file is authentic, and all are of one release.
    Good,
    /// These files are still to be looked at.
    Pending(Vec<String>),
    /// Nobody who counts vouches for all of it; why, in one clause. The configuration may let that pass.
    Unproven(String),
    /// It is proven to be wrong, and must not be installed; why, in one clause.
    Refused(String),
}

impl Authenticity {
    /// Good enough, or why `version` can't be installed.
    ///
    /// # Errors
    /// [`NotReady`] with the reason.
    pub fn into_result(self, version: &Version, verify: Verify) -> Result<(), NotReady> {
        let (profile, version) = (version.profile.name.clone(), version.name.clone());
        match self {
            Authenticity::Good => Ok(()),
            Authenticity::Unproven(_) if verify == Verify::UnsignedOk => Ok(()),
            Authenticity::Pending(files) => {
                Err(NotReady::Pending { profile, version, files: files.join(", ") })
            }
            Authenticity::Unproven(reason) | Authenticity::Refused(reason) => {
                Err(NotReady::NotAuthentic { profile, version, reason })
            }
        }
    }
}

impl Job {
    /// The look at a file of `version`.
    pub fn new(version: &Version, file: &File, keys: &Keys) -> Job {
        let mut files = vec![&file.found];
        files.extend(file.proof.files());
        let subject = ProofSubject {
            files: files.into_iter().map(|found| (found.path.clone(), found.len, found.stamp)).collect(),
            keys: keys.id().to_owned(),
            pins: version.profile.fingerprints.clone(),
        };
        Job { subject, file: file.found.clone(), proof: file.proof.clone(), profile: version.profile.clone() }
    }
}

/// What is known of a set of files. Where nobody need vouch for them, those that nothing stands beside are not waited
/// for: what could be found of them changes nothing.
pub fn authenticity(
    version: &Version,
    set: &FileSet,
    keys: &Keys,
    findings: &ProofFindings,
    verify: Verify,
) -> Authenticity {
    let refused = |text: String| Authenticity::Refused(text);
    if let Some(named) = set.named(&version.profile).filter(|named| *named != version.name) {
        return refused(format!("its version.txt is of {named}"));
    }
    let (mut pending, mut made, mut unproven) = (Vec::new(), Vec::new(), None);
    for file in set.files.iter().filter(|file| !file.with_loaders) {
        let name = file.found.own_name().to_owned();
        match findings.get(&Job::new(version, file, keys).subject).map(|finding| &finding.verdict) {
            None if verify == Verify::UnsignedOk && file.proof.is_empty() => {
                unproven.get_or_insert_with(|| unsigned(&name));
            }
            None => pending.push(name),
            Some(FileVerdict::Good(good)) => made.push((good.made, name)),
            Some(FileVerdict::Bad(reason)) => return refused(format!("{name}: {reason}")),
            Some(FileVerdict::Unproven(reason)) => {
                unproven.get_or_insert_with(|| format!("{name}: {reason}"));
            }
            Some(FileVerdict::Unsigned) => {
                unproven.get_or_insert_with(|| unsigned(&name));
            }
        }
    }
    let (first, last) = (made.iter().min(), made.iter().max());
    if let (Some((from, early)), Some((to, late))) = (first, last)
        && to.0 - from.0 > ONE_RELEASE
    {
        return refused(format!(
            "it is put together from several releases: {early} was signed on {from}, {late} on {to}"
        ));
    }
    match unproven {
        // Under the stricter rule it is refused anyway, and need not be waited for.
        Some(reason) if pending.is_empty() || verify == Verify::Required => Authenticity::Unproven(reason),
        _ if !pending.is_empty() => Authenticity::Pending(pending),
        Some(reason) => Authenticity::Unproven(reason),
        None => Authenticity::Good,
    }
}

fn unsigned(name: &str) -> String {
    format!("{name} has no signature: put {name}.sig beside it, or a signed SHA256SUMS")
}
