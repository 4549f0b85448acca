//! What was acknowledged, as those tell who heard it; and whether a state that was found on the disk has it.

use std::collections::BTreeMap;

use rackberry_core::{
    appliance::Stored,
    ids::Mac,
    nodes::{Disk, Life, Node},
};

use super::NODES;

/// All that was heard since the test began.
#[derive(Debug, Default)]
pub struct Ledger {
    leases: BTreeMap<Mac, String>,
    owners: BTreeMap<String, Mac>,
    machines: BTreeMap<Mac, Machine>,
    order: u64,
    pub counts: Counts,
}

/// How much was heard.
#[derive(Debug, Default)]
pub struct Counts {
    pub leases: usize,
    pub orders: usize,
    pub images: usize,
    pub reports: usize,
}

/// What was heard of one machine.
#[derive(Debug, Default)]
struct Machine {
    /// It was led into its installer; began to receive its image; was named in an order to install again.
    led: u32,
    images: u32,
    again: u32,
    /// What was heard last.
    last: Last,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Last {
    #[default]
    Nothing,
    Led,
    Image,
    Written,
    Installed,
}

impl Ledger {
    /// Takes a line of `load.py` in.
    pub fn take(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        let mac = |text: &str| text.parse::<Mac>().expect("a hardware address");
        match words[..] {
            ["ack", client, address] => self.leased(mac(client), address),
            ["led", client] => {
                let machine = self.machine(client);
                (machine.led, machine.last) = (machine.led + 1, Last::Led);
            }
            ["image", client] => {
                let machine = self.machine(client);
                (machine.images, machine.last) = (machine.images + 1, Last::Image);
                self.counts.images += 1;
            }
            ["report", client, stage] => {
                self.machine(client).last = if stage == "written" { Last::Written } else { Last::Installed };
                self.counts.reports += 1;
            }
            ["asked", "again", client] => self.machine(client).again += 1,
            ["asked", ..] => {}
            ["done", _, _, order] => {
                self.order = self.order.max(order.parse().expect("a number"));
                self.counts.orders += 1;
            }
            // "broken" among them: what was received is not the image.
            _ => panic!("a client says: {line}"),
        }
    }

    fn leased(&mut self, mac: Mac, address: &str) {
        let before = self.leases.insert(mac, address.to_owned());
        assert!(before.is_none(), "{mac} had {before:?}, and then got {address}");
        let owner = self.owners.insert(address.to_owned(), mac);
        assert!(owner.is_none(), "{address} was leased to {owner:?}, and then to {mac}");
        self.counts.leases += 1;
    }

    fn machine(&mut self, client: &str) -> &mut Machine {
        self.machines.entry(client.parse().expect("a hardware address")).or_default()
    }

    /// A state that was found after a crash lacks nothing of it.
    pub fn is_in(&self, stored: &Stored) {
        assert_eq!(stored.loss, None);
        let leases: BTreeMap<Mac, String> =
            stored.leases.iter().map(|lease| (lease.mac, lease.address.to_string())).collect();
        for (mac, address) in &self.leases {
            assert_eq!(leases.get(mac), Some(address), "the lease of {mac}");
        }
        assert!(stored.order.0 >= self.order, "order {} of {}", stored.order.0, self.order);
        for mac in NODES.map(|mac| mac.parse::<Mac>().expect("a hardware address")) {
            let nothing = Machine::default();
            let heard = self.machines.get(&mac).unwrap_or(&nothing);
            // By everybody's orders once, and each time that somebody names it.
            assert!(heard.images <= 1 + heard.again, "{mac} was overwritten unasked: {heard:?}");
            match stored.nodes.iter().find(|node| node.mac == mac) {
                Some(node) => is_as_heard(node, heard),
                None => assert_eq!(heard.led, 0, "{mac} is forgotten"),
            }
        }
    }
}

fn is_as_heard(node: &Node, heard: &Machine) {
    let tell = || format!("{heard:?}, but {node:?}");
    assert!(node.writes >= heard.images, "{}", tell());
    assert!(node.writes <= heard.led, "{}", tell());
    let is_written = match heard.last {
        Last::Nothing | Last::Led => return,
        Last::Image => {
            assert!(*node.disk() != Disk::Untouched, "{}", tell());
            return;
        }
        Last::Written => matches!(node.disk(), Disk::Written { .. } | Disk::Running { .. }),
        Last::Installed => matches!(node.disk(), Disk::Running { said: true, .. }),
    };
    assert!(is_written && !matches!(node.life, Life::Overwriting { .. }), "{}", tell());
}
