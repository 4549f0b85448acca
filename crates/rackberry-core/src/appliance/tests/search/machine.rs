//! A machine as it truly is: its power, what runs on it, what is on its disk.

use std::hash::Hash;

use super::super::*;
use crate::appliance::tests::world::*;

/// What runs on a machine.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Runs {
    /// It is off.
    Nothing,
    /// Its firmware has its loader, by this card, and the loader is about to ask for its menu.
    Loader(usize),
    /// The installer's kernel and initrd are there; its system comes up. With the grant's token.
    Installer(usize, String),
    /// The live system that a person uses.
    Live(usize, String),
    /// The installer has its configuration.
    Configured(usize, String),
    /// The installer writes its disk.
    Writes(usize, String),
    /// The installer is through, and is about to restart.
    Done,
    /// The system on its disk.
    System,
}

/// What is on a machine's disk, in truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TrueDisk {
    /// What was there before.
    Before,
    /// A part of a system.
    Part,
    /// All of an image that is not good.
    Bad,
    /// A system that starts.
    Good,
}

/// A machine.
#[derive(Debug, Clone)]
pub struct Machine {
    pub cards: Vec<Mac>,
    /// What its firmware calls it.
    pub id: Option<u8>,
    pub runs: Runs,
    pub disk: TrueDisk,
    /// The orders that were given before its disk was overwritten last: those have had their overwrite.
    pub used: u8,
    /// An overwrite was permitted by them, and its answer was lost.
    pub is_permitted: bool,
}

impl Machine {
    pub fn new(cards: &[Mac], id: Option<u8>) -> Machine {
        Machine {
            cards: cards.to_vec(),
            id,
            runs: Runs::Nothing,
            disk: TrueDisk::Before,
            used: 0,
            is_permitted: false,
        }
    }

    /// What runs on it, without tokens.
    pub fn runs_as_numbers(&self) -> (u8, usize) {
        match &self.runs {
            Runs::Nothing => (0, 0),
            Runs::System => (1, 0),
            Runs::Done => (2, 0),
            Runs::Loader(card) => (3, *card),
            Runs::Installer(card, _) => (4, *card),
            Runs::Live(card, _) => (5, *card),
            Runs::Configured(card, _) => (6, *card),
            Runs::Writes(card, _) => (7, *card),
        }
    }

    /// The card and the token of its installer.
    pub fn installer(&self) -> Option<(Mac, &str)> {
        match &self.runs {
            Runs::Installer(card, token)
            | Runs::Live(card, token)
            | Runs::Configured(card, token)
            | Runs::Writes(card, token) => Some((self.cards[*card], token)),
            Runs::Nothing | Runs::Loader(_) | Runs::Done | Runs::System => None,
        }
    }
}

/// The token in a text that was made for a node.
pub fn token_in(text: &str) -> Option<String> {
    let rest = text.split("g/").nth(1)?;
    Some(rest.split('/').next()?.to_owned())
}

impl World {
    /// Fetches a path below a grant, up to this byte of 1000.
    pub fn fetch_by(&mut self, card: Mac, token: &str, path: &str, sent: u64) -> Answer {
        self.fetch_part(card, &format!("/g/{token}{path}"), 0, sent)
    }
}
