//! The interface that is served: found, waited for, watched.

use std::{fs, net::Ipv4Addr, path::Path};

use anyhow::bail;

/// An interface that has the service's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its name.
    pub name: String,
    /// The kernel's number of it; a plugged-in adapter that returns has a new one.
    pub index: u32,
}

/// The interface to serve: the configured one, or the only wired one.
pub fn interface(configured: Option<&str>) -> anyhow::Result<String> {
    if let Some(name) = configured {
        return Ok(name.to_owned());
    }
    let wired: Vec<String> = interfaces().into_iter().filter(|name| is_wired(name)).collect();
    match wired.as_slice() {
        [only] => Ok(only.clone()),
        [] => bail!("there is no wired network interface; name one as network.interface (there are: {})", list()),
        several => bail!(
            "there are several wired network interfaces ({}); name the one to serve as network.interface",
            several.join(", ")
        ),
    }
}

/// The interface with the address on it, or what is missing.
pub fn link(name: &str, address: Ipv4Addr, prefix: u8) -> Result<Link, String> {
    let index = fs::read_to_string(Path::new("/sys/class/net").join(name).join("ifindex"));
    let Some(index) = index.ok().and_then(|text| text.trim().parse().ok()) else {
        return Err(format!("there is no network interface {name:?} (there are: {})", list()));
    };
    let addresses = nix::ifaddrs::getifaddrs().map_err(|error| format!("can't list addresses: {error}"))?;
    let has_it = addresses.filter(|entry| entry.interface_name == name).any(|entry| {
        entry.address.and_then(|found| found.as_sockaddr_in().map(|found| found.ip())) == Some(address)
    });
    if !has_it {
        return Err(format!(
            "{name} does not have the address {address}; add it (`ip address add {address}/{prefix} dev {name}`), \
             or set network.address"
        ));
    }
    Ok(Link { name: name.to_owned(), index })
}

fn interfaces() -> Vec<String> {
    let entries = fs::read_dir("/sys/class/net").into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

/// Ethernet hardware (ARPHRD_ETHER) that has no radio.
fn is_wired(name: &str) -> bool {
    let path = Path::new("/sys/class/net").join(name);
    let ethernet = fs::read_to_string(path.join("type")).is_ok_and(|kind| kind.trim() == "1");
    ethernet && path.join("device").exists() && !path.join("wireless").exists() && !path.join("phy80211").exists()
}

fn list() -> String {
    let names = interfaces();
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

/// Waits until the interface is there and has the address, and says what is missing.
pub async fn wait(name: &str, address: Ipv4Addr, prefix: u8) -> Link {
    let mut said = None;
    loop {
        match link(name, address, prefix) {
            Ok(link) => return link,
            Err(missing) => {
                if said.as_ref() != Some(&missing) {
                    tracing::warn!("waiting: {missing}");
                    said = Some(missing);
                }
            }
        }
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
}
