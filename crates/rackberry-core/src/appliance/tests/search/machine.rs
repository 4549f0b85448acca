//! A machine as it truly is: its power, what runs on it, what is on its disk.

use std::hash::Hash;

use super::super::*;
use crate::{appliance::tests::world::*, ids::Time};

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
    /// The installer writes its disk. What was begun by somebody's own menu or loader has no token.
    Writes(usize, String),
    /// The installer has said that it has written, and looks at its work once more.
    Reported(usize, String),
    /// The installer is through, or the loader or the firmware: its disk comes next.
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
    /// When its disk began to be overwritten last, or its installer said that it is written.
    pub begun: Option<Time>,
    /// The service was told of that, and has neither lost it since nor been told to forget it. By this card.
    pub known_by: Option<Mac>,
    /// Starts into the installer since the service heard of that last.
    pub led: u8,
    /// The orders that are over for it, because its installer has said that it failed.
    pub failed: u8,
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
            begun: None,
            known_by: None,
            led: 0,
            failed: 0,
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
            Runs::Reported(card, _) => (8, *card),
        }
    }

    /// The card and the token of its installer.
    pub fn installer(&self) -> Option<(Mac, &str)> {
        match &self.runs {
            Runs::Installer(card, token)
            | Runs::Live(card, token)
            | Runs::Configured(card, token)
            | Runs::Writes(card, token)
            | Runs::Reported(card, token) => Some((self.cards[*card], token)),
            Runs::Nothing | Runs::Loader(_) | Runs::Done | Runs::System => None,
        }
    }

    /// The service knows nothing of it any more.
    pub fn is_not_known(&mut self) {
        (self.begun, self.known_by) = (None, None);
    }

    /// Its disk was overwritten by now, and the service knows of that.
    pub fn is_known_to_write(&self) -> bool {
        matches!(self.runs, Runs::Writes(..) | Runs::Reported(..)) && self.known_by.is_some()
    }
}

/// The token in a text that was made for a node.
pub fn token_in(text: &str) -> Option<String> {
    let rest = text.split("g/").nth(1)?;
    Some(rest.split('/').next()?.to_owned())
}

/// What a machine asks for, with the hardware address that the switch tells of it.
impl World {
    fn ask_by(&mut self, card: Mac, path: &str) -> Answer {
        let address = self.address(card);
        self.ask_as(address, card, path)
    }

    /// What an address gets while this hardware address answers for it.
    pub fn ask_as(&mut self, address: Ipv4Addr, hardware: Mac, path: &str) -> Answer {
        let target = route::parse(path, None).unwrap();
        let from = Requester { address, hardware: Some(hardware) };
        self.ask(Ask::Fetch { from, via: Via::Http, extent: Extent::Whole, target })
    }

    /// Fetches a path below a grant, if there is one, up to this byte of 1000.
    pub fn fetch_by(&mut self, card: Mac, token: &str, path: &str, sent: u64) -> Answer {
        let answer = match token {
            "" => self.ask_by(card, path),
            token => self.ask_by(card, &format!("/g/{token}{path}")),
        };
        self.send_part(&answer, 0, sent);
        answer
    }

    /// What a machine's installer says, by its grant if it has one, or its system.
    pub fn says(&mut self, card: Mac, token: &str, stage: Stage, ok: bool) -> Answer {
        let from = Requester { address: self.address(card), hardware: Some(card) };
        self.says_as(from, card, token, stage, ok)
    }

    /// The same, by whoever it is.
    pub fn says_as(&mut self, from: Requester, mac: Mac, token: &str, stage: Stage, ok: bool) -> Answer {
        let grant = Some(token).filter(|token| !token.is_empty()).map(str::to_owned);
        self.ask(Ask::Report { from, grant, mac, report: report_of(stage, ok, "said so") })
    }
}
