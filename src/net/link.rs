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
        let wired: Vec<String> = interfaces().into_iter().filter(|name| is_wired(name)).collect();
        match wired.as_slice() {
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

/// Ethernet hardware (ARPHRD_ETHER) that has no radio.
fn is_wired(name: &str) -> bool {
    let path = Path::new("/sys/class/net").join(name);
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
