//! The panel: a status LED, one LED a node, one button. Pure: facts, edges and time in, light and orders out.

mod button;
pub mod drive;
mod pattern;
mod show;
pub mod terminal;

pub use pattern::Pattern;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::ids::{Mac, Stage, Time};
use button::{Button, Gesture};

/// What the panel shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// The service's mode.
    pub mode: Mode,
    /// What is wrong with the service.
    pub trouble: Option<Trouble>,
    /// Every node that is known.
    pub nodes: Vec<NodeFacts>,
}

/// The service's mode.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
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

/// What is wrong, by its number of pulses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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
    /// The disk is full or worn out.
    Disk = 6,
    /// A fault of the service's own.
    Internal = 7,
}

/// What the panel shows of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeFacts {
    /// Which node.
    pub mac: Mac,
    /// Its LED, from 1, where the configuration says so.
    pub led: Option<u16>,
    /// How far it is.
    pub stage: Stage,
    /// In which stage it failed, if it did.
    pub failed_in: Stage,
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

/// Colours of LEDs that have several. The rhythm alone says everything, too.
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
pub enum Order {
    /// Let nodes install.
    Arm,
    /// No longer.
    Disarm,
    /// Shut the appliance down.
    ShutDown,
}

/// How long a short press shows the nodes' numbers: the longest of eight numbers twice.
const IDENTIFY: Duration = Duration::from_secs(12);

/// The panel's state.
#[derive(Debug, Clone)]
pub struct Panel {
    leds: u16,
    facts: Facts,
    button: Button,
    identify_until: Option<Time>,
    /// Failures that somebody has seen.
    silenced: BTreeSet<Mac>,
    /// LEDs of nodes for which the configuration names none, in the order of their appearance.
    given: BTreeMap<Mac, u16>,
}

impl Panel {
    /// A panel with so many node LEDs, one at least; `pressed` says whether the button is down at the start.
    pub fn new(leds: u16, pressed: bool) -> Panel {
        Panel {
            leds: leds.max(1),
            facts: Facts::default(),
            button: Button::new(pressed),
            identify_until: None,
            silenced: BTreeSet::new(),
            given: BTreeMap::new(),
        }
    }

    /// Something is different.
    pub fn update(&mut self, facts: Facts) {
        let failed: BTreeSet<Mac> =
            facts.nodes.iter().filter(|node| node.stage == Stage::Failed).map(|node| node.mac).collect();
        self.silenced.retain(|mac| failed.contains(mac));
        self.facts = facts;
        self.give_leds();
    }

    /// The button's line changed.
    pub fn edge(&mut self, pressed: bool, now: Time) {
        self.button.edge(pressed, now);
    }

    /// What time alone brings about; call it at [`Panel::deadline`].
    pub fn tick(&mut self, now: Time) -> Option<Order> {
        self.identify_until = self.identify_until.filter(|until| now < *until);
        match self.button.tick(now)? {
            Gesture::Short => {
                self.identify_until = Some(now + IDENTIFY);
                let failed = self.facts.nodes.iter().filter(|node| node.stage == Stage::Failed);
                self.silenced.extend(failed.map(|node| node.mac));
                None
            }
            Gesture::Two => match self.facts.mode {
                Mode::Armed => Some(Order::Disarm),
                Mode::Safe | Mode::Finishing => Some(Order::Arm),
                Mode::Starting => None,
            },
            Gesture::Ten => Some(Order::ShutDown),
        }
    }

    /// When a lamp changes or [`Panel::tick`] has something to do; `None` while everything stays as it is.
    pub fn deadline(&self, now: Time) -> Option<Time> {
        let lamps = self.lamps(now).into_iter().filter_map(|lamp| lamp.pattern.next_change(now));
        lamps.chain(self.button.deadline(now)).chain(self.identify_until).min()
    }
}
