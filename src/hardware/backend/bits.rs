//! An SPI bus made of two output pins, for strips that are on no real one: data is read when the clock rises.

use std::{convert::Infallible, path::Path};

use embedded_hal::{
    digital::{OutputPin, PinState},
    spi::{ErrorKind, ErrorType, SpiBus},
};

use super::{Fault, gpio::Chip};
use rackberry_core::panel::board::{Active, Line};

/// Data and clock.
#[derive(Debug)]
pub struct Bits<P> {
    data: P,
    clock: P,
}

impl<P: OutputPin> Bits<P> {
    /// Both pins are low.
    pub fn new(data: P, clock: P) -> Bits<P> {
        Bits { data, clock }
    }

    fn byte(&mut self, byte: u8) -> Result<(), P::Error> {
        for bit in (0..8).rev() {
            self.data.set_state(PinState::from(byte >> bit & 1 == 1))?;
            self.clock.set_high()?;
            self.clock.set_low()?;
        }
        Ok(())
    }
}

impl<P> ErrorType for Bits<P> {
    type Error = ErrorKind;
}

/// Nothing is ever read: a strip has no way back.
impl<P: OutputPin> SpiBus for Bits<P> {
    fn read(&mut self, _: &mut [u8]) -> Result<(), ErrorKind> {
        Err(ErrorKind::Other)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), ErrorKind> {
        bytes.iter().try_for_each(|byte| self.byte(*byte)).map_err(|_| ErrorKind::Other)
    }

    fn transfer(&mut self, _: &mut [u8], _: &[u8]) -> Result<(), ErrorKind> {
        Err(ErrorKind::Other)
    }

    fn transfer_in_place(&mut self, _: &mut [u8]) -> Result<(), ErrorKind> {
        Err(ErrorKind::Other)
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

/// A pin that is written through the chip's registers, while the kernel knows who uses its line.
#[derive(Debug)]
pub struct RegisterPin {
    // Dropped in this order: what writes the registers goes before the line is given back.
    register: rppal::gpio::OutputPin,
    _line: gpiocdev_embedded_hal::OutputPin,
}

impl embedded_hal::digital::ErrorType for RegisterPin {
    type Error = Infallible;
}

impl OutputPin for RegisterPin {
    fn set_low(&mut self) -> Result<(), Infallible> {
        self.register.set_low();
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        self.register.set_high();
        Ok(())
    }
}

/// Two pins by way of the registers, where Raspberry Pi OS's kernel offers them: a frame of a strip is a thousand
/// level changes, which take a thousand system calls otherwise. `None` on other kernels.
pub fn by_registers(chip: &Chip, data: &Line, clock: &Line) -> Result<Option<Bits<RegisterPin>>, Fault> {
    let is_offered = ["/dev/gpiomem", "/dev/gpiomem0"].into_iter().any(|device| Path::new(device).exists());
    if !is_offered || !chip.is_raspberry_pi() {
        return Ok(None);
    }
    let Ok(registers) = rppal::gpio::Gpio::new() else { return Ok(None) };
    let pin = |line: &Line| -> Result<Option<RegisterPin>, Fault> {
        let number = u8::try_from(chip.offset(line)?).ok();
        let Some(pin) = number.and_then(|number| registers.get(number).ok()) else { return Ok(None) };
        let line = chip.output(line, Active::High)?;
        Ok(Some(RegisterPin { register: pin.into_output_low(), _line: line }))
    };
    Ok(pin(data)?.zip(pin(clock)?).map(|(data, clock)| Bits::new(data, clock)))
}

#[cfg(test)]
mod tests {
    use embedded_hal_mock::eh1::digital::{Mock, State, Transaction};

    use super::*;

    #[test]
    fn a_byte_goes_out_with_its_highest_bit_first() {
        let levels = [true, false, true, false, false, false, false, true];
        let bits = levels.map(|level| Transaction::set(if level { State::High } else { State::Low }));
        let tick = || [Transaction::set(State::High), Transaction::set(State::Low)];
        let ticks: Vec<_> = (0..8).flat_map(|_| tick()).collect();
        let (mut data, mut clock) = (Mock::new(&bits), Mock::new(&ticks));
        let mut bus = Bits::new(data.clone(), clock.clone());
        bus.write(&[0b1010_0001]).unwrap();
        assert_eq!(bus.read(&mut [0]), Err(ErrorKind::Other));
        drop(bus);
        data.done();
        clock.done();
    }
}
