//! The appliance in a world of machines, and the journal that it would be restored from.

mod kept;

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    path::PathBuf,
    sync::{Arc, LazyLock},
    time::Duration,
};

use dhcproto::{
    Decodable, Decoder, Encodable, Encoder,
    v4::{DhcpOption, Message, MessageType},
};

use crate::{
    appliance::{
        Answer, Appliance, Arm, Ask, Change, Command, Effect, Extent, NodeView, Outcome, Progress, Refusal,
        ReplyId, Report, Requester, Stored, TransferEnd, Via, Whom,
    },
    assets::{
        catalog::Catalog,
        folder::{Content, Folder, Found, Stamp},
    },
    config,
    dhcp::{self, LeaseChange},
    http::route,
    ids::{Mac, MachineId, Source, Stage, Time},
    nodes::Node,
    orders::OrderId,
};

pub(super) const ONE: Mac = Mac([0x52, 0x54, 0, 0, 0, 1]);
pub(super) const TWO: Mac = Mac([0x52, 0x54, 0, 0, 0, 2]);
pub(super) const IMAGE: &str = "/1010.5.0/coreos_production_image.bin.bz2";
pub(super) const MENU: &str = "/pxelinux.cfg/default";
pub(super) const CONFIG: &str = "/cloud-configs/install.sh";
pub(super) const NOW: Time = Time(1_000_000);

/// The appliance, and the journal that it would have been restored from.
#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) appliance: Appliance,
    pub(super) nodes: BTreeMap<Mac, Node>,
    pub(super) leases: BTreeMap<Mac, dhcp::Lease>,
    pub(super) shared: Vec<MachineId>,
    pub(super) order: OrderId,
    pub(super) loss: Option<String>,
    pub(super) now: Time,
    /// Nothing can be written down.
    pub(super) disk_fails: bool,
    /// That was noticed, and what could not be written down was taken back.
    is_taken_back: bool,
    /// The views are looked at by whoever takes the steps, and not after each event.
    pub(super) is_looked_at: bool,
    restarts: u8,
}

impl World {
    pub(super) fn new() -> World {
        World::of(settings())
    }

    pub(super) fn of(settings: Arc<config::Settings>) -> World {
        World::with(settings, catalog())
    }

    pub(super) fn with(settings: Arc<config::Settings>, catalog: Arc<Catalog>) -> World {
        let appliance = Appliance::new(settings, catalog, Stored::default(), [7; 32], NOW);
        World {
            appliance,
            nodes: BTreeMap::new(),
            leases: BTreeMap::new(),
            shared: Vec::new(),
            order: OrderId(0),
            loss: None,
            now: NOW,
            disk_fails: false,
            is_taken_back: false,
            is_looked_at: false,
            restarts: 0,
        }
    }

    pub(super) fn take(&mut self, outcome: Outcome) -> Option<Answer> {
        let is_kept = self.keep(outcome.changes);
        let mut answers = outcome.effects.into_iter().filter_map(|effect| match effect {
            Effect::Answer(_, answer) => Some(answer),
            _ => None,
        });
        let answer = answers.next_back();
        if !self.is_looked_at {
            self.check_views();
        }
        match is_kept {
            true => answer,
            false => answer.map(|_| Answer::Refused(Refusal::Unavailable(kept::DISK_FAILS.into()))),
        }
    }

    /// The views that were kept are those that would be made now.
    pub(super) fn check_views(&mut self) {
        let kept: Vec<NodeView> =
            self.appliance.look(self.now).values().map(|node| node.at(self.now)).collect();
        assert_eq!(kept, self.appliance.node_views(self.now));
        let idle = kept.iter().filter(|node| node.stage == Stage::Idle).count();
        assert_eq!(self.appliance.nodes().in_stage(Stage::Idle), idle);
    }

    pub(super) fn wait(&mut self, length: Duration) {
        let end = self.now + length;
        while let Some(deadline) = self.appliance.deadline().filter(|deadline| *deadline <= end) {
            self.now = self.now.max(deadline);
            let outcome = self.appliance.tick(self.now);
            self.take(outcome);
        }
        self.now = end;
        if !self.is_looked_at {
            self.check_views();
        }
    }

    pub(super) fn arm(&mut self, all: bool, nodes: &[&str]) -> Answer {
        let length = Some(Duration::from_secs(600));
        self.order(Command::Arm(Arm { length, ..Arm::install(whom(all, nodes)) }))
    }

    pub(super) fn order(&mut self, command: Command) -> Answer {
        self.ask(Ask::Command { source: Source::Socket, command })
    }

    pub(super) fn ask(&mut self, ask: Ask) -> Answer {
        let outcome = self.appliance.ask(ReplyId(1), ask, self.now);
        self.take(outcome).expect("every question has an answer")
    }

