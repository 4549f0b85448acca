//! What a change of a node means for log and journal.

use crate::{
    ids::{Mac, MachineId, Stage},
    nodes::{Life, Node},
};

/// A stage change, for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Which node.
    pub mac: Mac,
    /// From here
    pub from: Stage,
    /// to here.
    pub to: Stage,
}

/// A record for the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordChange {
    /// A node as it is now.
    Put(Box<Node>),
    /// No node goes by this address any more.
    Drop(Mac),
    /// Several machines call themselves by this identifier: it tells nothing.
    Shared(MachineId),
}

/// What was done to one node: a stage change worth a log line, and what the journal must know.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Update {
    /// The stage change, if there was one.
    pub moved: Option<Moved>,
    /// The node, if it changed in more than its last sign of life and its transfer's count.
    pub changed: Option<Box<Node>>,
    /// The machine that gave way to this one.
    pub forgotten: Option<Mac>,
}

pub(super) fn compare(before: &Node, after: &Node) -> Update {
    let (from, to) = (before.stage(), after.stage());
    let moved = (from != to).then_some(Moved { mac: after.mac, from, to });
    let changed = (!is_same_but_for_counts(before, after)).then(|| Box::new(after.clone()));
    Update { moved, changed, forgotten: None }
}

/// Whether two states of a node differ in its last sign of life and its transfer's count at most: those are not worth
/// a write each.
fn is_same_but_for_counts(before: &Node, after: &Node) -> bool {
    let mut same = after.clone();
    same.seen = before.seen;
    if let (Life::Overwriting { image: Some(image), .. }, Life::Overwriting { image: Some(earlier), .. }) =
        (&mut same.life, &before.life)
        && image.total() == earlier.total()
        && image.is_whole() == earlier.is_whole()
    {
        image.clone_from(earlier);
    }
    same == *before
}
