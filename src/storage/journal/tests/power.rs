//! Power cuts, and disks that fail.

use std::{collections::BTreeMap, net::Ipv4Addr};

use proptest::prelude::*;

use super::*;
use keeper::Keeper;
use machine::Machine;
use rackberry_core::dhcp::{Lease, LeaseChange};

/// What one commit does.
#[derive(Debug, Clone)]
enum Deed {
    Node(u8, usize),
    NoNode(u8),
    Lease(u8, u8),
    NoLease(u8),
    Order,
    Loss(bool),
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        // Logs that take many sectors.
        (0..4_u8, prop_oneof![0..200_usize, 1_000..40_000_usize])
            .prop_map(|(node, log)| Deed::Node(node, log)),
        (0..4_u8).prop_map(Deed::NoNode),
        (0..6_u8, any::<u8>()).prop_map(|(node, address)| Deed::Lease(node, address)),
        (0..6_u8).prop_map(Deed::NoLease),
        Just(Deed::Order),
        any::<bool>().prop_map(Deed::Loss),
    ]
}

fn change(deed: &Deed, number: u64) -> Change {
    let mac = |node: u8| Mac([2, 0, 0, 0, 0, node]);
    match *deed {
        Deed::Node(node, log) => {
            let system = Installed { profile: "coreos".into(), version: "1".into(), at: Time(number) };
            let disk = if node == 0 { OnDisk::Untouched } else { OnDisk::Running { system, said: true } };
            // What looks like a record is none.
            let log = "\n00000000 00000004 log ".repeat(log / 22);
            Change::Node(Box::new(Node {
                life: Life::Resting { disk },
                log,
                ..Node::new(mac(node), Time(number))
            }))
        }
        Deed::NoNode(node) => Change::NoNode(mac(node)),
        Deed::Lease(node, address) => Change::Lease(LeaseChange::Put(Lease {
            mac: mac(node),
            address: Ipv4Addr::new(10, 0, 0, address),
            until: Time(number),
        })),
        Deed::NoLease(node) => Change::Lease(LeaseChange::Drop(mac(node))),
        Deed::Order => Change::Order(OrderId(number)),
        Deed::Loss(is_lost) => Change::Loss(is_lost.then(|| format!("\"lost\"\n{number}"))),
    }
}

/// What is kept, in a form that is compared.
fn told(stored: &Stored) -> String {
    let Stored { nodes, leases, shared, order, time, loss } = stored;
    format!("{nodes:?} {leases:?} {shared:?} {order:?} {time:?} {loss:?}")
}

/// The states after each commit, by a model that is simple.
fn model(commits: &[Vec<Deed>]) -> Vec<Stored> {
    let mut states = vec![Stored::default()];
    let (mut nodes, mut leases) = (BTreeMap::new(), BTreeMap::new());
    let mut state = Stored::default();
    for (number, deeds) in (1..).zip(commits) {
        state.time = Time(number);
        for deed in deeds {
            match change(deed, number) {
                Change::Node(node) => drop(nodes.insert(node.mac, *node)),
                Change::NoNode(mac) => drop(nodes.remove(&mac)),
                Change::Lease(LeaseChange::Put(lease)) => drop(leases.insert(lease.mac, lease)),
                Change::Lease(LeaseChange::Drop(mac)) => drop(leases.remove(&mac)),
                Change::Order(order) => state.order = order,
                Change::Loss(loss) => state.loss = loss,
                Change::Shared(_) => {}
            }
        }
        state.nodes = nodes.values().cloned().collect();
        state.leases = leases.values().copied().collect();
        states.push(state.clone());
    }
    states
}

/// Runs the commits until the power fails; returns how many of them were acknowledged.
fn run(machine: &Machine, commits: &[Vec<Deed>], from: u64) -> usize {
    let Ok((mut keeper, _, None)) = Keeper::open(machine.clone(), None, 7) else { return 0 };
    keeper.log().hurry(2000, 2);
    for (done, deeds) in commits.iter().enumerate() {
        let number = from + done as u64 + 1;
        let changes: Vec<Change> = deeds.iter().map(|deed| change(deed, number)).collect();
        if keeper.commit(&changes, Time(number)).is_err() {
            return done;
        }
        keeper.log().settle();
    }
    commits.len()
}

