//! A node's life, told as what it is seen to do at stated times; and what no order of events may ever do.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::{
    ids::{Arch, Mac, MachineId, OrderKind, Source, Stage, Time},
    orders::{OrderId, Orders, Scope, Subject},
};

const A: Mac = Mac([0x52, 0x54, 0, 0, 0, 1]);
const B: Mac = Mac([0x52, 0x54, 0, 0, 0, 2]);
const C: Mac = Mac([0x52, 0x54, 0, 0, 0, 3]);

fn at(seconds: u64) -> Time {
    Time(seconds * 1000)
}

fn grant(order: u64, kind: OrderKind, card: Mac) -> Grant {
    Grant {
        order: OrderId(order),
        kind,
        card,
        overwrites_marked: false,
        profile: "coreos".into(),
        version: "1010.5.0".into(),
        arch: "x86_64".into(),
        token: format!("token{order}"),
        silence: Duration::from_secs(600),
        made: at(0),
    }
}

/// One open order, the first.
fn open() -> Orders {
    let mut orders = Orders::default();
    orders.give(OrderKind::Install, Scope::All, false, at(100_000), Source::Button);
    orders
}

const BOOT: NodeEvent = NodeEvent::NetworkBoot { arch: Some(Arch::Bios) };
const IMAGE: NodeEvent = NodeEvent::Overwrites { image: Some(100) };

fn part(start: u64, end: u64) -> NodeEvent {
    NodeEvent::ImagePart { start, end, total: 100 }
}

fn gave_up(stage: Stage) -> Word {
    Word::GaveUp { stage, reason: "bad signature".into(), cause: None }
}

fn granted() -> Node {
    let mut node = Node::new(A, at(0));
    node.give(grant(1, OrderKind::Install, A), at(0));
    node
}

fn through(node: &mut Node, events: impl IntoIterator<Item = NodeEvent>) -> Vec<Stage> {
    let steps = events.into_iter().enumerate();
    steps
        .map(|(second, event)| {
            node.apply(event, at(second as u64 + 1));
            node.stage()
        })
        .collect()
}

/// Up to the moment at which the whole image is sent.
fn to_the_image() -> Vec<NodeEvent> {
    use NodeEvent::{Config, Initrd, Kernel, Led, Loader};
    vec![BOOT, Loader, Led, Kernel, Initrd, Config, IMAGE, part(0, 40), part(40, 100)]
}

#[test]
fn an_install_goes_through_its_stages() {
    use Stage::*;
    let mut node = granted();
    assert_eq!(
        through(&mut node, to_the_image()),
        [Discovered, Loading, Loading, Loading, Booting, Configuring, Installing, Installing, Installing]
    );
    let rest = [NodeEvent::Said(Word::Written), BOOT, NodeEvent::SystemUp];
    assert_eq!(through(&mut node, rest), [Written, Written, Installed]);
    assert_eq!((node.writes, node.grant()), (1, None));
    assert_eq!(node.disk.system().map(|system| system.version.as_str()), Some("1010.5.0"));
}

/// What an own script of 2016 does: it takes the image from here, and says nothing.
#[test]
fn an_image_that_was_sent_is_written_once_the_machine_boots_the_network_anew() {
    let mut node = granted();
    through(&mut node, to_the_image());
    // The live system asks for an address again, a second card does, a management controller does.
    assert_eq!(through(&mut node, [NodeEvent::SystemUp]), [Stage::Installing]);
    assert_eq!(through(&mut node, [BOOT, NodeEvent::SystemUp]), [Stage::Written, Stage::Installed]);
}

#[test]
fn one_byte_of_the_image_is_not_the_image() {
    let mut node = granted();
    through(&mut node, to_the_image().into_iter().take(7));
    assert_eq!(
        through(&mut node, [part(99, 100), NodeEvent::SystemUp]),
        [Stage::Installing, Stage::Installing]
    );
    through(&mut node, [NodeEvent::Said(gave_up(Stage::Installing))]);
    assert_eq!((node.stage(), node.failure().map(|failure| failure.said)), (Stage::Failed, Some(true)));
    assert!(!node.disk.is_ours());
}

#[test]
fn without_a_grant_nothing_moves() {
    let mut node = Node::new(A, at(0));
    assert_eq!(through(&mut node, to_the_image()), [Stage::Idle; 9]);
    assert_eq!((node.writes, node.disk), (0, Disk::Untouched));
}

