//! What the journal asks of a file system. Tests have one that loses its power.

use std::{
    fmt,
    fs::{self, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

/// What file systems write as a whole, in bytes.
const BLOCK: u64 = 4096;

/// A folder with files.
pub trait StateFolder: fmt::Debug + Clone + Send + 'static {
    /// An open file.
    type File: Store;
    /// Where it is.
    fn path(&self) -> &Path;
    /// Opens a file to read and write it.
    fn open(&self, name: &str) -> io::Result<Self::File>;
    /// Makes a file, or empties it.
    fn create(&self, name: &str) -> io::Result<Self::File>;
    /// What a file holds.
    fn read(&self, name: &str) -> io::Result<Vec<u8>>;
    /// Gives a file another name, in the place of whatever has that.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Returns when the names are on the disk.
    fn sync(&self) -> io::Result<()>;
}

/// An open file.
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// Its first bytes, so many.
    fn read(&self, len: u64) -> io::Result<Vec<u8>>;
    /// Writes all bytes at a place.
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()>;
    /// Returns when what was written is on the disk.
    fn sync(&self) -> io::Result<()>;
}

/// A folder of the system's, which is this service's alone.
#[derive(Debug, Clone)]
pub struct DiskFolder {
    path: PathBuf,
    /// Locked, until the last copy of it is closed.
    folder: Arc<File>,
}

impl DiskFolder {
    /// Opens and locks a folder; none if another service has it.
    ///
    /// # Errors
    /// The system's, when it can't be opened.
    pub fn lock(path: &Path) -> io::Result<Option<DiskFolder>> {
        let folder = File::open(path)?;
        match folder.try_lock() {
            Err(TryLockError::WouldBlock) => Ok(None),
            // Some network file systems have no locks: they have to do without.
            Ok(()) | Err(TryLockError::Error(_)) => {
                Ok(Some(DiskFolder { path: path.to_owned(), folder: Arc::new(folder) }))
            }
        }
    }
}

impl StateFolder for DiskFolder {
    type File = File;

    fn path(&self) -> &Path {
        &self.path
    }

    fn open(&self, name: &str) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).open(self.path.join(name))
    }

    fn create(&self, name: &str) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).create(true).truncate(true).open(self.path.join(name))
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        fs::read(self.path.join(name))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path.join(from), self.path.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }

    fn sync(&self) -> io::Result<()> {
        self.folder.sync_all()
    }
}

impl Store for File {
    fn read(&self, len: u64) -> io::Result<Vec<u8>> {
        let len = usize::try_from(len).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let mut bytes = vec![0; len];
        self.read_exact_at(&mut bytes, 0)?;
        Ok(bytes)
    }

    /// Block by block: what is written at once lies at once in the kernel's memory, and some file systems write all of it
    /// again when a byte of it changes.
    fn write_at(&self, mut bytes: &[u8], mut at: u64) -> io::Result<()> {
        while !bytes.is_empty() {
            let room = usize::try_from(BLOCK - at % BLOCK).unwrap_or(bytes.len());
            let (piece, rest) = bytes.split_at(room.min(bytes.len()));
            self.write_all_at(piece, at)?;
            (bytes, at) = (rest, at + piece.len() as u64);
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}
