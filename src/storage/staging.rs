//! A version on its way into an asset folder.
//!
//! Its files gather in `PROFILE/.VERSION.part/`, which no scan looks into, and the folder gets its name when all of
//! them are there and authentic: nobody ever sees half a version. What an interrupted run left is used by the next.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
};

use rackberry_core::assets::{authentic::Finding, examine::Examiner};

/// What is read at once.
const PIECE: usize = 1 << 20;

/// Why a version can't be brought in.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "fields are what the message names")]
pub enum StagingError {
    /// The folder can't be written.
    #[error("can't write {path}", path = .0.display())]
    Write(PathBuf, #[source] io::Error),
    /// A file can't be read.
    #[error("can't read {path}", path = .0.display())]
    Read(PathBuf, #[source] io::Error),
    /// Not enough room.
    #[error("{folder} has room for {free} bytes, and {needed} are needed; make room, or choose another folder with --to", folder = folder.display())]
    Full { folder: PathBuf, free: u64, needed: u64 },
}

/// The folder where a version gathers.
#[derive(Debug)]
pub struct Staging {
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

impl Staging {
    /// The stage of `profile` `version` in an asset folder; what an earlier run left is there.
    ///
    /// # Errors
    /// When the folder can't be made.
    pub fn open(dir: &Path, profile: &str, version: &str) -> Result<Staging, StagingError> {
        let folder = dir.join(profile);
        let gathering = folder.join(format!(".{version}.part"));
        fs::create_dir_all(&gathering).map_err(|error| StagingError::Write(gathering.clone(), error))?;
        Ok(Staging { gathering, target: folder.join(version) })
    }

    /// Bytes that are there already of a file.
    pub fn has(&self, name: &str) -> u64 {
        fs::metadata(self.gathering.join(name)).map_or(0, |meta| meta.len())
    }

    /// Fails where these many bytes don't fit.
    ///
    /// # Errors
    /// [`StagingError::Full`], or when nobody can tell.
    pub fn need_room(&self, needed: u64) -> Result<(), StagingError> {
        let room = rustix::fs::statvfs(&self.gathering)
            .map_err(|error| StagingError::Read(self.gathering.clone(), error.into()))?;
        let free = room.f_bavail.saturating_mul(room.f_frsize);
        // File systems take a little for themselves.
        if free < needed.saturating_add(needed / 64) {
            return Err(StagingError::Full { folder: self.gathering.clone(), free, needed });
        }
        Ok(())
    }

    /// Begins a file whose bytes are all at hand, those of an earlier run too: what that left is kept as far as it is
    /// the same.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn comparing(&self, name: &str) -> Result<Comparing, StagingError> {
        let path = self.path(name)?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|error| StagingError::Write(path.clone(), error))?;
        Ok(Comparing { path, file, at: 0, is_same: true, there: Vec::new() })
    }

    /// Takes a file of the version that this one will replace.
    ///
    /// # Errors
    /// When it can't be moved.
    pub fn take_over(&self, name: &str, from: &Path) -> Result<(), StagingError> {
        let path = self.path(name)?;
        if path.exists() {
            return Ok(());
        }
        fs::rename(from, &path).map_err(|error| StagingError::Write(path, error))
    }

    /// Keeps a small file.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn put(&self, name: &str, bytes: &[u8]) -> Result<(), StagingError> {
        let path = self.path(name)?;
        fs::write(&path, bytes).map_err(|error| StagingError::Write(path, error))
    }

