//! How many answers are sent to addresses from which nobody has answered yet.
//!
//! A request is a datagram, and anybody can write another's address into it. Its answer, a block of 512 bytes for a request
//! of 20, then goes to somebody who has not asked. So there are some for each address and for all together; whoever answers
//! gives his back.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// Answers to one address at once, and one more in this time.
const EACH: (u32, Duration) = (32, Duration::from_millis(125));
/// Answers to all addresses.
const ALL: (u32, Duration) = (2048, Duration::from_millis(4));
/// Addresses that are kept apart.
const MOST: usize = 4096;

/// What is left of them; copies share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Unproven(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    each: BTreeMap<IpAddr, Spent>,
    all: Option<Spent>,
}

/// What was spent, and when some of that was last forgotten.
#[derive(Debug, Clone, Copy)]
struct Spent {
    count: u32,
    since: Instant,
}

impl Spent {
    fn none(now: Instant) -> Spent {
        Spent { count: 0, since: now }
    }

    fn is_less_than(&mut self, (burst, pause): (u32, Duration), now: Instant) -> bool {
        let pauses = now.saturating_duration_since(self.since).as_nanos() / pause.as_nanos();
        let forgotten = u32::try_from(pauses).unwrap_or(u32::MAX).min(self.count);
        self.count -= forgotten;
        self.since = if self.count == 0 { now } else { self.since + pause * forgotten };
        self.count < burst
    }
}

impl Unproven {
    /// Whether one more answer goes to this address.
    pub(crate) fn may_answer(&self, client: IpAddr, now: Instant) -> bool {
        let mut state = self.state();
        let State { each, all } = &mut *state;
        if each.len() >= MOST && !each.contains_key(&client) {
            each.retain(|_, spent| {
                spent.is_less_than(EACH, now);
                spent.count > 0
            });
        }
        let all = all.get_or_insert_with(|| Spent::none(now));
        if each.len() >= MOST && !each.contains_key(&client) || !all.is_less_than(ALL, now) {
            return false;
        }
        let own = each.entry(client).or_insert_with(|| Spent::none(now));
        if !own.is_less_than(EACH, now) {
            return false;
        }
        own.count += 1;
        all.count += 1;
        true
    }

    /// Somebody has answered from there.
    pub(crate) fn proven(&self, client: IpAddr) {
        let mut state = self.state();
        let own = state.each.remove(&client).map_or(0, |spent| spent.count);
        if let Some(all) = &mut state.all {
            all.count = all.count.saturating_sub(own);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Whoever panicked while holding it left whole counts.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn ip(number: u32) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from(number))
    }

    #[allow(clippy::disallowed_methods, reason = "any moment will do")]
    fn start() -> Instant {
        Instant::now()
    }

    #[test]
    fn an_address_from_which_nobody_answers_gets_few_packets() {
        let (unproven, start) = (Unproven::default(), start());
        let answered = |client, after: u64| {
            let now = start + Duration::from_millis(after);
            (0..10_000).filter(|_| unproven.may_answer(client, now)).count()
        };
        assert_eq!(answered(ip(1), 0), 32);
        assert_eq!((answered(ip(1), 1000), answered(ip(2), 1000)), (8, 32), "others have their own");
        unproven.proven(ip(1));
        assert_eq!(answered(ip(1), 1000), 32);
    }

    #[test]
    fn all_together_get_no_more_than_a_rack_needs() {
        let (unproven, start) = (Unproven::default(), start());
        let answered = |from: u32, after: u64| {
            let now = start + Duration::from_millis(after);
            (from..from + 100_000).filter(|client| unproven.may_answer(ip(*client), now)).count()
        };
        assert_eq!(answered(0, 0), 2048);
        assert_eq!(answered(200_000, 1000), 250);
        assert!(unproven.state().each.len() <= MOST);
    }

    #[test]
    fn who_answers_takes_nothing_from_others() {
        let (unproven, start) = (Unproven::default(), start());
        for client in 0..100_000 {
            assert!(unproven.may_answer(ip(client), start));
            unproven.proven(ip(client));
        }
    }
}
