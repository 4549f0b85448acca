//! What records say: lines of text, so that a person can read them when something went wrong.
//!
//! ```text
//! TIME CHANGES
//! node MAC {...}
//! no-node MAC
//! lease MAC ADDRESS UNTIL
//! no-lease MAC
//! shared IDENTIFIER
//! order NUMBER
//! loss "..."
//! no-loss
//! ```

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use rackberry_core::{
    appliance::{Change, Stored},
    dhcp::{Lease, LeaseChange},
    ids::{Mac, MachineId, Time},
    nodes::Node,
    orders::OrderId,
};

/// Records that a file is made with are about so long.
const PIECE: usize = 64 << 10;

/// What all records together say; each thing as its last line has it.
#[derive(Debug, Default)]
pub struct Contents<'t> {
    /// How often what is known of disks had changed.
    pub changes: u64,
    time: u64,
    nodes: BTreeMap<&'t str, &'t str>,
    leases: BTreeMap<&'t str, &'t str>,
    shared: BTreeSet<&'t str>,
    order: u64,
    loss: Option<&'t str>,
}

/// A line makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Senseless;

/// What a change is about.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    Node(Mac),
    Lease(Mac),
    Shared(MachineId),
    Order,
    Loss,
}

/// The body of a commit: of several changes to the same thing, the last.
///
/// # Errors
/// When a node can't be coded.
pub fn body(changes: &[Change], now: Time, count: u64) -> Result<String, serde_json::Error> {
    let mut seen = BTreeSet::new();
    let mut last: Vec<&Change> = changes.iter().rev().filter(|change| seen.insert(subject(change))).collect();
    last.reverse();
    let mut text = format!("{} {count}", now.0);
    for change in last {
        line(&mut text, change)?;
    }
    Ok(text)
}

fn subject(change: &Change) -> Subject {
    match change {
        Change::Node(node) => Subject::Node(node.mac),
        Change::NoNode(mac) => Subject::Node(*mac),
        Change::Lease(change) => Subject::Lease(change.mac()),
        Change::Shared(machine) => Subject::Shared(*machine),
        Change::Order(_) => Subject::Order,
        Change::Loss(_) => Subject::Loss,
    }
}

fn line(text: &mut String, change: &Change) -> Result<(), serde_json::Error> {
    // Writing to a string fails never.
    let _ = match change {
        Change::Node(node) => write!(text, "\nnode {} {}", node.mac, serde_json::to_string(node)?),
        Change::NoNode(mac) => write!(text, "\nno-node {mac}"),
        Change::Lease(LeaseChange::Put(Lease { mac, address, until })) => {
            write!(text, "\nlease {mac} {address} {}", until.0)
        }
        Change::Lease(LeaseChange::Drop(mac)) => write!(text, "\nno-lease {mac}"),
        Change::Shared(machine) => write!(text, "\nshared {machine}"),
        Change::Order(order) => write!(text, "\norder {}", order.0),
        Change::Loss(Some(loss)) => write!(text, "\nloss {}", serde_json::to_string(loss)?),
        Change::Loss(None) => write!(text, "\nno-loss"),
    };
    Ok(())
}

/// The changes that lead to a state.
pub fn changes_of(stored: Stored) -> Vec<Change> {
    let nodes = stored.nodes.into_iter().map(|node| Change::Node(Box::new(node)));
    let leases = stored.leases.into_iter().map(|lease| Change::Lease(LeaseChange::Put(lease)));
    let shared = stored.shared.into_iter().map(Change::Shared);
    let rest = [Change::Order(stored.order), Change::Loss(stored.loss)];
    nodes.chain(leases).chain(shared).chain(rest).collect()
}

impl<'t> Contents<'t> {
    /// Takes in what a record says.
    pub fn apply(&mut self, body: &'t str) -> Result<(), Senseless> {
        let mut lines = body.lines();
        let (time, changes) = lines.next().and_then(|line| line.split_once(' ')).ok_or(Senseless)?;
        self.time = time.parse().map_err(|_| Senseless)?;
        self.changes = changes.parse().map_err(|_| Senseless)?;
        lines.try_for_each(|line| self.take(line))
    }

    fn take(&mut self, line: &'t str) -> Result<(), Senseless> {
        let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
        let pair = || rest.split_once(' ').ok_or(Senseless);
        match kind {
            "node" => {
                let (mac, node) = pair()?;
                self.nodes.insert(mac, node);
            }
            "no-node" => drop(self.nodes.remove(rest)),
            "lease" => {
                let (mac, lease) = pair()?;
                self.leases.insert(mac, lease);
            }
            "no-lease" => drop(self.leases.remove(rest)),
            "shared" => drop(self.shared.insert(rest)),
            "order" => self.order = rest.parse().map_err(|_| Senseless)?,
            "loss" => self.loss = Some(rest),
            "no-loss" => self.loss = None,
            _ => return Err(Senseless),
        }
        Ok(())
    }

    /// The bodies of the records that say the same, in short.
    pub fn bodies(&self) -> Vec<String> {
        let head = format!("{} {}", self.time, self.changes);
        let mut bodies = vec![head.clone()];
        let mut add = |line: std::fmt::Arguments<'_>| {
            if bodies.last().is_some_and(|body| body.len() > PIECE) {
                bodies.push(head.clone());
            }
            if let Some(body) = bodies.last_mut() {
                let _ = write!(body, "\n{line}");
            }
        };
        self.nodes.iter().for_each(|(mac, node)| add(format_args!("node {mac} {node}")));
        self.leases.iter().for_each(|(mac, lease)| add(format_args!("lease {mac} {lease}")));
        self.shared.iter().for_each(|machine| add(format_args!("shared {machine}")));
        add(format_args!("order {}", self.order));
        if let Some(loss) = self.loss {
            add(format_args!("loss {loss}"));
        }
        bodies
    }

    /// The state.
    ///
    /// # Errors
    /// When a line makes no sense.
    pub fn stored(&self) -> Result<Stored, Senseless> {
        fn json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, Senseless> {
            serde_json::from_str(text).map_err(|_| Senseless)
        }
        let leases = self.leases.iter().map(|(mac, rest)| {
            let (address, until) = rest.split_once(' ').ok_or(Senseless)?;
            let until = Time(until.parse().map_err(|_| Senseless)?);
            let address = address.parse().map_err(|_| Senseless)?;
            Ok(Lease { mac: mac.parse().map_err(|_| Senseless)?, address, until })
        });
        Ok(Stored {
            nodes: self.nodes.values().map(|node| json::<Node>(node)).collect::<Result<_, _>>()?,
            leases: leases.collect::<Result<_, _>>()?,
            shared: self
                .shared
                .iter()
                .map(|machine| machine.parse().map_err(|_| Senseless))
                .collect::<Result<_, _>>()?,
            order: OrderId(self.order),
            time: Time(self.time),
            loss: self.loss.map(json).transpose()?,
        })
    }
}