    /// Goes on with what an earlier run left of a file only if that came from the same place: `origin` names the file
    /// there and its state. For files that no signature vouches for: of others, a mixture would be noticed.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn continue_from(&self, name: &str, origin: &str) -> Result<(), StagingError> {
        let path = self.path(name)?;
        let note = self.origins().join(name.replace('/', " "));
        if fs::read_to_string(&note).is_ok_and(|known| known == origin) {
            return Ok(());
        }
        if path.exists() {
            self.remove(name)?;
        }
        fs::create_dir_all(self.origins())
            .and_then(|()| fs::write(&note, origin))
            .map_err(|error| StagingError::Write(note, error))
    }

    /// Where is kept what the files came from.
    fn origins(&self) -> PathBuf {
        self.gathering.with_extension("from")
    }

    /// Goes on with a file, whose bytes `examiner` looks at, those of an earlier run first.
    ///
    /// # Errors
    /// When it can't be read or written.
    pub fn incoming(&self, name: &str, mut examiner: Examiner) -> Result<Incoming, StagingError> {
        let path = self.path(name)?;
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(&path)
            .map_err(|error| StagingError::Write(path.clone(), error))?;
        let (mut piece, mut at) = (vec![0; PIECE], 0);
        loop {
            match file.read(&mut piece).map_err(|error| StagingError::Read(path.clone(), error))? {
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
    pub fn remove(&self, name: &str) -> Result<(), StagingError> {
        let path = self.gathering.join(name);
        fs::remove_file(&path).map_err(|error| StagingError::Write(path, error))
    }

    fn path(&self, name: &str) -> Result<PathBuf, StagingError> {
        let path = self.gathering.join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|error| StagingError::Write(folder.to_owned(), error))?;
        }
        Ok(path)
    }

    /// Everything is there: the version gets its name, in one step. One that was there under it is replaced.
    ///
    /// # Errors
    /// When it can't be renamed.
    pub fn finish(&self) -> Result<PathBuf, StagingError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |error| StagingError::Write(path, error)
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
        // These have no meaning any more; what can't be taken away is only room.
        let _ = fs::remove_dir_all(&old);
        let _ = fs::remove_dir_all(self.origins());
        Ok(self.target.clone())
    }
}

/// A file that is written anew where it is another one than what is there.
#[derive(Debug)]
pub struct Comparing {
    path: PathBuf,
    file: File,
    at: u64,
    is_same: bool,
    there: Vec<u8>,
}

impl Comparing {
    /// The file's next bytes.
    ///
    /// # Errors
    /// When they can't be written.
    pub fn more(&mut self, bytes: &[u8]) -> Result<(), StagingError> {
        let done = self.compare(bytes).and_then(|differs| match differs {
            true => self.file.write_all(bytes),
            false => Ok(()),
        });
        done.map_err(|error| StagingError::Write(self.path.clone(), error))?;
        self.at += bytes.len() as u64;
        Ok(())
    }

    /// Whether these bytes must be written: from the first ones on that differ, nothing of what was there counts.
    fn compare(&mut self, bytes: &[u8]) -> io::Result<bool> {
        if !self.is_same {
            return Ok(true);
        }
        self.there.resize(bytes.len(), 0);
        self.is_same = match self.file.read_exact(&mut self.there) {
            Ok(()) => self.there == bytes,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => false,
            Err(error) => return Err(error),
        };
        if !self.is_same {
            self.file.set_len(self.at)?;
            self.file.seek(io::SeekFrom::Start(self.at))?;
        }
        Ok(!self.is_same)
    }

    /// The file is whole, and on the disk.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn finish(self) -> Result<(), StagingError> {
        let done = self.file.set_len(self.at).and_then(|()| self.file.sync_data());
        done.map_err(|error| StagingError::Write(self.path, error))
    }
}

impl Incoming {
    /// The file's next bytes.
    ///
    /// # Errors
    /// When they can't be written.
    pub fn more(&mut self, bytes: &[u8]) -> Result<(), StagingError> {
        self.file.write_all(bytes).map_err(|error| StagingError::Write(self.path.clone(), error))?;
        self.examiner.update(bytes);
        self.at += bytes.len() as u64;
        Ok(())
    }

    /// The file is whole: it is on the disk, and this is what it is.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn finish(self) -> Result<Finding, StagingError> {
        self.file.sync_data().map_err(|error| StagingError::Write(self.path.clone(), error))?;
        Ok(self.examiner.finish())
    }
}

/// Makes names in a folder durable.
fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_from_elsewhere_is_not_gone_on_with() {
        let dir = tempfile::tempdir().unwrap();
        let stage = Staging::open(dir.path(), "raw", "1").unwrap();
        let part = dir.path().join("raw/.1.part/arm64/disk.img");
        let left = |origin: &str| {
            stage.continue_from("arm64/disk.img", origin).unwrap();
            part.exists()
        };
        assert!(!left("http://a/disk.img 10 \"one\""));
        fs::write(&part, "half").unwrap();
        assert!(left("http://a/disk.img 10 \"one\""), "the same");
        assert!(!left("http://a/disk.img 10 \"two\""), "built anew meanwhile");
        fs::write(&part, "half").unwrap();
        assert!(left("http://a/disk.img 10 \"two\""));
        fs::remove_dir_all(dir.path().join("raw/.1.from")).unwrap();
        assert!(!left("http://a/disk.img 10 \"two\""), "nobody knows from where");
        fs::write(&part, "whole").unwrap();
        stage.finish().unwrap();
        let names: Vec<_> =
            fs::read_dir(dir.path().join("raw")).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["1"]);
    }
}
