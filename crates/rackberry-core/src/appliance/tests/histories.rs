//! Histories that happen at a rack, each of which once led to a disk that was overwritten unasked or twice, to a machine
//! that was forgotten, or to a failure that was shown as a success.

use super::*;
use crate::{
    appliance::{LeadsTo, tests::world::*},
    ids::Cause,
};

/// Not in the configuration.
const THREE: Mac = Mac([0x52, 0x54, 0, 0, 0, 3]);
const FOUR: Mac = Mac([0x52, 0x54, 0, 0, 0, 4]);
const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

fn order(nodes: &[&str], length: u64) -> Command {
    Command::Arm {
        arm_for: Some(Duration::from_secs(length)),
        live: false,
        all: false,
        again: false,
        wake: false,
        nodes: nodes.iter().map(|node| (*node).to_owned()).collect(),
    }
}

fn live(nodes: &[&str]) -> Command {
    let Command::Arm { arm_for, all, again, wake, nodes, .. } = order(nodes, 600) else { unreachable!() };
    Command::Arm { arm_for, live: true, all, again, wake, nodes }
}

fn again(nodes: &[&str]) -> Command {
    let Command::Arm { arm_for, live, all, wake, nodes, .. } = order(nodes, 600) else { unreachable!() };
    Command::Arm { arm_for, live, all, again: true, wake, nodes }
}

fn is_done(answer: &Answer) -> bool {
    matches!(answer, Answer::Done(_))
}

fn is_conflict(answer: &Answer) -> bool {
    matches!(answer, Answer::Refused(Refusal::Conflict(_)))
}

/// Whether a start of the machine by this card leads into the installer; and what every view said of it before.
fn is_led(world: &mut World, mac: Mac, machine: Option<u8>) -> bool {
    let file = world.start_as(mac, true, machine);
    file.is_some() && world.menu_installs(mac)
}

/// A machine that is not in the configuration, installed.
fn install_by(world: &mut World, mac: Mac, machine: u8) {
    assert!(is_led(world, mac, Some(machine)));
    world.install_until_the_image(mac);
    assert!(is_given(&world.fetch(mac, IMAGE)));
    assert!(is_done(&world.report(mac, Stage::Written, true)));
    world.start_as(mac, true, Some(machine));
    world.start(mac, false);
    assert_eq!(world.node(mac).stage, Stage::Installed);
}

// A machine is taken for its card.

#[test]
fn a_second_card_does_not_install_the_machine_again() {
    let mut world = World::new();
    world.arm(false, &[]);
    install_by(&mut world, THREE, 7);
    assert!(!is_led(&mut world, FOUR, Some(7)), "in the same order");
    assert_eq!(world.node(THREE).macs, [THREE, FOUR]);
    world.wait(WEEK);
    world.arm(false, &[]);
    assert!(!is_led(&mut world, FOUR, Some(7)), "when somebody arms for a new machine");
    world.restart();
    world.arm(false, &[]);
    assert!(!is_led(&mut world, FOUR, Some(7)), "after a restart of the service");
    assert!(!is_given(&world.get(FOUR, IMAGE)) && !is_given(&world.get(FOUR, CONFIG)));
    assert_eq!(world.node(THREE).writes, 1);
}

#[test]
fn a_machine_that_was_never_installed_may_start_by_either_card() {
    let mut world = World::new();
    world.start_as(THREE, true, Some(7));
    world.wait(WEEK);
    world.arm(false, &[]);
    install_by(&mut world, FOUR, 7);
    assert!(!is_led(&mut world, THREE, Some(7)));
    // One that begins by one card, and is heard by the other only, goes on by that.
    let mut world = World::new();
    world.arm(false, &[]);
    assert!(is_led(&mut world, THREE, Some(7)));
    assert!(!is_led(&mut world, FOUR, Some(7)), "the first may still be at work");
    world.wait(Duration::from_secs(40));
    install_by(&mut world, FOUR, 7);
    assert_eq!(world.node(THREE).writes, 1);
}

