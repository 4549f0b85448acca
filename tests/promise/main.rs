//! The promise, on the real binary: nobody installs unasked, none twice for one permission, none is forgotten, and nobody
//! speaks for another. Each test is a history that once broke it.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "tests")]

mod lost;
mod secrets;
#[path = "../support/mod.rs"]
mod support;

use std::{fs, time::Duration};

use serde_json::Value;
use support::{
    Net,
    service::{Service, small_system},
    wait_until,
};

const SOON: Duration = Duration::from_secs(20);
const IMAGE: &str = "http://10.10.10.1/coreos/1010.5.0/coreos_production_image.bin.bz2";
const ONE: &str = "02:00:00:00:00:01";
const TWO: &str = "02:00:00:00:00:02";
/// Two machines' identifiers (option 97).
const FIRST_ID: &str = "004c4c45440044421080310000000000a1";

/// What udhcpc runs: it takes the address, and says what to boot.
const SCRIPT: &str = "#!/bin/sh\n\
    [ \"$1\" = bound ] || exit 0\n\
    ip address flush dev $interface\n\
    ip address add $ip/24 dev $interface\n\
    echo \"boot <$boot_file>\"\n";

/// A rack: its network, a complete system, and the script of its machines.
fn rack() -> Net {
    let net = Net::new();
    small_system(&net);
    let script = net.write("udhcpc.sh", SCRIPT);
    net.run(&format!("chmod 755 {}", script.display()));
    net
}

/// Whether a start of the firmware of this client leads to a loader.
fn is_led(net: &Net, client: &str, id: &str) -> bool {
    let id = if id.is_empty() { String::new() } else { format!("-x 0x61:{id}") };
    let said = net.run_in(
        client,
        &format!(
            "udhcpc -f -q -n -t 5 -T 1 -i eth0 -s {} -V PXEClient:Arch:00000:UNDI:002001 {id} 2>&1",
            net.path("udhcpc.sh").display()
        ),
    );
    !said.contains("boot <>") && said.contains("boot <")
}

/// A system comes up and gets an address.
fn comes_up(net: &Net, client: &str) {
    net.run_in(
        client,
        &format!("udhcpc -f -q -n -t 5 -T 1 -i eth0 -s {} 2>&1", net.path("udhcpc.sh").display()),
    );
}

/// The status of a request.
fn status(net: &Net, client: &str, arguments: &str) -> String {
    net.run_in(client, &format!("curl -s -o /dev/null -w '%{{http_code}}' {arguments} || true"))
}

/// The menu that a loader gets, by TFTP; what is in it.
fn menu(net: &Net, client: &str) -> String {
    net.run_in(client, "curl -s tftp://10.10.10.1/pxelinux.cfg/default")
}

/// The URL of the grant in a menu.
fn grant(menu: &str) -> Option<String> {
    let at = menu.find("http://10.10.10.1/g/")?;
    let rest = &menu[at..];
    let end = rest.match_indices('/').nth(4).map_or(rest.len(), |(at, _)| at);
    Some(rest[..end].to_owned())
}

/// Sends a report: of a stage, and whether it went well.
fn report(net: &Net, client: &str, base: &str, mac: &str, said: (&str, &str)) -> String {
    let (stage, ok) = said;
    status(
        net,
        client,
        &format!(
            "-H 'Content-Type: application/json' --data '{{\"stage\":\"{stage}\",\"ok\":{ok},\"message\":\"bad signature\"}}' \
             {base}/api/v1/nodes/{mac}/report"
        ),
    )
}

fn stage(service: &Service<'_>, node: &str) -> String {
    service.node(node)["stage"].as_str().unwrap_or_default().to_owned()
}

/// A whole install, from the firmware's DISCOVER to the installed system.
fn install(service: &Service<'_>, client: &str, mac: &str, id: &str) {
    let net = service.net;
    assert!(is_led(net, client, id), "it is not led into its installer");
    let base = grant(&menu(net, client)).expect("its menu has no grant");
    for path in ["pxe.vmlinuz", "pxe_image.cpio.gz", "image.bin.bz2"] {
        let url = format!("{base}/coreos/1010.5.0/coreos_production_{path}");
        assert_eq!(status(net, client, &url), "200", "{url}");
    }
    assert_eq!(report(net, client, &base, mac, ("written", "true")), "200");
    assert!(!is_led(net, client, id));
    comes_up(net, client);
    assert_eq!(stage(service, mac), "installed");
}

