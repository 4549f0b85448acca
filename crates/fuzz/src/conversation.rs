//! Conversations: what machines send, one thing after another, with time passing between.

use std::{
    net::{Ipv4Addr, SocketAddrV4},
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::Duration,
};

use rackberry_core::{
    appliance::{Answer, Appliance, Ask, Effect, Extent, Outcome, ReplyId, Report, Requester, Stored, Via},
    assets::{
        catalog::Catalog,
        folder::{Content, Folder, Found, Stamp},
    },
    config,
    dhcp::{Packet, Sender},
    http::route,
    ids::{Mac, Time},
};
use tokio_tftp_server::{
    options::{Limits, RequestedOptions},
    packet::{ErrorCode, Packet as Tftp},
    transfer::{End, Step, Transfer},
};

use crate::{piece, take};

const NODE: Mac = Mac([2, 0, 0, 0, 0, 1]);

/// A disarmed service that knows one node, with a complete system.
fn appliance(mode: &str) -> Appliance {
    let text = format!(
        "[network]\naddress = '10.10.10.1/24'\nmode = '{mode}'\n[dhcp]\nprobe = false\n[assets]\nverify = \
         'unsigned-ok'\n[[node]]\nname = 'node1'\nmac = '{NODE}'\n"
    );
    let settings = config::parse(&[("rackberry.toml".into(), text)]).unwrap_or_default();
    Appliance::new(Arc::new(settings), catalog().clone(), Stored::default(), [7; 32], Time(1_000_000))
}

/// A system, a configuration with a secret, and what is open to all. Made once: reading the built-in keys takes longer
/// than all else.
pub(crate) fn catalog() -> &'static Arc<Catalog> {
    static CATALOG: OnceLock<Arc<Catalog>> = OnceLock::new();
    CATALOG.get_or_init(|| {
        let found = |name: &str, text: Option<&str>| Found {
            name: name.split('/').map(str::to_owned).collect(),
            path: PathBuf::from("/assets").join(name),
            len: 1000,
            stamp: Stamp::default(),
            content: text.map_or(Content::Unread, |text| Content::Text(text.into())),
        };
        let files = ["pxe.vmlinuz", "pxe_image.cpio.gz", "image.bin.bz2", "image.bin.bz2.sig"]
            .map(|name| found(&format!("coreos/1010.5.0/coreos_production_{name}"), None));
        let config = found("cloud-configs/node1.yml", Some("#cloud-config\nhostname: secret\n"));
        let open = found("files/open.txt", Some("for all\n"));
        let loaders = Folder::new("/loaders".into(), [found("pxelinux.0", None)]);
        let files = files.into_iter().chain([config, open]);
        Arc::new(Catalog::new(vec![Folder::new("/assets".into(), files)], loaders, None))
    })
}

/// What must hold after each event: nobody armed, so nobody is granted anything, and time is asked for once it is due.
fn settle(appliance: &mut Appliance, now: Time) {
    let mut ticks = 0;
    while appliance.deadline().is_some_and(|deadline| deadline <= now) {
        drop(appliance.tick(now));
        ticks += 1;
        assert!(ticks < 100, "time that is due is never done with");
    }
    for view in appliance.look(now).values() {
        assert!(!view.view.granted, "nobody has armed: {:?}", view.view);
        assert_eq!(view.view.writes, 0, "nobody has armed: {:?}", view.view);
    }
}

/// Packets of DHCP, by several machines, with pauses between them.
pub(crate) fn dhcp(mut data: &[u8]) {
    let data = &mut data;
    let mode = if take(data).is_multiple_of(2) { "full" } else { "proxy" };
    let mut appliance = appliance(mode);
    let mut now = Time(1_000_000);
    while !data.is_empty() {
        let what = take(data);
        now = now + Duration::from_millis(u64::from(what) * u64::from(what));
        let mac = Mac([2, 0, 0, 0, 0, what % 4]);
        let sender = Sender { mac, address: SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 68) };
        if let Ok(packet) = Packet::read(piece(data), sender) {
            let outcome = match what & 0x80 {
                0 => appliance.packet(&packet, now),
                _ => appliance.boot_server_packet(&packet, sender.address, now),
            };
            for effect in outcome.effects {
                if let Effect::Dhcp(rackberry_core::dhcp::Action::Send(reply)) = effect {
                    assert_eq!(reply.payload[236..240], [99, 130, 83, 99], "what is sent is DHCP");
                }
            }
        }
        settle(&mut appliance, now);
    }
}

