//! The clock of guessed tokens.

use std::{
    net::Ipv4Addr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::time::Instant;

use rackberry_core::{http::guesses::Guesses, ids::Time};

/// Wrong tokens of late.
#[derive(Debug)]
pub(super) struct GuessLimit {
    guesses: Mutex<Guesses>,
    start: Instant,
}

impl Default for GuessLimit {
    #[allow(clippy::disallowed_methods)] // An adapter that waits for the network may.
    fn default() -> GuessLimit {
        GuessLimit { guesses: Mutex::default(), start: Instant::now() }
    }
}

impl GuessLimit {
    /// Whether this client's token is looked at now.
    pub(super) fn may_try(&self, client: Ipv4Addr) -> bool {
        self.guesses().may_try(client, self.now())
    }

    /// It was wrong.
    pub(super) fn was_wrong(&self, client: Ipv4Addr) {
        self.guesses().was_wrong(client, self.now());
    }

    fn now(&self) -> Time {
        Time(u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    fn guesses(&self) -> MutexGuard<'_, Guesses> {
        // Whoever panicked while holding it left whole counts.
        self.guesses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
