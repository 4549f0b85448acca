//! The journal: one redb file that holds nodes, leases and counters. A commit returns after the data is on
//! the disk, and a cut at any moment leaves the last commit.
//!
//! Beside it lies a mark, a line of text that says which journal this is and how often a disk's state has changed in it.
//! By that (and by a copy of it that may lie on another partition) a journal that was there and is gone, or is an old
//! copy, is told from a first day.

mod mark;
mod tables;

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    time::SystemTime,
};

use redb::{Database, ReadOnlyDatabase, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition};

use mark::Mark;
use rackberry_core::{
    appliance::{Change, Stored},
    dhcp,
    ids::{MachineId, Time},
    nodes::{Disk, StoredNode},
    orders::OrderId,
};
use tables::{Tables, put, read_all};

const NODES: TableDefinition<&[u8], &[u8]> = TableDefinition::new("nodes");
const LEASES: TableDefinition<&[u8], &[u8]> = TableDefinition::new("leases");
const COUNTERS: TableDefinition<&str, u64> = TableDefinition::new("counters");
const SHARED: TableDefinition<&str, ()> = TableDefinition::new("shared-identifiers");
const TEXTS: TableDefinition<&str, &str> = TableDefinition::new("texts");

/// The layout of the tables. A file of a later layout is refused, not guessed at; one of an earlier layout is read, and
/// written in this one from then on.
const FORMAT: u64 = 2;
const FILE: &str = "state.redb";
/// The counter of orders, by the name that it had in layout 1.
const ORDER: &str = "arming";

