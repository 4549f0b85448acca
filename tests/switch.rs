//! Who sends what on the switch: frames as they may come, in one's own name and in others'.

mod support;

use std::time::Duration;

use support::{
    Net, packets,
    service::{BINARY, Service, config_text, launch, small_system},
    wait_until,
};

const SOON: Duration = Duration::from_secs(20);
const UDHCPC: &str = "udhcpc -f -q -n -t 5 -T 1 -i eth0 -s /bin/true 2>&1";
const NO_PROBE: &str = "[dhcp]\nprobe = false\n";

/// Each DISCOVER in a frame of its own kind, all at once; how many OFFERs each has, and how often the kernel says that
/// nobody listens.
#[test]
fn frames_are_taken_as_a_socket_would_take_them_and_answered_once() {
    let net = Net::new();
    let service = Service::start(&net, NO_PROBE);
    net.client("c1", "02:00:00:00:00:01");
    // Not every kernel has VLAN interfaces.
    let vlan = "ip link add link br0 name br0.7 type vlan id 7 2>/dev/null && ip link set br0.7 up || true";
    net.run(&format!("ip link set br0 promisc on; {vlan}"));
    let said = packets::run(
        &net,
        "c1",
        "
kinds = {
    'plain 1': {},
    'with IP options 1': dict(ip_options=b'\\x94\\4\\0\\0'),
    'without a checksum 1': dict(sums=False),
    'with a wrong checksum 0': dict(damaged='udp'),
    'with a wrong header checksum 0': dict(damaged='ip'),
    'the first fragment 0': dict(fragment=0x2000),
    'a later fragment 0': dict(fragment=0x00b9),
    'cut off 0': dict(longer=8),
    'to another address 0': dict(to='10.10.10.99', frame_to=SERVER),
    'to the network 1': dict(to='10.10.10.255'),
    'to the server alone 1': dict(to=HERE, frame_to=SERVER),
    'to another machine 0': dict(frame_to=mac('02:00:00:00:00:77')),
    'in a VLAN 0': dict(vlan=5),
    'in a VLAN with an interface 0': dict(vlan=7),
    'with a priority 1': dict(vlan=0x6000),
    'in another name 0': dict(client=mac('02:00:00:00:09:09')),
    'from the server itself 0': dict(source_mac=SERVER, client=SERVER),
    'to the boot server 0': dict(ports=(68, 4011)),
    'from everybody 0': dict(source='255.255.255.255'),
    'from its address 0': dict(source=HERE),
}
frames = []
for xid, more in enumerate(kinds.values()):
    own = more.pop('source_mac', bytes([2, 0, 0, 0, 1, xid]))
    client, to, vlan = more.pop('client', own), more.pop('frame_to', EVERYBODY), more.pop('vlan', None)
    frames.append(frame(datagram(message(DISCOVER, client, xid), **more), own, to, vlan) + bytes(12))
card = Card()
card.send(*frames)
refusals, offers = 0, []
for packet in card.packets(2):
    refusals += packet[9] == 1 and packet[20] == 3
    if packet[9] == 17 and packet[20:22] == b'\\0C':
        offers.append(packet[28 + 7])
for xid, kind in enumerate(kinds):
    print(kind, offers.count(xid))
print('unreachable 0', refusals)
",
    );
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 21, "{said}");
    for line in lines {
        let mut words = line.rsplit(' ');
        assert_eq!(words.next(), words.next(), "{line}: expected, then found");
    }
    service.wait_for(
        "dropped a DISCOVER in the name of 02:00:00:00:09:09, because 02:00:00:00:01:0f has sent it",
        SOON,
    );
}

/// As in its unit, the service may not go beyond the system's limit of a socket's buffer.
#[test]
fn a_thousand_machines_in_the_same_instant_are_all_heard() {
    let net = Net::new();
    net.run("ip address flush dev br0; ip address add 10.10.10.1/16 dev br0");
    let network = "[network]\ninterface = 'br0'\naddress = '10.10.10.1/16'\nmode = 'full'\n";
    let pool = "[dhcp]\nprobe = false\npool = '10.10.20.1-10.10.40.254'\n";
    let config = net.write("rackberry.toml", config_text(&net, &format!("{network}{pool}")));
    let service = launch(&net, &config);
    service.wait_for("ready and safe", 0, SOON);
    net.client("c1", "02:00:00:00:00:01");
    let said = packets::run(
        &net,
        "c1",
        "
frames = []
for xid in range(1000):
    own = bytes([2, 0, 0, 1]) + struct.pack('!H', xid)
    frames.append(frame(datagram(message(DISCOVER, own, xid)), own))
card = Card()
card.send(*frames)
answers = card.answers(10, enough=1000)
print(len({xid for xid, _, _ in answers}), len(answers))
",
    );
    assert_eq!(said, "1000 1000\n", "machines that are answered, and answers");
}

