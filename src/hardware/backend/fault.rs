//! What hinders the hardware, with the remedy.

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

/// Why a board's hardware can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "fields are what the message names")]
pub enum Fault {
    /// The machine has no GPIO at all.
    #[error("this machine has no GPIO chip; is it a Raspberry Pi, and is the GPIO driver in its kernel?")]
    NoGpio,
    /// None of the board's chips is there.
    #[error(
        "there is no GPIO chip labelled {} (there {}); name it in the board file as board.chips",
        or(wanted),
        are(here)
    )]
    NoChip {
        /// Labels in the board file.
        wanted: Vec<String>,
        /// Labels of the chips that are there.
        here: Vec<String>,
    },
    /// The chip has no such line.
    #[error("{chip} has no line {line}; `gpioinfo` shows those that it has")]
    NoLine { chip: String, line: String },
    /// Somebody else uses the line.
    #[error("line {line} of {chip} is used by {consumer:?}; stop that, or connect another line")]
    InUse {
        chip: String,
        line: String,
        /// Who it is, as the kernel calls it.
        consumer: String,
    },
    /// The device may not be opened.
    #[error("no right to use {}: {remedy}", device.display())]
    NoRight { device: PathBuf, remedy: String },
    /// The device is not there.
    #[error("{} is not there: {remedy}", device.display())]
    NoDevice { device: PathBuf, remedy: &'static str },
    /// Nothing answers at the address.
    #[error("nothing answers at 0x{address:02x} on {}; check its wires, its power and its address pins", bus.display())]
    Silent { bus: PathBuf, address: u8 },
    /// Anything else.
    #[error("{what}: {cause}")]
    Failed {
        /// What was tried, on what.
        what: String,
        cause: String,
    },
}

impl Fault {
    /// What failed, on what.
    pub(super) fn failed(what: impl Into<String>, cause: impl ToString) -> Fault {
        Fault::Failed { what: what.into(), cause: cause.to_string() }
    }

    /// A device of `group` that can't be opened.
    pub(super) fn opening(device: &Path, group: &str, remedy: &'static str, error: &io::Error) -> Fault {
        match error.kind() {
            io::ErrorKind::NotFound => Fault::NoDevice { device: device.to_owned(), remedy },
            io::ErrorKind::PermissionDenied => Fault::no_right(device, group),
            _ => Fault::failed(format!("can't open {}", device.display()), error),
        }
    }

    /// A device that only others may open.
    pub(super) fn no_right(device: &Path, group: &str) -> Fault {
        // The group that has the device now, if any has: usually `group`, by a rule of the distribution's.
        let has_group =
            fs::metadata(device).is_ok_and(|data| data.mode() & 0o060 == 0o060 && data.gid() != 0);
        let remedy = if has_group {
            format!("add the user that runs rackberry to the group {group}")
        } else {
            format!(
                "give it to the group {group} by a udev rule (SUBSYSTEM==\"{}\", GROUP=\"{group}\", MODE=\"0660\") \
                 and add the user that runs rackberry to that group",
                subsystem(group)
            )
        };
        Fault::NoRight { device: device.to_owned(), remedy }
    }
}

/// How udev calls the devices of `gpio`, `spi` and `i2c`.
fn subsystem(group: &str) -> &'static str {
    match group {
        "i2c" => "i2c-dev",
        "spi" => "spidev",
        _ => "gpio",
    }
}

fn or(labels: &[String]) -> String {
    labels.join(" or ")
}

fn are(labels: &[String]) -> String {
    match labels {
        [one] => format!("is {one}"),
        several => format!("are {}", several.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_names_the_thing_and_the_remedy() {
        let missing = Fault::NoChip { wanted: vec!["a".into(), "b".into()], here: vec!["c".into()] };
        assert_eq!(
            missing.to_string(),
            "there is no GPIO chip labelled a or b (there is c); name it in the board file as board.chips"
        );
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        let said = Fault::opening(Path::new("/dev/none"), "gpio", "", &denied).to_string();
        assert!(said.contains("/dev/none") && said.contains("group gpio") && said.contains("udev"), "{said}");
        let gone = io::Error::from(io::ErrorKind::NotFound);
        let said = Fault::opening(Path::new("/dev/i2c-1"), "i2c", "turn I2C on", &gone).to_string();
        assert_eq!(said, "/dev/i2c-1 is not there: turn I2C on");
    }
}
