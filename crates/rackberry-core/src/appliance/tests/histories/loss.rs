//! Loss was taken for nothing, and the act happened although the journal failed.

use super::{evidence::with_own, *};

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

/// That order has not overwritten it, and did not mean it until then.
#[test]
fn who_is_forgotten_is_no_fresh_machine_to_an_order_that_left_it_alone() {
    let mut world = World::new();
    world.arm(false, &["one"]);
    world.install(ONE);
    world.wait(WEEK);
    world.arm(false, &[]);
    assert!(!is_led(&mut world, ONE, None));
    assert!(is_done(&world.order(Command::Forget("one".into()))));
    assert!(!is_led(&mut world, ONE, None));
    world.order(Command::Disarm);
    world.arm(false, &[]);
    assert!(is_led(&mut world, ONE, None), "by the next one it is a machine like others");
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

/// Found by the search: its restart could not be written down, so that its permission looked as if it were still in use.
#[test]
fn while_the_state_cannot_be_written_an_own_menu_or_script_is_given_once_all_the_same() {
    for name in ["pxelinux.cfg/default", "cloud-configs/install.sh"] {
        let mut world = with_own(name);
        world.arm(false, &[]);
        assert!(is_led(&mut world, ONE, None), "{name}");
        world.fetch(ONE, CONFIG);
        world.disk_fails = true;
        for _ in 0..5 {
            assert!(!is_led(&mut world, ONE, None), "{name}");
            assert_eq!(world.node(ONE).next_boot.leads_to, LeadsTo::Refused, "{name}");
        }
        world.disk_is_mended();
        world.arm(false, &[]);
        assert!(!is_led(&mut world, ONE, None), "{name}: nobody knows what is on its disk");
        assert_eq!(world.node(ONE).writes, 1, "{name}");
    }
}
