//! What each node was refused last: firmware asks again and again, and is told of once.

use std::{collections::HashMap, time::Duration};

use crate::ids::{Mac, Time};

/// Nodes that are remembered: a flood of invented addresses must not fill the memory.
const MOST: usize = 4096;
/// Refusals that are told of one node in this time: a reason may change with each start, as the machine says.
const EACH: usize = 4;
const SAY_AGAIN: Duration = Duration::from_secs(60);

/// The last refusals, by node.
#[derive(Debug, Clone, Default)]
pub struct Refusals(HashMap<Mac, Refused>);

#[derive(Debug, Clone)]
struct Refused {
    reason: String,
    /// How many were told since when.
    told: usize,
    since: Time,
}

impl Refusals {
    /// Notes why a node was refused. True if that is to be told of.
    pub fn put(&mut self, node: Mac, reason: &str, now: Time) -> bool {
        let is_full = self.0.len() >= MOST && !self.0.contains_key(&node);
        if is_full || self.of(node) == Some(reason) {
            return false;
        }
        let fresh = Refused { reason: String::new(), told: 0, since: now };
        let refused = self.0.entry(node).or_insert(fresh);
        reason.clone_into(&mut refused.reason);
        if now.since(refused.since) >= SAY_AGAIN {
            (refused.since, refused.told) = (now, 0);
        }
        refused.told += 1;
        refused.told <= EACH
    }

    /// A node is refused nothing any more. True if it was.
    pub fn remove(&mut self, node: Mac) -> bool {
        self.0.remove(&node).is_some()
    }

    /// Why a node was refused last.
    pub fn of(&self, node: Mac) -> Option<&str> {
        self.0.get(&node).map(|refused| refused.reason.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_reason_is_told_once() {
        let (mut refusals, node) = (Refusals::default(), Mac([2, 0, 0, 0, 0, 1]));
        assert!(refusals.put(node, "no loader", Time(0)) && !refusals.put(node, "no loader", Time(0)));
        assert!(refusals.put(node, "no image", Time(0)));
        assert_eq!(refusals.of(node), Some("no image"));
        assert!(refusals.remove(node) && !refusals.remove(node));
        assert!(refusals.put(node, "no image", Time(0)), "after it was granted something");
    }

    #[test]
    fn a_reason_that_changes_with_each_start_is_told_four_times_a_minute() {
        let (mut refusals, node) = (Refusals::default(), Mac([2, 0, 0, 0, 0, 1]));
        let mut told = |from: usize, now| {
            (from..from + 1000).filter(|n| refusals.put(node, &format!("no loader {n}"), Time(now))).count()
        };
        assert_eq!((told(0, 0), told(1000, 59_999), told(2000, 60_000)), (EACH, 0, EACH));
        assert_eq!(refusals.of(node), Some("no loader 2999"), "the last one is shown");
    }

    #[test]
    fn invented_addresses_don_t_fill_the_memory() {
        let mut refusals = Refusals::default();
        let node = |number: u16| Mac([2, 0, 0, 0, (number >> 8) as u8, number as u8]);
        let told = (0..5000).filter(|number| refusals.put(node(*number), "no loader", Time(0))).count();
        assert_eq!(told, MOST);
    }
}
