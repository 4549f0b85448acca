//! From the button's edges to what the person meant.

use std::time::Duration;

use crate::ids::Time;

/// What a press means, by its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gesture {
    /// Under a second.
    Short,
    /// Two seconds.
    Two,
    /// Ten seconds.
    Ten,
}

/// How far a press is that goes on, for the LED that answers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// Long enough to mean [`Gesture::Two`] when it is released now.
    Two,
    /// [`Gesture::Ten`].
    Ten,
    /// Too long for a finger: it means nothing any more.
    TooLong,
}

/// A contact bounces for less than this, and a finger is not faster.
const SETTLE: Duration = Duration::from_millis(30);
const SHORT: Duration = Duration::from_secs(1);
const TWO: Duration = Duration::from_secs(2);
const TEN: Duration = Duration::from_secs(10);
const STUCK: Duration = Duration::from_secs(20);
/// More interruptions than this in one press are noise on the line.
const MOST_GLITCHES: u8 = 3;
/// How long a line that was noisy or stuck must be quiet before it counts again.
const QUIET: Duration = Duration::from_millis(500);

/// The button: edges and time in, gestures out. What a press means is decided when it is released, so that a
/// line which sticks never means anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Button {
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Up,
    Down {
        since: Time,
        glitches: u8,
    },
    /// Up, but perhaps only for a moment.
    Releasing {
        since: Time,
        released: Time,
        glitches: u8,
    },
    /// Nothing counts until the line is quiet; the time says since when it is up.
    Ignored {
        up: Option<Time>,
    },
}

impl Button {
    /// A button that is `pressed` when the service starts is held or stuck: that press never counts.
    pub fn new(pressed: bool) -> Button {
        Button { state: if pressed { State::Ignored { up: None } } else { State::Up } }
    }

    /// The line changed. Times must not go back.
    pub fn edge(&mut self, pressed: bool, now: Time) {
        self.state = match (self.state, pressed) {
            (State::Up, true) => State::Down { since: now, glitches: 0 },
            (State::Down { since, glitches }, false) => State::Releasing { since, released: now, glitches },
            // Contacts bounce when they close, too; that is no noise yet.
            (State::Releasing { since, released, glitches }, true) if released.since(since) < SETTLE => {
                State::Down { since, glitches }
            }
            (State::Releasing { since, glitches, .. }, true) if glitches < MOST_GLITCHES => {
                State::Down { since, glitches: glitches + 1 }
            }
            (State::Releasing { .. } | State::Ignored { .. }, true) => State::Ignored { up: None },
            (State::Ignored { .. }, false) => State::Ignored { up: Some(now) },
            (same, _) => same,
        };
    }

    /// What time alone brings about: call it at [`Button::deadline`].
    pub fn tick(&mut self, now: Time) -> Option<Gesture> {
        match self.state {
            State::Releasing { since, released, .. } if now >= released + SETTLE => {
                self.state = State::Up;
                gesture(released.since(since))
            }
            State::Ignored { up: Some(up) } if now >= up + QUIET => {
                self.state = State::Up;
                None
            }
            _ => None,
        }
    }

    /// When [`Button::tick`] or [`Button::held`] has something new.
    pub fn deadline(&self, now: Time) -> Option<Time> {
        match self.state {
            State::Up | State::Ignored { up: None } => None,
            State::Releasing { released, .. } => Some(released + SETTLE),
            State::Ignored { up: Some(up) } => Some(up + QUIET),
            State::Down { since, .. } => {
                [TWO, TEN, STUCK].into_iter().map(|held| since + held).find(|time| *time > now)
            }
        }
    }

    /// How far the press is that goes on.
    pub fn held(&self, now: Time) -> Option<Held> {
        let (State::Down { since, .. } | State::Releasing { since, .. }) = self.state else { return None };
        let length = now.since(since);
        [(STUCK, Held::TooLong), (TEN, Held::Ten), (TWO, Held::Two)]
            .into_iter()
            .find_map(|(from, held)| (length >= from).then_some(held))
    }
}

