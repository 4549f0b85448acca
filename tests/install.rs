//! The main path with real firmware: machines that install themselves, and machines that must not.
//!
//! A crash of the service, a second boot from the network, an arming that ends: whatever happens, a disk is
//! written once, or not at all.

mod support;

use std::{path::Path, time::Duration};

use rack_lab::machine::Firmware;
use support::{
    Net,
    machine::{INSTALL, Node, mark_of},
    root,
    service::{BINARY, Service},
    wait_until,
};

const BIOS: &str = "52:54:00:00:00:01";
const UEFI: &str = "52:54:00:00:00:02";
/// The log follows a machine's step within this.
const SOON: Duration = Duration::from_secs(30);
/// Firmware is through with the network and at its disk.
const BOOT: Duration = Duration::from_secs(120);

/// The service on the demo's operating system, with two nodes named `bios` and `uefi`.
fn service(net: &Net) -> Service<'_> {
    let assets = root().join("target/demo/assets");
    assert!(
        assets.join("coreos/current").exists(),
        "`make assets` makes the system that these tests install"
    );
    net.run(&format!("cp -r {} {}", assets.display(), net.path("assets").display()));
    net.write(
        &format!("assets/cloud-configs/{}.yml", BIOS.replace(':', "-")),
        "#cloud-config\nhostname: chosen-for-bios\n",
    );
    let service = Service::start_strict(
        net,
        &format!(
            "[network]\ninterface = 'br0'\n[install]\ndisk = '/dev/vda'\nconsole = 'ttyS0,115200'\n\
             [[node]]\nname = 'bios'\nmac = '{BIOS}'\n[[node]]\nname = 'uefi'\nmac = '{UEFI}'\n"
        ),
    );
    wait_until("the system is verified", SOON, || service.status()["ready"]["Ok"].is_string());
    service
}

fn both(net: &Net) -> [Node; 2] {
    [
        Node::plug(net, BINARY, "bios", BIOS, Firmware::Bios),
        Node::plug(net, BINARY, "uefi", UEFI, Firmware::Uefi),
    ]
}

#[test]
fn blank_machines_install_once_and_boot_their_disks_ever_after() {
    let net = Net::new();
    let service = service(&net);
    service.cli(&["arm"]);
    let mut nodes = both(&net);
    nodes.iter_mut().for_each(Node::switch_on);
    for node in &nodes {
        node.wait_up(1);
    }
    // Each has its own configuration on its disk.
    nodes[0].wait_console("chosen-for-bios is up from its own disk", 1, SOON);
    nodes[1].wait_console("rackberry-demo is up from its own disk", 1, SOON);
    service.wait_for("is up from its own disk mac=52:54:00:00:00:01 node=\"bios\" stage=installed", SOON);
    service.wait_for("is up from its own disk mac=52:54:00:00:00:02 node=\"uefi\" stage=installed", SOON);
    // A line a stage, in order: the log is the install's story.
    for (mac, name) in [(BIOS, "bios"), (UEFI, "uefi")] {
        let stages =
            ["discovered", "loading", "booting", "configuring", "installing", "written", "installed"];
        let told: Vec<String> =
            service.log().into_iter().filter(|line| line.contains(&format!("mac={mac}"))).collect();
        let seen: Vec<&str> = told.iter().filter_map(|line| line.split("stage=").nth(1)).collect();
        assert_eq!(seen, stages, "{told:#?}");
        assert!(told.iter().all(|line| line.contains(&format!("node=\"{name}\""))), "{told:#?}");
    }
    // The network still comes first, and the service is still armed.
    for node in &nodes {
        node.machine.reset().expect("it runs");
    }
    for (node, name) in nodes.iter().zip(["bios", "uefi"]) {
        node.wait_up(2);
        assert_eq!(service.node(name)["writes"], 1);
        assert_eq!(service.node(name)["stage"], "installed");
        // Two starts from the disk have left its mark alone.
        let mark = mark_of(&node.machine.disk());
        assert!(mark.starts_with("rackberry mark 1\nprofile coreos\nversion 1010.5.0\n"), "{mark}");
    }
}

#[test]
fn a_disarmed_service_leaves_disks_alone_and_hands_out_nothing() {
    let net = Net::new();
    let service = service(&net);
    let mut nodes = both(&net);
    for node in &mut nodes {
        node.mark_disk();
        node.switch_on();
    }
    // The firmware has tried the network, and then the disk, which holds nothing to boot.
    nodes[0].wait_console("No bootable device", 1, BOOT);
    nodes[1].wait_console("no disk here has", 1, BOOT);
    // Meanwhile somebody at the machines' addresses asks for what an install would.
    net.client("thief", "52:54:00:00:00:03");
    net.run_in("thief", "udhcpc -f -q -n -t 5 -T 1 -i eth0 -s /bin/true 2>&1");
    net.run_in("thief", "ip address add 10.10.10.199/24 dev eth0");
    for path in [
        "cloud-configs/52-54-00-00-00-01.yml",
        "cloud-configs/install.sh",
        "cloud-config/52:54:00:00:00:03",
        "ignition?mac=52:54:00:00:00:01",
        "coreos/1010.5.0/coreos_production_image.bin.bz2",
        "1010.5.0/coreos_production_image.bin.bz2",
    ] {
        let status = net
            .run_in("thief", &format!("curl -s -o /dev/null -w '%{{http_code}}' 'http://10.10.10.1/{path}'"));
        assert_eq!(status, "403", "{path}");
    }
    for node in &nodes {
        assert!(node.is_disk_untouched(), "{} was written", node.machine.name);
    }
    for name in ["bios", "uefi"] {
        assert_eq!(service.node(name)["writes"], 0);
    }
}

