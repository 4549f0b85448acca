//! Hardware addresses that are made up, until no address is left.

use super::*;

/// A thousand and more machines that don't exist, each with a whole exchange.
fn random_machines(count: usize, patience: f64) -> String {
    let batch = 100 * scale();
    format!(
        r#"
import collections, os
card = Card()
started, acks, offers = time.monotonic(), 0, 0
boot = option(60, b'PXEClient:Arch:00007:UNDI:003000') + option(93, b'\0\7')
for first in range(0, {count}, {batch}):
    batch, taken = {{}}, 0
    for number in range(first, first + {batch}):
        own = bytes([2, 1]) + struct.pack('!I', number)
        batch[number] = own
        card.send(frame(datagram(message(DISCOVER, own, number, boot if number % 2 else b'')), own))
    for xid, kind, place in card.answers({patience}, enough={batch}):
        if kind == OFFER and xid in batch:
            offers, taken = offers + 1, taken + 1
            own = batch[xid]
            card.send(frame(datagram(message(REQUEST, own, xid, option(54, HERE) + option(50, place))), own))
    if taken:
        acks += sum(kind == ACK for _, kind, _ in card.answers(3, enough=taken))
print(offers, acks, round(time.monotonic() - started, 1))
"#
    )
}

/// Asks in the name of one new machine after the other, 2,000 a second at most, until it is dropped. A debug build reads not
/// much more.
fn going_on(net: &Net) -> support::Watched {
    let program = r#"
from packets import *
card, number = Card(), 1 << 24
boot = option(60, b'PXEClient:Arch:00007:UNDI:003000') + option(93, b'\0\7')
print('floods', flush=True)
while True:
    own = bytes([2, 1]) + struct.pack('!I', number)
    card.send(frame(datagram(message(DISCOVER, own, number & 0xffff, boot if number % 2 else b'')), own))
    number += 1
    if number % 20 == 0:
        time.sleep(0.01)
"#;
    let path = net.write("flood.py", program);
    let mut command = net.command("ip");
    command.args(["netns", "exec", "thief", "python3"]).arg(path);
    let flood = support::Watched::start(command);
    flood.wait_for("floods", 0, SOON);
    flood
}

#[test]
fn known_machines_get_addresses_whatever_strangers_take() {
    let net = Net::new();
    let nodes: String = (1..=4)
        .map(|number| format!("[[node]]\nname = 'n{number}'\nmac = '02:00:00:00:00:0{number}'\n"))
        .collect();
    let pool = "[dhcp]\nprobe = false\npool = '10.10.10.100-10.10.10.131'\n";
    let service = Service::start(&net, &format!("{pool}{nodes}"));
    net.client("thief", "02:00:00:00:00:99");
    let before = written(&service);
    let count = 3000 * scale();
    let said = python(&net, "thief", &random_machines(count, 0.25));
    let more = written(&service) - before;
    figure(&format!("{count} random machines: OFFERs, ACKs, seconds"), said.trim());
    figure("bytes that they had written", more);
    let acks: usize = said.split(' ').nth(1).and_then(|acks| acks.parse().ok()).expect("a number");
    assert!((1..=28).contains(&acks), "four addresses are kept: {said}");
    // It goes on while they come up.
    let flood = going_on(&net);
    for number in 1..=4 {
        net.client(&format!("c{number}"), &format!("02:00:00:00:00:0{number}"));
        let said = net.run_in(
            &format!("c{number}"),
            &format!("bash -c 'time -p {}' 2>&1", UDHCPC.replace("-t 8", "-t 20")),
        );
        assert!(said.contains("obtained from 10.10.10.1"), "{number}: {said}");
        let time = said.lines().find_map(|line| line.strip_prefix("real ")).unwrap_or_default();
        figure("while it goes on, seconds until a known machine has its address", time);
    }
    drop(flood);
    service.wait_for("no address is left for", SOON);
    let lines = service.log().len();
    figure("lines in the log", lines);
    assert!(lines < 200, "{lines}");
    // One record for each machine that asked for a boot, as long as there is room, and nothing for the same again.
    assert!(more < 24 << 20, "{more}");
}

/// The pool was full before anybody said which machines are this rack's.
#[test]
fn a_machine_that_is_listed_later_has_the_address_of_one_that_is_not_there() {
    let net = Net::new();
    let pool = "[dhcp]\npool = '10.10.10.100-10.10.10.103'\n";
    let service = Service::start(&net, pool);
    // One that is there.
    let there = leased(&net, "c9", "02:00:00:00:00:09");
    net.client("thief", "02:00:00:00:00:99");
    let said = python(&net, "thief", &random_machines(200 * scale(), 4.0));
    assert!(said.starts_with("3 3 ") || said.contains(" 3 "), "{said}");
    net.client("c1", ONE);
    assert!(!net.try_in("c1", UDHCPC).status.success(), "a stranger gets nobody's address");
    service.reload(&format!("{pool}[[node]]\nname = 'n1'\nmac = '{ONE}'\n"));
    service.wait_for("the new configuration is in force", SOON);
    let said = net.run_in("c1", UDHCPC);
    assert!(
        said.contains("obtained from 10.10.10.1") && !said.contains(&format!("lease of {there} ")),
        "{said}"
    );
    assert!(net.run_in("c9", UDHCPC).contains(&format!("lease of {there} ")), "and that one keeps its own");
}

/// One machine that has the card written by what it sends, without end.
#[test]
fn a_machine_that_comes_and_goes_a_thousand_times_a_second_is_cut_off() {
    let net = Net::new();
    let service = Service::start(&net, NO_PROBE);
    net.client("c1", ONE);
    let before = written(&service);
    let said = python(
        &net,
        "c1",
        &format!(
            r#"
own, card = mac('{ONE}'), Card()
card.send(frame(datagram(message(DISCOVER, own, 1)), own))
place = card.answers(5, enough=1)[0][2]
chosen = option(54, HERE) + option(50, place)
acks = 0
for number in range({}):
    card.send(frame(datagram(message(REQUEST, own, number, chosen)), own))
    card.send(frame(datagram(message(RELEASE, own, number, option(54, HERE), ciaddr=place), source=place, to=HERE), own, SERVER))
    if number % 100 == 99:
        acks += len(card.answers(0.05))
print(acks + len(card.answers(1)))
"#,
            4000 * scale()
        ),
    );
    let more = written(&service) - before;
    figure("4,000 times REQUEST and RELEASE of one machine: ACKs", said.trim());
    figure("bytes that they had written", more);
    let acks: usize = said.trim().parse().expect("a number");
    assert!((1..=130).contains(&acks), "{acks}");
    service.wait_for("sends more DHCP messages that would be written down than any machine needs", SOON);
    let other = "02:00:00:00:00:02";
    leased(&net, "c2", other);
}
