//! The SD image as people get it: flashed, switched on, used. `make test-image` builds the image and runs these.

mod boards;
mod card;
mod drivers;
mod power;
#[path = "../support/mod.rs"]
mod support;
mod tree;

use std::time::Duration;

use rack_lab::machine::Firmware;
use support::{
    HERE, Net,
    board::{Board, Kind, usb_disk},
    machine::Node,
    service::BINARY,
    stick,
};

const BIOS: &str = "52:54:00:00:00:01";
/// The service's state follows a machine's step within this.
const SOON: Duration = Duration::from_secs(60);

/// Settings for QEMU's machines.
const SETTINGS: &str = "[install]\r\ndisk = '/dev/vda'\r\nconsole = 'ttyS0,115200'\r\n[assets]\r\nverify = 'unsigned-ok'\r\n\
                        [[node]]\r\nname = 'bare'\r\nmac = '52:54:00:00:00:01'\r\n";

#[test]
#[ignore = "takes the SD image: make test-image"]
fn a_flashed_card_installs_a_bare_machine_from_a_usb_disk() {
    let net = Net::new();
    let mut board = open_board(&net, "serve");
    let usb = usb_disk(&net);
    assert!(board.report().contains("has not been started yet"));
    let table = board.allocation_table();
    board.switch_on(None);
    board.wait_served();
    board.wait_login();
    stick::all_are_found(&net, &board);
    let plugged = board.lines();
    board.plug_usb("demo", &usb);
    board.wait_for("sda is served", plugged);
    support::wait_until("the system on the USB disk is found", SOON, || {
        board.ssh("rackberry", "rackberry status").contains("coreos 1010.5.0")
    });

    login_is_closed(&board);
    has_a_name(&net);

    assert!(board.ssh("rackberry", "rackberry arm bare").contains("armed"));
    let mut node = Node::plug(&net, BINARY, "bare", BIOS, Firmware::Bios);
    node.switch_on();
    // The disk is pulled while its image goes out, of which nothing is left in memory from the look at its signature:
    // the machine says that it failed, and the appliance goes on.
    board.wait_for("stage=configuring", plugged);
    board.ssh("root", "echo 3 >/proc/sys/vm/drop_caches");
    board.wait_for("its disk is being overwritten", plugged);
    board.pull_usb("demo");
    board.wait_for("failed while installing", plugged);
    assert!(!board.ssh("rackberry", "status").contains("coreos 1010.5.0"), "what is gone is not offered");
    let plugged = board.lines();
    board.plug_usb("again", &usb);
    board.wait_for("is served", plugged);
    support::wait_until("it can be armed again", SOON, || {
        board.try_ssh("rackberry", "arm --again bare").status.success()
    });
    node.machine.reset().expect("it runs");
    node.wait_up(1);
    support::wait_until("the node is known as installed", SOON, || {
        board.ssh("rackberry", "nodes").contains("installed")
    });
    node.machine.reset().expect("it runs");
    node.wait_up(2);
    let known: serde_json::Value =
        serde_json::from_str(&board.ssh("rackberry", "node show --json bare")).expect("JSON");
    assert_eq!((&known["stage"], &known["writes"]), (&"installed".into(), &2.into()));

    board.cut();
    assert!(board.allocation_table() == table, "what is written to the card takes its old place");
    let report = board.report();
    for words in [
        "address    10.10.10.1/24 on eth0, rackberry.local",
        "rackberry.toml is good and in force",
        "1 key: ssh",
    ] {
        assert!(report.contains(words), "{words:?} is not in:\n{report}");
    }
}

/// The login is rackberry's own, and no other has one.
fn login_is_closed(board: &Board) {
    for command in [
        "sh -c id",
        "cat /etc/shadow",
        "journalctl --file=/etc/shadow",
        "rackberry serve",
        "scp -f /data/running",
    ] {
        assert!(!board.try_ssh("rackberry", command).status.success(), "{command}");
    }
    assert!(board.ssh("rackberry", "journalctl -u rackberry").contains("ready and safe"));
}

/// By name, too: a multicast question gets the address.
fn has_a_name(net: &Net) {
    let question = r#"
import socket, sys
query = bytes(4) + b"\0\1" + bytes(6) + b"\x09rackberry\x05local\0\0\1\x80\1"
asked = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asked.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("10.10.10.254"))
asked.settimeout(5)
for _ in range(12):
    asked.sendto(query, ("224.0.0.251", 5353))
    try:
        answer = asked.recv(9000)
    except TimeoutError:
        continue
    if socket.inet_aton("10.10.10.1") in answer:
        sys.exit()