/// Requests of HTTP and TFTP, by their paths: disarmed, only what is open to all is given.
pub(crate) fn http(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut appliance = appliance("full");
    let now = Time(1_000_000);
    for line in text.lines().take(50) {
        let (path, query) = line.split_once('?').map_or((line, None), |(path, query)| (path, Some(query)));
        let routes = [(Via::Http, route::parse(path, query)), (Via::Tftp, route::tree(line))];
        for (via, target) in routes {
            let Ok(target) = target else { continue };
            let from = Requester { address: Ipv4Addr::new(10, 10, 10, 7), hardware: Some(NODE) };
            let outcome =
                appliance.ask(ReplyId(1), Ask::Fetch { from, via, extent: Extent::Whole, target }, now);
            if let Some(Answer::File { path, .. }) = answer(outcome) {
                let path = path.display().to_string();
                let is_open = !path.contains("image.bin.bz2") || path.ends_with(".sig");
                assert!(is_open && !path.contains("cloud-configs"), "{line:?} gives {path}");
            }
            settle(&mut appliance, now);
        }
    }
}

/// Reports of nodes: what they say is shown as one line, and moves nobody who may not install.
pub(crate) fn report(mut data: &[u8]) {
    let data = &mut data;
    let mut appliance = appliance("full");
    let now = Time(1_000_000);
    let mac = if take(data).is_multiple_of(2) { NODE } else { Mac([2, 0, 0, 0, 0, 9]) };
    while !data.is_empty() {
        let Ok(report) = serde_json::from_slice::<Report>(piece(data)) else { continue };
        let from = Requester { address: Ipv4Addr::new(10, 10, 10, 7), hardware: Some(mac) };
        let grant = (take(data) > 128).then(|| "7".to_owned());
        let outcome = appliance.ask(ReplyId(1), Ask::Report { from, grant, mac, report }, now);
        for effect in &outcome.effects {
            if let Effect::Note(note) = effect {
                assert!(!note.to_string().contains(char::is_control), "{note}");
            }
        }
        settle(&mut appliance, now);
    }
}

fn answer(outcome: Outcome) -> Option<Answer> {
    outcome.effects.into_iter().find_map(|effect| match effect {
        Effect::Answer(_, answer) => Some(answer),
        _ => None,
    })
}

/// A transfer by TFTP with a client that says anything at any time.
pub(crate) fn tftp(mut data: &[u8]) {
    let data = &mut data;
    let limits = Limits::default();
    let options = [("blksize", "8"), ("windowsize", "4"), ("tsize", "0"), ("timeout", "1")];
    let asked = take(data);
    let options = options.iter().enumerate().filter(|(at, _)| asked & (1 << at) != 0);
    let options: Vec<_> =
        options.map(|(_, (name, value))| ((*name).to_owned(), (*value).to_owned())).collect();
    let total = u64::from(take(data)) * u64::from(take(data));
    let agreed = RequestedOptions::read(&options).negotiate(&limits, Some(total));
    let last = total / u64::from(agreed.blksize) + 1;
    let mut now = Duration::ZERO;
    let (mut transfer, mut step) = Transfer::new(total, &agreed, &limits, now);
    let mut quiet = 0;
    loop {
        match step {
            Step::Blocks(blocks) => {
                assert!(*blocks.start() >= 1 && *blocks.end() <= last, "{blocks:?} of {last}");
                assert!(blocks.count() <= usize::from(agreed.windowsize), "no more than a window");
            }
            Step::OptionAck => assert!(!agreed.answer.is_empty()),
            Step::Wait => {}
            Step::End(End::Complete) => return assert_eq!(transfer.acknowledged(), total),
            Step::End(_) => return,
            _ => {}
        }
        assert!(transfer.acknowledged() <= total);
        let what = take(data);
        if data.is_empty() {
            // A client that says no more: it ends.
            quiet += 1;
            assert!(quiet < 1000, "a silent client is waited for without end");
            now = transfer.deadline().max(now);
            step = transfer.timeout(now);
            continue;
        }
        now += Duration::from_millis(u64::from(what));
        step = match what % 8 {
            0 => transfer.repeated(now),
            1 => transfer.receive(&Tftp::Error { code: ErrorCode::NotDefined, message: String::new() }, now),
            2 if transfer.deadline() <= now => transfer.timeout(now),
            3 => Tftp::decode(piece(data)).map_or(Step::Wait, |packet| transfer.receive(&packet, now)),
            _ => transfer.receive(&Tftp::Ack(u16::from(take(data))), now),
        };
    }
}
