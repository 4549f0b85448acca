mod before;
mod bytes;
mod machine;
mod power;

use super::*;
use rackberry_core::{
    ids::{Mac, MachineId},
    nodes::{Disk as OnDisk, Installed, Life, Node},
    orders::OrderId,
};

use log::FILE;

const MAC: Mac = Mac([2, 0, 0, 0, 0, 1]);

fn open(folder: &Path) -> Opened {
    Journal::open(folder, None, 7).unwrap()
}

fn installed() -> Change {
    let system = Installed { profile: "coreos".into(), version: "1010.5.0".into(), at: Time(3) };
    Change::Node(Box::new(Node {
        life: Life::Resting { disk: OnDisk::Running { system, said: true } },
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
    for damage in ["start", "middle", "text", "cut", "swapped"] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        let mut journal = open(folder.path()).journal;
        journal.commit(&[installed()], Time(5)).unwrap();
        let first = std::fs::read(&file).unwrap();
        let end = first.iter().position(|byte| *byte == 0).unwrap();
        journal.commit(&[Change::Order(OrderId(9))], Time(6)).unwrap();
        drop(journal);
        let mut bytes = std::fs::read(&file).unwrap();
        match damage {
            "start" => bytes[..64].fill(0xa5),
            "middle" => bytes[end - 40..end - 8].fill(0x5a),
            "text" => bytes = b"not a state at all".to_vec(),
            "swapped" => bytes[end - 40..end].fill(0),
            // In what the file was made with.
            _ => bytes.truncate(80),
        }
        std::fs::write(&file, &bytes).unwrap();
        let opened = open(folder.path());
        let why = opened.stored.loss.clone().unwrap_or_default();
        assert!(why.contains("damaged"), "{damage}: {opened:?}");
        let aside: Vec<PathBuf> = std::fs::read_dir(folder.path())
            .unwrap()
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.to_string_lossy().contains(".damaged-"))
            .collect();
        assert_eq!(aside.len(), 1, "{damage}");
        assert_eq!(std::fs::read(&aside[0]).unwrap(), bytes, "{damage}");
        // The new one is as good as any, and the loss is for the owner to keep.
        let mut journal = opened.journal;
        journal.commit(&[Change::Loss(Some(why.clone()))], Time(7)).unwrap();
        drop(journal);
        assert_eq!(open(folder.path()).stored.loss, Some(why), "{damage}");
    }
}

/// The last write may have been cut off: it is dropped, and written over.
#[test]
fn a_torn_end_is_dropped_and_what_was_lost_with_it_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(FILE);
    let mut journal = open(folder.path()).journal;
    journal.commit(&[Change::Order(OrderId(9))], Time(5)).unwrap();
    let end = std::fs::read(&file).unwrap().iter().position(|byte| *byte == 0).unwrap();
    journal.commit(&[installed()], Time(6)).unwrap();
    drop(journal);
    let whole = std::fs::read(&file).unwrap();
    for len in [end, end + 1, end + 30, end + 200] {
        std::fs::write(&file, &whole[..len]).unwrap();
        let opened = open(folder.path());
        assert_eq!((opened.stored.order, opened.stored.nodes.len()), (OrderId(9), 0), "{len}");
        // It was on the disk already, and the mark knows.
        assert!(opened.stored.loss.as_ref().is_some_and(|why| why.contains("old copy")), "{len}");
        let mut journal = opened.journal;
        journal.commit(&[installed()], Time(7)).unwrap();
        journal.commit(&[Change::Order(OrderId(10))], Time(8)).unwrap();
        drop(journal);
        let stored = open(folder.path()).stored;
        assert_eq!((stored.order, stored.nodes.len(), stored.loss), (OrderId(10), 1, None), "{len}");
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
    let file = folder.path().join(FILE);
    let later = std::fs::read_to_string(&file).unwrap().replace("state 3 ", "state 4 ");
    std::fs::write(&file, &later).unwrap();
    assert!(matches!(Journal::open(folder.path(), None, 8), Err(JournalError::Later(_, 4))));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), later);
}

/// What is there can be read, and is written as soon as it can be.
#[test]
fn a_folder_that_cannot_be_written_is_read() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path()).journal.commit(&[installed()], Time(5)).unwrap();
    let log = folder.path().join(FILE);
    // Whoever may write everything may not write this.
    std::fs::rename(&log, folder.path().join("log")).unwrap();
    std::fs::create_dir(&log).unwrap();
    let mut journal = Journal::reopened(folder.path());
    assert!(matches!(journal.commit(&[], Time(6)), Err(JournalError::Open(..))));
    std::fs::remove_dir(&log).unwrap();
    std::fs::rename(folder.path().join("log"), &log).unwrap();
    journal.commit(&[Change::Order(OrderId(3))], Time(7)).unwrap();
    drop(journal);
    let stored = open(folder.path()).stored;
    assert_eq!((stored.nodes.len(), stored.order, stored.loss), (1, OrderId(3), None));
}
