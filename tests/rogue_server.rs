//! Beside another DHCP server: a real dnsmasq as the router, and a capture of everything that was offered.

mod support;

use std::{collections::BTreeSet, time::Duration};

use support::{
    Net, Watched,
    capture::{Capture, offering},
    packets,
    router::{ROUTER, ROUTER_MAC, router},
    service::Service,
    wait_until,
};

const SOON: Duration = Duration::from_secs(30);
const UDHCPC: &str = "udhcpc -f -q -n -t 8 -T 1 -i eth0 -s /bin/true 2>&1";
/// As on the image: nothing but the interface is configured.
const AUTO: &str = "[network]\ninterface = 'br0'\n";

#[test]
fn beside_a_router_that_is_there_first_nothing_is_ever_offered() {
    let net = Net::new();
    net.client("c1", "02:00:00:00:00:01");
    let _router = router(&net, "");
    let capture = Capture::start(&net, "br0");
    let service = Service::start(&net, AUTO);
    let found = format!(
        "another DHCP server is in this network: {ROUTER} ({ROUTER_MAC}); no addresses are handed out"
    );
    service.wait_for(&found, SOON);
    // Machines come up, some for the first time and some again.
    for number in 2..6 {
        net.client(&format!("c{number}"), &format!("02:00:00:00:00:0{number}"));
    }
    for client in ["c1", "c2", "c3", "c4", "c5", "c1", "c2"] {
        let said = net.run_in(client, UDHCPC);
        assert!(said.contains(&format!("obtained from {ROUTER}")), "{said}");
    }
    let offers = capture.offers();
    assert!(offers.len() > 7, "the clients' and the service's own question: {offers:?}");
    assert_eq!(offering(&offers), BTreeSet::from([ROUTER]));
    let status = service.status();
    assert_eq!((&status["dhcp"], &status["leases"]), (&"proxy".into(), &0.into()));
    assert!(status["warnings"].to_string().contains(ROUTER), "{status}");
}

#[test]
fn a_router_that_comes_later_is_given_way() {
    let net = Net::new();
    let service = Service::start(&net, AUTO);
    let capture = Capture::start(&net, "br0");
    for number in 1..4 {
        net.client(&format!("c{number}"), &format!("02:00:00:00:00:0{number}"));
    }
    assert!(net.run_in("c1", UDHCPC).contains("obtained from 10.10.10.1"));
    assert_eq!(service.status()["dhcp"], "full");
    let router = router(&net, "");
    service.wait_for(&format!("another DHCP server is in this network: {ROUTER} ({ROUTER_MAC})"), SOON);
    for client in ["c2", "c3", "c1"] {
        let said = net.run_in(client, UDHCPC);
        assert!(said.contains(&format!("obtained from {ROUTER}")), "{client}, which asks anew: {said}");
    }
    assert_eq!(offering(&capture.offers()), BTreeSet::from(["10.10.10.1", ROUTER]));
    // It goes away; for minutes to come nobody takes its place, because it may only restart.
    drop(router);
    assert!(!net.try_in("c2", UDHCPC).status.success());
    assert_eq!(service.status()["dhcp"], "proxy");
}

/// The first machine that comes up beside a new server causes the question that finds it, and its own offer waits for
/// the ARP probe: a server that answers at once is there before that ends.
#[test]
fn a_new_router_that_answers_at_once_is_found_before_the_first_double_offer() {
    let net = Net::new();
    let service = Service::start(&net, AUTO);
    let capture = Capture::start(&net, "br0");
    let _router = router(&net, "--no-ping");
    net.client("c1", "02:00:00:00:00:01");
    assert!(net.run_in("c1", UDHCPC).contains(&format!("obtained from {ROUTER}")));
    service.wait_for("another DHCP server is in this network", SOON);
    assert_eq!(offering(&capture.offers()), BTreeSet::from([ROUTER]));
}

/// A server that answers none but the machines it knows is found by the first of them that comes up.
#[test]
fn a_server_that_ignores_strangers_is_found_by_what_its_machines_say() {
    let net = Net::new();
    let service = Service::start(&net, AUTO);
    let capture = Capture::start(&net, "br0");
    let _router =
        router(&net, "--no-ping --dhcp-ignore=tag:!known --dhcp-host=02:00:00:00:00:01,10.10.10.151");
    // Another machine has its address from here, which is no trouble of that server's.
    net.client("c2", "02:00:00:00:00:02");
    assert!(net.run_in("c2", UDHCPC).contains("obtained from 10.10.10.1"));
    assert!(
        service.status()["warnings"]
            .as_array()
            .expect("a list")
            .iter()
            .all(|w| !w.to_string().contains(ROUTER))
    );
    net.client("c1", "02:00:00:00:00:01");
    assert!(net.run_in("c1", UDHCPC).contains(&format!("obtained from {ROUTER}")));
    service.wait_for(&format!("another DHCP server is in this network: {ROUTER}"), SOON);
    wait_until("no addresses are handed out", SOON, || service.status()["dhcp"] == "proxy");
    assert_eq!(offering(&capture.offers()), BTreeSet::from(["10.10.10.1", ROUTER]));
}

