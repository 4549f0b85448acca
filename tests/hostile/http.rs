//! Connections that ask for nothing, requests that have no end, names that lead elsewhere, tokens that are guessed.

use super::*;

const STATUS: &str = "http://10.10.10.1/api/v1/status";

/// Thousands of connections that trickle; whoever asks for something is answered meanwhile.
#[test]
fn connections_that_ask_for_nothing_keep_nobody_out() {
    let net = Net::new();
    let service = Service::start(&net, NO_PROBE);
    net.client("c1", ONE);
    let addresses: String = (20..40).map(|n| format!("ip address add 10.10.10.{n}/24 dev eth0;")).collect();
    net.run_in("c1", &addresses);
    net.client("c2", "02:00:00:00:00:02");
    net.run_in("c2", "ip address add 10.10.10.79/24 dev eth0");
    let mut slow = net.command("ip");
    let count = 2000;
    slow.args(["netns", "exec", "c1", "prlimit", "--nofile=8192", "python3", "-c"]).arg(format!(
        r#"
import socket, time
links = []
for number in range({count}):
    link = socket.socket()
    link.bind(('10.10.10.%d' % (20 + number % 20), 0))
    link.settimeout(3)
    try:
        link.connect(('10.10.10.1', 80))
        link.send(b'GET / HTTP/1.1\r\nHost: 10.10.10.1\r\nX-Slow: ')
        links.append(link)
    except OSError:
        pass
print('connected', len(links), flush=True)
while True:
    for link in links:
        try:
            link.send(b'x')
        except OSError:
            pass
    time.sleep(2)
"#
    ));
    let slow = support::Watched::start(slow);
    let at = slow.wait_for("connected", 0, Duration::from_secs(60));
    figure(&format!("{count} slow connections from 20 addresses"), &slow.lines()[at]);
    let times: String = (0..10)
        .map(|_| {
            net.run_in(
                "c2",
                &format!("curl -sS -m 10 -o /dev/null -w '%{{http_code}} %{{time_total}}\n' {STATUS}"),
            )
        })
        .collect();
    figure("meanwhile another machine's requests: status, seconds", times.replace('\n', ", "));
    assert!(times.lines().all(|line| line.starts_with("200 ")), "{times}");
    // From one address, never more than its share.
    let open = net.run("ss -Htn state established 'sport = :80' | wc -l");
    figure("connections that are open", open.trim());
    assert!(service.status()["nodes"].is_object() || !service.log().is_empty());
}

#[test]
fn one_address_has_its_share_of_connections() {
    let net = Net::new();
    let _service = Service::start(&net, NO_PROBE);
    net.client("c1", ONE);
    net.run_in("c1", "ip address add 10.10.10.20/24 dev eth0");
    let said = net.run_in(
        "c1",
        r#"python3 -c "
import socket, time
links = [socket.create_connection(('10.10.10.1', 80)) for _ in range(300)]
time.sleep(1)
alive = 0
for link in links:
    link.settimeout(5)
    try:
        link.send(b'GET /healthz HTTP/1.0\r\n\r\n')
        alive += link.recv(100).startswith(b'HTTP/1')
    except OSError:
        pass
print(alive)
""#,
    );
    let alive: usize = said.trim().parse().expect("a number");
    assert!((60..=64).contains(&alive), "{alive} of 300");
}

#[test]
fn headers_and_bodies_without_end_are_refused() {
    let net = Net::new();
    let service = Service::start(&net, NO_PROBE);
    net.client("c1", ONE);
    net.run_in("c1", "ip address add 10.10.10.20/24 dev eth0");
    let said = net.run_in(
        "c1",
        r#"python3 -c "
import socket
def ask(*parts):
    link = socket.create_connection(('10.10.10.1', 80))
    link.settimeout(20)
    try:
        for part in parts:
            link.sendall(part)
    except OSError:
        pass
    try:
        return link.recv(100).split(b' ')[1].decode() or 'end'
    except (OSError, IndexError):
        return 'end'
head = b'GET / HTTP/1.1\r\nHost: x\r\n'
print(ask(head, *[b'X-%d: %s\r\n' % (n, b'y' * 1000) for n in range(10000)]))
print(ask(head, b'X: ', *[b'y' * 65536] * 100))
print(ask(b'GET /', *[b'y' * 65536] * 100))
print(ask(b'G' * 100000))
print(ask(b'POST /api/v1/arm HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n'))
print(ask(b'POST /api/v1/arm HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n', *[b'10000\r\n' + b'y' * 65536 + b'\r\n'] * 100))
print(ask(b'POST /api/v1/arm HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'))
for path in b'/../../etc/passwd', b'/%2e%2e/%2e%2e/etc/passwd', b'/..%2f..%2fetc/passwd', b'/files/..%5c..%5cetc', b'/files/%00', b'/%252e%252e/etc/passwd', b'//etc/passwd', b'/files/....//etc', b'/static/static/../x':
    print(ask(b'GET ' + path + b' HTTP/1.1\r\nHost: x\r\n\r\n'))
""#,
    );
    let statuses: Vec<&str> = said.lines().collect();
    for (number, status) in statuses.iter().enumerate() {
        assert!(["400", "403", "404", "413", "414", "431", "end"].contains(status), "{number}: {said}");
    }
    assert_eq!(statuses.len(), 16);
    let rss = |service: &Service<'_>| {
        let status = fs::read_to_string(format!("/proc/{}/status", service.process.pid().as_raw_nonzero()));
        let line = status
            .expect("its process")
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:").map(str::to_owned));
        line.expect("a size").trim().to_owned()
    };
    figure("largest resident memory after headers and bodies of 6 MB each", rss(&service));
}

