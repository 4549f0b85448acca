//! The journal: one file, `state.log`, that holds nodes, leases and counters. A commit is appended to it as one record
//! with a checksum, and returns after that is on the disk; a cut at any moment leaves the last commit. When the file has
//! become long it is written anew beside itself, and takes its own place.
//!
//! Beside it lies a mark, a line of text that says which journal this is and how often a disk's state has changed in it.
//! By that (and by a copy of it that may lie on another partition) a journal that was there and is gone, or is an old
//! copy, is told from a first day.

mod aside;
mod before;
mod contents;
mod disk;
pub mod inspect;
mod keeper;
mod log;
mod mark;
mod record;

use std::{
    io,
    path::{Path, PathBuf},
};

use before::BeforeError;
use disk::DiskFolder;
use keeper::Keeper;
use mark::Mark;
use rackberry_core::{
    appliance::{Change, Stored},
    ids::Time,
};
pub use record::Damage;

/// Why the journal can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Another service has it.
    #[error("the state in {0} is in use by another rackberry; stop that one, or give --state another folder")]
    InUse(PathBuf),
    /// The folder can't be made or opened.
    #[error("can't make the state folder {0}")]
    Folder(PathBuf, #[source] io::Error),
    /// The file can't be opened.
    #[error("can't open the state in {0}")]
    Open(PathBuf, #[source] io::Error),
    /// Writing failed.
    #[error("can't keep the state in {0}")]
    Access(PathBuf, #[source] io::Error),
    /// It was written by a later version.
    #[error(
        "the state in {0} is of layout {1}, this rackberry knows layouts up to {known}; run the later version again",
        known = record::LAYOUT
    )]
    Later(PathBuf, u64),
    /// It is damaged.
    #[error("can't read the state in {0}")]
    Damaged(PathBuf, #[source] Damage),
    /// The file of an earlier layout can't be read.
    #[error("can't read the state of the version before")]
    Before(#[from] BeforeError),
    /// A record can't be coded.
    #[error("a node can't be coded for {0}")]
    Code(PathBuf, #[source] serde_json::Error),
    /// A damaged file can't be moved out of the way.
    #[error("the damaged state {0} can't be set aside")]
    SetAside(PathBuf, #[source] io::Error),
}

/// The open journal.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    /// None where the folder could not be opened yet.
    keeper: Option<Keeper<DiskFolder>>,
}

/// A journal as it was found.
#[derive(Debug)]
pub struct Opened {
    /// The journal.
    pub journal: Journal,
    /// What it kept; `loss` says what is missing.
    pub stored: Stored,
    /// Why it can't be written, if it can't.
    pub unwritable: Option<String>,
}

impl Journal {
    /// Opens `FOLDER/state.log`, making both where they are not there. A damaged file is set aside, with its date, and a
    /// new one made; one that can't be written is read. `elsewhere` is a copy of the mark on another partition, and `id`
    /// what a new journal is known by.
    ///
    /// # Errors
    /// When another service has it, a later version wrote it, or a damaged file can't be set aside.
    pub fn open(folder: &Path, elsewhere: Option<&Path>, id: u64) -> Result<Opened, JournalError> {
        let disk = match opened(folder) {
            Ok(disk) => disk,
            Err(error @ JournalError::InUse(_)) => return Err(error),
            Err(error) => {
                let journal = Journal { folder: folder.to_owned(), keeper: None };
                return Ok(Opened { journal, stored: Stored::default(), unwritable: Some(chain(&error)) });
            }
        };
        let elsewhere = elsewhere.and_then(|path| Mark::parse(&std::fs::read(path).ok()?));
        let (keeper, stored, unwritable) = Keeper::open(disk, elsewhere, id)?;
        Ok(Opened {
            journal: Journal { folder: folder.to_owned(), keeper: Some(keeper) },
            stored,
            unwritable,
        })
    }

    /// The journal of a folder, to be opened by the next commit: after the one that was open was lost.
    pub fn reopened(folder: &Path) -> Journal {
        Journal { folder: folder.to_owned(), keeper: None }
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes the changes, all or none; when this returns well, they are on the disk.
    ///
    /// # Errors
    /// When they are not.
    pub fn commit(&mut self, changes: &[Change], now: Time) -> Result<(), JournalError> {
        let keeper = match self.keeper.take() {
            Some(keeper) => keeper,
            None => Keeper::closed(opened(&self.folder)?),
        };
        self.keeper.insert(keeper).commit(changes, now)
    }
}

/// A folder that is made, and locked.
fn opened(folder: &Path) -> Result<DiskFolder, JournalError> {
    let failed = |error| JournalError::Folder(folder.to_owned(), error);
    std::fs::create_dir_all(folder).map_err(failed)?;
    DiskFolder::lock(folder).map_err(failed)?.ok_or_else(|| JournalError::InUse(folder.join(log::FILE)))
}

/// What tells one file from another.
#[allow(clippy::disallowed_methods)] // Nothing is decided by it.
fn random() -> u64 {
    let mut bytes = [0; 8];
    if let Err(error) = getrandom::fill(&mut bytes) {
        tracing::debug!(%error, "the kernel gives no random numbers");
    }
    u64::from_be_bytes(bytes)
}

/// An error and its causes, on one line.
fn chain(error: &JournalError) -> String {
    let causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests;
