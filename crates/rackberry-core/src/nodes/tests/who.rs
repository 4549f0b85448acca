//! Which machine is which.

use super::*;

fn installed(nodes: &mut Registry, card: Mac) {
    nodes.apply(card, BOOT, Unknown::Recorded, at(1));
    nodes.give(card, grant(1, OrderKind::Install, card), at(1));
    nodes.apply(card, NodeEvent::Overwrites { image: None }, Unknown::Recorded, at(2));
    nodes.apply(card, NodeEvent::Said(Word::Written), Unknown::Recorded, at(3));
    nodes.apply(card, NodeEvent::SystemUp, Unknown::Recorded, at(4));
}

/// Two cards that start at these seconds, and whose firmware calls its machine the same.
fn namesakes(starts: [(Mac, u64); 2]) -> Registry {
    let mut nodes = Registry::default();
    for (card, second) in starts {
        nodes.recognize(card, Some(machine(1)), at(second));
        nodes.apply(card, BOOT, Unknown::Recorded, at(second));
    }
    nodes
}

#[test]
fn one_machine_with_two_addresses_is_one_node() {
    let mut nodes = Registry::default();
    list(&mut nodes, &[("node1", &[A, B])]);
    nodes.apply(B, BOOT, Unknown::Recorded, at(1));
    assert_eq!((nodes.get(A).map(|node| node.mac), nodes.name(B)), (Some(A), Some("node1")));
    assert_eq!((nodes.find("NODE1"), nodes.find("52-54-00-00-00-02")), (Some(A), Some(A)));
    assert_eq!(nodes.find("node2"), None);
}

/// Listing a machine with another first address, while it is installed or while it installs.
#[test]
fn the_record_follows_the_machine_when_the_configuration_lists_or_renames_it() {
    let mut nodes = Registry::default();
    installed(&mut nodes, B);
    let out = list(&mut nodes, &[("node1", &[A, B])]);
    assert_eq!(out.news, [Identity::Renamed { old: B, new: A }]);
    assert!(
        matches!(out.changes.as_slice(), [RecordChange::Drop(B), RecordChange::Put(node)] if node.mac == A)
    );
    assert_eq!(nodes.get(B).map(|node| (node.mac, node.stage())), Some((A, Stage::Installed)));
    nodes.give(A, grant(2, OrderKind::Install, B), at(20));
    nodes.apply(B, IMAGE, Unknown::Recorded, at(20));
    list(&mut nodes, &[("node1", &[C, B, A])]);
    let node = nodes.by_token("token2").expect("its grant is known by its token");
    assert_eq!((node.mac, node.stage()), (C, Stage::Installing));
    assert_eq!(nodes.known().count(), 1, "no orphan whose patience never ends");
    assert!(nodes.deadline().is_some());
    // Not listed any more, it is still one machine.
    list(&mut nodes, &[]);
    assert_eq!(nodes.key(A), nodes.key(B));
}

#[test]
fn two_records_of_one_machine_become_one_that_keeps_what_must_not_be_overwritten() {
    let mut nodes = Registry::default();
    installed(&mut nodes, A);
    nodes.apply(B, BOOT, Unknown::Recorded, at(5));
    nodes.give(B, grant(2, OrderKind::Install, B), at(5));
    list(&mut nodes, &[("node1", &[B, A])]);
    let node = nodes.get(A).unwrap();
    assert_eq!((node.mac, node.stage(), node.grant()), (B, Stage::Installed, None));
    assert_eq!(nodes.known().count(), 1);
}

#[test]
fn what_was_one_machine_is_no_fresh_one_in_either_part() {
    let mut nodes = Registry::default();
    list(&mut nodes, &[("node1", &[A, B])]);
    installed(&mut nodes, A);
    let out = list(&mut nodes, &[("node1", &[A]), ("node2", &[B])]);
    assert!(out.news.contains(&Identity::Parted { node: A, card: B }), "{:?}", out.news);
    assert_eq!(nodes.get(A).map(Node::stage), Some(Stage::Installed));
    assert!(
        nodes.get(B).is_some_and(|node| node.mac == B && node.disk().is_ours()),
        "nobody knows which it was"
    );
}

