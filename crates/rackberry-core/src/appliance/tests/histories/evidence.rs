//! Evidence was taken for what it is not.

use super::*;

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

/// What was sent and not noted may be all of it.
#[test]
fn who_was_sent_a_part_before_the_service_was_killed_may_have_a_system() {
    let mut world = World::new();
    world.arm(false, &[]);
    world.start(ONE, true);
    world.install_until_the_image(ONE);
    world.fetch_part(ONE, IMAGE, 0, 500);
    world.restart();
    world.start(ONE, true);
    assert_eq!(world.node(ONE).stage, Stage::Failed);
    world.arm(false, &[]);
    assert!(!is_led(&mut world, ONE, None));
}

/// The image was sent whole, and what it made of the disk does not start: somebody has a look.
#[test]
fn a_live_system_that_asks_for_an_address_is_not_the_one_on_the_disk() {
    let mut world = World::new();
    world.arm(false, &[]);
    world.start(ONE, true);
    world.install_until_the_image(ONE);
    world.fetch(ONE, IMAGE);
    world.start(ONE, true);
    assert_eq!(world.node(ONE).stage, Stage::Written, "it follows from its restart");
    world.order(live(&["one"]));
    assert!(is_led(&mut world, ONE, None));
    world.wait(Duration::from_secs(601));
    world.start(ONE, false);
    assert_eq!(world.node(ONE).stage, Stage::Written);
}

pub(super) fn with_own(name: &str) -> World {
    let text = match name.rsplit('/').next() {
        Some("install.sh") => Some("#!/bin/sh\n"),
        Some("profile.toml") => Some(include_str!("../../../../../../profiles/coreos/profile.toml")),
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

/// Found by the search: a second install never comes to the disk of the first, and says so after it was given up.
#[test]
fn a_late_failure_before_the_disk_says_nothing_of_what_is_on_it() {
    for stage in [Stage::Configuring, Stage::Installing] {
        let mut world = World::new();
        world.arm(false, &[]);
        world.install(ONE);
        world.wait(Duration::from_secs(3600));
        world.order(order(&["one"], 7200));
        assert!(is_led(&mut world, ONE, None));
        let Answer::Text { body: menu, .. } = world.get(ONE, MENU) else { panic!("no menu") };
        let token =
            menu.split("/g/").nth(1).and_then(|rest| rest.split('/').next()).expect("a token").to_owned();
        world.install_until_the_image(ONE);
        world.wait(Duration::from_secs(1100));
        assert_eq!(world.node(ONE).stage, Stage::Failed, "it was silent");
        assert!(is_done(&world.report_by(ONE, Some(&token), stage, false)));
        assert_eq!(world.node(ONE).stage, Stage::Failed);
        world.wait(WEEK);
        world.arm(false, &[]);
        let came_to_the_disk = stage == Stage::Installing;
        assert_eq!(is_led(&mut world, ONE, None), came_to_the_disk, "{stage}");
    }
}