#[test]
fn a_restart_in_the_middle_of_the_image_counts_as_failed() {
    let mut node = granted();
    through(&mut node, to_the_image().into_iter().take(8));
    assert_eq!(through(&mut node, [BOOT]), [Stage::Failed]);
    assert_eq!((node.grant(), &node.disk), (None, &Disk::Incomplete));
}

#[test]
fn a_failure_that_is_said_wins_over_what_was_concluded() {
    let mut node = granted();
    through(&mut node, to_the_image());
    through(&mut node, [BOOT, NodeEvent::SystemUp]);
    assert_eq!(node.stage(), Stage::Installed);
    through(&mut node, [NodeEvent::SaidLate(gave_up(Stage::Installing))]);
    assert_eq!((node.stage(), &node.disk), (Stage::Failed, &Disk::Incomplete));
    // Not by whoever holds its address now.
    let mut node = granted();
    through(&mut node, to_the_image());
    through(&mut node, [BOOT, NodeEvent::SystemUp, NodeEvent::Said(gave_up(Stage::Installing))]);
    assert_eq!(node.stage(), Stage::Installed);
}

#[test]
fn a_system_that_says_so_is_up_whenever_it_says_so() {
    for events in [to_the_image(), to_the_image().into_iter().take(8).collect()] {
        let mut node = granted();
        through(&mut node, events);
        let deadline = node.deadline().unwrap();
        node.time_out(deadline);
        assert_eq!(node.stage(), Stage::Failed);
        node.apply(NodeEvent::Said(Word::Up), deadline + Duration::from_secs(86_400));
        assert_eq!((node.stage(), node.disk.is_ours()), (Stage::Installed, true));
    }
    // Nothing is known of it, since the state was lost.
    let mut node = Node::new(A, at(0));
    through(&mut node, [NodeEvent::Said(Word::Up)]);
    assert_eq!((node.stage(), node.disk.is_ours()), (Stage::Installed, true));
}

/// The last report was lost, and so was the connection: nobody knows, so "everybody" does not mean it.
#[test]
fn a_disk_of_which_nobody_knows_is_not_a_fresh_one() {
    let mut silent = granted();
    through(&mut silent, to_the_image());
    silent.time_out(silent.deadline().unwrap());
    assert_eq!((silent.stage(), silent.disk.is_ours()), (Stage::Failed, true));
    assert_eq!(through(&mut silent, [BOOT, NodeEvent::SystemUp]), [Stage::Written, Stage::Installed]);
    let mut without_image = granted();
    through(&mut without_image, [BOOT, NodeEvent::Overwrites { image: None }, BOOT]);
    assert_eq!((without_image.stage(), &without_image.disk), (Stage::Failed, &Disk::Unsure));
    let mut half = granted();
    through(&mut half, to_the_image().into_iter().take(8));
    half.time_out(half.deadline().unwrap());
    assert!(half.disk.is_ours(), "it may have got the rest from elsewhere");
    through(&mut half, [BOOT]);
    assert_eq!(half.disk, Disk::Incomplete, "it has not");
    through(&mut half, [NodeEvent::SystemUp]);
    assert!(half.disk.is_ours(), "and yet a system starts from it");
}

#[test]
fn silence_after_writing_fails_an_install_and_a_late_start_mends_it() {
    let mut node = granted();
    through(&mut node, to_the_image());
    through(&mut node, [NodeEvent::Said(Word::Written)]);
    let deadline = node.deadline().unwrap();
    assert_eq!(deadline, at(1) + Duration::from_secs(30 * 60));
    node.time_out(deadline);
    assert_eq!(node.failure().map(|failure| failure.stage), Some(Stage::Written));
    node.apply(NodeEvent::SystemUp, deadline + Duration::from_secs(1));
    assert_eq!((node.stage(), node.failure()), (Stage::Installed, None));
}

