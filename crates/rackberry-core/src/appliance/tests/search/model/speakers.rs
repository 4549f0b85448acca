//! Somebody else on the switch, who speaks for a machine: with its address, or in its name.

use std::sync::Mutex;

use super::*;
use crate::{appliance::tests::switch::sent_by, dhcp::Packet};

/// On the switch, and nobody's node.
const THIEF: Mac = Mac([2, 0, 0, 0, 0, 9]);

impl Model {
    /// Nobody gets what is a machine's by answering for its address, nor changes anything by speaking in its name.
    pub(super) fn check_speakers(&self) -> Result<(), String> {
        for (number, machine) in self.machines.iter().enumerate() {
            for card in machine.cards.iter().filter(|card| self.world.leases.contains_key(card)) {
                let others = self.machines.iter().enumerate().filter(|(other, _)| *other != number);
                let thieves = others.map(|(_, other)| other.cards[0]).chain([THIEF]);
                let mut world = self.world.clone();
                for thief in thieves {
                    check_taken_address(&mut world, *card, thief)?;
                }
                check_spoofed(&mut world, *card)?;
            }
        }
        Ok(())
    }
}

/// A thief answers for the address of this card.
fn check_taken_address(world: &mut World, card: Mac, thief: Mac) -> Result<(), String> {
    let address = world.address(card);
    let has_grant = world.appliance.nodes().get(card).is_some_and(|node| node.grant().is_some());
    if has_grant {
        for path in [CONFIG.to_owned(), format!("/cloud-configs/{card}.yml"), IMAGE.to_owned()] {
            if is_given(&world.ask_as(address, thief, &path)) {
                return Err(format!("{thief} has taken the address of {card}, and gets {path}"));
            }
        }
        let menu = world.ask_as(address, thief, MENU);
        let leads = match &menu {
            Answer::Text { body, .. } => body.contains("KERNEL") || token_in(body).is_some(),
            other => matches!(other, Answer::File { .. }),
        };
        if leads {
            return Err(format!("{thief} has taken the address of {card}, and gets its menu"));
        }
    }
    let from = Requester { address, hardware: Some(thief) };
    match world.says_as(from, card, "", Stage::Installed, true) {
        Answer::Done(_) => Err(format!("{thief} has taken the address of {card}, and speaks for it")),
        _ => Ok(()),
    }
}

/// A thief gives the lease of this card away, and asks for it anew, in that one's name.
fn check_spoofed(world: &mut World, card: Mac) -> Result<(), String> {
    type Known = HashMap<(Mac, Ipv4Addr), Arc<[Packet; 2]>>;
    static MADE: Mutex<Option<Known>> = Mutex::new(None);
    let address = world.address(card);
    let mut made = MADE.lock().unwrap();
    let packets = made.get_or_insert_default().entry((card, address)).or_insert_with(|| {
        let kinds = [MessageType::Release, MessageType::Request];
        Arc::new(
            kinds.map(|kind| sent_by(THIEF, address, card, kind, &[DhcpOption::RequestedIpAddress(address)])),
        )
    });
    let packets = packets.clone();
    drop(made);
    for packet in packets.iter() {
        let outcome = world.appliance.packet(packet, world.now);
        let acts = |effect: &Effect| !matches!(effect, Effect::Note(_));
        if !outcome.changes.is_empty() || outcome.effects.iter().any(acts) {
            return Err(format!("{THIEF} sends a {:?} in the name of {card}, and is heard", packet.kind()));
        }
    }
    Ok(())
}
