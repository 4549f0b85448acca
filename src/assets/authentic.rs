//! Whether files are what their makers released: what vouches for each, and what was found of it.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use crate::{
    assets::{
        digest::{Algorithm, Digest, Digester},
        folder::{Found, Stamp},
        keys::Keys,
        openpgp::{Good, Trust, Verdict, Verifier, verify_cleartext},
        sums::Sums,
        version::{File, FileSet, NotReady, Version},
    },
    profiles::Profile,
};

/// The files of one release are signed within this time; more between two of them says that they were put
/// together from several.
const ONE_RELEASE: u32 = 7 * 24 * 60 * 60;

/// What vouches for a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// A signature of it.
    Signature(Found),
    /// A list of digests, with a signature of that; none where the list carries its own.
    Listed(Found, Option<Found>),
}

/// What was found of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Whether it is authentic.
    pub verdict: FileVerdict,
    /// Its digest, where it could be read to its end.
    pub sha256: Option<Digest>,
}

/// Whether a file is authentic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileVerdict {
    /// A trusted key vouches for it.
    Good(Good),
    /// Something is wrong with it, in one clause.
    Bad(String),
    /// Nothing vouches for it.
    Unsigned,
}

/// Everything that a finding depends on: another file, another signature or another key makes another subject.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Subject {
    files: Vec<(PathBuf, u64, Stamp)>,
    keys: String,
    pins: Vec<String>,
}

impl Subject {
    /// Where the file is that it is about.
    pub(super) fn path(&self) -> Option<&Path> {
        self.files.first().map(|(path, ..)| path.as_path())
    }
}

/// All that was found.
pub type Findings = BTreeMap<Subject, Finding>;

/// A file that is to be looked at.
#[derive(Debug, Clone)]
pub struct Job {
    /// What it is.
    pub subject: Subject,
    /// The file.
    pub file: Found,
    /// What vouches for it.
    pub proof: Option<Proof>,
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
    /// It must not be installed; why, in one clause.
    Refused(String),
}

impl Authenticity {
    /// Good, or why `version` can't be installed.
    ///
    /// # Errors
    /// [`NotReady`] with the reason.
    pub fn into_result(self, version: &Version) -> Result<(), NotReady> {
        let (profile, version) = (version.profile.name.clone(), version.name.clone());
        match self {
            Authenticity::Good => Ok(()),
            Authenticity::Pending(files) => {
                Err(NotReady::Pending { profile, version, files: files.join(", ") })
            }
            Authenticity::Refused(reason) => Err(NotReady::NotAuthentic { profile, version, reason }),
        }
    }
}

impl Job {
    /// The look at a file of `version`.
    pub fn new(version: &Version, file: &File, keys: &Keys) -> Job {
        let mut files = vec![&file.found];
        files.extend(file.proof.iter().flat_map(Proof::files));
        let subject = Subject {
            files: files.into_iter().map(|found| (found.path.clone(), found.len, found.stamp)).collect(),
            keys: keys.id().to_owned(),
            pins: version.profile.fingerprints.clone(),
        };
        Job { subject, file: file.found.clone(), proof: file.proof.clone(), profile: version.profile.clone() }
    }
}

/// What is known of a set of files.
pub fn authenticity(version: &Version, set: &FileSet, keys: &Keys, findings: &Findings) -> Authenticity {
    let refused = |text: String| Authenticity::Refused(text);
    if let Some(named) = set.named(&version.profile).filter(|named| *named != version.name) {
        return refused(format!("its version.txt is of {named}"));
    }
    let (mut pending, mut made) = (Vec::new(), Vec::new());
    for file in set.files.iter().filter(|file| !file.with_loaders) {
        let name = file.found.name.last().cloned().unwrap_or_default();
        match findings.get(&Job::new(version, file, keys).subject).map(|finding| &finding.verdict) {
            None => pending.push(name),
            Some(FileVerdict::Good(good)) => made.push((good.made, name)),
            Some(FileVerdict::Bad(reason)) => return refused(format!("{name}: {reason}")),
            Some(FileVerdict::Unsigned) => {
                return refused(format!(
                    "{name} has no signature: put {name}.sig beside it, or a signed SHA256SUMS"
                ));
            }
        }
    }
    if !pending.is_empty() {
        return Authenticity::Pending(pending);
    }
    let (first, last) = (made.iter().min(), made.iter().max());
    if let (Some((from, early)), Some((to, late))) = (first, last)
        && to.0 - from.0 > ONE_RELEASE
    {
        return refused(format!(
            "it is put together from several releases: {early} was signed on {from}, {late} on {to}"
        ));
    }
    Authenticity::Good
}