#[test]
fn a_menu_or_script_of_somebodys_own_uses_the_permission() {
    let mut node = granted();
    through(&mut node, [BOOT, NodeEvent::Loader, NodeEvent::HasOwn]);
    assert_eq!((node.writes, node.disk.is_ours(), node.unused_grant()), (1, true, None));
    node.withdraw(at(9));
    assert!(node.grant().is_some(), "what it does can't be taken back");
    // Its image may come from here.
    through(&mut node, [NodeEvent::HasOwn, IMAGE, part(0, 100), BOOT]);
    assert_eq!((node.stage(), node.writes), (Stage::Written, 1));
    let mut elsewhere = granted();
    through(&mut elsewhere, [BOOT, NodeEvent::HasOwn, NodeEvent::Config, BOOT]);
    assert_eq!((elsewhere.stage(), elsewhere.grant()), (Stage::Failed, None));
    assert!(elsewhere.failure().is_some_and(|failure| failure.reason.contains("own menu or install script")));
}

#[test]
fn a_person_at_a_live_system_has_all_the_time() {
    let mut node = Node::new(A, at(0));
    node.give(grant(1, OrderKind::Live, A), at(0));
    through(&mut node, to_the_image().into_iter().take(5));
    assert_eq!((node.stage(), node.deadline()), (Stage::Booting, None));
    node.apply(IMAGE, at(9));
    assert!(node.deadline().is_some());
}

#[test]
fn withdrawing_leaves_the_node_as_it_was() {
    let mut node = granted();
    through(&mut node, to_the_image());
    through(&mut node, [NodeEvent::Said(Word::Written), NodeEvent::SystemUp]);
    node.give(grant(2, OrderKind::Install, A), at(50));
    assert_eq!(node.stage(), Stage::Discovered);
    node.withdraw(at(51));
    assert_eq!((node.stage(), node.grant()), (Stage::Installed, None));
    let mut failed = granted();
    through(&mut failed, [NodeEvent::Said(gave_up(Stage::Configuring))]);
    failed.give(grant(2, OrderKind::Install, A), at(50));
    failed.withdraw(at(51));
    assert_eq!((failed.stage(), failed.disk), (Stage::Failed, Disk::Untouched));
}

#[test]
fn an_order_leads_into_an_installer_that_says_nothing_only_so_often() {
    let (mut orders, mut node) = (open(), granted());
    let machine = Subject { cards: vec![A], named_by: vec![A], is_ours: false };
    let leads = |node: &Node, orders: &Orders| {
        matches!(node.destination(&machine, orders, 2, at(1)), Destination::Order(_))
    };
    for _ in 0..2 {
        assert!(leads(&node, &orders));
        orders.started(OrderId(1), &[A]);
        through(&mut node, [BOOT, NodeEvent::Loader, NodeEvent::Led]);
    }
    let Destination::Refused(why) = node.destination(&machine, &orders, 2, at(1)) else {
        panic!("led a third time")
    };
    assert!(why.contains("led into its installer 2 times"), "{why}");
    orders.heard(OrderId(1), &[A]);
    assert!(leads(&node, &orders));
}

#[test]
fn a_grant_dies_with_its_order_unless_its_overwrite_has_begun() {
    let (mut orders, mut node) = (open(), granted());
    through(&mut node, to_the_image().into_iter().take(6));
    assert_eq!(node.may_fetch_install(&orders, at(1)), Verdict::Yes);
    orders.close_all();
    assert_ne!(node.may_fetch_install(&orders, at(1)), Verdict::Yes);
    assert_ne!(node.may_be_led(&orders, at(1)), Verdict::Yes);
    through(&mut node, [IMAGE]);
    assert_eq!(node.may_fetch_install(&orders, at(1)), Verdict::Yes);
    assert_ne!(node.may_be_led(&orders, at(1)), Verdict::Yes);
}

#[test]
fn only_what_matters_is_journaled() {
    let mut nodes = Registry::default();
    assert_eq!(nodes.apply(A, NodeEvent::SystemUp, false, at(0)), Update::default(), "not a node");
    assert!(nodes.apply(A, BOOT, true, at(0)).changed.is_some(), "new");
    assert_eq!(nodes.apply(A, BOOT, true, at(9)), Update::default(), "seen again");
    nodes.give(A, grant(1, OrderKind::Install, A), at(10));
    for event in to_the_image().into_iter().skip(1).take(6) {
        assert!(nodes.apply(A, event.clone(), true, at(11)).changed.is_some(), "{event:?}");
    }
    assert_eq!(nodes.apply(A, part(0, 50), true, at(12)).changed, None, "a count");
    assert!(nodes.apply(A, part(50, 100), true, at(12)).changed.is_some(), "all of it");
}

// Who is who.