#[test]
fn a_card_that_calls_itself_a_configured_machine_gets_nothing_of_it() {
    let mut world = World::new();
    world.start_as(ONE, true, Some(7));
    world.arm(false, &["one"]);
    assert!(!is_led(&mut world, THREE, Some(7)));
    let own = format!("/cloud-configs/{ONE}.yml");
    assert!(!is_given(&world.get(THREE, &own)) && !is_given(&world.get(THREE, IMAGE)));
    assert!(is_led(&mut world, ONE, Some(7)), "that machine itself installs");
    assert!(!is_given(&world.get(THREE, &own)) && !is_given(&world.get(THREE, IMAGE)));
    assert!(is_given(&world.get(ONE, &own)));
    let why = world.node(ONE).macs;
    assert_eq!(why, [ONE, THREE], "and the view shows the card");
    assert!(
        is_conflict(&world.order(order(&["52:54:00:00:00:03"], 60))),
        "it may be another machine: nobody names it"
    );
}

#[test]
fn the_cards_that_an_installer_tells_are_its_machines() {
    let mut world = World::new();
    world.arm(false, &[]);
    // Neither firmware says what its machine is called.
    assert!(is_led(&mut world, THREE, None));
    world.install_until_the_image(THREE);
    let machine = MachineFacts { macs: vec![THREE, FOUR, ONE], ..MachineFacts::default() };
    let report = Report { machine: Some(machine), ..report_of(Stage::Configuring, true, "") };
    let from = at(world.address(THREE));
    assert!(is_done(&world.ask(Ask::Report { from, grant: None, mac: THREE, report })));
    assert_eq!(world.node(THREE).macs, [THREE, FOUR], "what is configured stays what it is");
    assert!(is_given(&world.fetch(THREE, IMAGE)));
    assert!(is_done(&world.report(THREE, Stage::Written, true)));
    assert!(!is_led(&mut world, FOUR, None));
    world.restart();
    world.arm(false, &[]);
    assert!(!is_led(&mut world, FOUR, None), "after a restart of the service");
    assert!(is_led(&mut world, ONE, None));
    assert_eq!(world.node(THREE).writes, 1);
}

/// A new card in an old appliance.
#[test]
fn a_machine_whose_disk_has_a_mark_is_installed_by_its_name_only() {
    let mut world = World::new();
    world.arm(false, &[]);
    assert!(is_led(&mut world, ONE, None));
    world.install_until_the_image(ONE);
    let cause = Some(Cause::MarkedDisk);
    let report = Report { cause, ..report_of(Stage::Configuring, false, "/dev/sda has coreos 1010.5.0") };
    let from = at(world.address(ONE));
    assert!(is_done(&world.ask(Ask::Report { from, grant: None, mac: ONE, report })));
    assert!(!is_led(&mut world, ONE, None));
    world.wait(WEEK);
    world.arm(false, &[]);
    assert!(!is_led(&mut world, ONE, None), "everybody");
    assert_eq!(world.node(ONE).writes, 0);
    world.arm(false, &["one"]);
    assert!(is_led(&mut world, ONE, None), "by its name");
}

#[test]
fn machines_of_a_maker_that_gives_all_the_same_identifier_install_each() {
    // 0 in all bytes, which is what a machine without one sends.
    let mut world = World::new();
    world.arm(false, &[]);
    install_by(&mut world, THREE, 0x40);
    install_by(&mut world, FOUR, 0x40);
    // An identifier that two machines send which are at work at the same time.
    let mut world = World::new();
    world.arm(false, &[]);
    assert!(is_led(&mut world, THREE, Some(7)));
    world.wait(Duration::from_secs(1));
    assert!(!is_led(&mut world, FOUR, Some(7)), "it might be the same machine");
    world.wait(Duration::from_secs(5));
    world.install_until_the_image(THREE);
    assert!(
        is_led(&mut world, FOUR, Some(7)),
        "while one of them works, the other one's firmware has started"
    );
    world.install_until_the_image(FOUR);
    for mac in [THREE, FOUR] {
        assert!(is_given(&world.fetch(mac, IMAGE)));
        world.report(mac, Stage::Written, true);
    }
    assert_eq!((world.node(THREE).writes, world.node(FOUR).writes), (1, 1));
    world.restart();
    assert_eq!(world.node(FOUR).macs, [FOUR], "it stays known that the identifier tells nothing");
}