/// After a power cut, what is there is the last commit that was acknowledged, or a later one as a whole.
fn holds(machine: &Machine, states: &[Stored], acknowledged: usize) -> usize {
    let (keeper, stored, unwritable) = Keeper::open(machine.clone(), None, 8).unwrap();
    assert_eq!(unwritable, None);
    let is = told(&stored);
    let later = states[acknowledged..].iter().take(2).position(|state| told(state) == is);
    let at = later.unwrap_or_else(|| panic!("{acknowledged} were kept, but there is {is}"));
    drop(keeper);
    acknowledged + at
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// The power fails at any operation, and comes back to whatever a disk may have made of it; work goes on, and it fails
    /// again.
    #[test]
    fn a_power_cut_at_any_moment_leaves_the_last_commit(
        commits in prop::collection::vec(prop::collection::vec(deed(), 0..4), 1..40),
        power in any::<prop::sample::Index>(),
        again in any::<prop::sample::Index>(),
        seed in any::<u64>(),
    ) {
        let states = model(&commits);
        let mut number = seed;
        let mut draw = move |below: usize| {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(number >> 33).unwrap() % below
        };
        let whole = Machine::with_power(usize::MAX);
        run(&whole, &commits, 0);
        let first = Machine::with_power(power.index(whole.done() + 1));
        let acknowledged = run(&first, &commits, 0);
        let second = first.restarted(&mut draw);
        let at = holds(&second, &states, acknowledged);
        // And once more, from there.
        let rest = &commits[at..];
        second.set_power(Some(again.index(2 * rest.len() + 20)));
        let more = run(&second, rest, at as u64);
        holds(&second.restarted(&mut draw), &states, at + more);
    }
}

/// Every byte of the last write, and every operation before it.
#[test]
fn a_write_that_is_cut_at_any_byte_is_no_commit() {
    let commits: Vec<Vec<Deed>> = (0..4)
        .map(|number| vec![Deed::Node(1 + number % 2, 300), Deed::Lease(number, number), Deed::Order])
        .collect();
    let states = model(&commits);
    let whole = Machine::with_power(usize::MAX);
    run(&whole, &commits, 0);
    for power in 0..whole.done() {
        let machine = Machine::with_power(power);
        let acknowledged = run(&machine, &commits, 0);
        let (longest, named) = machine.pending();
        for cut in 0..=longest {
            for names in if named { &[0, 1, usize::MAX][..] } else { &[0] } {
                let mut number = 0;
                let mut draw = |below: usize| {
                    number += 1;
                    match (number, below) {
                        // A number of the first changes.
                        (1, _) => (*names).min(below - 2),
                        (_, 4) => 2,
                        _ => cut.min(below - 1),
                    }
                };
                holds(&machine.restarted(&mut draw), &states, acknowledged);
            }
        }
    }
}

/// A disk fails for a while: what was acknowledged is there, and what comes later is, too.
#[test]
fn a_disk_that_fails_and_recovers_keeps_what_it_acknowledged() {
    let commits: Vec<Vec<Deed>> =
        (0..30).map(|number| vec![Deed::Node(1, 9_000), Deed::Lease(number, 1)]).collect();
    let whole = Machine::with_power(usize::MAX);
    run(&whole, &commits, 0);
    for fails in 0..whole.done() - 8 {
        let machine = Machine::with_power(usize::MAX);
        let (mut keeper, ..) = Keeper::open(machine.clone(), None, 7).unwrap();
        keeper.log().hurry(2000, 2);
        machine.set_power(Some(fails));
        let mut kept = Vec::new();
        for (number, deeds) in (1..).zip(&commits) {
            let changes: Vec<Change> = deeds.iter().map(|deed| change(deed, number)).collect();
            for attempt in 0..4 {
                match keeper.commit(&changes, Time(number)) {
                    Ok(()) => {
                        kept.push(deeds.clone());
                        break;
                    }
                    Err(_) if attempt < 2 => {}
                    Err(error) => {
                        assert!(!machine.has_power(), "{error:?}");
                        machine.set_power(None);
                    }
                }
            }
            keeper.log().settle();
        }
        drop(keeper);
        assert_eq!(kept.len(), commits.len());
        let states = model(&kept);
        holds(&machine.restarted(&mut |_| 0), &states, kept.len());
    }
}
