//! What goes wrong around the service: each fault is named with its remedy, the service goes on where it can, and
//! nothing that was kept is lost.

mod support;

use std::{fs, time::Duration};

use support::{
    Net, fault, packets,
    service::{Service, config_text, launch, launch_by_hand, small_system},
    wait_until,
};

const SOON: Duration = Duration::from_secs(20);
const UDHCPC: &str = "udhcpc -f -q -n -t 3 -T 1 -i eth0 -s /bin/true 2>&1";

/// Starts the service on what it can't start on; returns what it said when it gave up.
fn fails(net: &Net, config: &str) -> String {
    let file = net.write("rackberry.toml", config_text(net, config));
    let mut process = launch(net, &file);
    assert!(!process.end(SOON), "it ended well");
    process.lines().join("\n")
}

#[test]
fn a_taken_port_is_named_with_the_remedy() {
    let net = Net::new();
    let cases = [
        ("udp4-listen", 67, "UDP port 67 is taken: another DHCP server runs on this machine"),
        ("udp4-listen", 69, "UDP port 69 is taken by another program"),
        ("tcp4-listen", 80, "TCP port 80 is taken, by another program (`ss -ltnp` tells which)"),
    ];
    for (kind, port, words) in cases {
        let mut other = net.command("socat");
        other.args([&format!("{kind}:{port}"), "exec:cat"]);
        let mut other = support::Watched::start(other);
        wait_until("the port is taken", SOON, || {
            net.run("ss -Hlnut").lines().any(|line| line.contains(&format!(":{port} ")))
        });
        let said = fails(&net, "");
        assert!(said.contains(words), "{port}: {said}");
        if kind == "tcp4-listen" {
            // By hand it may look at other processes, and says whose the port is.
            let mut process = launch_by_hand(&net, &net.path("rackberry.toml"));
            assert!(!process.end(SOON), "it ended well");
            let said = process.lines().join("\n");
            assert!(said.contains("TCP port 80 is taken, by socat (process "), "{said}");
        }
        other.kill();
    }
    // With the port free again, it starts.
    Service::start(&net, "");
}

#[test]
fn an_interface_that_is_not_there_is_waited_for() {
    let net = Net::new();
    let config = net.write("rackberry.toml", config_text(&net, "[network]\ninterface = 'eth7'\n"));
    let process = launch(&net, &config);
    process.wait_for("waiting: there is no network interface \"eth7\" (there are: br0, lo)", 0, SOON);
    net.run("ip link add eth7 type veth peer name cable; ip link set cable up");
    process.wait_for("waiting: eth7 does not have the address 10.10.10.1", 0, SOON);
    net.run(
        "ip address del 10.10.10.1/24 dev br0; ip address add 10.10.10.1/24 dev eth7; ip link set eth7 up",
    );
    process.wait_for("ready and safe", 0, SOON);
}

#[test]
fn a_lost_interface_is_served_again_when_it_is_back() {
    let net = Net::new();
    let service = Service::start(&net, "");
    net.client("c1", "02:00:00:00:00:01");
    assert!(net.run_in("c1", UDHCPC).contains("obtained"));
    net.run("ip address del 10.10.10.1/24 dev br0");
    service.wait_for("the interface is lost: br0 does not have the address 10.10.10.1", SOON);
    net.run("ip address add 10.10.10.1/24 dev br0");
    service.wait_for("the interface is back", SOON);
    assert!(net.run_in("c1", UDHCPC).contains("obtained"));
    assert!(net.run("curl -sf http://10.10.10.1/healthz").contains("ok"));
}

