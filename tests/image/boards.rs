//! For each board that the card is made for: every file that its firmware asks for is there, and every device on the way
//! to card, network, USB, panel and clock has a driver, early enough. The image is read as firmware and kernel would;
//! nothing runs.

use std::{collections::BTreeMap, fs};

use crate::{
    card::Card,
    drivers::{Drivers, When},
    tree::{Node, Tree},
};

/// A board, and what its firmware asks for by the documentation of Raspberry Pi.
struct Board {
    name: &'static str,
    /// Sections of config.txt that count for it.
    sections: &'static [&'static str],
    /// What its boot ROM loads; later boards have it in a chip of their own.
    firmware: &'static [&'static str],
    /// The name of its device tree.
    tree: &'static str,
    /// Whether its processor is the later stepping of the 5's, over whose tree an overlay is laid.
    is_later: bool,
    /// What has no node: who the chip of its network socket is (IEEE 802.3 clause 22), and what is found on PCI.
    unlisted: &'static [(&'static str, When)],
    /// The label of the GPIO chip that its header belongs to.
    gpio: &'static str,
    /// What else is on it, as many as are switched on.
    devices: &'static [(Kind, usize)],
}

const OLD: &[&str] = &["bootcode.bin", "start.elf", "fixup.dat"];
const NEW: &[&str] = &["start4.elf", "fixup4.dat"];
/// BCM54213PE or BCM54210PE.
const BROADCOM: (&str, When) = ("mdio:01100000000011011000010010100010", When::Network);
/// LAN7515.
const MICROCHIP: (&str, When) = ("mdio:00000000000001111100000100110010", When::Network);
/// Any USB host of the third generation.
const XHCI: (&str, When) = ("pci:v*d*sv*sd*bc0Csc03i30", When::Root);

/// Displays are the source of clocks that the clock controller can do without, and it is one of theirs.
const SPARE: [&str; 3] = ["brcm,bcm2835-dsi0", "brcm,bcm2835-dsi1", "brcm,bcm2711-dsi1"];

/// What a device is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Card,
    Network,
    Usb,
    Gpio,
    I2c,
    Spi,
    Watchdog,
    Clock,
}

const PI_3: &[(Kind, usize)] = &[
    (Kind::Card, 1),
    (Kind::Network, 1),
    (Kind::Usb, 1),
    (Kind::Gpio, 1),
    (Kind::I2c, 3),
    (Kind::Watchdog, 1),
];
const ZERO: &[(Kind, usize)] =
    &[(Kind::Card, 1), (Kind::Usb, 1), (Kind::Gpio, 1), (Kind::I2c, 3), (Kind::Watchdog, 1)];
const PI_4: &[(Kind, usize)] = &[
    (Kind::Card, 1),
    (Kind::Network, 1),
    (Kind::Usb, 1),
    (Kind::Gpio, 1),
    (Kind::I2c, 4),
    (Kind::Watchdog, 1),
];
/// The IO board has a clock.
const CM_4: &[(Kind, usize)] = &[
    (Kind::Card, 1),
    (Kind::Network, 1),
    (Kind::Usb, 1),
    (Kind::Gpio, 1),
    (Kind::I2c, 4),
    (Kind::Watchdog, 1),
    (Kind::Clock, 1),
];
/// Both I2C are those of HDMI: Debian's tree has the header's switched off, and knows of no SPI and no clock.
const PI_5: &[(Kind, usize)] = &[
    (Kind::Card, 1),
    (Kind::Network, 1),
    (Kind::Usb, 2),
    (Kind::Gpio, 1),
    (Kind::I2c, 2),
    (Kind::Watchdog, 1),
];

