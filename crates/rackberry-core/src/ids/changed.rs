use std::collections::BTreeSet;

use super::Mac;

/// More than this are not told apart: nobody may look for days.
const MOST: usize = 4096;

/// Which records have changed since somebody looked last. Whoever changes one notes it, which costs the same however many
/// there are; whoever looks makes those anew, and no others.
#[derive(Debug, Clone, Default)]
pub struct Changed {
    macs: BTreeSet<Mac>,
    is_all: bool,
}

impl Changed {
    /// Notes that this record has changed.
    pub fn note(&mut self, mac: Mac) {
        if self.macs.len() >= MOST {
            self.note_all();
        }
        if !self.is_all {
            self.macs.insert(mac);
        }
    }

    /// Notes that any record may have changed.
    pub fn note_all(&mut self) {
        self.macs.clear();
        self.is_all = true;
    }

    /// What was noted since the last call; nothing where any may have changed.
    pub fn take(&mut self) -> Option<BTreeSet<Mac>> {
        let Changed { macs, is_all } = std::mem::take(self);
        (!is_all).then_some(macs)
    }
}
