//! What lies in which table, and how it is written there.

use super::*;

pub(super) fn read_all(path: &Path, read: &ReadTransaction) -> Result<Stored, JournalError> {
    let access = |error: redb::Error| JournalError::Access(path.to_owned(), Box::new(error));
    let mut stored = Stored::default();
    let nodes = read.open_table(NODES).map_err(|error| access(error.into()))?;
    for entry in nodes.iter().map_err(|error| access(error.into()))? {
        let (_, value) = entry.map_err(|error| access(error.into()))?;
        stored.nodes.push(decode::<StoredNode>(path, "nodes", value.value())?.into());
    }
    let leases = read.open_table(LEASES).map_err(|error| access(error.into()))?;
    for entry in leases.iter().map_err(|error| access(error.into()))? {
        let (_, value) = entry.map_err(|error| access(error.into()))?;
        stored.leases.push(decode(path, "leases", value.value())?);
    }
    let counters = read.open_table(COUNTERS).map_err(|error| access(error.into()))?;
    let counter = |name: &str| counters.get(name).map(|found| found.map_or(0, |guard| guard.value()));
    stored.order = OrderId(counter(ORDER).map_err(|error| access(error.into()))?);
    stored.time = Time(counter("time").map_err(|error| access(error.into()))?);
    // A file of layout 1 that can't be written has no such tables.
    if let Ok(shared) = read.open_table(SHARED) {
        for entry in shared.iter().map_err(|error| access(error.into()))? {
            let (machine, _) = entry.map_err(|error| access(error.into()))?;
            stored.shared.extend(machine.value().parse::<MachineId>().ok());
        }
    }
    if let Ok(texts) = read.open_table(TEXTS) {
        let loss = texts.get("loss").map_err(|error| access(error.into()))?;
        stored.loss = loss.map(|text| text.value().to_owned());
    }
    Ok(stored)
}

pub(super) struct Tables<'t> {
    pub nodes: redb::Table<'t, &'static [u8], &'static [u8]>,
    pub leases: redb::Table<'t, &'static [u8], &'static [u8]>,
    pub counters: redb::Table<'t, &'static str, u64>,
    pub shared: redb::Table<'t, &'static str, ()>,
    pub texts: redb::Table<'t, &'static str, &'static str>,
}

pub(super) fn put(path: &Path, change: &Change, tables: &mut Tables<'_>) -> Result<(), JournalError> {
    let done = match change {
        Change::Node(node) => {
            let record = encode(path, "nodes", node)?;
            tables.nodes.insert(node.mac.0.as_slice(), record.as_slice()).map(drop)
        }
        Change::NoNode(mac) => tables.nodes.remove(mac.0.as_slice()).map(drop),
        Change::Lease(dhcp::LeaseChange::Put(lease)) => {
            let record = encode(path, "leases", lease)?;
            tables.leases.insert(lease.mac.0.as_slice(), record.as_slice()).map(drop)
        }
        Change::Lease(dhcp::LeaseChange::Drop(mac)) => tables.leases.remove(mac.0.as_slice()).map(drop),
        Change::Order(number) => tables.counters.insert(ORDER, number.0).map(drop),
        Change::Shared(machine) => tables.shared.insert(machine.to_string().as_str(), ()).map(drop),
        Change::Loss(Some(loss)) => tables.texts.insert("loss", loss.as_str()).map(drop),
        Change::Loss(None) => tables.texts.remove("loss").map(drop),
    };
    done.map_err(|error| JournalError::Access(path.to_owned(), Box::new(error.into())))
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
