//! Presses at stated times, and that nothing but a press of two seconds ever arms.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;
use crate::panel::edge::Tracker;

fn edge(contact: impl Into<Contact>, at: Time) -> Edge {
    Edge { pressed: contact.into() == Contact::Pressed, at, after_loss: false }
}

/// Lets time pass: all that is due until `end`.
fn wait(button: &mut Button, now: &mut Time, length: u64, seen: &mut Vec<Gesture>) {
    let end = *now + Duration::from_millis(length);
    while let Some(deadline) = button.deadline(*now).filter(|deadline| *deadline <= end) {
        seen.extend(button.tick(deadline).map(|press| press.gesture));
        *now = deadline;
    }
    *now = end;
}

/// Presses of given lengths with given pauses before them, in milliseconds.
fn gestures(button: &mut Button, presses: &[(u64, u64)]) -> Vec<Gesture> {
    let (mut now, mut seen) = (button.last.max(Time(1_000_000)), Vec::new());
    for (pause, press) in presses {
        wait(button, &mut now, *pause, &mut seen);
        seen.extend(button.edge(edge(true, now)).map(|press| press.gesture));
        wait(button, &mut now, *press, &mut seen);
        seen.extend(button.edge(edge(false, now)).map(|press| press.gesture));
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
        let seen = gestures(&mut Button::new(Contact::Released), &[(1000, length)]);
        assert_eq!(seen, Vec::from_iter(meaning), "{length} ms");
    }
}

#[test]
fn a_button_held_at_the_start_counts_from_its_next_press_on() {
    let mut button = Button::new(Contact::Pressed);
    button.edge(edge(false, Time(5_000)));
    assert_eq!(button.tick(Time(5_400)), None);
    // Too soon: the line is not trusted yet.
    button.edge(edge(true, Time(5_450)));
    button.edge(edge(false, Time(8_000)));
    assert_eq!(button.tick(button.deadline(Time(8_000)).unwrap()), None);
    assert_eq!(gestures(&mut button, &[(100, 2_500)]), [Gesture::Two]);
}

#[test]
fn a_bouncing_contact_is_one_press() {
    let bouncing = [(1000, 2), (1, 3), (2, 1), (1, 2_100), (5, 1), (3, 2)];
    assert_eq!(gestures(&mut Button::new(Contact::Released), &bouncing), [Gesture::Two]);
    // A bad one bounces twenty times each way.
    let mut bad = vec![(1, 1); 20];
    bad.push((1, 2_050));
    bad.extend([(1, 1); 20]);
    assert_eq!(gestures(&mut Button::new(Contact::Released), &bad), [Gesture::Two]);
}

#[test]
fn fast_noise_that_ends_a_press_or_is_one_arms_nothing() {
    for (pause, press) in [(1, 1), (2, 5), (1, 29), (29, 1), (3, 3)] {
        let noise = vec![(pause, press); usize::try_from(3_000 / (pause + press)).unwrap()];
        assert_eq!(gestures(&mut Button::new(Contact::Released), &noise), [], "{pause} {press}");
        let after = [vec![(1000, 100)], noise].concat();
        assert_eq!(gestures(&mut Button::new(Contact::Released), &after), [], "{pause} {press}");
    }
}

#[test]
fn hum_is_no_press() {
    let hum = [(10, 10); 400];
    assert_eq!(gestures(&mut Button::new(Contact::Released), &hum), []);
    let mut button = Button::new(Contact::Released);
    gestures(&mut button, &hum);
    assert_eq!(gestures(&mut button, &[(2_000, 2_000)]), [Gesture::Two], "afterwards it works again");
}

#[test]
fn the_led_answers_while_it_is_held() {
    let mut button = Button::new(Contact::Released);
    button.edge(edge(true, Time(0)));
    assert_eq!((button.held(Time(1_999)), button.held(Time(2_000))), (None, Some(Held::Two)));
    assert_eq!(
        (button.held(Time(10_000)), button.held(Time(20_000))),
        (Some(Held::Ten), Some(Held::TooLong))
    );
    assert_eq!(button.deadline(Time(0)), Some(Time(2_000)));
    assert_eq!(button.deadline(Time(2_000)), Some(Time(10_000)));
    assert_eq!(button.deadline(Time(20_000)), None);
}

#[test]
fn edges_that_come_late_and_together_are_told_apart_by_their_own_times() {
    // Two presses of 0.9 s, half a second apart, read at once: not one of 2.3 s.
    let mut button = Button::new(Contact::Released);
    let mut seen = Vec::new();
    for (pressed, at) in [(true, 1000), (false, 1900), (true, 2400), (false, 3300)] {
        seen.extend(button.edge(edge(pressed, Time(at))));
    }
    seen.extend(button.tick(Time(60_000)));
    let short = |released| Press { gesture: Gesture::Short, released: Time(released) };
    assert_eq!(seen, [short(1900), short(3300)]);
}

