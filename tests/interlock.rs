//! Beside another DHCP server: a real dnsmasq as the router, and a capture of everything that was offered.

mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    process::Command,
    time::Duration,
};

use support::{
    Net, Watched,
    router::{ROUTER, ROUTER_MAC, router},
    service::Service,
    wait_until,
};

const SOON: Duration = Duration::from_secs(30);
const UDHCPC: &str = "udhcpc -f -q -n -t 8 -T 1 -i eth0 -s /bin/true 2>&1";
/// As on the image: nothing but the interface is configured.
const AUTO: &str = "[network]\ninterface = 'br0'\n";

/// Writes every frame of br0, both ways, for tcpdump to read: in a user namespace it can't capture itself, because it
/// insists on dropping groups that it may not drop there.
const CAPTURE: &str = r#"
import socket, struct, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
s.bind(('br0', 0))
out = open(sys.argv[1], 'wb', buffering=0)
out.write(struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
print('listening', flush=True)
while True:
    frame = s.recv(65535)
    out.write(struct.pack('<IIII', 0, 0, len(frame), len(frame)) + frame)
"#;

/// Everything that is said of DHCP, in packets.
struct Capture<'a> {
    net: &'a Net,
    _python: Watched,
}

impl Capture<'_> {
    fn start(net: &Net) -> Capture<'_> {
        // What goes from port to port, too.
        net.run("ip link set br0 promisc on");
        let mut python = net.command("python3");
        python.arg("-c").arg(CAPTURE).arg(net.path("dhcp.pcap"));
        let python = Watched::start(python);
        python.wait_for("listening", 0, SOON);
        Capture { net, _python: python }
    }

    /// The servers whose OFFERs with an address each conversation has seen, by client and transaction.
    fn offers(&self) -> BTreeMap<String, BTreeSet<String>> {
        let pcap = File::open(self.net.path("dhcp.pcap")).expect("a capture");
        let mut tcpdump = Command::new("tcpdump");
        tcpdump.args(["-vv", "-n", "-tt", "-r", "-", "port 67 or port 68"]).stdin(pcap);
        let said = tcpdump.output().expect("tcpdump");
        let text = String::from_utf8_lossy(&said.stdout);
        let mut offers = BTreeMap::<String, BTreeSet<String>>::new();
        let words = |packet: &str, after: &str| {
            let rest = packet.split_once(after)?.1.trim_start();
            rest.split([',', '\n', ' ']).next().map(str::to_owned)
        };
        // Every packet begins with its time, which the capture leaves at zero.
        for packet in text.split("0.000000 IP").filter(|packet| packet.contains("length 1: Offer")) {
            let (Some(xid), Some(_address)) = (words(packet, "xid "), words(packet, "Your-IP")) else {
                continue;
            };
            let client = words(packet, "Client-Ethernet-Address").expect("a client");
            let server = words(packet, "Server-ID (54), length 4:").expect("a server");
            offers.entry(format!("{client} {xid}")).or_default().insert(server);
        }
        offers
    }
}

/// That never two servers offered addresses in one conversation; returns all that offered any.
fn offering(offers: &BTreeMap<String, BTreeSet<String>>) -> BTreeSet<&str> {
    for (conversation, servers) in offers {
        assert_eq!(servers.len(), 1, "{conversation} had offers of {servers:?}");
    }
    offers.values().flatten().map(String::as_str).collect()
}

#[test]
fn beside_a_router_that_is_there_first_nothing_is_ever_offered() {
    let net = Net::new();
    net.client("c1", "02:00:00:00:00:01");
    let _router = router(&net, "");
    let capture = Capture::start(&net);
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
    let capture = Capture::start(&net);
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
    let capture = Capture::start(&net);
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
    let capture = Capture::start(&net);
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

#[test]
fn in_mode_full_it_warns_loudly_and_goes_on() {
    let net = Net::new();
    let _router = router(&net, "--no-ping");
    let capture = Capture::start(&net);
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