/// The lease of another machine, and with it its configuration, by two plain datagrams.
#[test]
fn a_machine_does_not_get_anothers_lease_by_speaking_in_its_name() {
    let net = Net::new();
    small_system(&net);
    net.write("assets/cloud-configs/n1.yml", "#cloud-config\nhostname: secret\n");
    let service = Service::start(
        &net,
        "[dhcp]\nprobe = false\n[[node]]\nname = 'n1'\nmac = '02:00:00:00:00:01'\naddress = '10.10.10.11'",
    );
    service.cli(&["arm", "n1"]);
    net.client("c1", "02:00:00:00:00:01");
    net.client("thief", "02:00:00:00:00:02");
    assert!(
        net.run_in("c1", &format!("{UDHCPC} -V PXEClient:Arch:00000:UNDI:002001")).contains("10.10.10.11")
    );
    let said = packets::run(
        &net,
        "thief",
        "
own, victim, card = mac('02:00:00:00:00:02'), mac('02:00:00:00:00:01'), Card()
card.send(frame(datagram(message(DISCOVER, own, 1)), own))
[(_, _, place)] = card.answers(5, enough=1)
chosen = option(54, HERE) + option(50, place)
card.send(frame(datagram(message(REQUEST, own, 2, chosen)), own))
print(card.answers(5, enough=1)[0][1] == ACK)
release = message(RELEASE, own, 3, option(54, HERE), ciaddr=place)
card.send(frame(datagram(release, source=place, to=HERE), own, SERVER))
for wanted in place, '10.10.10.11':
    for options in option(50, wanted), option(54, HERE) + option(50, wanted):
        card.send(frame(datagram(message(REQUEST, victim, 4, options)), own))
    card.send(frame(datagram(message(REQUEST, victim, 4, ciaddr=wanted), source=wanted), own))
print(card.answers(1))
",
    );
    assert_eq!(said, "True\n[]\n", "its own lease, and nothing in the victim's name");
    assert_eq!(service.node("n1")["address"], "10.10.10.11");
    let place = net.run_in("thief", &format!("{UDHCPC}; ip -4 -o address show dev eth0"));
    assert!(!place.contains("10.10.10.11 "), "{place}");
    service.wait_for("in the name of 02:00:00:00:00:01, because 02:00:00:00:00:02 has sent it", SOON);
}

/// A node whose REQUEST to the router was not heard, in mode proxy, as the unit shows /proc to the service: not at all, as far
/// as networks go.
#[test]
fn beside_a_router_a_node_is_known_without_proc_and_gets_its_configuration() {
    let net = Net::new();
    small_system(&net);
    let text =
        "[network]\ninterface = 'br0'\nmode = 'proxy'\n[[node]]\nname = 'n1'\nmac = '02:00:00:00:00:01'\n";
    let config = net.write("rackberry.toml", config_text(&net, text));
    let service = launch(&net, &config);
    service.wait_for("ready and safe", 0, SOON);
    let cli = |words: &str| {
        net.run(&format!("{BINARY} --socket {}/run/control.sock {words}", net.dir.path().display()))
    };
    cli("arm n1");
    for (client, mac, place) in [("c1", "02:00:00:00:00:01", 150), ("c2", "02:00:00:00:00:02", 151)] {
        net.client(client, mac);
        net.run_in(client, &format!("ip address add 10.10.10.{place}/24 dev eth0"));
    }
    // Its firmware asks for a boot; what it then agrees upon with the router is not to be heard here.
    let discover = "
own, card = mac('02:00:00:00:00:01'), Card()
card.send(frame(datagram(message(DISCOVER, own, 1, option(60, b'PXEClient:Arch:00000:UNDI:002001') + option(93, b'\\0\\0'))), own))
print(len(card.answers(5, enough=1)))
";
    assert_eq!(packets::run(&net, "c1", discover), "1\n");
    wait_until("it may install", SOON, || cli("node show --json n1").contains("\"granted\": true"));
    // The first datagram of all from its address: nobody has asked yet who has it.
    let menu = |client: &str| {
        net.run("ip neigh flush dev br0");
        net.run_in(client, "curl -sS tftp://10.10.10.1/pxelinux.cfg/01-02-00-00-00-00-01 2>&1; true")
    };
    assert!(!menu("c2").contains("KERNEL"), "another machine's: {}", menu("c2"));
    let script = menu("c1");
    let (_, rest) = script.split_once("http://10.10.10.1/g/").unwrap_or_else(|| panic!("no grant: {script}"));
    let token = rest.split('/').next().expect("a token");
    let config = "curl -s -w ' %{http_code}' http://10.10.10.1/cloud-configs/02:00:00:00:00:01.yml";
    assert!(net.run_in("c1", config).ends_with(" 200"), "{}", net.run_in("c1", config));
    assert!(net.run_in("c2", config).ends_with(" 403"));
    assert!(!token.is_empty());
    assert!(!service.lines().iter().any(|line| line.contains("table of neighbours")));
}

/// One datagram to the boot server's port, beside a router.
#[test]
fn beside_a_router_a_machine_does_not_take_anothers_place_by_port_4011() {
    let net = Net::new();
    let service = Service::start(
        &net,
        "[network]\ninterface = 'br0'\nmode = 'proxy'\n[[node]]\nname = 'n1'\nmac = '02:00:00:00:00:01'\n",
    );
    net.client("thief", "02:00:00:00:00:02");
    net.run_in("thief", "ip address add 10.10.10.151/24 dev eth0");
    let said = packets::run(
        &net,
        "thief",
        "
own, victim, card = mac('02:00:00:00:00:02'), mac('02:00:00:00:00:01'), Card()
boot = option(60, b'PXEClient:Arch:00007:UNDI:003000') + option(93, b'\\0\\7')
for port in 67, 4011:
    asked = message(REQUEST, victim, port, boot + option(50, '10.10.10.151'), ciaddr='10.10.10.151')
    card.send(frame(datagram(asked, '10.10.10.151', HERE, (68, port)), own, SERVER))
print(card.answers(1))
",
    );
    assert_eq!(said, "[]\n");
    assert_eq!(service.node("n1")["address"], serde_json::Value::Null);
    service.wait_for("in the name of 02:00:00:00:00:01, because 02:00:00:00:00:02 has sent it", SOON);
}