sys.exit("nobody is rackberry.local")
"#;
    net.run(&format!("python3 -c '{question}'"));
}

#[test]
#[ignore = "takes the SD image: make test-image"]
fn a_raspberry_pi_3_starts_from_its_card_and_serves() {
    let net = Net::new();
    let mut board = Board::plug(&net, BINARY, Kind::Pi3);
    board.switch_on(None);
    board.wait_served();
    net.client("client", "52:54:00:00:00:07");
    let lease = net.run_in("client", "udhcpc -f -q -n -t 20 -T 2 -i eth0 -s /bin/true 2>&1");
    assert!(lease.contains(&format!("obtained from {HERE}")), "{lease}");
    board.wait_login();
    assert!(!board.try_ssh("root", "true").status.success());
    board.wait_for("rackberry-report.service: Deactivated successfully", 0);
    board.cut();
    let report = board.report();
    for words in ["on a Raspberry Pi 3 Model B", "rackberry.local"] {
        assert!(report.contains(words), "{words:?} is not in:\n{report}");
    }
    // The panel's lines belong to the service when it looks for them.
    assert!(!report.contains("no right to use"), "{report}");
}

#[test]
#[ignore = "takes the SD image: make test-image"]
fn a_faulty_card_leaves_an_appliance_that_can_be_reached_and_says_what_is_wrong() {
    let net = Net::new();
    let mut board = Board::plug(&net, BINARY, Kind::Virtual);
    // Bad TOML; the key is good.
    board.write("rackberry.toml", b"[network]\r\naddress = '10.10.10.1/24\r\n");
    start(&mut board);
    board.wait_login();
    let said = board.ssh("rackberry", "status");
    assert!(said.contains("nothing installs, and every machine is left alone"), "{said}");
    assert!(said.contains("rackberry.toml:2:"), "two pulses: status names the line: {said}");
    // What the service warns of is on the card when the power goes.
    board.wait_for("rackberry-log.service: Deactivated successfully", 0);
    board.cut();
    told(
        &board,
        &[
            "rackberry.toml:2:",
            "nothing installs: neither the rackberry.toml on the card nor a kept one is good",
            "no good configuration was kept",
            "1 key: ssh",
        ],
    );
    assert!(board.journal().starts_with("journal: rackberry journal "), "{}", board.journal());

    // A key that does not exist, and SSH keys that are none: the appliance serves, and keeps what it was told last.
    board.write("rackberry.toml", b"[dhcp]\r\nlease = '12h'\r\n[system]\r\nroot_login = true\r\n");
    board.name_journal("the one before");
    start(&mut board);
    board.wait_login();
    board.wait_for(IS_KEPT, 0);
    a_journal_is_named(&board);
    the_log_is_there_after_a_power_cut(&board);
    stick::other_kinds_are_found(&net, &board);
    // Meanwhile: what the service does when the panel's button is held for ten seconds powers the board off.
    board.ssh("root", "touch /run/rackberry/poweroff");
    board.wait_off();
    told(&board, &["rackberry.toml is good and in force", "\nnothing\n"]);
    assert_eq!(board.journal(), "journal: this one");
    board.check_fat();
    board.write("rackberry.toml", b"[dhcp]\r\nlaese = '12h'\r\n");
    board.write("authorized_keys", b"ssh-ed25519 AAAA\r\n-----BEGIN OPENSSH PRIVATE KEY-----\r\n");
    start_and_cut(&mut board);
    told(
        &board,
        &[
            "rackberry.toml:2:1: dhcp.laese",
            "the last good rackberry.toml is in force",
            "authorized_keys:1: the ssh-ed25519 key is cut short",
            "authorized_keys:2: this is a private key",
            "off: authorized_keys on the card has no key",
        ],
    );

    // Nothing at all.
    board.delete("rackberry.toml");
    board.delete("authorized_keys");
    start_and_cut(&mut board);
    told(
        &board,
        &[
            "rackberry.toml: can't be read",
            "authorized_keys: can't be read",
            "the last good",
            "power was cut",
        ],
    );
}

/// Said when the service has served for a minute.
const IS_KEPT: &str = "is kept as the last good one";
/// Said when a configuration is given up.
const GIVES_WAY: &str = "another configuration takes its place";

