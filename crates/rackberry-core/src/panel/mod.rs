//! The panel: a status LED, one LED a node, one button. Facts, edges and time in, light and orders out.

pub mod board;
mod button;
mod edge;
#[cfg(test)]
mod manual;
mod pattern;
pub mod screen;
mod show;

pub use button::{Contact, Edge, Press};
pub use edge::Tracker;
pub use pattern::Pattern;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::ids::{Mac, Stage, Time};
use button::{Button, Gesture};

/// What the panel shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PanelFacts {
    /// The service's mode.
    pub mode: StatusMode,
    /// What is wrong with the service, in words.
    pub troubles: BTreeMap<Trouble, String>,
    /// The service's address.
    pub address: String,
    /// Every node that is known.
    pub nodes: Vec<PanelNode>,
}

/// The service's mode.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum StatusMode {
    /// Not ready yet.
    #[default]
    Starting,
    /// Ready; nobody installs.
    Safe,
    /// Installs may start.
    Armed,
    /// The armed time is over; installs still run.
    Finishing,
}

/// What is wrong, by its number of pulses. Of several, the highest number shows: it hinders the others' cure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Trouble {
    /// A fault in the configuration.
    Config = 2,
    /// Nothing to install: files are missing or not authentic.
    Assets = 3,
    /// No network.
    Network = 4,
    /// Another DHCP server answers.
    OtherDhcp = 5,
    /// The disk is full or worn out, or the state was lost.
    Disk = 6,
    /// A fault of the service's own.
    Internal = 7,
}

impl Trouble {
    /// Every one.
    pub const ALL: [Trouble; 6] =
        [Self::Config, Self::Assets, Self::Network, Self::OtherDhcp, Self::Disk, Self::Internal];

    /// What it is, and what to do about it.
    pub fn meaning(self) -> (&'static str, &'static str) {
        match self {
            Self::Config => (
                "a fault in the configuration",
                "`rackberry status` names the line on the SD image, `rackberry check` elsewhere; mend rackberry.toml",
            ),
            Self::Assets => (
                "nothing to install: files are missing or not authentic",
                "`rackberry status` says what is missing; plug in the disk that holds it",
            ),
            Self::Network => (
                "no network: the interface is not there, or has no address or no link",
                "plug the cable in; `rackberry status` says what it waits for",
            ),
            Self::OtherDhcp => (
                "another DHCP server answers in this network",
                "take it away, or set network.mode to \"proxy\"",
            ),
            Self::Disk => (
                "the card or disk is full or worn out, or the state was lost",
                "`rackberry status` says which: free some space or write a new card; after a loss, name the nodes or say \
                 `rackberry accept-loss`",
            ),
            Self::Internal => (
                "a fault of the service's own; it starts again by itself",
                "if it comes back, its log says why: `journalctl -u rackberry`",
            ),
        }
    }
}

/// What the panel shows of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PanelNode {
    /// Which node.
    pub mac: Mac,
    /// Its name; empty where it has none.
    pub name: String,
    /// Its LED, from 1, where the configuration says so.
    pub led: Option<u16>,
    /// How far it is.
    pub stage: Stage,
    /// In which stage it failed, if it did.
    pub failed_in: Stage,
    /// Why.
    pub reason: String,
    /// Bytes of the image: sent, and in all.
    pub image: (u64, u64),
}

/// What one LED does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lamp {
    /// Its rhythm.
    pub pattern: Pattern,
    /// Its colour, where it has several.
    pub color: Color,
}

impl Lamp {
    /// What it does at `now`.
    pub fn light(self, now: Time) -> Light {
        Light { color: self.color, level: if self.pattern.is_lit(now) { self.pattern.level() } else { 0 } }
    }
}

/// What one LED does at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Light {
    /// Its colour, where it has several.
    pub color: Color,
    /// Its brightness, 255 at the most; an LED of one colour is on for anything but 0.
    pub level: u8,
}

impl Light {
    /// Not lit.
    pub const DARK: Light = Light { color: Color::White, level: 0 };

    /// Whether it is lit.
    pub fn is_lit(self) -> bool {
        self.level > 0
    }
}

