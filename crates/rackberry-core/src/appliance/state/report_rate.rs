//! How often a machine may report: each report may cost a write of the card.

use std::{collections::BTreeMap, time::Duration};

use crate::ids::{Bucket, Mac, Rate, Time};

/// What a machine may report. An install makes less than ten.
const RATE: Rate = Rate { burst: 60, pause: Duration::from_secs(10) };
/// Of more machines than this nothing is remembered; those that were silent longest are forgotten.
const MOST: usize = 4096;

/// A bucket for each machine that has reported of late.
#[derive(Debug, Clone, Default)]
pub struct ReportRate(BTreeMap<Mac, Bucket>);

impl ReportRate {
    /// Whether one more report of this machine is taken now.
    pub fn takes(&mut self, mac: Mac, now: Time) -> bool {
        if !self.0.contains_key(&mac) && self.0.len() >= MOST {
            self.0.retain(|_, bucket| !bucket.is_full(RATE, now));
            if self.0.len() >= MOST {
                return false;
            }
        }
        let bucket = self.0.entry(mac).or_insert_with(|| Bucket::full(RATE, now));
        let takes = bucket.left(RATE, now) > 0;
        bucket.take(1);
        takes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_reports_is_cut_and_an_install_never_is() {
        let (one, two) = (Mac([2, 0, 0, 0, 0, 1]), Mac([2, 0, 0, 0, 0, 2]));
        let mut rate = ReportRate::default();
        let taken = (0..4100).filter(|_| rate.takes(one, Time(1000))).count();
        assert_eq!(taken, 60);
        assert!(rate.takes(two, Time(1000)), "others are not touched");
        assert!(!rate.takes(one, Time(9000)));
        assert!(rate.takes(one, Time(11_500)) && !rate.takes(one, Time(11_500)));
        let day = (0..86_400).filter(|second| rate.takes(one, Time(20_000 + second * 1000))).count();
        assert!(day <= 60 + 8640, "{day}");
    }

    #[test]
    fn of_many_machines_those_are_forgotten_that_are_silent() {
        let mac = |number: u32| {
            let [a, b, c, d] = number.to_be_bytes();
            Mac([2, 0, a, b, c, d])
        };
        let mut rate = ReportRate::default();
        assert!((0..4096).all(|number| rate.takes(mac(number), Time(0))));
        assert!(!rate.takes(mac(5000), Time(1000)));
        assert!(rate.takes(mac(5000), Time(700_000)));
    }
}