#[test]
fn a_press_with_lost_edges_means_nothing() {
    let mut button = Button::new(Contact::Released);
    button.edge(edge(true, Time(1000)));
    // Released and pressed again, which was lost.
    assert_eq!(button.edge(Edge { pressed: false, at: Time(3100), after_loss: true }), None);
    assert_eq!(button.tick(Time(10_000)), None);
    assert_eq!(gestures(&mut button, &[(100, 2_500)]), [Gesture::Two], "the next one does");
    // Time that goes back is as bad.
    let mut button = Button::new(Contact::Released);
    button.edge(edge(true, Time(5000)));
    button.edge(edge(false, Time(4000)));
    assert_eq!(button.tick(Time(50_000)), None);
}

/// The kernel's queue of edges, which drops the oldest when nobody reads.
struct Kernel {
    queue: VecDeque<(u32, bool, Time)>,
    number: u32,
}

/// What a queue of one line holds in the kernel.
const QUEUE: usize = 16;

impl Kernel {
    fn edge(&mut self, contact: Contact, at: Time) {
        self.number += 1;
        if self.queue.len() == QUEUE {
            self.queue.pop_front();
        }
        self.queue.push_back((self.number, contact == Contact::Pressed, at));
    }
}

/// A line's true levels as lengths in milliseconds, up first. Sees whether anywhere it was down for two seconds,
/// gaps that no finger makes left out, so few of them that it is no noise.
fn was_held(lengths: &[u64]) -> bool {
    let downs = |from: usize| {
        // When the last glitch began: what follows within 30 ms is part of it.
        let (mut held, mut glitches, mut last) = (lengths[from], 0, 0);
        for pair in lengths[from + 1..].chunks_exact(2) {
            let (gap, down) = (pair[0], pair[1]);
            if held + gap >= last + 30 {
                (glitches, last) = (glitches + 1, held + gap);
            }
            if gap > 30 || glitches > MOST_GLITCHES {
                break;
            }
            held += gap + down;
        }
        held
    };
    (1..lengths.len()).step_by(2).any(|from| downs(from) >= 2_000)
}

proptest! {
    /// The way of a real edge: a line with noise, the kernel's queue, a reader that stalls and comes late.
    /// Whatever happens, two seconds are only ever meant by a line that was down for two seconds.
    #[test]
    fn nothing_arms_by_accident(
        lengths in prop::collection::vec(prop_oneof![4 => 1u64..40, 2 => 30u64..700, 1 => 500u64..2_500], 2..200),
        stalls in prop::collection::vec(prop_oneof![3 => 0u64..20, 1 => 0u64..6_000], 1..40),
    ) {
        let mut kernel = Kernel { queue: VecDeque::new(), number: 0 };
        let (mut button, mut tracker) = (Button::new(Contact::Released), Tracker::default());
        let mut seen = Vec::new();
        let (mut now, mut pressed) = (Time(1_000_000), false);
        let mut stalls = stalls.into_iter().cycle();
        let mut read_at = now + Duration::from_millis(stalls.next().unwrap());
        for length in &lengths {
            let end = now + Duration::from_millis(*length);
            while read_at < end {
                for (number, pressed, at) in kernel.queue.drain(..) {
                    seen.extend(button.edge(tracker.edge(number, pressed.into(), at)));
                }
                seen.extend(button.tick(read_at));
                read_at = read_at + Duration::from_millis(1 + stalls.next().unwrap());
            }
            now = end;
            pressed = !pressed;
            kernel.edge(pressed.into(), now);
        }
        for (number, pressed, at) in kernel.queue.drain(..) {
            seen.extend(button.edge(tracker.edge(number, pressed.into(), at)));
        }
        seen.extend(button.tick(now + Duration::from_secs(60)));
        if seen.iter().any(|press| press.gesture != Gesture::Short) {
            prop_assert!(was_held(&lengths), "{seen:?} from {lengths:?}");
        }
    }

    /// A press that nothing disturbs is understood, however late its edges are read.
    #[test]
    fn a_clean_press_is_always_understood(length in 2_000u64..10_000, late in 0u64..5_000) {
        let (mut button, mut tracker) = (Button::new(Contact::Released), Tracker::default());
        button.edge(tracker.edge(1, Contact::Pressed, Time(1_000)));
        let released = Time(1_000 + length);
        button.edge(tracker.edge(2, Contact::Released, released));
        let press = button.tick(released + SETTLE + Duration::from_millis(late));
        prop_assert_eq!(press, Some(Press { gesture: Gesture::Two, released }));
    }

    #[test]
    fn a_stuck_or_held_line_means_nothing(held in 20_000u64..10_000_000, at_start: bool) {
        let mut button = Button::new(at_start.into());
        button.edge(edge(true, Time(1_000)));
        button.edge(edge(false, Time(1_000 + held)));
        prop_assert_eq!(button.tick(Time(10_000 + held)), None);
    }

    #[test]
    fn rubbish_ends_in_a_state_that_works(
        edges in prop::collection::vec((any::<bool>(), 0u64..3_000, any::<bool>()), 0..60),
    ) {
        let (mut button, mut now) = (Button::new(Contact::Released), Time(0));
        for (pressed, pause, after_loss) in edges {
            now = now + Duration::from_millis(pause);
            button.edge(Edge { pressed, at: now, after_loss });
        }
        button.edge(edge(false, now));
        button.tick(now + Duration::from_secs(1));
        prop_assert_eq!(gestures(&mut button, &[(2_000, 3_000)]), [Gesture::Two]);
    }
}
