//! Copying versions, and what belongs to them, from a disk or a folder into an asset folder; versions are verified on the
//! way. What is the same is known by its content, never by its length or its name.

mod others;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
};

pub use others::{OtherFile, others};

use crate::{
    service::progress::Bars,
    storage::{
        scan,
        staging::{Staging, StagingError},
        verify::ReadProof,
    },
};
use rackberry_core::{
    assets::{
        examine::Examiner,
        folder::Found,
        keys::Keys,
        version::{File as VersionFile, FileSet, Version},
    },
    config::Verify,
};

/// What is read at once.
const PIECE: usize = 1 << 20;
/// Pieces that are read before they are wanted.
const AHEAD: usize = 2;

/// What became of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The folder that the version is in now.
    pub folder: PathBuf,
    /// Whether it was there already, byte for byte.
    pub was_there: bool,
    /// Images for other hardware that were left out, and why, a sentence each.
    pub left_out: Vec<String>,
}

/// Why a version is not imported.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "fields are what the message names")]
pub enum ImportError {
    /// Reading or writing failed.
    #[error(transparent)]
    Staging(#[from] StagingError),
    /// A file is not what it should be.
    #[error("{file} is not authentic: {reason}")]
    NotAuthentic { file: PathBuf, reason: String },
}

/// Where it goes, and by which rules.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// The asset folder that is copied to.
    pub to: &'a Path,
    /// The keys that count.
    pub keys: &'a Keys,
    /// Whether files that nobody vouches for will do.
    pub verify: Verify,
}

/// Copies what a version has for one or several processors, unless the same bytes are there. A version appears when it is
/// whole, in place of one of that name whose bytes are others; what that has for further processors stays.
///
/// # Errors
/// [`ImportError`] names the file. What was copied stays, for the next run.
pub fn version(version: &Version, rules: Rules<'_>, bars: &Bars) -> Result<Imported, ImportError> {
    let (profile, name) = (&version.profile.name, &version.name);
    let target = rules.to.join(profile).join(name);
    let sets: Vec<&FileSet> = version.sets.iter().filter(|set| set.is_complete()).collect();
    let files: BTreeMap<String, &Found> = sets.iter().flat_map(|set| files_of(version, set)).collect();
    let mut imported = Imported { folder: target.clone(), was_there: true, left_out: Vec::new() };
    if is_there(&target, &files, bars)? {
        return Ok(imported);
    }
    imported.was_there = false;
    let stage = Staging::open(rules.to, profile, name)?;
    let missing = files.iter().map(|(name, found)| found.len.saturating_sub(stage.has(name)));
    stage.need_room(missing.sum())?;
    let mut copied = BTreeSet::new();
    for set in &sets {
        for file in set.all_files().filter(|file| !file.with_loaders) {
            let name = relative(version, set, &file.found);
            match copy(&stage, &name, (version, file), rules, bars) {
                Ok(()) => drop(copied.insert(name)),
                Err(ImportError::NotAuthentic { file: path, reason }) if set.variants.contains(file) => {
                    copied.insert(name);
                    imported.left_out.push(format!("{}: {reason}; left out", path.display()));
                }
                Err(error) => return Err(error),
            }
        }
    }
    for (name, found) in files.iter().filter(|(name, _)| !copied.contains(*name)) {
        // Signatures, lists and version files: small, and what they vouch for was looked at.
        let bytes = fs::read(&found.path).map_err(|error| StagingError::Read(found.path.clone(), error))?;
        stage.put(name, &bytes)?;
    }
    keep_others(&stage, version, &sets, rules.to)?;
    imported.folder = stage.finish()?;
    Ok(imported)
}

