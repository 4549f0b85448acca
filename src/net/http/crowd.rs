//! Who takes up connections: some for each address, and when all are taken, those that never asked for anything give way.

use std::{
    collections::{BTreeMap, HashMap},
    net::Ipv4Addr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{Notify, futures::Notified};

/// The network's connections; copies are of the same ones.
#[derive(Debug, Clone, Default)]
pub(super) struct Crowd(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// How many each address has.
    each: HashMap<Ipv4Addr, usize>,
    /// Those that have not asked for anything yet, in the order in which they came.
    silent: BTreeMap<u64, Arc<Notify>>,
    last: u64,
}

/// A connection's place in the crowd.
#[derive(Debug)]
pub(super) struct Admission {
    crowd: Crowd,
    client: Ipv4Addr,
    number: u64,
    shown_out: Arc<Notify>,
}

impl Crowd {
    /// One more connection of this address, if it has less than `most`.
    pub(super) fn enter(&self, client: Ipv4Addr, most: usize) -> Option<Admission> {
        let mut state = self.state();
        let own = state.each.entry(client).or_default();
        if *own >= most {
            return None;
        }
        *own += 1;
        state.last += 1;
        let (number, shown_out) = (state.last, Arc::<Notify>::default());
        state.silent.insert(number, Arc::clone(&shown_out));
        Some(Admission { crowd: self.clone(), client, number, shown_out })
    }

    /// There is no room for somebody who waits: the connection ends that has asked for nothing for the longest time.
    pub(super) fn make_room(&self) {
        if let Some((_, oldest)) = self.state().silent.pop_first() {
            oldest.notify_one();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Whoever panicked while holding it left whole counts.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Admission {
    /// It has asked for something.
    pub(super) fn has_asked(&self) {
        self.crowd.state().silent.remove(&self.number);
    }

    /// Waits until it is to give way.
    pub(super) fn shown_out(&self) -> Notified<'_> {
        self.shown_out.notified()
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut state = self.crowd.state();
        state.silent.remove(&self.number);
        if let Some(own) = state.each.get_mut(&self.client) {
            *own -= 1;
            if *own == 0 {
                state.each.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Ipv4Addr = Ipv4Addr::new(10, 10, 10, 100);
    const OTHER: Ipv4Addr = Ipv4Addr::new(10, 10, 10, 101);

    #[test]
    fn an_address_has_so_many_and_others_theirs() {
        let crowd = Crowd::default();
        let mut places: Vec<Admission> = (0..100).filter_map(|_| crowd.enter(ONE, 64)).collect();
        assert_eq!(places.len(), 64);
        assert!(crowd.enter(OTHER, 64).is_some());
        places.pop();
        assert!(crowd.enter(ONE, 64).is_some());
        places.clear();
        assert!(crowd.state().each.is_empty() && crowd.state().silent.is_empty());
    }

    #[tokio::test]
    async fn who_asked_for_nothing_gives_way_the_oldest_first() {
        let crowd = Crowd::default();
        let [first, second, third] = [(); 3].map(|()| crowd.enter(ONE, 64).unwrap());
        first.has_asked();
        crowd.make_room();
        second.shown_out().await;
        crowd.make_room();
        third.shown_out().await;
        crowd.make_room();
        assert_eq!(crowd.state().silent.len(), 0, "nobody else goes");
        drop(first);
    }
}