/// Why the journal can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Another service has it.
    #[error("the state in {0} is in use by another rackberry; stop that one, or give --state another folder")]
    InUse(PathBuf),
    /// The folder can't be made.
    #[error("can't make the state folder {0}")]
    Folder(PathBuf, #[source] io::Error),
    /// The file can't be opened.
    #[error("can't open the state in {0}")]
    Open(PathBuf, #[source] Box<redb::Error>),
    /// Reading or writing failed.
    #[error("can't keep the state in {0}")]
    Access(PathBuf, #[source] Box<redb::Error>),
    /// It was written by a later version.
    #[error(
        "the state in {0} is of layout {1}, this rackberry knows layouts up to {FORMAT}; run the later version again"
    )]
    Later(PathBuf, u64),
    /// A record can't be decoded.
    #[error("a record of table {1} in {0} can't be coded")]
    Record(PathBuf, &'static str, #[source] serde_json::Error),
    /// The library gave up on it.
    #[error("the state in {0} is damaged so much that reading it fails")]
    Panicked(PathBuf),
    /// A damaged file can't be moved out of the way.
    #[error("the damaged state {0} can't be set aside")]
    SetAside(PathBuf, #[source] io::Error),
}

/// The open journal.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    /// Closed after a failed write: redb wants the file opened anew then.
    database: Option<Database>,
    mark: Mark,
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
    /// Opens `FOLDER/state.redb`, making both where they are not there. A damaged file is set aside, with its date, and a
    /// new one made; one that can't be written is read. `elsewhere` is a copy of the mark on another partition, and `id`
    /// what a new journal is known by.
    ///
    /// # Errors
    /// When another service has it, a later version wrote it, or a damaged file can't be set aside.
    pub fn open(folder: &Path, elsewhere: Option<&Path>, id: u64) -> Result<Opened, JournalError> {
        let path = folder.join(FILE);
        let made = std::fs::create_dir_all(folder);
        let marks = [Some(folder.join(mark::FILE)), elsewhere.map(Path::to_owned)];
        let marks: Vec<Mark> = marks.iter().flatten().filter_map(|path| Mark::read(path)).collect();
        let was_there = std::fs::metadata(&path).is_ok_and(|meta| meta.len() > 0);
        let mut journal = Journal { folder: folder.to_owned(), database: None, mark: Mark::default() };
        if let Err(error) = made {
            return Ok(journal.unwritable(Stored::default(), &JournalError::Folder(folder.to_owned(), error)));
        }
        let (mut stored, damage) = match journal.load_or_make(id) {
            Ok(stored) => (stored, None),
            Err(error @ (JournalError::InUse(_) | JournalError::Later(..))) => return Err(error),
            Err(error) if is_read_only(&error, folder) => {
                let stored = journal.read_only()?;
                let loss = (!was_there && !marks.is_empty()).then(|| mark::GONE.to_owned());
                let stored = Stored { loss: stored.loss.clone().or(loss), ..stored };
                return Ok(journal.unwritable(stored, &error));
            }
            Err(error) => {
                let aside = set_aside(&path)?;
                let reason = format!("its state is damaged ({}) and is set aside as {aside}", chain(&error));
                journal.database = None;
                (journal.load_or_make(id)?, Some(reason))
            }
        };
        let lost = damage.or_else(|| journal.mark.missing(&marks, was_there));
        stored.loss = lost.or(stored.loss);
        journal.mark.write(folder);
        Ok(Opened { journal, stored, unwritable: None })
    }

    /// The journal of a folder, to be opened by the next commit: after the one that was open was lost.
    pub fn reopened(folder: &Path) -> Journal {
        let mark = Mark::read(&folder.join(mark::FILE)).unwrap_or_default();
        Journal { folder: folder.to_owned(), database: None, mark }
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn unwritable(self, stored: Stored, error: &JournalError) -> Opened {
        Opened { journal: self, stored, unwritable: Some(chain(error)) }
    }

    fn path(&self) -> PathBuf {
        self.folder.join(FILE)
    }

    fn load_or_make(&mut self, id: u64) -> Result<Stored, JournalError> {
        let path = self.path();
        let mut work = || {
            self.make(id)?;
            self.load()
        };
        // redb takes some damage for its own mistake.
        catch_unwind(AssertUnwindSafe(&mut work)).unwrap_or(Err(JournalError::Panicked(path)))
    }

    fn reopen(&mut self) -> Result<&Database, JournalError> {
        let path = self.path();
        let database = match self.database.take() {
            Some(database) => database,
            None => Database::create(&path).map_err(|error| match error {
                redb::DatabaseError::DatabaseAlreadyOpen => JournalError::InUse(path),
                other => JournalError::Open(path, Box::new(other.into())),
            })?,
        };
        Ok(self.database.insert(database))
    }

    /// Makes what a new file lacks, and looks whether this version can read it.
    fn make(&mut self, id: u64) -> Result<(), JournalError> {
        let path = self.path();
        let access = |error: redb::Error| JournalError::Access(path.clone(), Box::new(error));
        let database = self.reopen()?;
        let write = database.begin_write().map_err(|error| access(error.into()))?;
        let (id, changes) = {
            // Opening the tables makes them, so that reads never meet a missing one.
            write.open_table(NODES).map_err(|error| access(error.into()))?;
            write.open_table(LEASES).map_err(|error| access(error.into()))?;
            write.open_table(SHARED).map_err(|error| access(error.into()))?;
            write.open_table(TEXTS).map_err(|error| access(error.into()))?;
            let mut counters = write.open_table(COUNTERS).map_err(|error| access(error.into()))?;
            let mut counter = |name: &str, otherwise: u64, raise: bool| {
                let found = counters.get(name)?.map(|guard| guard.value());
                if found.is_none_or(|found| raise && found < otherwise) {
                    counters.insert(name, otherwise)?;
                }
                Ok::<u64, redb::StorageError>(found.unwrap_or(otherwise))
            };
            let format = counter("format", FORMAT, true).map_err(|error| access(error.into()))?;
            if format > FORMAT {
                return Err(JournalError::Later(path, format));
            }
            let id = counter("id", id, false).map_err(|error| access(error.into()))?;
            (id, counter("changes", 0, false).map_err(|error| access(error.into()))?)
        };
        write.commit().map_err(|error| access(error.into()))?;
        self.mark = Mark { id, changes };
        Ok(())
    }

    /// Everything that was committed.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn load(&mut self) -> Result<Stored, JournalError> {
        let path = self.path();
        let read = self.reopen()?.begin_read();
        read_all(&path, &read.map_err(|error| JournalError::Access(path.clone(), Box::new(error.into())))?)
    }

    /// What a file holds that can't be written.
    fn read_only(&self) -> Result<Stored, JournalError> {
        let path = self.path();
        let work = || match ReadOnlyDatabase::open(&path) {
            Ok(database) => match database.begin_read() {
                Ok(read) => read_all(&path, &read),
                Err(error) => Err(JournalError::Access(path.clone(), Box::new(error.into()))),
            },
            // It was never made.
            Err(redb::DatabaseError::Storage(redb::StorageError::Io(error)))
                if error.kind() == io::ErrorKind::NotFound =>
            {
                Ok(Stored::default())
            }
            Err(error) => Err(JournalError::Open(path.clone(), Box::new(error.into()))),
        };
        let read = catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(JournalError::Panicked(path.clone())));
        // Neither to be written nor to be read: what it held is lost for now, and nothing can be made in its place.
        Ok(read.unwrap_or_else(|error| Stored {
            loss: Some(format!("its state can't be read ({})", chain(&error))),
            ..Stored::default()
        }))
    }

    /// Writes the changes, all or none; when this returns well, they are on the disk.
    ///
    /// # Errors
    /// When they are not.
    pub fn commit(&mut self, changes: &[Change], now: Time) -> Result<(), JournalError> {
        let news = changes.iter().filter(|change| touches_a_disk(change)).count() as u64;
        let written = self.write(changes, news, now);
        if written.is_err() {
            self.database = None;
        } else if news > 0 {
            self.mark.changes += news;
            self.mark.write(&self.folder);
        }
        written
    }

    fn write(&mut self, changes: &[Change], news: u64, now: Time) -> Result<(), JournalError> {
        let path = self.path();
        let access = |error: redb::Error| JournalError::Access(path.clone(), Box::new(error));
        let count = self.mark.changes + news;
        let database = self.reopen()?;
        let write = database.begin_write().map_err(|error| access(error.into()))?;
        {
            let mut tables = Tables {
                nodes: write.open_table(NODES).map_err(|error| access(error.into()))?,
                leases: write.open_table(LEASES).map_err(|error| access(error.into()))?,
                counters: write.open_table(COUNTERS).map_err(|error| access(error.into()))?,
                shared: write.open_table(SHARED).map_err(|error| access(error.into()))?,
                texts: write.open_table(TEXTS).map_err(|error| access(error.into()))?,
            };
            for change in changes {
                put(&path, change, &mut tables)?;
            }
            tables.counters.insert("time", now.0).map_err(|error| access(error.into()))?;
            if news > 0 {
                tables.counters.insert("changes", count).map_err(|error| access(error.into()))?;
            }
        }
        write.commit().map_err(|error| access(error.into()))
    }
}

