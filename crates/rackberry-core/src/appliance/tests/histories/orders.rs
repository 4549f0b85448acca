//! An order was taken for a fresh one, or one permission for another.

use super::*;

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

/// A loader that starts over, and asks for no address.
#[test]
fn a_menu_that_is_asked_for_while_the_disk_is_written_leads_to_the_disk() {
    let mut world = World::new();
    world.arm(false, &["one"]);
    world.start(ONE, true);
    world.install_until_the_image(ONE);
    assert!(is_given(&world.get(ONE, IMAGE)));
    assert!(!world.menu_installs(ONE));
}

/// Found by the search: when it had ended was what had been concluded from its silence, and from an address that it asked for.
#[test]
fn who_says_late_that_it_is_written_was_installed_just_now() {
    for asks in [false, true] {
        let mut world = World::new();
        world.arm(false, &[]);
        world.start(ONE, true);
        let Answer::Text { body: menu, .. } = world.get(ONE, MENU) else { panic!("no menu") };
        let token = menu.split("/g/").nth(1).and_then(|rest| rest.split('/').next()).expect("a token");
        let token = token.to_owned();
        world.install_until_the_image(ONE);
        world.fetch(ONE, IMAGE);
        if asks {
            // It has no answer, and says it again when it gets one.
            assert!(is_done(&world.report_by(ONE, Some(&token), Stage::Written, true)));
            world.restart();
        }
        world.wait(Duration::from_secs(7200));
        assert_eq!(world.node(ONE).stage, Stage::Failed, "it was silent");
        if asks {
            world.start(ONE, false);
            assert_eq!(world.node(ONE).stage, Stage::Installed, "that looked like a system on its disk");
        }
        assert!(is_done(&world.report_by(ONE, Some(&token), Stage::Written, true)));
        assert!(is_conflict(&world.arm(false, &["one"])), "{asks}");
    }
}