fn listed(text: &str) -> Arc<config::Settings> {
    let text =
        format!("[network]\nmode = 'full'\n[dhcp]\nprobe = false\n[assets]\nverify = 'unsigned-ok'\n{text}");
    Arc::new(config::parse(&[("test".into(), text)]).unwrap())
}

impl World {
    fn reload(&mut self, text: &str) {
        let outcome = self.appliance.reconfigure(listed(text), self.now);
        self.take(outcome);
    }
}

#[test]
fn listing_an_installed_machine_with_another_first_address_forgets_nothing() {
    let mut world = World::new();
    world.arm(false, &[]);
    install_by(&mut world, THREE, 7);
    world.reload(&format!("[[node]]\nname = 'three'\nmacs = ['{FOUR}', '{THREE}']\n"));
    let node = world.node(FOUR);
    assert_eq!((node.name.as_deref(), node.stage, node.writes), (Some("three"), Stage::Installed, 1));
    world.wait(WEEK);
    world.arm(false, &[]);
    assert!(!is_led(&mut world, FOUR, None) && !is_led(&mut world, THREE, Some(7)));
    assert_eq!(
        world.nodes.keys().copied().collect::<Vec<_>>(),
        [FOUR],
        "nothing is left of it in the journal"
    );
}

#[test]
fn listing_a_machine_while_it_installs_strands_nobody() {
    let mut world = World::new();
    world.arm(false, &[]);
    assert!(is_led(&mut world, THREE, Some(7)));
    world.install_until_the_image(THREE);
    world.get(THREE, IMAGE);
    world.reload(&format!("[[node]]\nname = 'three'\nmacs = ['{FOUR}', '{THREE}']\n"));
    assert!(is_given(&world.fetch(THREE, IMAGE)), "its image goes on");
    assert!(is_done(&world.report(THREE, Stage::Written, true)));
    assert_eq!(world.node(FOUR).stage, Stage::Written);
    // No record is left whose patience has ended and that nobody fails.
    world.wait(WEEK);
    let deadline = world.appliance.deadline();
    assert!(deadline.is_none_or(|deadline| deadline > world.now), "{deadline:?}");
}

/// A system that renews its lease runs: the firmware that starts meanwhile is another machine's. Which disk is whose, nobody
/// knows, so that neither is taken for a fresh one.
#[test]
fn a_machine_that_runs_is_not_the_one_that_starts() {
    let mut world = World::new();
    world.arm(false, &[]);
    install_by(&mut world, THREE, 7);
    world.wait(Duration::from_secs(60));
    assert!(!is_led(&mut world, FOUR, Some(7)));
    world.wait(Duration::from_secs(60));
    world.renew(THREE);
    assert_eq!(
        (world.node(THREE).macs.as_slice(), world.node(FOUR).macs.as_slice()),
        ([THREE].as_slice(), [FOUR].as_slice())
    );
    assert!(!is_led(&mut world, FOUR, Some(7)), "everybody does not mean it");
    assert!(is_done(&world.arm(false, &["52:54:00:00:00:04"])));
    assert!(is_led(&mut world, FOUR, Some(7)), "by its own address it is named");
    assert!(!is_led(&mut world, THREE, Some(7)));
}

// An order is taken for a fresh one.

#[test]
fn an_order_that_is_given_twice_is_one_order() {
    for all in [false, true] {
        let mut world = World::new();
        let names: &[&str] = if all { &[] } else { &["one"] };
        world.arm(all, names);
        assert!(is_led(&mut world, ONE, None));
        let Answer::Done(said) = world.arm(all, names) else { panic!("refused") };
        assert!(said.starts_with("armed already"), "{said}");
        world.install(ONE);
        let Answer::Done(said) = world.arm(all, names) else { panic!("refused") };
        assert_eq!(said.contains("one had its chance already (--again"), !all, "{said}");
        assert!(!is_led(&mut world, ONE, None), "its new system is overwritten at its first restart");
        assert_eq!(world.node(ONE).writes, 1);
    }
}

