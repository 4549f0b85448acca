//! Single values: text as it was written, to what it means.

use std::{net::Ipv4Addr, path::PathBuf};

use super::fault::Wrong;
use crate::ids::{Loader, Mac};

type Checked<T> = Result<T, Wrong>;

/// `10.10.10.1/24`: an address that a host can have, and its network's prefix.
pub(crate) fn interface_address(text: &str) -> Checked<(Ipv4Addr, u8)> {
    let Some((address, prefix)) = text.split_once('/') else {
        let host = host_address(text)?;
        let help = format!("write {host}/24 if the network's mask is 255.255.255.0");
        return Err(Wrong::new(format!("{text:?} lacks the length of the network's prefix"), help));
    };
    let address = host_address(address)?;
    let Some(prefix) = prefix_length(prefix) else {
        let problem = match prefix.parse::<Ipv4Addr>() {
            Ok(mask) if mask.to_bits().leading_ones() + mask.to_bits().trailing_zeros() == 32 => {
                let help = format!("write {address}/{}", mask.to_bits().leading_ones());
                return Err(Wrong::new("the network's mask must be given by its length", help));
            }
            _ => format!("{prefix:?} is no length of a network's prefix"),
        };
        return Err(Wrong::new(problem, "a number from 1 to 30, as in 10.10.10.1/24"));
    };
    let host_bits = u32::MAX >> prefix;
    let host = address.to_bits() & host_bits;
    if host == 0 || host == host_bits {
        let which = if host == 0 { "itself" } else { "broadcast address" };
        let base = Ipv4Addr::from_bits((address.to_bits() & !host_bits) + 1);
        let problem = format!("{address} is the network {which}, which no host can have");
        return Err(Wrong::new(problem, format!("for example {base}/{prefix}")));
    }
    Ok((address, prefix))
}

fn prefix_length(text: &str) -> Option<u8> {
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|length| plain && (1..=30).contains(length))
}

/// An IPv4 address that one machine can have.
pub(crate) fn host_address(text: &str) -> Checked<Ipv4Addr> {
    let help = "write four numbers from 0 to 255, like 10.10.10.11";
    let address: Ipv4Addr = text.trim().parse().map_err(|_| {
        if let Some((address, _)) = text.split_once('/').filter(|(a, _)| a.parse::<Ipv4Addr>().is_ok()) {
            return Wrong::new(format!("{text:?} has a prefix length too many"), format!("write {address}"));
        }
        if text.parse::<std::net::Ipv6Addr>().is_ok() {
            return Wrong::new(format!("{text:?} is an IPv6 address; network boot here is IPv4's"), help);
        }
        Wrong::new(format!("{text:?} is not an IPv4 address"), help)
    })?;
    let [first, ..] = address.octets();
    if first == 0 || address.is_loopback() || first >= 224 {
        return Err(Wrong::new(format!("{address} is not an address that a machine can have"), help));
    }
    Ok(address)
}

/// `10.10.10.100-10.10.10.200`, or one address.
pub(crate) fn pool(text: &str) -> Checked<(Ipv4Addr, Ipv4Addr)> {
    if text.contains('/') {
        return Err(Wrong::new(
            format!("{text:?} is a network, not a pool"),
            "write its first and last address: 10.10.10.100-10.10.10.200",
        ));
    }
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (host_address(first)?, host_address(last)?);
    if first > last {
        let help = format!("write {last}-{first}");
        return Err(Wrong::new(format!("the last address, {last}, comes before the first, {first}"), help));
    }
    Ok((first, last))
}

/// A network interface's name, as Linux allows them.
pub(crate) fn interface(text: &str) -> Checked<String> {
    let fits = (1..=15).contains(&text.len())
        && text.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '/' | ':' | '%'))
        && !matches!(text, "." | "..");
    if !fits {
        let problem = format!("{text:?} can't be an interface's name");
        return Err(Wrong::new(problem, "up to 15 characters, like eth0 or enp1s0; `ip link` lists them"));
    }
    if text == "lo" {
        return Err(Wrong::new("lo reaches no other machine", "name the wired interface, like eth0"));
    }
    Ok(text.to_owned())
}

/// A host's or a domain's name: labels of letters, digits and dashes, between dots.
pub(crate) fn dns_name(text: &str) -> Checked<String> {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if text.len() > 253 || !text.split('.').all(label) {
        let help = "letters, digits and dashes, in parts of up to 63 between dots; no part begins or ends with a dash";
        return Err(Wrong::new(format!("{text:?} is not a valid name"), help));
    }
    Ok(text.to_owned())
}

/// A host's own name, without a domain.
pub(super) fn host_label(text: &str) -> Checked<String> {
    match dns_name(text)? {
        name if name.contains('.') => {
            let help = "letters, digits and dashes, without a domain: `rack7`";
            Err(Wrong::new(format!("{text:?} is more than one host's own name"), help))
        }
        name => Ok(name),
    }
}

