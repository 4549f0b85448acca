//! The firmware that there is, each from blank disk to booted disk, and to that disk again with the network first in
//! the boot order; alone on its network, and beside a router that hands out the addresses.
//!
//! Each test leaves a line of the table that `make firmware` prints and docs/clients.md carries.

#![allow(clippy::disallowed_methods, reason = "tests take the time of real machines")]

mod support;

use std::{
    collections::BTreeSet,
    fs,
    time::{Duration, Instant},
};

use rack_lab::machine::{Firmware, Netboot};
use support::{
    HERE, Net, Watched,
    capture::{Capture, offering},
    machine::{INSTALL, Node},
    root,
    router::{ROUTER, router},
    service::{BINARY, Service},
    wait_until,
};

const MAC: &str = "52:54:00:00:00:01";
const SOON: Duration = Duration::from_secs(60);
/// Firmware is through with the network and at its disk. A crowded machine gets time.
const BOOT: Duration = Duration::from_secs(400);
/// What the loader on the disk says first.
const AT_DISK: &str = "rackberry demo: starting from";
const UBOOT_WAITS: &str = "Hit any key to stop autoboot";

/// A kind of machine.
#[derive(Debug, Clone, Copy)]
struct Client {
    /// For the table.
    name: &'static str,
    firmware: Firmware,
    netboot: Netboot,
    /// What the configuration says of it, beyond what every node's does.
    config: &'static str,
    /// What is told to the router for its sake.
    router: &'static str,
    /// The loader that leads it to its kernel.
    loader: Option<&'static str>,
    /// How it is told so beside a router, where there is a choice.
    style: Option<&'static str>,
}

const BIOS: Client = Client {
    name: "BIOS, iPXE in the card",
    firmware: Firmware::Bios,
    netboot: Netboot::Own,
    config: "",
    router: "",
    loader: Some("ipxe"),
    style: None,
};
const BIOS_LPXELINUX: Client =
    Client { name: "BIOS, lpxelinux", config: "loader = 'lpxelinux'", loader: Some("lpxelinux"), ..BIOS };
const BIOS_PXELINUX: Client =
    Client { name: "BIOS, pxelinux", config: "loader = 'pxelinux'", loader: Some("pxelinux"), ..BIOS };
const UEFI: Client = Client { name: "UEFI x64, PXE", firmware: Firmware::Uefi, loader: Some("grub"), ..BIOS };
const UEFI_HTTP: Client = Client { name: "UEFI x64, HTTP Boot", netboot: Netboot::Http, ..UEFI };
const UEFI_CARD: Client =
    Client { name: "UEFI x64, iPXE in the card", netboot: Netboot::CardRom, loader: Some("ipxe"), ..UEFI };
const UEFI_IPXE: Client =
    Client { name: "UEFI x64, iPXE from here", config: "loader = 'ipxe'", loader: Some("ipxe"), ..UEFI };
const SECURE: Client = Client {
    name: "UEFI x64, Secure Boot",
    firmware: Firmware::UefiSecure,
    // Between the two ways that lead here it would try PXE over IPv6 for a minute.
    netboot: Netboot::Ipv4,
    loader: Some("shim"),
    ..UEFI
};
const ARM64: Client = Client { name: "UEFI arm64, PXE", firmware: Firmware::UefiArm64, ..UEFI };
const ARM64_HTTP: Client = Client { name: "UEFI arm64, HTTP Boot", netboot: Netboot::Http, ..ARM64 };
const UBOOT: Client =
    Client { name: "U-Boot arm64, pxe get", firmware: Firmware::UbootArm64, loader: None, ..BIOS };

/// Who hands out the addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Full,
    Proxy,
}

/// A machine on its network, and what is to be seen of it.
struct Stand<'a> {
    service: Service<'a>,
    node: Node,
    wire: Capture,
    _router: Option<Watched>,
}

