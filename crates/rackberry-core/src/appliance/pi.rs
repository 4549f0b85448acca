//! Raspberry Pis, whose boot ROMs and bootloaders ask for files by names of their own.
//!
//! They load their firmware, that loads U-Boot, and U-Boot asks again, as on any other arm64 machine.

use crate::{
    appliance::{Appliance, Change, Outcome, Requester},
    dhcp,
    ids::{Arch, Mac, Time},
    nodes::Node,
};

/// Where their files lie among the loaders.
const FOLDER: &str = "raspberry-pi";

impl Appliance {
    /// Whether this is the U-Boot that a Raspberry Pi has loaded from here, and no new start of the Pi. After its own
    /// way (architecture 22) U-Boot tries that of UEFI (11).
    pub(super) fn is_pis_uboot(&self, client: &dhcp::Client) -> bool {
        let is_uboot = matches!(client.arch, Some(Arch::UbootArm64 | Arch::EfiArm64));
        is_uboot
            && self.nodes.get(client.mac).is_some_and(is_pi)
            && self.boot_attempts.of(self.trail_of(client.mac)).has_only_its_loader()
    }

    /// Up to the Pi 3, a Raspberry Pi goes on with the address of an OFFER and sends no REQUEST (its documentation,
    /// known problems of network boot). The address is its own when it asks for a file from it.
    pub(super) fn take_up_offer(&mut self, from: Requester, now: Time, out: &mut Outcome) {
        let Some(mac) = self.dhcp.offered_to(from.address) else { return };
        let is_it = from.hardware.is_none_or(|hardware| hardware == mac);
        let is_new = self.dhcp.address_of(mac, now) != Some(from.address);
        if is_it && is_new && self.nodes.get(mac).is_some_and(is_pi) {
            out.changes.extend(self.dhcp.take_up(mac, now).into_iter().map(Change::Lease));
        }
    }

    /// Where the file lies that a Raspberry Pi means, if it may have it: only while it is to install. Anything else is
    /// looked for as it is asked for.
    pub(super) fn pi_path(&self, node: Option<Mac>, path: &[String]) -> Option<Vec<String>> {
        let node = self.nodes.get(node?)?;
        if !is_pi(node) || node.grant().is_none() {
            return None;
        }
        let below = |path: &[String]| [&[FOLDER.to_owned()], path].concat();
        if let [folder, rest @ ..] = path
            && !rest.is_empty()
            && (serial(folder).is_some() || mac_of(folder).is_some())
        {
            // Files for one machine only are not mixed with those for all.
            let is_own = self.catalog.has_own_loaders(&below(std::slice::from_ref(folder)));
            let place = below(if is_own { path } else { rest });
            return (is_own || self.catalog.loader(&place).is_some()).then_some(place);
        }
        Some(below(path)).filter(|place| self.catalog.loader(place).is_some())
    }
}

fn is_pi(node: &Node) -> bool {
    node.arch == Some(Arch::RaspberryPi)
}

/// A serial number's lower half, as the firmware writes it.
fn serial(folder: &str) -> Option<u32> {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let is_serial = folder.len() == 8 && folder.bytes().all(is_digit);
    is_serial.then(|| u32::from_str_radix(folder, 16).ok()).flatten()
}

/// A folder's name with `TFTP_PREFIX=2`.
fn mac_of(folder: &str) -> Option<Mac> {
    folder.parse().ok().filter(|mac: &Mac| mac.dashed() == folder)
}
