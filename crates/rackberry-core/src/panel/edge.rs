//! What the kernel tells of a line's edges, and what got lost.

use super::button::{Contact, Edge};
use crate::ids::Time;

/// Watches the numbers that the kernel gives the edges of a line. Its queue is short, and when it overflows,
/// edges are dropped without a word: only their numbers are missing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tracker {
    last: Option<u32>,
}

impl Tracker {
    /// The edge numbered `number`.
    pub fn edge(&mut self, number: u32, contact: Contact, at: Time) -> Edge {
        // They count from 1 at each request of the line.
        let after_loss = number != self.last.unwrap_or(0).wrapping_add(1);
        self.last = Some(number);
        Edge { pressed: contact == Contact::Pressed, at, after_loss }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_in_the_numbers_is_a_loss() {
        let mut tracker = Tracker::default();
        let mut lost = |number| tracker.edge(number, Contact::Pressed, Time(0)).after_loss;
        assert_eq!([lost(1), lost(2), lost(5), lost(6), lost(6)], [false, false, true, false, true]);
        let mut late = Tracker::default();
        assert!(late.edge(2, Contact::Pressed, Time(0)).after_loss, "the first one never came");
        let mut wraps = Tracker { last: Some(u32::MAX) };
        assert!(!wraps.edge(0, Contact::Pressed, Time(0)).after_loss);
    }
}