/// Whether a change tells something of what is on a machine's disk.
fn touches_a_disk(change: &Change) -> bool {
    match change {
        Change::Node(node) => *node.disk() != Disk::Untouched,
        Change::NoNode(_) | Change::Loss(_) => true,
        Change::Lease(_) | Change::Shared(_) | Change::Order(_) => false,
    }
}

/// Whether an error says that nothing can be written there, rather than that what is there is damaged.
fn is_read_only(error: &JournalError, folder: &Path) -> bool {
    let (JournalError::Open(_, source) | JournalError::Access(_, source)) = error else { return false };
    let by_kind = matches!(
        source.as_ref(),
        redb::Error::Io(error) if matches!(
            error.kind(),
            io::ErrorKind::ReadOnlyFilesystem
                | io::ErrorKind::PermissionDenied
                | io::ErrorKind::StorageFull
                | io::ErrorKind::QuotaExceeded
        )
    );
    // What a write fails of is told by the kernel only once; later the library says something of its own.
    by_kind || tempt(folder).is_err()
}

/// Tries whether a file can be made in a folder.
fn tempt(folder: &Path) -> io::Result<()> {
    let path = folder.join(".writable");
    std::fs::write(&path, "?")?;
    std::fs::remove_file(path)
}

/// Moves a damaged file out of the way; nobody ever deletes it. Returns its new name.
fn set_aside(path: &Path) -> Result<String, JournalError> {
    #[allow(clippy::disallowed_methods)] // For people, in a file's name.
    let date = httpdate::fmt_http_date(SystemTime::now());
    let words: Vec<&str> = date.split([' ', ',']).filter(|word| !word.is_empty()).collect();
    let date = match words.as_slice() {
        [_, day, month, year, time, ..] => format!("{year}-{month}-{day}-{}", time.replace(':', "")),
        _ => "undated".into(),
    };
    let names = (0..100).map(|number| match number {
        0 => format!("{FILE}.damaged-{date}"),
        number => format!("{FILE}.damaged-{date}-{number}"),
    });
    for name in names {
        let aside = path.with_file_name(&name);
        if !aside.exists() {
            std::fs::rename(path, &aside).map_err(|error| JournalError::SetAside(path.to_owned(), error))?;
            return Ok(name);
        }
    }
    Err(JournalError::SetAside(path.to_owned(), io::ErrorKind::AlreadyExists.into()))
}

fn chain(error: &JournalError) -> String {
    let causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests;
