//! Which driver a device gets, by the names that drivers give themselves, and when: from the kernel, from the initramfs,
//! or from the system when udev finds the device.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use crate::{card::Card, tree::Node};

/// When a driver is loaded at the latest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum When {
    /// Before the card is looked for.
    Card,
    /// While the card is looked for.
    Network,
    /// When the system runs.
    Root,
}

/// USB devices that are hubs, whoever made them.
const HUBS: &str = "usb:v*p*d*dc09";

/// A kernel's drivers, as far as the card has them.
#[derive(Debug, Clone)]
pub struct Drivers {
    /// The kernel's version.
    pub release: String,
    /// Texts in the kernel's own bytes.
    kernel: BTreeSet<String>,
    /// Names of devices that drivers in the kernel itself take.
    built_in: BTreeSet<String>,
    /// Patterns of names, and the modules that take such devices.
    aliases: Vec<(String, String)>,
    needs: BTreeMap<String, Vec<String>>,
    /// What the initramfs loads before it looks for the card, and meanwhile, in this order.
    early: [Vec<String>; 2],
}

impl Drivers {
    /// Those of a kernel with its initramfs, both files of the FAT partition.
    pub fn of(card: &Card, kernel: &str, initramfs: &str) -> Drivers {
        let kernel = card.kernel(kernel);
        let release = release(&kernel);
        let folder = card.root("usr/lib/modules").join(&release);
        let text = |name: &str| fs::read_to_string(folder.join(name)).expect(name);
        let built_in = fs::read(folder.join("modules.builtin.modinfo")).expect("modinfo");
        let built_in = String::from_utf8_lossy(&built_in);
        let needs = text("modules.dep");
        let needs = needs
            .lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(module, needs)| (name_of(module), needs.split_whitespace().map(name_of).collect()));
        let early = ["card", "network"].map(|list| loaded(&card.initramfs(initramfs), list));
        let aliases = text("modules.alias");
        Drivers {
            release,
            kernel: texts(&kernel),
            built_in: built_in
                .split('\0')
                .filter_map(|one| Some(one.split_once(".alias=")?.1.to_owned()))
                .collect(),
            aliases: aliases.lines().filter_map(alias).collect(),
            needs: needs.collect(),
            early,
        }
    }

    /// The same without a module.
    pub fn without(mut self, module: &str) -> Drivers {
        self.aliases.retain(|(_, of)| of != module);
        self.early.iter_mut().for_each(|list| list.retain(|one| one != module));
        self
    }

    /// The module that drives a node; `None` where the kernel does by itself.
    ///
    /// # Errors
    /// When nothing on the card does.
    pub fn module_of(&self, node: &Node) -> Result<Option<&str>, String> {
        let names = node.compatible();
        for name in &names {
            if let Some(module) = self.aliased(&pattern(name)) {
                return Ok(Some(module));
            }
        }
        // Interrupt controllers, clocks and timers of the first moments have no names but in the kernel's own bytes.
        let is_known = |name: &&str| {
            self.kernel.contains(*name) || self.built_in.iter().any(|alias| is_like(alias, &pattern(name)))
        };
        if names.iter().any(is_known) {
            return Ok(None);
        }
        if node.name().starts_with("usb")
            && let Some(module) = self.aliased(HUBS)
        {
            return Ok(Some(module));
        }
        Err(format!("{} ({}) has no driver", node.path, names.join(", ")))
    }

    /// The module that takes devices of this name.
    pub fn aliased(&self, name: &str) -> Option<&str> {
        self.aliases.iter().find(|(alias, _)| is_like(alias, name)).map(|(_, module)| module.as_str())
    }

    /// When a module is loaded, and as the how manieth of the initramfs.
    pub fn when(&self, module: &str) -> (When, usize) {
        let mut early = self.early.iter().flatten();
        match early.position(|one| one == module) {
            Some(at) if at < self.early[0].len() => (When::Card, at),
            Some(at) => (When::Network, at),
            None => (When::Root, usize::MAX),
        }
    }

    /// Modules that the initramfs loads before what they need.
    pub fn out_of_order(&self) -> Vec<String> {
        let all: Vec<&String> = self.early.iter().flatten().collect();
        let is_late = |(at, module): (usize, &&String)| {
            let late = self.needs.get(*module)?.iter().find(|need| !all[..at].contains(need))?;
            Some(format!("{module} is loaded before {late}"))
        };
        all.iter().enumerate().filter_map(is_late).collect()
    }

    /// Whether a module, or the kernel, holds this text: the name that it gives to its chip, say.
    pub fn holds(&self, card: &Card, module: Option<&str>, text: &str) -> bool {
        let Some(module) = module else { return self.kernel.contains(text) };
        let folder = card.root("usr/lib/modules").join(&self.release);
        let dep = fs::read_to_string(folder.join("modules.dep")).expect("a list");
        let mut files = dep.lines().filter_map(|line| Some(line.split_once(':')?.0));
        let file = files.find(|file| name_of(file) == module).expect("a module");
        texts(&fs::read(folder.join(file)).expect("a module")).contains(text)
    }
}

