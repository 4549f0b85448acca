//! A rack in one process: the appliance, the journal beneath it, and machines that are a few lines each. Time passes when the
//! test says so.

#[path = "../../crates/rackberry-core/tests/support/signed.rs"]
mod signed;

use std::{
    net::{Ipv4Addr, SocketAddrV4},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rackberry::storage::journal::{Journal, Opened};
use rackberry_core::{
    appliance::{
        Answer, Appliance, Arm, Ask, Command, Effect, Extent, Outcome, Progress, ReplyId, Report, Requester,
        TransferEnd, Via, Whom,
    },
    assets::{
        catalog::Catalog,
        folder::{Content, Folder, Found, Stamp},
    },
    config::{self, Settings},
    dhcp::{Action, Packet, Sender},
    http::route,
    ids::{Mac, Source, Stage, Time},
    orders::Repeat,
};
use signed::all_good;

pub const DISCOVER: u8 = 1;
pub const REQUEST: u8 = 3;
pub const ACK: u8 = 5;
const HERE: [u8; 4] = [10, 10, 0, 1];
const SYSTEM: &str = "coreos/1010.5.0/coreos_production_";

/// The appliance and its journal.
pub struct Rack {
    pub appliance: Appliance,
    journal: Option<Journal>,
    folder: PathBuf,
    settings: Arc<Settings>,
    /// Without the USB disk, and with it.
    catalogs: [Arc<Catalog>; 2],
    /// What the service's own clock shows.
    pub now: Time,
}

/// A reply of the DHCP server.
pub struct Reply {
    pub kind: u8,
    pub address: Ipv4Addr,
    /// What to boot.
    pub file: String,
}

impl Rack {
    /// A rack of so many nodes, each second one in the configuration.
    pub fn new(folder: &Path, nodes: u16, now: Time) -> Rack {
        let mut text = "[network]\naddress = '10.10.0.1/16'\nmode = 'full'\n[dhcp]\nprobe = false\n\
                        pool = '10.10.16.0 - 10.10.16.255'\n"
            .to_owned();
        for number in (0..nodes).step_by(2) {
            text += &format!("[[node]]\nname = 'n{number}'\nmac = '{}'\n", mac(number));
        }
        let settings = Arc::new(config::parse(&[("test".into(), text)]).expect("a configuration"));
        let catalogs = [false, true].map(|has_disk| Arc::new(catalog(has_disk)));
        let (appliance, journal) = opened(folder, &settings, &catalogs[1], &mut { now });
        let mut rack =
            Rack { appliance, journal: Some(journal), folder: folder.into(), settings, catalogs, now };
        let started = rack.appliance.started();
        rack.act(started);
        rack
    }

    /// The service starts anew, and the wall clock shows `wall`: the journal's last moment counts where that is later.
    pub fn restart(&mut self, wall: Time) {
        self.journal = None;
        self.now = wall;
        let (appliance, journal) = opened(&self.folder, &self.settings, &self.catalogs[1], &mut self.now);
        (self.appliance, self.journal) = (appliance, Some(journal));
        let started = self.appliance.started();
        self.act(started);
    }

    /// Time passes, and whatever is due in it happens.
    pub fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        let mut ticks = 0;
        while let Some(deadline) = self.appliance.deadline().filter(|deadline| *deadline <= end) {
            self.now = self.now.max(deadline);
            let outcome = self.appliance.tick(self.now);
            self.act(outcome);
            ticks += 1;
            assert!(ticks < 10_000, "something is due for ever");
        }
        self.now = end;
    }

    /// The USB disk is plugged in, or pulled.
    pub fn plug(&mut self, is_in: bool) {
        self.appliance.restock(self.catalogs[usize::from(is_in)].clone(), self.now);
    }

    /// How often each disk was overwritten.
    pub fn writes(&mut self) -> Vec<(Mac, u32)> {
        let views = self.appliance.look(self.now);
        views.iter().map(|(mac, view)| (*mac, view.view.writes)).collect()
    }

    /// How far a node is.
    pub fn stage(&mut self, number: u16) -> Option<Stage> {
        Some(self.appliance.look(self.now).get(&mac(number))?.view.stage)
    }

    /// As the owner does: what has changed is on the disk before anything happens.
    fn act(&mut self, outcome: Outcome) -> Vec<Effect> {
        if !outcome.changes.is_empty() {
            let journal = self.journal.as_mut().expect("it is open");
            journal.commit(&outcome.changes, self.now).expect("it can be written");
        }
        outcome.effects
    }

    pub fn ask(&mut self, ask: Ask) -> Answer {
        let outcome = self.appliance.ask(ReplyId(1), ask, self.now);
        let effects = self.act(outcome);
        self.pass(Duration::from_millis(20));
        let answer = effects.into_iter().find_map(|effect| match effect {
            Effect::Answer(_, answer) => Some(answer),
            _ => None,
        });
        answer.expect("an answer")
    }

    /// This node may install once more.
    pub fn arm(&mut self, number: u16) -> Answer {
        let arm = Arm { repeat: Repeat::Again, ..Arm::install(Whom::Named(vec![mac(number).to_string()])) };
        self.ask(Ask::Command { source: Source::Socket, command: Command::Arm(arm) })
    }

    /// A DHCP message of a machine, and what is answered.
    pub fn say(&mut self, mac: Mac, kind: u8, options: &[&[u8]], own: Option<Ipv4Addr>) -> Option<Reply> {
        let own = own.unwrap_or(Ipv4Addr::UNSPECIFIED);
        let mut bytes = vec![1, 1, 6, 0, 0, 0, 0, 7, 0, 0, 0, 0];
        bytes.extend(own.octets());
        bytes.resize(28, 0);
        bytes.extend(mac.0);
        bytes.resize(236, 0);
        bytes.extend([99, 130, 83, 99, 53, 1, kind]);
        options.iter().for_each(|option| bytes.extend(*option));
        bytes.push(255);
        bytes.resize(bytes.len().max(300), 0);
        let sender = Sender { mac, address: SocketAddrV4::new(own, 68) };
        let packet = Packet::read(&bytes, sender).expect("a packet");
        let outcome = self.appliance.packet(&packet, self.now);
        let effects = self.act(outcome);
        self.pass(Duration::from_millis(5));
        let sent = effects.into_iter().find_map(|effect| match effect {
            Effect::Dhcp(Action::Send(reply)) => Some(reply.payload),
            _ => None,
        })?;
        let address: [u8; 4] = sent[16..20].try_into().expect("four");
        let name = sent[108..236].split(|byte| *byte == 0).next().unwrap_or_default();
        let file = String::from_utf8_lossy(name).into_owned();
        Some(Reply { kind: sent[242], address: address.into(), file })
    }

    /// DISCOVER to ACK.
    pub fn lease(&mut self, mac: Mac, class: &[&[u8]]) -> Option<Reply> {
        let offer = self.say(mac, DISCOVER, class, None)?;
        let wanted = [&[50, 4][..], &offer.address.octets()].concat();
        let server = [&[54, 4][..], &HERE].concat();
        let options = [&[&wanted[..], &server[..]], class].concat();
        self.say(mac, REQUEST, &options, None)
    }

    /// A request by HTTP from a machine with this lease.
    pub fn get(&mut self, number: u16, address: Ipv4Addr, path: &str) -> Answer {
        let target = route::parse(path, None).unwrap_or_else(|error| panic!("{path}: {error}"));
        let from = Requester { address, hardware: Some(mac(number)) };
        self.ask(Ask::Fetch { from, via: Via::Http, extent: Extent::Whole, target })
    }

    /// A file of it, as far as `sent` of its 1000 bytes; false where it is not given.
    fn file(&mut self, number: u16, address: Ipv4Addr, path: &str, sent: u64) -> bool {
        let Answer::File { transfer, .. } = self.get(number, address, path) else { return false };
        if let Some(transfer) = transfer {
            let end = Some(if sent == 1000 { TransferEnd::Complete } else { TransferEnd::Cut });
            for (sent, end) in [(sent / 2, None), (sent, end)] {
                self.pass(Duration::from_secs(1));
                let progress = Progress { transfer, total: 1000, start: 0, sent, end };
                let outcome = self.appliance.progress(progress, self.now);
                self.act(outcome);
            }
        }
        true
    }

    pub fn report(&mut self, number: u16, address: Ipv4Addr, grant: Option<&str>, stage: Stage) -> Answer {
        let report = Report {
            stage,
            ok: true,
            message: String::new(),
            log: "a line of its log\n".repeat(100),
            cause: None,
            machine: None,
        };
        let from = Requester { address, hardware: Some(mac(number)) };
        self.ask(Ask::Report { from, grant: grant.map(str::to_owned), mac: mac(number), report })
    }

    /// A start of firmware; the lease, and the grant's token if it is led into its installer.
    pub fn boot(&mut self, number: u16) -> (Ipv4Addr, Option<String>) {
        let class = [&b"\x3c\x20PXEClient:Arch:00000:UNDI:002001"[..], b"\x5d\x02\0\0"];
        let ack = self.lease(mac(number), &class).expect("a lease");
        assert_eq!(ack.kind, ACK);
        if ack.file.is_empty() || !self.file(number, ack.address, &format!("/{}", ack.file), 1000) {
            return (ack.address, None);
        }
        let menu = format!("/pxelinux.cfg/01-{}", mac(number).to_string().replace(':', "-"));
        let Answer::Text { body, .. } = self.get(number, ack.address, &menu) else { panic!("no menu") };
        let token = body.split("http://10.10.0.1/g/").nth(1).and_then(|rest| rest.split('/').next());
        (ack.address, token.map(str::to_owned))
    }

    /// A start that is to install, as far as that goes: all of it, or until what is sent of the image is cut off. Whether it
    /// was led there, and given the image.
    pub fn install(&mut self, number: u16, sent: u64) -> bool {
        let (address, Some(token)) = self.boot(number) else { return false };
        let path = |name: &str| format!("/g/{token}/{name}");
        for name in ["pxe.vmlinuz", "pxe_image.cpio.gz"] {
            if !self.file(number, address, &path(&format!("{SYSTEM}{name}")), 1000) {
                return false;
            }
        }
        drop(self.get(number, address, &path("cloud-configs/install.sh")));
        drop(self.get(number, address, &path(&format!("cloud-config/{}", mac(number)))));
        if !self.file(number, address, &path(&format!("{SYSTEM}image.bin.bz2")), sent) {
            return false;
        }
        if sent == 1000 {
            let written = self.report(number, address, Some(&token), Stage::Written);
            assert!(matches!(written, Answer::Done(_) | Answer::Text { .. }), "{written:?}");
            self.pass(Duration::from_secs(30));
            assert_eq!(self.lease(mac(number), &[]).expect("a lease").address, address);
            drop(self.report(number, address, None, Stage::Installed));
        }
        true
    }
}

