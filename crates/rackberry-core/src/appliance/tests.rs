//! Whole installs as events at stated times, and what no order of events may lead to.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddrV4},
    sync::Arc,
    time::Duration,
};

use dhcproto::{
    Decodable, Decoder, Encodable, Encoder,
    v4::{DhcpOption, Message, MessageType},
};
use proptest::prelude::*;

use super::*;
use crate::{
    assets::{
        catalog::Catalog,
        folder::{Folder, Found},
    },
    config, dhcp,
    http::route,
    ids::{Mac, Source, Stage},
};

mod beside;
mod captures;
mod causes;
mod files;
mod histories;
mod pi;
mod search;
mod switch;
mod world;

use beside::{pxe, told};
use world::*;

#[test]
fn an_install_is_begun_once_and_told_to_its_end() {
    let mut world = World::new();
    world.arm(false, &[]);
    world.install(ONE);
    let node = world.node(ONE);
    assert_eq!((node.stage, node.writes, node.granted), (Stage::Installed, 1, false));
    // Still armed, and the network still comes first.
    world.start(ONE, true);
    assert!(!world.menu_installs(ONE));
    assert!(!is_given(&world.get(ONE, IMAGE)));
    assert_eq!(world.node(ONE).writes, 1);
}

#[test]
fn who_is_named_installs_again_and_nobody_else() {
    let mut world = World::new();
    world.arm(false, &[]);
    world.install(ONE);
    world.install(TWO);
    world.wait(Duration::from_secs(3600));
    world.arm(false, &["one"]);
    world.start(TWO, true);
    assert!(!world.menu_installs(TWO));
    world.install(ONE);
    assert_eq!((world.node(ONE).writes, world.node(TWO).writes), (2, 1));
}

#[test]
fn a_grant_that_was_left_over_begins_nothing_under_the_next_arming() {
    let mut world = World::new();
    world.arm(false, &[]);
    world.start(ONE, true);
    world.fetch(ONE, "/pxelinux.0");
    assert_eq!(world.node(ONE).stage, Stage::Loading);
    // Its install counts as running, so the end of the arming leaves it its grant; then it is switched off.
    world.wait(Duration::from_secs(601));
    assert!(!world.is_armed());
    world.arm(false, &["two"]);
    world.start(ONE, true);
    assert!(!world.menu_installs(ONE));
    assert!(!is_given(&world.get(ONE, CONFIG)) && !is_given(&world.get(ONE, IMAGE)));
    assert_eq!(world.node(ONE).writes, 0);
    // By an arming that means it, it installs.
    world.arm(false, &["one"]);
    world.install(ONE);
}

#[test]
fn a_restart_disarms_and_what_had_not_begun_does_not_begin() {
    let mut world = World::new();
    world.arm(false, &[]);
    world.start(ONE, true);
    world.start(TWO, true);
    world.fetch(TWO, "/pxelinux.0");
    world.fetch(TWO, "/coreos/1010.5.0/coreos_production_pxe.vmlinuz");
    world.fetch(TWO, "/coreos/1010.5.0/coreos_production_pxe_image.cpio.gz");
    world.restart();
    assert!(!world.is_armed());
    assert_eq!((world.node(ONE).stage, world.node(ONE).granted), (Stage::Idle, false));
    assert!(!world.menu_installs(ONE) && !is_given(&world.get(ONE, IMAGE)));
    assert!(!is_given(&world.get(TWO, IMAGE)), "nothing was overwritten, and nobody is armed");
    world.arm(false, &["two"]);
    world.start(ONE, true);
    assert!(!world.menu_installs(ONE));
}

#[test]
fn a_state_that_cannot_be_kept_disarms() {
    let mut world = World::new();
    world.arm(false, &[]);
    drop(world.appliance.restore(Stored::default(), world.now));
    assert!(!world.is_armed());
}

