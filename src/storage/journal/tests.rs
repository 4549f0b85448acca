use super::*;
use rackberry_core::{
    ids::{Mac, MachineId, Stage},
    nodes::{Disk, Installed, Life, Node},
};

const MAC: Mac = Mac([2, 0, 0, 0, 0, 1]);

fn open(folder: &Path) -> Opened {
    Journal::open(folder, None, 7).unwrap()
}

fn installed() -> Change {
    let system = Installed { profile: "coreos".into(), version: "1010.5.0".into(), at: Time(3) };
    Change::Node(Box::new(Node {
        life: Life::Resting { disk: Disk::Running { system, said: true } },
        ..Node::new(MAC, Time(1))
    }))
}

#[test]
fn what_is_committed_is_there_after_opening() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(folder.path());
    assert_eq!((first.stored.loss, first.unwritable), (None, None), "a first day");
    let mut journal = first.journal;
    let machine: MachineId = "4c4c4544-0044-4210-8031-c2c04f515731".parse().unwrap();
    let changes = [installed(), Change::Order(OrderId(9)), Change::Shared(machine)];
    journal.commit(&changes, Time(5)).unwrap();
    drop(journal);
    let stored = open(folder.path()).stored;
    assert_eq!((stored.nodes.len(), stored.order, stored.time), (1, OrderId(9), Time(5)));
    assert_eq!((stored.shared, stored.loss), (vec![machine], None));
}

#[test]
fn two_services_do_not_share_a_journal() {
    let folder = tempfile::tempdir().unwrap();
    let _first = open(folder.path());
    assert!(matches!(Journal::open(folder.path(), None, 8), Err(JournalError::InUse(_))));
}

/// Gone, emptied, another one, an old copy: none of these is a first day.
#[test]
fn a_journal_that_was_there_and_is_not_is_missed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(FILE);
    let lost = |what: &str| {
        let opened = open(folder.path());
        let loss = opened.stored.loss.unwrap_or_else(|| panic!("{what} is not missed"));
        assert_eq!(opened.stored.nodes, [], "{what}");
        loss
    };
    open(folder.path()).journal.commit(&[installed()], Time(5)).unwrap();
    let first = std::fs::read(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    assert!(lost("a file that is gone").contains("gone"));
    std::fs::write(&file, "").unwrap();
    assert!(lost("an empty file").contains("gone"));
    std::fs::write(&file, &first[..]).unwrap();
    // The mark is the new journal's by now, whose number is the same in this test; its changes are fewer.
    let opened = open(folder.path());
    assert_eq!(opened.stored.nodes.len(), 1);
    drop(opened);
    open(folder.path()).journal.commit(&[installed(), installed()], Time(6)).unwrap();
    std::fs::write(&file, &first[..]).unwrap();
    assert!(open(folder.path()).stored.loss.is_some_and(|why| why.contains("old copy")));
}

#[test]
fn a_mark_elsewhere_counts_as_the_one_beside_it() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    drop(open(one.path()));
    let elsewhere = other.path().join("copy");
    std::fs::copy(one.path().join(mark::FILE), &elsewhere).unwrap();
    let again = Journal::open(one.path(), Some(&elsewhere), 8).unwrap();
    assert_eq!(again.stored.loss, None);
    drop(again);
    // The whole partition was made anew.
    let fresh = tempfile::tempdir().unwrap();
    let opened = Journal::open(fresh.path(), Some(&elsewhere), 8).unwrap();
    assert!(opened.stored.loss.is_some());
}

/// What was damaged is kept beside, by date, and the service starts.
#[test]
fn a_damaged_journal_is_set_aside() {
    for damage in ["start", "middle", "text", "cut"] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        open(folder.path()).journal.commit(&[installed()], Time(5)).unwrap();
        let mut bytes = std::fs::read(&file).unwrap();
        match damage {
            "start" => bytes[..512].fill(0xa5),
            "middle" => {
                let end = bytes.len();
                bytes[4096..end].fill(0x5a);
            }
            "text" => bytes = b"not a database at all".to_vec(),
            _ => bytes.truncate(1000),
        }
        std::fs::write(&file, &bytes).unwrap();
        let opened = open(folder.path());
        assert!(
            opened.stored.loss.as_ref().is_some_and(|why| why.contains("damaged")),
            "{damage}: {opened:?}"
        );
        let aside: Vec<PathBuf> = std::fs::read_dir(folder.path())
            .unwrap()
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.to_string_lossy().contains(".damaged-"))
            .collect();
        assert_eq!(aside.len(), 1, "{damage}");
        assert_eq!(std::fs::read(&aside[0]).unwrap(), bytes, "{damage}");
    }
}

#[test]
fn a_loss_stays_known_until_it_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = open(folder.path()).journal;
    journal.commit(&[Change::Loss(Some("it is gone".into()))], Time(1)).unwrap();
    drop(journal);
    let opened = open(folder.path());
    assert_eq!(opened.stored.loss.as_deref(), Some("it is gone"));
    let mut journal = opened.journal;
    journal.commit(&[Change::Loss(None)], Time(2)).unwrap();
    drop(journal);
    assert_eq!(open(folder.path()).stored.loss, None);
}

#[test]
fn a_later_layout_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()));
    let database = Database::create(folder.path().join(FILE)).unwrap();
    let write = database.begin_write().unwrap();
    write.open_table(COUNTERS).unwrap().insert("format", FORMAT + 1).unwrap();
    write.commit().unwrap();
    drop(database);
    assert!(matches!(Journal::open(folder.path(), None, 8), Err(JournalError::Later(..))));
}

/// Made by the service of 2026-11-27, killed while a machine installed: one that is installed, one that takes its image,
/// one that gave up, one that had its grant.
#[test]
fn a_journal_of_the_first_layout_opens_and_means_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let old = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/state-layout-1.redb");
    std::fs::copy(old, folder.path().join(FILE)).unwrap();
    for run in ["converted", "as it is kept now"] {
        let Opened { stored, unwritable, .. } = open(folder.path());
        assert_eq!((&stored.loss, &unwritable), (&None, &None), "{run}");
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
        assert_eq!(
            (four.stage(), four.writes, four.disk().is_ours()),
            (Stage::Discovered, 0, false),
            "{run}"
        );
        assert!(four.unused_grant().is_some(), "{run}");
        // It is written as it is kept now.
        let mut journal = open(folder.path()).journal;
        let changes: Vec<Change> = nodes.into_iter().map(|node| Change::Node(Box::new(node))).collect();
        journal.commit(&changes, Time(5)).unwrap();
    }
}
