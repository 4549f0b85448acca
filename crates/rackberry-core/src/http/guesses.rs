//! How often a client may name a wrong token.

use std::{collections::BTreeMap, net::Ipv4Addr, time::Duration};

use crate::ids::{Bucket, Rate, Time};

/// Of one address. People mistype and scripts are mended; whoever guesses gets on to 8,640 a day.
const EACH: Rate = Rate { burst: 10, pause: Duration::from_secs(10) };
/// Addresses that are kept apart. Beyond them nobody new may guess, until some have been quiet for two minutes.
const MOST: usize = 4096;

/// Wrong tokens of late, by address: who guesses keeps nobody else out.
#[derive(Debug, Default)]
pub struct Guesses(BTreeMap<Ipv4Addr, Bucket>);

impl Guesses {
    /// Whether this client's token is looked at now.
    pub fn may_try(&mut self, client: Ipv4Addr, now: Time) -> bool {
        match self.0.get_mut(&client) {
            Some(bucket) => bucket.left(EACH, now) > 0,
            None => {
                if self.0.len() >= MOST {
                    self.0.retain(|_, bucket| !bucket.is_full(EACH, now));
                }
                self.0.len() < MOST
            }
        }
    }

    /// It was wrong.
    pub fn was_wrong(&mut self, client: Ipv4Addr, now: Time) {
        if self.0.len() < MOST || self.0.contains_key(&client) {
            self.0.entry(client).or_insert_with(|| Bucket::full(EACH, now)).take(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Ipv4Addr = Ipv4Addr::new(10, 10, 10, 100);
    const OTHER: Ipv4Addr = Ipv4Addr::new(10, 10, 10, 101);

    /// How many of these guesses were looked at.
    fn guess(guesses: &mut Guesses, client: Ipv4Addr, count: usize, now: u64) -> usize {
        let looked_at = (0..count).filter(|_| {
            let may = guesses.may_try(client, Time(now));
            if may {
                guesses.was_wrong(client, Time(now));
            }
            may
        });
        looked_at.count()
    }

    #[test]
    fn ten_and_then_one_in_ten_seconds_and_others_are_not_touched() {
        let mut guesses = Guesses::default();
        assert_eq!(guess(&mut guesses, ONE, 1000, 0), 10);
        assert_eq!(guess(&mut guesses, ONE, 1000, 9_999), 0);
        assert_eq!(guess(&mut guesses, ONE, 1000, 10_000), 1);
        assert!(guesses.may_try(OTHER, Time(10_000)));
        let day: usize = (1..=86_400).map(|second| guess(&mut guesses, ONE, 5, 10_000 + second * 1000)).sum();
        assert_eq!(day, 8640);
    }

    #[test]
    fn many_addresses_fill_no_memory() {
        let mut guesses = Guesses::default();
        for client in 0..10_000u32 {
            guess(&mut guesses, client.into(), 1, 0);
        }
        assert_eq!(guesses.0.len(), MOST);
        assert!(!guesses.may_try(ONE, Time(0)));
        assert!(guesses.may_try(ONE, Time(120_000)));
    }
}
