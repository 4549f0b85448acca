//! What an event costs does not grow with the rack. Counted, not timed: what is allocated, and which nodes' views are made.
//! (`valgrind --tool=callgrind` on this test tells what allocates nothing.)
#![allow(unsafe_code, reason = "an allocator that counts")]
#![allow(clippy::unwrap_used)] // A test may; clippy sees only the functions that are marked as one.

#[path = "support/signed.rs"]
mod signed;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    fmt::Write as _,
    net::{Ipv4Addr, SocketAddrV4},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use dhcproto::{
    Encodable as _, Encoder,
    v4::{DhcpOption, Message, MessageType},
};
use rackberry_core::{
    appliance::{
        Answer, Appliance, Arm, Ask, Command, Effect, Extent, Outcome, Progress, ReplyId, Requester, Stored,
        TransferEnd, Via, Whom,
    },
    assets::{
        catalog::Catalog,
        folder::{Content, Folder, Found, Stamp},
    },
    config,
    dhcp::{Packet, Sender},
    http::route,
    ids::{Mac, Source, Time},
};

static ALLOCATED: AtomicU64 = AtomicU64::new(0);

struct Counting;

// SAFETY: the system's allocator does it all.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(1, Relaxed);
        // SAFETY: the caller keeps to the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps to the contract.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// So many events of a kind are counted.
const EVENTS: u16 = 10;

struct Rack {
    appliance: Appliance,
    now: Time,
}

impl Rack {
    /// Everybody is armed, every second node is listed, and all have asked for their first boot.
    fn of(nodes: u16) -> Rack {
        let mut text = "[network]\naddress = '10.10.0.1/16'\nmode = 'full'\n[dhcp]\nprobe = false\n\
                        pool = '10.10.16.0 - 10.10.95.255'\n[assets]\nverify = 'unsigned-ok'\n"
            .to_owned();
        for number in (0..nodes).step_by(2) {
            let _ = write!(text, "[[node]]\nname = 'n{number}'\nmac = '{}'\n", mac(number));
        }
        let settings = Arc::new(config::parse(&[("test".into(), text)]).unwrap());
        let found = |name: &str| Found {
            name: name.split('/').map(str::to_owned).collect(),
            path: PathBuf::from(name),
            len: 1000,
            stamp: Stamp::default(),
            content: Content::Unread,
        };
        let coreos = ["pxe.vmlinuz", "pxe_image.cpio.gz", "image.bin.bz2", "image.bin.bz2.sig"]
            .map(|name| found(&format!("coreos/1010.5.0/coreos_production_{name}")));
        let config = Content::Text("#cloud-config\nhostname: {{ node.name }}\n".into());
        let config = Found { content: config, ..found("cloud-configs/default.yml.j2") };
        let files = coreos.into_iter().chain([config]);
        let loaders = Folder::new("loaders".into(), [found("pxelinux.0")]);
        let catalog =
            signed::all_good(&Catalog::new(vec![Folder::new("assets".into(), files)], loaders, None));
        let now = Time(1_000_000);
        let appliance = Appliance::new(settings, Arc::new(catalog), Stored::default(), [7; 32], now);
        let mut rack = Rack { appliance, now };
        let arm = Command::Arm(Arm::install(Whom::All));
        let armed = rack.ask(Ask::Command { source: Source::Socket, command: arm });
        assert!(matches!(armed, Answer::Done(_)), "{armed:?}");
        for number in 0..nodes {
            rack.start(number);
        }
        rack
    }

    /// As the owner does after each event.
    fn settle(&mut self) {
        self.now = self.now + Duration::from_millis(1);
        while self.appliance.deadline().is_some_and(|deadline| deadline <= self.now) {
            drop(self.appliance.tick(self.now));
        }
    }

    fn ask(&mut self, ask: Ask) -> Answer {
        let outcome = self.appliance.ask(ReplyId(1), ask, self.now);
        self.settle();
        let answer = outcome.effects.into_iter().find_map(|effect| match effect {
            Effect::Answer(_, answer) => Some(answer),
            _ => None,
        });
        answer.unwrap()
    }

