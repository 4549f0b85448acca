//! Files that are asked for: opened, looked at, and small ones read.

use std::{
    fs::{File, Metadata, OpenOptions},
    io,
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use bytes::Bytes;
use rustix::fs::OFlags;

use crate::storage::scan;
use rackberry_core::{assets::folder::Stamp, http::range::Meta};

/// Bytes up to which a file is read at once: with the reply's head in one write, that is less work than sendfile.
pub(super) const SMALL: u64 = 32 * 1024;

/// Why a file can't be sent.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    /// It is a folder, a pipe, a device.
    #[error("it is not a regular file")]
    NotRegular,
    /// It is not what the last scan found.
    #[error("it has changed")]
    Changed,
    /// The system says no.
    #[error("can't be opened")]
    Io(#[from] io::Error),
}

/// An open regular file.
#[derive(Debug)]
pub(super) struct OpenFile {
    pub(super) path: PathBuf,
    pub(super) file: File,
    /// Its length and validators as of the opening.
    pub(super) meta: Meta,
    /// By what a change of it is seen.
    pub(super) content: Content,
    /// All of a small file.
    pub(super) bytes: Option<Bytes>,
}

/// Length and time of change of a file's content. (The entry's time of change is another after a new file took its name,
/// which is nothing to who sends the old one.)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Content(u64, i64);

impl Content {
    /// A file's content now.
    pub(super) fn of(meta: &Metadata) -> Content {
        Content(meta.len(), scan::stamp(meta).content)
    }
}

impl OpenFile {
    /// Opens a file that must have this length and these times, where that matters; blocks.
    pub(super) fn open(path: &Path, state: Option<(u64, Stamp)>) -> Result<OpenFile, FileError> {
        // NONBLOCK, so that opening a pipe that nobody writes to does not wait.
        let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
        let meta = file.metadata()?;
        if !meta.is_file() {
            return Err(FileError::NotRegular);
        }
        if state.is_some_and(|state| state != (meta.len(), scan::stamp(&meta))) {
            return Err(FileError::Changed);
        }
        let content = Content::of(&meta);
        let bytes = match meta.len() <= SMALL {
            true => Some(read(&file, content)?),
            false => None,
        };
        let modified = meta.modified()?.duration_since(UNIX_EPOCH).ok();
        let meta = Meta { len: meta.len(), modified, inode: meta.ino() };
        Ok(OpenFile { path: path.to_owned(), file, meta, content, bytes })
    }
}

/// All of a file, which does not change meanwhile.
fn read(file: &File, content: Content) -> Result<Bytes, FileError> {
    let mut bytes = vec![0; usize::try_from(content.0).map_err(io::Error::other)?];
    file.read_exact_at(&mut bytes, 0).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => FileError::Changed,
        _ => error.into(),
    })?;
    match Content::of(&file.metadata()?) == content {
        true => Ok(bytes.into()),
        false => Err(FileError::Changed),
    }
}