/// A node's name, which may not look like a MAC: commands take either.
pub(crate) fn node_name(text: &str) -> Checked<String> {
    if text.contains('_') {
        let help = format!("write {}", text.replace('_', "-"));
        return Err(Wrong::new(format!("{text:?} has an underscore, which no host name may have"), help));
    }
    if text.len() > 64 {
        // HOST_NAME_MAX of Linux.
        return Err(Wrong::new("the name is longer than the 64 characters of a host name", "shorten it"));
    }
    dns_name(text)
}

/// A name of a folder or file: a profile, a version.
pub(crate) fn file_name(text: &str) -> Checked<String> {
    let fits = (1..=100).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'+'))
        && !text.starts_with(['.', '-']);
    if !fits {
        let help =
            "letters, digits, dots, dashes, underscores and plus signs; no slash, no dot or dash first";
        return Err(Wrong::new(format!("{text:?} can't be the name of a folder of assets"), help));
    }
    Ok(text.to_owned())
}

/// A profile's name, which is the first part of its files' URLs.
pub(crate) fn profile(text: &str) -> Checked<String> {
    const TAKEN: [&str; 10] = [
        "api",
        "boot.ipxe",
        "cloud-config",
        "cloud-configs",
        "grub",
        "healthz",
        "ignition",
        "keys",
        "metrics",
        "static",
    ];
    if TAKEN.contains(&text) || text == "pxelinux.cfg" {
        let help = "call the profile's folder otherwise";
        return Err(Wrong::new(format!("{text:?} means something else in URLs or among the assets"), help));
    }
    file_name(text)
}

/// A board's name: a file of board/, without its ending; or the absolute path of the user's own.
pub(crate) fn board(text: &str) -> Checked<String> {
    if text.starts_with('/') {
        absolute(text)?;
        if !text.ends_with(".toml") {
            return Err(Wrong::new(format!("{text:?} is no board file"), "its name ends in .toml"));
        }
        return Ok(text.to_owned());
    }
    if let Some(stem) = text.strip_suffix(".toml") {
        let stem = stem.rsplit('/').next().unwrap_or(stem);
        let help = format!("write {stem:?} for a built-in board, or the absolute path of a file");
        return Err(Wrong::new("the board is named without folder and ending", help));
    }
    file_name(text).map_err(|_| {
        Wrong::new(
            format!("{text:?} can't be a board's name"),
            "for example \"breadboard-8\", a file of board/",
        )
    })
}

/// An absolute path.
pub(crate) fn absolute(text: &str) -> Checked<PathBuf> {
    let help = "begin it with a slash, like /data/assets";
    if text.contains('\\') || text.as_bytes().get(1) == Some(&b':') {
        return Err(Wrong::new(
            format!("{text:?} is a path of Windows"),
            "name the path on the Raspberry Pi, like /data/assets",
        ));
    }
    if !text.starts_with('/') {
        return Err(Wrong::new(format!("{text:?} is not an absolute path"), help));
    }
    if text.contains(char::is_control) || text.split('/').any(|part| part == "..") {
        return Err(Wrong::new(
            format!("{text:?} is not a plain path"),
            "without `..` and control characters",
        ));
    }
    Ok(PathBuf::from(text))
}

/// A whole disk's path, or `smallest`.
pub(crate) fn disk(text: &str) -> Checked<String> {
    if text == "smallest" {
        return Ok(text.to_owned());
    }
    let Some(name) = text.strip_prefix("/dev/") else {
        let device = format!("/dev/{text}");
        let help = if !text.contains('/') && plain_device(text) {
            format!("write {device:?}")
        } else {
            "a path below /dev, like /dev/sda or /dev/disk/by-id/..., or `smallest`".to_owned()
        };
        return Err(Wrong::new(format!("{text:?} is neither a disk's path nor `smallest`"), help));
    };
    // The path ends up in scripts, so nothing that a shell or an URL would read differently.
    if !plain_device(name) || name.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err(Wrong::new(format!("{text:?} can't be a disk's path"), "for example \"/dev/sda\""));
    }
    if let Some(whole) = whole_disk(name) {
        return Err(Wrong::new(
            format!("{text} is a partition, but the image is that of a whole disk"),
            if whole.is_empty() {
                "name the disk by /dev/disk/by-id/...".into()
            } else {
                format!("write \"/dev/{whole}\"")
            },
        ));
    }
    Ok(text.to_owned())
}

fn plain_device(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-_.:+@=,".contains(&b)) && !name.is_empty()
}

