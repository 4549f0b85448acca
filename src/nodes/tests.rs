//! A node's life, told as what it is seen to do at stated times; and what no order of events may ever do.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::ids::{Arch, Mac, Stage, Time};

const MAC: Mac = Mac([0x52, 0x54, 0, 0, 0, 1]);

fn at(seconds: u64) -> Time {
    Time(seconds * 1000)
}

fn grant(arming: u64, live: bool) -> Grant {
    Grant {
        arming,
        live,
        profile: "coreos".into(),
        version: "1010.5.0".into(),
        arch: "x86_64".into(),
        token: "12ab".into(),
        silence: Duration::from_secs(600),
        made: at(0),
        spent: false,
    }
}

/// The arming of these tests is open.
const OPEN: Option<u64> = Some(1);

fn network_boot() -> Sign {
    Sign::NetworkBoot { arch: Some(Arch::Bios), open: OPEN }
}

fn granted() -> Node {
    let mut node = Node::new(MAC, at(0));
    node.grant(grant(1, false), at(0));
    node
}

fn through(node: &mut Node, signs: impl IntoIterator<Item = Sign>) -> Vec<Stage> {
    let steps = signs.into_iter().enumerate();
    steps
        .map(|(second, sign)| {
            node.saw(sign, at(second as u64 + 1));
            node.stage
        })
        .collect()
}

fn whole_install() -> Vec<Sign> {
    vec![
        network_boot(),
        Sign::Loader,
        Sign::Kernel,
        Sign::Initrd,
        Sign::Config,
        Sign::Image { total: Some(100) },
        Sign::ImageSent { sent: 40, total: 100 },
        Sign::ImageComplete,
        Sign::Wrote,
        network_boot(),
        Sign::SystemBoot,
    ]
}

#[test]
fn an_install_goes_through_its_stages() {
    use Stage::*;
    let mut node = granted();
    assert_eq!(
        through(&mut node, whole_install()),
        [
            Discovered,
            Loading,
            Loading,
            Booting,
            Configuring,
            Installing,
            Installing,
            Written,
            Written,
            Written,
            Installed
        ]
    );
    assert_eq!((node.writes, node.grant), (1, None));
    assert_eq!(node.installed.map(|installed| installed.version), Some("1010.5.0".into()));
}

#[test]
fn without_a_grant_nothing_moves() {
    let mut node = Node::new(MAC, at(0));
    assert_eq!(through(&mut node, whole_install()), [Stage::Idle; 11]);
    assert_eq!(node.writes, 0);
}

#[test]
fn an_image_may_be_fetched_again_while_its_install_is_open_and_counts_once() {
    let mut node = granted();
    through(&mut node, whole_install().into_iter().take(7));
    assert_eq!(node.may_fetch_install(None), Verdict::Yes);
    node.saw(Sign::Image { total: Some(100) }, at(20));
    node.saw(Sign::ImageComplete, at(21));
    node.saw(Sign::Wrote, at(22));
    assert_eq!((node.stage, node.writes), (Stage::Written, 1));
    assert_ne!(node.may_fetch_install(OPEN), Verdict::Yes);
}

#[test]
fn a_restart_in_the_middle_of_the_image_goes_to_the_disk_and_counts_as_failed() {
    let mut node = granted();
    through(&mut node, whole_install().into_iter().take(7));
    assert_ne!(node.may_boot_installer(OPEN), Verdict::Yes, "the grant is spent");
    node.saw(network_boot(), at(30));
    assert_eq!(node.stage, Stage::Failed);
    assert_ne!(node.may_boot_installer(OPEN), Verdict::Yes);
}

#[test]
fn a_restart_before_the_image_may_start_over_while_armed() {
    let mut node = granted();
    through(&mut node, whole_install().into_iter().take(5));
    node.saw(network_boot(), at(30));
    assert_eq!((node.stage, node.may_boot_installer(OPEN)), (Stage::Discovered, Verdict::Yes));
    assert_ne!(node.may_boot_installer(None), Verdict::Yes);
}

#[test]
fn a_bad_signature_after_the_whole_image_is_a_failure() {
    let mut node = granted();
    through(&mut node, whole_install().into_iter().take(8));
    node.saw(Sign::GaveUp { stage: Stage::Installing, reason: "bad signature".into() }, at(30));
    assert_eq!((node.stage, &node.installed), (Stage::Failed, &None));
}

#[test]
fn silence_fails_an_install_and_a_late_system_start_mends_it() {
    let mut node = granted();
    through(&mut node, whole_install().into_iter().take(9));
    let deadline = node.deadline().unwrap();
    assert_eq!(deadline, at(9) + Duration::from_secs(30 * 60));
    node.time_out(deadline);
    assert_eq!(node.failure.as_ref().map(|failure| failure.stage), Some(Stage::Written));
    node.saw(Sign::SystemBoot, deadline + Duration::from_secs(1));
    assert_eq!((node.stage, node.failure), (Stage::Installed, None));
}