#[test]
fn a_second_card_does_not_install_its_machine_again() {
    let net = rack();
    let mut service = Service::start(&net, "");
    net.client("c1", ONE);
    net.client("c2", TWO);
    service.cli(&["arm"]);
    install(&service, "c1", ONE, FIRST_ID);
    assert!(!is_led(&net, "c2", FIRST_ID), "in the same order");
    assert_eq!(status(&net, "c2", IMAGE), "403");
    service.kill_and_restart();
    service.cli(&["arm"]);
    assert!(!is_led(&net, "c2", FIRST_ID), "by the next order, after a restart of the service");
    assert_eq!(service.node(ONE)["writes"], 1);
    // Listed with the other card first, it is what it was.
    service.reload(&format!("[[node]]\nname = 'node1'\nmacs = ['{TWO}', '{ONE}']\n"));
    wait_until("the configuration is in force", SOON, || {
        service.try_cli(&["node", "show", "node1"]).status.success()
    });
    assert_eq!(
        (stage(&service, "node1"), service.node("node1")["writes"].clone()),
        ("installed".into(), 1.into())
    );
    assert!(!is_led(&net, "c2", FIRST_ID) && !is_led(&net, "c1", FIRST_ID));
}

#[test]
fn an_order_that_is_repeated_or_follows_too_soon_overwrites_nothing() {
    let net = rack();
    let service = Service::start(&net, &format!("[[node]]\nname = 'node1'\nmac = '{ONE}'\n"));
    net.client("c1", ONE);
    service.cli(&["arm", "node1"]);
    assert!(service.cli(&["arm", "node1"]).contains("armed already"));
    install(&service, "c1", ONE, "");
    service.cli(&["arm", "node1"]);
    assert!(!is_led(&net, "c1", ""), "its new system is overwritten");
    service.cli(&["disarm"]);
    let refused = service.try_cli(&["arm", "node1"]);
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("--again"));
    assert!(service.cli(&["arm", "--all"]).contains("but not node1"));
    assert!(!is_led(&net, "c1", ""));
    service.cli(&["arm", "--again", "node1"]);
    assert!(is_led(&net, "c1", ""));
}

#[test]
fn one_byte_of_the_image_and_a_system_that_asks_for_an_address_prove_nothing() {
    let net = rack();
    let service = Service::start(&net, &format!("[[node]]\nname = 'node1'\nmacs = ['{ONE}', '{TWO}']\n"));
    net.client("c1", ONE);
    net.client("c2", TWO);
    service.cli(&["arm"]);
    assert!(is_led(&net, "c1", ""));
    let base = grant(&menu(&net, "c1")).expect("a grant");
    let image = format!("{base}/coreos/1010.5.0/coreos_production_image.bin.bz2");
    assert_eq!(status(&net, "c1", &format!("-r -1 {image}")), "206");
    comes_up(&net, "c1");
    comes_up(&net, "c2");
    assert_eq!(stage(&service, "node1"), "installing");
    assert_eq!(status(&net, "c1", &image), "200");
    comes_up(&net, "c2");
    assert_eq!(stage(&service, "node1"), "installing");
    assert_eq!(report(&net, "c1", &base, ONE, ("installing", "false")), "200");
    let node = service.node("node1");
    assert_eq!((&node["stage"], &node["installed"]), (&"failed".into(), &Value::Null), "{node}");
}