#[test]
fn a_second_card_is_known_by_what_the_firmware_calls_the_machine() {
    let mut nodes = Registry::default();
    nodes.recognize(A, Some(machine(1)), at(0));
    installed(&mut nodes, A);
    let out = nodes.recognize(B, Some(machine(1)), at(100));
    assert_eq!(out.news, [Identity::Joined { node: A, card: B }]);
    assert_eq!(nodes.get(B).map(|node| (node.mac, node.stage())), Some((A, Stage::Installed)));
    assert!(nodes.stands_for_its_node(A) && !nodes.stands_for_its_node(B), "a claim entitles to nothing");
    assert!(nodes.recognize(B, Some(machine(1)), at(101)).news.is_empty());
    // By the journal, too.
    let restored = Registry::restore(nodes.known().cloned(), []);
    assert_eq!(restored.key(B), A);
}

#[test]
fn a_claim_gets_nothing_of_a_configured_machine() {
    let mut nodes = Registry::default();
    list(&mut nodes, &[("node1", &[A])]);
    nodes.recognize(A, Some(machine(1)), at(0));
    nodes.recognize(B, Some(machine(1)), at(1));
    assert_eq!((nodes.key(B), nodes.stands_for_its_node(B)), (A, false));
}

#[test]
fn an_identifier_that_several_machines_have_tells_nothing() {
    // By the configuration.
    let mut nodes = Registry::default();
    list(&mut nodes, &[("node1", &[A]), ("node2", &[B])]);
    nodes.recognize(A, Some(machine(1)), at(0));
    let out = nodes.recognize(B, Some(machine(1)), at(1));
    assert!(out.changes.contains(&RecordChange::Shared(machine(1))), "{out:?}");
    nodes.recognize(C, Some(machine(1)), at(2));
    assert_eq!((nodes.key(B), nodes.key(C)), (B, C));
    // By what can't be one machine: a card goes on with its work while the other one's firmware starts.
    let mut nodes = Registry::default();
    nodes.recognize(A, Some(machine(1)), at(0));
    nodes.apply(A, BOOT, Unknown::Recorded, at(0));
    nodes.give(A, grant(1, OrderKind::Install, A), at(0));
    nodes.recognize(B, Some(machine(1)), at(10));
    assert!(nodes.namesake(B).is_some(), "it may be the same one");
    assert!(nodes.goes_on(A, Some(at(2)), at(12)).news.is_empty(), "a late packet");
    assert!(nodes.goes_on(A, Some(at(11)), at(20)).news.is_empty(), "a transfer that began later");
    let out = nodes.goes_on(A, Some(at(2)), at(13));
    assert!(out.changes.contains(&RecordChange::Shared(machine(1))), "{out:?}");
    assert_eq!((nodes.key(B), nodes.namesake(B)), (B, None));
    assert!(nodes.get(A).is_some_and(|node| node.unused_grant().is_some()));
    nodes.recognize(C, Some(machine(1)), at(30));
    assert_eq!(nodes.key(C), C);
}

/// A management controller renews the machine's lease while its firmware starts by another card: what is concluded from
/// that must not wipe it.
#[test]
fn a_machine_that_is_taken_for_two_is_fresh_in_neither_part() {
    let mut nodes = Registry::default();
    nodes.recognize(A, Some(machine(1)), at(0));
    installed(&mut nodes, A);
    nodes.recognize(B, Some(machine(1)), at(100));
    nodes.goes_on(A, nodes.fresh_since(A), at(110));
    assert_eq!(nodes.key(B), B);
    assert!(nodes.get(A).is_some_and(|node| node.disk().is_ours()));
    assert!(nodes.get(B).is_some_and(|node| node.disk().is_ours()));
}

/// Found by the search: two machines that call themselves the same were led into the installer by one permission.
#[test]
fn a_permission_of_a_card_that_is_not_listed_is_not_the_listed_ones() {
    for (macs, keeps) in [(&[A][..], false), (&[A, B], true), (&[B], true)] {
        let mut nodes = namesakes([(A, 0), (B, 100)]);
        nodes.give(B, grant(1, OrderKind::Install, B), at(100));
        list(&mut nodes, &[("node1", macs)]);
        assert_eq!(nodes.get(macs[0]).is_some_and(|node| node.grant().is_some()), keeps, "{macs:?}");
    }
}

/// Found by the search: of two machines that call themselves the same, the start of the one that is listed broke off the
/// install of the one that is not.
#[test]
fn while_a_card_that_is_not_listed_installs_nobody_else_starts_for_its_machine() {
    let mut nodes = namesakes([(B, 0), (A, 0)]);
    nodes.give(A, grant(1, OrderKind::Live, A), at(0));
    nodes.apply(A, NodeEvent::Overwrites { image: None }, Unknown::Recorded, at(1));
    list(&mut nodes, &[("two", &[B])]);
    assert_eq!((nodes.installs_by_another(B), nodes.stands_for_its_node(B)), (Some(A), false));
    nodes.apply(A, NodeEvent::Said(Word::Written), Unknown::Recorded, at(2));
    assert_eq!((nodes.installs_by_another(B), nodes.stands_for_its_node(B)), (None, true));
    assert!(nodes.get(B).is_some_and(|node| node.disk().is_ours()), "they may be one machine");
}

