//! Smaller blocks for clients whose link lets no large ones pass: a path with a smaller MTU, firmware with a small
//! buffer. Such a client agrees to the size, gets nothing, and asks anew.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::options::Limits;

/// What a client may have after so many transfers of which no block arrived; the last for all further ones.
const BLOCKS: [u16; 3] = [u16::MAX, 1024, 512];
/// The shortest time after which firmware asks again for what it did not get.
const PATIENCE: Duration = Duration::from_millis(800);
/// More clients than this are not kept apart: invented addresses must not fill the memory.
const MOST: usize = 4096;

/// Whether clients that agree to a block size and get none of the blocks are offered smaller ones when they ask again: 1024 bytes, and
/// 512 after that, which is as small as it gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BlockBackOff {
    /// Every client gets what it asks for.
    Off,
    /// For so long after the last failure; then it is tried with large ones again.
    For(Duration),
}

impl Default for BlockBackOff {
    /// For an hour.
    fn default() -> BlockBackOff {
        BlockBackOff::For(Duration::from_secs(3600))
    }
}

/// What is known of clients' links.
#[derive(Debug, Clone)]
pub(crate) struct Caution {
    back_off: BlockBackOff,
    links: Arc<Mutex<BTreeMap<IpAddr, Link>>>,
}

#[derive(Debug, Clone, Copy)]
struct Link {
    failures: usize,
    /// When a transfer began of which no block has been acknowledged.
    unproven: Option<Instant>,
    /// When that, or a failure, was last.
    last: Instant,
}

/// One transfer, of which it is to be seen whether its blocks arrive. Its end says nothing of them: a refusal, a probe, a
/// client that says that it gives up. Only silence leaves the question open.
#[derive(Debug)]
pub(crate) struct Trial {
    caution: Caution,
    client: IpAddr,
    stays_open: bool,
}

impl Caution {
    pub(crate) fn new(back_off: BlockBackOff) -> Caution {
        Caution { back_off, links: Arc::default() }
    }

    /// A client asks for a file: the limits for it.
    pub(crate) fn begin(&self, client: IpAddr, limits: &Limits, now: Instant) -> (Limits, Trial) {
        let mut limits = *limits;
        if let BlockBackOff::For(memory) = self.back_off {
            let smaller = self.blksize(client, memory, now);
            limits.blksize = limits.blksize.min(smaller);
        }
        (limits, Trial { caution: self.clone(), client, stays_open: false })
    }

    fn blksize(&self, client: IpAddr, memory: Duration, now: Instant) -> u16 {
        let mut links = self.links();
        let is_known = |link: &Link| now.saturating_duration_since(link.last) < memory;
        if links.get(&client).is_some_and(|link| !is_known(link)) {
            links.remove(&client);
        }
        if links.len() >= MOST && !links.contains_key(&client) {
            links.retain(|_, link| is_known(link));
            if links.len() >= MOST {
                return BLOCKS[0];
            }
        }
        let link = links.entry(client).or_insert(Link { failures: 0, unproven: None, last: now });
        // A client may ask for several files at once; who got nothing waits before it asks again.
        let in_vain = link.unproven.is_some_and(|since| now - since >= PATIENCE);
        if in_vain && link.failures + 1 < BLOCKS.len() {
            link.failures += 1;
            tracing::info!(%client, blksize = BLOCKS[link.failures], "no block arrived; it gets smaller ones");
        }
        if in_vain || link.failures == 0 {
            link.last = now;
        }
        link.unproven = Some(now);
        BLOCKS[link.failures]
    }

