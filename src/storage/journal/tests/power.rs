//! A file system that loses its power: what was not synced is gone, there, or there in part.

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    sync::{Arc, Mutex},
};

use proptest::prelude::*;

use super::*;
use disk::{Folder, Store};
use keeper::Keeper;
use rackberry_core::dhcp::{Lease, LeaseChange};

/// What a disk writes as a whole.
const SECTOR: usize = 512;

/// The bytes of a file, and what was written since they were synced.
#[derive(Debug, Clone, Default)]
struct Inode {
    durable: Vec<u8>,
    pending: Vec<(usize, Vec<u8>)>,
}

#[derive(Debug, Clone)]
enum Named {
    To(String, usize),
    Gone(String),
}

#[derive(Debug, Clone, Default)]
struct State {
    inodes: Vec<Inode>,
    durable: BTreeMap<String, usize>,
    /// What happened to names since the folder was synced, in order.
    pending: Vec<Named>,
    /// So many operations until the power fails; then none succeeds.
    power: usize,
    done: usize,
}

#[derive(Debug, Clone, Default)]
struct Machine(Arc<Mutex<State>>);

#[derive(Debug)]
struct Open(Machine, usize);

fn put(bytes: &mut Vec<u8>, at: usize, piece: &[u8]) {
    bytes.resize(bytes.len().max(at + piece.len()), 0);
    bytes[at..at + piece.len()].copy_from_slice(piece);
}

impl State {
    /// Everything as it looks while the power is there.
    fn bytes(&self, inode: usize) -> Vec<u8> {
        let mut bytes = self.inodes[inode].durable.clone();
        self.inodes[inode].pending.iter().for_each(|(at, piece)| put(&mut bytes, *at, piece));
        bytes
    }

    fn names(&self, so_many: usize) -> BTreeMap<String, usize> {
        let mut names = self.durable.clone();
        for change in &self.pending[..so_many] {
            match change {
                Named::To(name, inode) => drop(names.insert(name.clone(), *inode)),
                Named::Gone(name) => drop(names.remove(name)),
            }
        }
        names
    }

    fn inode(&self, name: &str) -> io::Result<usize> {
        let names = self.names(self.pending.len());
        names.get(name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn work(&mut self) -> io::Result<()> {
        self.done += 1;
        if self.done > self.power {
            return Err(io::Error::other("there is no power"));
        }
        Ok(())
    }
}

impl Machine {
    fn with_power(power: usize) -> Machine {
        Machine(Arc::new(Mutex::new(State { power, ..State::default() })))
    }

    fn done(&self) -> usize {
        self.0.lock().unwrap().done
    }

    /// What is there when the power is back. `draw` decides what became of that which was not synced: of names a number of
    /// the first changes; of each write all sectors, none, the first ones, or any.
    fn restarted(&self, draw: &mut impl FnMut(usize) -> usize) -> Machine {
        let state = self.0.lock().unwrap();
        let names = state.names(draw(state.pending.len() + 1));
        let mut inodes = Vec::new();
        for inode in &state.inodes {
            let mut bytes = inode.durable.clone();
            for (at, piece) in &inode.pending {
                survive(&mut bytes, *at, piece, draw);
            }
            inodes.push(Inode { durable: bytes, pending: Vec::new() });
        }
        let state = State { inodes, durable: names, power: usize::MAX, ..State::default() };
        Machine(Arc::new(Mutex::new(state)))
    }
}

fn survive(bytes: &mut Vec<u8>, at: usize, piece: &[u8], draw: &mut impl FnMut(usize) -> usize) {
    match draw(4) {
        0 => {}
        1 => put(bytes, at, piece),
        // At any byte.
        2 => put(bytes, at, &piece[..draw(piece.len() + 1)]),
        _ => {
            let mut from = at;
            while from < at + piece.len() {
                let to = ((from / SECTOR + 1) * SECTOR).min(at + piece.len());
                if draw(2) == 0 {
                    put(bytes, from, &piece[from - at..to - at]);
                }
                from = to;
            }
        }
    }
}

impl Folder for Machine {
    type File = Open;

    fn path(&self) -> &Path {
        Path::new("/nowhere at all")
    }
    fn open(&self, name: &str) -> io::Result<Open> {
        let mut state = self.0.lock().unwrap();
        state.work()?;
        Ok(Open(self.clone(), state.inode(name)?))
    }
    fn create(&self, name: &str) -> io::Result<Open> {
        let mut state = self.0.lock().unwrap();
        state.work()?;
        state.inodes.push(Inode::default());
        let inode = state.inodes.len() - 1;
        state.pending.push(Named::To(name.to_owned(), inode));
        Ok(Open(self.clone(), inode))
    }
    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let state = self.0.lock().unwrap();
        Ok(state.bytes(state.inode(name)?))
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.work()?;
        let inode = state.inode(from)?;
        state.pending.extend([Named::To(to.to_owned(), inode), Named::Gone(from.to_owned())]);
        Ok(())
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.work()?;
        state.inode(name)?;
        state.pending.push(Named::Gone(name.to_owned()));
        Ok(())
    }
    fn sync(&self) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.work()?;
        state.durable = state.names(state.pending.len());
        state.pending.clear();
        Ok(())
    }
}