/// Colours of LEDs that have several. The rhythm alone says everything, too: people who can't tell red from
/// green lose nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "colours")]
pub enum Color {
    White,
    Blue,
    Amber,
    Cyan,
    Green,
    Red,
}

/// What the button orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PanelOrder {
    /// Let nodes install.
    Arm,
    /// No longer.
    Disarm,
    /// Shut the appliance down.
    ShutDown,
}

/// A press that ended longer ago than this is no longer what anybody means: they have seen that nothing happened.
const STALE: Duration = Duration::from_secs(1);

/// The panel's state.
#[derive(Debug, Clone)]
pub struct Panel {
    leds: u16,
    facts: PanelFacts,
    button: Button,
    identify_until: Option<Time>,
    /// Failures that somebody has seen.
    silenced: BTreeSet<Mac>,
    /// LEDs of nodes for which the configuration names none, in the order of their appearance.
    given: BTreeMap<Mac, u16>,
    /// How far the images of nodes that install are.
    images: BTreeMap<Mac, Progress>,
}

/// How far an image is. A LED takes over what is new when its round is over: in the middle of one it would flash
/// once more.
#[derive(Debug, Clone, Copy)]
struct Progress {
    /// The round in which it changed last.
    round: u64,
    /// What was known before that round, and now: bytes sent, and in all.
    before: (u64, u64),
    now: (u64, u64),
}

impl Panel {
    /// A panel with so many node LEDs, one at least, and where its button is at the start.
    pub fn new(leds: u16, button: Contact) -> Panel {
        Panel {
            leds: leds.max(1),
            facts: PanelFacts::default(),
            button: Button::new(button),
            identify_until: None,
            silenced: BTreeSet::new(),
            given: BTreeMap::new(),
            images: BTreeMap::new(),
        }
    }

    /// The hardware was away, or is there for the first time: whatever the button did before means nothing.
    pub fn attach(&mut self, button: Contact) {
        self.button = Button::new(button);
    }

    /// What it shows.
    pub fn facts(&self) -> &PanelFacts {
        &self.facts
    }

    /// Something is different, from `now` on.
    pub fn update(&mut self, facts: PanelFacts, now: Time) {
        let failed: BTreeSet<Mac> =
            facts.nodes.iter().filter(|node| node.stage == Stage::Failed).map(|node| node.mac).collect();
        self.silenced.retain(|mac| failed.contains(mac));
        self.facts = facts;
        self.give_leds();
        self.note_images(now);
    }

    /// The button's line changed. An order comes of it only where the press before was settled by it.
    pub fn edge(&mut self, edge: Edge, now: Time) -> Option<PanelOrder> {
        let press = self.button.edge(edge)?;
        self.press(press, now)
    }

    /// What time alone brings about; call it at [`Panel::deadline`], after all edges that came before.
    pub fn tick(&mut self, now: Time) -> Option<PanelOrder> {
        self.identify_until = self.identify_until.filter(|until| now < *until);
        let press = self.button.tick(now)?;
        self.press(press, now)
    }

    fn press(&mut self, press: Press, now: Time) -> Option<PanelOrder> {
        if now.since(press.released) > STALE {
            return None;
        }
        match press.gesture {
            Gesture::Short => {
                self.identify_until = Some(now + self.identify_time());
                let failed = self.facts.nodes.iter().filter(|node| node.stage == Stage::Failed);
                self.silenced.extend(failed.map(|node| node.mac));
                None
            }
            Gesture::Two => match self.facts.mode {
                StatusMode::Armed => Some(PanelOrder::Disarm),
                StatusMode::Safe | StatusMode::Finishing => Some(PanelOrder::Arm),
                StatusMode::Starting => None,
            },
            Gesture::Ten => Some(PanelOrder::ShutDown),
        }
    }

    /// When a lamp changes or [`Panel::tick`] has something to do; `None` while everything stays as it is.
    pub fn deadline(&self, now: Time) -> Option<Time> {
        let lamps = self.lamps(now).into_iter().filter_map(|lamp| lamp.pattern.next_change(now));
        lamps.chain(self.button.deadline(now)).chain(self.identify_until).min()
    }
}
