//! What no order of events may ever do.

use super::*;

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
enum BootStep {
    Apply(NodeEvent),
    Withdraw,
    TimeOut,
    /// Written to the journal and read back.
    Restart,
}

fn any_step() -> impl Strategy<Value = BootStep> {
    prop_oneof![
        12 => any_event().prop_map(BootStep::Apply),
        1 => Just(BootStep::Withdraw),
        1 => Just(BootStep::TimeOut),
        1 => Just(BootStep::Restart),
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
                BootStep::Apply(event) => node.apply(event, now),
                BootStep::Withdraw => node.withdraw(now),
                BootStep::TimeOut => node.time_out(now),
                BootStep::Restart => {
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
                1 => { nodes.apply(card, BOOT, Stranger::BecomesNode, now); }
                2 => {
                    let update = nodes.apply(card, BOOT, Stranger::BecomesNode, now);
                    drop(update);
                    nodes.give(card, grant(second as u64, OrderKind::Install, card), now);
                    let before = nodes.get(card).map_or(0, |node| node.writes);
                    nodes.apply(card, NodeEvent::Overwrites { image: None }, Stranger::BecomesNode, now);
                    written += nodes.get(card).map_or(0, |node| node.writes) - before;
                }
                3 => { nodes.apply(card, NodeEvent::Said(Word::Written), Stranger::BecomesNode, now); }
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
