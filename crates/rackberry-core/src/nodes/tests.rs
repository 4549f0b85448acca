//! A node's life, told as what it is seen to do at stated times; and what no order of events may ever do.

mod picture;
mod properties;
mod who;

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::{
    ids::{Arch, Mac, MachineId, OrderKind, Source, Stage, Time},
    orders::{OrderId, OrderTerms, Orders, Repeat, Scope, Subject},
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
    orders.give(
        OrderKind::Install,
        Scope::All,
        Repeat::Same,
        OrderTerms { until: at(100_000), source: Source::Button },
    );
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

fn machine(number: u8) -> MachineId {
    let mut bytes = [0x40; 16];
    bytes[15] = number;
    MachineId::new(bytes).unwrap()
}

fn list(nodes: &mut Registry, listed: &[(&str, &[Mac])]) -> Recognized {
    nodes.set_configured(listed.iter().map(|(name, macs)| (*name, *macs)), at(10))
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
    assert_eq!(node.disk().system().map(|system| system.version.as_str()), Some("1010.5.0"));
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
    assert!(!node.disk().is_ours());
}

#[test]
fn without_a_grant_nothing_moves() {
    let mut node = Node::new(A, at(0));
    assert_eq!(through(&mut node, to_the_image()), [Stage::Idle; 9]);
    assert_eq!((node.writes, node.disk()), (0, &Disk::Untouched));
}

#[test]
fn a_restart_in_the_middle_of_the_image_counts_as_failed() {
    let mut node = granted();
    through(&mut node, to_the_image().into_iter().take(8));
    assert_eq!(through(&mut node, [BOOT]), [Stage::Failed]);
    assert_eq!((node.grant(), node.disk()), (None, &Disk::Incomplete));
}

#[test]
fn a_failure_that_is_said_wins_over_what_was_concluded() {
    let mut node = granted();
    through(&mut node, to_the_image());
    through(&mut node, [BOOT, NodeEvent::SystemUp]);
    assert_eq!(node.stage(), Stage::Installed);
    through(&mut node, [NodeEvent::SaidLate(gave_up(Stage::Installing))]);
    assert_eq!((node.stage(), node.disk()), (Stage::Failed, &Disk::Incomplete));
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
        assert_eq!((node.stage(), node.disk().is_ours()), (Stage::Installed, true));
    }
    // Nothing is known of it, since the state was lost.
    let mut node = Node::new(A, at(0));
    through(&mut node, [NodeEvent::Said(Word::Up)]);
    assert_eq!((node.stage(), node.disk().is_ours()), (Stage::Installed, true));
}

/// The last report was lost, and so was the connection: nobody knows, so "everybody" does not mean it.
#[test]
fn a_disk_of_which_nobody_knows_is_not_a_fresh_one() {
    let mut silent = granted();
    through(&mut silent, to_the_image());
    silent.time_out(silent.deadline().unwrap());
    assert_eq!((silent.stage(), silent.disk().is_ours()), (Stage::Failed, true));
    assert_eq!(through(&mut silent, [BOOT, NodeEvent::SystemUp]), [Stage::Written, Stage::Installed]);
    let mut without_image = granted();
    through(&mut without_image, [BOOT, NodeEvent::Overwrites { image: None }, BOOT]);
    assert_eq!((without_image.stage(), without_image.disk()), (Stage::Failed, &Disk::Unsure));
    let mut half = granted();
    through(&mut half, to_the_image().into_iter().take(8));
    half.time_out(half.deadline().unwrap());
    assert!(half.disk().is_ours(), "it may have got the rest from elsewhere");
    through(&mut half, [BOOT]);
    assert_eq!(half.disk(), &Disk::Incomplete, "it has not");
    through(&mut half, [NodeEvent::SystemUp]);
    assert!(half.disk().is_ours(), "and yet a system starts from it");
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
    assert_eq!((node.writes, node.disk().is_ours(), node.unused_grant()), (1, true, None));
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
    assert_eq!((failed.stage(), failed.disk()), (Stage::Failed, &Disk::Untouched));
}

#[test]
fn an_order_leads_into_an_installer_that_says_nothing_only_so_often() {
    let (mut orders, mut node) = (open(), granted());
    let machine = Subject { cards: vec![A], named_by: vec![A], is_ours: false };
    let leads = |node: &Node, orders: &Orders| {
        matches!(node.destination(&machine, orders, 2, at(1)), BootDestination::Order(_))
    };
    for _ in 0..2 {
        assert!(leads(&node, &orders));
        orders.started(OrderId(1), &[A]);
        through(&mut node, [BOOT, NodeEvent::Loader, NodeEvent::Led]);
    }
    let BootDestination::Refused(why) = node.destination(&machine, &orders, 2, at(1)) else {
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
    assert_eq!(nodes.apply(A, NodeEvent::SystemUp, Unknown::Ignored, at(0)), Update::default(), "not a node");
    assert!(nodes.apply(A, BOOT, Unknown::Recorded, at(0)).changed.is_some(), "new");
    assert_eq!(nodes.apply(A, BOOT, Unknown::Recorded, at(9)), Update::default(), "seen again");
    nodes.give(A, grant(1, OrderKind::Install, A), at(10));
    for event in to_the_image().into_iter().skip(1).take(6) {
        assert!(nodes.apply(A, event.clone(), Unknown::Recorded, at(11)).changed.is_some(), "{event:?}");
    }
    assert_eq!(nodes.apply(A, part(0, 50), Unknown::Recorded, at(12)).changed, None, "a count");
    assert!(nodes.apply(A, part(50, 100), Unknown::Recorded, at(12)).changed.is_some(), "all of it");
}