/// A device that was just moved here names the server that it had elsewhere; old packets are sent again; a host that is no
/// server says what a server would. dnsmasq and ISC's server go on in all these cases.
#[test]
fn what_is_said_of_servers_that_are_not_there_stops_nothing() {
    let net = Net::new();
    let service = Service::start(&net, AUTO);
    net.client("c1", "02:00:00:00:00:01");
    net.run_in("c1", "ip address add 10.10.10.77/24 dev eth0");
    let said = packets::run(
        &net,
        "c1",
        "
own, card = mac('02:00:00:00:00:01'), Card()
def offered(machine):
    card.send(frame(datagram(message(DISCOVER, bytes([2, 0, 0, 0, 9, machine]), machine)), bytes([2, 0, 0, 0, 9, machine])))
    return [kind for xid, kind, _ in card.answers(1.5, enough=1) if xid == machine] == [OFFER]
for server in '192.168.1.254', '10.10.10.99', '10.10.10.77':
    chosen = option(54, server) + option(50, '10.10.10.150')
    card.send(*[frame(datagram(message(REQUEST, own, 7, chosen)), own)] * 5)
print('machines name them:', offered(1))
time.sleep(0.5)
for server in '10.10.10.99', '10.10.10.77':
    for kind in OFFER, ACK:
        for client in own, SERVER:
            word = message(kind, client, 8, option(54, server), yiaddr='10.10.10.151')
            card.send(*[frame(datagram(word, server, ports=(67, 68)), own)] * 5)
time.sleep(1.5)
print('servers speak:', offered(2))
",
    );
    assert_eq!(said, "machines name them: True\nservers speak: True\n");
    assert_eq!(service.status()["dhcp"], "full");
    for words in [
        "02:00:00:00:00:01 speaks of a DHCP server 192.168.1.254, but nobody answers at that address",
        "speaks of a DHCP server 10.10.10.99, but nobody answers",
        "a DHCP server 10.10.10.77, but 02:00:00:00:00:01 has that address and takes no DHCP messages",
    ] {
        service.wait_for(words, SOON);
    }
    let told = service.log().iter().filter(|line| line.contains("speaks of a DHCP server")).count();
    assert_eq!(told, 3, "once each");
    // Something that listens there may be a server that answers known machines only.
    let mut listener = net.command("ip");
    listener.args(["netns", "exec", "c1", "socat", "-u", "udp4-recv:67", "stdout"]);
    let _listener = Watched::start(listener);
    net.client("c2", "02:00:00:00:00:02");
    let program = "
own, card = mac('02:00:00:00:00:02'), Card()
card.send(frame(datagram(message(REQUEST, own, 9, option(54, '10.10.10.78') + option(50, '10.10.10.152'))), own))
";
    wait_until("it listens", SOON, || net.run_in("c1", "ss -Hlnu").contains(":67 "));
    net.run_in("c1", "ip address add 10.10.10.78/24 dev eth0");
    packets::run(&net, "c2", program);
    service.wait_for("another DHCP server is in this network: 10.10.10.78 (02:00:00:00:00:01)", SOON);
    assert_eq!(service.status()["dhcp"], "proxy");
}

#[test]
fn in_mode_full_it_warns_loudly_and_goes_on() {
    let net = Net::new();
    let _router = router(&net, "--no-ping");
    let capture = Capture::start(&net, "br0");
    let service = Service::start(&net, "[dhcp]\nprobe = false\n");
    service.wait_for(&format!("ANOTHER DHCP SERVER is in this network: {ROUTER} ({ROUTER_MAC})"), SOON);
    net.client("c1", "02:00:00:00:00:01");
    assert!(net.run_in("c1", UDHCPC).contains("obtained"), "from either");
    // So the other tests' measure sees two offers where there are two.
    wait_until("both have offered", SOON, || capture.offers().values().any(|servers| servers.len() == 2));
    let status = service.status();
    assert_eq!(status["dhcp"], "full");
    assert!(status["warnings"].to_string().contains(ROUTER), "{status}");
}

/// Its REQUEST to the router was not heard; the kernel knows whose packets come from there.
#[test]
fn a_machine_is_known_by_the_table_of_neighbours() {
    let net = Net::new();
    let _router = router(&net, "");
    let node = "[[node]]\nname = 'n1'\nmac = '02:00:00:00:00:01'\n";
    let service = Service::start(&net, &format!("{AUTO}{node}"));
    wait_until("it stands down", SOON, || service.status()["dhcp"] == "proxy");
    for (client, mac, address) in [("c1", "02:00:00:00:00:01", 150), ("c2", "02:00:00:00:00:02", 151)] {
        net.client(client, mac);
        net.run_in(client, &format!("ip address add 10.10.10.{address}/24 dev eth0"));
    }
    let script = "curl -s -o /dev/null -w '%{http_code}' 'http://10.10.10.1/boot.ipxe?mac=02:00:00:00:00:01'";
    assert_eq!(net.run_in("c2", script), "403", "another machine's");
    assert_eq!(net.run_in("c1", script), "200");
    assert_eq!(service.node("n1")["address"], "10.10.10.150");
}

/// A bridge takes the address of a machine that is plugged into it: the network is the same, and nobody waits for another
/// look at it.
#[test]
fn a_bridge_that_takes_another_address_is_no_new_network() {
    let net = Net::new();
    let service = Service::start(&net, AUTO);
    wait_until("it has looked", SOON, || service.status()["dhcp"] == "full");
    net.client("c1", "02:00:00:00:00:01");
    net.run("ip link set br0 address 02:00:00:00:ff:01");
    // The interface is looked at twice a second.
    net.run("sleep 1.5");
    let said = net.run_in("c1", "udhcpc -f -q -n -t 1 -T 3 -i eth0 -s /bin/true 2>&1");
    assert!(said.contains("obtained from 10.10.10.1"), "{said}");
    assert_eq!(service.status()["dhcp"], "full");
}