/// The disk that holds a partition; `None` where `name`, a path below /dev, is none; empty where its name
/// doesn't tell.
fn whole_disk(name: &str) -> Option<&str> {
    for folder in ["disk/by-uuid/", "disk/by-label/", "disk/by-partuuid/", "disk/by-partlabel/"] {
        if name.starts_with(folder) {
            return Some("");
        }
    }
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    if stem.len() == name.len() {
        return None;
    }
    if name.starts_with("disk/") {
        return stem.strip_suffix("-part");
    }
    // Disks with a number of their own put a p before the partition's: nvme0n1p1, mmcblk0p1.
    let numbered = ["nvme", "mmcblk", "loop", "nbd", "md"].iter().any(|kind| name.starts_with(kind));
    if numbered {
        return stem.strip_suffix('p').filter(|disk| disk.ends_with(|c: char| c.is_ascii_digit()));
    }
    let lettered = ["sd", "hd", "vd", "xvd"].iter().any(|kind| {
        stem.strip_prefix(kind)
            .is_some_and(|letters| !letters.is_empty() && letters.bytes().all(|b| b.is_ascii_lowercase()))
    });
    lettered.then_some(stem)
}

/// A public key as in `authorized_keys`, without options: `ssh-ed25519 AAAA… me@laptop`.
pub(super) fn ssh_key(text: &str) -> Checked<String> {
    let help = "copy a line of ~/.ssh/id_ed25519.pub, as it is";
    if text.contains("PRIVATE KEY") {
        return Err(Wrong::new("is a private key; it must stay where it is", help));
    }
    let mut words = text.split_whitespace();
    let (kind, key) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let is_kind = ["ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-"].iter().any(|start| kind.starts_with(start));
    let is_base64 = key.starts_with("AAAA")
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='));
    if !is_kind || !is_base64 || text.contains(['\n', '\r']) {
        let start: String = text.chars().take(20).collect();
        return Err(Wrong::new(format!("{start:?} is no SSH public key"), help));
    }
    Ok(text.trim().to_owned())
}

/// A value of the kernel's `console=`: `ttyS0,115200n8`, `tty0`.
pub(crate) fn console(text: &str) -> Checked<String> {
    let help = "a device without /dev/, and the speed of a serial port: ttyS0,115200 or tty0";
    let wrong = || Wrong::new(format!("{text:?} is not a console"), help);
    if let Some(bare) = text.strip_prefix("console=").or_else(|| text.strip_prefix("/dev/")) {
        return Err(Wrong::new(format!("{text:?} is not a console"), format!("write {bare:?}")));
    }
    let (device, options) = match text.split_once(',') {
        Some((device, options)) => (device, Some(options)),
        None => (text, None),
    };
    let named = device.starts_with(|c: char| c.is_ascii_alphabetic())
        && device.len() <= 16
        && device.bytes().all(|b| b.is_ascii_alphanumeric());
    if !named || !options.is_none_or(serial_options) {
        return Err(wrong());
    }
    Ok(text.to_owned())
}

/// The kernel's BBBBPNF: speed, parity, bits, flow control.
fn serial_options(text: &str) -> bool {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let speed = text.len() - rest.len();
    let rest = rest
        .strip_prefix(['n', 'o', 'e'])
        .map_or(rest, |rest| rest.strip_prefix(['5', '6', '7', '8']).unwrap_or(rest));
    (1..=7).contains(&speed) && matches!(rest, "" | "r")
}

/// The hardware address of one network card.
pub(crate) fn mac(text: &str) -> Checked<Mac> {
    let mac: Mac = text.trim().parse().map_err(|_| {
        Wrong::new(
            format!("{text:?} is not a MAC"),
            "six pairs of hexadecimal digits, like 00:25:90:c0:f7:86",
        )
    })?;
    if !mac.is_unicast() {
        return Err(Wrong::new(
            format!("{mac} is not the MAC of one network card"),
            "copy it from the card's label",
        ));
    }
    Ok(mac)
}

/// A boot loader's name, or `auto`.
pub(crate) fn any_loader(text: &str) -> Checked<Option<Loader>> {
    let named = Loader::ALL.map(|loader| (loader.name(), Some(loader)));
    choice(text, &[&[("auto", None)], named.as_slice()].concat())
}

/// A boot loader's name.
pub(crate) fn loader(text: &str) -> Checked<Loader> {
    choice(text, &Loader::ALL.map(|loader| (loader.name(), loader)))
}

/// One of several words.
pub(crate) fn choice<T: Copy>(text: &str, words: &[(&str, T)]) -> Checked<T> {
    if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
        return Ok(*value);
    }
    let known: Vec<String> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
    let near = super::keys::nearest(text, words.iter().map(|(word, _)| *word));
    let near = near.map_or_else(String::new, |word| format!("did you mean {word:?}? "));
    Err(Wrong::new(format!("{text:?} is none of its words"), format!("{near}one of {}", known.join(", "))))
}
