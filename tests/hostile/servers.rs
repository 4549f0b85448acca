//! Two services on one switch, and a server that comes and goes.

use std::collections::BTreeSet;

use super::*;
use support::{
    Watched,
    capture::{Capture, offering},
    router::{ROUTER, router},
    service::{BINARY, config_text},
    wait_until,
};

/// As on the image: nothing but the interface is configured.
const AUTO: &str = "[network]\ninterface = 'br0'\n";

/// A second service in a namespace of its own, on a cable to the bridge.
struct Second<'a> {
    net: &'a Net,
    process: Watched,
}

impl<'a> Second<'a> {
    fn start(net: &'a Net) -> Second<'a> {
        let network = "[network]\ninterface = 'eth0'\naddress = '10.10.10.2/24'\n[dhcp]\npool = '10.10.10.150-10.10.10.199'\n";
        let config = net.write("second.toml", config_text(net, network));
        let mut command = net.command("ip");
        command.args(["netns", "exec", "second", BINARY, "--socket"]).arg(net.path("second.sock"));
        command
            .args(["serve", "--panel", "none", "--config"])
            .arg(config)
            .arg("--state")
            .arg(net.path("second"));
        Second { net, process: Watched::start(command) }
    }

    fn warnings(&self) -> String {
        let socket = self.net.path("second.sock");
        self.net.run(&format!("{BINARY} --socket {} status 2>&1 || true", socket.display()))
    }
}

fn second_machine(net: &Net, mac: &str) {
    net.client("second", mac);
    net.run_in("second", "ip address add 10.10.10.2/24 dev eth0");
}

/// Both are switched on in the same second.
#[test]
fn of_two_services_exactly_one_hands_out_addresses() {
    // The bridge has 02:00:00:00:00:fe.
    for (mac, winner) in [("02:00:00:00:00:50", "10.10.10.2"), ("02:00:00:00:01:50", "10.10.10.1")] {
        let net = Net::new();
        second_machine(&net, mac);
        let capture = Capture::start(&net, "br0");
        let second = Second::start(&net);
        let service = Service::start(&net, AUTO);
        second.process.wait_for("ready and safe", 0, SOON);
        wait_until("one stands by", SOON, || {
            service.status()["warnings"].to_string().contains("another rackberry")
                || second.warnings().contains("another rackberry")
        });
        for number in 1..=4 {
            let client = format!("c{number}");
            net.client(&client, &format!("02:00:00:00:00:0{number}"));
            let said = net.run_in(&client, UDHCPC);
            assert!(
                said.contains(&format!("obtained from {winner},"))
                    || said.contains(&format!("obtained from {winner} ")),
                "{said}"
            );
        }
        let offers = capture.offers();
        assert_eq!(offering(&offers), BTreeSet::from([winner]), "by {mac}");
        figure(
            &format!("two services at once, the other's address {mac}: conversations, all answered by"),
            format!("{} {winner}", offers.len()),
        );
        let is_first = winner == "10.10.10.1";
        assert_eq!(service.status()["dhcp"], if is_first { "full" } else { "proxy" });
    }
}

/// The one that serves goes on, whatever the other one's address is.
#[test]
fn a_service_that_comes_later_stands_by() {
    let net = Net::new();
    let service = Service::start(&net, AUTO);
    wait_until("it hands out", SOON, || service.status()["dhcp"] == "full");
    let capture = Capture::start(&net, "br0");
    second_machine(&net, "02:00:00:00:00:05");
    let second = Second::start(&net);
    second.process.wait_for("another DHCP server is in this network: 10.10.10.1", 0, SOON);
    for number in 1..=3 {
        let client = format!("c{number}");
        net.client(&client, &format!("02:00:00:00:01:0{number}"));
        // Firmware asks for its boot, too: of the other one it hears nothing at all.
        let said = net.run_in(&client, &format!("{UDHCPC} -V PXEClient:Arch:00007:UNDI:003000"));
        assert!(said.contains("obtained from 10.10.10.1"), "{said}");
    }
    assert_eq!(offering(&capture.offers()), BTreeSet::from(["10.10.10.1"]));
    let proxied = capture.packets().iter().filter(|packet| packet.contains("10.10.10.2.67 >")).count();
    assert_eq!(proxied, 0, "it says nothing");
    assert_eq!(service.status()["dhcp"], "full");
    assert!(second.warnings().contains("another rackberry"), "{}", second.warnings());
}

#[test]
fn a_server_that_comes_and_goes_never_makes_two_offers_of_one() {
    let net = Net::new();
    let service = Service::start(&net, AUTO);
    wait_until("it hands out", SOON, || service.status()["dhcp"] == "full");
    let capture = Capture::start(&net, "br0");
    let mut leases = 0;
    // dnsmasq has 31 addresses here.
    for round in 0..(2 * scale()).min(14) {
        let router = router(&net, "--no-ping");
        for number in 0..2 {
            let client = format!("c{round}-{number}");
            net.client(&client, &format!("02:00:00:00:{:02x}:{:02x}", round + 1, number));
            leases += usize::from(net.run_in(&client, UDHCPC).contains(&format!("obtained from {ROUTER}")));
        }
        drop(router);
    }
    let offers = capture.offers();
    let by = offering(&offers);
    figure(
        "a server that comes and goes: its leases, conversations, offers of two servers in one",
        format!("{leases} {} 0", offers.len()),
    );
    assert_eq!(by, BTreeSet::from([ROUTER]));
    let lines = service.log().len();
    assert!(lines < 60 * scale(), "{lines} lines in the log");
}
