//! Pixels of an addressable strip, in colour.

use smart_leds_trait::{RGB8, SmartLedsWrite};

use super::{Face, Fault};
use rackberry_core::{
    ids::Time,
    panel::{Color, Light, PanelFacts},
};

/// A strip: which light each of its pixels shows.
#[derive(Debug)]
pub struct Strip<W> {
    leds: W,
    /// Places of the status LED and of the nodes, from 0.
    places: Vec<usize>,
    brightness: u8,
    pixels: Vec<RGB8>,
}

impl<W> Strip<W> {
    /// A strip with the status LED and the nodes at these places, from 1, and a brightness in percent.
    pub fn new(leds: W, status: u8, nodes: &[u8], brightness: u8) -> Strip<W> {
        let places: Vec<usize> =
            std::iter::once(&status).chain(nodes).map(|place| usize::from(place.saturating_sub(1))).collect();
        let length = places.iter().max().map_or(0, |last| last + 1);
        Strip { leds, places, brightness, pixels: vec![RGB8::default(); length] }
    }
}

impl<W> Face for Strip<W>
where
    W: SmartLedsWrite<Color = RGB8>,
    W::Error: std::fmt::Debug,
{
    fn show(&mut self, lights: &[Light], _: &PanelFacts, _: Time) -> Result<(), Fault> {
        for (place, light) in self.places.iter().zip(lights) {
            if let Some(pixel) = self.pixels.get_mut(*place) {
                *pixel = color(*light, self.brightness);
            }
        }
        let written = self.leds.write(self.pixels.iter().copied());
        written.map_err(|error| Fault::failed("can't write to the strip of LEDs", format!("{error:?}")))
    }
}

/// A pixel's colour at a brightness in percent; whatever is lit stays visible.
fn color(light: Light, brightness: u8) -> RGB8 {
    let (r, g, b) = match light.color {
        Color::White => (160, 160, 160),
        Color::Blue => (0, 0, 255),
        Color::Amber => (255, 120, 0),
        Color::Cyan => (0, 180, 200),
        Color::Green => (0, 255, 0),
        Color::Red => (255, 0, 0),
    };
    let dim = |full: u8| {
        let parts = u32::from(full) * u32::from(light.level) * u32::from(brightness);
        u8::try_from(parts.div_ceil(255 * 100)).unwrap_or(u8::MAX)
    };
    RGB8 { r: dim(r), g: dim(g), b: dim(b) }
}

#[cfg(test)]
mod tests {
    use apa102_spi::Apa102;
    use embedded_hal_mock::eh1::spi::{Mock, Transaction};

    use super::*;

    #[test]
    fn lights_go_to_their_pixels_in_colour() {
        let light = |color, level| Light { color, level };
        let mut spi = Mock::new(&[
            Transaction::write_vec(vec![0; 4]),
            // Blue, green, red, behind a byte of ones.
            Transaction::write_vec(vec![0xff, 0, 0, 255]),
            Transaction::write_vec(vec![0xff, 0, 0, 0]),
            Transaction::write_vec(vec![0xff, 0, 61, 128]),
            Transaction::write(0),
            Transaction::write(0),
            Transaction::write(0),
            Transaction::write(0),
        ]);
        let mut strip = Strip::new(Apa102::new(spi.clone()), 3, &[1, 2], 100);
        let lights = [light(Color::Amber, 128), light(Color::Red, 255), Light::DARK];
        strip.show(&lights, &PanelFacts::default(), Time(0)).unwrap();
        spi.done();
    }

    #[test]
    fn what_is_lit_stays_visible() {
        for color in [Color::White, Color::Blue, Color::Amber, Color::Cyan, Color::Green, Color::Red] {
            let dimmest = super::color(Light { color, level: 1 }, 1);
            assert_ne!(dimmest, RGB8::default(), "{color:?}");
            assert_eq!(super::color(Light { color, level: 0 }, 100), RGB8::default());
        }
    }
}
