//! TFTP as machines meet it that are switched off and on in the middle of a transfer.

mod support;

use std::time::Duration;

use support::{
    Net, packets,
    service::{Service, small_system},
    wait_until,
};

const SOON: Duration = Duration::from_secs(20);

/// Talks TFTP from one port, as Intel's ROM does after each start.
const ROM: &str = "
def request(name, *options):
    words = [name, b'octet', *options]
    return b'\\0\\1' + b''.join(word + b'\\0' for word in words)
def rom(port=2070):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(('', port))
    s.settimeout(0.4)
    return s
def hear(s):
    try:
        return s.recvfrom(2000)
    except TimeoutError:
        return b'nothing', None
def get(s, name):
    s.sendto(request(name), (HERE, 69))
    got, number = b'', 1
    while True:
        packet, peer = hear(s)
        if packet[:2] != b'\\0\\3':
            return packet
        assert packet[2:4] == struct.pack('!H', number), packet[:4]
        got += packet[4:]
        s.sendto(b'\\0\\4' + packet[2:4], peer)
        number += 1
        if len(packet) < 516:
            return got
own, card = mac('02:00:00:00:00:01'), Card()
boot = option(60, b'PXEClient:Arch:00000:UNDI:002001') + option(93, b'\\0\\0')
def boots():
    card.send(frame(datagram(message(DISCOVER, own, 1, boot)), own))
    [(_, _, place)] = card.answers(5, enough=1)
    card.send(frame(datagram(message(REQUEST, own, 2, boot + option(54, HERE) + option(50, place))), own))
    assert card.answers(5, enough=1)[0][1] == ACK
    return place
";

fn run(net: &Net, program: &str) -> String {
    packets::run(net, "c1", &format!("{ROM}\n{program}"))
}

/// A menu that was on its way when the machine was reset is not what it gets after somebody disarmed.
#[test]
fn a_reset_machine_gets_the_menu_of_now_from_the_port_of_a_dead_transfer() {
    let net = Net::new();
    small_system(&net);
    let service =
        Service::start(&net, "[[node]]\nname = 'n1'\nmac = '02:00:00:00:00:01'\naddress = '10.10.10.11'");
    service.cli(&["arm"]);
    net.client("c1", "02:00:00:00:00:01");
    net.run_in("c1", "ip address add 10.10.10.11/24 dev eth0");
    let menu = "b'pxelinux.cfg/01-02-00-00-00-00-01'";
    let said = run(
        &net,
        &format!("boots(); s = rom(); s.sendto(request({menu}), (HERE, 69)); print(b'KERNEL' in hear(s)[0])"),
    );
    assert_eq!(said, "True\n", "an install, of which nothing is acknowledged");
    service.cli(&["disarm"]);
    // The firmware's DISCOVER ends what was being sent: nothing of it is heard when the port is open again.
    let said = run(
        &net,
        &format!(
            "boots(); s = rom(); print(hear(s)[0].decode(), hear(s)[0].decode(), hear(s)[0].decode())\n\
             got = get(s, {menu}); print(len(got) > 50, b'KERNEL' in got)"
        ),
    );
    assert_eq!(said, "nothing nothing nothing\nTrue False\n");
    // Its transfers are told to nobody as running.
    wait_until("all transfers have ended", SOON, || net.run("ss -Hanu").lines().count() <= 4);
}

/// Another file than the one that the dead transfer sends, with and without a new start in between.
#[test]
fn a_reset_machine_gets_the_file_that_it_names_at_once() {
    let net = Net::new();
    small_system(&net);
    let service = Service::start(&net, "");
    service.cli(&["arm"]);
    net.client("c1", "02:00:00:00:00:01");
    let loaders = support::root().join("target/loaders");
    let said = run(
        &net,
        &format!(
            "
import subprocess
folder = '{}'
place = boots()
subprocess.run(['ip', 'address', 'add', place + '/24', 'dev', 'eth0'], check=True)
for again in False, True:
    for acks in 0, 1, 3:
        s = rom()
        s.sendto(request(b'lpxelinux.0'), (HERE, 69))
        for number in range(acks):
            packet, peer = hear(s)
            s.sendto(b'\\0\\4' + packet[2:4], peer)
        hear(s)
        s.close()
        if again:
            boots()
        s = rom()
        start = time.monotonic()
        got = get(s, b'ldlinux.c32')
        print(got == open(folder + '/ldlinux.c32', 'rb').read(), time.monotonic() - start < 3)
        s.close()
s = rom(2071)
for name in b'lpxelinux.0\\xff', b'lpxelinux.0\\xff\\x0c\\4node', b'lpxelinux.0\\0\\xff':
    s.sendto(request(name, b'tsize', b'0', b'', b'junk'), (HERE, 69))
    print(hear(s)[0].split(b'\\0')[1][1:].decode())
",
            loaders.display()
        ),
    );
    assert_eq!(said, format!("{}{}", "True True\n".repeat(6), "tsize\n".repeat(3)));
}
