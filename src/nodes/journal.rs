//! The journal: one redb file that holds nodes, leases and counters. A commit returns after the data is on
//! the disk, and a cut at any moment leaves the last commit.

use std::path::{Path, PathBuf};

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};

use crate::{
    appliance::{Change, Stored},
    dhcp,
    ids::Time,
};

const NODES: TableDefinition<&[u8], &[u8]> = TableDefinition::new("nodes");
const LEASES: TableDefinition<&[u8], &[u8]> = TableDefinition::new("leases");
const COUNTERS: TableDefinition<&str, u64> = TableDefinition::new("counters");

/// The layout of the tables. A file of a later layout is refused, not guessed at.
const FORMAT: u64 = 1;

/// Why the journal can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Another service has it.
    #[error("the state in {0} is in use by another rackberry; stop that one, or give --state another folder")]
    InUse(PathBuf),
    /// The folder can't be made.
    #[error("can't make the state folder {0}")]
    Folder(PathBuf, #[source] std::io::Error),
    /// The file can't be opened.
    #[error("can't open the state in {0}")]
    Open(PathBuf, #[source] redb::Error),
    /// Reading or writing failed.
    #[error("can't keep the state in {0}")]
    Access(PathBuf, #[source] redb::Error),
    /// It was written by a later version.
    #[error(
        "the state in {0} is of layout {1}, this rackberry knows layouts up to {FORMAT}; run the later version again"
    )]
    Later(PathBuf, u64),
    /// A record can't be decoded.
    #[error("a record of table {1} in {0} can't be coded")]
    Record(PathBuf, &'static str, #[source] serde_json::Error),
}

/// The open journal.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    /// Closed after a failed write: redb wants the file opened anew then.
    database: Option<Database>,
}

impl Journal {
    /// Opens `FOLDER/state.redb`, making both where they are not there.
    pub fn open(folder: &Path) -> Result<Journal, JournalError> {
        std::fs::create_dir_all(folder).map_err(|error| JournalError::Folder(folder.to_owned(), error))?;
        let mut journal = Journal { path: folder.join("state.redb"), database: None };
        journal.reopen()?;
        journal.check_format()?;
        Ok(journal)
    }

    fn reopen(&mut self) -> Result<&Database, JournalError> {
        let database = match self.database.take() {
            Some(database) => database,
            None => Database::create(&self.path).map_err(|error| match error {
                redb::DatabaseError::DatabaseAlreadyOpen => JournalError::InUse(self.path.clone()),
                other => JournalError::Open(self.path.clone(), other.into()),
            })?,
        };
        Ok(self.database.insert(database))
    }

    fn check_format(&mut self) -> Result<(), JournalError> {
        let path = self.path.clone();
        let access = |error: redb::Error| JournalError::Access(path.clone(), error);
        let database = self.reopen()?;
        let write = database.begin_write().map_err(|error| access(error.into()))?;
        let found = {
            // Opening the tables makes them, so that reads never meet a missing one.
            write.open_table(NODES).map_err(|error| access(error.into()))?;
            write.open_table(LEASES).map_err(|error| access(error.into()))?;
            let mut counters = write.open_table(COUNTERS).map_err(|error| access(error.into()))?;
            let found =
                counters.get("format").map_err(|error| access(error.into()))?.map(|guard| guard.value());
            if found.is_none() {
                counters.insert("format", FORMAT).map_err(|error| access(error.into()))?;
            }
            found
        };
        if let Some(later) = found.filter(|format| *format > FORMAT) {
            return Err(JournalError::Later(path, later));
        }
        write.commit().map_err(|error| access(error.into()))
    }