#[test]
fn a_node_speaks_and_asks_for_itself_only() {
    let mut world = World::new();
    world.arm(false, &[]);
    world.start(ONE, true);
    world.start(TWO, true);
    let forbidden = |answer| matches!(answer, Answer::Refused(Refusal::Forbidden(_)));
    assert!(forbidden(world.get(ONE, &format!("/cloud-configs/{TWO}.yml"))));
    assert!(is_given(&world.get(ONE, &format!("/cloud-configs/{ONE}.yml"))));
    let report = report_of(Stage::Installed, true, "");
    assert!(forbidden(world.ask(Ask::Report { from: at(address(ONE)), grant: None, mac: TWO, report })));
    // Nobody holds this lease.
    assert!(forbidden(world.get_from(Ipv4Addr::new(10, 10, 10, 77), IMAGE)));
}

#[test]
fn a_menu_names_the_grant_and_is_good_for_nothing_when_that_is_over() {
    let mut world = World::new();
    world.arm(false, &[]);
    world.start(ONE, true);
    let Answer::Text { body: menu, .. } = world.get(ONE, MENU) else { panic!("no menu") };
    let (_, rest) = menu.split_once("http://10.10.10.1/g/").expect("a script's URL with the grant");
    let token = rest.split('/').next().unwrap();
    assert!(
        menu.contains(&format!("KERNEL g/{token}/coreos/1010.5.0/coreos_production_pxe.vmlinuz")),
        "{menu}"
    );
    // Through a proxy: the grant says who asks, not the address.
    let proxy = Ipv4Addr::new(10, 10, 10, 99);
    let Answer::Text { body: script, .. } = world.get_from(proxy, &format!("/g/{token}/profile/install.sh"))
    else {
        panic!("no script")
    };
    assert!(script.contains(&format!("server='http://10.10.10.1/g/{token}'")), "{script}");
    let config = world.get_from(proxy, &format!("/g/{token}/cloud-config/{ONE}"));
    assert!(
        matches!(&config, Answer::Text { body, .. } if body == "#cloud-config\nhostname: one\n"),
        "{config:?}"
    );
    // One node's grant opens nothing of another's.
    world.start(TWO, true);
    let others = world.get_from(address(TWO), &format!("/g/{token}/cloud-config/{TWO}"));
    assert!(matches!(others, Answer::Refused(Refusal::Forbidden(_))));
    world.order(Command::Disarm);
    for path in ["profile/install.sh", "coreos/1010.5.0/coreos_production_pxe.vmlinuz", &IMAGE[1..]] {
        let answer = world.get_from(address(ONE), &format!("/g/{token}/{path}"));
        assert!(matches!(answer, Answer::Refused(Refusal::Forbidden(_))), "{path}: {answer:?}");
    }
    assert_eq!(world.node(ONE).writes, 0);
}

#[test]
fn an_installer_that_has_its_image_already_asks_for_leave() {
    let mut world = World::new();
    let asks = |world: &mut World| world.report(ONE, Stage::Installing, true);
    world.start(ONE, true);
    assert!(matches!(asks(&mut world), Answer::Refused(Refusal::Forbidden(_))));
    world.arm(false, &[]);
    world.start(ONE, true);
    assert!(matches!(asks(&mut world), Answer::Done(_)));
    assert_eq!((world.node(ONE).stage, world.node(ONE).writes), (Stage::Installing, 1));
    world.start(ONE, true);
    assert!(!world.menu_installs(ONE), "its grant is spent");
}

#[test]
fn templates_and_keys_are_no_files_of_the_tree() {
    let mut world = World::new();
    world.arm(false, &[]);
    world.start(ONE, true);
    for path in ["/cloud-configs/default.yml.j2", "/keys/demo.asc"] {
        let target = route::parse(path, None);
        let Ok(target) = target else { continue };
        let ask = Ask::Fetch { from: at(address(ONE)), via: Via::Http, extent: Extent::Whole, target };
        assert!(matches!(world.ask(ask), Answer::Refused(Refusal::NotFound(_))), "{path}");
    }
}