#[test]
fn a_person_at_a_live_system_has_all_the_time() {
    let mut node = Node::new(MAC, at(0));
    node.grant(grant(1, true), at(0));
    through(&mut node, whole_install().into_iter().take(4));
    assert_eq!((node.stage, node.deadline()), (Stage::Booting, None));
    node.saw(Sign::Image { total: None }, at(9));
    assert!(node.deadline().is_some());
}

#[test]
fn withdrawing_leaves_the_node_as_it_was() {
    let mut node = granted();
    through(&mut node, whole_install());
    node.grant(grant(2, false), at(50));
    assert_eq!(node.stage, Stage::Discovered);
    node.withdraw(at(51));
    assert_eq!((node.stage, &node.grant), (Stage::Installed, &None));
}

#[test]
fn an_arming_grants_a_node_once() {
    let mut nodes = Registry::default();
    nodes.grant(MAC, grant(1, false), at(0));
    for sign in whole_install() {
        nodes.saw(MAC, sign, true, at(1));
    }
    assert_eq!(nodes.grant(MAC, grant(1, false), at(2)).changed, None);
    assert!(nodes.grant(MAC, grant(2, false), at(2)).changed.is_some());
}

#[test]
fn only_what_matters_is_journaled() {
    let mut nodes = Registry::default();
    assert_eq!(nodes.saw(MAC, Sign::SystemBoot, false, at(0)), Update::default(), "not a node");
    assert!(nodes.saw(MAC, network_boot(), true, at(0)).changed.is_some(), "new");
    assert_eq!(nodes.saw(MAC, network_boot(), true, at(9)), Update::default(), "seen again");
    nodes.grant(MAC, grant(1, false), at(10));
    for sign in whole_install().into_iter().take(6) {
        assert!(nodes.saw(MAC, sign, true, at(11)).changed.is_some());
    }
    let count = Sign::ImageSent { sent: 50, total: 100 };
    assert_eq!(nodes.saw(MAC, count, true, at(12)).changed, None, "a count");
}

#[test]
fn one_machine_with_two_addresses_is_one_node() {
    let second = Mac([0x52, 0x54, 0, 0, 0, 2]);
    let mut nodes = Registry::default();
    nodes.list([("node1", [MAC, second].as_slice())]);
    nodes.saw(second, network_boot(), true, at(1));
    assert_eq!((nodes.get(MAC).map(|node| node.mac), nodes.name(second)), (Some(MAC), Some("node1")));
    assert_eq!((nodes.find("NODE1"), nodes.find("52-54-00-00-00-02")), (Some(MAC), Some(MAC)));
    assert_eq!(nodes.find("node2"), None);
}

fn any_sign() -> impl Strategy<Value = Sign> {
    prop_oneof![
        Just(network_boot()),
        Just(Sign::SystemBoot),
        Just(Sign::Loader),
        Just(Sign::Kernel),
        Just(Sign::Initrd),
        Just(Sign::Config),
        Just(Sign::Image { total: Some(10) }),
        (0u64..10).prop_map(|sent| Sign::ImageSent { sent, total: 10 }),
        Just(Sign::ImageComplete),
        Just(Sign::Wrote),
        Just(Sign::Up),
        Just(Sign::Alive),
        (0usize..9).prop_map(|i| Sign::GaveUp { stage: Stage::ALL[i], reason: "no".into() }),
    ]
}

#[derive(Debug, Clone)]
enum Step {
    Saw(Sign),
    Withdraw,
    TimeOut,
    /// Written to the journal and read back.
    Restart,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => any_sign().prop_map(Step::Saw),
        1 => Just(Step::Withdraw),
        1 => Just(Step::TimeOut),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    /// One grant overwrites a disk at most once, and once it has begun no network boot leads into the
    /// installer again: whatever happens, in whatever order.
    #[test]
    fn a_grant_is_good_for_one_install(steps in prop::collection::vec(any_step(), 0..40)) {
        let mut node = granted();
        for (second, step) in steps.into_iter().enumerate() {
            let now = at(second as u64);
            match step {
                Step::Saw(sign) => node.saw(sign, now),
                Step::Withdraw => node.withdraw(now),
                Step::TimeOut => node.time_out(now),
                Step::Restart => node = serde_json::from_slice(&serde_json::to_vec(&node).unwrap()).unwrap(),
            }
            prop_assert!(node.writes <= 1);
            if node.writes == 1 {
                prop_assert_ne!(node.may_boot_installer(OPEN), Verdict::Yes);
            }
            if node.stage == Stage::Installing {
                prop_assert_eq!(node.writes, 1);
            }
            if node.grant.is_none() {
                prop_assert_ne!(node.may_fetch_install(OPEN), Verdict::Yes);
            }
        }
    }

    /// A node that nobody granted anything never gets near the installer.
    #[test]
    fn no_grant_no_install(signs in prop::collection::vec(any_sign(), 0..40)) {
        let mut node = Node::new(MAC, at(0));
        for (second, sign) in signs.into_iter().enumerate() {
            node.saw(sign, at(second as u64));
            prop_assert_eq!((node.stage, node.writes), (Stage::Idle, 0));
            prop_assert_ne!(node.may_boot_installer(OPEN), Verdict::Yes);
            prop_assert_ne!(node.may_fetch_install(OPEN), Verdict::Yes);
        }
    }
}
