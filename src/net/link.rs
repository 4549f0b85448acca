//! The interface that is served: found, waited for, watched.

use std::{collections::BTreeSet, fs, net::Ipv4Addr, path::Path, time::Duration};

use nix::{
    ifaddrs::getifaddrs,
    sys::socket::{SockaddrIn, SockaddrStorage},
};
use tokio::time::sleep;

use crate::{
    net::dhcp::Link,
    service::handle::{Handle, Message},
};
use rackberry_core::{ids::Mac, panel::Trouble};

/// How often the interface is looked at. Netlink would tell at once, but a cable takes longer than this anyway.
const LOOK: Duration = Duration::from_millis(500);

/// A cable that is out for so long is told of. A link takes some seconds to come up.
pub const CABLE_PATIENCE: Duration = Duration::from_secs(10);
/// Where the kernel tells of its network interfaces.
const SYS: &str = "/sys/class/net";

/// No interface to serve.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct InterfaceError(String);

/// The interface to serve: the configured one, or the only wired one. Where there is none yet, it is waited for,
/// and `missing` is told so once: drivers load and adapters are plugged in after the service starts.
pub async fn interface(
    configured: Option<&str>,
    missing: impl FnOnce(String),
) -> Result<String, InterfaceError> {
    if let Some(name) = configured {
        return Ok(name.to_owned());
    }
    let mut missing = Some(missing);
    loop {
        match wired().as_slice() {
            [only] => return Ok(only.clone()),
            [] => {
                if let Some(missing) = missing.take() {
                    missing(format!(
                        "there is no wired network interface; plug one in, or name one as network.interface \
                         (there are: {})",
                        list()
                    ));
                }
            }
            several => {
                return Err(InterfaceError(format!(
                    "there are several wired network interfaces ({}); name the one to serve as network.interface",
                    several.join(", ")
                )));
            }
        }
        sleep(LOOK).await;
    }
}

/// The interface with the address on it, or what is missing.
fn link(name: &str, address: Ipv4Addr, prefix: u8) -> Result<Link, String> {
    let entries = getifaddrs().map_err(|error| format!("can't list network interfaces: {error}"))?;
    let own: Vec<_> =
        entries.filter(|entry| entry.interface_name == name).filter_map(|entry| entry.address).collect();
    if own.is_empty() {
        return Err(format!("there is no network interface {name:?} (there are: {})", list()));
    }
    let hardware = own.iter().find_map(SockaddrStorage::as_link_addr);
    let ethernet = hardware.filter(|hardware| hardware.hatype() == libc::ARPHRD_ETHER);
    let Some((hardware, mac)) = ethernet.and_then(|hardware| Some((hardware, Mac(hardware.addr()?)))) else {
        return Err(format!("{name} is no Ethernet interface"));
    };
    let index = u32::try_from(hardware.ifindex()).map_err(|error| format!("{name}: {error}"))?;
    if !own.iter().any(|entry| entry.as_sockaddr_in().map(SockaddrIn::ip) == Some(address)) {
        return Err(format!(
            "{name} does not have the address {address}; add it (`ip address add {address}/{prefix} dev {name}`), \
             or set network.address"
        ));
    }
    let hosts = u32::MAX.checked_shr(prefix.into()).unwrap_or_default();
    let broadcast = Ipv4Addr::from_bits(address.to_bits() | hosts);
    Ok(Link { name: name.to_owned(), index, mac, broadcast })
}

fn interfaces() -> Vec<String> {
    let entries = getifaddrs().into_iter().flatten();
    let names: BTreeSet<String> = entries.map(|entry| entry.interface_name).collect();
    names.into_iter().collect()
}

/// The wired interfaces, by name.
pub fn wired() -> Vec<String> {
    interfaces().into_iter().filter(|name| is_wired(name)).collect()
}

/// Ethernet hardware (ARPHRD_ETHER) that has no radio.
fn is_wired(name: &str) -> bool {
    let path = Path::new(SYS).join(name);
    let ethernet = fs::read_to_string(path.join("type")).is_ok_and(|kind| kind.trim() == "1");
    ethernet
        && path.join("device").exists()
        && !path.join("wireless").exists()
        && !path.join("phy80211").exists()
}

fn list() -> String {
    let names = interfaces();
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

/// Waits until the interface is there and has the address, and says what is missing.
pub async fn wait(name: &str, address: Ipv4Addr, prefix: u8, handle: &Handle) -> Link {
    let mut said = None;
    loop {
        match link(name, address, prefix) {
            Ok(link) => {
                handle.tell(Message::Trouble(Trouble::Network, None)).await;
                return link;
            }
            Err(missing) => {
                if said.as_ref() != Some(&missing) {
                    tracing::warn!("waiting: {missing}");
                    handle.tell(Message::Trouble(Trouble::Network, Some(missing.clone()))).await;
                    said = Some(missing);
                }
            }
        }
        sleep(LOOK).await;
    }
}

/// Waits until the interface is gone, another one, or without the address; says what is missing, if anything.
pub async fn changed(known: &Link, address: Ipv4Addr, prefix: u8) -> Option<String> {
    loop {
        match link(&known.name, address, prefix) {
            Ok(link) if link == *known => sleep(LOOK).await,
            // Another adapter, or a bridge that took over a new port's hardware address.
            Ok(_) => return None,
            Err(missing) => return Some(missing),
        }
    }
}

/// Tells of a cable that is not plugged in, for ever. The interface has its address without one.
pub async fn watch_cable(name: String, handle: Handle) -> anyhow::Result<()> {
    let (mut out, mut is_told) = (Duration::ZERO, false);
    loop {
        match has_link(Path::new(SYS), &name) {
            Some(false) => out += LOOK,
            Some(true) => out = Duration::ZERO,
            // What is to be told of it then, `wait` tells, in place of this.
            None => (out, is_told) = (Duration::ZERO, false),
        }
        let is_out = out >= CABLE_PATIENCE;
        if is_out != is_told {
            let words = format!(
                "{name} has no link: no cable is in it, or what is at the other end of the cable is off or broken"
            );
            if is_out {
                tracing::warn!("{words}");
            } else {
                tracing::info!("{name} has a link");
            }
            handle.tell(Message::Trouble(Trouble::Network, is_out.then_some(words))).await;
            is_told = is_out;
        }
        sleep(LOOK).await;
    }
}

/// Whether a network card says that it has a link. An interface that is gone or switched off says nothing; one that is
/// no card (a bridge, an end of a tunnel) has no cable.
pub fn has_link(sys: &Path, name: &str) -> Option<bool> {
    let interface = sys.join(name);
    if !interface.join("device").exists() {
        return None;
    }
    match fs::read_to_string(interface.join("carrier")).ok()?.trim() {
        "1" => Some(true),
        "0" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cards_tell_of_their_link_and_nothing_else_does() {
        let sys = tempfile::tempdir().unwrap();
        for (name, is_card, carrier) in
            [("eth0", true, "0\n"), ("eth1", true, "1\n"), ("br0", false, "0\n"), ("off", true, "")]
        {
            let interface = sys.path().join(name);
            fs::create_dir(&interface).unwrap();
            fs::write(interface.join("carrier"), carrier).unwrap();
            if is_card {
                fs::create_dir(interface.join("device")).unwrap();
            }
        }
        let links = ["eth0", "eth1", "br0", "off", "gone"].map(|name| has_link(sys.path(), name));
        assert_eq!(links, [Some(false), Some(true), None, None, None]);
    }
}