impl Store for Open {
    fn read(&self, len: u64) -> io::Result<Vec<u8>> {
        let bytes = self.0.0.lock().unwrap().bytes(self.1);
        bytes
            .get(..usize::try_from(len).unwrap())
            .map(<[u8]>::to_vec)
            .ok_or(io::ErrorKind::UnexpectedEof.into())
    }
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        let mut state = self.0.0.lock().unwrap();
        // The power may fail in the middle of it.
        let worked = state.work();
        let is_last = state.done == state.power.saturating_add(1);
        if worked.is_ok() || is_last {
            state.inodes[self.1].pending.push((usize::try_from(at).unwrap(), bytes.to_vec()));
        }
        worked
    }
    fn sync(&self) -> io::Result<()> {
        let mut state = self.0.0.lock().unwrap();
        state.work()?;
        let bytes = state.bytes(self.1);
        state.inodes[self.1] = Inode { durable: bytes, pending: Vec::new() };
        Ok(())
    }
}

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
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

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
        let (used, rest) = (second.done(), &commits[at..]);
        second.0.lock().unwrap().power = used + again.index(2 * rest.len() + 20);
        let more = run(&second, rest, at as u64);
        holds(&second.restarted(&mut draw), &states, at + more);
    }
}

/// Every byte of the last write, and every operation before it.
#[test]
fn a_write_that_is_cut_at_any_byte_is_no_commit() {
    let commits: Vec<Vec<Deed>> = (0..6)
        .map(|number| vec![Deed::Node(1 + number % 2, 300), Deed::Lease(number, number), Deed::Order])
        .collect();
    let states = model(&commits);
    let whole = Machine::with_power(usize::MAX);
    run(&whole, &commits, 0);
    for power in 0..whole.done() {
        let machine = Machine::with_power(power);
        let acknowledged = run(&machine, &commits, 0);
        let (longest, named) = {
            let state = machine.0.lock().unwrap();
            let pieces = state.inodes.iter().flat_map(|inode| &inode.pending);
            // The zeros behind it are there anyway.
            let lengths = pieces.map(|(_, piece)| piece.iter().rposition(|byte| *byte != 0).unwrap_or(0) + 1);
            (lengths.max().unwrap_or(0), !state.pending.is_empty())
        };
        for cut in 0..=longest {
            for names in if named { &[0, 1, usize::MAX][..] } else { &[0] } {
                let mut number = 0;
                let mut draw = |below: usize| {
                    number += 1;
                    match (number, below) {
                        (1, _) => (*names).min(below - 1),
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
    for fails in 8..whole.done() {
        let machine = Machine::with_power(usize::MAX);
        let (mut keeper, ..) = Keeper::open(machine.clone(), None, 7).unwrap();
        keeper.log().hurry(2000, 2);
        machine.0.lock().unwrap().power = fails;
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
                        let mut state = machine.0.lock().unwrap();
                        assert!(state.power != usize::MAX, "{error:?}");
                        state.power = usize::MAX;
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
