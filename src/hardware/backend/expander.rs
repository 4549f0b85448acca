//! MCP23017 port expanders: LEDs, and the button.
//!
//! A driver of our own: the crates for this chip speak the embedded-hal of 2018, or write each pin by itself,
//! which at 100 kHz takes a millisecond a LED.

use std::{cell::RefCell, collections::BTreeMap, path::PathBuf, rc::Rc, time::Duration};

use embedded_hal::i2c::I2c;
use tokio::time::sleep;

use super::{Face, Fault, gpio::LineButton};
use crate::service::clock::Clock;
use rackberry_core::{
    ids::Time,
    panel::{
        Edge, Light, PanelFacts,
        board::{Active, ExpanderPin, Pull},
    },
};

/// Registers, those of port A; port B's follow, and the chip counts on by itself (IOCON.BANK = 0).
const IODIR: u8 = 0x00;
const GPINTEN: u8 = 0x04;
const INTCON: u8 = 0x08;
const IOCON: u8 = 0x0a;
const GPPU: u8 = 0x0c;
const INTF: u8 = 0x0e;
const OLAT: u8 = 0x14;
/// INTA tells of both ports, low while there is an interrupt.
const MIRROR: u8 = 0x40;

/// When a button without interrupt line is looked at again, in milliseconds: some 50 times a second, and in no
/// step with the mains, so that its hum can't look like a level.
const LOOKS: [u64; 4] = [17, 23, 13, 29];

/// What a chip is set to: a bit a pin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Chip {
    inputs: u16,
    pulled_up: u16,
    high: u16,
}

/// All expanders on one bus.
#[derive(Debug)]
pub struct Expanders<B> {
    bus: B,
    path: PathBuf,
    chips: BTreeMap<u8, Chip>,
}

impl<B: I2c> Expanders<B> {
    /// The expanders on `bus`, which messages call `path`.
    pub fn new(bus: B, path: PathBuf) -> Expanders<B> {
        Expanders { bus, path, chips: BTreeMap::new() }
    }

    /// Sets a chip's pins to what is noted of them. Directions and pull-ups are written each time: a chip that
    /// has lost its power meanwhile has forgotten them.
    fn write(&mut self, address: u8) -> Result<(), Fault> {
        let chip = self.chips.get(&address).copied().unwrap_or_default();
        // Levels first, so that no LED flashes when its pin becomes an output.
        self.set(address, OLAT, chip.high)?;
        self.set(address, IODIR, chip.inputs)?;
        if chip.inputs == 0 {
            return Ok(());
        }
        self.set(address, GPPU, chip.pulled_up)?;
        self.set(address, INTCON, 0)?;
        self.set(address, IOCON, u16::from_le_bytes([MIRROR, MIRROR]))?;
        self.set(address, GPINTEN, chip.inputs)
    }

    fn set(&mut self, address: u8, register: u8, pins: u16) -> Result<(), Fault> {
        let [a, b] = pins.to_le_bytes();
        self.bus.write(address, &[register, a, b]).map_err(|_| silent(&self.path, address))
    }

    /// Which of a chip's pins have changed since this was read last, and their levels now; reading takes the
    /// interrupt back.
    fn read(&mut self, address: u8) -> Result<(u16, u16), Fault> {
        // INTF, INTCAP, GPIO, of both ports each.
        let mut pins = [0; 6];
        self.bus.write_read(address, &[INTF], &mut pins).map_err(|_| silent(&self.path, address))?;
        let [changed_a, changed_b, _, _, a, b] = pins;
        Ok((u16::from_le_bytes([changed_a, changed_b]), u16::from_le_bytes([a, b])))
    }
}

fn silent(path: &std::path::Path, address: u8) -> Fault {
    Fault::Silent { bus: path.to_owned(), address }
}

/// Looks whether a chip answers.
pub fn examine<B: I2c>(bus: &mut B, path: &std::path::Path, address: u8) -> Result<(), Fault> {
    bus.write_read(address, &[INTF], &mut [0; 6]).map_err(|_| silent(path, address))
}

fn bit(pin: ExpanderPin) -> u16 {
    1 << pin.pin
}