fn machine(number: u8) -> MachineId {
    let mut bytes = [0x40; 16];
    bytes[15] = number;
    MachineId::new(bytes).unwrap()
}

fn installed(nodes: &mut Registry, card: Mac) {
    nodes.apply(card, BOOT, true, at(1));
    nodes.give(card, grant(1, OrderKind::Install, card), at(1));
    nodes.apply(card, NodeEvent::Overwrites { image: None }, true, at(2));
    nodes.apply(card, NodeEvent::Said(Word::Written), true, at(3));
    nodes.apply(card, NodeEvent::SystemUp, true, at(4));
}

fn list(nodes: &mut Registry, listed: &[(&str, &[Mac])]) -> Recognized {
    nodes.set_configured(listed.iter().map(|(name, macs)| (*name, *macs)), at(10))
}

#[test]
fn one_machine_with_two_addresses_is_one_node() {
    let mut nodes = Registry::default();
    list(&mut nodes, &[("node1", &[A, B])]);
    nodes.apply(B, BOOT, true, at(1));
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
    nodes.apply(B, IMAGE, true, at(20));
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
    nodes.apply(B, BOOT, true, at(5));
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
        nodes.get(B).is_some_and(|node| node.mac == B && node.disk.is_ours()),
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
    nodes.apply(A, BOOT, true, at(0));
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
    assert!(nodes.get(A).is_some_and(|node| node.disk.is_ours()));
    assert!(nodes.get(B).is_some_and(|node| node.disk.is_ours()));
}

#[test]
fn what_an_installer_tells_from_inside_joins_cards_and_takes_no_other_nodes() {
    let mut nodes = Registry::default();
    list(&mut nodes, &[("node2", &[C])]);
    nodes.apply(A, BOOT, true, at(0));
    let out = nodes.learn_cards(A, Some(machine(1)), &[A, B, C, Mac([0xff; 6])], at(1));
    assert_eq!(out.news, [Identity::Joined { node: A, card: B }]);
    assert_eq!((nodes.key(B), nodes.key(C)), (A, C));
    nodes.recognize(B, Some(machine(1)), at(2));
    assert_eq!(nodes.known().count(), 1);
}

#[test]
fn a_frozen_registry_does_not_change() {
    let mut nodes = Registry::default();
    nodes.apply(A, BOOT, true, at(0));
    nodes.give(A, grant(1, OrderKind::Install, A), at(0));
    let before: Vec<Node> = nodes.known().cloned().collect();
    nodes.freeze(true);
    assert_eq!(nodes.apply(A, IMAGE, true, at(1)), Update::default());
    nodes.recognize(B, Some(machine(1)), at(1));
    assert!(!nodes.forget(A) && nodes.time_out(Time(u64::MAX)).is_empty());
    assert_eq!(nodes.known().cloned().collect::<Vec<_>>(), before);
}

fn any_word() -> impl Strategy<Value = Word> {
    prop_oneof![
        Just(Word::GoesOn),
        Just(Word::Configuring),
        Just(Word::Written),
        Just(Word::Up),
        (0usize..9).prop_map(|i| gave_up(Stage::ALL[i])),
    ]
}

fn any_event() -> impl Strategy<Value = NodeEvent> {
    prop_oneof![
        Just(BOOT),
        Just(BOOT),
        Just(NodeEvent::SystemUp),
        Just(NodeEvent::Loader),
        Just(NodeEvent::Led),
        Just(NodeEvent::Kernel),
        Just(NodeEvent::Initrd),
        Just(NodeEvent::Config),
        Just(NodeEvent::HasOwn),
        Just(IMAGE),
        Just(NodeEvent::Overwrites { image: None }),
        (0u64..100, 0u64..101).prop_map(|(start, end)| part(start, end)),
        Just(part(0, 100)),
        Just(NodeEvent::Alive),
        any_word().prop_map(NodeEvent::Said),
        any_word().prop_map(NodeEvent::SaidLate),
    ]
}

