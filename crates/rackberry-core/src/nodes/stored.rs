//! Nodes as journals of before have them.

use std::{collections::BTreeSet, time::Duration};

use serde::Deserialize;

use crate::{
    ids::{Arch, Loader, Mac, OfferStyle, OrderKind, Stage, Time},
    nodes::{Approach, Disk, Failure, Grant, Image, Installed, Life, Node},
    orders::OrderId,
};

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
        let (disk, life, is_spent) = (first.disk(), first.life(), first.is_spent());
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
            disk,
            last: None,
            // It may be on its way there, and its next network boot tells.
            is_led: is_spent && first.stage == Stage::Installing,
            writes: first.writes,
            log: first.log,
        }
    }
}

impl FirstNode {
    /// Whether its grant was used.
    fn is_spent(&self) -> bool {
        self.grant.as_ref().is_some_and(|grant| grant.spent)
    }

    /// The first layout counted the last byte of an image for all of it, and knew of a failed install only that: where it
    /// can't be told what is on a disk, that is what is kept.
    fn disk(&self) -> Disk {
        let failed_in = self.failure.as_ref().map(|failure| failure.stage);
        match (&self.installed, self.stage) {
            (Some(system), Stage::Written) => Disk::Written { system: system.clone(), said: false },
            (Some(system), Stage::Failed) if failed_in == Some(Stage::Written) => {
                Disk::Written { system: system.clone(), said: false }
            }
            (Some(system), _) => Disk::Running { system: system.clone(), said: false },
            (None, _) if self.is_spent() => Disk::Unsure,
            (None, Stage::Failed) if failed_in == Some(Stage::Installing) => Disk::Incomplete,
            (None, _) if self.writes > 0 => Disk::Unsure,
            (None, _) => Disk::Untouched,
        }
    }

    fn life(&self) -> Life {
        match (&self.grant, &self.failure) {
            // Written, and only its start was missing.
            (Some(_), _) if self.is_spent() && self.stage == Stage::Written => Life::Resting,
            (Some(old), _) if self.is_spent() => Life::Overwriting {
                grant: old.grant(self.mac),
                image: self.image.as_ref().map(|image| {
                    let mut image = Image::new(image.total);
                    image.was_away();
                    image
                }),
            },
            (Some(old), _) => Life::Granted {
                grant: old.grant(self.mac),
                approach: Approach {
                    stage: self.stage.clamp(Stage::Discovered, Stage::Configuring),
                    kernel: self.fetched.0,
                    initrd: self.fetched.1,
                    is_own: false,
                },
                before: None,
            },
            (None, Some(failure)) if self.stage == Stage::Failed => Life::Failed(failure.clone()),
            (None, _) => Life::Resting,
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

    fn grant(spent: &str) -> String {
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
        assert!(installed.disk.is_ours());
        let idle = record("idle", &format!("\"grant\":null,{none},\"installed\":null,\"writes\":0"));
        assert_eq!((idle.stage(), idle.disk), (Stage::Idle, Disk::Untouched));
        assert_eq!((idle.arch, idle.loader), (Some(Arch::EfiX64), Some(Loader::Grub)));
        let image = "\"fetched\":[true,true],\"image\":{\"sent\":40,\"total\":100},\"failure\":null";
        let running =
            record("installing", &format!("{},{image},\"installed\":null,\"writes\":1", grant("true")));
        assert_eq!(
            (running.stage(), running.image().map(|image| image.total)),
            (Stage::Installing, Some(100))
        );
        assert!(running.disk.is_ours(), "nobody knows");
        let written = record("written", &format!("{},{image},{SYSTEM},\"writes\":1", grant("true")));
        assert_eq!((written.stage(), written.disk.is_ours()), (Stage::Written, true));
        let failure =
            "\"fetched\":[true,true],\"image\":null,\"failure\":{\"stage\":\"installing\",\"reason\":\"no\"}";
        let failed = record("failed", &format!("\"grant\":null,{failure},\"installed\":null,\"writes\":1"));
        assert_eq!((failed.stage(), failed.disk), (Stage::Failed, Disk::Incomplete));
        let waiting =
            record("loading", &format!("{},{none},\"installed\":null,\"writes\":0", grant("false")));
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
