//! Boards: which line is which LED. A board is a TOML file, one of `board/` or the user's own.

mod header;
mod keys;
mod raw;
#[cfg(test)]
mod tests;
mod validate;
pub mod wiring;

use std::path::{Path, PathBuf};

pub use header::HeaderPin;

use crate::config::{
    Faults,
    source::{FaultReport, Text},
    syntax,
};

/// The boards that come with rackberry, by name.
pub const BUILT_IN: [(&str, &str); 5] = [
    ("breadboard-8", include_str!("../../../../board/breadboard-8.toml")),
    ("blinkt", include_str!("../../../../board/blinkt.toml")),
    ("apa102-16", include_str!("../../../../board/apa102-16.toml")),
    ("mcp23017-16", include_str!("../../../../board/mcp23017-16.toml")),
    (SIMULATED, include_str!("../../../../board/sim.toml")),
];

/// The board that is drawn on the terminal.
pub const SIMULATED: &str = "sim";

/// A board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Board {
    /// Its name: its file's, without the ending.
    pub name: String,
    /// What it is, in a few words.
    pub title: String,
    /// Labels of the GPIO chip that its lines are on; the first that this machine has is taken.
    pub chips: Vec<String>,
    /// Its LEDs.
    pub leds: Leds,
    /// Its button.
    pub button: Option<ButtonWires>,
    /// Its display.
    pub display: Option<Display>,
}

/// LEDs, by how they are driven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leds {
    /// Each on a GPIO line.
    Lines {
        /// The status LED's.
        status: Line,
        /// The nodes', in the order of their numbers.
        nodes: Vec<Line>,
        /// Lit when the line is low.
        active: Active,
    },
    /// Pixels of an APA102 strip, counted from 1.
    Strip {
        /// How it is connected.
        wires: Wires,
        /// The status LED's pixel.
        status: u8,
        /// The nodes'.
        nodes: Vec<u8>,
        /// In percent.
        brightness: u8,
    },
    /// Each on a pin of a port expander.
    Expander {
        /// The bus.
        i2c: PathBuf,
        /// The status LED's.
        status: ExpanderPin,
        /// The nodes'.
        nodes: Vec<ExpanderPin>,
        /// Lit when the pin is low.
        active: Active,
    },
    /// Drawn on the terminal.
    Terminal {
        /// How many nodes.
        nodes: u16,
    },
}

/// How a strip is connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wires {
    /// To an SPI bus.
    Spi {
        /// The device.
        device: PathBuf,
        /// Bits a second.
        speed: u32,
    },
    /// To two GPIO lines.
    Bits {
        /// Data.
        data: Line,
        /// Clock.
        clock: Line,
    },
}

/// A GPIO line.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Line {
    /// By its number on the chip; a Raspberry Pi's GPIO number.
    Offset(u32),
    /// By its name.
    Name(String),
}

/// A pin of an MCP23017.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExpanderPin {
    /// The chip's address on the bus.
    pub address: u8,
    /// 0 to 7 are GPA0 to GPA7, 8 to 15 are GPB0 to GPB7.
    pub pin: u8,
}

/// The level at which something is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Active {
    /// It lights, or is pressed, while its line is high.
    High,
    /// While it is low.
    Low,
}

/// The button.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ButtonWires {
    /// Where it is.
    pub at: ButtonAt,
    /// Pressed when the line is low.
    pub active: Active,
    /// What holds the line while nobody presses.
    pub pull: Pull,
}

/// Where the button is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ButtonAt {
    /// On a GPIO line.
    Line(Line),
    /// On a pin of a port expander.
    Expander {
        /// The bus.
        i2c: PathBuf,
        /// The pin.
        pin: ExpanderPin,
        /// The GPIO line that the expander's INTA is connected to.
        interrupt: Option<Line>,
    },
    /// The space bar.
    Terminal,
}

/// What holds a line while nothing drives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pull {
    /// To the supply.
    Up,
    /// To ground.
    Down,
    /// Nothing, or a resistor on the board.
    None,
}

/// An SSD1306 of 128 by 64 dots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Display {
    /// The bus.
    pub i2c: PathBuf,
    /// Its address.
    pub address: u8,
    /// Mounted upside down.
    pub turned: bool,
}

impl Board {
    /// How many node LEDs it has.
    pub fn node_leds(&self) -> u16 {
        let count = match &self.leds {
            Leds::Lines { nodes, .. } => nodes.len(),
            Leds::Strip { nodes, .. } => nodes.len(),
            Leds::Expander { nodes, .. } => nodes.len(),
            Leds::Terminal { nodes } => usize::from(*nodes),
        };
        u16::try_from(count).unwrap_or(u16::MAX)
    }

    /// Whether it is a Raspberry Pi's header that its lines are on.
    pub fn is_for_raspberry_pi(&self) -> bool {
        !self.chips.is_empty() && self.chips.iter().all(|chip| chip.starts_with("pinctrl-"))
    }
}

/// The keys of a board file.
#[cfg(test)]
pub(super) fn keys() -> crate::config::keys::KeyTable {
    keys::KEYS
}

/// The built-in board called `name`.
pub fn built_in(name: &str) -> Option<Board> {
    let (name, text) = BUILT_IN.into_iter().find(|(built_in, _)| *built_in == name)?;
    parse(Path::new(name), text).ok()
}

/// The text of a board file; `path` is what errors name, and its stem is the board's name.
///
/// # Errors
/// All faults, in the order of their lines.
pub fn parse(path: &Path, text: &str) -> Result<Board, Faults> {
    let texts = [Text::new(path.to_owned(), text)];
    let mut report = FaultReport::new(&texts);
    let name = path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy();
    let [text] = &texts;
    let board = syntax::parse(text, 0, keys::KEYS, &mut report).and_then(|root| {
        let raw = raw::RawBoard::read(&root, &mut report);
        validate::board(&name, &raw, &mut report)
    });
    match (report.into_faults(), board) {
        (None, Some(board)) => Ok(board),
        (Some(faults), _) => Err(faults),
        (None, None) => unreachable!("a board that is refused without a fault"),
    }
}
