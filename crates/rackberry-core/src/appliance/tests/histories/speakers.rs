//! One machine spoke for another.

use super::*;

fn asks(world: &mut World, address: Ipv4Addr, hardware: Mac, path: &str) -> Answer {
    let target = route::parse(path, None).unwrap();
    let from = Requester { address, hardware: Some(hardware) };
    world.ask(Ask::Fetch { from, via: Via::Http, extent: Extent::Whole, target })
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