/// The modules of one of the initramfs's lists, all of which it has.
fn loaded(initramfs: &Path, list: &str) -> Vec<String> {
    let folder = initramfs.join("lib/modules");
    let list = fs::read_to_string(folder.join(list)).expect("a list");
    for file in list.lines() {
        assert!(folder.join(file).exists(), "{file} is not in the initramfs");
    }
    list.lines().map(name_of).collect()
}

/// The version that stands in a kernel.
fn release(kernel: &[u8]) -> String {
    let words = b"Linux version ";
    let mut at =
        kernel.windows(words.len()).enumerate().filter(|(_, window)| window == words).map(|(at, _)| at);
    let release = at.find_map(|at| {
        let text = String::from_utf8_lossy(&kernel[at + words.len()..at + 200]).into_owned();
        text.split(' ')
            .next()
            .filter(|release| release.starts_with(|c: char| c.is_ascii_digit()))
            .map(str::to_owned)
    });
    release.expect("a kernel names its version")
}

/// A module's name, out of its file's.
fn name_of(file: &str) -> String {
    let name = file.rsplit('/').next().unwrap_or_default();
    name.split('.').next().unwrap_or_default().replace('-', "_")
}

fn alias(line: &str) -> Option<(String, String)> {
    let mut words = line.strip_prefix("alias ")?.split(' ');
    Some((words.next()?.to_owned(), words.next()?.replace('-', "_")))
}

/// How a device of this compatible name asks for its driver. Those on PCI and USB are asked who they are; what their nodes
/// say is the same.
fn pattern(compatible: &str) -> String {
    let number = |text: &str| u32::from_str_radix(text, 16).ok();
    for (bus, width, between) in [("pci", 8, "d"), ("usb", 4, "p")] {
        if let Some((vendor, device)) = compatible.strip_prefix(bus).and_then(|rest| rest.split_once(','))
            && let (Some(vendor), Some(device)) = (number(vendor), number(device))
        {
            return format!("{bus}:v{vendor:0width$X}{between}{device:0width$X}");
        }
    }
    format!("of:NxTxC{compatible}")
}

/// Whether a pattern with asterisks and question marks takes a name, of which only the beginning may be known for PCI and
/// USB.
fn is_like(pattern: &str, name: &str) -> bool {
    if let Some(compatible) = name.strip_prefix("of:NxTxC") {
        let own = pattern.strip_prefix("of:N*T*C");
        return own.is_some_and(|own| own == compatible || own.strip_suffix("C*") == Some(compatible));
    }
    if name.starts_with("mdio:") {
        let same = |(of, is): (char, char)| of == '?' || of == is;
        return pattern.len() == name.len() && pattern.chars().zip(name.chars()).all(same);
    }
    pattern.starts_with(name)
}

/// Texts in a program, each with a zero at its end, as strings(1) finds them.
fn texts(bytes: &[u8]) -> BTreeSet<String> {
    let is_text = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
    let text = |part: &[u8]| {
        let start = part.iter().rposition(|byte| !is_text(*byte)).map_or(0, |at| at + 1);
        std::str::from_utf8(&part[start..])
            .ok()
            .filter(|text| (4..80).contains(&text.len()))
            .map(str::to_owned)
    };
    bytes.split(|byte| *byte == 0).filter_map(text).collect()
}
