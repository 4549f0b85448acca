use super::*;

const A: Mac = Mac([2, 0, 0, 0, 0, 1]);
const B: Mac = Mac([2, 0, 0, 0, 0, 2]);

fn at(seconds: u64) -> Time {
    Time(seconds * 1000)
}

fn named(nodes: &[Mac]) -> Scope {
    Scope::Named(nodes.iter().copied().collect())
}

fn give(orders: &mut Orders, kind: OrderKind, scope: Scope, until: u64) -> Given {
    orders.give(kind, scope, Repeat::Same, OrderTerms { until: at(until), source: Source::Socket })
}

fn fresh(card: Mac) -> Subject {
    Subject { cards: vec![card], named_by: vec![card], is_ours: false }
}

fn installed(card: Mac) -> Subject {
    Subject { is_ours: true, ..fresh(card) }
}

const INSTALL: OrderKind = OrderKind::Install;

#[test]
fn the_same_order_again_changes_its_end_only() {
    let mut orders = Orders::default();
    assert_eq!(give(&mut orders, INSTALL, named(&[A]), 10), Given::New(OrderId(1)));
    orders.use_up(&[A]);
    assert_eq!(give(&mut orders, INSTALL, named(&[A]), 20), Given::Same(OrderId(1)));
    assert_eq!((orders.choose(&fresh(A), at(15)), orders.end(at(15))), (None, Some(at(20))));
    // Another kind, other nodes, and a word that it is meant again are other orders.
    assert_eq!(give(&mut orders, OrderKind::Live, named(&[A]), 20), Given::New(OrderId(2)));
    assert_eq!(give(&mut orders, INSTALL, named(&[A, B]), 20), Given::New(OrderId(3)));
    assert_eq!(
        orders.give(INSTALL, named(&[A]), Repeat::Again, OrderTerms { until: at(20), source: Source::Web }),
        Given::New(OrderId(4))
    );
}

#[test]
fn each_order_has_an_end_of_its_own() {
    let mut orders = Orders::default();
    give(&mut orders, INSTALL, Scope::NotInstalled, 5);
    give(&mut orders, INSTALL, named(&[A]), 100);
    assert!(orders.choose(&fresh(B), at(4)).is_some());
    assert_eq!(orders.choose(&fresh(B), at(5)), None, "everybody was armed for five seconds");
    assert_eq!(orders.deadline(), Some(at(5)));
    assert_eq!(orders.expire(at(5)).len(), 1);
    assert!(orders.choose(&installed(A), at(99)).is_some());
}

#[test]
fn an_overwrite_is_what_every_open_order_was_good_for() {
    let mut orders = Orders::default();
    give(&mut orders, INSTALL, Scope::NotInstalled, 100);
    give(&mut orders, INSTALL, named(&[A]), 100);
    orders.use_up(&[A]);
    assert_eq!(orders.choose(&fresh(A), at(1)), None);
    assert!(orders.choose(&fresh(B), at(1)).is_some());
    // One that is given later is another permission.
    give(&mut orders, INSTALL, Scope::All, 100);
    assert!(orders.choose(&installed(A), at(1)).is_some());
}

#[test]
fn what_was_said_last_counts() {
    let mut orders = Orders::default();
    give(&mut orders, INSTALL, named(&[A]), 100);
    give(&mut orders, OrderKind::Live, Scope::All, 100);
    let chosen = |orders: &Orders, machine: &Subject| {
        orders.choose(machine, at(1)).map(|order| (order.id, order.kind))
    };
    assert_eq!(chosen(&orders, &fresh(A)), Some((OrderId(2), OrderKind::Live)));
    give(&mut orders, INSTALL, Scope::NotInstalled, 100);
    assert_eq!(chosen(&orders, &fresh(A)), Some((OrderId(3), INSTALL)));
    assert_eq!(chosen(&orders, &installed(A)), Some((OrderId(2), OrderKind::Live)), "it is installed");
}

/// Whichever of its cards a machine is known by at the moment, what it has had it has had.
#[test]
fn what_one_card_has_had_its_machine_has_had() {
    let mut orders = Orders::default();
    give(&mut orders, INSTALL, Scope::All, 100);
    give(&mut orders, INSTALL, named(&[A]), 100);
    orders.end_for(OrderId(1), &[A]);
    orders.started(OrderId(2), &[A, B]);
    let both = Subject { cards: vec![B, A], named_by: vec![B, A], is_ours: true };
    assert_eq!(orders.choose(&both, at(1)).map(|order| order.id), Some(OrderId(2)));
    assert_eq!(orders.get(OrderId(2), at(1)).map(|order| order.starts_of(&[B])), Some(1));
    orders.heard(OrderId(2), &[B, A]);
    assert_eq!(orders.get(OrderId(2), at(1)).map(|order| order.starts_of(&[A])), Some(0));
    // A claim that they are one does not make the named machine of the other.
    let claimed = Subject { named_by: vec![B], ..both };
    assert_eq!(orders.choose(&claimed, at(1)), None);
}