    fn say(&mut self, number: u16, kind: MessageType, requested: Option<Ipv4Addr>) -> Outcome {
        let none = Ipv4Addr::UNSPECIFIED;
        let mut message = Message::new_with_id(7, none, none, none, none, &mac(number).0);
        message.opts_mut().insert(DhcpOption::MessageType(kind));
        message.opts_mut().insert(DhcpOption::ClassIdentifier(b"PXEClient:Arch:00000:UNDI:002001".to_vec()));
        if let Some(address) = requested {
            message.opts_mut().insert(DhcpOption::ServerIdentifier([10, 10, 0, 1].into()));
            message.opts_mut().insert(DhcpOption::RequestedIpAddress(address));
        }
        let mut bytes = Vec::new();
        message.encode(&mut Encoder::new(&mut bytes)).unwrap();
        let sender = Sender { mac: mac(number), address: SocketAddrV4::new(none, 68) };
        let outcome = self.appliance.packet(&Packet::read(&bytes, sender).unwrap(), self.now);
        self.settle();
        outcome
    }

    /// DISCOVER and REQUEST of firmware; returns the address.
    fn start(&mut self, number: u16) -> Ipv4Addr {
        let offered = self.say(number, MessageType::Discover, None);
        let sent = offered.effects.iter().find_map(|effect| match effect {
            Effect::Dhcp(rackberry_core::dhcp::Action::Send(reply)) => Some(reply.payload.clone()),
            _ => None,
        });
        let address: [u8; 4] = sent.unwrap()[16..20].try_into().unwrap();
        let leased = self.say(number, MessageType::Request, Some(address.into()));
        assert!(!leased.changes.is_empty());
        address.into()
    }

    /// A loader, whole.
    fn fetch(&mut self, address: Ipv4Addr) {
        let target = route::parse("/pxelinux.0", None).unwrap();
        let from = Requester { address, hardware: None };
        let Answer::File { transfer: Some(transfer), .. } =
            self.ask(Ask::Fetch { from, via: Via::Http, extent: Extent::Whole, target })
        else {
            panic!("no file")
        };
        let end = Some(TransferEnd::Complete);
        let progress = Progress { transfer, total: 1000, start: 0, sent: 1000, end };
        drop(self.appliance.progress(progress, self.now));
        self.settle();
    }
}

fn mac(number: u16) -> Mac {
    let [a, b] = number.to_be_bytes();
    Mac([0x52, 0x54, 0, 1, a, b])
}

/// Allocations of one exchange, of one fetch, and of a look after each of both, on an average; the views that such a
/// look makes anew, at most.
fn costs(nodes: u16) -> ([u64; 3], usize) {
    let mut rack = Rack::of(nodes);
    drop(rack.appliance.look(rack.now));
    let (mut allocated, mut made) = ([0; 3], 0);
    for number in 0..EVENTS {
        let number = number * (nodes / EVENTS);
        let before = rack.appliance.look(rack.now).as_ref().clone();
        let start = ALLOCATED.load(Relaxed);
        let address = rack.start(number);
        let exchanged = ALLOCATED.load(Relaxed);
        rack.fetch(address);
        let fetched = ALLOCATED.load(Relaxed);
        let views = rack.appliance.look(rack.now);
        drop((views, rack.appliance.status(rack.now)));
        let looked = ALLOCATED.load(Relaxed);
        allocated[0] += exchanged - start;
        allocated[1] += fetched - exchanged;
        allocated[2] += looked - fetched;
        let after = rack.appliance.look(rack.now);
        assert_eq!(after.len(), usize::from(nodes));
        made = made.max(after.iter().filter(|(mac, view)| !Arc::ptr_eq(view, &before[*mac])).count());
    }
    (allocated.map(|all| all / u64::from(EVENTS)), made)
}

#[test]
fn an_event_costs_the_same_in_a_rack_of_ten_and_of_two_thousand() {
    let (few, made) = costs(10);
    assert_eq!(made, 1);
    for nodes in [200, 2000] {
        let (many, made) = costs(nodes);
        assert_eq!(made, 1, "views made anew, of {nodes} nodes");
        for (kind, (few, many)) in ["exchange", "fetch", "look"].into_iter().zip(few.into_iter().zip(many)) {
            assert!(many * 10 <= few * 12, "{kind}: {many} allocations with {nodes} nodes, {few} with 10");
        }
    }
}