#[derive(Debug, Clone)]
enum Step {
    Arm { all: bool, named: Option<Mac> },
    Disarm,
    Wait(u64),
    Restart,
    Start(Mac, bool),
    Fetch(Mac, &'static str),
    Report(Mac, Stage, bool),
}

fn step() -> impl Strategy<Value = Step> {
    let mac = || prop_oneof![Just(ONE), Just(TWO)];
    let path = prop_oneof![
        Just("/pxelinux.0"),
        Just("/coreos/1010.5.0/coreos_production_pxe.vmlinuz"),
        Just("/coreos/1010.5.0/coreos_production_pxe_image.cpio.gz"),
        Just(CONFIG),
        Just(IMAGE),
        Just(IMAGE),
    ];
    let stage = prop_oneof![Just(Stage::Installing), Just(Stage::Written), Just(Stage::Installed)];
    prop_oneof![
        2 => (any::<bool>(), prop::option::of(mac())).prop_map(|(all, named)| Step::Arm { all, named }),
        1 => Just(Step::Disarm),
        2 => (1u64..900).prop_map(Step::Wait),
        1 => Just(Step::Restart),
        6 => (mac(), any::<bool>()).prop_map(|(mac, boots)| Step::Start(mac, boots)),
        9 => (mac(), path).prop_map(|(mac, path)| Step::Fetch(mac, path)),
        2 => (mac(), stage, any::<bool>()).prop_map(|(mac, stage, ok)| Step::Report(mac, stage, ok)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// Whatever happens, in whatever order: a disk is overwritten at most once for each arming that takes its
    /// node in, and an install begins only while such an arming is open or where it had begun under it.
    #[test]
    fn no_disk_is_written_unasked(steps in prop::collection::vec(step(), 0..60)) {
        let mut world = World::new();
        let mut asked = BTreeMap::from([(ONE, 0), (TWO, 0)]);
        for step in steps {
            match step {
                Step::Arm { all, named } => {
                    let installed = [ONE, TWO].map(|mac| (mac, world.node(mac).installed.is_some()));
                    let name = named.map(|mac| if mac == ONE { "one" } else { "two" });
                    let answer = world.arm(all && named.is_none(), name.as_slice());
                    let Answer::Done(_) = answer else { continue };
                    for (mac, installed) in installed {
                        let meant = named == Some(mac) || (named.is_none() && (all || !installed));
                        // An open window may take in a node later that is wiped by a failed install.
                        let later = named.is_none() && !meant;
                        *asked.get_mut(&mac).unwrap() += u32::from(meant || later);
                    }
                }
                Step::Disarm => drop(world.order(Command::Disarm)),
                Step::Wait(seconds) => world.wait(Duration::from_secs(seconds)),
                Step::Restart => world.restart(),
                Step::Start(mac, boots) => world.start(mac, boots),
                Step::Fetch(mac, path) => {
                    let (before, armed) = (world.node(mac), world.is_armed());
                    let answer = world.fetch(mac, path);
                    if path == IMAGE && is_given(&answer) {
                        prop_assert!(armed || before.stage.is_running(), "{before:?}");
                        prop_assert!(before.granted);
                    }
                }
                Step::Report(mac, stage, ok) => drop(world.report(mac, stage, ok)),
            }
            for (mac, times) in &asked {
                prop_assert!(world.node(*mac).writes <= *times);
            }
        }
    }
}

/// Firmware that nothing here is for is told of once, with what helps, and gets an address as everybody does.
#[test]
fn firmware_without_a_loader_is_refused_in_words() {
    let mut world = World::new();
    world.arm(false, &[]);
    let ia32 = pxe(ONE, MessageType::Discover, "PXEClient:Arch:00006:UNDI:003000", &[]);
    let mut said = Vec::new();
    for _ in 0..3 {
        let outcome = world.appliance.packet(&ia32, world.now);
        said.extend(outcome.effects.iter().filter_map(|effect| match effect {
            Effect::Note(note @ Note::NotGranted { .. }) => Some(note.to_string()),
            _ => None,
        }));
        world.take(outcome);
    }
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("32-bit UEFI") && said[0].contains("switch BIOS boot on"), "{said:?}");
    assert!(world.node(ONE).diagnosis.is_some_and(|why| why.contains("32-bit UEFI")));
}

/// Without the files of its loaders a machine is not led, and log, `node show` and status say why.
#[test]
fn missing_loader_files_are_told_of() {
    use crate::assets::folder::Folder;
    let assets = Folder::new("assets".into(), catalog().files().cloned().collect::<Vec<_>>());
    let with_loaders = |names: &[&str]| {
        let loaders = Folder::new("loaders".into(), names.iter().map(|name| found(name, None)));
        let catalog = Catalog::new(vec![assets.clone()], loaders, Some(&catalog()));
        World::with(settings(), Arc::new(catalog.all_good()))
    };
    for names in [&[][..], &["grubx64.efi"], &["ldlinux.c32"]] {
        let mut world = with_loaders(names);
        world.arm(false, &[]);
        let outcome = world
            .appliance
            .packet(&pxe(ONE, MessageType::Discover, "PXEClient:Arch:00000:UNDI:002001", &[]), world.now);
        let said: Vec<String> = outcome
            .effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::Note(note @ Note::NotGranted { .. }) => Some(note.to_string()),
                _ => None,
            })
            .collect();
        assert!(
            said.len() == 1 && said[0].contains("no boot loader for its firmware"),
            "{names:?}: {said:?}"
        );
        world.take(outcome);
        let node = world.node(ONE);
        assert_eq!(node.next_boot.leads_to, LeadsTo::Refused, "{names:?}");
        assert!(node.diagnosis.is_some_and(|why| why.contains("no boot loader")), "{names:?}");
        let warned =
            world.appliance.status(world.now).warnings.iter().any(|it| it.contains("holds no boot loader"));
        assert_eq!(warned, names.is_empty(), "{names:?}");
    }
    let mut world = with_loaders(&["undionly.kpxe"]);
    world.arm(false, &[]);
    world.start(ONE, true);
    assert_eq!(world.node(ONE).next_boot.leads_to, LeadsTo::Install);
}

