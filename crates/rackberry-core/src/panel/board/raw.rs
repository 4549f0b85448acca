//! A board file's tables as they were written: each value with its place, unknown keys refused.

use toml::de::{DeTable, DeValue};

use super::keys;
use crate::config::{
    raw::table,
    read::{List, Readable, Reader, Spanned},
    source::FaultReport,
};

/// Where something is connected: a number or a name, and what it means depends on the kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Pin {
    Number(i64),
    Name(String),
}

impl Readable for Pin {
    const TYPE: &'static str = "a number, or a name in double quotes";

    fn read(value: &Spanned, reader: &mut Reader, key: &str) -> Option<Self> {
        match value.get_ref() {
            DeValue::Integer(_) => i64::read(value, reader, key).map(Pin::Number),
            DeValue::String(name) => Some(Pin::Name(name.as_ref().to_owned())),
            _ => reader.wrong_type::<Self>(value, key),
        }
    }
}

table!(BoardKeys = "board" { title: String, chips: List<String>, });
table!(Leds = "leds" {
    kind: String, status: Pin, nodes: List<Pin>, active: String, data: Pin, clock: Pin, spi: String, speed: i64,
    i2c: String, brightness: i64,
});
table!(Button = "button" { line: Pin, active: String, pull: String, interrupt: Pin, });
table!(Display = "display" { i2c: String, address: i64, turned: bool, });

/// The file's tables; the last two may be missing.
#[derive(Debug, Default)]
pub(super) struct RawBoard {
    pub board: BoardKeys,
    pub leds: Leds,
    pub button: Option<Button>,
    pub display: Option<Display>,
}

impl RawBoard {
    /// Reads the tables of the only file.
    pub fn read(root: &DeTable, report: &mut FaultReport) -> Self {
        let mut raw = Self::default();
        let reader = &mut Reader::new(0, keys::KEYS, report);
        for (key, value) in root {
            let name = key.get_ref().as_ref();
            if !keys::KEYS.0.iter().any(|section| section.name == name) {
                reader.unknown_table(key, value);
                continue;
            }
            let Some(table) = reader.table(name, value) else { continue };
            match name {
                "board" => raw.board = BoardKeys::read(table, reader),
                "leds" => raw.leds = Leds::read(table, reader),
                "button" => raw.button = Some(Button::read(table, reader)),
                _ => raw.display = Some(Display::read(table, reader)),
            }
        }
        raw
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_keys_is_complete() {
        let read = [BoardKeys::KEYS, Leds::KEYS, Button::KEYS, Display::KEYS];
        let told: Vec<Vec<&str>> =
            keys::KEYS.0.iter().map(|section| section.keys.iter().map(|key| key.name).collect()).collect();
        assert_eq!(told, read.map(<[&str]>::to_vec));
    }
}
