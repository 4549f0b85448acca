//! What versions before have written.

use redb::{Database, ReadableDatabase as _, TableDefinition};

use super::{
    super::before::{self, FILE as BEFORE},
    *,
};
use rackberry_core::ids::Stage;

const COUNTERS: TableDefinition<&str, u64> = TableDefinition::new("counters");

/// Made by the service of 2026-11-27, killed while a machine installed: one that is installed, one that takes its image,
/// one that gave up, one that had its grant.
const FIRST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/state-layout-1.redb");
/// The same, written in layout 2 by the service of 2026-12-01.
const SECOND: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/state-layout-2.redb");

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn check(stored: Stored, run: &str) -> Vec<Node> {
    assert_eq!(stored.leases.len(), 5, "{run}");
    let mut nodes = stored.nodes;
    nodes.sort_by_key(|node| node.mac);
    let [one, two, three, four] = nodes.as_slice() else { panic!("{run}: {nodes:?}") };
    let system = |node: &Node| node.disk().system().map(|it| (it.profile.clone(), it.version.clone()));
    assert_eq!(system(one), Some(("coreos".into(), "1010.5.0".into())), "{run}");
    assert_eq!((one.stage(), one.writes, one.disk().is_ours()), (Stage::Installed, 1, true), "{run}");
    assert_eq!((two.stage(), two.writes, two.disk().is_ours()), (Stage::Installing, 1, true), "{run}");
    let reason = three.failure().map(|failure| (failure.stage, failure.reason.as_str()));
    assert_eq!(reason, Some((Stage::Installing, "bad signature")), "{run}");
    assert_eq!((four.stage(), four.writes, four.disk().is_ours()), (Stage::Discovered, 0, false), "{run}");
    assert!(four.unused_grant().is_some(), "{run}");
    nodes
}

#[test]
fn a_journal_of_an_earlier_layout_opens_and_means_the_same() {
    for file in [FIRST, SECOND] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::copy(file, folder.path().join(BEFORE)).unwrap();
        for run in ["converted", "as it is kept now", "once more"] {
            let Opened { mut journal, stored, unwritable } = open(folder.path());
            assert_eq!((&stored.loss, &unwritable), (&None, &None), "{run}");
            let nodes = check(stored, run);
            let changes: Vec<Change> = nodes.into_iter().map(|node| Change::Node(Box::new(node))).collect();
            journal.commit(&changes, Time(5)).unwrap();
        }
        assert_eq!(names(folder.path()), ["journal.mark", "state.log", "state.redb"]);
        // The version before finds what it left.
        assert_eq!(std::fs::read(file).unwrap(), std::fs::read(folder.path().join(BEFORE)).unwrap());
    }
}

/// As the version before wrote it.
fn redb(path: &Path, counters: &[(&str, u64)]) {
    let database = Database::create(path).unwrap();
    let write = database.begin_write().unwrap();
    for (name, value) in counters {
        write.open_table(COUNTERS).unwrap().insert(name, value).unwrap();
    }
    for table in ["nodes", "leases"] {
        write.open_table(TableDefinition::<&[u8], &[u8]>::new(table)).unwrap();
    }
    write.commit().unwrap();
}

#[test]
fn what_the_version_before_wrote_meanwhile_counts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(BEFORE);
    redb(&path, &[("format", 2), ("id", 70), ("changes", 3), ("arming", 5), ("time", 100)]);
    let mut journal = open(folder.path()).journal;
    journal.commit(&[Change::Order(OrderId(6))], Time(200)).unwrap();
    drop(journal);
    assert_eq!(Mark::parse(&std::fs::read(folder.path().join(mark::FILE)).unwrap()).unwrap().id, 70);
    assert_eq!(open(folder.path()).stored.order, OrderId(6));
    // A copy of the folder that has lost the times of its files changes nothing.
    std::fs::write(&path, std::fs::read(&path).unwrap()).unwrap();
    assert_eq!(open(folder.path()).stored.order, OrderId(6));
    redb(&path, &[("arming", 8), ("time", 150)]);
    let opened = open(folder.path());
    assert_eq!((opened.stored.order, opened.stored.loss), (OrderId(8), None));
    drop(opened.journal);
    assert!(names(folder.path()).iter().any(|name| name.starts_with("state.log.before-")));
    assert_eq!(open(folder.path()).stored.order, OrderId(8), "once");
}

/// The count of changes tells, whichever version has written the mark.
#[test]
fn who_goes_back_is_told_what_the_version_before_does_not_know() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(BEFORE);
    redb(&path, &[("format", 2), ("id", 70), ("changes", 3), ("time", 100)]);
    let mut journal = open(folder.path()).journal;
    journal.commit(&[installed()], Time(200)).unwrap();
    drop(journal);
    let mark = std::fs::read_to_string(folder.path().join(mark::FILE)).unwrap();
    // As the version before reads it.
    let words: Vec<&str> = mark.split_ascii_whitespace().collect();
    assert_eq!((words[2], words[3].parse()), ("0000000000000046", Ok(4_u64)));
    std::fs::remove_file(folder.path().join(FILE)).unwrap();
    assert!(open(folder.path()).stored.loss.is_some_and(|why| why.contains("lacks 1 change")));
}

#[test]
fn a_later_layout_in_the_file_of_before_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    redb(&folder.path().join(BEFORE), &[("format", 9)]);
    let refused = Journal::open(folder.path(), None, 8);
    assert!(matches!(refused, Err(JournalError::Before(BeforeError::Later(_, 9)))), "{refused:?}");
    assert_eq!(names(folder.path()), ["state.redb"]);
}

#[test]
fn a_damaged_file_of_before_is_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    let mut bytes = std::fs::read(FIRST).unwrap();
    bytes[..4096].fill(0xa5);
    std::fs::write(folder.path().join(BEFORE), &bytes).unwrap();
    let opened = open(folder.path());
    assert!(opened.stored.loss.is_some_and(|why| why.contains("set aside as state.redb.damaged-")));
}

/// The version before locks its file while it runs.
#[test]
fn a_version_before_that_runs_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(BEFORE);
    redb(&path, &[("format", 2)]);
    let other = Database::create(&path).unwrap();
    let refused = Journal::open(folder.path(), None, 8);
    assert!(matches!(refused, Err(JournalError::Before(BeforeError::InUse(_)))), "{refused:?}");
    drop(other);
    assert!(open(folder.path()).unwritable.is_none());
}

/// A file that was not closed, as after a power cut, is repaired in memory.
#[test]
fn a_file_that_was_not_closed_is_read_and_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("open.redb");
    redb(&path, &[("format", 2), ("arming", 5)]);
    let database = Database::create(&path).unwrap();
    let read = database.begin_read().unwrap();
    let bytes = std::fs::read(&path).unwrap();
    drop((read, database));
    let copy = folder.path().join(BEFORE);
    std::fs::write(&copy, &bytes).unwrap();
    assert_eq!(before::read(&copy).unwrap().stored.order, OrderId(5));
    assert_eq!(std::fs::read(&copy).unwrap(), bytes);
}