fn gesture(length: Duration) -> Option<Gesture> {
    if length < SETTLE {
        None
    } else if length < SHORT {
        Some(Gesture::Short)
    } else if length < TWO {
        // Neither quick nor held: the person thought better of it.
        None
    } else if length < TEN {
        Some(Gesture::Two)
    } else if length < STUCK {
        Some(Gesture::Ten)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Presses of given lengths with given pauses before them, in milliseconds.
    fn gestures(button: &mut Button, presses: &[(u64, u64)]) -> Vec<Gesture> {
        let (mut now, mut seen) = (Time(1_000_000), Vec::new());
        let wait = |button: &mut Button, now: &mut Time, length: u64, seen: &mut Vec<Gesture>| {
            let end = *now + Duration::from_millis(length);
            while let Some(deadline) = button.deadline(*now).filter(|deadline| *deadline <= end) {
                seen.extend(button.tick(deadline));
                *now = deadline;
            }
            *now = end;
        };
        for (pause, press) in presses {
            wait(button, &mut now, *pause, &mut seen);
            button.edge(true, now);
            wait(button, &mut now, *press, &mut seen);
            button.edge(false, now);
        }
        wait(button, &mut now, 5_000, &mut seen);
        seen
    }

    #[test]
    fn a_press_means_what_its_length_says() {
        let cases = [
            (10, None),
            (200, Some(Gesture::Short)),
            (1500, None),
            (2000, Some(Gesture::Two)),
            (9_900, Some(Gesture::Two)),
            (10_000, Some(Gesture::Ten)),
            (20_000, None),
            (3_600_000, None),
        ];
        for (length, meaning) in cases {
            let seen = gestures(&mut Button::new(false), &[(1000, length)]);
            assert_eq!(seen, Vec::from_iter(meaning), "{length} ms");
        }
    }

    #[test]
    fn a_button_held_at_the_start_counts_from_its_next_press_on() {
        let mut button = Button::new(true);
        button.edge(false, Time(5_000));
        assert_eq!(button.tick(Time(5_400)), None);
        // Too soon: the line is not trusted yet.
        button.edge(true, Time(5_450));
        button.edge(false, Time(8_000));
        assert_eq!(button.tick(button.deadline(Time(8_000)).unwrap()), None);
        assert_eq!(gestures(&mut button, &[(100, 2_500)]), [Gesture::Two]);
    }

    #[test]
    fn a_bouncing_contact_is_one_press() {
        let bouncing = [(1000, 2), (1, 3), (2, 1), (1, 2_100), (5, 1), (3, 2)];
        assert_eq!(gestures(&mut Button::new(false), &bouncing), [Gesture::Two]);
    }

    #[test]
    fn hum_is_no_press() {
        let hum = [(10, 10); 400];
        assert_eq!(gestures(&mut Button::new(false), &hum), []);
        let mut button = Button::new(false);
        gestures(&mut button, &hum);
        assert_eq!(gestures(&mut button, &[(2_000, 2_000)]), [Gesture::Two], "afterwards it works again");
    }

    #[test]
    fn the_led_answers_while_it_is_held() {
        let mut button = Button::new(false);
        button.edge(true, Time(0));
        assert_eq!((button.held(Time(1_999)), button.held(Time(2_000))), (None, Some(Held::Two)));
        assert_eq!(
            (button.held(Time(10_000)), button.held(Time(20_000))),
            (Some(Held::Ten), Some(Held::TooLong))
        );
        assert_eq!(button.deadline(Time(0)), Some(Time(2_000)));
        assert_eq!(button.deadline(Time(2_000)), Some(Time(10_000)));
        assert_eq!(button.deadline(Time(20_000)), None);
    }

    proptest! {
        /// Whatever edges come: two seconds are only ever meant by a line that was down for two seconds, with
        /// at most a few gaps that no finger makes.
        #[test]
        fn nothing_arms_by_accident(presses in prop::collection::vec((1u64..100, 30u64..700), 1..200)) {
            // No single press is as long as a second, so a held one would have to be pieced together. All are
            // longer than a bounce, so that each gap between them counts.
            let joined = |run: &[(u64, u64)]| {
                let (first, rest) = run.split_first().unwrap();
                let gaps = rest.iter().take_while(|(pause, _)| *pause <= 30).take(usize::from(MOST_GLITCHES));
                first.1 + gaps.map(|(pause, press)| pause + press).sum::<u64>()
            };
            let seen = gestures(&mut Button::new(false), &presses);
            if seen.iter().any(|gesture| *gesture != Gesture::Short) {
                let most = (0..presses.len()).map(|at| joined(&presses[at..])).max().unwrap_or(0);
                prop_assert!(most >= 2_000, "{seen:?}, longest {most} ms");
            }
        }

        #[test]
        fn rubbish_ends_in_a_state_that_works(edges in prop::collection::vec((any::<bool>(), 0u64..3_000), 0..60)) {
            let (mut button, mut now) = (Button::new(false), Time(0));
            for (pressed, pause) in edges {
                now = now + Duration::from_millis(pause);
                button.tick(now);
                button.edge(pressed, now);
            }
            button.edge(false, now);
            let later = now + Duration::from_secs(1);
            button.tick(later);
            prop_assert_eq!(gestures(&mut Button { state: button.state }, &[(2_000, 3_000)]), [Gesture::Two]);
        }
    }
}
