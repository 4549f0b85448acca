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
    orders.give(kind, scope, false, at(until), Source::Socket)
}

const INSTALL: OrderKind = OrderKind::Install;

#[test]
fn the_same_order_again_changes_its_end_only() {
    let mut orders = Orders::default();
    assert_eq!(give(&mut orders, INSTALL, named(&[A]), 10), Given::New(OrderId(1)));
    orders.use_up(A);
    assert_eq!(give(&mut orders, INSTALL, named(&[A]), 20), Given::Same(OrderId(1)));
    assert_eq!((orders.choose(A, false, at(15)), orders.end(at(15))), (None, Some(at(20))));
    // Another kind, other nodes, and a word that it is meant again are other orders.
    assert_eq!(give(&mut orders, OrderKind::Live, named(&[A]), 20), Given::New(OrderId(2)));
    assert_eq!(give(&mut orders, INSTALL, named(&[A, B]), 20), Given::New(OrderId(3)));
    assert_eq!(orders.give(INSTALL, named(&[A]), true, at(20), Source::Web), Given::New(OrderId(4)));
}

#[test]
fn each_order_has_an_end_of_its_own() {
    let mut orders = Orders::default();
    give(&mut orders, INSTALL, Scope::NotInstalled, 5);
    give(&mut orders, INSTALL, named(&[A]), 100);
    assert!(orders.choose(B, false, at(4)).is_some());
    assert_eq!(orders.choose(B, false, at(5)), None, "everybody was armed for five seconds");
    assert_eq!(orders.deadline(), Some(at(5)));
    assert_eq!(orders.expire(at(5)).len(), 1);
    assert!(orders.choose(A, true, at(99)).is_some());
}

#[test]
fn an_overwrite_is_what_every_open_order_that_takes_the_node_in_was_good_for() {
    let mut orders = Orders::default();
    give(&mut orders, INSTALL, Scope::NotInstalled, 100);
    give(&mut orders, INSTALL, named(&[A]), 100);
    orders.use_up(A);
    assert_eq!(orders.choose(A, false, at(1)), None);
    assert!(orders.choose(B, false, at(1)).is_some());
    // One that is given later is another permission.
    give(&mut orders, INSTALL, Scope::All, 100);
    assert!(orders.choose(A, true, at(1)).is_some());
}

#[test]
fn what_was_said_last_counts() {
    let mut orders = Orders::default();
    give(&mut orders, INSTALL, named(&[A]), 100);
    give(&mut orders, OrderKind::Live, Scope::All, 100);
    assert_eq!(orders.choose(A, false, at(1)).map(|order| order.kind), Some(OrderKind::Live));
    give(&mut orders, INSTALL, Scope::NotInstalled, 100);
    assert_eq!(orders.choose(A, false, at(1)).map(|order| order.id), Some(OrderId(3)));
    assert_eq!(orders.choose(A, true, at(1)).map(|order| order.id), Some(OrderId(2)), "it is installed");
}

#[test]
fn who_goes_by_another_address_has_had_what_it_had() {
    let mut orders = Orders::default();
    give(&mut orders, INSTALL, Scope::All, 100);
    give(&mut orders, INSTALL, named(&[A]), 100);
    orders.end_for(OrderId(1), A);
    orders.started(OrderId(2), A);
    orders.rename(A, B);
    assert_eq!(orders.choose(B, true, at(1)).map(|order| order.id), Some(OrderId(2)));
    assert_eq!(orders.get(OrderId(2), at(1)).map(|order| order.starts_of(B)), Some(1));
    orders.heard(OrderId(2), B);
    assert_eq!(orders.get(OrderId(2), at(1)).map(|order| order.starts_of(B)), Some(0));
    orders.use_up(B);
    assert_eq!(orders.choose(B, false, at(1)), None);
}
