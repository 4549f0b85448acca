use std::collections::{BTreeMap, BTreeSet};

use super::Time;

/// When each of many things ends, in order: whoever waits for the next end, or takes what is over, looks at no other.
#[derive(Debug, Clone)]
pub struct Deadlines<K> {
    of: BTreeMap<K, Time>,
    ordered: BTreeSet<(Time, K)>,
}

impl<K> Default for Deadlines<K> {
    fn default() -> Deadlines<K> {
        Deadlines { of: BTreeMap::new(), ordered: BTreeSet::new() }
    }
}

impl<K: Ord + Copy> Deadlines<K> {
    /// Something ends at this moment, whatever was known of it before.
    pub fn set(&mut self, key: K, at: Time) {
        self.remove(key);
        self.of.insert(key, at);
        self.ordered.insert((at, key));
    }

    /// Something has no end any more.
    pub fn remove(&mut self, key: K) {
        if let Some(at) = self.of.remove(&key) {
            self.ordered.remove(&(at, key));
        }
    }

    /// When this one ends, if it is known.
    pub fn get(&self, key: K) -> Option<Time> {
        self.of.get(&key).copied()
    }

    /// When the next one ends.
    pub fn first(&self) -> Option<Time> {
        self.ordered.first().map(|(at, _)| *at)
    }

    /// Everything that has an end.
    pub fn keys(&self) -> impl Iterator<Item = K> {
        self.of.keys().copied()
    }

    /// What is over at `now`, the earliest first.
    pub fn due(&self, now: Time) -> impl Iterator<Item = K> {
        self.ordered.iter().take_while(move |(at, _)| *at <= now).map(|(_, key)| *key)
    }

    /// Takes out what is over at `now`.
    pub fn take_due(&mut self, now: Time) -> Vec<K> {
        let due: Vec<K> = self.due(now).collect();
        due.iter().for_each(|key| self.remove(*key));
        due
    }

    /// How many there are, those that are over included.
    pub(crate) fn len(&self) -> usize {
        self.of.len()
    }

    /// How many are not over at `now`; it looks at those that are over.
    pub fn ahead(&self, now: Time) -> usize {
        self.of.len() - self.due(now).count()
    }

    /// Nothing ends any more.
    pub fn clear(&mut self) {
        self.of.clear();
        self.ordered.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_first_comes_first_and_once() {
        let mut ends = Deadlines::default();
        for (key, at) in [('a', 30), ('b', 10), ('c', 20), ('b', 25)] {
            ends.set(key, Time(at));
        }
        assert_eq!((ends.first(), ends.get('b'), ends.ahead(Time(20))), (Some(Time(20)), Some(Time(25)), 2));
        assert_eq!(ends.take_due(Time(25)), ['c', 'b']);
        ends.remove('a');
        assert_eq!((ends.first(), ends.keys().count()), (None, 0));
    }
}