/// Looks at one file while its bytes pass by.
#[derive(Debug)]
pub struct Examiner {
    name: String,
    by: By,
}

#[derive(Debug)]
enum By {
    Signature(Box<Verifier>),
    List(Box<(Sums, Good)>, Digester),
    Nothing(Digester),
    Refused(String, Digester),
}

impl Examiner {
    /// For the file called `name`, with the bytes of what vouches for it.
    pub fn new(name: &str, proof: Option<ProofBytes<'_>>, keys: &Keys, trust: &Trust) -> Examiner {
        let digester = || Digester::new([Algorithm::Sha256]);
        let by = match proof {
            None => By::Nothing(digester()),
            Some(ProofBytes::Signature(signature)) => {
                let verifier = Verifier::new(signature, keys.keyring(), trust);
                By::Signature(Box::new(verifier.with_digests(&[Algorithm::Sha256])))
            }
            Some(ProofBytes::List(list, signature)) => match open_list(list, signature, keys, trust) {
                Ok((sums, good)) => {
                    let wanted = [Some(Algorithm::Sha256), sums.algorithm(name)];
                    By::List(Box::new((sums, good)), Digester::new(wanted.into_iter().flatten()))
                }
                Err(reason) => By::Refused(reason, digester()),
            },
        };
        Examiner { name: name.to_owned(), by }
    }

    /// Why the file can't be authentic, whatever it holds.
    pub fn refused(&self) -> Option<String> {
        match &self.by {
            By::Signature(verifier) => verifier.refused().map(ToString::to_string),
            By::Refused(reason, _) => Some(reason.clone()),
            By::List(..) | By::Nothing(_) => None,
        }
    }

    /// The file's next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.by {
            By::Signature(verifier) => verifier.update(bytes),
            By::List(_, digester) | By::Nothing(digester) | By::Refused(_, digester) => {
                digester.update(bytes)
            }
        }
    }

    /// The file is at its end.
    pub fn finish(self) -> Finding {
        let (verdict, digests) = match self.by {
            By::Signature(verifier) => {
                let outcome = verifier.finish();
                let verdict = match outcome.verdict {
                    Verdict::Good(good) => FileVerdict::Good(good),
                    Verdict::Bad(bad) => FileVerdict::Bad(bad.to_string()),
                };
                (verdict, outcome.digests)
            }
            By::List(listed, digester) => {
                let (sums, good) = *listed;
                let digests = digester.finish();
                let compared = sums.compare(&self.name, &digests);
                let verdict = if compared.is_good() {
                    FileVerdict::Good(good)
                } else {
                    FileVerdict::Bad(compared.to_string())
                };
                (verdict, digests)
            }
            By::Nothing(digester) => (FileVerdict::Unsigned, digester.finish()),
            By::Refused(reason, digester) => (FileVerdict::Bad(reason), digester.finish()),
        };
        let sha256 = digests.into_iter().find(|digest| digest.algorithm() == Algorithm::Sha256);
        Finding { verdict, sha256 }
    }
}

/// The bytes of what vouches for a file.
#[derive(Debug, Clone, Copy)]
pub enum ProofBytes<'a> {
    /// A signature of it.
    Signature(&'a [u8]),
    /// A list of digests, and a signature of that; none where the list carries its own.
    List(&'a [u8], Option<&'a [u8]>),
}

/// The list, if a trusted key signed it.
fn open_list(
    list: &[u8],
    signature: Option<&[u8]>,
    keys: &Keys,
    trust: &Trust,
) -> Result<(Sums, Good), String> {
    let (text, good) = match signature {
        None => {
            let signed = verify_cleartext(list, keys.keyring(), trust);
            let signed = signed.map_err(|bad| format!("the list that it is in: {bad}"))?;
            (signed.text, signed.good)
        }
        Some(signature) => {
            let mut verifier = Verifier::new(signature, keys.keyring(), trust);
            verifier.update(list);
            match verifier.finish().verdict {
                Verdict::Good(good) => (String::from_utf8_lossy(list).into_owned(), good),
                Verdict::Bad(bad) => return Err(format!("the list that it is in: {bad}")),
            }
        }
    };
    let sums = Sums::parse(&text).map_err(|fault| format!("the list that it is in: {fault}"))?;
    Ok((sums, good))
}
