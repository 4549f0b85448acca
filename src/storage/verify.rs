//! Reading files for [`authentic`](rackberry_core::assets::authentic), and keeping what was found: a file is read once, until it,
//! what vouches for it, or a key changes.

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::Deserialize;

use rackberry_core::assets::{
    authentic::{Finding, Job, Proof, ProofFindings, ProofSubject},
    examine::{Examiner, ProofBytes},
    folder::Found,
    keys::Keys,
};

/// What is read at once.
const PIECE: usize = 1 << 20;
/// Longest signature or list of digests.
const LONGEST_PROOF: u64 = 4 << 20;
/// More findings than this are not kept: those of files that are gone go first.
const MOST: usize = 10_000;

/// What the file's content means; raise it when findings of before can't stand for those of now.
const FORMAT: u32 = 2;

/// The file's content.
#[derive(Deserialize)]
#[serde(from = "AnyKept")]
struct Kept {
    format: u32,
    findings: Vec<(ProofSubject, Finding)>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum AnyKept {
    Now { format: u32, findings: Vec<(ProofSubject, Finding)> },
    Before(serde::de::IgnoredAny),
}

impl From<AnyKept> for Kept {
    fn from(kept: AnyKept) -> Kept {
        match kept {
            AnyKept::Now { format, findings } => Kept { format, findings },
            AnyKept::Before(_) => Kept { format: 0, findings: Vec::new() },
        }
    }
}

/// What was found, and the file that keeps it.
#[derive(Debug)]
pub struct Archive {
    path: PathBuf,
    findings: Arc<ProofFindings>,
}

impl Archive {
    /// What an earlier run kept in this folder. What can't be read is found anew.
    pub fn open(folder: &Path) -> Archive {
        let path = folder.join("verified.json");
        let read = match fs::read(&path) {
            Ok(bytes) => match serde_json::from_slice(&bytes) {
                Ok(Kept { format: FORMAT, findings }) => Ok(findings),
                // By an earlier version, which told fewer findings apart.
                Ok(Kept { .. }) => Ok(Vec::new()),
                Err(error) => Err(error.into()),
            },
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
    pub fn findings(&self) -> Arc<ProofFindings> {
        self.findings.clone()
    }

    /// Keeps what was found of a file, over restarts too.
    pub fn keep(&mut self, subject: ProofSubject, finding: Finding) {
        let mut findings = ProofFindings::clone(&self.findings);
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
        let kept = serde_json::json!({ "format": FORMAT, "findings": all });
        let new = self.path.with_extension("new");
        let mut file = File::create(&new)?;
        file.write_all(&serde_json::to_vec(&kept)?)?;
        file.sync_data()?;
        fs::rename(&new, &self.path)
    }
}

/// Reads a file, and says what it is. Takes as long as the disk or a core takes for it; `told` hears the bytes.
///
/// # Errors
/// When it can't be read to its end: nothing is found then.
pub fn examine(job: &Job, keys: &Keys, mut told: impl FnMut(&[u8])) -> io::Result<Finding> {
    let proof = ReadProof::of(&job.proof)?;
    let mut examiner = Examiner::new(job.file.own_name(), &proof.bytes(), keys, &keys.trust(&job.profile));
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
    signature: Option<Vec<u8>>,
    lists: Vec<(Vec<u8>, Option<Vec<u8>>)>,
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
        let lists = proof.lists.iter().map(|listed| {
            Ok::<_, io::Error>((read(&listed.list)?, listed.signature.as_ref().map(read).transpose()?))
        });
        Ok(ReadProof {
            signature: proof.signature.as_ref().map(read).transpose()?,
            lists: lists.collect::<Result<_, _>>()?,
        })
    }

    /// The bytes of signature and lists.
    pub fn bytes(&self) -> ProofBytes<'_> {
        let lists = self.lists.iter().map(|(list, signature)| (list.as_slice(), signature.as_deref()));
        ProofBytes { signature: self.signature.as_deref(), lists: lists.collect() }
    }
}
