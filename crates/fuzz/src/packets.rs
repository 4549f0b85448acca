//! Single packets and header fields.

use std::{
    net::{Ipv4Addr, SocketAddrV4},
    time::Duration,
};

use rackberry_core::{
    dhcp::{
        Client, Packet, Sender, ServerReply,
        datagram::{Checksum, Datagram},
    },
    http::range::{Conditions, Meta, respond},
    ids::Mac,
};
use tokio_tftp_server::{
    options::{Limits, RequestedOptions},
    packet::Packet as Tftp,
};

/// A frame on the wire, and a datagram of DHCP.
pub(crate) fn dhcp(data: &[u8]) {
    let own = Mac([2, 0, 0, 0, 0, 1]);
    for checksum in [Checksum::AsSent, Checksum::Unfinished] {
        if let Ok(datagram) = Datagram::read(data, checksum) {
            let _ = ServerReply::read(&datagram, own, &[7]);
        }
    }
    let sender = Sender { mac: own, address: SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 68) };
    if let Ok(packet) = Packet::read(data, sender) {
        let client = Client::of(&packet);
        let _ = (client.wants_boot(), client.is_discover(), client.starts_afresh(), client.boots_scripts());
        assert!(packet.largest_datagram() >= 548, "every client takes as much (RFC 2131 section 2)");
    }
}

/// A packet of TFTP: what is read is written as it was meant.
pub(crate) fn tftp(data: &[u8]) {
    let Ok(packet) = Tftp::decode(data) else { return };
    let bytes = packet.encode();
    let again = Tftp::decode(&bytes).unwrap_or_else(|error| panic!("{packet:?} as {bytes:?}: {error}"));
    assert_eq!(again, packet);
    if let Tftp::Read(request) = &packet {
        let limits = Limits::default();
        let agreed = RequestedOptions::read(&request.options).negotiate(&limits, Some(1 << 33));
        assert!((8..=limits.blksize).contains(&agreed.blksize));
        assert!((1..=limits.windowsize).contains(&agreed.windowsize));
    }
}

/// The header fields that choose a part of a file.
pub(crate) fn range(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.split('\n');
    let mut field = || lines.next().filter(|line| !line.is_empty());
    let conditions = Conditions {
        head: data.len() % 2 == 1,
        range: field(),
        if_range: field(),
        if_match: field(),
        if_none_match: field(),
        if_modified_since: field(),
        if_unmodified_since: field(),
    };
    for len in [0, 1, 1000, u64::MAX / 2] {
        let meta = Meta { len, modified: Some(Duration::from_secs(1_000_000)), inode: 7 };
        let plan = respond(&conditions, &meta, Duration::from_secs(2_000_000));
        assert!([200, 206, 304, 412, 416].contains(&plan.status));
        let end = plan.start.checked_add(plan.len).unwrap_or_else(|| panic!("{plan:?}"));
        assert!(end <= len, "{plan:?} of {len} bytes");
        assert!(plan.status != 206 || plan.len > 0, "{plan:?}");
    }
}