/// A page whose name leads here (DNS rebinding) reads nothing; addresses and names of private networks do.
#[test]
fn a_name_of_the_internets_is_not_this_services() {
    let net = Net::new();
    net.write("token", "0123456789abcdef\n");
    let token = net.path("token");
    let text = format!("{NO_PROBE}domain = 'rack.example.org'\n[http]\ntoken_file = '{}'\n", token.display());
    let _service = Service::start(&net, &text);
    net.client("c1", ONE);
    net.run_in("c1", "ip address add 10.10.10.20/24 dev eth0");
    let ask = |host: &str, path: &str, more: &str| {
        net.run_in(
            "c1",
            &format!(
                "curl -s -o /dev/null -w '%{{http_code}}' -H 'Host: {host}' {more} http://10.10.10.1{path}"
            ),
        )
    };
    for path in ["/", "/api/v1/status", "/api/v1/nodes", "/api/v1/events", "/metrics", "/api/v1/openapi.json"]
    {
        assert_eq!(ask("evil.example.com", path, ""), "421", "{path}");
        assert_eq!(ask("10.10.10.1.nip.io:80", path, ""), "421", "{path}");
    }
    let order = "-X POST -H 'Authorization: Bearer 0123456789abcdef'";
    assert_eq!(ask("evil.example.com", "/api/v1/disarm", order), "421");
    for host in ["10.10.10.1", "rackberry", "rackberry.local", "pi.rack.example.org"] {
        assert_eq!(ask(host, "/api/v1/status", ""), "200", "{host}");
        assert_eq!(ask(host, "/api/v1/disarm", order), "200", "{host}");
    }
    // Loaders and installers are told addresses; files are no page's to read anything from.
    assert_eq!(ask("evil.example.com", "/healthz", ""), "200");
}

#[test]
fn tokens_are_guessed_slowly() {
    let net = Net::new();
    net.write("token", "0123456789abcdef\n");
    let text = format!("{NO_PROBE}[http]\ntoken_file = '{}'\n", net.path("token").display());
    let service = Service::start(&net, &text);
    for (client, mac, last) in [("c1", ONE, 20), ("c2", "02:00:00:00:00:02", 21)] {
        net.client(client, mac);
        net.run_in(client, &format!("ip address add 10.10.10.{last}/24 dev eth0"));
    }
    let said = python(
        &net,
        "c1",
        &format!(
            r#"
import collections, http.client
link, seen = http.client.HTTPConnection(HERE, 80), collections.Counter()
for number in range({}):
    link.request('POST', '/api/v1/disarm', headers={{'Authorization': 'Bearer %016d' % number}})
    reply = link.getresponse()
    reply.read()
    seen[reply.status] += 1
link.request('POST', '/api/v1/disarm', headers={{'Authorization': 'Bearer 0123456789abcdef'}})
print(seen[401], seen[429], sum(seen.values()), link.getresponse().status)
"#,
            1000 * scale()
        ),
    );
    figure("guessed tokens: looked at, not looked at, all; then the right one", said.trim());
    let numbers: Vec<usize> = said.split_whitespace().map(|word| word.parse().expect("a number")).collect();
    assert!((10..=20).contains(&numbers[0]) && numbers[0] + numbers[1] == numbers[2], "{said}");
    assert_eq!(numbers[3], 429, "whoever guesses does not learn that one was right");
    let right = "curl -s -o /dev/null -w '%{http_code}' -X POST -H 'Authorization: Bearer 0123456789abcdef' http://10.10.10.1/api/v1/disarm";
    assert_eq!(net.run_in("c2", right), "200", "others are not touched");
    assert!(!service.log().iter().any(|line| line.contains("0123456789abcdef")));
}