#[test]
fn naming_who_is_being_installed_or_just_was_needs_a_word_more() {
    let mut world = World::new();
    world.arm(false, &[]);
    world.start(ONE, true);
    world.install_until_the_image(ONE);
    world.fetch(ONE, IMAGE);
    assert!(is_conflict(&world.arm(false, &["one"])), "it runs");
    world.report(ONE, Stage::Written, true);
    world.start(ONE, true);
    world.start(ONE, false);
    assert!(is_conflict(&world.arm(false, &["one"])), "it is just done");
    let Answer::Done(said) = world.arm(true, &[]) else { panic!("refused") };
    assert!(said.contains("but not one"), "{said}");
    assert!(!is_led(&mut world, ONE, None));
    assert!(is_done(&world.order(again(&["one"]))));
    world.install(ONE);
    assert_eq!(world.node(ONE).writes, 2);
    world.wait(Duration::from_secs(3600));
    assert!(is_done(&world.arm(false, &["one"])), "later it is an order like others");
}

/// Found by the search: an image begins, the order is given again, the machine is reset.
#[test]
fn a_second_order_during_an_install_is_no_second_permission() {
    let mut world = World::new();
    world.arm(true, &[]);
    world.start(ONE, true);
    world.install_until_the_image(ONE);
    world.get(ONE, IMAGE);
    world.arm(false, &[]);
    world.arm(false, &["one"]);
    assert!(!is_led(&mut world, ONE, None));
    assert_eq!((world.node(ONE).stage, world.node(ONE).writes), (Stage::Failed, 1));
}

#[test]
fn each_order_ends_by_itself() {
    let mut world = World::new();
    world.order(order(&[], 5));
    world.order(order(&["two"], 20 * 3600));
    world.wait(Duration::from_secs(6));
    assert!(!is_led(&mut world, ONE, None), "everybody was armed for five seconds");
    assert!(is_led(&mut world, TWO, None));
    let status = world.appliance.status(world.now);
    assert_eq!(status.orders.iter().map(|order| order.nodes.as_str()).collect::<Vec<_>>(), ["two"]);
}

// One permission is taken for another.

#[test]
fn a_permission_to_install_does_not_stand_for_a_look_at_the_live_system() {
    let mut world = World::new();
    world.arm(false, &[]);
    world.start(ONE, true);
    world.fetch(ONE, "/pxelinux.0");
    world.wait(Duration::from_secs(601));
    world.order(live(&[]));
    world.start(ONE, true);
    let Answer::Text { body, .. } = world.get(ONE, MENU) else { panic!("no menu") };
    assert!(body.contains("KERNEL") && !body.contains("cloud-config-url"), "the installer runs: {body}");
    // The other way round, and while both orders stand: what was said last counts.
    world.arm(false, &["one"]);
    world.start(ONE, true);
    let Answer::Text { body, .. } = world.get(ONE, MENU) else { panic!("no menu") };
    assert!(body.contains("cloud-config-url"), "{body}");
}

#[test]
fn an_image_for_a_live_boot_is_permitted_as_long_as_its_order() {
    let mut world = World::new();
    world.order(live(&["one"]));
    world.start(ONE, true);
    for path in ["/pxelinux.0", "/coreos/1010.5.0/coreos_production_pxe.vmlinuz"] {
        world.fetch(ONE, path);
    }
    world.fetch(ONE, "/coreos/1010.5.0/coreos_production_pxe_image.cpio.gz");
    world.wait(Duration::from_secs(601));
    assert!(!is_given(&world.get(ONE, IMAGE)));
    world.wait(WEEK);
    world.start(ONE, false);
    assert!(!is_given(&world.get(ONE, IMAGE)));
}

