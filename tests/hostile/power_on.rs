//! A thousand machines that are switched on in the same instant.

use super::*;

#[test]
fn a_thousand_machines_at_power_on_have_addresses_at_once() {
    let net = Net::new();
    net.run("ip address flush dev br0; ip address add 10.10.10.1/16 dev br0");
    let text = "[network]\ninterface = 'br0'\naddress = '10.10.10.1/16'\nmode = 'full'\n\
                [dhcp]\npool = '10.10.20.1-10.10.30.254'\n";
    let service = Service::start(&net, text);
    net.client("c1", ONE);
    let before = written(&service);
    let said = python(
        &net,
        "c1",
        r#"
boot = option(60, b'PXEClient:Arch:00007:UNDI:003000') + option(93, b'\0\7')
macs = {xid: bytes([2, 0, 0, 1]) + struct.pack('!H', xid) for xid in range(1000)}
card, started, offers, acks = Card(), time.monotonic(), {}, {}
card.send(*[frame(datagram(message(DISCOVER, own, xid, boot)), own) for xid, own in macs.items()])
first = None
while len(acks) < 1000 and time.monotonic() - started < 30:
    heard = card.answers(0.05)
    for xid, kind, place in heard:
        if kind == OFFER and xid not in offers:
            offers[xid] = place
            first = first or time.monotonic() - started
            chosen = boot + option(54, HERE) + option(50, place)
            card.send(frame(datagram(message(REQUEST, macs[xid], xid, chosen)), macs[xid]))
        if kind == ACK:
            acks[xid] = place
print(len(offers), len(acks), len(set(acks.values())), round(first, 2), round(time.monotonic() - started, 2))
"#,
    );
    figure(
        "1,000 machines at once: OFFERs, ACKs, different addresses, seconds to the first OFFER and to the last ACK",
        said.trim(),
    );
    figure("bytes that they had written", written(&service) - before);
    assert!(said.starts_with("1000 1000 1000 "), "{said}");
    assert_eq!(service.status()["leases"], 1000);
}
