//! The DHCP server as independent clients meet it.

mod support;

use std::time::Duration;

use support::{
    Net, Watched,
    service::{Service, small_system},
    wait_until,
};

const SECONDS: Duration = Duration::from_secs(1);

#[test]
fn udhcpc_and_dhclient_get_renew_and_release() {
    let net = Net::new();
    let service = Service::start(
        &net,
        "[dhcp]\nrouter = '10.10.10.254'\ndns = ['10.10.10.53']\ndomain = 'rack.lan'\nlease = '2m'\n\
         [[node]]\nname = 'n1'\nmac = '02:00:00:00:00:01'\naddress = '10.10.10.11'",
    );
    net.client("c1", "02:00:00:00:00:01");
    // A script that prints what it was told.
    let script = net.write("show", "#!/bin/sh\necho \"$1 ip=$ip router=$router dns=$dns domain=$domain mask=$subnet lease=$lease\"\n[ \"$1\" != bound ] || ip address replace $ip/24 dev eth0\n");
    net.run(&format!("chmod +x {}", script.display()));
    let udhcpc = format!("udhcpc -f -q -n -t 5 -T 1 -R -i eth0 -s {}", script.display());
    let said = net.run_in("c1", &udhcpc);
    assert!(
        said.contains("bound ip=10.10.10.11 router=10.10.10.254 dns=10.10.10.53 domain=rack.lan mask=255.255.255.0 lease=120"),
        "{said}"
    );
    net.client("c2", "02:00:00:00:00:02");
    let files = "-lf /run/c2.leases -pf /run/c2.pid -sf /bin/true";
    let said = net
        .run_in("c2", &format!("touch /run/c2.leases; dhclient -v -1 {files} eth0 2>&1; cat /run/c2.leases"));
    for words in
        ["DHCPOFFER", "DHCPACK", "option domain-name-servers 10.10.10.53", "option routers 10.10.10.254"]
    {
        assert!(said.contains(words), "no {words} in:\n{said}");
    }
    let address =
        said.lines().find_map(|line| line.trim().strip_prefix("fixed-address ")).expect("an address");
    let address = address.trim_end_matches(';');
    assert_eq!(service.status()["leases"], 2);
    // A reboot: the same address again, by INIT-REBOOT.
    net.run_in("c2", "kill $(cat /run/c2.pid)");
    let said = net.run_in("c2", &format!("dhclient -v -1 {files} eth0 2>&1"));
    assert!(said.contains(&format!("DHCPREQUEST for {address}")) && said.contains("DHCPACK"), "{said}");
    // Unicast needs the address on the interface.
    net.run_in("c2", &format!("ip address add {address}/24 dev eth0; dhclient -v -r {files} eth0 2>&1"));
    wait_until("the release was heard", SECONDS * 5, || service.status()["leases"] == 1);
}

#[test]
fn leases_survive_kill_9() {
    let net = Net::new();
    let mut service = Service::start(&net, "");
    net.client("c1", "02:00:00:00:00:01");
    let udhcpc = "udhcpc -f -q -n -t 5 -T 1 -i eth0 -s /bin/true 2>&1";
    let before = net.run_in("c1", udhcpc);
    service.kill_and_restart();
    assert_eq!(service.status()["leases"], 1);
    let after = net.run_in("c1", udhcpc);
    let address =
        |said: &str| said.lines().find(|line| line.contains("obtained")).expect("a lease").to_owned();
    assert_eq!(address(&before), address(&after));
}

#[test]
fn whatever_was_acknowledged_survives_a_kill_in_the_middle() {
    let net = Net::new();
    let config = "[network]\ninterface = 'br0'\naddress = '10.10.10.1/16'\nmode = 'full'\n[dhcp]\npool = '10.10.20.1-10.10.40.254'\nprobe = false";
    net.run("ip address flush dev br0; ip address add 10.10.10.1/16 dev br0");
    let mut service = Service::start(&net, config);
    net.client("load", "02:00:00:00:00:aa");
    net.run_in("load", "ip address add 10.10.10.2/16 dev eth0");
    let mut acknowledged = 0;
    for round in 1..=4 {
        let load = format!(
            "timeout 60 perfdhcp -4 -l eth0 -r 400 -R 1000 -n 400 -b mac=02:00:0{round}:00:00:00 -W 1000000 10.10.10.1 2>&1; true"
        );
        let mut perfdhcp = net.command("ip");
        perfdhcp.args(["netns", "exec", "load", "sh", "-c", &load]);
        let mut perfdhcp = Watched::start(perfdhcp);
        let before = service.status()["leases"].as_u64().unwrap();
        wait_until("some are leased", SECONDS * 20, || {
            service.status()["leases"].as_u64().unwrap() > before + 30 * round
        });
        service.kill_and_restart();
        perfdhcp.end(SECONDS * 60);
        let said = perfdhcp.lines();
        let mut received = said.iter().filter_map(|line| line.strip_prefix("received packets: "));
        let acks: u64 = received.next_back().expect("a report").parse().unwrap();
        assert!(acks > 0, "{said:#?}");
        acknowledged += acks;
        let kept = service.status()["leases"].as_u64().unwrap();
        assert!(kept >= acknowledged, "{kept} of {acknowledged} are left");
    }
}