fn stand(net: &Net, client: Client, mode: Mode) -> Stand<'_> {
    let assets = root().join("target/demo/assets");
    assert!(
        assets.join("coreos/current").exists(),
        "`make assets` makes the system that these tests install"
    );
    net.run(&format!("cp -r {} {}", assets.display(), net.path("assets").display()));
    let router = (mode == Mode::Proxy).then(|| router(net, client.router));
    let console = match client.firmware {
        Firmware::UefiArm64 | Firmware::UbootArm64 => "ttyAMA0",
        Firmware::Bios | Firmware::Uefi | Firmware::UefiSecure => "ttyS0,115200",
    };
    let service = Service::start_strict(
        net,
        &format!(
            "[network]\ninterface = 'br0'\n[install]\ndisk = '/dev/vda'\nconsole = '{console}'\n\
             [[node]]\nname = 'node'\nmac = '{MAC}'\n{}\n",
            client.config
        ),
    );
    wait_until("the system is verified", SOON, || service.status()["ready"]["Ok"].is_string());
    assert_eq!(service.status()["dhcp"], if mode == Mode::Full { "full" } else { "proxy" });
    let mut node = Node::plug(net, BINARY, "node", MAC, client.firmware);
    node.machine.netboot = client.netboot;
    // The machine's own port of the switch: what the router tells it alone passes only there.
    let wire = Capture::start(net, "node-sw");
    Stand { service, node, wire, _router: router }
}

/// One machine's whole life: installed, and reset with the network first.
fn installs_and_boots_its_disk(client: Client, mode: Mode) {
    let net = Net::new();
    let Stand { service, mut node, wire, _router } = stand(&net, client, mode);
    service.cli(&["arm"]);
    let start = Instant::now();
    node.switch_on();
    steer(client, &node, 0);
    wait_until("it has an address", BOOT, || {
        wire.packets().iter().any(|packet| packet.contains("length 1: ACK"))
    });
    let to_ack = start.elapsed();
    service.process.wait_for("has kernel and initrd of", 0, INSTALL);
    let to_kernel = start.elapsed();
    node.wait_up(1);
    service.wait_for("is up from its own disk", SOON);
    let to_installed = start.elapsed();
    let known = service.node("node");
    assert_eq!((&known["writes"], &known["stage"]), (&1.into(), &"installed".into()), "{known}");
    assert_eq!(known["loader"].as_str(), client.loader, "what worked is remembered: {known}");
    let style = client.style.filter(|_| mode == Mode::Proxy);
    assert_eq!(known["offer_style"].as_str(), style, "{known}");
    let at_disk = node.machine.console_count(AT_DISK);
    let prompts = node.machine.console_count(UBOOT_WAITS);
    let asked = boot_questions(&wire);
    let start = Instant::now();
    node.machine.reset().expect("it runs");
    steer(client, &node, prompts);
    node.wait_console(AT_DISK, at_disk + 1, BOOT);
    let to_disk = start.elapsed();
    assert!(boot_questions(&wire) > asked, "the network is first in its boot order");
    node.wait_up(2);
    assert_eq!(service.node("node")["writes"], 1);
    assert!(!service.log().iter().any(|line| line.contains("failed")), "{:#?}", service.log());
    let server = if mode == Mode::Full { HERE } else { ROUTER };
    assert_eq!(offering(&wire.offers()), BTreeSet::from([server]));
    let mode = if mode == Mode::Full { "alone" } else { "beside a router" };
    let seconds = [to_ack, to_kernel, to_installed, to_disk].map(|time| format!("{:.0}", time.as_secs_f32()));
    let line = format!("| {} | {mode} | {} |\n", client.name, seconds.join(" | "));
    print!("{line}");
    let folder = root().join("target/firmware");
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join(format!("{}, {mode}", client.name)), line).expect("written");
}

/// How often its firmware, or a loader, asked for something to boot: a system names no processor (option 93).
fn boot_questions(wire: &Capture) -> usize {
    let asks = |packet: &&String| packet.contains("length 1: Discover") && packet.contains("ARCH (93)");
    wire.packets().iter().filter(asks).count()
}

