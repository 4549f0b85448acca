//! What the records, the orders and the attempts do together.

use std::{collections::BTreeSet, time::Duration};

use super::*;
use crate::{
    appliance::{
        Outcome,
        decision::{ArmPlan, Decision, Lead, SpeaksFor},
    },
    ids::{Source, Time},
    nodes::Life,
    orders::{Given, OrderId, Repeat, Scope},
};

const NODE: Mac = Mac([2, 0, 0, 0, 0, 1]);

/// A machine that nobody configured, armed by this order and at its firmware.
fn granted(scope: Scope) -> (Machines, OrderId) {
    let mut machines = Machines::new([7; 32]);
    let mut out = Reaction::at(Time(1000));
    let id = arm(&mut machines, scope, &mut out);
    machines.apply_to(NODE, NodeEvent::NetworkBoot { arch: None }, Unknown::Recorded, &mut out);
    machines.settle_start(NODE, SpeaksFor::ItsMachine, Decision::Lead(Box::new(lead(id))), &mut out);
    assert!(machines.nodes().get(NODE).is_some_and(|node| node.unused_grant().is_some()));
    (machines, id)
}

fn arm(machines: &mut Machines, scope: Scope, out: &mut Reaction) -> OrderId {
    let plan = ArmPlan {
        kind: OrderKind::Install,
        scope,
        repeat: Repeat::Same,
        length: Duration::from_secs(600),
        just_done: Vec::new(),
    };
    match machines.arm(&plan, Source::Socket, out) {
        Given::New(id) | Given::Same(id) => id,
    }
}

fn lead(order: OrderId) -> Lead {
    Lead {
        order,
        kind: OrderKind::Install,
        overwrites_marked: false,
        profile: "coreos".into(),
        version: "1".into(),
        arch: "x86_64".into(),
        silence: Duration::from_secs(600),
    }
}

fn react(machines: &mut Machines, event: impl FnOnce(&mut Machines, &mut Reaction)) -> Outcome {
    let mut out = Reaction::at(Time(2000));
    event(machines, &mut out);
    out.into_outcome()
}

#[test]
fn an_overwrite_uses_up_every_order_that_is_open() {
    let (mut machines, first) = granted(Scope::NotInstalled);
    let mut out = Reaction::at(Time(1500));
    let second = arm(&mut machines, Scope::Named(BTreeSet::from([NODE])), &mut out);
    react(&mut machines, |machines, out| machines.handed_out(NODE, Handed::Image(1000), out));
    for id in [first, second] {
        let order = machines.orders().get(id, Time(2000)).unwrap();
        assert!(order.is_over_for(&[NODE]));
    }
    assert!(machines.nodes().get(NODE).is_some_and(|node| matches!(node.life, Life::Overwriting { .. })));
}

#[test]
fn who_is_disarmed_loses_an_unused_grant_and_keeps_a_used_one() {
    let (mut machines, _) = granted(Scope::NotInstalled);
    let mut writes = machines.clone();
    react(&mut writes, |machines, out| machines.handed_out(NODE, Handed::Image(1000), out));
    for (machines, is_granted) in [(&mut machines, false), (&mut writes, true)] {
        react(machines, |machines, out| assert!(machines.disarm(out)));
        assert_eq!(machines.nodes().get(NODE).is_some_and(|node| node.grant().is_some()), is_granted);
        react(machines, |machines, out| assert!(!machines.disarm(out), "nothing is open"));
    }
}

#[test]
fn a_menu_counts_as_one_start_however_often_it_is_fetched() {
    let (mut machines, id) = granted(Scope::NotInstalled);
    for _ in 0..3 {
        react(&mut machines, |machines, out| {
            machines.handed_out(NODE, Handed::Menu(Leads::ToKernel), out);
        });
    }
    assert_eq!(machines.orders().get(id, Time(2000)).unwrap().starts_of(&[NODE]), 1);
    assert!(machines.attempts(NODE).has_its_menu());
}

#[test]
fn the_same_refusal_is_told_once_until_something_is_granted() {
    let (mut machines, id) = granted(Scope::NotInstalled);
    let mut told = |decision: Decision| {
        let outcome = react(&mut machines, |machines, out| {
            machines.settle_start(NODE, SpeaksFor::ItsMachine, decision, out);
        });
        let notes = outcome
            .effects
            .iter()
            .filter(|effect| matches!(effect, crate::appliance::Effect::Note(Note::NotGranted { .. })));
        notes.count()
    };
    let refused = || Decision::Refused("no image".into());
    assert_eq!([told(refused()), told(refused())], [1, 0]);
    assert_eq!(told(Decision::Lead(Box::new(lead(id)))), 0);
    assert_eq!(told(refused()), 1);
}

#[test]
fn a_forgotten_node_is_not_taken_in_by_orders_of_before() {
    let (mut machines, id) = granted(Scope::NotInstalled);
    let outcome = react(&mut machines, |machines, out| assert!(machines.forget(NODE, out)));
    assert_eq!(outcome.changes, [Change::NoNode(NODE)]);
    assert!(machines.orders().get(id, Time(2000)).unwrap().is_over_for(&[NODE]));
    assert!(machines.nodes().get(NODE).is_none());
}

#[test]
fn a_report_is_of_the_install_whose_grant_it_names() {
    let (machines, id) = granted(Scope::NotInstalled);
    let token = machines.nodes().get(NODE).and_then(Node::grant).map(|grant| grant.token.clone()).unwrap();
    assert_eq!(machines.reported_install(NODE, Some(&token)), ReportedInstall::Present(id));
    assert_eq!(machines.reported_install(NODE, None), ReportedInstall::Present(id));
    assert_eq!(machines.reported_install(NODE, Some("other")), ReportedInstall::Ended);
    let unknown = Mac([2, 0, 0, 0, 0, 9]);
    assert_eq!(machines.reported_install(unknown, None), ReportedInstall::None);
    assert_eq!(machines.reported_install(unknown, Some(&token)), ReportedInstall::Ended);
}
