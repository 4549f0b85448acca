//! Nodes as journals have them: as they are written now, and as they were before.

use std::{collections::BTreeSet, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    ids::{Arch, Loader, Mac, MachineId, OfferStyle, OrderKind, Stage, Time, lines, one_line},
    nodes::{Approach, Disk, Failure, Grant, Image, Installed, LastInstall, Life, Node},
    orders::OrderId,
};

/// A node's record as it is written now.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeRecord {
    mac: Mac,
    cards: BTreeSet<Mac>,
    machine: Option<MachineId>,
    since: Time,
    seen: Time,
    arch: Option<Arch>,
    offer_style: Option<OfferStyle>,
    loader: Option<Loader>,
    life: LifeRecord,
    disk: Disk,
    last: Option<LastInstall>,
    #[serde(default)]
    is_led: bool,
    writes: u32,
    log: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum LifeRecord {
    Resting,
    Granted { grant: Grant, approach: ApproachRecord, before: Option<Failure> },
    Overwriting { grant: Grant, image: Option<Image> },
    Failed(Failure),
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct ApproachRecord {
    stage: Stage,
    kernel: bool,
    initrd: bool,
    is_own: bool,
}

impl ApproachRecord {
    fn of(approach: Approach) -> ApproachRecord {
        let (kernel, initrd) = approach.has();
        ApproachRecord { stage: approach.stage(), kernel, initrd, is_own: false }
    }
}

impl From<NodeRecord> for Node {
    fn from(record: NodeRecord) -> Node {
        let NodeRecord { mac, cards, machine, since, seen, arch, offer_style, loader, .. } = record;
        let NodeRecord { life, disk, last, is_led, writes, log, .. } = record;
        let life = match life {
            LifeRecord::Resting => Life::Resting { disk },
            LifeRecord::Granted { grant, approach: record, before } => {
                let approach = Approach::restored(record.stage, (record.kernel, record.initrd));
                match record.is_own {
                    true => Life::RunsOwn { grant, approach, disk },
                    false => Life::Granted { grant, approach, before, disk },
                }
            }
            LifeRecord::Overwriting { grant, image } => Life::Overwriting { grant, image },
            LifeRecord::Failed(failure) => {
                // Versions before kept a machine's words as they came.
                let failure = Failure { reason: one_line(&failure.reason), ..failure };
                Life::Failed { failure, disk }
            }
        };
        let log = lines(&log);
        Node { mac, cards, machine, since, seen, arch, offer_style, loader, life, last, is_led, writes, log }
    }
}

impl From<Node> for NodeRecord {
    fn from(node: Node) -> NodeRecord {
        let disk = node.disk().clone();
        let Node { mac, cards, machine, since, seen, arch, offer_style, loader, .. } = node;
        let Node { life, last, is_led, writes, log, .. } = node;
        let life = match life {
            Life::Resting { .. } => LifeRecord::Resting,
            Life::Granted { grant, approach, before, .. } => {
                LifeRecord::Granted { grant, approach: ApproachRecord::of(approach), before }
            }
            Life::RunsOwn { grant, approach, .. } => {
                let approach = ApproachRecord { is_own: true, ..ApproachRecord::of(approach) };
                LifeRecord::Granted { grant, approach, before: None }
            }
            Life::Overwriting { grant, image } => LifeRecord::Overwriting { grant, image },
            Life::Failed { failure, .. } => LifeRecord::Failed(failure),
        };
        NodeRecord {
            mac,
            cards,
            machine,
            since,
            seen,
            arch,
            offer_style,
            loader,
            life,
            disk,
            last,
            is_led,
            writes,
            log,
        }
    }
}

/// A node's record in a journal, of this layout or of the first.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum StoredNode {
    /// As it is written now.
    Now(Box<Node>),
    /// As layout 1 had it.
    First(Box<FirstNode>),
}

/// What layout 1 kept of a node: one flat record.
#[derive(Debug, Deserialize)]
pub struct FirstNode {
    mac: Mac,
    stage: Stage,
    since: Time,
    seen: Time,
    arch: Option<Arch>,
    grant: Option<FirstGrant>,
    fetched: (bool, bool),
    image: Option<FirstImage>,
    failure: Option<Failure>,
    installed: Option<Installed>,
    writes: u32,
    log: String,
    #[serde(default)]
    offer_style: Option<OfferStyle>,
    #[serde(default)]
    loader: Option<Loader>,
}

#[derive(Debug, Deserialize)]
struct FirstGrant {
    arming: u64,
    live: bool,
    profile: String,
    version: String,
    arch: String,
    token: String,
    silence: Duration,
    made: Time,
    spent: bool,
}

#[derive(Debug, Deserialize)]
struct FirstImage {
    total: u64,
}

impl From<StoredNode> for Node {
    fn from(stored: StoredNode) -> Node {
        match stored {
            StoredNode::Now(node) => *node,
            StoredNode::First(first) => (*first).into(),
        }
    }
}

impl From<FirstNode> for Node {
    fn from(first: FirstNode) -> Node {
        let is_spent = first.is_spent();
        let life = first.life();
        Node {
            mac: first.mac,
            cards: BTreeSet::from([first.mac]),
            machine: None,
            since: first.since,
            seen: first.seen,
            arch: first.arch,
            offer_style: first.offer_style,
            loader: first.loader,
            life,
            last: None,
            // It may be on its way there, and its next network boot tells.
            is_led: is_spent && first.stage == Stage::Installing,
            writes: first.writes,
            log: first.log,
        }
    }
}

impl FirstNode {
    /// Whether its disk was being overwritten, or is.
    fn is_spent(&self) -> bool {
        self.grant.as_ref().is_some_and(|grant| grant.spent)
    }

