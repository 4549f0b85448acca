//! What strangers and nodes say, where people read it.

use std::fs;

use super::*;
use support::service::small_system;

/// A line of the log as it would look, colours, a cleared screen, and text that runs backwards.
const FORGED: &str = "no disk\\n2026-01-01T00:00:00.000000Z  INFO armed by the button: for 1d: everybody\\r\\u001b[2J\\u001b[31m\\u009b1m\\u202e\\u2028x";

/// Sends reports over one connection; prints how many had which status.
fn reports(path: &str, count: usize, stage: &str) -> String {
    format!(
        r#"
import collections, http.client, json
body = r'{{"stage":"{stage}","ok":%s,"message":"{FORGED}","log":"{FORGED}' + 'x' * 30000 + '"}}'
link, seen = http.client.HTTPConnection(HERE, 80), collections.Counter()
for number in range({count}):
    link.request('POST', '{path}', body % ('true' if number % 2 else 'false'), {{'User-Agent': 'x\x9b2J\xe2\x80\xae'}})
    reply = link.getresponse()
    reply.read()
    seen[reply.status] += 1
print(dict(seen))
"#
    )
}

/// That the log's lines are the service's own, each with its time.
fn assert_own_lines(service: &Service<'_>) {
    for line in service.log() {
        assert_showable("the log", &line);
        let is_own = line.starts_with("20") || line.starts_with("    ");
        assert!(is_own && !line.starts_with("2026-01-01"), "{line:?}");
    }
}

fn assert_views_are_fit(service: &Service<'_>) {
    for view in [&["nodes"][..], &["status"], &["nodes", "--json"]] {
        assert_showable("a view", &service.cli(view));
    }
    assert_own_lines(service);
}

/// As it was: 168 MB on the card by 4,100 reports, and "armed by the button" in the log.
#[test]
fn a_stranger_writes_nothing_to_the_card_and_nothing_into_the_log() {
    let net = Net::new();
    small_system(&net);
    let service = Service::start(&net, NO_PROBE);
    let address = leased(&net, "c1", ONE);
    // In DHCP: host name, vendor class and user class.
    python(
        &net,
        "c1",
        r#"
evil = b'x\n2026-01-01 INFO armed by the button\r\x1b[2J\xc2\x9b1m\xe2\x80\xae'
own, card = mac('02:00:00:00:00:01'), Card()
for kind in DISCOVER, REQUEST, INFORM, DECLINE, RELEASE:
    options = option(12, evil) + option(60, b'PXEClient' + evil) + option(77, evil) + option(81, b'\0\0\0' + evil)
    card.send(frame(datagram(message(kind, own, 9, options + option(56, evil) + option(93, b'\0\0'))), own))
time.sleep(0.5)
"#,
    );
    assert!(net.run_in("c1", UDHCPC).contains(&address));
    let (before, size) = (written(&service), bytes(&net.path("state")));
    let count = 4100;
    let path = format!("/api/v1/nodes/{ONE}/report");
    let seen = python(&net, "c1", &reports(&path, count, "installing"));
    figure("4,100 reports of a machine that never booted, by status", seen.trim());
    let (more, longer) = (written(&service) - before, bytes(&net.path("state")).saturating_sub(size));
    figure("bytes that they had written", more);
    assert!(more <= 256 << 10 && longer <= 64 << 10, "{more} bytes written, the state is {longer} longer");
    // By a made-up grant.
    let other =
        python(&net, "c1", &reports("/g/made-up/api/v1/nodes/02:00:00:00:00:01/report", 20, "written"));
    assert!(!other.contains("200"), "{other}");
    assert_views_are_fit(&service);
}

#[test]
fn names_of_files_with_controls_are_refused_and_not_told() {
    let net = Net::new();
    small_system(&net);
    let service = Service::start(&net, NO_PROBE);
    leased(&net, "c1", ONE);
    let names = python(
        &net,
        "c1",
        r#"
import socket
evil = b'%0a2026-01-01%20INFO%20armed%0d%1b%5b2J%c2%9b%e2%80%ae%e2%80%a8'
for path in b'/cloud-configs/%s' % evil, b'/profile/%s' % evil, b'/files/%s' % evil, b'/api/v1/nodes/%s' % evil, b'/pxelinux.cfg/%s' % evil:
    link = socket.create_connection((HERE, 80))
    link.send(b'GET %s HTTP/1.0\r\n\r\n' % path)
    print(link.recv(100).split(b' ')[1].decode())
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.settimeout(5)
for name in b'cloud-configs/a\n2026-01-01 INFO armed\x1b[2J', b'cloud-configs/\xe2\x80\xaegpj.exe', b'\x1b[2J', b'profile/x\xc2\x9b2J':
    sock.sendto(b'\0\1' + name + b'\0octet\0', (HERE, 69))
    print(sock.recv(600)[1])
sock.sendto(b'\0\1lpxelinux.0\0\x1b[2Joctet\n\0', (HERE, 69))
print(sock.recv(600)[1])
"#,
    );
    assert_eq!(names, "400\n".repeat(5) + &"5\n".repeat(5));
    assert_views_are_fit(&service);
}

#[test]
fn what_a_node_says_of_its_install_stays_on_its_line() {
    let net = Net::new();
    small_system(&net);
    let service = Service::start(&net, &format!("{NO_PROBE}[[node]]\nname = 'n1'\nmac = '{ONE}'\n"));
    service.cli(&["arm", "n1"]);
    net.client("c1", ONE);
    let said = net.run_in("c1", &format!("{UDHCPC} -V PXEClient:Arch:00000:UNDI:002001"));
    let address =
        said.split("lease of ").nth(1).and_then(|rest| rest.split_whitespace().next()).expect("a lease");
    net.run_in("c1", &format!("ip address add {address}/24 dev eth0"));
    let menu = net.run_in("c1", "curl -sS tftp://10.10.10.1/pxelinux.cfg/01-02-00-00-00-00-01");
    let token = menu.split("/g/").nth(1).and_then(|rest| rest.split('/').next()).expect("a grant");
    let before = written(&service);
    let path = format!("/g/{token}/api/v1/nodes/{ONE}/report");
    let seen = python(&net, "c1", &reports(&path, 400 * scale(), "configuring"));
    let more = written(&service) - before;
    figure("reports of a node that installs, by status", seen.trim());
    figure("bytes that they had written", more);
    assert!(seen.contains("200") && seen.contains("503"), "{seen}");
    assert!(more < 16 << 20, "{more}");
    service.wait_for("no disk 2026-01-01T00:00:00.000000Z INFO armed by the button", SOON);
    assert_own_lines(&service);
    let archive = net.path("report.tar");
    service.cli(&["report", "save", archive.to_str().expect("text")]);
    net.run(&format!("cd {} && tar -xf report.tar", net.dir.path().display()));
    for file in ["status.json", "nodes.json", "assets.json"] {
        let text = fs::read_to_string(net.path(&format!("rackberry-report/{file}"))).expect(file);
        assert_showable(file, &text);
        assert!(
            !text.contains("\\u001b") && !text.contains("\\u009b") && !text.contains("\\u202e"),
            "{file}"
        );
    }
    for view in [&["nodes"][..], &["node", "show", "n1"], &["status"]] {
        let text = service.cli(view);
        assert_showable(&view.join(" "), &text);
        assert!(!text.lines().any(|line| line.starts_with("2026-01-01")), "{text}");
    }
    let page = net.run_in("c1", "curl -s http://10.10.10.1/");
    assert_showable("the page", &page);
}
