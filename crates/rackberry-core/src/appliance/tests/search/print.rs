//! A history in words.

use std::fmt::Write as _;

use super::model::{Action, Rack};

/// The steps that lead to a broken promise, by the states on the way to the one before the last.
pub fn history(
    rack: Rack,
    before: &[Action],
    (trail, mut number, last): (&[(usize, Option<Action>)], usize, Action),
    broken: &str,
) -> String {
    let mut steps = vec![last];
    while let (before, Some(action)) = trail[number] {
        steps.push(action);
        number = before;
    }
    steps.reverse();
    told(rack, &[before, steps.as_slice()].concat(), broken)
}

/// The steps, and what is wrong after them.
pub fn told(rack: Rack, steps: &[Action], broken: &str) -> String {
    let mut text = format!("{rack:?}: {broken}\n");
    for (step, action) in steps.iter().enumerate() {
        let _ = writeln!(text, "  {}. {action:?}", step + 1);
    }
    text
}