#[test]
fn an_address_that_somebody_uses_is_not_given_away() {
    let net = Net::new();
    let service = Service::start(&net, "[dhcp]\npool = '10.10.10.100-10.10.10.101'");
    net.client("squatter", "02:00:00:00:00:99");
    net.run_in("squatter", "ip address add 10.10.10.100/24 dev eth0");
    net.client("c1", "02:00:00:00:00:01");
    net.client("c2", "02:00:00:00:00:02");
    let said = net.run_in("c1", "udhcpc -f -q -n -t 5 -T 1 -i eth0 -s /bin/true 2>&1");
    assert!(said.contains("lease of 10.10.10.101"), "{said}");
    let other = net.try_in("c2", "udhcpc -f -q -n -t 2 -T 1 -i eth0 -s /bin/true 2>&1");
    assert!(!other.status.success());
    service.wait_for("another machine uses it", SECONDS * 5);
    service.wait_for("no address is left for 02:00:00:00:00:02", SECONDS * 5);
}

#[test]
fn who_waits_for_a_probe_does_not_wait_longer_because_the_interface_changes() {
    let net = Net::new();
    small_system(&net);
    let service = Service::start(&net, "");
    service.cli(&["arm"]);
    for number in 1..=4 {
        let (client, mac) = (format!("c{number}"), format!("02:00:00:00:00:0{number}"));
        net.client(&client, &mac);
        let mut udhcpc = net.command("ip");
        udhcpc.args(["netns", "exec", &client, "udhcpc", "-f", "-q", "-n", "-t", "2", "-T", "20"]);
        udhcpc.args(["-i", "eth0", "-s", "/bin/true", "-V", "PXEClient:Arch:00000:UNDI:002001"]);
        let mut udhcpc = Watched::start(udhcpc);
        service.wait_for(
            &format!("asks for a network boot; may install coreos 1010.5.0 mac={mac}"),
            SECONDS * 20,
        );
        // As a bridge does when a machine is plugged into it.
        net.run(&format!("ip link set br0 address 02:00:00:00:ff:0{number}"));
        assert!(udhcpc.end(SECONDS * 10));
    }
}

#[test]
fn perfdhcp_gets_every_lease_it_asks_for() {
    let net = Net::new();
    let config = "[network]\ninterface = 'br0'\naddress = '10.10.10.1/16'\nmode = 'full'\n[dhcp]\npool = '10.10.20.1-10.10.40.254'\nprobe = false";
    net.run("ip address flush dev br0; ip address add 10.10.10.1/16 dev br0");
    let service = Service::start(&net, config);
    net.client("load", "02:00:00:00:00:aa");
    net.run_in("load", "ip address add 10.10.10.2/16 dev eth0");
    let said =
        net.run_in("load", "perfdhcp -4 -l eth0 -r 300 -R 1000 -n 1000 -W 3000000 10.10.10.1 2>&1; true");
    let sent: Vec<&str> = said.lines().filter(|line| line.contains("received packets")).collect();
    assert_eq!(sent, ["received packets: 1000", "received packets: 1000"], "{said}");
    assert_eq!(service.status()["leases"], 1000, "{said}");
}

#[test]
fn rubbish_is_survived() {
    let net = Net::new();
    small_system(&net);
    let service = Service::start(&net, "");
    net.client("c1", "02:00:00:00:00:01");
    net.run_in("c1", "ip address add 10.10.10.77/24 dev eth0");
    let rubbish = "import os, random, socket\n\
        random.seed(7)\n\
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n\
        head = bytes([1,1,6,0]) + bytes(24) + bytes([2,0,0,0,0,1]) + bytes(202) + bytes([99,130,83,99])\n\
        for port in (67, 69):\n\
        \x20   for i in range(500):\n\
        \x20       body = random.randbytes(random.randrange(0, 600))\n\
        \x20       s.sendto(body, ('10.10.10.1', port))\n\
        \x20       s.sendto((head + bytes([53,1,random.randrange(0,16)]) + body)[:1400], ('10.10.10.1', port))\n\
        \x20       s.sendto(bytes([0, random.randrange(0, 9)]) + body, ('10.10.10.1', port))\n";
    let script = net.write("rubbish.py", rubbish);
    net.run_in("c1", &format!("python3 {}", script.display()));
    let said = net.run_in("c1", "udhcpc -f -q -n -t 5 -T 1 -i eth0 -s /bin/true 2>&1");
    assert!(said.contains("obtained"), "{said}");
    assert_eq!(service.status()["armed_seconds"], serde_json::Value::Null);
}

#[test]
fn a_sleeping_node_is_called_by_its_address() {
    let net = Net::new();
    let service =
        Service::start(&net, "[[node]]\nname = 'n1'\nmacs = ['02:00:00:00:00:01', '02:00:00:00:00:02']\n");
    // A card of its own: what arrives there would wake the machine.
    net.client("c1", "02:00:00:00:00:01");
    let mut ears = net.command("ip");
    ears.args(["netns", "exec", "c1", "python3", "-c"]).arg(
        "import socket\n\
         s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))\n\
         s.bind(('eth0', 0)); print('listening', flush=True)\n\
         while True:\n\
         \x20 f = s.recv(2000)\n\
         \x20 for n in (1, 2):\n\
         \x20   if b'\\xff' * 6 + bytes([2, 0, 0, 0, 0, n]) * 16 in f: print('called', n, f[:6].hex(), flush=True)\n",
    );
    let ears = Watched::start(ears);
    ears.wait_for("listening", 0, SECONDS * 10);
    assert!(service.cli(&["node", "wake", "n1"]).contains("wake-up call sent to n1"));
    for number in [1, 2] {
        ears.wait_for(&format!("called {number} ffffffffffff"), 0, SECONDS * 10);
    }
    assert!(!service.try_cli(&["node", "wake", "02:00:00:00:00:77"]).status.success());
}
