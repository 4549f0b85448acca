//! The keys of a board file. `docs/panel.md` shows this table.

use crate::config::keys::{KeyTable, Section, key};

/// All of them.
pub(super) const KEYS: KeyTable = KeyTable(&[
    Section {
        name: "board",
        meaning: "The whole.",
        keys: &[
            key("title", r#""""#, r#""eight LEDs and a button on a breadboard""#, "What it is, in a few words."),
            key(
                "chips",
                "[]",
                r#"["pinctrl-bcm2835", "pinctrl-bcm2711", "pinctrl-rp1"]"#,
                "Labels of the GPIO chip that its lines are on (`gpiodetect` shows them in brackets); the first \
                 that the machine has is taken.",
            ),
        ],
    },
    Section {
        name: "leds",
        meaning: "The LEDs. A line is its number on the chip, which is the Raspberry Pi's GPIO number, or its \
                  name in quotes; a pixel is its place in the strip, from 1; a port expander's pin is its chip's \
                  address and its name, like `\"0x20.GPA0\"`.",
        keys: &[
            key(
                "kind",
                "",
                r#""lines""#,
                "`lines`: each on a GPIO line; `apa102`: pixels of an APA102 or SK9822 strip; `mcp23017`: on port \
                 expanders; `terminal`: drawn there.",
            )
            .unset("it must be there"),
            key("status", "", "17", "The status LED.").unset("it must be there"),
            key("nodes", "", "[5, 6, 12]", "The nodes' LEDs, the first one's first.").unset("it must be there"),
            key("active", r#""high""#, r#""low""#, "The level at which a LED is lit, on a line or an expander."),
            key("data", "", "23", "A strip's data line, where it is not on SPI.").unset("`spi` must be there"),
            key("clock", "", "24", "Its clock line.").unset("`spi` must be there"),
            key("spi", "", r#""/dev/spidev0.0""#, "The SPI device that a strip is on.")
                .unset("`data` and `clock` must be there"),
            key("speed", "1000000", "4000000", "Bits a second on SPI: 100000 to 20000000."),
            key("i2c", "", r#""/dev/i2c-1""#, "The bus that port expanders are on.").unset("none"),
            key("brightness", "15", "40", "Brightness of a strip in percent, 1 to 100."),
        ],
    },
    Section {
        name: "button",
        meaning: "The button. Without this table there is none.",
        keys: &[
            key("line", "", "22", "Its GPIO line, or its port expander's pin.").unset("it must be there"),
            key("active", r#""low""#, r#""high""#, "The level of the line while it is pressed."),
            key(
                "pull",
                r#""up""#,
                r#""none""#,
                "What holds the line while nobody presses: `up`, `down`, or `none` where a resistor on the board \
                 does. A port expander can't pull down.",
            ),
            key("interrupt", "", "25", "The GPIO line that the port expander's INTA is connected to.")
                .unset("the button is looked at 50 times a second"),
        ],
    },
    Section {
        name: "display",
        meaning: "An SSD1306 display of 128 by 64 dots on I2C. It is used where it is plugged in, and nothing is \
                  said where it is not.",
        keys: &[
            key("i2c", "", r#""/dev/i2c-1""#, "The bus that it is on.").unset("it must be there"),
            key("address", "60", "0x3d", "Its address on the bus: 0x3c or 0x3d."),
            key("turned", "false", "true", "Whether it is mounted upside down."),
        ],
    },
]);
