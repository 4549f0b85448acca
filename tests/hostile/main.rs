//! Neighbours that mean ill, or are broken in a way that looks the same: floods, lies, and what they may cost. The short form
//! runs with all tests, `make test-hostile` is the long one and prints its figures.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "tests")]

mod forged;
mod http;
mod power_on;
mod secrets;
mod servers;
mod starved;
#[path = "../support/mod.rs"]
mod support;
mod tftp;

use std::{fs, path::Path, time::Duration};

use support::{Net, packets, service::Service};

const SOON: Duration = Duration::from_secs(30);
const ONE: &str = "02:00:00:00:00:01";
const UDHCPC: &str = "udhcpc -f -q -n -t 8 -T 1 -i eth0 -s /bin/true 2>&1";
const NO_PROBE: &str = "[dhcp]\nprobe = false\n";

/// How much of everything: the long form has ten times as much.
fn scale() -> usize {
    if std::env::var_os("HOSTILE_LONG").is_some() { 10 } else { 1 }
}

/// A figure, for docs/reliability.md.
fn figure(what: &str, value: impl std::fmt::Display) {
    println!("FIGURE {what}: {value}");
}

/// A client with an address of its own, which it leased.
fn leased(net: &Net, client: &str, mac: &str) -> String {
    net.client(client, mac);
    let said = net.run_in(client, UDHCPC);
    let address = said.split("lease of ").nth(1).and_then(|rest| rest.split_whitespace().next());
    let address = address.unwrap_or_else(|| panic!("no lease: {said}")).to_owned();
    net.run_in(client, &format!("ip address add {address}/24 dev eth0"));
    address
}

/// Bytes of all files in a folder.
fn bytes(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).expect("a folder").flatten();
    entries.filter_map(|entry| entry.metadata().ok()).map(|meta| meta.len()).sum()
}

/// Bytes that the service has handed to the file system so far.
fn written(service: &Service<'_>) -> u64 {
    let pid = service.process.pid().as_raw_nonzero();
    let io = fs::read_to_string(format!("/proc/{pid}/io")).expect("its own process");
    let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: ")).expect("a count");
    line.parse().expect("a number")
}

/// That nothing in a text moves a cursor or turns the direction of writing; tabs may be in tables.
fn assert_showable(what: &str, text: &str) {
    let bad =
        text.lines().find(|line| line.chars().any(|c| c != '\t' && rackberry_core::ids::is_unshowable(c)));
    assert!(bad.is_none(), "{what} has {bad:?}");
}

/// A program in a client's namespace that must end well; what it prints.
fn python(net: &Net, client: &str, program: &str) -> String {
    packets::run(net, client, program)
}
