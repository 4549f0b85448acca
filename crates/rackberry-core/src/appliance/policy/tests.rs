//! What each decider says, of parts that were made for it.

use std::{collections::BTreeMap, net::Ipv4Addr, sync::Arc};

use dhcproto::v4::{DhcpOption, Message, MessageType};
use dhcproto::{Encodable, Encoder};

use super::*;
use crate::{
    appliance::{
        Arm, Reaction, Refusal, Whom,
        decision::{BootChoice, Decision, SpeaksFor},
        state::{Condition, Machines, NetworkState, Setup},
    },
    assets::{
        catalog::Catalog,
        folder::{Content, Folder, Found, Stamp},
    },
    config, dhcp,
    ids::{Loader, Mac, Source, Time},
    orders::Scope,
};

const ONE: Mac = Mac([2, 0, 0, 0, 0, 1]);
const TWO: Mac = Mac([2, 0, 0, 0, 0, 2]);
const FROM: Ipv4Addr = Ipv4Addr::new(10, 10, 10, 50);
const BIOS: &str = "PXEClient:Arch:00000:UNDI:002001";
const UEFI: &str = "PXEClient:Arch:00007:UNDI:003000";

/// The parts: a rack with a listed node and every file of a system.
struct Parts {
    setup: Setup,
    machines: Machines,
    network: NetworkState,
    condition: Condition,
}

impl Parts {
    fn new() -> Parts {
        let text = format!(
            "[network]\nmode = 'full'\n[install]\nunknown_nodes = 'ignore'\n[assets]\nverify = 'unsigned-ok'\n\
             [[node]]\nname = 'one'\nmac = '{ONE}'\n[[node]]\nname = 'two'\nmac = '{TWO}'\n"
        );
        let settings = Arc::new(config::parse(&[("test".into(), text)]).unwrap());
        let found = |name: &str| Found {
            name: name.split('/').map(str::to_owned).collect(),
            path: name.into(),
            len: 1000,
            stamp: Stamp::default(),
            content: Content::Unread,
        };
        let files = ["pxe.vmlinuz", "pxe_image.cpio.gz", "image.bin.bz2", "image.bin.bz2.sig"]
            .map(|name| found(&format!("coreos/1010.5.0/coreos_production_{name}")));
        let loaders = Folder::new("loaders".into(), ["lpxelinux.0", "grubx64.efi"].map(found));
        let catalog = Catalog::new(vec![Folder::new("assets".into(), files)], loaders, None).all_good();
        let setup = Setup::new(settings.clone(), Arc::new(catalog));
        let mut machines = Machines::new([7; 32]);
        machines.set_configured(&setup, &mut Reaction::at(Time(1)));
        Parts {
            setup,
            machines,
            network: NetworkState::new(&settings, Vec::new()),
            condition: Condition::default(),
        }
    }

    fn known(&self) -> Known<'_> {
        let Parts { setup, machines, network, condition } = self;
        Known { setup, machines, network, condition, now: Time(2000) }
    }

    fn arm(&mut self, whom: Whom) -> Result<(), Refusal> {
        let plan = Arming::new(self.known(), &BTreeMap::new()).plan(&Arm::install(whom))?;
        self.machines.arm(&plan, Source::Socket, &mut Reaction::at(Time(2000)));
        Ok(())
    }

    /// Firmware of this class starts, and what it is told.
    fn start(&mut self, mac: Mac, class: &str) -> BootChoice {
        let (client, mut out) = (client(mac, class), Reaction::at(Time(2000)));
        let speaks = BootPolicy::new(self.known()).speaks_for(mac);
        self.machines.starts(&client, speaks, &mut out);
        let decision = BootPolicy::new(self.known()).decide(mac);
        self.machines.settle_start(mac, speaks, decision, &mut out);
        BootPolicy::new(self.known()).choose(&client)
    }
}

fn client(mac: Mac, class: &str) -> dhcp::Client {
    let none = Ipv4Addr::UNSPECIFIED;
    let mut message = Message::new_with_id(7, none, none, none, none, &mac.0);
    message.opts_mut().insert(DhcpOption::MessageType(MessageType::Discover));
    message.opts_mut().insert(DhcpOption::ClassIdentifier(class.as_bytes().to_vec()));
    let mut bytes = Vec::new();
    message.encode(&mut Encoder::new(&mut bytes)).unwrap();
    dhcp::Client::of(&dhcp::Packet::decode(&bytes).unwrap())
}

