//! Colours and pictures for terminals; nothing of that on a pipe or with NO_COLOR.

use std::io::IsTerminal;

use rackberry_core::ids::Stage;

/// Whether and how to colour.
#[derive(Debug, Clone, Copy)]
pub struct Paint {
    is_on: bool,
}

impl Paint {
    /// For an output: coloured where people look at it and don't refuse (<https://no-color.org>).
    pub fn on(output: &impl IsTerminal) -> Paint {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Paint { is_on: output.is_terminal() && !refused }
    }

    /// Without colours.
    #[cfg(test)]
    pub const PLAIN: Paint = Paint { is_on: false };

    fn paint(self, code: u8, text: &str) -> String {
        if self.is_on { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// What people should look at first.
    pub fn strong(self, text: &str) -> String {
        self.paint(1, text)
    }

    /// What is only there for the curious.
    pub fn faint(self, text: &str) -> String {
        self.paint(2, text)
    }

    /// What needs somebody.
    pub fn warning(self, text: &str) -> String {
        self.paint(33, text)
    }

    /// Text in the colour that the panel gives a stage.
    pub fn stage(self, stage: Stage, text: &str) -> String {
        match stage {
            Stage::Idle => self.faint(text),
            Stage::Discovered => text.to_owned(),
            Stage::Loading | Stage::Booting | Stage::Configuring => self.paint(94, text),
            Stage::Installing => self.paint(33, text),
            Stage::Written => self.paint(36, text),
            Stage::Installed => self.paint(32, text),
            Stage::Failed => self.paint(31, text),
        }
    }
}

/// A bar of `width` characters for `done` out of `total`.
pub fn bar(done: u64, total: u64, width: usize) -> String {
    let filled = if total == 0 {
        0
    } else {
        (u128::from(done.min(total)) * width as u128 / u128::from(total)) as usize
    };
    "█".repeat(filled) + &"░".repeat(width - filled)
}

/// A length of time in its two largest units: `45 s`, `3 min 20 s`, `2 h 5 min`, `4 d 1 h`.
pub fn seconds(seconds: u64) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let Some(first) = units.iter().position(|(length, _)| seconds >= *length) else { return "0 s".into() };
    let (length, name) = units[first];
    let large = format!("{} {name}", seconds / length);
    match units.get(first + 1).map(|(next, name)| (seconds % length / next, name)) {
        Some((small, name)) if small > 0 => format!("{large} {small} {name}"),
        _ => large,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_well() {
        let cases = [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (200, "3 min 20 s"),
            (7_500, "2 h 5 min"),
            (349_200, "4 d 1 h"),
        ];
        for (time, text) in cases {
            assert_eq!(seconds(time), text);
        }
    }

    #[test]
    fn bars_fill_up() {
        assert_eq!([bar(0, 0, 4), bar(1, 2, 4), bar(9, 2, 4)], ["░░░░", "██░░", "████"]);
    }
}
