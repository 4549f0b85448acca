//! Smaller blocks for clients whose link lets no large ones pass: a path with a smaller MTU, firmware with a small
//! buffer. Such a client agrees to the size, gets nothing, and asks anew.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::{options::Limits, transfer::End};

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

/// One transfer, of which it is to be seen whether its blocks arrive.
#[derive(Debug)]
pub(crate) struct Trial {
    caution: Caution,
    client: IpAddr,
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
        (limits, Trial { caution: self.clone(), client })
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

    /// The transfer is over.
    pub(crate) fn ended(&self, end: &End) {
        // Silence leaves it open; who says that it gives up has its reasons, and a probe asks for no blocks.
        if !matches!(end, End::TimedOut) {
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
        assert_eq!(ask(CLIENT).0.blksize, 1468);
        let (smaller, trial) = ask(CLIENT);
        assert_eq!(smaller.blksize, 1024);
        assert_eq!(ask(OTHER).0.blksize, 1468, "another client's link is another");
        trial.ended(&End::TimedOut);
        let (smallest, trial) = ask(CLIENT);
        assert_eq!(smallest.blksize, 512);
        trial.arrived();
        assert_eq!(ask(CLIENT).0.blksize, 512, "what works stays");
        assert_eq!(ask(CLIENT).0.blksize, 512, "there is nothing smaller");
    }

    #[test]
    fn a_probe_and_a_refusal_say_nothing_of_blocks() {
        let (caution, limits, mut now) = (Caution::default(), Limits::default(), start());
        for end in [End::Probe, End::Complete, End::Failed("gone".into())] {
            now += PATIENCE;
            let (same, trial) = caution.begin(CLIENT, &limits, now);
            assert_eq!(same.blksize, limits.blksize);
            trial.ended(&end);
        }
    }

    #[test]
    fn several_files_at_once_are_no_failure() {
        let (caution, limits, now) = (Caution::default(), Limits::default(), start());
        for _ in 0..3 {
            assert_eq!(caution.begin(CLIENT, &limits, now).0.blksize, limits.blksize);
        }
    }
}