    /// A machine gets its address; with `boots`, as PXE firmware of a BIOS does.
    pub(super) fn start(&mut self, mac: Mac, boots: bool) {
        self.start_as(mac, boots, None);
    }

    /// The same, of a machine that calls itself by this identifier (option 97). Returns the boot file that it is told.
    pub(super) fn start_as(&mut self, mac: Mac, boots: bool, machine: Option<u8>) -> Option<String> {
        let mut more = Vec::new();
        if boots {
            more.push(DhcpOption::ClassIdentifier(b"PXEClient:Arch:00000:UNDI:002001".to_vec()));
        }
        if let Some(number) = machine {
            let mut id = vec![0; 17];
            id[1..].copy_from_slice(&identifier(number));
            more.push(DhcpOption::ClientMachineIdentifier(id));
        }
        let offer = self.say(mac, MessageType::Discover, &more)?;
        more.push(DhcpOption::ServerIdentifier([10, 10, 10, 1].into()));
        more.push(DhcpOption::RequestedIpAddress(offer.yiaddr()));
        let ack = self.say(mac, MessageType::Request, &more)?;
        let file = String::from_utf8_lossy(ack.fname().unwrap_or_default()).trim_end_matches('\0').to_owned();
        Some(file).filter(|file| !file.is_empty())
    }

    /// A machine renews its lease.
    pub(super) fn renew(&mut self, mac: Mac) {
        let mut message = message(mac, MessageType::Request, &[]);
        message.set_ciaddr(self.address(mac));
        self.hear(&message);
    }

    /// What a machine hears to this message.
    pub(super) fn say(&mut self, mac: Mac, kind: MessageType, more: &[DhcpOption]) -> Option<Message> {
        self.hear(&message(mac, kind, more))
    }

    fn hear(&mut self, message: &Message) -> Option<Message> {
        let mut bytes = Vec::new();
        message.encode(&mut Encoder::new(&mut bytes)).unwrap();
        let outcome = self.appliance.packet(&dhcp::Packet::decode(&bytes).unwrap(), self.now);
        let reply = outcome.effects.iter().find_map(|effect| match effect {
            Effect::Dhcp(dhcp::Action::Send(reply)) => {
                Some(Message::decode(&mut Decoder::new(&reply.payload)).unwrap())
            }
            _ => None,
        });
        let Outcome { changes, .. } = outcome;
        let is_kept = self.keep(changes);
        if !self.is_looked_at {
            self.check_views();
        }
        reply.filter(|_| is_kept)
    }

    /// The address that a machine has.
    pub(super) fn address(&self, mac: Mac) -> Ipv4Addr {
        self.leases.get(&mac).map_or_else(|| address(mac), |lease| lease.address)
    }

    pub(super) fn get(&mut self, mac: Mac, path: &str) -> Answer {
        self.get_from(self.address(mac), path)
    }

    pub(super) fn get_from(&mut self, peer: Ipv4Addr, path: &str) -> Answer {
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        let target = route::parse(path, query).unwrap();
        self.ask(Ask::Fetch { from: at(peer), via: Via::Http, extent: Extent::Whole, target })
    }

    /// Fetches a file to its end.
    pub(super) fn fetch(&mut self, mac: Mac, path: &str) -> Answer {
        self.fetch_part(mac, path, 0, 1000)
    }

    /// Fetches a part of a file of 1000 bytes.
    pub(super) fn fetch_part(&mut self, mac: Mac, path: &str, start: u64, sent: u64) -> Answer {
        let answer = self.get(mac, path);
        self.send_part(&answer, start, sent);
        answer
    }

    /// A part of what was given is sent, of 1000 bytes.
    pub(super) fn send_part(&mut self, answer: &Answer, start: u64, sent: u64) {
        if let Answer::File { transfer: Some(transfer), .. } = *answer {
            let end = Some(TransferEnd::Complete);
            let outcome =
                self.appliance.progress(Progress { transfer, total: 1000, start, sent, end }, self.now);
            self.take(outcome);
        }
    }

    pub(super) fn report(&mut self, mac: Mac, stage: Stage, ok: bool) -> Answer {
        self.report_by(mac, None, stage, ok)
    }

    /// A report by a grant.
    pub(super) fn report_by(&mut self, mac: Mac, grant: Option<&str>, stage: Stage, ok: bool) -> Answer {
        let report = report_of(stage, ok, "said so");
        let grant = grant.map(str::to_owned);
        self.ask(Ask::Report { from: at(self.address(mac)), grant, mac, report })
    }

    pub(super) fn menu_installs(&mut self, mac: Mac) -> bool {
        match self.get(mac, MENU) {
            Answer::Text { body, .. } => body.contains("KERNEL"),
            // Somebody's own.
            Answer::File { .. } => true,
            other => panic!("no menu: {other:?}"),
        }
    }

