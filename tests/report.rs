//! `rackberry report save`, as the one who reads the report meets it.

mod support;

use std::{os::unix::fs::PermissionsExt as _, process::Command};

use support::{
    Net,
    service::{Service, small_system},
};

const UDHCPC: &str = "udhcpc -f -q -n -t 5 -T 1 -i eth0 -s /bin/true 2>&1";

/// What tcpdump reads from a pcap file, a line a packet or more.
fn packets(pcap: &std::path::Path) -> String {
    let pcap = std::fs::File::open(pcap).expect("a capture");
    let said = Command::new("tcpdump").args(["-vv", "-n", "-r", "-"]).stdin(pcap).output().expect("tcpdump");
    String::from_utf8_lossy(&said.stdout).into_owned()
}

#[test]
fn a_report_has_states_packets_and_no_secrets() {
    let net = Net::new();
    small_system(&net);
    let secret = "[[node]]\nname = 'one'\nmac = '02:00:00:00:00:01'\nvars = { password = 'hunter2' }\n";
    let service = Service::start(&net, secret);
    for number in [1, 2] {
        net.client(&format!("c{number}"), &format!("02:00:00:00:00:0{number}"));
        assert!(net.run_in(&format!("c{number}"), UDHCPC).contains("obtained"));
    }
    let archive = net.path("report.tar");
    let config = net.path("rackberry.toml");
    let arguments =
        ["report", "save", archive.to_str().expect("text"), "--config", config.to_str().expect("text")];
    service.cli(&arguments);
    assert_eq!(std::fs::metadata(&archive).expect("a file").permissions().mode() & 0o777, 0o600);
    net.run(&format!("cd {} && tar -xf report.tar", net.dir.path().display()));
    let read =
        |name: &str| std::fs::read_to_string(net.path(&format!("rackberry-report/{name}"))).expect(name);
    let status: serde_json::Value = serde_json::from_str(&read("status.json")).expect("JSON");
    assert_eq!(status["interface"], "br0");
    assert!(read("nodes.json").contains("02:00:00:00:00:01") && read("assets.json").contains("1010.5.0"));
    let config = read("config-0.toml");
    assert!(config.contains("one") && !config.contains("hunter2"), "{config}");
    // Both machines' conversations, both ways, with right checksums.
    let said = packets(&net.path("rackberry-report/packets.pcap"));
    for (kind, times) in [("Discover", 2), ("Offer", 2), ("ACK", 2)] {
        let found = said.matches(&format!("length 1: {kind}")).count();
        assert!(found >= times, "{found} of {kind} in:\n{said}");
    }
    assert!(said.contains("udp sum ok") && !said.contains("bad"), "{said}");
    // It overwrites nothing.
    assert!(!service.try_cli(&arguments).status.success());
}

#[test]
fn packets_of_one_machine_are_given_here_and_not_to_the_network() {
    let net = Net::new();
    let service = Service::start(&net, "[[node]]\nname = 'one'\nmac = '02:00:00:00:00:01'\n");
    for number in [1, 2] {
        net.client(&format!("c{number}"), &format!("02:00:00:00:00:0{number}"));
        assert!(net.run_in(&format!("c{number}"), UDHCPC).contains("obtained"));
    }
    let dir = net.dir.path().display();
    net.run(&format!(
        "cd {dir} && curl -sf --unix-socket run/control.sock -o one.pcap http://x/api/v1/nodes/one/packets"
    ));
    let said = packets(&net.path("one.pcap"));
    assert!(said.contains("02:00:00:00:00:01") && !said.contains("02:00:00:00:00:02"), "{said}");
    for path in ["packets", "nodes/one/packets"] {
        let status =
            net.run(&format!("curl -s -o /dev/null -w '%{{http_code}}' http://10.10.10.1/api/v1/{path}"));
        assert_eq!(status, "403", "{path}");
    }
    drop(service);
}
