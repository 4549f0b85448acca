//! Beside a router that hands out the addresses: real firmware from blank disk to booted disk, and to that disk again
//! with the network first in the boot order.

mod support;

use std::time::Duration;

use rackberry::demo::machine::Firmware;
use support::{
    Net, Watched,
    machine::Node,
    root,
    router::{ROUTER, router},
    service::Service,
    wait_until,
};

const SOON: Duration = Duration::from_secs(60);

/// The router, which is there first, and the service on the demo's operating system.
fn beside_a_router<'a>(net: &'a Net, mac: &str) -> (Watched, Service<'a>) {
    let assets = root().join("target/demo/assets");
    assert!(
        assets.join("coreos/current").exists(),
        "`make assets` makes the system that these tests install"
    );
    net.run(&format!("cp -r {} {}", assets.display(), net.path("assets").display()));
    let router = router(net, "");
    let service = Service::start_strict(
        net,
        &format!(
            "[network]\ninterface = 'br0'\n[install]\ndisk = '/dev/vda'\nconsole = 'ttyS0,115200'\n\
             [[node]]\nname = 'node'\nmac = '{mac}'\n"
        ),
    );
    wait_until("the system is verified", SOON, || service.status()["ready"]["Ok"].is_string());
    assert_eq!(service.status()["dhcp"], "proxy");
    (router, service)
}

/// One machine's whole life: installed, and reset with the network first.
fn installs_and_boots_its_disk(mac: &str, firmware: Firmware, memory: u32, style: Option<&str>) {
    let net = Net::new();
    let (router, service) = beside_a_router(&net, mac);
    service.cli(&["arm"]);
    let mut node = Node::plug(&net, "node", mac, firmware);
    node.machine.memory = memory;
    node.switch_on();
    node.wait_up(1);
    service.wait_for("is up from its own disk", SOON);
    let known = service.node("node");
    assert_eq!((&known["writes"], &known["stage"]), (&1.into(), &"installed".into()), "{known}");
    assert_eq!(known["offer_style"].as_str(), style, "what worked is remembered: {known}");
    // Its address is the router's gift, and known here.
    let address = known["address"].as_str().expect("an address");
    assert!(
        router.lines().iter().any(|line| line.contains("DHCPACK") && line.contains(address)),
        "{address}"
    );
    node.machine.reset().expect("it runs");
    node.wait_up(2);
    assert_eq!(service.node("node")["writes"], 1);
    assert!(!service.log().iter().any(|line| line.contains("failed")), "{:#?}", service.log());
    let said = router.lines();
    assert!(said.iter().any(|line| line.contains("DHCPOFFER")), "{ROUTER} gave the addresses");
    drop(node);
}

/// Its card's ROM is an iPXE, which takes the file from the offer and is not told apart by style.
#[test]
fn a_bios_machine_installs_beside_a_router() {
    installs_and_boots_its_disk("52:54:00:00:00:01", Firmware::Bios, 192, None);
}

/// EDK2 asks port 4011, gets an iPXE for its loader, and later the GRUB that boots the disk.
#[test]
fn a_uefi_machine_installs_beside_a_router() {
    installs_and_boots_its_disk("52:54:00:00:00:02", Firmware::Uefi, 512, Some("round-trip"));
}
