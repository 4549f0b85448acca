//! The hardware behind a board: what shows light, and what tells of the button. All of it is compiled in, and the
//! board says which is used.

mod bits;
mod bus;
pub mod display;
mod expander;
mod fault;
mod gpio;
mod lines;
mod strip;
mod watched;

use std::{cell::RefCell, rc::Rc};

use apa102_spi::Apa102;
use linux_embedded_hal::I2cdev;
use tokio::sync::mpsc;

pub use fault::Fault;

use crate::{hardware::terminal, service::clock::Clock};
use expander::{ExpanderButton, ExpanderLeds, Expanders};
use gpio::{Chip, LineButton};
use rackberry_core::{
    ids::Time,
    panel::{
        Edge, Light, PanelFacts,
        board::{Active, Board, ButtonAt, ButtonWires, Leds, Line, Wires},
    },
};

/// Something that shows the lights: a row of LEDs, a picture of them.
pub trait Face {
    /// Shows the status LED, then those of the nodes.
    ///
    /// # Errors
    /// When the hardware is gone.
    fn show(&mut self, lights: &[Light], facts: &PanelFacts, now: Time) -> Result<(), Fault>;
}

/// What tells of the button.
pub enum Input {
    /// A GPIO line: the kernel tells.
    Line(LineButton),
    /// A port expander's pin: its interrupt line tells, or it is looked at.
    Expander(ExpanderButton<I2cdev>),
    /// Edges made by somebody who plays the button (true: pressed), and one that came but is not taken yet.
    Played(mpsc::Receiver<bool>, Option<bool>),
    /// The board has no button.
    None,
}

impl Input {
    /// Waits until [`Input::take`] may have something. May be given up and called again.
    ///
    /// # Errors
    /// When the hardware is gone.
    pub async fn wait(&mut self) -> Result<(), Fault> {
        match self {
            Input::Line(line) => line.wait().await,
            Input::Expander(button) => button.wait().await,
            Input::Played(edges, next) => {
                match edges.recv().await {
                    Some(pressed) => *next = Some(pressed),
                    None => std::future::pending().await,
                }
                Ok(())
            }
            Input::None => std::future::pending().await,
        }
    }

    /// All edges so far, in their order.
    ///
    /// # Errors
    /// When the hardware is gone.
    pub fn take(&mut self, clock: Clock) -> Result<Vec<Edge>, Fault> {
        match self {
            Input::Line(line) => line.take(clock),
            Input::Expander(button) => button.take(clock),
            Input::Played(edges, next) => {
                let all = next.take().into_iter().chain(std::iter::from_fn(|| edges.try_recv().ok()));
                let edge = |pressed| Edge { pressed, at: clock.now(), after_loss: false };
                Ok(all.map(edge).collect())
            }
            Input::None => Ok(Vec::new()),
        }
    }
}

/// A board's hardware, in use.
pub struct Hardware {
    /// What shows the lights.
    pub face: Box<dyn Face>,
    /// What tells of the button.
    pub button: Input,
    /// Whether the button is down now.
    pub is_pressed: bool,
}

/// The name under which the kernel shows who uses a line.
const CONSUMER: &str = "rackberry";

