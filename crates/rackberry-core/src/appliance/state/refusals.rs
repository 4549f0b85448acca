//! What each node was refused last: firmware asks again and again, and is told of once.

use std::collections::HashMap;

use crate::ids::Mac;

/// Nodes that are remembered: a flood of invented addresses must not fill the memory.
const MOST: usize = 4096;

/// The last refusals, by node.
#[derive(Debug, Clone, Default)]
pub struct Refusals(HashMap<Mac, String>);

impl Refusals {
    /// Notes why a node was refused. True if that is to be told of.
    pub fn put(&mut self, node: Mac, reason: &str) -> bool {
        let is_news = self.0.get(&node).map(String::as_str) != Some(reason) && self.0.len() < MOST;
        if is_news {
            self.0.insert(node, reason.to_owned());
        }
        is_news
    }

    /// A node is refused nothing any more. True if it was.
    pub fn remove(&mut self, node: Mac) -> bool {
        self.0.remove(&node).is_some()
    }

    /// Why a node was refused last.
    pub fn of(&self, node: Mac) -> Option<&str> {
        self.0.get(&node).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_reason_is_told_once() {
        let (mut refusals, node) = (Refusals::default(), Mac([2, 0, 0, 0, 0, 1]));
        assert!(refusals.put(node, "no loader") && !refusals.put(node, "no loader"));
        assert!(refusals.put(node, "no image"));
        assert_eq!(refusals.of(node), Some("no image"));
        assert!(refusals.remove(node) && !refusals.remove(node));
        assert!(refusals.put(node, "no image"), "after it was granted something");
    }

    #[test]
    fn invented_addresses_don_t_fill_the_memory() {
        let mut refusals = Refusals::default();
        let node = |number: u16| Mac([2, 0, 0, 0, (number >> 8) as u8, number as u8]);
        let told = (0..5000).filter(|number| refusals.put(node(*number), "no loader")).count();
        assert_eq!(told, MOST);
    }
}