fn opened(
    folder: &Path,
    settings: &Arc<Settings>,
    catalog: &Arc<Catalog>,
    now: &mut Time,
) -> (Appliance, Journal) {
    let Opened { journal, stored, unwritable } = Journal::open(folder, None, 7).expect("a journal");
    assert_eq!((&stored.loss, unwritable), (&None, None));
    *now = (*now).max(stored.time);
    (Appliance::new(settings.clone(), catalog.clone(), stored, [7; 32], *now), journal)
}

pub fn mac(number: u16) -> Mac {
    let [a, b] = number.to_be_bytes();
    Mac([0x52, 0x54, 0, 1, a, b])
}

/// Loaders and configurations; the system is on the USB disk. Every file is as if its maker's signature had been read.
fn catalog(has_disk: bool) -> Catalog {
    let found = |name: &str| Found {
        name: name.split('/').map(str::to_owned).collect(),
        path: PathBuf::from(name),
        len: 1000,
        stamp: Stamp::default(),
        content: Content::Unread,
    };
    let files = ["pxe.vmlinuz", "pxe_image.cpio.gz", "image.bin.bz2", "image.bin.bz2.sig"];
    let disk = files.iter().filter(|_| has_disk).map(|name| found(&format!("{SYSTEM}{name}")));
    let config = Content::Text("#cloud-config\nhostname: {{ node.name }}\n".into());
    let config = Found { content: config, ..found("cloud-configs/default.yml.j2") };
    let folders = vec![Folder::new("assets".into(), [config]), Folder::new("usb".into(), disk)];
    let loaders = Folder::new("loaders".into(), [found("pxelinux.0"), found("lpxelinux.0")]);
    all_good(&Catalog::new(folders, loaders, None))
}