const BOARDS: [Board; 11] = [
    Board {
        name: "3B",
        sections: &["all", "pi3"],
        firmware: OLD,
        tree: "bcm2837-rpi-3-b.dtb",
        is_later: false,
        unlisted: &[],
        gpio: "pinctrl-bcm2835",
        devices: PI_3,
    },
    Board {
        name: "3B+",
        sections: &["all", "pi3", "pi3+"],
        firmware: OLD,
        tree: "bcm2837-rpi-3-b-plus.dtb",
        is_later: false,
        unlisted: &[MICROCHIP],
        gpio: "pinctrl-bcm2835",
        devices: PI_3,
    },
    Board {
        name: "Zero 2 W",
        sections: &["all", "pi0", "pi0w", "pi02"],
        firmware: OLD,
        tree: "bcm2837-rpi-zero-2-w.dtb",
        is_later: false,
        unlisted: &[],
        gpio: "pinctrl-bcm2835",
        devices: ZERO,
    },
    Board {
        name: "4B",
        sections: &["all", "pi4"],
        firmware: NEW,
        tree: "bcm2711-rpi-4-b.dtb",
        is_later: false,
        unlisted: &[BROADCOM, XHCI],
        gpio: "pinctrl-bcm2711",
        devices: PI_4,
    },
    Board {
        name: "400",
        sections: &["all", "pi4", "pi400"],
        firmware: NEW,
        tree: "bcm2711-rpi-400.dtb",
        is_later: false,
        unlisted: &[BROADCOM, XHCI],
        gpio: "pinctrl-bcm2711",
        devices: PI_4,
    },
    Board {
        name: "Compute Module 4",
        sections: &["all", "pi4", "cm4"],
        firmware: NEW,
        tree: "bcm2711-rpi-cm4-io.dtb",
        is_later: false,
        unlisted: &[BROADCOM],
        gpio: "pinctrl-bcm2711",
        devices: CM_4,
    },
    Board { name: "5", tree: "bcm2712-rpi-5-b.dtb", is_later: false, ..NEWEST },
    Board { name: "5, later stepping", tree: "bcm2712-rpi-5-b.dtb", ..NEWEST },
    Board { name: "500", tree: "bcm2712-rpi-500.dtb", ..NEWEST },
    Board { name: "Compute Module 5", tree: "bcm2712-rpi-cm5-cm5io.dtb", ..NEWEST },
    Board { name: "Compute Module 5 Lite", tree: "bcm2712-rpi-cm5l-cm5io.dtb", ..NEWEST },
];
const NEWEST: Board = Board {
    name: "",
    sections: &["all", "pi5"],
    firmware: &[],
    tree: "",
    is_later: true,
    unlisted: &[BROADCOM],
    gpio: "pinctrl-rp1",
    devices: PI_5,
};

/// What config.txt says to a board.
#[derive(Debug, Default)]
struct Settings {
    prefix: String,
    kernel: String,
    initramfs: String,
}

impl Settings {
    fn of(board: &Board, text: &str) -> Settings {
        let (mut settings, mut counts) = (Settings::default(), true);
        for line in text.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
            if let Some(section) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                counts = board.sections.contains(&section);
            } else if counts {
                if let Some(initramfs) = line.strip_prefix("initramfs ") {
                    settings.initramfs = initramfs.split(' ').next().expect("a name").to_owned();
                }
                match line.split_once('=') {
                    Some(("os_prefix", value)) => settings.prefix = value.to_owned(),
                    Some(("kernel", value)) => settings.kernel = value.to_owned(),
                    _ => {}
                }
            }
        }
        settings
    }
}

impl Board {
    /// Files of the FAT partition without which it does not start.
    fn files(&self, settings: &Settings) -> Vec<String> {
        let mut files: Vec<String> = self.firmware.iter().map(|file| (*file).to_owned()).collect();
        let own = [settings.kernel.as_str(), &settings.initramfs, "cmdline.txt", self.tree];
        // Overlays of a slot are looked at only if there is a README with them.
        let overlays = ["overlays/README", "overlays/bcm2712d0.dtbo"];
        let overlays = overlays.iter().filter(|_| self.is_later);
        files.extend(own.iter().chain(overlays).map(|file| format!("{}{file}", settings.prefix)));
        files
    }

    fn read_tree(&self, card: &Card, settings: &Settings) -> Tree {
        let overlay = format!("{}overlays/bcm2712d0.dtbo", settings.prefix);
        let overlay = self.is_later.then_some(overlay.as_str());
        Tree::read(&card.tree(&format!("{}{}", settings.prefix, self.tree), overlay))
    }