#[test]
fn what_was_installed_by_hand_is_not_overwritten_by_an_older_order() {
    let mut world = World::new();
    world.arm(false, &["one"]);
    world.order(live(&["one"]));
    world.start(ONE, true);
    world.fetch(ONE, IMAGE);
    world.start(ONE, true);
    assert_eq!(world.node(ONE).stage, Stage::Written);
    assert!(!world.menu_installs(ONE), "one overwrite was asked for");
}

// Evidence is taken for what it is not.

#[test]
fn one_byte_of_the_image_proves_nothing() {
    let mut world = World::new();
    world.arm(false, &[]);
    world.start(ONE, true);
    world.install_until_the_image(ONE);
    world.fetch_part(ONE, IMAGE, 999, 1000);
    world.start(ONE, false);
    assert_eq!(world.node(ONE).stage, Stage::Installing);
    let mut reset = world.clone();
    assert!(is_done(&world.report(ONE, Stage::Installing, false)));
    assert_eq!(world.node(ONE).stage, Stage::Failed);
    reset.start(ONE, true);
    assert_eq!(reset.node(ONE).stage, Stage::Failed, "it restarts, and most of the image was never sent");
    reset.start(ONE, false);
    assert_eq!(reset.node(ONE).stage, Stage::Failed);
}

/// A second card of the live system, its management controller, a link that flaps: all ask for an address.
#[test]
fn a_failed_install_is_shown_as_failed_whoever_asks_for_an_address() {
    let mut world = World::new();
    world.reload(&format!("[[node]]\nname = 'one'\nmacs = ['{ONE}', '{TWO}']\n"));
    world.arm(false, &[]);
    world.start(ONE, true);
    world.install_until_the_image(ONE);
    world.fetch(ONE, IMAGE);
    world.start(TWO, false);
    world.start(ONE, false);
    assert_eq!(world.node(ONE).stage, Stage::Installing);
    assert!(is_done(&world.report(ONE, Stage::Installing, false)));
    let node = world.node(ONE);
    assert_eq!((node.stage, node.installed), (Stage::Failed, None));
}

#[test]
fn the_failure_of_an_installer_counts_even_when_its_machine_was_taken_for_installed() {
    let mut world = World::new();
    world.arm(false, &[]);
    world.start(ONE, true);
    let Answer::Text { body: menu, .. } = world.get(ONE, MENU) else { panic!("no menu") };
    let token = menu.split("/g/").nth(1).and_then(|rest| rest.split('/').next()).expect("a token").to_owned();
    world.install_until_the_image(ONE);
    world.fetch(ONE, IMAGE);
    world.report(ONE, Stage::Written, true);
    world.start(ONE, false);
    assert_eq!(world.node(ONE).stage, Stage::Installed);
    assert!(is_done(&world.report_by(ONE, Some(&token), Stage::Installing, false)));
    assert_eq!(world.node(ONE).stage, Stage::Failed);
    // That grant is good for nothing else.
    assert!(!is_given(&world.get(ONE, &format!("/g/{token}{IMAGE}"))));
    assert!(!is_done(&world.report_by(ONE, Some(&token), Stage::Installing, true)));
}

#[test]
fn a_machine_whose_last_report_was_lost_is_installed_once_it_runs() {
    for restarts in [false, true] {
        let mut world = World::new();
        world.arm(false, &[]);
        world.start(ONE, true);
        world.install_until_the_image(ONE);
        world.fetch(ONE, IMAGE);
        if restarts {
            world.restart();
        }
        world.wait(WEEK);
        assert_eq!(world.node(ONE).stage, Stage::Failed, "it was silent");
        world.arm(false, &[]);
        assert!(!is_led(&mut world, ONE, None), "everybody does not mean what may be a running machine");
        world.start(ONE, false);
        assert_eq!(world.node(ONE).stage, Stage::Installed);
    }
    // By its own word, after whatever.
    let mut world = World::new();
    world.arm(false, &[]);
    world.start(ONE, true);
    assert!(is_done(&world.report(ONE, Stage::Installing, true)));
    world.restart();
    world.start(ONE, true);
    assert_eq!(world.node(ONE).stage, Stage::Failed);
    world.arm(false, &[]);
    assert!(!is_led(&mut world, ONE, None), "nobody knows what is on its disk");
    assert!(is_done(&world.report(ONE, Stage::Installed, true)));
    assert_eq!(world.node(ONE).stage, Stage::Installed);
    assert!(!is_led(&mut world, ONE, None));
}

