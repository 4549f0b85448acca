//! Which racks are searched: their machines, configurations and files.

use std::sync::LazyLock;

use super::*;

/// Which machines there are, and by what they install.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rack {
    /// A configured machine with one card; another one is configured, and stays off.
    OneMachine,
    /// One with two cards that is not configured at first, and an identifier.
    TwoCards,
    /// Two machines, one of them with two cards.
    TwoMachines,
    /// Two machines that are not configured and call themselves the same.
    SharedIdentifier,
    /// A machine, and an install script of somebody's own that takes its image from elsewhere.
    OwnScript,
    /// The same with a menu.
    OwnMenu,
    /// The same with a boot loader that never asks for its menu.
    OwnLoader,
    /// The same with a profile: its installer tells what it does, and takes its image from elsewhere.
    OwnProfile,
}

/// A configuration: who is listed, and whether others may install.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Listing {
    /// Nobody is listed, and everybody may install.
    Nobody,
    /// Every machine.
    Everybody,
    /// The cards the other way round, or one machine only, by another name.
    Otherwise,
    /// Nobody is listed, and who is not may not install.
    NobodyAndOthersMayNot,
}

impl Listing {
    pub const ALL: [Listing; 4] =
        [Listing::Nobody, Listing::Everybody, Listing::Otherwise, Listing::NobodyAndOthersMayNot];
}

impl Rack {
    pub const ALL: [Rack; 8] = [
        Rack::OneMachine,
        Rack::OwnScript,
        Rack::OwnMenu,
        Rack::OwnLoader,
        Rack::OwnProfile,
        Rack::TwoCards,
        Rack::TwoMachines,
        Rack::SharedIdentifier,
    ];

    /// What a disk begins to be overwritten by is seen from here: an order is good for one overwrite. Of what else there is
    /// only the number of starts is known.
    pub fn is_seen_to_overwrite(self) -> bool {
        !matches!(self, Rack::OwnLoader | Rack::OwnProfile)
    }

    pub(super) fn machines(self) -> Vec<Machine> {
        match self {
            Rack::TwoCards => vec![Machine::new(&[ONE, THREE], Some(7))],
            Rack::TwoMachines => vec![Machine::new(&[ONE, THREE], Some(7)), Machine::new(&[TWO], None)],
            Rack::SharedIdentifier => vec![Machine::new(&[ONE], Some(7)), Machine::new(&[TWO], Some(7))],
            _ => vec![Machine::new(&[ONE], None)],
        }
    }

    pub(super) fn first_listing(self) -> Listing {
        match self {
            Rack::TwoCards | Rack::TwoMachines | Rack::SharedIdentifier => Listing::Nobody,
            _ => Listing::Everybody,
        }
    }

    /// Made once: reading it takes longer than what it is needed for.
    pub(super) fn settings(self, listing: Listing) -> Arc<config::Settings> {
        type Known = HashMap<(Rack, Listing), Arc<config::Settings>>;
        static MADE: LazyLock<Known> = LazyLock::new(|| {
            let all = Rack::ALL.into_iter().flat_map(|rack| Listing::ALL.map(|listing| (rack, listing)));
            all.map(|(rack, listing)| ((rack, listing), rack.make_settings(listing))).collect()
        });
        MADE[&(self, listing)].clone()
    }

    fn make_settings(self, listing: Listing) -> Arc<config::Settings> {
        let node = |name: &str, macs: &[Mac]| {
            let macs: Vec<String> = macs.iter().map(|mac| format!("'{mac}'")).collect();
            format!("[[node]]\nname = '{name}'\nmacs = [{}]\n", macs.join(", "))
        };
        let nodes = match (self, listing) {
            (_, Listing::Nobody | Listing::NobodyAndOthersMayNot) => String::new(),
            (Rack::TwoCards, Listing::Everybody) => node("one", &[ONE, THREE]),
            (Rack::TwoCards, Listing::Otherwise) => node("one", &[THREE, ONE]),
            (Rack::TwoMachines, Listing::Everybody) => node("one", &[THREE, ONE]) + &node("two", &[TWO]),
            (Rack::TwoMachines, Listing::Otherwise) => node("one", &[THREE]),
            (Rack::SharedIdentifier, Listing::Everybody) => node("one", &[ONE]) + &node("two", &[TWO]),
            (Rack::SharedIdentifier, Listing::Otherwise) => node("two", &[TWO]),
            (Rack::OneMachine, Listing::Everybody) => node("one", &[ONE]) + &node("two", &[TWO]),
            (_, Listing::Everybody) => node("one", &[ONE]),
            (_, Listing::Otherwise) => node("uno", &[THREE, ONE]),
        };
        let unknown = if listing == Listing::NobodyAndOthersMayNot { "ignore" } else { "install" };
        let text = format!(
            "[network]\nmode = 'full'\n[dhcp]\nprobe = false\nlease = '365d'\n[install]\nunknown_nodes = '{unknown}'\n\
             [assets]\nverify = 'unsigned-ok'\n{nodes}"
        );
        Arc::new(config::parse(&[("test".into(), text)]).unwrap())
    }

    /// A system, and for each card a configuration that says whose it is, and a file that lies in its folder.
    pub(super) fn catalog(self) -> Arc<Catalog> {
        let mut own: Vec<Found> = [ONE, TWO, THREE]
            .map(|mac| {
                let text =
                    format!("#cloud-config\nwrite_files: [{{path: /of, content: {}}}]\n", mac.dashed());
                found(&format!("cloud-configs/{mac}.yml"), Some(text.as_str()))
            })
            .to_vec();
        own.extend([ONE, TWO, THREE].map(|mac| found(&format!("cloud-configs/{mac}/key"), None)));
        own.extend(match self {
            Rack::OwnScript => Some(found("cloud-configs/install.sh", Some("#!/bin/sh\n"))),
            Rack::OwnMenu => Some(found("pxelinux.cfg/default", None)),
            Rack::OwnLoader => Some(found("loaders/pxelinux.0", None)),
            Rack::OwnProfile => {
                let text = include_str!("../../../../../../../profiles/coreos/profile.toml");
                Some(found("profiles/coreos/profile.toml", Some(text)))
            }
            _ => None,
        });
        let files =
            catalog().files().filter(|found| found.name[0] != "cloud-configs").cloned().collect::<Vec<_>>();
        let loaders = Folder::new("loaders".into(), [found("pxelinux.0", None)]);
        let folders = vec![Folder::new("own".into(), own), Folder::new("assets".into(), files)];
        Arc::new(Catalog::new(folders, loaders, None).all_good())
    }
}
