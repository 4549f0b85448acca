//! LEDs that each have a pin of their own.

use embedded_hal::digital::{Error as _, OutputPin, PinState};

use super::{Face, Fault};
use rackberry_core::{
    ids::Time,
    panel::{Light, PanelFacts, board::Active},
};

/// A row of pins with an LED each. Only those that change are written.
#[derive(Debug)]
pub struct Lines<P> {
    pins: Vec<P>,
    active: Active,
    shown: Vec<bool>,
}

impl<P: OutputPin> Lines<P> {
    /// Pins whose LEDs are dark.
    pub fn new(pins: Vec<P>, active: Active) -> Lines<P> {
        Lines { shown: vec![false; pins.len()], pins, active }
    }
}

impl<P: OutputPin> Face for Lines<P> {
    fn show(&mut self, lights: &[Light], _: &PanelFacts, _: Time) -> Result<(), Fault> {
        for (at, ((pin, shown), light)) in self.pins.iter_mut().zip(&mut self.shown).zip(lights).enumerate() {
            let lit = light.is_lit();
            if *shown != lit {
                pin.set_state(PinState::from(lit != (self.active == Active::Low)))
                    .map_err(|error| Fault::failed(format!("can't set LED {at}"), error.kind()))?;
                *shown = lit;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use embedded_hal_mock::eh1::digital::{Mock, State, Transaction};

    use super::*;
    use rackberry_core::panel::Color;

    fn lights(lit: &[bool]) -> Vec<Light> {
        lit.iter().map(|lit| Light { color: Color::Red, level: if *lit { 7 } else { 0 } }).collect()
    }

    #[test]
    fn only_changes_are_written_and_low_can_mean_lit() {
        for (active, lit, dark) in
            [(Active::High, State::High, State::Low), (Active::Low, State::Low, State::High)]
        {
            let mut steady = Mock::new(&[Transaction::set(lit)]);
            let mut blinking = Mock::new(&[Transaction::set(lit), Transaction::set(dark)]);
            let mut off = Mock::new(&[]);
            let mut row = Lines::new(vec![steady.clone(), blinking.clone(), off.clone()], active);
            for shown in [[true, true, false], [true, true, false], [true, false, false]] {
                row.show(&lights(&shown), &PanelFacts::default(), Time(0)).unwrap();
            }
            drop(row);
            for pin in [&mut steady, &mut blinking, &mut off] {
                pin.done();
            }
        }
    }
}