/// U-Boot's default looks at the disk first: it is told the order that the others have, after so many prompts.
fn steer(client: Client, node: &Node, prompts: usize) {
    if client.firmware == Firmware::UbootArm64 {
        node.wait_console(UBOOT_WAITS, prompts + 1, BOOT);
        node.type_lines(&["", "setenv autoload no; dhcp; pxe get && pxe boot; run distro_bootcmd"]);
    }
}

#[test]
fn bios_by_ipxe() {
    installs_and_boots_its_disk(BIOS, Mode::Full);
}

#[test]
fn bios_by_ipxe_beside_a_router() {
    installs_and_boots_its_disk(BIOS, Mode::Proxy);
}

#[test]
fn bios_by_lpxelinux() {
    installs_and_boots_its_disk(BIOS_LPXELINUX, Mode::Full);
}

#[test]
fn bios_by_lpxelinux_beside_a_router() {
    installs_and_boots_its_disk(BIOS_LPXELINUX, Mode::Proxy);
}

#[test]
fn bios_by_pxelinux() {
    installs_and_boots_its_disk(BIOS_PXELINUX, Mode::Full);
}

#[test]
fn bios_by_pxelinux_beside_a_router() {
    installs_and_boots_its_disk(BIOS_PXELINUX, Mode::Proxy);
}

#[test]
fn uefi_by_pxe() {
    installs_and_boots_its_disk(UEFI, Mode::Full);
}

#[test]
fn uefi_by_pxe_beside_a_router() {
    let client = Client { loader: Some("ipxe"), style: Some("round-trip"), ..UEFI };
    installs_and_boots_its_disk(client, Mode::Proxy);
}

#[test]
fn uefi_by_http() {
    installs_and_boots_its_disk(UEFI_HTTP, Mode::Full);
}

#[test]
fn uefi_by_http_beside_a_router() {
    installs_and_boots_its_disk(UEFI_HTTP, Mode::Proxy);
}

#[test]
fn uefi_by_ipxe_in_the_card() {
    installs_and_boots_its_disk(UEFI_CARD, Mode::Full);
}

#[test]
fn uefi_by_ipxe_in_the_card_beside_a_router() {
    installs_and_boots_its_disk(UEFI_CARD, Mode::Proxy);
}

#[test]
fn uefi_by_ipxe_from_here() {
    installs_and_boots_its_disk(UEFI_IPXE, Mode::Full);
}

#[test]
fn uefi_with_secure_boot() {
    installs_and_boots_its_disk(SECURE, Mode::Full);
}

#[test]
fn uefi_with_secure_boot_beside_a_router() {
    // PXE over IPv4 leads to nothing that is signed, so HTTP Boot has its turn.
    installs_and_boots_its_disk(Client { style: Some("round-trip"), ..SECURE }, Mode::Proxy);
}

#[test]
fn arm64_by_pxe() {
    installs_and_boots_its_disk(ARM64, Mode::Full);
}

#[test]
fn arm64_by_pxe_beside_a_router() {
    let client = Client { loader: Some("ipxe"), style: Some("round-trip"), ..ARM64 };
    installs_and_boots_its_disk(client, Mode::Proxy);
}

#[test]
fn arm64_by_http() {
    installs_and_boots_its_disk(ARM64_HTTP, Mode::Full);
}

#[test]
fn arm64_by_http_beside_a_router() {
    installs_and_boots_its_disk(ARM64_HTTP, Mode::Proxy);
}

#[test]
fn uboot_by_pxe_get() {
    installs_and_boots_its_disk(UBOOT, Mode::Full);
}

/// U-Boot listens to one server only, so that one must name this one as the next.
#[test]
fn uboot_by_pxe_get_beside_a_router() {
    let router = "--dhcp-boot=pxelinux.0,rackberry,10.10.10.1";
    installs_and_boots_its_disk(Client { router, ..UBOOT }, Mode::Proxy);
}