/// Every write of the state fails as on a file system that the kernel has turned read-only, as it does on a card's errors;
/// later it is one from the start.
#[test]
fn what_cannot_be_written_down_does_not_begin_however_often_it_is_asked() {
    let net = rack();
    let state = net.path("state");
    fs::create_dir(&state).unwrap();
    net.run(&format!("mount -t tmpfs -o size=16m none {}", state.display()));
    let mut service = Service::start(&net, &format!("[[node]]\nname = 'node1'\nmac = '{ONE}'\n"));
    net.client("c1", ONE);
    net.client("c2", TWO);
    service.cli(&["arm"]);
    assert!(is_led(&net, "c1", ""));
    let base = grant(&menu(&net, "c1")).expect("a grant");
    let fault = support::fault::read_only(&net, &service.process);
    let image = format!("{base}/coreos/1010.5.0/coreos_production_image.bin.bz2");
    let asked = net.run_in(
        "c1",
        &format!("for i in $(seq 1000); do echo {image}; done | xargs -n 100 curl -s -o /dev/null -w '%{{http_code}}\\n' | sort | uniq -c"),
    );
    assert!(!asked.contains(" 200"), "{asked}");
    assert_eq!(service.node("node1")["writes"], 0);
    let told = service.status()["warnings"].to_string();
    assert!(told.contains("can't keep the state in"), "{told}");
    assert!(!service.try_cli(&["arm"]).status.success());
    // Addresses are given all the same, and so is what is open to anybody.
    comes_up(&net, "c2");
    assert_eq!(service.status()["leases"], 2);
    assert_eq!(status(&net, "c2", "http://10.10.10.1/lpxelinux.0"), "200");
    drop(fault);
    service.wait_for("the state can be written again", SOON);
    assert_eq!(service.status()["armed_seconds"], Value::Null, "it stays disarmed");
    service.cli(&["arm"]);
    assert!(is_led(&net, "c1", ""));
    // It starts on such a state, too, and says why nothing is armed.
    service.process.kill();
    net.run(&format!("mount -o remount,ro {}", state.display()));
    service.kill_and_restart();
    assert!(!service.try_cli(&["arm"]).status.success());
    assert_eq!(service.node("node1")["writes"], 0);
}

/// Who takes an address takes nothing of what its machine may have, whatever was known of that address a moment ago.
#[test]
fn an_address_that_another_machine_takes_over_loses_its_rights() {
    let net = rack();
    let service = Service::start(&net, &format!("[[node]]\nname = 'node1'\nmac = '{ONE}'\n"));
    net.client("c1", ONE);
    net.client("thief", TWO);
    service.cli(&["arm"]);
    assert!(is_led(&net, "c1", ""));
    let config = format!("http://10.10.10.1/cloud-config/{ONE}");
    assert_eq!(status(&net, "c1", &config), "200");
    let address = service.node("node1")["address"].as_str().unwrap().to_owned();
    net.run("ip link set c1 down");
    net.run_in("thief", &format!("ip address add {address}/24 dev eth0"));
    // Its first request of all makes the switch know.
    for what in [&config, IMAGE, "http://10.10.10.1/cloud-configs/install.sh"] {
        assert_eq!(status(&net, "thief", what), "403", "{what}");
    }
    let menu = net.run_in("thief", "curl -s tftp://10.10.10.1/pxelinux.cfg/default || true");
    assert!(!menu.contains("KERNEL"), "{menu}");
    assert_eq!(report(&net, "thief", "http://10.10.10.1", ONE, ("written", "true")), "403");
    service.wait_for(&format!("{TWO} answers for"), SOON);
    net.run_in("thief", "ip address flush dev eth0");
    net.run("ip link set c1 up");
    assert_eq!(status(&net, "c1", &config), "200", "and its machine has them again");
    assert_eq!(service.node("node1")["writes"], 0);
}

/// An own script or menu takes its image from elsewhere, and says nothing of how it goes.
#[test]
fn an_install_script_of_ones_own_is_good_for_one_start() {
    let net = rack();
    net.write("assets/cloud-configs/install.sh", "#!/bin/sh\nexit 0\n");
    let service = Service::start(&net, "");
    net.client("c1", ONE);
    service.cli(&["arm", "--all"]);
    assert!(is_led(&net, "c1", ""));
    assert_eq!(status(&net, "c1", "http://10.10.10.1/cloud-configs/install.sh"), "200");
    for _ in 0..3 {
        assert!(!is_led(&net, "c1", ""));
    }
    assert_eq!((stage(&service, ONE), service.node(ONE)["writes"].clone()), ("failed".into(), 1.into()));
    service.cli(&["disarm"]);
    service.cli(&["arm"]);
    assert!(!is_led(&net, "c1", ""), "nobody knows what is on its disk");
}

#[test]
fn a_narrowed_configuration_takes_grants_back() {
    let net = rack();
    let service = Service::start(&net, "");
    net.client("c1", ONE);
    service.cli(&["arm"]);
    assert!(is_led(&net, "c1", ""));
    let base = grant(&menu(&net, "c1")).expect("a grant");
    service.reload("[install]\nunknown_nodes = 'ignore'\n");
    service.wait_for("the new configuration is in force", SOON);
    assert_eq!(status(&net, "c1", &format!("{base}/coreos/1010.5.0/coreos_production_image.bin.bz2")), "403");
    assert!(!is_led(&net, "c1", ""));
}
