//! A version on its way into an asset folder.
//!
//! Its files gather in `PROFILE/.VERSION.part/`, which no scan looks into, and the folder gets its name when all of
//! them are there and authentic: nobody ever sees half a version. What an interrupted run left is used by the next.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use crate::assets::{authentic::Finding, examine::Examiner};

/// What is read at once.
const PIECE: usize = 1 << 20;

/// Why a version can't be brought in.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// The folder can't be written.
    #[error("can't write {path}", path = .0.display())]
    Write(PathBuf, #[source] io::Error),
    /// A file can't be read.
    #[error("can't read {path}", path = .0.display())]
    Read(PathBuf, #[source] io::Error),
    /// Not enough room.
    #[error("{folder} has room for {free} bytes, and {needed} are needed; make room, or choose another folder with --to", folder = folder.display())]
    Full {
        /// The folder.
        folder: PathBuf,
        /// Bytes that fit.
        free: u64,
        /// Bytes that must.
        needed: u64,
    },
}

/// The folder where a version gathers.
#[derive(Debug)]
pub struct Stage {
    gathering: PathBuf,
    target: PathBuf,
}

/// A file that comes in.
#[derive(Debug)]
pub struct Incoming {
    path: PathBuf,
    file: File,
    examiner: Examiner,
    /// Bytes that are there.
    pub at: u64,
}

impl Stage {
    /// The stage of `profile` `version` in an asset folder; what an earlier run left is there.
    ///
    /// # Errors
    /// When the folder can't be made.
    pub fn open(dir: &Path, profile: &str, version: &str) -> Result<Stage, StageError> {
        let folder = dir.join(profile);
        let gathering = folder.join(format!(".{version}.part"));
        fs::create_dir_all(&gathering).map_err(|error| StageError::Write(gathering.clone(), error))?;
        Ok(Stage { gathering, target: folder.join(version) })
    }

    /// Bytes that are there already of a file.
    pub fn has(&self, name: &str) -> u64 {
        fs::metadata(self.gathering.join(name)).map_or(0, |meta| meta.len())
    }

    /// Fails where these many bytes don't fit.
    ///
    /// # Errors
    /// [`StageError::Full`], or when nobody can tell.
    pub fn need_room(&self, needed: u64) -> Result<(), StageError> {
        let room = rustix::fs::statvfs(&self.gathering)
            .map_err(|error| StageError::Read(self.gathering.clone(), error.into()))?;
        let free = room.f_bavail.saturating_mul(room.f_frsize);
        // File systems take a little for themselves.
        if free < needed.saturating_add(needed / 64) {
            return Err(StageError::Full { folder: self.gathering.clone(), free, needed });
        }
        Ok(())
    }

    /// Keeps a small file.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn put(&self, name: &str, bytes: &[u8]) -> Result<(), StageError> {
        let path = self.path(name)?;
        fs::write(&path, bytes).map_err(|error| StageError::Write(path, error))
    }

    /// Goes on with a file, whose bytes `examiner` looks at, those of an earlier run first.
    ///
    /// # Errors
    /// When it can't be read or written.
    pub fn incoming(&self, name: &str, mut examiner: Examiner) -> Result<Incoming, StageError> {
        let path = self.path(name)?;
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(&path)
            .map_err(|error| StageError::Write(path.clone(), error))?;
        let (mut piece, mut at) = (vec![0; PIECE], 0);
        loop {
            match file.read(&mut piece).map_err(|error| StageError::Read(path.clone(), error))? {
                0 => break,
                n => {
                    examiner.update(&piece[..n]);
                    at += n as u64;
                }
            }
        }
        Ok(Incoming { path, file, examiner, at })
    }

    /// Throws away what is there of a file: it is not what it should be.
    ///
    /// # Errors
    /// When it can't be removed.
    pub fn remove(&self, name: &str) -> Result<(), StageError> {
        let path = self.gathering.join(name);
        fs::remove_file(&path).map_err(|error| StageError::Write(path, error))
    }

    fn path(&self, name: &str) -> Result<PathBuf, StageError> {
        let path = self.gathering.join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|error| StageError::Write(folder.to_owned(), error))?;
        }
        Ok(path)
    }

    /// Everything is there: the version gets its name, in one step. One that was there under it is replaced.
    ///
    /// # Errors
    /// When it can't be renamed.
    pub fn finish(&self) -> Result<PathBuf, StageError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |error| StageError::Write(path, error)
        };
        sync(&self.gathering).map_err(failed(&self.gathering))?;
        let old = self.target.with_file_name(format!(
            ".{}.old",
            self.target.file_name().unwrap_or_default().to_string_lossy()
        ));
        if self.target.exists() {
            fs::rename(&self.target, &old).map_err(failed(&self.target))?;
        }
        fs::rename(&self.gathering, &self.target).map_err(failed(&self.target))?;
        if let Some(parent) = self.target.parent() {
            sync(parent).map_err(failed(parent))?;
        }
        // It has no name any more; what can't be taken away is only room.
        let _ = fs::remove_dir_all(&old);
        Ok(self.target.clone())
    }
}

impl Incoming {
    /// The file's next bytes.
    ///
    /// # Errors
    /// When they can't be written.
    pub fn more(&mut self, bytes: &[u8]) -> Result<(), StageError> {
        self.file.write_all(bytes).map_err(|error| StageError::Write(self.path.clone(), error))?;
        self.examiner.update(bytes);
        self.at += bytes.len() as u64;
        Ok(())
    }

    /// The file is whole: it is on the disk, and this is what it is.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn finish(self) -> Result<Finding, StageError> {
        self.file.sync_data().map_err(|error| StageError::Write(self.path.clone(), error))?;
        Ok(self.examiner.finish())
    }
}

/// Makes names in a folder durable.
fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