/// Nothing happens, and yet there is news: a silence that lasts is looked for, and told.
#[test]
fn a_node_that_falls_silent_is_told_of_with_what_helps() {
    let mut world = World::new();
    world.arm(false, &[]);
    world.start(ONE, true);
    assert_eq!(world.node(ONE).diagnosis, None);
    let deadline = world.appliance.deadline().expect("somebody is to be looked at");
    assert!(deadline <= world.now + Duration::from_secs(5));
    world.wait(Duration::from_secs(25));
    let why = world.node(ONE).diagnosis.expect("it is stuck");
    assert!(why.contains("spanning tree"), "{why}");
    world.fetch(ONE, "/pxelinux.0");
    assert_eq!(world.node(ONE).diagnosis, None, "it gets on");
    // It has its menu and its kernel, and starts again and again without them: that is another thing.
    for _ in 0..2 {
        world.start(ONE, true);
        world.fetch(ONE, "/pxelinux.0");
    }
    assert!(world.node(ONE).diagnosis.expect("it is stuck").contains("starts over"));
    world.menu_installs(ONE);
    assert_eq!(world.node(ONE).diagnosis, None);
    world.order(Command::Disarm);
    world.wait(Duration::from_secs(1000));
    assert_eq!(world.node(ONE).diagnosis, None, "who may not install is not stuck");
}

/// Who is armed is woken: by name, or everybody who may install and is not installed yet.
#[test]
fn those_who_are_armed_are_woken_and_nobody_else() {
    let mut world = World::new();
    world.arm(false, &["one"]);
    world.install(ONE);
    world.order(Command::Disarm);
    world.wait(Duration::from_secs(3600));
    let mut woken = |command| {
        let ask = Ask::Command { source: Source::Socket, command };
        let outcome = world.appliance.ask(ReplyId(1), ask, world.now);
        let calls = outcome.effects.iter().filter_map(|effect| match effect {
            Effect::Dhcp(dhcp::Action::Wake(mac)) => Some(*mac),
            _ => None,
        });
        calls.collect::<Vec<Mac>>()
    };
    let arm =
        |nodes: &[&str], all| Command::Arm(Arm { power: Power::Wake, ..Arm::install(whom(all, nodes)) });
    assert_eq!(woken(arm(&[], false)), [TWO], "one is installed");
    assert_eq!(woken(Command::Disarm), []);
    assert_eq!(woken(arm(&["one"], false)), [ONE]);
    assert_eq!(woken(Command::Disarm), []);
    assert_eq!(woken(arm(&[], true)), [ONE, TWO]);
    assert_eq!(woken(arm(&["nobody"], false)), [], "refused");
    assert_eq!(woken(Command::Wake("one".into())), [ONE]);
    assert_eq!(woken(Command::Wake("02:00:00:00:00:99".into())), [], "nothing is known of it");
}