#[test]
#[ignore = "takes the SD image: make test-image"]
fn a_configuration_that_nobody_can_reach_the_appliance_by_gives_way() {
    let net = Net::new();
    let mut board = Board::plug(&net, BINARY, Kind::Virtual);
    // There is no good one before it. Windows has added an end to the names of both files.
    let key = board.read("authorized_keys").expect("a key");
    board.delete("authorized_keys");
    board.write("authorized_keys.txt", &key);
    board.write("rackberry.toml.txt", b"[network]\r\ninterface = 'eth7'\r\n");
    board.switch_on(None);
    gives_way(&board);
    assert!(board.ssh("rackberry", "status").contains("nothing installs, and every machine is left alone"));
    board.cut();
    told(
        &board,
        &[
            "address    10.10.10.1/24 on eth0",
            "rackberry.toml.txt: network.interface is \"eth7\", which this board does not have (it has eth0)",
            "nothing installs: neither the rackberry.toml.txt on the card nor a kept one is good",
            "1 key: ssh",
        ],
    );

    // With one before it, that one is in force.
    board.delete("rackberry.toml.txt");
    board.write("rackberry.toml", b"[dhcp]\r\nlease = '12h'\r\n");
    start(&mut board);
    board.wait_for(IS_KEPT, 0);
    board.cut();
    board.write("rackberry.toml", b"[network]\r\ninterface = 'eth7'\r\n");
    board.switch_on(None);
    gives_way(&board);
    board.cut();
    told(&board, &["the last good rackberry.toml is in force", "network.interface is \"eth7\""]);

    // And a cable that is not plugged in is told of.
    board.write("rackberry.toml", b"[dhcp]\r\nlease = '12h'\r\n");
    board.switch_on(None);
    board.wait_for("systemd", 0);
    board.pull_cable();
    board.wait_for("eth0 has no link", 0);
    board.wait_for("rackberry-report.service: Deactivated successfully", 0);
    board.cut();
    told(&board, &["eth0 has no link: no cable is in it", "rackberry.toml is good and in force"]);
}

/// It is given up, and the appliance is reached.
fn gives_way(board: &Board) {
    let given_up = board.wait_for(GIVES_WAY, 0);
    // The report of the start, if it is not there yet, is broken off for that of what came into force.
    let ready = board.wait_for("ready and safe", given_up);
    board.wait_for("rackberry-report.service: Deactivated successfully", ready);
    board.wait_served();
    board.wait_login();
}

/// What the card remembers is where the service looks for it; what the service notes beside its journal comes onto
/// the card, and nothing else of that changes.
fn a_journal_is_named(board: &Board) {
    assert_eq!(board.ssh("root", "cat /run/rackberry-setup/journal.mark"), "the one before\n");
    board.ssh("root", "echo 'this one' >/var/lib/rackberry/journal.new; mv /var/lib/rackberry/journal.new /var/lib/rackberry/journal.mark");
    board.wait_for("the card names the journal: this one", 0);
}

/// The log of the run before, asked for as people do.
fn the_log_is_there_after_a_power_cut(board: &Board) {
    for (command, said) in [
        ("journalctl -b -1 -u rackberry", "ready and safe"),
        ("journalctl -b -1 -u rackberry-setup", "nothing installs, and every machine is left alone"),
        ("journalctl -b -1 -p warning -u rackberry", "WARN no panel"),
        ("journalctl -k -b-1", "Linux version"),
        ("journalctl --list-boots", "-1 "),
        ("journalctl --since '1 hour ago' -n 500 -u rackberry-setup", "rackberry.toml is good and in force"),
    ] {
        let log = board.ssh("rackberry", command);
        assert!(log.contains(said), "{command}: {said:?} is not in:\n{log}");
    }
}

fn start_and_cut(board: &mut Board) {
    start(board);
    board.cut();
}

fn start(board: &mut Board) {
    board.switch_on(None);
    board.wait_served();
    board.wait_for("rackberry-report.service: Deactivated successfully", 0);
}

fn told(board: &Board, all: &[&str]) {
    let report = board.report();
    for words in all {
        assert!(report.contains(words), "{words:?} is not in:\n{report}");
    }
}

/// A board whose root can be asked.
fn open_board<'a>(net: &'a Net, usb: &str) -> Board<'a> {
    let board = Board::plug(net, BINARY, Kind::Virtual);
    let settings = format!("{SETTINGS}[system]\r\nroot_login = true\r\nusb = '{usb}'\r\n");
    board.write("rackberry.toml", settings.as_bytes());
    board
}
