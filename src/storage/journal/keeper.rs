//! The journal of a folder: which file is read, what becomes of one that is damaged, and the mark.

use std::io;

use super::{
    JournalError, aside,
    before::{self, Before, BeforeError, StateStamp},
    chain,
    contents::{self, Contents},
    disk::StateFolder,
    log::{self, Log, LogName},
    mark::{JournalFile, Mark},
    record::{self, Damage, Records},
};
use rackberry_core::{
    appliance::{Change, Stored},
    ids::Time,
    nodes::Disk,
};

/// The journal of a folder.
#[derive(Debug)]
pub struct Keeper<F: StateFolder> {
    folder: F,
    /// None while it can't be opened.
    log: Option<Log<F>>,
    mark: Mark,
    /// What a new journal is known by.
    id: u64,
}

/// What is kept in a folder, and the file to go on with.
struct Found<F: StateFolder> {
    stored: Stored,
    mark: Mark,
    /// There was a journal before.
    file: JournalFile,
    log: io::Result<Log<F>>,
}

impl<F: StateFolder> Keeper<F> {
    /// A journal that the next commit opens.
    pub fn closed(folder: F) -> Keeper<F> {
        let mark = Mark::read(&folder).unwrap_or_default();
        Keeper { folder, log: None, mark, id: mark.id }
    }

    /// Opens it: what it kept, and why it can't be written, if it can't.
    ///
    /// # Errors
    /// When a version before this one has it, a later one wrote it, or a damaged file can't be set aside.
    pub fn open(
        folder: F,
        elsewhere: Option<Mark>,
        id: u64,
    ) -> Result<(Keeper<F>, Stored, Option<String>), JournalError> {
        let marks: Vec<Mark> = Mark::read(&folder).into_iter().chain(elsewhere).collect();
        let mut keeper = Keeper { folder, log: None, mark: Mark::default(), id };
        let (found, damage) = match keeper.find() {
            Ok(found) => (found, None),
            Err(
                error @ (JournalError::InUse(_)
                | JournalError::Later(..)
                | JournalError::Before(BeforeError::InUse(_) | BeforeError::Later(..))),
            ) => return Err(error),
            Err(error) if aside::is_unwritable(&error, &keeper.folder) => {
                let loss = Some(format!("its state can't be read ({})", chain(&error)));
                return Ok((keeper, Stored { loss, ..Stored::default() }, Some(chain(&error))));
            }
            Err(error) => {
                let name = if matches!(error, JournalError::Before(_)) { before::FILE } else { log::FILE };
                let aside = aside::set_aside(&keeper.folder, name, "damaged")?;
                let reason = format!("its state is damaged ({}) and is set aside as {aside}", chain(&error));
                (keeper.made(JournalFile::Present), Some(reason))
            }
        };
        let Found { mut stored, mark, file, log } = found;
        stored.loss = damage.or_else(|| mark.missing(&marks, file)).or(stored.loss);
        keeper.mark = mark;
        let unwritable = match log {
            Ok(log) => {
                keeper.log = Some(log);
                mark.write(&keeper.folder);
                None
            }
            Err(error) => Some(chain(&keeper.failed(JournalError::Open, error))),
        };
        Ok((keeper, stored, unwritable))
    }

    /// See [`super::Journal::commit`].
    ///
    /// # Errors
    /// See there.
    pub fn commit(&mut self, changes: &[Change], now: Time) -> Result<(), JournalError> {
        let mut log = match self.log.take() {
            Some(log) => log,
            None => {
                let found = self.find()?;
                self.mark = found.mark;
                found.log.map_err(|error| self.failed(JournalError::Open, error))?
            }
        };
        let news = changes.iter().filter(|change| touches_a_disk(change)).count() as u64;
        let body = contents::body(changes, now, self.mark.changes + news);
        let appended = body.map(|body| log.append(&body));
        self.log = Some(log);
        match appended {
            Err(error) => return Err(JournalError::Code(self.folder.path().join(log::FILE), error)),
            Ok(Err(error)) => return Err(self.failed(JournalError::Access, error)),
            Ok(Ok(())) => {}
        }
        if news > 0 {
            self.mark.changes += news;
            self.mark.write(&self.folder);
        }
        Ok(())
    }

