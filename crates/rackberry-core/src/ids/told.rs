//! What was told lately: who sends the same thing a thousand times a second fills no log with it.

use std::{collections::BTreeMap, time::Duration};

use crate::ids::Time;

/// How often the same is told.
const SAY_AGAIN: Duration = Duration::from_secs(60);
/// Things that are told in that time: whoever makes them up must fill neither log nor memory.
const MOST: usize = 32;

/// Remembers for a minute what was told: the same again is no news, nor is anything once 32 things were told.
#[derive(Debug, Clone)]
pub struct Told<T>(BTreeMap<T, Time>);

impl<T> Default for Told<T> {
    fn default() -> Told<T> {
        Told(BTreeMap::new())
    }
}

impl<T: Ord> Told<T> {
    /// Whether something is to be told now. If so, it counts as told.
    pub fn is_news(&mut self, what: T, now: Time) -> bool {
        self.0.retain(|_, said| now.since(*said) < SAY_AGAIN);
        let is_news = self.0.len() < MOST && !self.0.contains_key(&what);
        if is_news {
            self.0.insert(what, now);
        }
        is_news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_told_once_a_minute_and_all_together_thirty_two_things() {
        let mut told = Told::default();
        assert!(told.is_news(0, Time(0)) && !told.is_news(0, Time(59_999)));
        assert!(told.is_news(0, Time(60_000)), "a minute later");
        let others = (1..1000).filter(|thing| told.is_news(*thing, Time(60_001))).count();
        assert_eq!(others, MOST - 1);
        assert!(told.is_news(999, Time(120_001)), "there is room again");
    }
}