#[derive(Debug, Clone)]
enum Step {
    Apply(NodeEvent),
    Withdraw,
    TimeOut,
    /// Written to the journal and read back.
    Restart,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => any_event().prop_map(Step::Apply),
        1 => Just(Step::Withdraw),
        1 => Just(Step::TimeOut),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    /// One grant overwrites a disk at most once, and once it has begun no menu leads into the installer again: whatever
    /// happens, in whatever order.
    #[test]
    fn a_grant_is_good_for_one_install(steps in prop::collection::vec(any_step(), 0..40)) {
        let (mut node, orders) = (granted(), open());
        for (second, step) in steps.into_iter().enumerate() {
            let now = at(second as u64);
            match step {
                Step::Apply(event) => node.apply(event, now),
                Step::Withdraw => node.withdraw(now),
                Step::TimeOut => node.time_out(now),
                Step::Restart => {
                    let text = serde_json::to_vec(&node).unwrap();
                    node = serde_json::from_slice::<StoredNode>(&text).unwrap().into();
                }
            }
            prop_assert!(node.writes <= 1);
            if node.writes == 1 {
                prop_assert_eq!(node.unused_grant(), None);
            }
            if node.stage() == Stage::Installing {
                prop_assert_eq!(node.writes, 1);
            }
            if node.grant().is_none() {
                prop_assert_ne!(node.may_fetch_install(&orders, now), Verdict::Yes);
            }
            // What may hold a system is never taken for a fresh disk without an installer's word or a restart.
            prop_assert!(node.stage() != Stage::Installed || node.disk.is_ours());
        }
    }

    /// A node that nobody granted anything never gets near the installer.
    #[test]
    fn no_grant_no_install(events in prop::collection::vec(any_event(), 0..40)) {
        let (mut node, orders) = (Node::new(A, at(0)), open());
        for (second, event) in events.into_iter().enumerate() {
            let now = at(second as u64);
            node.apply(event, now);
            prop_assert_eq!(node.writes, 0);
            prop_assert!(node.stage() == Stage::Idle || node.stage() == Stage::Installed || node.stage() == Stage::Failed);
            prop_assert_ne!(node.may_be_led(&orders, now), Verdict::Yes);
            prop_assert_ne!(node.may_fetch_install(&orders, now), Verdict::Yes);
        }
    }

    /// However cards are listed, claimed and seen, no two records share a card that the configuration gives to one of
    /// them, a record is found by each of its cards, and what was written is never forgotten.
    #[test]
    fn records_are_found_and_never_lost(steps in prop::collection::vec((0u8..8, 0usize..3, 0u8..3), 1..30)) {
        let cards = [A, B, C];
        let mut nodes = Registry::default();
        let mut written = 0;
        for (second, (what, card, number)) in steps.into_iter().enumerate() {
            let (now, card) = (at(second as u64 * 5), cards[card]);
            match what {
                0 => drop(nodes.recognize(card, (number > 0).then(|| machine(number)), now)),
                1 => { nodes.apply(card, BOOT, true, now); }
                2 => {
                    let update = nodes.apply(card, BOOT, true, now);
                    drop(update);
                    nodes.give(card, grant(second as u64, OrderKind::Install, card), now);
                    let before = nodes.get(card).map_or(0, |node| node.writes);
                    nodes.apply(card, NodeEvent::Overwrites { image: None }, true, now);
                    written += nodes.get(card).map_or(0, |node| node.writes) - before;
                }
                3 => { nodes.apply(card, NodeEvent::Said(Word::Written), true, now); }
                4 => drop(list(&mut nodes, match number {
                    0 => &[],
                    1 => &[("one", &[B, A]), ("two", &[C])],
                    _ => &[("one", &[A]), ("two", &[C, B])],
                })),
                5 => drop(nodes.goes_on(card, None, now)),
                6 => drop(nodes.learn_cards(card, None, &cards[..usize::from(number) + 1], now)),
                _ => nodes = {
                    let mut restored = Registry::restore(nodes.known().cloned(), nodes.shared.iter().copied());
                    let listed: Vec<(String, Vec<Mac>)> = nodes.listed.values().cloned().collect();
                    restored.set_configured(listed.iter().map(|(name, macs)| (name.as_str(), macs.as_slice())), now);
                    restored
                },
            }
            for node in nodes.known() {
                prop_assert!(node.cards.contains(&node.mac));
                prop_assert_eq!(nodes.get(node.mac).map(|found| found.mac), Some(node.mac));
            }
            for (first, (_, macs)) in &nodes.listed {
                for mac in macs {
                    prop_assert_eq!(nodes.key(*mac), *first);
                }
            }
            prop_assert_eq!(nodes.known().map(|node| node.writes).sum::<u32>(), written);
        }
    }
}