fn with_own(name: &str) -> World {
    let text = match name.rsplit('/').next() {
        Some("install.sh") => Some("#!/bin/sh\n"),
        Some("profile.toml") => Some(include_str!("../../../../../profiles/coreos/profile.toml")),
        _ => None,
    };
    let own = Folder::new("own".into(), [found(name, text)]);
    let files = catalog().files().cloned().collect::<Vec<_>>();
    let loaders = Folder::new("loaders".into(), [found("pxelinux.0", None)]);
    let catalog = Catalog::new(vec![own, Folder::new("assets".into(), files)], loaders, None).all_good();
    World::with(settings(), Arc::new(catalog))
}

/// Their image comes from elsewhere, and nothing is said of how it goes.
#[test]
fn an_install_script_or_menu_of_ones_own_is_good_for_one_start() {
    for name in ["cloud-configs/install.sh", "pxelinux.cfg/default"] {
        let mut world = with_own(name);
        world.arm(true, &[]);
        assert!(is_led(&mut world, ONE, None), "{name}");
        assert!(world.menu_installs(ONE), "{name}: asked for again in the same start");
        world.fetch(ONE, CONFIG);
        for _ in 0..5 {
            assert!(!is_led(&mut world, ONE, None), "{name}");
        }
        let node = world.node(ONE);
        assert_eq!((node.stage, node.writes), (Stage::Failed, 1), "{name}");
        world.restart();
        world.arm(false, &[]);
        assert!(!is_led(&mut world, ONE, None), "{name}: everybody");
        world.arm(false, &["one"]);
        assert!(is_led(&mut world, ONE, None), "{name}: by its name");
    }
}

#[test]
fn who_is_led_into_its_installer_and_not_heard_of_is_led_there_twice() {
    let mut world = World::new();
    world.arm(false, &[]);
    let starts = (0..5).filter(|_| is_led(&mut world, ONE, None)).count();
    assert_eq!(starts, 2);
    assert_eq!(world.node(ONE).next_boot.leads_to, LeadsTo::Refused);
    assert!(world.node(ONE).diagnosis.is_some_and(|why| why.contains("2 times")));
    assert!(is_led(&mut world, TWO, None), "of others it is not counted");
    let mut world = World::new();
    world.arm(false, &[]);
    for _ in 0..5 {
        assert!(is_led(&mut world, ONE, None), "it was heard of");
        world.report(ONE, Stage::Configuring, true);
    }
}

/// What such a loader writes, and what a script of somebody's own profile does between two reports, nobody knows.
#[test]
fn a_loader_or_a_profile_of_ones_own_is_led_to_as_often_as_one_that_says_nothing() {
    let mut world = with_own("loaders/pxelinux.0");
    world.arm(false, &[]);
    let mut starts = 0;
    while world.start_as(ONE, true, None).is_some() {
        starts += 1;
        // Firmware asks for the size first; the menu is not asked for.
        (0..2).for_each(|_| drop(world.fetch(ONE, "/pxelinux.0")));
        assert!(starts < 10);
    }
    assert_eq!(starts, 2);
    assert_eq!(world.node(ONE).next_boot.leads_to, LeadsTo::Refused);
    let mut world = with_own("loaders/pxelinux.0");
    world.arm(false, &[]);
    for _ in 0..4 {
        // One that asks for its menu counts once in a start, too, and a word from the installer counts.
        assert!(world.start_as(ONE, true, None).is_some());
        world.fetch(ONE, "/pxelinux.0");
        assert!(world.menu_installs(ONE));
        world.report(ONE, Stage::Configuring, true);
    }
    let mut world = with_own("profiles/coreos/profile.toml");
    world.arm(false, &[]);
    let led = (0..5).filter(|_| {
        let led = is_led(&mut world, ONE, None);
        world.report(ONE, Stage::Configuring, true);
        led
    });
    assert_eq!(led.count(), 2);
}

