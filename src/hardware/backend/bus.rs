//! The kernel's SPI and I2C devices.

use std::{fs::OpenOptions, io, path::Path};

use linux_embedded_hal::{
    I2cdev, SpidevBus,
    spidev::{SpiModeFlags, SpidevOptions},
};

use super::Fault;

const I2C_REMEDY: &str = "put dtparam=i2c_arm=on into config.txt, and let the module i2c-dev be loaded (a file in /etc/modules-load.d)";
const SPI_REMEDY: &str = "put dtparam=spi=on into config.txt, and let the module spidev be loaded";

/// An SPI bus, for a device that needs no chip select.
pub fn spi(device: &Path, speed: u32) -> Result<SpidevBus, Fault> {
    examine(device)?;
    let failed = |error: io::Error| Fault::failed(format!("can't use {}", device.display()), error);
    let mut bus = SpidevBus::open(device).map_err(|error| failed(io::Error::other(error)))?;
    let options =
        SpidevOptions::new().bits_per_word(8).max_speed_hz(speed).mode(SpiModeFlags::SPI_MODE_0).build();
    bus.0.configure(&options).map_err(failed)?;
    Ok(bus)
}

/// An I2C bus.
pub fn i2c(device: &Path) -> Result<I2cdev, Fault> {
    examine(device)?;
    I2cdev::new(device).map_err(|error| Fault::failed(format!("can't use {}", device.display()), error))
}

/// Looks whether a bus's device could be used.
pub fn examine(device: &Path) -> Result<(), Fault> {
    let is_i2c = device.to_string_lossy().contains("i2c");
    let (group, remedy) = if is_i2c { ("i2c", I2C_REMEDY) } else { ("spi", SPI_REMEDY) };
    match OpenOptions::new().read(true).write(true).open(device) {
        Ok(_) => Ok(()),
        Err(error) => Err(Fault::opening(device, group, remedy, &error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bus_that_is_switched_off_says_how_to_switch_it_on() {
        let said = i2c(Path::new("/dev/i2c-99")).err().unwrap().to_string();
        assert!(said.starts_with("/dev/i2c-99 is not there: put dtparam=i2c_arm=on"), "{said}");
        let said = spi(Path::new("/dev/spidev9.9"), 1_000_000).err().unwrap().to_string();
        assert!(said.starts_with("/dev/spidev9.9 is not there: put dtparam=spi=on"), "{said}");
    }
}