    /// Everything that was committed.
    pub fn load(&mut self) -> Result<Stored, JournalError> {
        let path = self.path.clone();
        let access = |error: redb::Error| JournalError::Access(path.clone(), error);
        let database = self.reopen()?;
        let read = database.begin_read().map_err(|error| access(error.into()))?;
        let mut stored = Stored::default();
        let nodes = read.open_table(NODES).map_err(|error| access(error.into()))?;
        for entry in nodes.iter().map_err(|error| access(error.into()))? {
            let (_, value) = entry.map_err(|error| access(error.into()))?;
            stored.nodes.push(decode(&path, "nodes", value.value())?);
        }
        let leases = read.open_table(LEASES).map_err(|error| access(error.into()))?;
        for entry in leases.iter().map_err(|error| access(error.into()))? {
            let (_, value) = entry.map_err(|error| access(error.into()))?;
            stored.leases.push(decode(&path, "leases", value.value())?);
        }
        let counters = read.open_table(COUNTERS).map_err(|error| access(error.into()))?;
        let counter = |name: &str| counters.get(name).map(|found| found.map_or(0, |guard| guard.value()));
        stored.arming = counter("arming").map_err(|error| access(error.into()))?;
        stored.time = Time(counter("time").map_err(|error| access(error.into()))?);
        Ok(stored)
    }

    /// Writes the changes, all or none; when this returns well, they are on the disk.
    pub fn commit(&mut self, changes: &[Change], now: Time) -> Result<(), JournalError> {
        let written = self.write(changes, now);
        if written.is_err() {
            self.database = None;
        }
        written
    }

    fn write(&mut self, changes: &[Change], now: Time) -> Result<(), JournalError> {
        let path = self.path.clone();
        let access = |error: redb::Error| JournalError::Access(path.clone(), error);
        let database = self.reopen()?;
        let write = database.begin_write().map_err(|error| access(error.into()))?;
        {
            let mut nodes = write.open_table(NODES).map_err(|error| access(error.into()))?;
            let mut leases = write.open_table(LEASES).map_err(|error| access(error.into()))?;
            let mut counters = write.open_table(COUNTERS).map_err(|error| access(error.into()))?;
            for change in changes {
                put(&path, change, &mut nodes, &mut leases, &mut counters)?;
            }
            counters.insert("time", now.0).map_err(|error| access(error.into()))?;
        }
        write.commit().map_err(|error| access(error.into()))
    }
}

type Records<'t> = redb::Table<'t, &'static [u8], &'static [u8]>;

fn put(
    path: &Path,
    change: &Change,
    nodes: &mut Records<'_>,
    leases: &mut Records<'_>,
    counters: &mut redb::Table<'_, &'static str, u64>,
) -> Result<(), JournalError> {
    let done = match change {
        Change::Node(node) => {
            nodes.insert(node.mac.0.as_slice(), encode(path, "nodes", node)?.as_slice()).map(drop)
        }
        Change::NoNode(mac) => nodes.remove(mac.0.as_slice()).map(drop),
        Change::Lease(dhcp::LeaseChange::Put(lease)) => {
            leases.insert(lease.mac.0.as_slice(), encode(path, "leases", lease)?.as_slice()).map(drop)
        }
        Change::Lease(dhcp::LeaseChange::Drop(mac)) => leases.remove(mac.0.as_slice()).map(drop),
        Change::Arming(number) => counters.insert("arming", number).map(drop),
    };
    done.map_err(|error| JournalError::Access(path.to_owned(), error.into()))
}

/// Records are JSON: the state is small, and a person can read it when something went wrong.
fn encode<T: serde::Serialize>(
    path: &Path,
    table: &'static str,
    record: &T,
) -> Result<Vec<u8>, JournalError> {
    serde_json::to_vec(record).map_err(|error| JournalError::Record(path.to_owned(), table, error))
}

fn decode<T: serde::de::DeserializeOwned>(
    path: &Path,
    table: &'static str,
    bytes: &[u8],
) -> Result<T, JournalError> {
    serde_json::from_slice(bytes).map_err(|error| JournalError::Record(path.to_owned(), table, error))
}
