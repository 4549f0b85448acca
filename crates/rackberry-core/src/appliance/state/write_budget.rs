//! How much machines can have written to the card by their DHCP messages. A lease, a start, another kind of firmware: each is
//! a record, and a card wears out by them. Who only asks for the same again costs nothing.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    dhcp::Notice,
    ids::{Bucket, Mac, Rate, Time, Told},
};

/// Records of one machine. A boot makes less than ten.
const EACH: Rate = Rate { burst: 240, pause: Duration::from_secs(5) };
/// Records of all machines together that are neither listed nor were installed from here: a thousand new ones that are switched
/// on at once, and then some 25 MB a day at most.
const STRANGERS: Rate = Rate { burst: 8192, pause: Duration::from_secs(1) };
/// Machines that are kept apart.
const MOST: usize = 4096;

/// What is left to each machine, and to strangers together.
#[derive(Debug, Clone, Default)]
pub struct WriteBudget {
    machines: BTreeMap<Mac, Bucket>,
    strangers: Option<Bucket>,
    told: Told<Option<Mac>>,
}

/// A machine that sends a DHCP message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Writer {
    /// Its card.
    pub mac: Mac,
    /// Whether it is neither listed nor was installed from here.
    pub is_stranger: bool,
}

impl WriteBudget {
    /// Whether a message is handled now.
    ///
    /// # Errors
    /// If not, what to tell of that, where it is news.
    pub fn allow(&mut self, writer: Writer, now: Time) -> Result<(), Option<Notice>> {
        let own = self.machines.get_mut(&writer.mac);
        let culprit = if own.is_some_and(|bucket| bucket.left(EACH, now) == 0) {
            Some(writer.mac)
        } else if writer.is_stranger && self.strangers(now).left(STRANGERS, now) == 0 {
            None
        } else {
            return Ok(());
        };
        Err(self.told.is_news(culprit, now).then_some(Notice::Flood { culprit }))
    }

    /// A message has led to so many records.
    pub fn spend(&mut self, writer: Writer, records: usize, now: Time) {
        let records = u32::try_from(records).unwrap_or(u32::MAX);
        if records == 0 {
            return;
        }
        if writer.is_stranger {
            self.strangers(now).take(records);
        }
        if !self.machines.contains_key(&writer.mac) && self.machines.len() >= MOST {
            self.machines.retain(|_, bucket| !bucket.is_full(EACH, now));
        }
        // Of more machines than that, strangers are bounded together and the others by their number.
        if self.machines.len() < MOST || self.machines.contains_key(&writer.mac) {
            self.machines.entry(writer.mac).or_insert_with(|| Bucket::full(EACH, now)).take(records);
        }
    }

    fn strangers(&mut self, now: Time) -> &mut Bucket {
        self.strangers.get_or_insert_with(|| Bucket::full(STRANGERS, now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mac(number: u32) -> Mac {
        let [a, b, c, d] = number.to_be_bytes();
        Mac([2, 0, a, b, c, d])
    }

    /// How many of these messages are handled, of which each makes `records`.
    fn handled(
        budget: &mut WriteBudget,
        writers: impl Iterator<Item = Writer>,
        records: usize,
        now: u64,
    ) -> usize {
        let writers = writers.filter(|writer| {
            let is_allowed = budget.allow(*writer, Time(now)).is_ok();
            if is_allowed {
                budget.spend(*writer, records, Time(now));
            }
            is_allowed
        });
        writers.count()
    }

    #[test]
    fn a_machine_that_has_the_card_written_without_end_is_not_answered_for_a_while() {
        let (mut budget, one) = (WriteBudget::default(), Writer { mac: mac(1), is_stranger: false });
        assert_eq!(handled(&mut budget, std::iter::repeat_n(one, 10_000), 2, 0), 120);
        let notice = Notice::Flood { culprit: Some(mac(1)) };
        assert_eq!(budget.allow(one, Time(60_000)), Ok(()));
        assert_eq!(handled(&mut budget, std::iter::repeat_n(one, 10_000), 1, 60_000), 12);
        assert_eq!(budget.allow(one, Time(60_001)), Err(None), "told already: {notice}");
        let other = Writer { mac: mac(2), is_stranger: false };
        assert_eq!(handled(&mut budget, std::iter::repeat_n(other, 100), 1, 60_001), 100);
    }

    #[test]
    fn what_makes_no_record_costs_nothing() {
        let (mut budget, one) = (WriteBudget::default(), Writer { mac: mac(1), is_stranger: true });
        assert_eq!(handled(&mut budget, std::iter::repeat_n(one, 100_000), 0, 0), 100_000);
    }

    #[test]
    fn random_addresses_share_one_budget_and_known_machines_have_their_own() {
        let mut budget = WriteBudget::default();
        let strangers =
            |range: std::ops::Range<u32>| range.map(|n| Writer { mac: mac(n), is_stranger: true });
        assert_eq!(handled(&mut budget, strangers(0..1000), 8, 0), 1000, "a whole rack at power-on");
        let day: usize = (1..86_400u32)
            .map(|second| {
                handled(&mut budget, strangers(second * 40..second * 40 + 40), 3, u64::from(second) * 1000)
            })
            .sum();
        assert!(day * 3 <= 8192 + 86_400 * 3, "{day}");
        assert!(budget.machines.len() <= MOST);
        let known = (0..200).map(|n| Writer { mac: mac(n), is_stranger: false });
        assert_eq!(handled(&mut budget, known, 3, 86_400_000), 200);
    }
}
