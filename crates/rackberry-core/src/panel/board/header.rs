//! The Raspberry Pi's 40-pin header: the same since 2014.

/// A pin of the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderPin {
    /// 3.3 V.
    Volts3,
    /// 5 V.
    Volts5,
    /// Ground.
    Ground,
    /// A GPIO line.
    Gpio(u32),
}

use HeaderPin::{Gpio, Ground, Volts3, Volts5};

/// Pins 1 to 40, in their order.
pub(super) const PINS: [HeaderPin; 40] = [
    Volts3,
    Volts5,
    Gpio(2),
    Volts5,
    Gpio(3),
    Ground,
    Gpio(4),
    Gpio(14),
    Ground,
    Gpio(15),
    Gpio(17),
    Gpio(18),
    Gpio(27),
    Ground,
    Gpio(22),
    Gpio(23),
    Volts3,
    Gpio(24),
    Gpio(10),
    Ground,
    Gpio(9),
    Gpio(25),
    Gpio(11),
    Gpio(8),
    Ground,
    Gpio(7),
    Gpio(0),
    Gpio(1),
    Gpio(5),
    Ground,
    Gpio(6),
    Gpio(12),
    Gpio(13),
    Ground,
    Gpio(19),
    Gpio(16),
    Gpio(26),
    Gpio(20),
    Ground,
    Gpio(21),
];

impl HeaderPin {
    /// What stands beside the pin in a drawing.
    pub fn label(self) -> String {
        match self {
            Volts3 => "3.3 V".into(),
            Volts5 => "5 V".into(),
            Ground => "ground".into(),
            Gpio(number) => format!("GPIO{number}"),
        }
    }
}

/// What a bus takes of the header: line and role.
pub(super) fn lines_of_bus(device: &str) -> &'static [(u32, &'static str)] {
    match device {
        "/dev/i2c-1" => &[(2, "SDA"), (3, "SCL")],
        "/dev/spidev0.0" => &[(10, "MOSI"), (11, "SCLK"), (8, "CE0"), (9, "MISO")],
        "/dev/spidev0.1" => &[(10, "MOSI"), (11, "SCLK"), (7, "CE1"), (9, "MISO")],
        _ => &[],
    }
}
