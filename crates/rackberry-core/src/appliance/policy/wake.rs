//! Wake-on-LAN: machines are switched on from here, where their cards listen while they are off.

use crate::{
    appliance::{
        Effect, Note, Reaction, Refusal, Whom,
        decision::Decision,
        policy::{BootPolicy, Known},
    },
    dhcp,
    ids::Mac,
};

/// Whom a call wakes.
#[derive(Debug, Clone, Copy)]
pub struct Waking<'a> {
    known: Known<'a>,
}

impl<'a> Waking<'a> {
    /// By what is known.
    pub fn new(known: Known<'a>) -> Waking<'a> {
        Waking { known }
    }

    /// Wakes one node, by its name or any of its addresses.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] if nothing is known of it.
    pub fn one(&self, node: &str, out: &mut Reaction) -> Result<String, Refusal> {
        let mac = self.known.find(node)?;
        if !self.known.nodes().is_listed(mac) && self.known.nodes().get(mac).is_none() {
            let text =
                format!("nothing is known of {node}; list it in the configuration, or let it boot once");
            return Err(Refusal::NotFound(text));
        }
        Ok(self.call(&[mac], out))
    }

    /// Wakes the nodes that were just armed: those that were named, or all that are known and may install.
    pub fn armed(&self, whom: &Whom, out: &mut Reaction) -> String {
        let nodes = self.known.nodes();
        let armed: Vec<Mac> = match whom {
            Whom::Named(named) => named.iter().filter_map(|node| nodes.find(node)).collect(),
            Whom::NotInstalled | Whom::All => {
                let policy = BootPolicy::new(self.known);
                let known = nodes.all().filter(|(mac, node)| {
                    matches!(policy.decide(*mac), Decision::Lead(_))
                        && node.is_none_or(|node| !node.stage().is_running())
                });
                known.map(|(mac, _)| mac).collect()
            }
        };
        if armed.is_empty() { "no node is known that could be woken".into() } else { self.call(&armed, out) }
    }

    fn call(&self, nodes: &[Mac], out: &mut Reaction) -> String {
        for mac in nodes {
            // Any of a machine's cards may be the one that is set to listen.
            for card in self.known.nodes().cards(*mac) {
                out.effect(Effect::Dhcp(dhcp::Action::Wake(card)));
            }
        }
        let names: Vec<String> = nodes.iter().map(|mac| self.known.label(*mac)).collect();
        let names = names.join(", ");
        out.note(Note::Woken { nodes: names.clone() });
        format!("wake-up call sent to {names}")
    }
}