/// Takes a board's hardware into use; all LEDs are dark then. `played` is the button of a board without hardware.
/// To be called inside of a runtime.
///
/// # Errors
/// The first thing that is missing, in use, or not allowed.
pub fn open(board: &Board, played: &mut Option<mpsc::Receiver<bool>>) -> Result<Hardware, Fault> {
    let mut chip = OnceChip { board, chip: None };
    let mut expanders = None;
    let face: Box<dyn Face> = match &board.leds {
        Leds::Lines { status, nodes, active } => {
            let pins: Result<Vec<_>, _> =
                std::iter::once(status).chain(nodes).map(|line| chip.get()?.output(line, *active)).collect();
            Box::new(lines::Lines::new(pins?, *active))
        }
        Leds::Strip { wires: Wires::Spi { device, speed }, status, nodes, brightness } => {
            let spi = bus::spi(device, *speed)?;
            Box::new(strip::Strip::new(apa102(spi, nodes), *status, nodes, *brightness))
        }
        Leds::Strip { wires: Wires::Bits { data, clock }, status, nodes, brightness } => {
            match bits::by_registers(chip.get()?, data, clock)? {
                Some(bits) => Box::new(strip::Strip::new(apa102(bits, nodes), *status, nodes, *brightness)),
                None => {
                    let bits = bits::Bits::new(
                        chip.get()?.output(data, Active::High)?,
                        chip.get()?.output(clock, Active::High)?,
                    );
                    Box::new(strip::Strip::new(apa102(bits, nodes), *status, nodes, *brightness))
                }
            }
        }
        Leds::Expander { i2c, status, nodes, active } => {
            let leds: Vec<_> = std::iter::once(status).chain(nodes).copied().collect();
            let shared = Rc::new(RefCell::new(Expanders::new(bus::i2c(i2c)?, i2c.clone())));
            expanders = Some(shared.clone());
            Box::new(ExpanderLeds::new(shared, leds, *active)?)
        }
        Leds::Terminal { .. } => Box::new(terminal::TerminalFace),
    };
    let (button, is_pressed) = match &board.button {
        None => (Input::None, false),
        Some(ButtonWires { at: ButtonAt::Terminal, .. }) => match played.take() {
            Some(edges) => (Input::Played(edges, None), false),
            None => (Input::None, false),
        },
        Some(ButtonWires { at: ButtonAt::Line(line), active, pull }) => {
            let (button, is_pressed) = chip.get()?.button(line, *active, *pull)?;
            (Input::Line(button), is_pressed)
        }
        Some(ButtonWires { at: ButtonAt::Expander { i2c, pin, interrupt }, active, pull }) => {
            let shared = match expanders {
                Some(shared) => shared,
                None => Rc::new(RefCell::new(Expanders::new(bus::i2c(i2c)?, i2c.clone()))),
            };
            let interrupt = interrupt.as_ref().map(|line| chip.get()?.interrupt(line)).transpose()?;
            let (button, is_pressed) = ExpanderButton::new(shared, *pin, *active, *pull, interrupt)?;
            (Input::Expander(button), is_pressed)
        }
    };
    Ok(Hardware { face, button, is_pressed })
}

fn apa102<S: embedded_hal::spi::SpiBus>(spi: S, nodes: &[u8]) -> Apa102<S> {
    // Half a clock a pixel, for what the pixels themselves delay; zeroes, as the SK9822 wants them.
    let tail = 4 + u8::try_from(nodes.len() / 16).unwrap_or(u8::MAX);
    Apa102::new_with_options(spi, tail, true, apa102_spi::PixelOrder::BGR)
}

/// The GPIO chip, looked for when the first line is needed.
struct OnceChip<'a> {
    board: &'a Board,
    chip: Option<Chip>,
}

impl OnceChip<'_> {
    fn get(&mut self) -> Result<&Chip, Fault> {
        if self.chip.is_none() {
            self.chip = Some(Chip::find(&self.board.chips)?);
        }
        self.chip.as_ref().ok_or(Fault::NoGpio)
    }
}

/// Everything that hinders the board on this machine, without touching any of it. What rackberry itself uses
/// already is no hindrance: that is the service.
pub fn examine(board: &Board) -> Vec<Fault> {
    let lines = lines_of(board);
    let mut faults = Vec::new();
    if !lines.is_empty() {
        match Chip::find(&board.chips) {
            Ok(chip) => faults.extend(lines.iter().filter_map(|line| chip.examine(line).err())),
            Err(fault) => faults.push(fault),
        }
    }
    match &board.leds {
        Leds::Strip { wires: Wires::Spi { device, .. }, .. } => faults.extend(bus::examine(device).err()),
        Leds::Expander { i2c, status, nodes, .. } => match bus::i2c(i2c) {
            Ok(mut bus) => {
                let mut addresses: Vec<u8> = nodes.iter().chain([status]).map(|pin| pin.address).collect();
                addresses.sort_unstable();
                addresses.dedup();
                let silent = addresses
                    .into_iter()
                    .filter_map(|address| expander::examine(&mut bus, i2c, address).err());
                faults.extend(silent);
            }
            Err(fault) => faults.push(fault),
        },
        _ => {}
    }
    faults
}

/// The GPIO lines of a board.
fn lines_of(board: &Board) -> Vec<&Line> {
    let mut lines: Vec<&Line> = match &board.leds {
        Leds::Lines { status, nodes, .. } => std::iter::once(status).chain(nodes).collect(),
        Leds::Strip { wires: Wires::Bits { data, clock }, .. } => vec![data, clock],
        _ => Vec::new(),
    };
    match board.button.as_ref().map(|button| &button.at) {
        Some(ButtonAt::Line(line)) => lines.push(line),
        Some(ButtonAt::Expander { interrupt, .. }) => lines.extend(interrupt),
        Some(ButtonAt::Terminal) | None => {}
    }
    lines
}