fn load(file: &str, loader: Loader) -> BootChoice {
    BootChoice::Load { file: file.into(), loader: Some(loader) }
}

#[test]
fn disarmed_a_bios_is_told_nothing_and_uefi_its_menus_loader() {
    let mut parts = Parts::new();
    assert_eq!(parts.start(ONE, BIOS), BootChoice::Nothing);
    assert_eq!(parts.start(ONE, UEFI), load("grubx64.efi", Loader::Grub));
    assert!(matches!(BootPolicy::new(parts.known()).decide(ONE), Decision::Disk(_)));
}

#[test]
fn armed_a_start_leads_into_the_installer_and_is_told_what_suits_it() {
    let mut parts = Parts::new();
    parts.arm(Whom::Named(vec!["one".into()])).unwrap();
    assert!(matches!(BootPolicy::new(parts.known()).decide(ONE), Decision::Lead(_)));
    assert!(matches!(BootPolicy::new(parts.known()).decide(TWO), Decision::Disk(_)), "it is not named");
    assert_eq!(BootPolicy::new(parts.known()).speaks_for(ONE), SpeaksFor::ItsMachine);
    assert_eq!(parts.start(ONE, BIOS), load("lpxelinux.0", Loader::Lpxelinux));
    assert_eq!(parts.start(TWO, BIOS), BootChoice::Nothing);
}

#[test]
fn nobody_is_led_while_the_state_cannot_be_kept() {
    let mut parts = Parts::new();
    parts.arm(Whom::All).unwrap();
    parts.condition.journal_fails(Some("the disk is full".into()));
    let decision = BootPolicy::new(parts.known()).decide(ONE);
    assert!(matches!(&decision, Decision::Refused(why) if why.contains("the disk is full")), "{decision:?}");
}

#[test]
fn the_gate_lets_pass_who_is_granted_by_its_own_grant_only() {
    let mut parts = Parts::new();
    let gate = |parts: &Parts, node| {
        let gate = Gate::new(parts.known());
        let who = KnownRequester { address: FROM, node, card: node };
        gate.authorize(who, "an image")
    };
    assert!(
        matches!(gate(&parts, None), Err(Refusal::Forbidden(why)) if why.contains("no machine holds a lease"))
    );
    assert!(matches!(gate(&parts, Some(ONE)), Err(Refusal::Forbidden(why)) if why.contains("never asked")));
    parts.arm(Whom::All).unwrap();
    parts.start(ONE, BIOS);
    assert_eq!(gate(&parts, Some(ONE)), Ok(ONE));
    let gate = Gate::new(parts.known());
    let who = KnownRequester { address: FROM, node: Some(ONE), card: None };
    let token = gate.grant(who).map(|grant| grant.token.clone()).unwrap();
    assert_eq!(gate.by_grant(FROM, &token), who);
    assert_eq!(gate.require_grant(who, Some(&token)), Ok(()));
    assert!(gate.require_grant(who, Some("other")).is_err() && gate.require_same_node(who, TWO).is_err());
    assert_eq!(gate.require_same_node(who, ONE), Ok(()));
}

#[test]
fn a_file_of_another_node_is_not_handed_out_by_any_spelling_of_its_name() {
    let parts = Parts::new();
    let gate = Gate::new(parts.known());
    let path = |name: &str| [name.to_owned()];
    for own in ["one.yml", "default.yml", "shared.txt", "02-00-00-00-00-01.yml"] {
        assert_eq!(gate.allow_config_file(ONE, &path(own)), Ok(()), "{own}");
    }
    for others in ["two.yml", "TWO.yml.j2", "02-00-00-00-00-02.yml", "020000000002.ign"] {
        assert!(gate.allow_config_file(ONE, &path(others)).is_err(), "{others}");
    }
}

#[test]
fn an_order_names_what_it_means_or_is_refused() {
    let parts = Parts::new();
    let faults = BTreeMap::from([(TWO, "no configuration".to_owned())]);
    let arming = Arming::new(parts.known(), &faults);
    let named = |name: &str| arming.plan(&Arm::install(Whom::Named(vec![name.into()])));
    assert_eq!(named("one").map(|plan| plan.scope), Ok(Scope::Named([ONE].into())));
    assert!(matches!(named("nobody"), Err(Refusal::NotFound(_))));
    assert!(matches!(named("two"), Err(Refusal::Conflict(why)) if why.contains("two: no configuration")));
}
