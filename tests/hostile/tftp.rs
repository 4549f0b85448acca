//! TFTP requests in others' names.

use super::*;

/// Requests with made-up sources, as frames; then what the server has sent, in frames and bytes.
#[test]
fn requests_in_others_names_are_not_worth_sending() {
    let net = Net::new();
    let _service = Service::start(&net, NO_PROBE);
    net.client("c1", ONE);
    net.run_in("c1", "ip address add 10.10.10.77/24 dev eth0; ip address add 10.10.10.78/24 dev eth0");
    net.client("c2", "02:00:00:00:00:02");
    net.run_in("c2", "ip address add 10.10.10.79/24 dev eth0");
    let count = 2000 * scale();
    let said = python(
        &net,
        "c1",
        &format!(
            r#"
own, card = mac('{ONE}'), Card()
sent = 0
def ask(source, port, options):
    global sent
    request = b'\0\1lpxelinux.0\0octet\0' + options
    packet = frame(datagram(request, source, HERE, (port, 69)), own, SERVER)
    sent += len(packet)
    card.send(packet)
# But for empty datagrams to the discard port, by which the kernel finds out who has an address.
got, length = 0, 0
def count(seconds):
    global got, length
    for packet in card.packets(seconds):
        if packet[9] == 17 and packet[12:16] == socket.inet_aton(HERE) and packet[22:24] != b'\0\x09':
            got, length = got + 1, length + len(packet) + 14
# One request from each of two addresses, and then nothing is said.
ask('10.10.10.77', 1000, b'')
ask('10.10.10.78', 1000, b'blksize\0001468\0windowsize\00064\0')
count(4)
print('single', got)
got = length = sent = 0
for number in range({count}):
    ask('10.10.10.77', 2000 + number, b'')
    if number % 200 == 199:
        count(0.05)
count(3)
print('flood', got, length, sent)
"#
        ),
    );
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[0], "single 2", "one packet for each request");
    let numbers: Vec<u64> = lines[1].split(' ').skip(1).map(|word| word.parse().expect("a number")).collect();
    let (packets, bytes, sent) = (numbers[0], numbers[1], numbers[2]);
    figure(
        &format!("{count} requests in another's name: packets, bytes sent, bytes of the requests"),
        lines[1],
    );
    assert!(packets <= 80 + 8 * scale() as u64 && bytes < sent, "{said}");
    let fetched = net.run_in("c2", "curl -sS -m 20 tftp://10.10.10.1/lpxelinux.0 | wc -c");
    assert!(fetched.trim().parse::<u64>().expect("a number") > 10_000, "{fetched}");
}
