//! The kinds of Raspberry Pi, and what each asks for.

use super::*;

/// A kind of Raspberry Pi.
#[derive(Debug, Clone)]
pub(super) struct Pi {
    pub(super) mac: Mac,
    pub(super) serial: &'static str,
    pub(super) id: [u8; 16],
    /// Option 55.
    pub(super) asks: &'static [u8],
    /// Sends a REQUEST, and its vendor class with it.
    pub(super) requests: Option<bool>,
    pub(super) menu: &'static [u8],
    /// The files that it asks for, and what it must get.
    pub(super) files: Vec<(String, Option<&'static str>)>,
}

pub(super) const ASKS_3B: &[u8] = &[43, 60, 67, 128, 129, 130, 131, 132, 133, 134, 135, 66];
pub(super) const ASKS: &[u8] = &[1, 3, 43, 60, 66, 67, 128, 129, 130, 131, 132, 133, 134, 135];

/// The ROM asks without a folder; what it loads asks with one.
pub(super) fn files_3(serial: &str) -> Vec<(String, Option<&'static str>)> {
    let own = |name: &str| format!("{serial}/{name}");
    vec![
        ("bootcode.bin".into(), Some("raspberry-pi/bootcode.bin")),
        ("bootsig.bin".into(), None),
        (own("start.elf"), Some("raspberry-pi/start.elf")),
        (own("autoboot.txt"), None),
        (own("config.txt"), Some(CONFIG)),
        (own("recovery.elf"), None),
        (own("fixup.dat"), Some("raspberry-pi/fixup.dat")),
        (own("dt-blob.bin"), None),
        (own("bcm2710-rpi-3-b.dtb"), Some("raspberry-pi/bcm2710-rpi-3-b.dtb")),
        (own("overlays/overlay_map.dtb"), None),
        (own("cmdline.txt"), None),
        (own("u-boot.bin"), Some(LOADER)),
    ]
}

pub(super) fn files_4(serial: &str) -> Vec<(String, Option<&'static str>)> {
    let own = |name: &str| format!("{serial}/{name}");
    vec![
        (own("start4.elf"), Some("raspberry-pi/start4.elf")),
        (own("config.txt"), Some(CONFIG)),
        (own("vl805.sig"), None),
        (own("pieeprom.sig"), None),
        (own("recover4.elf"), None),
        (own("recovery.elf"), None),
        (own("fixup4.dat"), Some("raspberry-pi/fixup4.dat")),
        (own("bcm2711-rpi-4-b.dtb"), Some("raspberry-pi/bcm2711-rpi-4-b.dtb")),
        (own("overlays/overlay_map.dtb"), None),
        (own("cmdline.txt"), None),
        (own("u-boot.bin"), Some(LOADER)),
        // Without a folder, as where the first was not found.
        ("start4.elf".into(), Some("raspberry-pi/start4.elf")),
        ("config.txt".into(), Some(CONFIG)),
        ("kernel8.img".into(), None),
    ]
}

/// Prefix, revision, the address's end and the serial number, which is little-endian.
pub(super) fn new_id(model: &[u8; 4], mac: Mac, serial: u32) -> [u8; 16] {
    let parts = [*model, REVISION, [mac.0[2], mac.0[3], mac.0[4], mac.0[5]], serial.to_le_bytes()];
    parts.concat().try_into().unwrap()
}

pub(super) fn pi_3b() -> Pi {
    let (mac, serial) = (Mac([0xb8, 0x27, 0xeb, 0x28, 0xf6, 0x6d]), "0028f66d");
    let (id, files) = ([0x44; 16], files_3(serial));
    Pi { mac, serial, id, asks: ASKS_3B, requests: None, menu: MENU_3B, files }
}

pub(super) fn pi_3b_plus() -> Pi {
    let (mac, serial) = (Mac([0xb8, 0x27, 0xeb, 0x2f, 0xaa, 0xeb]), "b22faaeb");
    let id = [0xb22f_aaebu32.to_le_bytes(); 4].concat().try_into().unwrap();
    let asks = &[43, 60, 67, 128, 129, 130, 131, 132, 133, 134, 135, 66, 1, 3];
    Pi { mac, serial, id, asks, requests: None, menu: MENU, files: files_3(serial) }
}

pub(super) fn pi_4() -> Pi {
    let (mac, serial) = (Mac([0xdc, 0xa6, 0x32, 0x2e, 0xf8, 0xed]), "5b154510");
    let id = new_id(b"RPi4", mac, 0x5b15_4510);
    // The bootloader of January 2020 left the vendor class out.
    Pi { mac, serial, id, asks: ASKS, requests: Some(false), menu: MENU, files: files_4(serial) }
}

/// With an address that is not its maker's (`MAC_ADDRESS`): known by option 97 alone.
pub(super) fn pi_5() -> Pi {
    let (mac, serial) = (Mac([2, 0, 0, 0, 0, 5]), "9ffefdef");
    let id = new_id(b"RPi5", mac, 0x9ffe_fdef);
    let mut files: Vec<_> =
        files_4(serial).into_iter().filter(|(name, _)| !name.contains("u-boot")).collect();
    // It has its firmware in the EEPROM, and there is no U-Boot for it among the loaders: its owner has put one there.
    files.retain(|(name, _)| name.contains("config.txt"));
    files.push((format!("{serial}/u-boot.bin"), Some(LOADER)));
    Pi { mac, serial, id, asks: ASKS, requests: Some(true), menu: MENU, files }
}

pub(super) fn all() -> [Pi; 4] {
    [pi_3b(), pi_3b_plus(), pi_4(), pi_5()]
}