    /// The first layout counted the last byte of an image for all of it, and knew of a failed install only that: where it
    /// can't be told what is on a disk, that is what is kept.
    fn disk(&self) -> Disk {
        let is_spent = self.is_spent();
        let failed_in = self.failure.as_ref().map(|failure| failure.stage);
        match (&self.installed, self.stage) {
            (Some(system), Stage::Written) => Disk::Written { system: system.clone(), said: false },
            (Some(system), Stage::Failed) if failed_in == Some(Stage::Written) => {
                Disk::Written { system: system.clone(), said: false }
            }
            (Some(system), _) => Disk::Running { system: system.clone(), said: false },
            (None, _) if is_spent => Disk::Unsure,
            (None, Stage::Failed) if failed_in == Some(Stage::Installing) => Disk::Incomplete,
            (None, _) if self.writes > 0 => Disk::Unsure,
            (None, _) => Disk::Untouched,
        }
    }

    fn life(&self) -> Life {
        let (is_spent, disk) = (self.is_spent(), self.disk());
        match (&self.grant, &self.failure) {
            // Written, and only its start was missing.
            (Some(_), _) if is_spent && self.stage == Stage::Written => Life::Resting { disk },
            (Some(old), _) if is_spent => Life::Overwriting {
                grant: old.grant(self.mac),
                image: self.image.as_ref().map(|image| {
                    let mut image = Image::new(image.total);
                    image.was_away();
                    image
                }),
            },
            (Some(old), _) => Life::Granted {
                grant: old.grant(self.mac),
                approach: Approach::restored(self.stage, self.fetched),
                before: None,
                disk,
            },
            (None, Some(failure)) if self.stage == Stage::Failed => {
                Life::Failed { failure: failure.clone(), disk }
            }
            (None, _) => Life::Resting { disk },
        }
    }
}

impl FirstGrant {
    fn grant(&self, card: Mac) -> Grant {
        Grant {
            order: OrderId(self.arming),
            kind: if self.live { OrderKind::Live } else { OrderKind::Install },
            card,
            // Whom the order meant was not kept.
            overwrites_marked: false,
            profile: self.profile.clone(),
            version: self.version.clone(),
            arch: self.arch.clone(),
            token: self.token.clone(),
            silence: self.silence,
            made: self.made,
        }
    }
}

#[cfg(test)]
#[allow(clippy::fn_params_excessive_bools)]
mod tests {
    use super::*;

    /// As a journal of layout 1 has it.
    fn record(stage: &str, rest: &str) -> Node {
        let text = format!(
            "{{\"mac\":\"52:54:00:00:00:01\",\"stage\":\"{stage}\",\"since\":1000,\"seen\":2000,\"arch\":\"EfiX64\",\
             \"address\":null,\"last_arming\":3,\"log\":\"\",\"offer_style\":null,\"loader\":\"grub\",{rest}}}"
        );
        serde_json::from_str::<StoredNode>(&text).unwrap().into()
    }

    fn grant(spent: bool) -> String {
        format!(
            "\"grant\":{{\"arming\":3,\"live\":false,\"profile\":\"coreos\",\"version\":\"1010.5.0\",\"arch\":\"x86_64\",\
             \"token\":\"12ab\",\"silence\":{{\"secs\":600,\"nanos\":0}},\"made\":1,\"spent\":{spent}}}"
        )
    }

    const SYSTEM: &str = "\"installed\":{\"profile\":\"coreos\",\"version\":\"1010.5.0\",\"at\":1500}";

    #[test]
    fn records_of_layout_1_mean_the_same() {
        let none = "\"fetched\":[false,false],\"image\":null,\"failure\":null";
        let installed = record("installed", &format!("\"grant\":null,{none},{SYSTEM},\"writes\":1"));
        assert_eq!((installed.stage(), installed.writes), (Stage::Installed, 1));
        assert!(installed.disk().is_ours());
        let idle = record("idle", &format!("\"grant\":null,{none},\"installed\":null,\"writes\":0"));
        assert_eq!((idle.stage(), idle.disk()), (Stage::Idle, &Disk::Untouched));
        assert_eq!((idle.arch, idle.loader), (Some(Arch::EfiX64), Some(Loader::Grub)));
        let image = "\"fetched\":[true,true],\"image\":{\"sent\":40,\"total\":100},\"failure\":null";
        let running =
            record("installing", &format!("{},{image},\"installed\":null,\"writes\":1", grant(true)));
        assert_eq!(
            (running.stage(), running.image().map(|image| image.total)),
            (Stage::Installing, Some(100))
        );
        assert!(running.disk().is_ours(), "nobody knows");
        let written = record("written", &format!("{},{image},{SYSTEM},\"writes\":1", grant(true)));
        assert_eq!((written.stage(), written.disk().is_ours()), (Stage::Written, true));
        let failure =
            "\"fetched\":[true,true],\"image\":null,\"failure\":{\"stage\":\"installing\",\"reason\":\"no\"}";
        let failed = record("failed", &format!("\"grant\":null,{failure},\"installed\":null,\"writes\":1"));
        assert_eq!((failed.stage(), failed.disk()), (Stage::Failed, &Disk::Incomplete));
        let waiting = record("loading", &format!("{},{none},\"installed\":null,\"writes\":0", grant(false)));
        assert_eq!(waiting.stage(), Stage::Loading);
        assert!(waiting.unused_grant().is_some());
    }

    #[test]
    fn what_is_written_now_reads_back() {
        let node = Node::new(Mac([2, 0, 0, 0, 0, 1]), Time(7));
        let text = serde_json::to_string(&node).unwrap();
        assert_eq!(Node::from(serde_json::from_str::<StoredNode>(&text).unwrap()), node);
    }
}