    fn links(&self) -> MutexGuard<'_, BTreeMap<IpAddr, Link>> {
        // Whoever panicked while holding it left whole links.
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Trial {
    /// A block arrived.
    pub(crate) fn arrived(&self) {
        let mut links = self.caution.links();
        match links.get_mut(&self.client) {
            // Nothing is known of a link that works.
            Some(link) if link.failures == 0 => drop(links.remove(&self.client)),
            Some(link) => link.unproven = None,
            None => {}
        }
    }

    /// The client fell silent.
    pub(crate) fn leave_open(mut self) {
        self.stays_open = true;
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        if !self.stays_open {
            self.arrived();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 10, 10, 100));
    const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 10, 10, 101));

    #[allow(clippy::disallowed_methods, reason = "any moment will do")]
    fn start() -> Instant {
        Instant::now()
    }

    #[test]
    fn who_gets_no_block_gets_smaller_ones_and_keeps_what_works() {
        let (caution, limits, start) = (Caution::new(BlockBackOff::default()), Limits::default(), start());
        let mut seconds = 0;
        let mut ask = |client| {
            seconds += 1;
            caution.begin(client, &limits, start + Duration::from_secs(seconds))
        };
        let (large, first) = ask(CLIENT);
        assert_eq!(large.blksize, 1468);
        // It asks again while the first transfer still waits, and that one times out later.
        let (smaller, second) = ask(CLIENT);
        assert_eq!(smaller.blksize, 1024);
        assert_eq!(ask(OTHER).0.blksize, 1468, "another client's link is another");
        first.leave_open();
        second.leave_open();
        let (smallest, third) = ask(CLIENT);
        assert_eq!(smallest.blksize, 512);
        third.arrived();
        third.leave_open();
        assert_eq!(ask(CLIENT).0.blksize, 512, "what works stays");
        ask(CLIENT).1.leave_open();
        assert_eq!(ask(CLIENT).0.blksize, 512, "there is nothing smaller");
    }

    #[test]
    fn what_is_known_is_forgotten_after_a_time() {
        let (caution, limits, start) = (Caution::new(BlockBackOff::default()), Limits::default(), start());
        let ask = |seconds| {
            let (limits, trial) = caution.begin(CLIENT, &limits, start + Duration::from_secs(seconds));
            trial.leave_open();
            limits.blksize
        };
        assert_eq!([ask(0), ask(1), ask(2), ask(3)], [1468, 1024, 512, 512]);
        assert_eq!([ask(3 + 3599), ask(3 + 3599 + 3600)], [512, 1468], "an hour after the last failure");
        assert_eq!(ask(3 + 3599 + 3601), 1024, "and it begins anew");
    }

    #[test]
    fn it_can_be_switched_off() {
        let (caution, limits, start) = (Caution::new(BlockBackOff::Off), Limits::default(), start());
        for second in 0..5 {
            let (same, trial) = caution.begin(CLIENT, &limits, start + Duration::from_secs(second));
            assert_eq!(same.blksize, 1468);
            trial.leave_open();
        }
        assert!(caution.links().is_empty());
    }

    #[test]
    fn invented_addresses_do_not_fill_the_memory() {
        let (caution, limits, start) = (Caution::new(BlockBackOff::default()), Limits::default(), start());
        let ask = |number: u32, now| {
            let (limits, trial) = caution.begin(IpAddr::V4(number.into()), &limits, now);
            trial.leave_open();
            limits.blksize
        };
        for number in 0..2 * MOST as u32 {
            assert_eq!(ask(number, start), 1468);
        }
        assert_eq!(caution.links().len(), MOST);
        let later = start + Duration::from_secs(3600);
        assert_eq!(ask(u32::MAX, later), 1468);
        assert_eq!(caution.links().len(), 1, "there is room again");
    }

    #[test]
    fn another_end_than_silence_says_nothing_of_blocks() {
        let (caution, limits, mut now) = (Caution::new(BlockBackOff::default()), Limits::default(), start());
        for _ in 0..3 {
            now += PATIENCE;
            let (same, trial) = caution.begin(CLIENT, &limits, now);
            assert_eq!(same.blksize, limits.blksize);
            drop(trial);
        }
    }

    #[test]
    fn several_files_at_once_are_no_failure() {
        let (caution, limits, now) = (Caution::new(BlockBackOff::default()), Limits::default(), start());
        let trials = [(); 3].map(|()| caution.begin(CLIENT, &limits, now));
        assert!(trials.iter().all(|(same, _)| same.blksize == limits.blksize));
    }
}