    /// What is wrong with the card's drivers for it.
    fn faults(&self, tree: &Tree, drivers: &Drivers) -> Vec<String> {
        let mut faults = drivers.out_of_order();
        for node in tree.devices() {
            if let Some(kind) = kind(tree, node) {
                let mut way = Way { tree, drivers, latest: latest(kind), seen: BTreeMap::new(), faults };
                way.drive(node);
                faults = way.faults;
            }
        }
        for (name, latest) in self.unlisted {
            match drivers.aliased(name) {
                None => faults.push(format!("{name} has no driver")),
                Some(module) if drivers.when(module).0 > *latest => {
                    faults.push(format!("{module} comes too late"))
                }
                Some(_) => {}
            }
        }
        faults.sort();
        faults.dedup();
        faults
    }
}

fn latest(kind: Kind) -> When {
    match kind {
        Kind::Card => When::Card,
        // The service looks at the panel when it starts.
        Kind::Network | Kind::Gpio | Kind::I2c | Kind::Spi | Kind::Watchdog => When::Network,
        Kind::Usb | Kind::Clock => When::Root,
    }
}

/// What a node is for, if for anything of interest.
fn kind(tree: &Tree, node: &Node) -> Option<Kind> {
    let name = node.name().split('@').next().unwrap_or_default();
    match name {
        // A host with a radio behind it has no card.
        "mmc" if tree.below(node).next().is_none() => Some(Kind::Card),
        "ethernet" => Some(Kind::Network),
        "usb" if node.has("compatible") => Some(Kind::Usb),
        "i2c" if node.has("compatible") => Some(Kind::I2c),
        "spi" => Some(Kind::Spi),
        "watchdog" => Some(Kind::Watchdog),
        "rtc" => Some(Kind::Clock),
        _ if node.has("gpio-controller") && is_header(node) => Some(Kind::Gpio),
        _ => None,
    }
}

/// Whether a GPIO chip is the one whose lines are on the board's header.
fn is_header(node: &Node) -> bool {
    let known = ["brcm,bcm2835-gpio", "brcm,bcm2711-gpio", "raspberrypi,rp1-gpio"];
    node.compatible().iter().any(|name| known.contains(name))
}

/// The way to a kind of devices.
struct Way<'a> {
    tree: &'a Tree,
    drivers: &'a Drivers,
    latest: When,
    /// For each device that was looked at, the place of the last module in the initramfs that it waits for.
    seen: BTreeMap<&'a str, usize>,
    faults: Vec<String>,
}

impl<'a> Way<'a> {
    /// Looks for the driver of a device, and for those of all that it needs, which come before it. The place of the last
    /// of those.
    fn drive(&mut self, node: &'a Node) -> usize {
        if node.compatible().iter().any(|name| SPARE.contains(name)) {
            return 0;
        }
        // Devices may need each other: a clock controller the interrupts of one that needs its clock.
        if let Some(place) = self.seen.insert(&node.path, 0) {
            self.seen.insert(&node.path, place);
            return place;
        }
        // What this is a part of brings it into being, so the driver of that may come later, but not what it waits for.
        let mut place = self.tree.above(node).map_or(0, |above| self.drive(above));
        for need in self.tree.needs(node) {
            place = place.max(self.drive(need));
            if !node.path.starts_with(&need.path) {
                place = place.max(self.place_of(need));
            }
        }
        self.seen.insert(&node.path, place);
        match self.drivers.module_of(node) {
            Err(fault) => self.faults.push(fault),
            Ok(None) => {}
            Ok(Some(module)) => {
                let (when, at) = self.drivers.when(module);
                if when > self.latest {
                    self.faults.push(format!("{module}, for {}, comes too late", node.path));
                } else if when < When::Root && place > at {
                    self.faults.push(format!("{module}, for {}, comes before what that needs", node.path));
                }
            }
        }
        place
    }