/// Whether a folder holds the same files, byte for byte.
fn is_there(target: &Path, files: &BTreeMap<String, &Found>, bars: &Bars) -> Result<bool, StagingError> {
    let has_length = |(name, found): (&String, &&Found)| {
        fs::metadata(target.join(name)).is_ok_and(|meta| meta.len() == found.len)
    };
    if !files.iter().all(has_length) {
        return Ok(false);
    }
    for (name, found) in files {
        let path = target.join(name);
        let bar = bars.of_bytes("comparing", &found.path, found.len);
        if !is_same(&found.path, &path, |bytes| bar.more(bytes))? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether two files hold the same bytes.
fn is_same(one: &Path, other: &Path, mut told: impl FnMut(u64)) -> Result<bool, StagingError> {
    let open = |path: &Path| File::open(path).map_err(|error| StagingError::Read(path.to_owned(), error));
    let (mut left, mut right) = (open(one)?, open(other)?);
    let (mut a, mut b) = (vec![0; PIECE], vec![0; PIECE]);
    loop {
        let n = fill(&mut left, &mut a).map_err(|error| StagingError::Read(one.to_owned(), error))?;
        let m = fill(&mut right, &mut b).map_err(|error| StagingError::Read(other.to_owned(), error))?;
        if a[..n] != b[..m] {
            return Ok(false);
        }
        if n == 0 {
            return Ok(true);
        }
        told(n as u64);
    }
}

/// Reads until the piece is full or the file at its end.
fn fill(file: &mut File, piece: &mut [u8]) -> io::Result<usize> {
    let mut at = 0;
    while at < piece.len() {
        match file.read(&mut piece[at..])? {
            0 => break,
            n => at += n,
        }
    }
    Ok(at)
}

/// What the asset folder's own version has for processors that the new one has nothing for.
fn keep_others(stage: &Staging, version: &Version, sets: &[&FileSet], to: &Path) -> Result<(), StagingError> {
    let there = scan::scan(&[to.to_owned()], Path::new(""), None);
    let Some(there) = there.version(&version.profile.name, &version.name) else { return Ok(()) };
    for other in there.sets.iter().filter(|other| sets.iter().all(|set| set.arch != other.arch)) {
        for (name, found) in files_of(there, other) {
            stage.take_over(&name, &found.path)?;
        }
    }
    Ok(())
}

fn copy(
    stage: &Staging,
    name: &str,
    (version, file): (&Version, &VersionFile),
    rules: Rules<'_>,
    bars: &Bars,
) -> Result<(), ImportError> {
    let found = &file.found;
    let unread = |error| StagingError::Read(found.path.clone(), error);
    let refused = |reason: String| ImportError::NotAuthentic { file: found.path.clone(), reason };
    let proof = ReadProof::of(&file.proof).map_err(unread)?;
    let trust = rules.keys.trust(&version.profile);
    let mut examiner = Examiner::new(found.own_name(), &proof.bytes(), rules.keys, &trust);
    // Before a long copy.
    if let Some(reason) = examiner.hopeless(rules.verify) {
        return Err(refused(reason));
    }
    let bar = bars.of_bytes("copying", &found.path, found.len);
    let mut comparing = stage.comparing(name)?;
    let from = File::open(&found.path).map_err(unread)?;
    let len = thread::scope(|scope| {
        let (full, pieces) = mpsc::sync_channel(AHEAD);
        scope.spawn(move || read_ahead(from, &full));
        let mut len = 0;
        for piece in pieces {
            let piece = piece.map_err(unread)?;
            comparing.more(&piece)?;
            examiner.update(&piece);
            bar.more(piece.len() as u64);
            len += piece.len() as u64;
        }
        Ok::<u64, ImportError>(len)
    })?;
    comparing.finish()?;
    let verdict = examiner.finish().verdict.will_do(rules.verify).map_err(|why| why.to_string());
    let verdict = if len == found.len { verdict } else { Err("it changed while it was copied".into()) };
    verdict.or_else(|reason| {
        stage.remove(name)?;
        Err(refused(reason))
    })
}

/// Reads to the end, or until nobody takes pieces any more. One disk is read while the other is written to.
fn read_ahead(mut from: File, full: &mpsc::SyncSender<io::Result<Vec<u8>>>) {
    loop {
        let mut piece = vec![0; PIECE];
        let read = from.read(&mut piece).map(|n| {
            piece.truncate(n);
            piece
        });
        let is_last = read.as_ref().map_or(true, Vec::is_empty);
        if full.send(read).is_err() || is_last {
            return;
        }
    }
}

/// Every file that belongs to a set, by its name below the version's folder.
fn files_of<'v>(version: &Version, set: &'v FileSet) -> Vec<(String, &'v Found)> {
    let own = set.all_files().filter(|file| !file.with_loaders);
    let all = own.flat_map(|file| [&file.found].into_iter().chain(file.proof.files()));
    let all = all.chain(&set.companions).chain(&set.version_file);
    all.map(|found| (relative(version, set, found), found)).collect()
}

/// A file's name below its version's folder; an architecture's own folder is a part of it.
fn relative(version: &Version, set: &FileSet, found: &Found) -> String {
    found.name[set.version_folder(&version.profile).len()..].join("/")
}

/// What becomes of a version that is current already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Current {
    /// It stays the current one.
    Keep,
    /// The new one takes its place.
    Replace,
}

/// Says which version is current, unless the asset folder says so already and that is to be kept.
///
/// # Errors
/// When it can't be written.
pub fn set_current(to: &Path, profile: &str, version: &str, before: Current) -> Result<bool, StagingError> {
    let path = to.join(profile).join("current");
    if path.exists() && before == Current::Keep {
        return Ok(false);
    }
    let new = path.with_file_name(".current.new");
    fs::write(&new, format!("{version}\n"))
        .and_then(|()| fs::rename(&new, &path))
        .map_err(|error| StagingError::Write(path, error))?;
    Ok(true)
}