#[test]
fn a_crash_while_an_image_is_sent_costs_no_install() {
    let net = Net::new();
    let mut service = service(&net);
    service.cli(&["arm", "bios"]);
    let mut node = Node::plug(&net, BINARY, "bios", BIOS, Firmware::Bios);
    node.switch_on();
    service.wait_for("its disk is being overwritten", INSTALL);
    // The transfer has begun, and is far from its end.
    service.kill_and_restart();
    assert_eq!(service.node("bios")["stage"], "installing");
    assert_eq!(service.status()["armed_seconds"], serde_json::Value::Null, "a restart disarms");
    node.wait_up(1);
    service.wait_for("stage=installed", SOON);
    let known = service.node("bios");
    assert_eq!((&known["writes"], &known["granted"]), (&1.into(), &false.into()), "{known}");
    // And once only: from the network it goes to its disk.
    node.machine.reset().expect("it runs");
    node.wait_up(2);
    assert_eq!(service.node("bios")["writes"], 1);
}

#[test]
fn an_arming_that_ends_lets_running_installs_finish_and_starts_none() {
    let net = Net::new();
    let service = service(&net);
    let [mut early, mut late] = both(&net);
    late.mark_disk();
    service.cli(&["arm"]);
    early.switch_on();
    service.wait_for("node=\"bios\" stage=installing", INSTALL);
    service.cli(&["arm", "--for", "1s"]);
    service.wait_for("the time of an order is over: every node; 1 installs that run go on", SOON);
    late.switch_on();
    early.wait_up(1);
    late.wait_console("no disk here has", 1, BOOT);
    assert_eq!(service.node("bios")["writes"], 1);
    assert_eq!(service.node("uefi")["writes"], 0);
    assert!(late.is_disk_untouched());
}

#[test]
fn a_person_installs_by_hand_in_two_steps() {
    let net = Net::new();
    let service = service(&net);
    service.cli(&["arm", "--live", "bios"]);
    let mut node = Node::plug(&net, BINARY, "bios", BIOS, Firmware::Bios);
    node.mark_disk();
    node.switch_on();
    node.wait_console("live system; install by hand", 1, INSTALL);
    assert!(node.is_disk_untouched());
    assert_eq!(service.node("bios")["writes"], 0);
    node.type_lines(&[
        "",
        "wget -O /tmp/config http://10.10.10.1/cloud-configs/52:54:00:00:00:01.yml",
        "coreos-install -d /dev/vda -c /tmp/config -b http://10.10.10.1:8080 && reboot -f",
    ]);
    node.wait_console("chosen-for-bios is up from its own disk", 1, INSTALL);
    service.wait_for("stage=installed", SOON);
    assert_eq!(service.node("bios")["writes"], 1);
}

/// A real PXELINUX, which takes its menu's modules and other menus from here, by relative and absolute names.
#[test]
fn a_menu_of_ones_own_that_includes_others_leads_to_its_kernel() {
    let net = Net::new();
    let service = service(&net);
    for module in ["menu.c32", "libutil.c32"] {
        support::copy(
            &Path::new("/usr/lib/syslinux/modules/bios").join(module),
            &net.path("assets").join(module),
        );
    }
    net.write(
        "assets/pxelinux.cfg/default",
        "UI menu.c32\nPROMPT 0\nTIMEOUT 10\nMENU TITLE rack\nMENU INCLUDE menus/colours.cfg Rack\n\
         INCLUDE pxelinux.cfg/rack.cfg\nDEFAULT rack\n",
    );
    net.write(
        "assets/menus/colours.cfg",
        "MENU COLOR title 1;36;44 #ffffffff #00000000 std\nINCLUDE /menus/more.cfg\n",
    );
    net.write("assets/menus/more.cfg", "LABEL else\n  MENU LABEL something else\n  LOCALBOOT 0\n");
    net.write(
        "assets/pxelinux.cfg/rack.cfg",
        "LABEL rack\n  KERNEL coreos_production_pxe.vmlinuz\n  APPEND initrd=coreos_production_pxe_image.cpio.gz \
         console=ttyS0,115200 cloud-config-url=http://10.10.10.1:8080/cloud-configs/pxe.yml\n  IPAPPEND 2\n",
    );
    net.write(
        "assets/cloud-configs/pxe.yml",
        "#!/bin/sh\necho this is the script of pxe.yml >/dev/console\n",
    );
    wait_until("the menu is found", SOON, || {
        service.try_cli(&["arm", "bios"]).status.success()
            && !service.status()["warnings"].to_string().contains("no such file")
    });
    let mut node = Node::plug(&net, BINARY, "bios", BIOS, Firmware::Bios);
    node.switch_on();
    node.wait_console("this is the script of pxe.yml", 1, INSTALL);
    // What such a menu starts may write the disk: it counts as if it had.
    assert_eq!(service.node("bios")["writes"], 1);
}
