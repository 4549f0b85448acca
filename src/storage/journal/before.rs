//! The file of layouts 1 and 2, `state.redb`. It is read, and left as it is: the version before finds it there when somebody
//! goes back to that, and what that one writes into it is read again when this one comes back.

use std::{
    fmt,
    fs::{self, File, TryLockError},
    io,
    num::ParseIntError,
    os::unix::fs::MetadataExt as _,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    str::FromStr,
};

use redb::{
    Database, ReadTransaction, ReadableDatabase as _, ReadableTable as _, StorageBackend as _,
    TableDefinition, backends::InMemoryBackend,
};

use rackberry_core::{
    appliance::Stored,
    ids::{MachineId, Time},
    nodes::StoredNode,
    orders::OrderId,
};

/// Its name.
pub const FILE: &str = "state.redb";

const NODES: TableDefinition<&[u8], &[u8]> = TableDefinition::new("nodes");
const LEASES: TableDefinition<&[u8], &[u8]> = TableDefinition::new("leases");
const COUNTERS: TableDefinition<&str, u64> = TableDefinition::new("counters");
const SHARED: TableDefinition<&str, ()> = TableDefinition::new("shared-identifiers");
const TEXTS: TableDefinition<&str, &str> = TableDefinition::new("texts");
/// The last layout that was written so.
const LAYOUT: u64 = 2;

/// Why such a file can't be read.
#[derive(Debug, thiserror::Error)]
pub enum BeforeError {
    /// The system's reason.
    #[error("can't read {0}")]
    Read(PathBuf, #[source] io::Error),
    /// A version before this one has it.
    #[error("{0} is in use")]
    InUse(PathBuf),
    /// The library can't read it.
    #[error("can't open {0}")]
    Open(PathBuf, #[source] Box<redb::Error>),
    /// The library gave up on it.
    #[error("{0} is damaged so much that reading it fails")]
    Panicked(PathBuf),
    /// It is of a layout that never was in such a file.
    #[error("{0} is of layout {1}")]
    Later(PathBuf, u64),
    /// A record can't be decoded.
    #[error("a record of table {1} in {0} can't be read")]
    Record(PathBuf, &'static str, #[source] serde_json::Error),
}

/// By what a file is known as one that was read already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateStamp {
    len: u64,
    /// When it was written last, in nanoseconds.
    modified: i128,
    /// The last moment in it, and its count of changes: a copy of the folder may have lost the time above.
    time: u64,
    changes: u64,
}

/// What such a file holds.
#[derive(Debug)]
pub struct Before {
    /// The state.
    pub stored: Stored,
    /// Which journal, and how often what it knows of disks had changed.
    pub id: Option<u64>,
    /// See there.
    pub changes: u64,
    /// What it is known by.
    pub stamp: StateStamp,
}

impl StateStamp {
    /// Whether the file at `path` looks as it did then.
    pub fn is_as_it_was(self, path: &Path) -> bool {
        fs::metadata(path).is_ok_and(|meta| (meta.len(), modified(&meta)) == (self.len, self.modified))
    }

    /// Whether this is the same content.
    pub fn is_same(self, other: StateStamp) -> bool {
        (self.time, self.changes) == (other.time, other.changes)
    }
}

impl fmt::Display for StateStamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{},{},{}", self.len, self.modified, self.time, self.changes)
    }
}

impl FromStr for StateStamp {
    type Err = Option<ParseIntError>;

    fn from_str(text: &str) -> Result<StateStamp, Self::Err> {
        let words: Vec<&str> = text.split(',').collect();
        let [len, modified, time, changes] = words.as_slice() else { return Err(None) };
        Ok(StateStamp {
            len: len.parse()?,
            modified: modified.parse()?,
            time: time.parse()?,
            changes: changes.parse()?,
        })
    }
}

/// Whether there is such a file.
pub fn is_there(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.len() > 0)
}

