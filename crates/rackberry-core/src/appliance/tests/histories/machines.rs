//! A machine was taken for its card.

use super::{evidence::with_own, *};

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

/// Its start is not that machine's, and takes no permission away.
#[test]
fn a_card_that_calls_itself_a_configured_machine_breaks_off_no_install_of_it() {
    let mut world = World::new();
    world.start_as(ONE, true, Some(7));
    world.start_as(THREE, true, Some(7));
    assert_eq!(world.node(ONE).macs, [ONE, THREE]);
    world.arm(false, &["one"]);
    assert!(is_led(&mut world, ONE, Some(7)));
    world.install_until_the_image(ONE);
    world.get(ONE, IMAGE);
    assert!(!is_led(&mut world, THREE, Some(7)));
    assert_eq!(world.node(ONE).stage, Stage::Installing);
    assert!(is_given(&world.fetch(ONE, IMAGE)));
}

/// Found by the search: files went by the machine that was claimed, and not by the card that may install.
#[test]
fn who_claims_to_be_another_machine_gets_its_own_files_and_menu() {
    for (of, given) in [(THREE, false), (FOUR, true)] {
        let key = format!("cloud-configs/{of}/key");
        let mut world = with_own(&key);
        world.start_as(THREE, true, Some(7));
        world.arm(false, &[]);
        assert!(is_led(&mut world, FOUR, Some(7)));
        assert_eq!(world.node(FOUR).mac, THREE, "it is taken for the other one's second card");
        assert_eq!(is_given(&world.get(FOUR, &format!("/{key}"))), given, "{of}");
        let mut world = with_own(&format!("pxelinux.cfg/{}", of.bootif()));
        world.start_as(THREE, true, Some(7));
        world.arm(false, &[]);
        world.start_as(FOUR, true, Some(7));
        let path = format!("/pxelinux.cfg/{}", FOUR.bootif());
        assert_eq!(matches!(world.get(FOUR, &path), Answer::File { .. }), given, "{of}");
    }
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
