//! What was denied to whom lately, so that the log tells each denial and not each request.

use std::{collections::BTreeMap, net::Ipv4Addr, time::Duration};

use crate::ids::{Time, Told};

/// Reasons that are told of one client in a minute. A node that is led wrongly has two or three.
const EACH: usize = 8;
/// Clients that are kept apart; of more nothing is told.
const MOST: usize = 256;
const SAY_AGAIN: Duration = Duration::from_secs(60);

/// By client's address: nobody takes away another one's lines.
#[derive(Debug, Clone, Default)]
pub struct Denials(BTreeMap<Ipv4Addr, Client>);

#[derive(Debug, Clone)]
struct Client {
    told: Told<String>,
    since: Time,
    count: usize,
}

impl Denials {
    /// Whether it is to be told now that a client was denied something.
    pub fn is_news(&mut self, client: Ipv4Addr, reason: &str, now: Time) -> bool {
        if !self.0.contains_key(&client) && self.0.len() >= MOST {
            self.0.retain(|_, client| now.since(client.since) < SAY_AGAIN);
            if self.0.len() >= MOST {
                return false;
            }
        }
        let fresh = Client { told: Told::default(), since: now, count: 0 };
        let client = self.0.entry(client).or_insert(fresh);
        if now.since(client.since) >= SAY_AGAIN {
            (client.since, client.count) = (now, 0);
        }
        let is_news = client.count < EACH && client.told.is_news(reason.to_owned(), now);
        client.count += usize::from(is_news);
        is_news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Ipv4Addr = Ipv4Addr::new(10, 10, 10, 100);
    const OTHER: Ipv4Addr = Ipv4Addr::new(10, 10, 10, 101);

    #[test]
    fn who_asks_in_vain_without_end_has_some_lines_and_others_theirs() {
        let mut denials = Denials::default();
        assert!(denials.is_news(ONE, "no grant", Time(0)) && !denials.is_news(ONE, "no grant", Time(1)));
        let told = (0..10_000).filter(|n| denials.is_news(ONE, &format!("no file {n}"), Time(2))).count();
        assert_eq!(told, EACH - 1);
        assert!(denials.is_news(OTHER, "no grant", Time(3)));
        assert!(denials.is_news(ONE, "no grant", Time(60_001)), "a minute later");
    }

    #[test]
    fn invented_addresses_fill_neither_log_nor_memory() {
        let mut denials = Denials::default();
        let told = |denials: &mut Denials, now| {
            (0..5000u32).filter(|n| denials.is_news((*n).into(), "no grant", Time(now))).count()
        };
        assert_eq!(told(&mut denials, 0), MOST);
        assert_eq!(denials.0.len(), MOST);
        assert_eq!(told(&mut denials, 60_000), MOST);
    }
}