/// Reads such a file. It is repaired in memory, if it has to be, and never written.
///
/// # Errors
/// When that fails.
pub fn read(path: &Path) -> Result<Before, BeforeError> {
    let failed = |error| BeforeError::Read(path.to_owned(), error);
    let file = File::open(path).map_err(failed)?;
    // The version before locks it while it runs.
    if let Err(TryLockError::WouldBlock) = file.try_lock_shared() {
        return Err(BeforeError::InUse(path.to_owned()));
    }
    let meta = file.metadata().map_err(failed)?;
    let bytes = fs::read(path).map_err(failed)?;
    // The library takes some damage for its own mistake.
    let work = AssertUnwindSafe(|| parse(path, &bytes));
    let (stored, id, changes) =
        catch_unwind(work).unwrap_or_else(|_| Err(BeforeError::Panicked(path.to_owned())))?;
    let stamp = StateStamp { len: meta.len(), modified: modified(&meta), time: stored.time.0, changes };
    Ok(Before { stored, id, changes, stamp })
}

fn modified(meta: &fs::Metadata) -> i128 {
    i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec())
}

fn parse(path: &Path, bytes: &[u8]) -> Result<(Stored, Option<u64>, u64), BeforeError> {
    let failed = |error: redb::Error| BeforeError::Open(path.to_owned(), Box::new(error));
    let memory = InMemoryBackend::new();
    let filled = memory.set_len(bytes.len() as u64).and_then(|()| memory.write(0, bytes));
    filled.map_err(|error| failed(redb::Error::Io(error)))?;
    let database = Database::builder().create_with_backend(memory).map_err(|error| failed(error.into()))?;
    let read = database.begin_read().map_err(|error| failed(error.into()))?;
    read_all(path, &read)
}

fn read_all(path: &Path, read: &ReadTransaction) -> Result<(Stored, Option<u64>, u64), BeforeError> {
    let failed = |error: redb::Error| BeforeError::Open(path.to_owned(), Box::new(error));
    let counters = read.open_table(COUNTERS).map_err(|error| failed(error.into()))?;
    let counter = |name: &str| match counters.get(name) {
        Ok(found) => Ok(found.map(|guard| guard.value())),
        Err(error) => Err(failed(error.into())),
    };
    let layout = counter("format")?.unwrap_or(1);
    if layout > LAYOUT {
        return Err(BeforeError::Later(path.to_owned(), layout));
    }
    let mut stored = Stored {
        // By the name that it had in layout 1.
        order: OrderId(counter("arming")?.unwrap_or(0)),
        time: Time(counter("time")?.unwrap_or(0)),
        ..Stored::default()
    };
    let nodes = read.open_table(NODES).map_err(|error| failed(error.into()))?;
    for entry in nodes.iter().map_err(|error| failed(error.into()))? {
        let (_, value) = entry.map_err(|error| failed(error.into()))?;
        stored.nodes.push(decode::<StoredNode>(path, "nodes", value.value())?.into());
    }
    let leases = read.open_table(LEASES).map_err(|error| failed(error.into()))?;
    for entry in leases.iter().map_err(|error| failed(error.into()))? {
        let (_, value) = entry.map_err(|error| failed(error.into()))?;
        stored.leases.push(decode(path, "leases", value.value())?);
    }
    // A file of layout 1 has no such tables.
    if let Ok(shared) = read.open_table(SHARED) {
        for entry in shared.iter().map_err(|error| failed(error.into()))? {
            let (machine, _) = entry.map_err(|error| failed(error.into()))?;
            stored.shared.extend(machine.value().parse::<MachineId>().ok());
        }
    }
    if let Ok(texts) = read.open_table(TEXTS) {
        let loss = texts.get("loss").map_err(|error| failed(error.into()))?;
        stored.loss = loss.map(|text| text.value().to_owned());
    }
    Ok((stored, counter("id")?, counter("changes")?.unwrap_or(0)))
}

fn decode<T: serde::de::DeserializeOwned>(
    path: &Path,
    table: &'static str,
    bytes: &[u8],
) -> Result<T, BeforeError> {
    serde_json::from_slice(bytes).map_err(|error| BeforeError::Record(path.to_owned(), table, error))
}