    /// The place of a device's own module, from 1; 0 where the kernel drives it, or a module that comes much later, which
    /// is a fault of its own.
    fn place_of(&self, node: &Node) -> usize {
        let module = self.drivers.module_of(node).ok().flatten();
        let (when, at) = module.map_or((When::Root, 0), |module| self.drivers.when(module));
        if when < When::Root { at } else { 0 }
    }
}

#[test]
#[ignore = "takes the SD image: make test-image"]
fn every_board_finds_its_files_and_its_drivers() {
    let card = Card::open();
    let config = fs::read_to_string(card.fat("config.txt")).expect("config.txt");
    let mut kernels: BTreeMap<String, Drivers> = BTreeMap::new();
    let mut faults = Vec::new();
    for board in BOARDS {
        let settings = Settings::of(&board, &config);
        for file in board.files(&settings) {
            assert!(card.fat(&file).exists(), "{}: {file} is not there", board.name);
        }
        let [kernel, initramfs] =
            [&settings.kernel, &settings.initramfs].map(|file| format!("{}{file}", settings.prefix));
        let drivers =
            kernels.entry(kernel.clone()).or_insert_with(|| Drivers::of(&card, &kernel, &initramfs));
        let tree = board.read_tree(&card, &settings);
        faults.extend(board.faults(&tree, drivers).iter().map(|fault| format!("{}: {fault}", board.name)));
        let mut devices: BTreeMap<Kind, usize> = BTreeMap::new();
        tree.devices()
            .filter_map(|node| kind(&tree, node))
            .for_each(|kind| *devices.entry(kind).or_default() += 1);
        println!("{}: {}: Linux {}: {devices:?}", board.name, tree.model(), drivers.release);
        if devices.iter().map(|(kind, count)| (*kind, *count)).ne(board.devices.iter().copied()) {
            faults.push(format!("{}: has {devices:?}", board.name));
        }
        has_labelled_gpio(&card, &board, &tree, drivers);
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

/// Boards of panels name the chip by its label, because its number differs from board to board and from start to start.
fn has_labelled_gpio(card: &Card, board: &Board, tree: &Tree, drivers: &Drivers) {
    let chip = tree.devices().find(|node| is_header(node)).expect("a GPIO chip");
    let module = drivers.module_of(chip).expect("a driver");
    assert!(drivers.holds(card, module, board.gpio), "{}: no driver says {}", board.name, board.gpio);
    let folder = crate::support::root().join("board");
    for file in fs::read_dir(folder).expect("boards").flatten() {
        let text = fs::read_to_string(file.path()).unwrap_or_default();
        if let Some(chips) = text.lines().find(|line| line.starts_with("chips")) {
            assert!(chips.contains(board.gpio), "{}: {chips}", file.path().display());
        }
    }
}

/// What this would say of cards as they were.
#[test]
#[ignore = "takes the SD image: make test-image"]
fn a_driver_that_is_missing_or_late_is_found() {
    let card = Card::open();
    let config = fs::read_to_string(card.fat("config.txt")).expect("config.txt");
    for (name, module, said) in [
        ("5", "irq_bcm2712_mip", "(brcm,bcm2712-mip) has no driver"),
        ("5", "rp1_pci", "(pci1de4,1) has no driver"),
        ("5, later stepping", "pinctrl_brcmstb_bcm2712", "(brcm,bcm2712d0-pinctrl) has no driver"),
        ("4B", "genet", "(brcm,bcm2711-genet-v5) has no driver"),
        ("4B", "broadcom", "mdio:"),
        ("3B+", "lan78xx", "(usb424,7800) has no driver"),
    ] {
        let board = BOARDS.into_iter().find(|board| board.name == name).expect("a board");
        let settings = Settings::of(&board, &config);
        let [kernel, initramfs] =
            [&settings.kernel, &settings.initramfs].map(|file| format!("{}{file}", settings.prefix));
        let drivers = Drivers::of(&card, &kernel, &initramfs).without(module);
        let faults = board.faults(&board.read_tree(&card, &settings), &drivers);
        assert!(faults.iter().any(|fault| fault.contains(said)), "{name} without {module}: {faults:?}");
    }
}
