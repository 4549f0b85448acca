//! Reading files for [`authentic`](super::authentic), and keeping what was found: a file is read once, until it,
//! what vouches for it, or a key changes.

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::assets::{
    authentic::{Examiner, Finding, Findings, Job, Proof, ProofBytes, Subject},
    folder::Found,
    keys::Keys,
};

/// What is read at once.
const PIECE: usize = 1 << 20;
/// Longest signature or list of digests.
const LONGEST_PROOF: u64 = 4 << 20;
/// More findings than this are not kept: those of files that are gone go first.
const MOST: usize = 10_000;

/// What was found, and the file that keeps it.
#[derive(Debug)]
pub struct Archive {
    path: PathBuf,
    findings: Arc<Findings>,
}

impl Archive {
    /// What an earlier run kept in this folder. What can't be read is found anew.
    pub fn open(folder: &Path) -> Archive {
        let path = folder.join("verified.json");
        let read = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice::<Vec<(Subject, Finding)>>(&bytes).map_err(io::Error::from),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        };
        let kept = read.unwrap_or_else(|error| {
            tracing::warn!(path = %path.display(), %error, "can't read what was verified; it is done again");
            Vec::new()
        });
        Archive { path, findings: Arc::new(kept.into_iter().collect()) }
    }

    /// Everything that was found.
    pub fn findings(&self) -> Arc<Findings> {
        self.findings.clone()
    }

    /// Keeps a finding.
    pub fn keep(&mut self, subject: Subject, finding: Finding) {
        let mut findings = Findings::clone(&self.findings);
        if findings.len() >= MOST {
            findings.retain(|subject, _| subject.path().is_some_and(Path::exists));
        }
        findings.insert(subject, finding);
        self.findings = Arc::new(findings);
        if let Err(error) = self.write() {
            // Known until the service ends; then it is found again.
            tracing::warn!(path = %self.path.display(), %error, "can't keep what was verified");
        }
    }

    /// Forgets everything, so that every file is looked at again.
    pub fn clear(&mut self) {
        self.findings = Arc::default();
        // What is not written over is read again, and found to be good or bad once more.
        let _ = self.write();
    }

    fn write(&self) -> io::Result<()> {
        let all: Vec<_> = self.findings.iter().collect();
        let new = self.path.with_extension("new");
        let mut file = File::create(&new)?;
        file.write_all(&serde_json::to_vec(&all)?)?;
        file.sync_data()?;
        fs::rename(&new, &self.path)
    }
}

/// Reads a file, and says what it is. Takes as long as the disk or a core takes for it; `told` hears the bytes.
///
/// # Errors
/// When it can't be read to its end: nothing is found then.
pub fn examine(job: &Job, keys: &Keys, mut told: impl FnMut(&[u8])) -> io::Result<Finding> {
    let name = job.file.name.last().map_or("", String::as_str);
    let proof = job.proof.as_ref().map(ReadProof::of).transpose()?;
    let proof = proof.as_ref().map(ReadProof::bytes);
    let mut examiner = Examiner::new(name, proof, keys, &keys.trust(&job.profile));
    let mut file = File::open(&job.file.path)?;
    let mut piece = vec![0; PIECE];
    let mut len = 0;
    loop {
        match file.read(&mut piece)? {
            0 => break,
            n => {
                len += n as u64;
                examiner.update(&piece[..n]);
                told(&piece[..n]);
            }
        }
    }
    if len != job.file.len {
        return Err(io::Error::other("it changed while it was read"));
    }
    Ok(examiner.finish())
}

/// What vouches for a file, read.
#[derive(Debug)]
pub struct ReadProof {
    first: Vec<u8>,
    second: Option<Vec<u8>>,
    is_list: bool,
}

impl ReadProof {
    /// Reads it.
    ///
    /// # Errors
    /// The system's, or when it is too long for what it is.
    pub fn of(proof: &Proof) -> io::Result<ReadProof> {
        let read = |found: &Found| match found.len <= LONGEST_PROOF {
            true => fs::read(&found.path),
            false => Err(io::Error::other(format!("{} is too long for a signature", found.path.display()))),
        };
        let (first, second, is_list) = match proof {
            Proof::Signature(signature) => (read(signature)?, None, false),
            Proof::Listed(list, signature) => (read(list)?, signature.as_ref().map(read).transpose()?, true),
        };
        Ok(ReadProof { first, second, is_list })
    }

    /// Its bytes.
    pub fn bytes(&self) -> ProofBytes<'_> {
        if self.is_list {
            ProofBytes::List(&self.first, self.second.as_deref())
        } else {
            ProofBytes::Signature(&self.first)
        }
    }
}