/// Found by the search: the install of one was told of the other, and its failure was not heard.
#[test]
fn of_two_that_were_taken_for_one_the_one_that_installs_keeps_what_is_known_of_that() {
    for listed in [false, true] {
        let mut nodes = namesakes([(A, 0), (B, 100)]);
        nodes.give(B, grant(1, OrderKind::Install, B), at(100));
        nodes.apply(B, IMAGE, Unknown::Recorded, at(101));
        if listed {
            list(&mut nodes, &[("node1", &[A])]);
        }
        nodes.time_out(at(100_000));
        nodes.goes_on(A, None, at(100_001));
        let (one, other) = (nodes.get(A).unwrap(), nodes.get(B).unwrap());
        assert_eq!((one.mac, other.mac), (A, B), "{listed}");
        assert_eq!((one.stage(), one.writes), (Stage::Idle, 0), "{listed}");
        assert_eq!((other.stage(), other.writes), (Stage::Failed, 1), "{listed}");
        assert_eq!(nodes.by_token("token1").map(|node| node.mac), Some(B), "{listed}");
    }
}

#[test]
fn what_an_installer_tells_from_inside_joins_cards_and_takes_no_other_nodes() {
    let mut nodes = Registry::default();
    list(&mut nodes, &[("node2", &[C])]);
    nodes.apply(A, BOOT, Unknown::Recorded, at(0));
    let out = nodes.learn_cards(A, Some(machine(1)), &[A, B, C, Mac([0xff; 6])], at(1));
    assert_eq!(out.news, [Identity::Joined { node: A, card: B }]);
    assert_eq!((nodes.key(B), nodes.key(C)), (A, C));
    nodes.recognize(B, Some(machine(1)), at(2));
    assert_eq!(nodes.known().count(), 1);
}

#[test]
fn a_frozen_registry_does_not_change() {
    let mut nodes = Registry::default();
    nodes.apply(A, BOOT, Unknown::Recorded, at(0));
    nodes.give(A, grant(1, OrderKind::Install, A), at(0));
    let before: Vec<Node> = nodes.known().cloned().collect();
    nodes.freeze();
    assert_eq!(nodes.apply(A, IMAGE, Unknown::Recorded, at(1)), Update::default());
    nodes.recognize(B, Some(machine(1)), at(1));
    assert!(!nodes.forget(A) && nodes.time_out(Time(u64::MAX)).is_empty());
    assert_eq!(nodes.known().cloned().collect::<Vec<_>>(), before);
}

/// Whoever makes addresses up has no more records than there is room for, and keeps nobody out for ever.
#[test]
fn a_machine_that_only_asked_gives_way_to_a_new_one_and_no_other_does() {
    let mac = |number: u16| Mac([2, 9, 0, 0, (number >> 8) as u8, number as u8]);
    let mut nodes = Registry::default();
    list(&mut nodes, &[("listed", &[mac(0)])]);
    for number in 0..5000 {
        nodes.apply(mac(number), BOOT, Unknown::Recorded, Time(u64::from(number)));
    }
    assert_eq!(nodes.known().count(), 4096);
    // One of them is installed.
    nodes.give(mac(1), grant(1, OrderKind::Install, mac(1)), Time(6000));
    nodes.apply(mac(1), IMAGE, Unknown::Ignored, Time(6000));
    let early = nodes.apply(A, BOOT, Unknown::Recorded, Time(600_001));
    assert_eq!(early, Update::default(), "they were heard of within ten minutes");
    let update = nodes.apply(A, BOOT, Unknown::Recorded, Time(600_002));
    assert_eq!(update.forgotten, Some(mac(2)), "the one that was silent longest");
    assert!(update.changed.is_some() && nodes.get(A).is_some() && nodes.get(mac(2)).is_none());
    for number in 6000..12_000 {
        nodes.apply(mac(number), BOOT, Unknown::Recorded, Time(10_000_000));
    }
    assert_eq!(nodes.known().count(), 4096);
    assert!(nodes.get(mac(0)).is_some() && nodes.get(mac(1)).is_some(), "listed, and installed from here");
}