// Loss is taken for nothing.

#[test]
fn after_its_state_was_lost_everybody_means_nobody() {
    let mut world = World::new();
    world.loss = Some("its state is gone".into());
    world.restart();
    let answer = world.arm(false, &[]);
    let Answer::Refused(Refusal::Conflict(why)) = &answer else { panic!("{answer:?}") };
    assert!(why.contains("its state is gone") && why.contains("--all"), "{why}");
    assert!(!is_led(&mut world, ONE, None));
    assert!(
        world
            .appliance
            .status(world.now)
            .warnings
            .iter()
            .any(|warning| warning.contains("its state is gone"))
    );
    assert!(is_done(&world.arm(false, &["one"])) && is_led(&mut world, ONE, None));
    world.order(Command::Disarm);
    assert!(is_done(&world.arm(true, &[])) && is_led(&mut world, TWO, None));
    // It is known over restarts, until somebody says that this is a first day.
    world.restart();
    assert!(is_conflict(&world.arm(false, &[])));
    assert!(is_done(&world.order(Command::AcceptLoss)));
    world.restart();
    assert!(is_done(&world.arm(false, &[])) && is_led(&mut world, TWO, None));
    assert!(is_conflict(&world.order(Command::AcceptLoss)), "nothing is lost");
}

#[test]
fn who_is_forgotten_is_not_overwritten_by_an_order_that_is_open() {
    let mut world = World::new();
    world.arm(true, &[]);
    install_by(&mut world, THREE, 7);
    world.start_as(FOUR, true, Some(7));
    assert!(is_done(&world.order(Command::Forget(THREE.to_string()))));
    assert!(!is_led(&mut world, THREE, Some(7)) && !is_led(&mut world, FOUR, Some(7)));
    world.order(Command::Disarm);
    world.arm(false, &[]);
    assert!(is_led(&mut world, THREE, Some(7)), "by the next one it is a machine like others");
}

#[test]
fn a_configuration_that_allows_less_takes_back_what_it_does_not_allow() {
    let mut world = World::new();
    world.arm(false, &[]);
    assert!(is_led(&mut world, THREE, None) && is_led(&mut world, ONE, None));
    world.reload(&format!("[install]\nunknown_nodes = 'ignore'\n[[node]]\nname = 'one'\nmac = '{ONE}'\n"));
    assert!(!world.node(THREE).granted && world.node(ONE).granted);
    assert!(!world.menu_installs(THREE) && !is_given(&world.get(THREE, IMAGE)));
    assert!(!is_led(&mut world, THREE, None));
    assert!(world.menu_installs(ONE));
    // Another system is another permission.
    world.reload(&format!("[[node]]\nname = 'one'\nmac = '{ONE}'\nprofile = 'flatcar'\n"));
    assert!(!world.node(ONE).granted);
    // An overwrite that has begun goes on.
    let mut world = World::new();
    world.arm(false, &[]);
    assert!(is_led(&mut world, THREE, None));
    world.get(THREE, IMAGE);
    world.reload("[install]\nunknown_nodes = 'ignore'\n");
    assert!(is_given(&world.get(THREE, IMAGE)));
    // Nobody can be armed who may not install.
    assert!(is_conflict(&world.arm(false, &[])) && is_conflict(&world.arm(false, &["52:54:00:00:00:03"])));
}

// The journal fails, and the act happens.

