//! Copying versions and configurations from a disk or a folder into an asset folder, verifying them on the way.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
};

use crate::{
    assets::{
        catalog::Catalog,
        examine::Examiner,
        folder::Found,
        keys::Keys,
        stage::{Stage, StageError},
        verify::ReadProof,
        version::{FileSet, Version},
    },
    config::Verify,
    progress::Bars,
};

/// What is read at once.
const PIECE: usize = 1 << 20;
/// Pieces that are read before they are wanted.
const AHEAD: usize = 2;

/// What became of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Imported {
    /// It is here now.
    Copied(PathBuf),
    /// It was here already.
    There(PathBuf),
}

/// Why a version is not imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Reading or writing failed.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// A file is not what it should be.
    #[error("{file} is not authentic: {reason}")]
    NotAuthentic {
        /// The file.
        file: PathBuf,
        /// Why.
        reason: String,
    },
}

/// Where it goes, and by which rules.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// The asset folder.
    pub to: &'a Path,
    /// The keys that count.
    pub keys: &'a Keys,
    /// Whether files that nobody vouches for will do.
    pub verify: Verify,
}

/// Copies what a version has for one or several processors. Files that are there are not copied again, and a
/// version appears when it is whole.
///
/// # Errors
/// [`ImportError`] names the file. What was copied stays, for the next run.
pub fn version(version: &Version, rules: Rules<'_>, bars: &Bars) -> Result<Imported, ImportError> {
    let (profile, name) = (&version.profile.name, &version.name);
    let target = rules.to.join(profile).join(name);
    let sets: Vec<&FileSet> = version.sets.iter().filter(|set| set.missing.is_empty()).collect();
    let files: BTreeMap<String, &Found> = sets.iter().flat_map(|set| files_of(version, set)).collect();
    let is_there = |(name, found): (&String, &&Found)| {
        fs::metadata(target.join(name)).is_ok_and(|meta| meta.len() == found.len)
    };
    if files.iter().all(is_there) {
        return Ok(Imported::There(target));
    }
    let stage = Stage::open(rules.to, profile, name)?;
    let missing = files.iter().map(|(name, found)| found.len.saturating_sub(stage.has(name)));
    stage.need_room(missing.sum())?;
    for set in sets {
        for file in set.all_files().filter(|file| !file.with_loaders) {
            let proof = ReadProof::of(&file.proof)
                .map_err(|error| StageError::Read(file.found.path.clone(), error))?;
            let trust = rules.keys.trust(&version.profile);
            let examiner = Examiner::new(file.found.own_name(), &proof.bytes(), rules.keys, &trust);
            copy(&stage, &relative(version, set, &file.found), &file.found, examiner, rules, bars)?;
        }
    }
    for (name, found) in &files {
        // Signatures, lists and version files: small, and what they vouch for was looked at.
        if stage.has(name) != found.len {
            let bytes = fs::read(&found.path).map_err(|error| StageError::Read(found.path.clone(), error))?;
            stage.put(name, &bytes)?;
        }
    }
    Ok(Imported::Copied(stage.finish()?))
}

fn copy(
    stage: &Stage,
    name: &str,
    found: &Found,
    examiner: Examiner,
    rules: Rules<'_>,
    bars: &Bars,
) -> Result<(), ImportError> {
    let unread = |error| StageError::Read(found.path.clone(), error);
    let refused = |reason: String| ImportError::NotAuthentic { file: found.path.clone(), reason };
    // Before a long copy.
    if let Some(reason) = examiner.hopeless(rules.verify) {
        return Err(refused(reason));
    }
    let bar = bars.of_bytes("copying", &found.path, found.len);
    let mut incoming = stage.incoming(name, examiner)?;
    bar.at(incoming.at);
    let mut from = File::open(&found.path).map_err(unread)?;
    std::io::Seek::seek(&mut from, std::io::SeekFrom::Start(incoming.at)).map_err(unread)?;
    thread::scope(|scope| {
        let (full, pieces) = mpsc::sync_channel(AHEAD);
        scope.spawn(move || read_ahead(from, &full));
        for piece in pieces {
            let piece = piece.map_err(unread)?;
            incoming.more(&piece)?;
            bar.more(piece.len() as u64);
        }
        Ok::<(), ImportError>(())
    })?;
    let whole = incoming.at == found.len;
    let verdict = incoming.finish()?.verdict.will_do(rules.verify);
    let verdict = if whole { verdict } else { Err("it changed while it was copied".into()) };
    verdict.or_else(|reason| {
        // Whatever is there may be what is wrong: the next run begins anew.
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
    all.chain(&set.version_file).map(|found| (relative(version, set, found), found)).collect()
}

/// A file's name below its version's folder; an architecture's own folder is a part of it.
fn relative(version: &Version, set: &FileSet, found: &Found) -> String {
    found.name[set.version_folder(&version.profile).len()..].join("/")
}

/// Copies configurations that are not there yet; returns the names of those that are, and differ.
///
/// # Errors
/// When one can't be read or written.
pub fn configs(from: &Catalog, to: &Path) -> Result<Vec<String>, StageError> {
    let mut kept = Vec::new();
    for (name, text) in from.configs().iter() {
        let path = to.join("cloud-configs").join(name);
        match fs::read(&path) {
            Ok(there) if there == text.as_bytes() => {}
            Ok(_) => kept.push(name.clone()),
            Err(_) => {
                let folder = path.parent().unwrap_or(to);
                fs::create_dir_all(folder)
                    .and_then(|()| fs::write(&path, text.as_bytes()))
                    .map_err(|error| StageError::Write(path.clone(), error))?;
            }
        }
    }
    Ok(kept)
}

/// Says which version is current, unless the asset folder says so already, or `replace` is wanted.
///
/// # Errors
/// When it can't be written.
pub fn set_current(to: &Path, profile: &str, version: &str, replace: bool) -> Result<bool, StageError> {
    let path = to.join(profile).join("current");
    if path.exists() && !replace {
        return Ok(false);
    }
    let new = path.with_file_name(".current.new");
    fs::write(&new, format!("{version}\n"))
        .and_then(|()| fs::rename(&new, &path))
        .map_err(|error| StageError::Write(path, error))?;
    Ok(true)
}