/// LEDs on expanders.
#[derive(Debug)]
pub struct ExpanderLeds<B> {
    shared: Rc<RefCell<Expanders<B>>>,
    leds: Vec<ExpanderPin>,
    active: Active,
}

impl<B: I2c> ExpanderLeds<B> {
    /// LEDs on these pins, dark.
    pub fn new(
        shared: Rc<RefCell<Expanders<B>>>,
        leds: Vec<ExpanderPin>,
        active: Active,
    ) -> Result<Self, Fault> {
        let mut row = ExpanderLeds { shared, leds, active };
        // Pins that nothing is connected to stay inputs.
        for pin in &row.leds {
            let mut expanders = row.shared.borrow_mut();
            let chip =
                expanders.chips.entry(pin.address).or_insert(Chip { inputs: u16::MAX, ..Chip::default() });
            chip.inputs &= !bit(*pin);
        }
        row.set(&vec![Light::DARK; row.leds.len()], Writes::All)?;
        Ok(row)
    }

    fn set(&mut self, lights: &[Light], writes: Writes) -> Result<(), Fault> {
        let mut expanders = self.shared.borrow_mut();
        let before = expanders.chips.clone();
        for (pin, light) in self.leds.iter().zip(lights) {
            let chip = expanders.chips.entry(pin.address).or_default();
            if light.is_lit() != (self.active == Active::Low) {
                chip.high |= bit(*pin);
            } else {
                chip.high &= !bit(*pin);
            }
        }
        for (address, chip) in before {
            if writes == Writes::All || expanders.chips.get(&address) != Some(&chip) {
                expanders.write(address)?;
            }
        }
        Ok(())
    }
}

impl<B: I2c> Face for ExpanderLeds<B> {
    fn show(&mut self, lights: &[Light], _: &PanelFacts, _: Time) -> Result<(), Fault> {
        self.set(lights, Writes::Changes)
    }
}

/// Which chips are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Writes {
    /// Those whose levels change.
    Changes,
    /// All of them.
    All,
}

/// The button on an expander.
#[derive(Debug)]
pub struct ExpanderButton<B> {
    shared: Rc<RefCell<Expanders<B>>>,
    pin: ExpanderPin,
    active: Active,
    interrupt: Option<LineButton>,
    is_pressed: bool,
    looks: usize,
}

impl<B: I2c> ExpanderButton<B> {
    /// The button on `pin`, and whether it is down now.
    pub fn new(
        shared: Rc<RefCell<Expanders<B>>>,
        pin: ExpanderPin,
        active: Active,
        pull: Pull,
        interrupt: Option<LineButton>,
    ) -> Result<(Self, bool), Fault> {
        let is_pressed = {
            let mut expanders = shared.borrow_mut();
            let chip =
                expanders.chips.entry(pin.address).or_insert(Chip { inputs: u16::MAX, ..Chip::default() });
            chip.inputs |= bit(pin);
            if pull == Pull::Up {
                chip.pulled_up |= bit(pin);
            }
            expanders.write(pin.address)?;
            (expanders.read(pin.address)?.1 & bit(pin) != 0) != (active == Active::Low)
        };
        Ok((ExpanderButton { shared, pin, active, interrupt, is_pressed, looks: 0 }, is_pressed))
    }

    /// Waits until the button may have changed.
    pub async fn wait(&self) -> Result<(), Fault> {
        match &self.interrupt {
            Some(line) => line.wait().await,
            None => {
                sleep(Duration::from_millis(LOOKS[self.looks % LOOKS.len()])).await;
                Ok(())
            }
        }
    }

    /// The edge since it was looked at last, if there was one.
    pub fn take(&mut self, clock: Clock) -> Result<Vec<Edge>, Fault> {
        // The interrupt's own edge has the kernel's time for this; and a loss among them is one of the button's.
        let told = match &mut self.interrupt {
            Some(line) => line.take(clock)?,
            None => Vec::new(),
        };
        let is_told = told.iter().any(|edge| edge.pressed);
        if self.interrupt.is_some() && !is_told {
            return Ok(Vec::new());
        }
        self.looks += 1;
        let (changed, pins) = self.shared.borrow_mut().read(self.pin.address)?;
        let pressed = (pins & bit(self.pin) != 0) != (self.active == Active::Low);
        let after_loss = told.iter().any(|edge| edge.after_loss);
        let at = told.last().map_or_else(|| clock.now(), |edge| edge.at);
        let edge = |pressed| Edge { pressed, at, after_loss };
        if std::mem::replace(&mut self.is_pressed, pressed) != pressed {
            return Ok(vec![edge(pressed)]);
        }
        // There and back again since the last look: the chip has noticed.
        let is_glitch = changed & bit(self.pin) != 0;
        Ok(if is_glitch || after_loss { vec![edge(!pressed), edge(pressed)] } else { Vec::new() })
    }
}

