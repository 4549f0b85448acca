//! What a single LED does over time.

use std::time::Duration;

use crate::ids::Time;

/// A rhythm. All LEDs follow the same clock, so equal rhythms beat together.
///
/// The lengths are apart by a factor of two where rhythms are of one kind, so that a person tells a wink (60 ms)
/// from an error pulse (250 ms) and from an install that has just begun (600 ms).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pattern {
    /// Dark.
    Off,
    /// Lit.
    Steady,
    /// A short wink every so many milliseconds.
    Wink(u64),
    /// Lit for half of so many milliseconds.
    Blink(u64),
    /// Two short blinks a second.
    Double,
    /// Lit for this part, in percent, of each two seconds; 30 to 90, so that it is never mistaken for the others.
    Part(u8),
    /// So many pulses, then a gap of two seconds.
    Pulses(u8),
}

const WINK: u64 = 60;
const DOUBLE: u64 = 80;
const PULSE: u64 = 250;
const GAP: u64 = 2000;
const PART: u64 = 2000;

impl Pattern {
    /// The rhythm of a transfer of `sent` out of `total` bytes.
    pub fn part(sent: u64, total: u64) -> Pattern {
        let percent = if total == 0 { 0 } else { u128::from(sent) * 100 / u128::from(total) };
        Pattern::Part(u8::try_from(percent).unwrap_or(100).clamp(30, 90))
    }

    /// Which of its rounds a transfer's rhythm is in at `now`.
    pub fn part_round(now: Time) -> u64 {
        now.0 / PART
    }

    /// Lit and dark for so many milliseconds, in turn, over and over; lit first. Empty for a light that does
    /// not change.
    fn cycle(self) -> Vec<u64> {
        match self {
            Pattern::Off | Pattern::Steady | Pattern::Pulses(0) => Vec::new(),
            Pattern::Wink(every) => vec![WINK, every - WINK],
            Pattern::Blink(period) => vec![period / 2, period / 2],
            Pattern::Double => vec![DOUBLE, DOUBLE, DOUBLE, 1000 - 3 * DOUBLE],
            Pattern::Part(percent) => {
                let lit = PART * u64::from(percent) / 100;
                vec![lit, PART - lit]
            }
            Pattern::Pulses(count) => {
                let mut cycle = vec![PULSE; usize::from(count) * 2];
                if let Some(last) = cycle.last_mut() {
                    *last = GAP;
                }
                cycle
            }
        }
    }

    /// How bright it is where that can be chosen, while it is lit: a transfer gets brighter as it goes on.
    pub fn level(self) -> u8 {
        match self {
            Pattern::Off => 0,
            Pattern::Part(percent) => u8::try_from(255 * u16::from(percent) / 100).unwrap_or(u8::MAX),
            _ => u8::MAX,
        }
    }

    /// How long one round takes; nothing for a light that does not change.
    pub fn round(self) -> Duration {
        Duration::from_millis(self.cycle().iter().sum())
    }

    /// Whether the LED is lit at `now`.
    pub fn is_lit(self, now: Time) -> bool {
        match self.place(now) {
            Some((index, _)) => index % 2 == 0,
            None => self == Pattern::Steady,
        }
    }

    /// When it changes next, if ever.
    pub fn next_change(self, now: Time) -> Option<Time> {
        self.place(now).map(|(_, left)| now + Duration::from_millis(left))
    }

    /// Which part of its cycle it is in, and for how long still.
    fn place(self, now: Time) -> Option<(usize, u64)> {
        let cycle = self.cycle();
        let mut rest = now.0.checked_rem(cycle.iter().sum())?;
        for (index, length) in cycle.into_iter().enumerate() {
            if rest < length {
                return Some((index, length - rest));
            }
            rest -= length;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What an eye takes from a rhythm: how many flashes, how long the first is, how long a round takes.
    fn looks(pattern: Pattern) -> (usize, u64, u64) {
        let cycle = pattern.cycle();
        (cycle.len() / 2, cycle.first().copied().unwrap_or_default(), cycle.iter().sum())
    }

    fn are_told_apart(one: Pattern, other: Pattern) -> bool {
        let ((flashes, lit, round), (flashes2, lit2, round2)) = (looks(one), looks(other));
        let apart = |a: u64, b: u64| a.max(b) * 10 >= a.min(b) * 19;
        flashes != flashes2 || apart(lit, lit2) || apart(round, round2)
    }

    #[test]
    fn rhythms_of_node_leds_are_told_apart() {
        let mut all = vec![Pattern::Wink(2000), Pattern::Blink(1000), Pattern::Double];
        all.extend((1..=6).map(Pattern::Pulses));
        for (index, one) in all.iter().enumerate() {
            for other in &all[index + 1..] {
                assert!(are_told_apart(*one, *other), "{one:?} looks like {other:?}");
            }
            for percent in 30..=90 {
                assert!(are_told_apart(*one, Pattern::Part(percent)), "{one:?} looks like {percent} %");
            }
        }
    }

    #[test]
    fn rhythms_of_the_status_led_are_told_apart() {
        let mut all = vec![Pattern::Wink(4000), Pattern::Blink(2000), Pattern::Blink(500)];
        all.extend((2..=7).map(Pattern::Pulses));
        for (index, one) in all.iter().enumerate() {
            for other in &all[index + 1..] {
                assert!(are_told_apart(*one, *other), "{one:?} looks like {other:?}");
            }
        }
    }

    #[test]
    fn a_wink_is_lit_for_its_time() {
        let wink = Pattern::Wink(2000);
        assert!(wink.is_lit(Time(4000)) && wink.is_lit(Time(4059)) && !wink.is_lit(Time(4060)));
        assert_eq!(wink.next_change(Time(4010)), Some(Time(4060)));
        assert_eq!(wink.next_change(Time(4060)), Some(Time(6000)));
        assert_eq!(Pattern::Steady.next_change(Time(5)), None);
        assert!(Pattern::Steady.is_lit(Time(5)) && !Pattern::Off.is_lit(Time(5)));
    }

    proptest! {
        #[test]
        fn a_pattern_changes_when_it_says_that_it_changes_next(now in 0u64..1 << 50, pulses in 1u8..20, percent in 30u8..=90) {
            for pattern in [Pattern::Pulses(pulses), Pattern::Part(percent), Pattern::Double, Pattern::Blink(500)] {
                let next = pattern.next_change(Time(now)).unwrap();
                prop_assert!(next > Time(now));
                prop_assert_ne!(pattern.is_lit(Time(now)), pattern.is_lit(next));
                prop_assert_eq!(pattern.is_lit(Time(now)), pattern.is_lit(Time(next.0 - 1)));
            }
        }

        #[test]
        fn any_count_has_a_part(sent in any::<u64>(), total in any::<u64>()) {
            let part = Pattern::part(sent, total);
            prop_assert!(matches!(part, Pattern::Part(30..=90)));
        }
    }
}