#[test]
fn a_full_disk_stops_what_is_new_and_loses_nothing() {
    let net = Net::new();
    small_system(&net);
    let state = net.path("state");
    fs::create_dir(&state).unwrap();
    net.run(&format!("mount -t tmpfs -o size=4m none {}", state.display()));
    let mut service = Service::start(&net, "");
    net.client("c1", "02:00:00:00:00:01");
    net.client("c2", "02:00:00:00:00:02");
    assert!(net.run_in("c1", UDHCPC).contains("obtained"));
    // The file has no room inside of itself, as after as many commits as fill it.
    net.run(&format!("cd {} && tr -d '\\0' <state.log >short && mv short state.log", state.display()));
    service.kill_and_restart();
    net.run(&format!("cat /dev/zero >{}/filler 2>/dev/null || true", state.display()));
    wait_until("the disk is full", SOON, || !service.try_cli(&["arm"]).status.success());
    let refused = service.try_cli(&["arm"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("can't keep the state in") && said.contains("No space left on device"), "{said}");
    let status = service.status();
    assert_eq!(status["armed_seconds"], serde_json::Value::Null, "it disarms: {status}");
    assert!(status["warnings"].to_string().contains("No space left"), "{status}");
    // Addresses are given from memory meanwhile.
    assert!(net.run_in("c2", UDHCPC).contains("obtained"));
    assert_eq!(service.status()["leases"], 2);
    net.run(&format!("rm {}/filler", state.display()));
    service.wait_for("the state can be written again", SOON);
    service.cli(&["arm"]);
    service.kill_and_restart();
    assert_eq!(service.status()["leases"], 2);
}

/// Each sync of a worn card takes a while. Whoever asks meanwhile shares the next one.
#[test]
fn on_a_slow_disk_a_storm_of_machines_shares_its_commits() {
    let net = Net::new();
    let service = Service::start(&net, "[dhcp]\nprobe = false\n");
    net.client("c1", "02:00:00:00:00:01");
    let slow = fault::inject(&net, &service.process, "fdatasync", "delay_enter=300ms");
    // Each in a commit of its own would take half a minute.
    let said = packets::run(
        &net,
        "c1",
        "
card, began = Card(), time.monotonic()
macs = {xid: bytes([2, 0, 0, 0, 1, xid]) for xid in range(100)}
card.send(*(frame(datagram(message(DISCOVER, each, xid)), each) for xid, each in macs.items()))
offers = {xid: address for xid, kind, address in card.answers(10, 100) if kind == OFFER}
for xid, address in offers.items():
    wanted = option(50, address) + option(54, HERE)
    card.send(frame(datagram(message(REQUEST, macs[xid], xid, wanted)), macs[xid]))
given = {address for _, kind, address in card.answers(10, 100) if kind == ACK}
print(len(given), 'in', time.monotonic() - began)
",
    );
    println!("{said}");
    let words: Vec<&str> = said.split_whitespace().collect();
    assert_eq!(words[0], "100", "{said}");
    assert!(words[2].parse::<f64>().unwrap() < 10.0, "{said}");
    drop(slow);
}

/// A card that hangs holds up nobody who wants an address, and neither the watchdog; nothing that relies on it happens.
#[test]
fn a_disk_that_does_not_answer_holds_up_no_address() {
    let net = Net::new();
    small_system(&net);
    let mut service = Service::start(&net, "");
    net.client("c1", "02:00:00:00:00:01");
    net.client("c2", "02:00:00:00:00:02");
    assert!(net.run_in("c1", UDHCPC).contains("obtained"));
    service.cli(&["arm"]);
    let hung = fault::inject(&net, &service.process, "fdatasync", "delay_enter=600s");
    let patient = UDHCPC.replace("-t 3 -T 1", "-t 5 -T 4");
    assert!(net.run_in("c2", &patient).contains("obtained"));
    // And whoever comes next does not wait at all.
    assert!(net.run_in("c1", UDHCPC).contains("obtained"));
    let refused = service.try_cli(&["arm"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("the disk has not answered for 5 seconds"), "{said}");
    let status = service.status();
    assert_eq!(status["armed_seconds"], serde_json::Value::Null, "{status}");
    assert_eq!(status["leases"], 2);
    drop(hung);
    service.wait_for("the state can be written again", SOON);
    service.cli(&["arm"]);
    service.kill_and_restart();
    assert_eq!(service.status()["leases"], 2);
}

#[test]
fn a_system_that_is_half_copied_cannot_be_armed() {
    let net = Net::new();
    small_system(&net);
    let image = net.path("assets/coreos/1010.5.0/coreos_production_image.bin.bz2");
    fs::rename(&image, image.with_extension("part")).unwrap();
    let service = Service::start(&net, "");
    let refused = service.try_cli(&["arm"]);
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        said.contains("coreos 1010.5.0 is incomplete: coreos_production_image.bin.bz2 not there"),
        "{said}"
    );
    fs::rename(image.with_extension("part"), &image).unwrap();
    wait_until("the folder is looked at again", SOON, || service.try_cli(&["arm"]).status.success());
}

#[test]
fn a_reload_takes_what_is_good_and_refuses_what_is_not() {
    let net = Net::new();
    let service = Service::start(&net, "[dhcp]\npool = '10.10.10.100-10.10.10.100'\n");
    service.reload("[dhcp]\npool = '10.10.10.50-10.10.10.40'\n");
    service.wait_for("the new configuration is not taken over, the running one stays in force", SOON);
    net.client("c1", "02:00:00:00:00:01");
    assert!(net.run_in("c1", UDHCPC).contains("10.10.10.100"));
    service.reload("[dhcp]\npool = '10.10.10.150-10.10.10.150'\n[http]\nports = [81]\n");
    service.wait_for("http.ports changed; that takes a restart", SOON);
    service.wait_for("the new configuration is in force", SOON);
    assert!(net.run_in("c1", UDHCPC).contains("10.10.10.150"));
}

#[test]
fn check_names_each_fault_with_its_place() {
    let net = Net::new();
    let file = net.write(
        "bad.toml",
        "[network]\naddress = 10\n[dhcp]\nleese = '1h'\n[[node]]\nname = 'one'\nmac = 'somewhere'\n",
    );
    let check = |file: &std::path::Path| {
        let mut command = net.command(support::service::BINARY);
        command.args(["check", "--config"]).arg(file).output().unwrap()
    };
    let output = check(&file);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    for words in ["bad.toml:2:11: ", "bad.toml:4:1: ", "bad.toml:7:7: ", "lease", "00:25:90:c0:f7:86"] {
        assert!(said.contains(words), "no {words:?} in:\n{said}");
    }
    small_system(&net);
    let good = net.write("good.toml", config_text(&net, ""));
    let output = check(&good);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
