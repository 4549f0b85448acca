//! Wake-on-LAN: machines are switched on from here, where their cards listen while they are off.

use crate::{
    appliance::{Appliance, Effect, Note, Outcome, Refusal, permission::Decision},
    dhcp,
    ids::{Mac, Time},
};

impl Appliance {
    /// Wakes one node, by its name or any of its addresses.
    pub(super) fn wake(&self, node: &str, out: &mut Outcome) -> Result<String, Refusal> {
        let mac = self.find(node)?;
        if !self.nodes.is_listed(mac) && self.nodes.get(mac).is_none() {
            let text =
                format!("nothing is known of {node}; list it in the configuration, or let it boot once");
            return Err(Refusal::NotFound(text));
        }
        Ok(self.call(&[mac], out))
    }

    /// Wakes the nodes that were just armed: those that were named, or all that are known and may install.
    pub(super) fn wake_armed(&self, named: &[String], now: Time, out: &mut Outcome) -> String {
        let armed: Vec<Mac> = if named.is_empty() {
            let known = self.nodes.all().filter(|(mac, node)| {
                matches!(self.decide(*mac, now), Decision::Lead(_))
                    && node.is_none_or(|node| !node.stage().is_running())
            });
            known.map(|(mac, _)| mac).collect()
        } else {
            named.iter().filter_map(|node| self.nodes.find(node)).collect()
        };
        if armed.is_empty() { "no node is known that could be woken".into() } else { self.call(&armed, out) }
    }

    fn call(&self, nodes: &[Mac], out: &mut Outcome) -> String {
        for mac in nodes {
            // Any of a machine's cards may be the one that is set to listen.
            let own = self.nodes.cards(*mac);
            out.effects.extend(own.into_iter().map(|mac| Effect::Dhcp(dhcp::Action::Wake(mac))));
        }
        let names: Vec<String> = nodes.iter().map(|mac| self.label(*mac)).collect();
        let names = names.join(", ");
        out.note(Note::Woken { nodes: names.clone() });
        format!("wake-up call sent to {names}")
    }
}
