//! The lines and letters of a wiring picture.

use std::fmt::Write as _;

use crate::panel::board::HeaderPin;

/// Something that a wire goes through.
#[derive(Debug, Clone)]
pub enum Symbol {
    Resistor,
    /// Its name, and whether its cathode is on the left.
    Led(String, bool),
    Button,
}

/// A picture that grows downwards. Measures are in dots.
pub struct Drawing {
    svg: String,
    /// Where the rows go on.
    top: u32,
    /// Where the header ends, if there is one.
    bottom: u32,
    left: u32,
}

const WIDTH: u32 = 860;
const STEP: u32 = 26;
/// The pins of the header.
const PIN: u32 = 22;
const HEADER_LEFT: u32 = 150;
const TOP: u32 = 70;

const RED: &str = "#c0392b";
const ORANGE: &str = "#d68910";
const BLACK: &str = "#202020";
const BLUE: &str = "#1f618d";
const GREY: &str = "#b0b0b0";

impl Drawing {
    pub fn new(title: &str) -> Drawing {
        let mut drawing = Drawing { svg: String::new(), top: TOP - 20, bottom: 0, left: 30 };
        drawing.text((20, 32), "start", (18, BLACK), title);
        drawing
    }

    /// The header, each pin with what it is used for; seen from above, its first pin at the top left.
    pub fn header(&mut self, pins: &[(HeaderPin, Option<&str>)]) {
        let _ = writeln!(
            self.svg,
            r##"<rect x="{}" y="{}" width="{}" height="{}" rx="6" fill="#2d4a3e"/>"##,
            HEADER_LEFT - 6,
            TOP - 12,
            2 * PIN + 12,
            20 * PIN + 10
        );
        for (at, (pin, tag)) in (0u32..).zip(pins) {
            let (column, y) = (at % 2, TOP + at / 2 * PIN);
            let x = HEADER_LEFT + column * PIN + PIN / 2;
            let color = match pin {
                HeaderPin::Volts3 => ORANGE,
                HeaderPin::Volts5 => RED,
                HeaderPin::Ground => BLACK,
                HeaderPin::Gpio(_) if tag.is_some() => BLUE,
                HeaderPin::Gpio(_) => GREY,
            };
            let _ = writeln!(self.svg, r#"<circle cx="{x}" cy="{y}" r="8" fill="{color}" stroke="white"/>"#);
            self.text((x, y + 3), "middle", (9, "white"), &(at + 1).to_string());
            let label = match tag {
                Some(tag) => format!("{tag} · {}", pin.label()),
                None => pin.label(),
            };
            let (anchor, edge) =
                if column == 0 { ("end", HEADER_LEFT - 12) } else { ("start", HEADER_LEFT + 2 * PIN + 12) };
            self.text((edge, y + 4), anchor, (12, color), &label);
        }
        self.bottom = TOP + 20 * PIN + 20;
        self.left = 340;
    }

    /// A part's name.
    pub fn heading(&mut self, words: &str) {
        self.top += STEP;
        self.text((self.left, self.top), "start", (14, BLACK), words);
        self.top += STEP;
    }

    /// A wire from one thing to another.
    pub fn row(&mut self, from: &str, symbols: &[Symbol], to: &str) {
        let (y, start, end) = (self.top, self.left + 140, WIDTH - 130);
        self.text((start - 8, y + 4), "end", (12, BLUE), from);
        self.text((end + 8, y + 4), "start", (12, color_of(to)), to);
        let _ = writeln!(self.svg, r#"<path d="M{start} {y}H{end}" stroke="{BLACK}" fill="none"/>"#);
        for (at, symbol) in (0u32..).zip(symbols) {
            self.symbol(symbol, start + 70 + at * 110, y);
        }
        self.top += STEP;
    }

    fn symbol(&mut self, symbol: &Symbol, x: u32, y: u32) {
        let svg = &mut self.svg;
        match symbol {
            Symbol::Resistor => {
                let (left, top) = (x - 24, y - 8);
                let _ = writeln!(
                    svg,
                    r#"<rect x="{left}" y="{top}" width="48" height="16" fill="white" stroke="{BLACK}"/>"#
                );
                self.text((x, y + 4), "middle", (10, BLACK), "330 Ω");
            }
            Symbol::Led(name, is_turned) => {
                let (flat, tip) = if *is_turned { (x + 8, x - 8) } else { (x - 8, x + 8) };
                let _ = writeln!(
                    svg,
                    r##"<path d="M{flat} {}V{}L{tip} {y}Z" fill="#f9e79f" stroke="{BLACK}"/><path d="M{tip} {}V{}" stroke="{BLACK}" stroke-width="2"/>"##,
                    y - 9,
                    y + 9,
                    y - 9,
                    y + 9
                );
                self.text((x + 18, y - 3), "start", (11, BLACK), name);
            }
            Symbol::Button => {
                let _ = writeln!(
                    svg,
                    r#"<rect x="{}" y="{}" width="36" height="4" fill="white"/><path d="M{} {y}L{} {}" stroke="{BLACK}" stroke-width="2"/><circle cx="{}" cy="{y}" r="3" fill="{BLACK}"/><circle cx="{}" cy="{y}" r="3" fill="{BLACK}"/>"#,
                    x - 18,
                    y - 2,
                    x - 18,
                    x + 16,
                    y - 12,
                    x - 18,
                    x + 18
                );
            }
        }
    }

    fn text(&mut self, (x, y): (u32, u32), anchor: &str, (size, color): (u32, &str), words: &str) {
        let words = words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let _ = writeln!(
            self.svg,
            r#"<text x="{x}" y="{y}" text-anchor="{anchor}" font-size="{size}" fill="{color}">{words}</text>"#
        );
    }

    pub fn finish(self) -> String {
        let height = self.top.max(self.bottom) + 10;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
             font-family=\"Helvetica, Arial, sans-serif\">\n<rect width=\"{WIDTH}\" height=\"{height}\" \
             fill=\"white\"/>\n{}</svg>\n",
            self.svg
        )
    }
}

fn color_of(end: &str) -> &'static str {
    match end {
        "ground" => BLACK,
        "3.3 V" => ORANGE,
        _ => BLUE,
    }
}