    /// The open file.
    #[cfg(test)]
    pub fn log(&mut self) -> &mut Log<F> {
        self.log.as_mut().expect("it is open")
    }

    fn failed(
        &self,
        kind: fn(std::path::PathBuf, io::Error) -> JournalError,
        error: io::Error,
    ) -> JournalError {
        kind(self.folder.path().join(log::FILE), error)
    }

    /// Reads what is there, and opens it; makes what is not.
    fn find(&self) -> Result<Found<F>, JournalError> {
        let bytes = match self.folder.read(log::FILE) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(self.failed(JournalError::Open, error)),
        };
        let path = self.folder.path().join(before::FILE);
        if bytes.is_empty() {
            return match before::is_there(&path) {
                true => Ok(self.converted(before::read(&path)?)),
                false => Ok(self.made(JournalFile::Absent)),
            };
        }
        let damaged = |damage| {
            let path = self.folder.path().join(log::FILE);
            match damage {
                Damage::Later(layout) => JournalError::Later(path, layout),
                damage => JournalError::Damaged(path, damage),
            }
        };
        let records = record::read(&bytes).map_err(damaged)?;
        if let Some(newer) = self.newer(records.header.before)? {
            let aside = aside::set_aside(&self.folder, log::FILE, "before")?;
            tracing::info!(
                "an earlier version has run meanwhile; its state counts, and {aside} is the one of before"
            );
            return Ok(self.converted(newer));
        }
        self.read(&bytes, &records).map_err(damaged)
    }

    fn read(&self, bytes: &[u8], records: &Records<'_>) -> Result<Found<F>, Damage> {
        let mut contents = Contents::default();
        for (place, body) in &records.bodies {
            contents.apply(body).map_err(|_| Damage::Senseless(*place))?;
        }
        let stored = contents.stored().map_err(|_| Damage::Senseless(records.end))?;
        let mark = Mark { id: records.header.id, changes: contents.changes };
        let log = Log::open(self.folder.clone(), bytes, records);
        Ok(Found { stored, mark, file: JournalFile::Present, log })
    }

    /// A journal of nothing.
    fn made(&self, file: JournalFile) -> Found<F> {
        let before = before::read(&self.folder.path().join(before::FILE)).ok();
        let name = LogName { id: self.id, salt: super::random(), before: before.map(|before| before.stamp) };
        let log = Log::create(self.folder.clone(), name, &Contents::default());
        let mark = Mark { id: self.id, changes: 0 };
        Found { stored: Stored::default(), mark, file, log }
    }

    /// A journal of what an earlier version kept.
    fn converted(&self, before: Before) -> Found<F> {
        let Before { stored, id, changes, stamp } = before;
        let mark = Mark { id: id.unwrap_or(self.id), changes };
        let name = LogName { id: mark.id, salt: super::random(), before: Some(stamp) };
        let log = contents::body(&contents::changes_of(stored.clone()), stored.time, changes)
            .map_err(io::Error::other)
            .and_then(|body| {
                let mut contents = Contents::default();
                contents.apply(&body).map_err(|_| io::Error::other(Damage::Senseless(0)))?;
                Log::create(self.folder.clone(), name, &contents)
            });
        Found { stored, mark, file: JournalFile::Present, log }
    }

    /// The file of an earlier version, if that has run since it was `seen`.
    fn newer(&self, seen: Option<StateStamp>) -> Result<Option<Before>, JournalError> {
        let path = self.folder.path().join(before::FILE);
        if !before::is_there(&path) || seen.is_some_and(|seen| seen.is_as_it_was(&path)) {
            return Ok(None);
        }
        match before::read(&path) {
            Ok(before) => Ok(Some(before).filter(|it| seen.is_none_or(|seen| !seen.is_same(it.stamp)))),
            Err(error @ BeforeError::InUse(_)) => Err(error.into()),
            Err(error) => {
                tracing::warn!(%error, "can't read the state of the version before; this version's counts");
                Ok(None)
            }
        }
    }
}

/// Whether a change tells something of what is on a machine's disk.
fn touches_a_disk(change: &Change) -> bool {
    match change {
        Change::Node(node) => *node.disk() != Disk::Untouched,
        Change::NoNode(_) | Change::Loss(_) => true,
        Change::Lease(_) | Change::Shared(_) | Change::Order(_) => false,
    }
}