    /// Everything that a machine does from its firmware to the moment at which its image begins.
    pub(super) fn install_until_the_image(&mut self, mac: Mac) {
        self.fetch(mac, "/pxelinux.0");
        assert!(self.menu_installs(mac));
        self.fetch(mac, "/coreos/1010.5.0/coreos_production_pxe.vmlinuz");
        self.fetch(mac, "/coreos/1010.5.0/coreos_production_pxe_image.cpio.gz");
        self.start(mac, false);
        assert!(is_given(&self.fetch(mac, CONFIG)));
    }

    pub(super) fn install(&mut self, mac: Mac) {
        self.start(mac, true);
        self.install_until_the_image(mac);
        assert!(is_given(&self.fetch(mac, IMAGE)));
        self.report(mac, Stage::Written, true);
        self.start(mac, true);
        self.start(mac, false);
    }

    pub(super) fn node(&self, mac: Mac) -> NodeView {
        let views = self.appliance.node_views(self.now);
        views.into_iter().find(|node| node.macs.contains(&mac)).expect("it is listed")
    }

    pub(super) fn is_armed(&self) -> bool {
        self.appliance.status(self.now).armed_seconds.is_some()
    }
}

/// Who asks from this address, where nobody knows the hardware address.
pub(super) fn at(address: Ipv4Addr) -> Requester {
    Requester { address, hardware: None }
}

fn identifier(number: u8) -> [u8; 16] {
    let mut id = [0x40; 16];
    id[15] = number;
    id
}

/// What `start_as` says of a machine.
pub(super) fn machine_id(number: u8) -> Option<MachineId> {
    MachineId::new(identifier(number))
}

fn message(mac: Mac, kind: MessageType, more: &[DhcpOption]) -> Message {
    let none = Ipv4Addr::UNSPECIFIED;
    let mut message = Message::new_with_id(7, none, none, none, none, &mac.0);
    message.opts_mut().insert(DhcpOption::MessageType(kind));
    more.iter().cloned().for_each(|option| drop(message.opts_mut().insert(option)));
    message
}

pub(super) fn is_given(answer: &Answer) -> bool {
    matches!(answer, Answer::File { .. } | Answer::Text { .. })
}

/// The address that each machine has reserved.
pub(super) fn address(mac: Mac) -> Ipv4Addr {
    Ipv4Addr::new(10, 10, 10, 10 + mac.0[5])
}

pub(super) fn settings() -> Arc<config::Settings> {
    settings_in("full")
}

pub(super) fn settings_in(mode: &str) -> Arc<config::Settings> {
    let nodes: String = [("one", ONE), ("two", TWO)]
        .map(|(name, mac)| {
            format!("[[node]]\nname = '{name}'\nmac = '{mac}'\naddress = '{}'\n", address(mac))
        })
        .concat();
    Arc::new(
        config::parse(&[(
            "test".into(),
            format!(
                "[network]\nmode = '{mode}'\n[dhcp]\nprobe = false\n[assets]\nverify = 'unsigned-ok'\n{nodes}"
            ),
        )])
        .unwrap(),
    )
}

/// Made once: it reads every signing key.
pub(super) fn catalog() -> Arc<Catalog> {
    static CATALOG: LazyLock<Arc<Catalog>> = LazyLock::new(make_catalog);
    CATALOG.clone()
}

pub(super) fn make_catalog() -> Arc<Catalog> {
    let coreos = |name: &str| found(&format!("coreos/1010.5.0/coreos_production_{name}"), None);
    let mut files =
        ["pxe.vmlinuz", "pxe_image.cpio.gz", "image.bin.bz2", "image.bin.bz2.sig"].map(coreos).to_vec();
    files.push(found("cloud-configs/default.yml.j2", Some("#cloud-config\nhostname: {{ node.name }}\n")));
    let loaders = Folder::new("loaders".into(), [found("pxelinux.0", None), found("snponly.efi", None)]);
    Arc::new(Catalog::new(vec![Folder::new("assets".into(), files)], loaders, None).all_good())
}

pub(super) fn found(name: &str, text: Option<&str>) -> Found {
    let (path, stamp) = (PathBuf::from(name), Stamp::default());
    let name = name.split('/').map(str::to_owned).collect();
    let content = text.map_or(Content::Unread, |text| Content::Text(text.into()));
    Found { name, path, len: 1000, stamp, content }
}

/// Whom an order means that names these nodes, or all, or nobody.
pub(super) fn whom(all: bool, nodes: &[&str]) -> Whom {
    match (nodes, all) {
        ([], false) => Whom::NotInstalled,
        ([], true) => Whom::All,
        (nodes, _) => Whom::Named(nodes.iter().map(|node| (*node).to_owned()).collect()),
    }
}

/// A report that says the least.
pub(super) fn report_of(stage: Stage, ok: bool, message: &str) -> Report {
    Report { stage, ok, message: message.into(), log: String::new(), cause: None, machine: None }
}
