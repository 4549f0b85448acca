//! A commit that runs, in a thread of its own.

use std::sync::Arc;

use tokio::task::JoinHandle;

use crate::storage::journal::{Journal, JournalError};
use rackberry_core::{appliance::Change, ids::Time};

/// The journal, and what became of the commit.
pub(super) type Ended = (Journal, Result<(), JournalError>);

/// A commit that runs.
#[derive(Debug)]
pub(super) struct Commit {
    /// What it writes.
    pub changes: Arc<Vec<Change>>,
    /// When it began.
    pub at: Time,
    /// The thread.
    pub work: JoinHandle<Ended>,
}

impl Commit {
    /// Begins to write these changes.
    pub fn begin(mut journal: Journal, changes: Vec<Change>, at: Time) -> Commit {
        let changes = Arc::new(changes);
        let written = changes.clone();
        let work = move || {
            let result = journal.commit(&written, at);
            (journal, result)
        };
        Commit { changes, at, work: tokio::task::spawn_blocking(work) }
    }
}
