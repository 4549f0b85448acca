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

/// What is known of clients' links.
#[derive(Debug, Clone, Default)]
pub(crate) struct Caution(Arc<Mutex<BTreeMap<IpAddr, Link>>>);

#[derive(Debug, Clone, Copy, Default)]
struct Link {
    failures: usize,
    /// When a transfer began of which no block has been acknowledged.
    unproven: Option<Instant>,
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
    /// A client asks for a file: the limits for it.
    pub(crate) fn begin(&self, client: IpAddr, limits: &Limits, now: Instant) -> (Limits, Trial) {
        let mut links = self.links();
        let mut limits = *limits;
        if links.len() < MOST || links.contains_key(&client) {
            let link = links.entry(client).or_default();
            // A client may ask for several files at once; who got nothing waits before it asks again.
            let in_vain = link.unproven.is_some_and(|since| now - since >= PATIENCE);
            if in_vain && link.failures + 1 < BLOCKS.len() {
                link.failures += 1;
                tracing::info!(%client, blksize = BLOCKS[link.failures], "no block arrived; it gets smaller ones");
            }
            link.unproven = Some(now);
            limits.blksize = limits.blksize.min(BLOCKS[link.failures]);
        }
        drop(links);
        (limits, Trial { caution: self.clone(), client, stays_open: false })
    }

    fn links(&self) -> MutexGuard<'_, BTreeMap<IpAddr, Link>> {
        // Whoever panicked while holding it left whole links.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Trial {
    /// A block arrived.
    pub(crate) fn arrived(&self) {
        if let Some(link) = self.caution.links().get_mut(&self.client) {
            link.unproven = None;
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
        let (caution, limits, start) = (Caution::default(), Limits::default(), start());
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
    fn another_end_than_silence_says_nothing_of_blocks() {
        let (caution, limits, mut now) = (Caution::default(), Limits::default(), start());
        for _ in 0..3 {
            now += PATIENCE;
            let (same, trial) = caution.begin(CLIENT, &limits, now);
            assert_eq!(same.blksize, limits.blksize);
            drop(trial);
        }
    }

    #[test]
    fn several_files_at_once_are_no_failure() {
        let (caution, limits, now) = (Caution::default(), Limits::default(), start());
        let trials = [(); 3].map(|()| caution.begin(CLIENT, &limits, now));
        assert!(trials.iter().all(|(same, _)| same.blksize == limits.blksize));
    }
}