#[test]
fn while_the_state_cannot_be_written_nothing_begins_however_often_it_is_asked() {
    let mut world = World::new();
    world.arm(false, &[]);
    assert!(is_led(&mut world, ONE, None));
    world.start(TWO, true);
    world.fetch(TWO, IMAGE);
    let stored =
        Stored { nodes: world.nodes.values().cloned().collect(), order: world.order, ..Stored::default() };
    drop(world.appliance.restore(stored, world.now));
    world.appliance.journal_fails(Some("the disk is full".into()));
    for _ in 0..1000 {
        for path in [IMAGE, CONFIG] {
            assert!(!is_given(&world.get(ONE, path)), "{path}");
        }
    }
    assert!(matches!(world.arm(false, &[]), Answer::Refused(Refusal::Unavailable(_))));
    assert!(matches!(world.report(ONE, Stage::Installed, true), Answer::Refused(Refusal::Unavailable(_))));
    assert!(!is_led(&mut world, ONE, None), "it gets an address, and boots its disk");
    assert!(is_given(&world.get(TWO, IMAGE)), "what is on the disk already is acted upon");
    assert_eq!(world.node(ONE).writes, 0);
    world.appliance.journal_fails(None);
    world.arm(false, &[]);
    assert!(is_led(&mut world, ONE, None));
}

// One machine speaks for another.

fn asks(world: &mut World, address: Ipv4Addr, hardware: Mac, path: &str) -> Answer {
    let target = route::parse(path, None).unwrap();
    let from = Requester { address, hardware: Some(hardware) };
    world.ask(Ask::Fetch { from, via: Via::Http, head: false, target })
}

#[test]
fn an_address_gives_its_rights_to_the_machine_that_leased_it_only() {
    let mut world = World::new();
    world.arm(false, &[]);
    assert!(is_led(&mut world, ONE, None));
    let own = format!("/cloud-configs/{ONE}.yml");
    assert!(is_given(&asks(&mut world, address(ONE), ONE, &own)));
    for path in [own.as_str(), CONFIG, IMAGE] {
        let answer = asks(&mut world, address(ONE), THREE, path);
        assert!(
            matches!(&answer, Answer::Refused(Refusal::Forbidden(why)) if why.contains("another machine's")),
            "{answer:?}"
        );
    }
    let report = report_of(Stage::Installed, true, "");
    let from = Requester { address: address(ONE), hardware: Some(THREE) };
    assert!(!is_done(&world.ask(Ask::Report { from, grant: None, mac: ONE, report })));
    let Answer::Text { body: menu, .. } = asks(&mut world, address(ONE), THREE, MENU) else {
        panic!("no menu")
    };
    assert!(!menu.contains("KERNEL") && !menu.contains("/g/"), "{menu}");
    assert!(is_given(&asks(&mut world, address(ONE), ONE, &own)), "its owner is back");
}

#[test]
fn two_cards_of_a_configured_machine_answer_for_each_other() {
    let mut world = World::new();
    world.reload(&format!("[[node]]\nname = 'one'\nmacs = ['{ONE}', '{TWO}']\n"));
    world.arm(false, &[]);
    assert!(is_led(&mut world, ONE, None));
    let address = world.address(ONE);
    assert!(is_given(&asks(&mut world, address, TWO, &format!("/cloud-configs/{ONE}.yml"))));
}

/// What every view says of the next start is what then happens.
#[test]
fn the_next_boot_is_told_before_it_happens() {
    let mut world = World::new();
    assert_eq!(world.node(ONE).next_boot.leads_to, LeadsTo::Disk);
    world.arm(false, &[]);
    assert_eq!(world.node(ONE).next_boot.leads_to, LeadsTo::Install);
    assert_eq!(world.node(ONE).next_boot.overwrites, None);
    world.install(ONE);
    assert_eq!(world.node(ONE).next_boot.leads_to, LeadsTo::Disk);
    world.order(again(&["one"]));
    let next = world.node(ONE).next_boot;
    assert_eq!((next.leads_to, next.overwrites.as_deref()), (LeadsTo::Install, Some("coreos 1010.5.0")));
    world.order(live(&["one"]));
    assert_eq!(world.node(ONE).next_boot.leads_to, LeadsTo::Live);
}