#[cfg(test)]
mod tests {
    use embedded_hal_mock::eh1::i2c::{Mock, Transaction};

    use super::*;
    use rackberry_core::panel::Color;

    const PATH: &str = "/dev/i2c-1";

    fn pin(address: u8, pin: u8) -> ExpanderPin {
        ExpanderPin { address, pin }
    }

    fn shared(transfers: &[Transaction]) -> (Mock, Rc<RefCell<Expanders<Mock>>>) {
        let mock = Mock::new(transfers);
        (mock.clone(), Rc::new(RefCell::new(Expanders::new(mock, PATH.into()))))
    }

    /// What sets a chip whose pins are all outputs.
    fn outputs(address: u8, a: u8, b: u8) -> [Transaction; 2] {
        [Transaction::write(address, vec![OLAT, a, b]), Transaction::write(address, vec![IODIR, 0, 0])]
    }

    #[test]
    fn a_row_of_sixteen_is_two_transfers_a_change() {
        let mut transfers = Vec::new();
        transfers.extend(outputs(0x20, 0, 0));
        transfers.extend(outputs(0x20, 0b1000_0001, 0b10));
        let (mut mock, shared) = shared(&transfers);
        let mut row =
            ExpanderLeds::new(shared, (0..16).map(|at| pin(0x20, at)).collect(), Active::High).unwrap();
        let lit: Vec<Light> =
            (0..16).map(|at| Light { color: Color::Red, level: u8::from([0, 7, 9].contains(&at)) }).collect();
        // The second time nothing has changed.
        for _ in 0..2 {
            row.show(&lit, &PanelFacts::default(), Time(0)).unwrap();
        }
        mock.done();
    }

    #[test]
    fn the_button_is_looked_at_and_its_pull_up_is_on() {
        let clock = Clock::starting_after(Time(0));
        let read = |changed, high| {
            let pins = vec![0, u8::from(changed), 0, 0, 0, u8::from(high)];
            Transaction::write_read(0x21, vec![INTF], pins)
        };
        let set = |register, a, b| Transaction::write(0x21, vec![register, a, b]);
        let (mut mock, shared) = shared(&[
            set(OLAT, 0, 0),
            set(IODIR, 0xff, 0xff),
            set(GPPU, 0, 1),
            set(INTCON, 0, 0),
            set(IOCON, MIRROR, MIRROR),
            set(GPINTEN, 0xff, 0xff),
            read(false, true),
            read(false, true),
            read(true, false),
            read(false, false),
            read(true, false),
            read(true, true),
        ]);
        let (mut button, is_pressed) =
            ExpanderButton::new(shared, pin(0x21, 8), Active::Low, Pull::Up, None).unwrap();
        assert!(!is_pressed);
        let edges: Vec<bool> =
            (0..5).flat_map(|_| button.take(clock).unwrap()).map(|edge| edge.pressed).collect();
        assert_eq!(edges, [true, false, true, false], "a glitch while it was down is told");
        mock.done();
    }

    #[test]
    fn a_chip_that_does_not_answer_is_named() {
        let gone = Transaction::write_read(0x20, vec![INTF], vec![0; 6]).with_error(
            embedded_hal::i2c::ErrorKind::NoAcknowledge(embedded_hal::i2c::NoAcknowledgeSource::Address),
        );
        let mut mock = Mock::new(&[gone]);
        let said = examine(&mut mock, std::path::Path::new(PATH), 0x20).unwrap_err().to_string();
        assert!(said.starts_with("nothing answers at 0x20 on /dev/i2c-1"), "{said}");
        mock.done();
    }
}
