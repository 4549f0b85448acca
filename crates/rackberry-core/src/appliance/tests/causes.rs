//! What kind of failure a machine reports, and what is made of it.

use super::*;
use crate::ids::Cause;

/// A node that has begun to install, and reports this.
fn failed(message: &str, cause: Option<Cause>) -> NodeView {
    let mut world = World::new();
    world.arm(false, &[]);
    world.start(ONE, true);
    world.fetch(ONE, CONFIG);
    let report = Report { cause, ..report_of(Stage::Configuring, false, message) };
    world.ask(Ask::Report { from: at(address(ONE)), grant: None, mac: ONE, report });
    world.node(ONE)
}

/// A new card in an old rack looks like a first day: only who names a machine, or all, overwrites what was installed.
#[test]
fn a_disk_with_a_mark_is_overwritten_by_orders_that_mean_it_only() {
    for (all, nodes, overwrites) in [(false, &[][..], ""), (true, &[], "yes"), (false, &["one"], "yes")] {
        let mut world = World::new();
        world.arm(all, nodes);
        world.start(ONE, true);
        world.fetch(ONE, "/pxelinux.0");
        assert!(world.menu_installs(ONE));
        let Answer::Text { body, .. } = world.get(ONE, CONFIG) else { panic!("no script") };
        assert!(body.contains(&format!("\noverwrite_marked='{overwrites}'\n")), "{all} {nodes:?}");
    }
}

#[test]
fn a_cause_is_kept_and_leads_to_its_remedy() {
    let node = failed("/dev/sda has coreos 1, which rackberry installed", Some(Cause::MarkedDisk));
    let failure = node.failure.unwrap();
    assert_eq!((failure.stage, failure.cause), (Stage::Configuring, Some(Cause::MarkedDisk)));
    assert!(node.diagnosis.unwrap().contains("rackberry arm NODE"));
}

#[test]
fn without_a_cause_known_words_lead_to_one() {
    let node = failed("there is no disk /dev/sda; this machine has: /dev/vda", None);
    assert_eq!(node.failure.unwrap().cause, None);
    assert!(node.diagnosis.unwrap().contains("set disk for this node"));
    assert_eq!(failed("something new", None).diagnosis, None);
}

/// A script of before, and one of now.
#[test]
fn reports_of_both_kinds_are_read() {
    let old: Report =
        serde_json::from_str(r#"{"stage":"installing","ok":false,"message":"m","log":"l"}"#).unwrap();
    assert_eq!((old.cause, old.machine), (None, None));
    let new: Report = serde_json::from_str(
        r#"{"stage":"configuring","ok":false,"message":"m","log":"l","cause":"marked-disk",
            "machine":{"serial":"S1","macs":["52:54:00:00:00:01"]}}"#,
    )
    .unwrap();
    assert_eq!(new.cause, Some(Cause::MarkedDisk));
    assert_eq!(new.machine, Some(MachineFacts { uuid: None, serial: Some("S1".into()), macs: vec![ONE] }));
    assert!(
        serde_json::from_str::<Report>(r#"{"stage":"installing","ok":false,"cause":"bad luck"}"#).is_err()
    );
}

/// What a machine says is shown in the log, on terminals and pages.
#[test]
fn a_report_cannot_write_lines_of_its_own_or_move_a_cursor() {
    let mut world = World::new();
    world.arm(false, &[]);
    world.start(ONE, true);
    world.install_until_the_image(ONE);
    let said = "no disk\n2026-01-01T00:00:00Z  INFO armed by the button: for 30m\r\x1b[2J\u{202e}gnp";
    let mut report = report_of(Stage::Installing, false, said);
    report.log = "1%\r2%\x1b[31m\nend\u{9b}2J\n".into();
    let (mac, grant) = (ONE, None);
    world.ask(Ask::Report { from: at(address(ONE)), grant, mac, report });
    let node = world.node(ONE);
    assert_eq!(
        node.failure.map(|failure| failure.reason),
        Some("no disk 2026-01-01T00:00:00Z INFO armed by the button: for 30m [2J gnp".into())
    );
    assert_eq!(node.log, "1%\n2% [31m\nend 2J\n");
}

/// Each may cost a write of the card.
#[test]
fn a_machine_reports_as_often_as_an_install_needs_and_no_more() {
    let mut world = World::new();
    world.start(ONE, false);
    let done =
        (0..4100).filter(|_| matches!(world.report(ONE, Stage::Configuring, true), Answer::Done(_))).count();
    assert_eq!(done, 60);
    world.wait(Duration::from_secs(60));
    assert!(matches!(world.report(ONE, Stage::Configuring, true), Answer::Done(_)));
}
