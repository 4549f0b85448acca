//! The file with its records: it is appended to, and written anew beside itself when it has become long.

use std::{io, sync::Arc, thread};

use super::{
    before::StateStamp,
    contents::Contents,
    disk::{StateFolder, Store},
    record::{self, Damage, Header},
};

/// Its name.
pub const FILE: &str = "state.log";
/// What it is called while it is not yet whole.
const NEW: &str = ".state.log";
/// The file grows by so much, written with zeros: a commit that changes no file's length and takes no new block is one
/// block for the disk, and several otherwise.
pub const AHEAD: u64 = 16 << 10;
/// So many bytes of commits may follow the records that the file was made with, or as many as those have.
const MOST: u64 = 256 << 10;

/// An open file.
#[derive(Debug)]
pub struct Log<F: StateFolder> {
    folder: F,
    file: Arc<F::File>,
    header: Header,
    /// Where the records end that it was made with.
    base: u64,
    /// Where its last commit ends.
    end: u64,
    /// How long it is.
    size: u64,
    /// Behind the end there may be what is left of a write that failed or was cut off.
    is_torn: bool,
    /// Its name is on the disk.
    is_placed: bool,
    rewriting: Option<Rewriting<F>>,
    /// The file is not written anew before it is so long.
    patience: u64,
    /// [`MOST`].
    most: u64,
    /// A new file takes this one's place after so many more commits.
    #[cfg(test)]
    delay: usize,
}

/// The file is being written anew.
#[derive(Debug)]
struct Rewriting<F: StateFolder> {
    thread: Option<thread::JoinHandle<io::Result<Log<F>>>>,
    /// Commits since that began.
    since: Vec<String>,
}

/// What a new file is known by.
#[derive(Debug, Clone, Copy)]
pub struct LogName {
    /// Which journal.
    pub id: u64,
    /// The file's own number.
    pub salt: u64,
    /// The file of an earlier layout beside it.
    pub before: Option<StateStamp>,
}

impl<F: StateFolder> Log<F> {
    /// Opens the file whose `bytes` were read and found to be good. They are on the disk then, and so is its name: whoever
    /// wrote them may have been killed before.
    ///
    /// # Errors
    /// The system's, when it can't be written.
    pub fn open(folder: F, bytes: &[u8], records: &record::Records<'_>) -> io::Result<Log<F>> {
        let file = Arc::new(folder.open(FILE)?);
        let (base, end, size) = (records.base as u64, records.end as u64, bytes.len() as u64);
        let (header, is_torn) = (records.header, records.is_torn);
        // What a start leaves that was cut off; it is in nobody's way.
        let _ = folder.remove(NEW);
        file.sync()?;
        folder.sync()?;
        Ok(Log {
            folder,
            file,
            header,
            base,
            end,
            size,
            is_torn,
            is_placed: true,
            rewriting: None,
            patience: 0,
            most: MOST,
            #[cfg(test)]
            delay: 0,
        })
    }

    /// Makes a file, in the place of the one that is there.
    ///
    /// # Errors
    /// The system's. Then the old one is there, or the new one is.
    pub fn create(folder: F, name: LogName, contents: &Contents<'_>) -> io::Result<Log<F>> {
        let mut log = Log::beside(folder, name, contents)?;
        log.folder.rename(NEW, FILE)?;
        log.name_is_kept()?;
        Ok(log)
    }

    /// Writes a file beside the one that is there.
    fn beside(folder: F, name: LogName, contents: &Contents<'_>) -> io::Result<Log<F>> {
        let bodies = contents.bodies();
        let LogName { id, salt, before } = name;
        let header = Header { id, salt, records: bodies.len(), before };
        let text = header.text();
        let len = bodies.iter().map(|body| record::HEAD + body.len()).sum::<usize>() + text.len();
        // A state of a thousand machines is not to be copied while it grows.
        let mut bytes = Vec::with_capacity(usize::try_from(enough_for(len as u64)).unwrap_or(len));
        bytes.extend(text.bytes());
        bodies.into_iter().for_each(|body| record::add(&mut bytes, salt, 0, &body));
        let end = bytes.len() as u64;
        let size = enough_for(end);
        bytes.resize(usize::try_from(size).unwrap_or(bytes.len()), 0);
        let file = folder.create(NEW)?;
        if let Err(error) = file.write_at(&bytes, 0).and_then(|()| file.sync()) {
            // It may be the disk that is full.
            let _ = folder.remove(NEW);
            return Err(error);
        }
        Ok(Log {
            folder,
            file: Arc::new(file),
            header,
            base: end,
            end,
            size,
            is_torn: false,
            is_placed: false,
            rewriting: None,
            patience: 0,
            most: MOST,
            #[cfg(test)]
            delay: 0,
        })
    }

    /// The file beside takes this one's place.
    fn replace(&mut self, new: Log<F>) -> io::Result<()> {
        self.folder.rename(NEW, FILE)?;
        // From here on the old file is nobody's. Whether the new name is on the disk is seen to before the next commit.
        *self = Log {
            most: self.most,
            #[cfg(test)]
            delay: self.delay,
            ..new
        };
        self.name_is_kept()
    }

    fn name_is_kept(&mut self) -> io::Result<()> {
        self.folder.sync()?;
        self.is_placed = true;
        Ok(())
    }

    /// Appends a commit; when this returns well, it is on the disk.
    ///
    /// # Errors
    /// The system's. The commit may be on the disk all the same, and is not counted.
    pub fn append(&mut self, body: &str) -> io::Result<()> {
        self.take_over();
        let was_torn = self.is_torn;
        let appended = match self.write(body) {
            // The second time in the same place: a disk may have a bad one.
            Err(_) if was_torn => self.anew().and_then(|()| self.write(body)),
            other => other,
        };
        appended?;
        if let Some(rewriting) = &mut self.rewriting {
            rewriting.since.push(body.to_owned());
        } else if self.end - self.base > self.most.max(self.base) && self.end >= self.patience {
            self.rewrite();
        }
        Ok(())
    }

    fn write(&mut self, body: &str) -> io::Result<()> {
        if !self.is_placed {
            self.name_is_kept()?;
        }
        let mut bytes = Vec::with_capacity(body.len() + 64);
        record::add(&mut bytes, self.header.salt, self.end, body);
        let end = self.end + bytes.len() as u64;
        if end > self.size {
            self.size = enough_for(end);
            self.is_torn = true;
        }
        if self.is_torn {
            bytes.resize(usize::try_from(self.size - self.end).unwrap_or(bytes.len()), 0);
        }
        self.is_torn = true;
        self.file.write_at(&bytes, self.end)?;
        self.file.sync()?;
        self.is_torn = false;
        self.end = end;
        Ok(())
    }

    /// Writes what was committed into a new file, while everybody waits.
    fn anew(&mut self) -> io::Result<()> {
        self.rewriting = None;
        let new = written_anew(self.folder.clone(), &self.file, self.end)?;
        self.replace(new)
    }

    /// Begins to write the file anew, beside, while commits go on.
    fn rewrite(&mut self) {
        let (folder, file, end) = (self.folder.clone(), self.file.clone(), self.end);
        let work = move || written_anew(folder, &file, end);
        // Without a thread the file gets longer, and it is tried again.
        match thread::Builder::new().name("journal".into()).spawn(work) {
            Ok(thread) => self.rewriting = Some(Rewriting { thread: Some(thread), since: Vec::new() }),
            Err(_) => self.patience = self.end + MOST,
        }
    }

    /// Takes the file over that was written beside, if that is done.
    fn take_over(&mut self) {
        #[cfg(test)]
        if self.rewriting.as_ref().is_some_and(|rewriting| rewriting.since.len() < self.delay) {
            return;
        }
        if self.rewriting.as_ref().is_some_and(Rewriting::is_done)
            && let Err(error) = self.finish()
        {
            tracing::warn!(%error, "can't write the state anew; the file gets longer");
            self.patience = self.end + MOST;
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        let Some(mut rewriting) = self.rewriting.take() else { return Ok(()) };
        let mut new = rewriting.join()?;
        if !rewriting.since.is_empty() {
            let mut bytes = Vec::new();
            rewriting.since.iter().for_each(|body| record::add(&mut bytes, new.header.salt, new.end, body));
            let end = new.end + bytes.len() as u64;
            new.size = new.size.max(enough_for(end));
            bytes.resize(usize::try_from(new.size - new.end).unwrap_or(bytes.len()), 0);
            new.file.write_at(&bytes, new.end)?;
            new.file.sync()?;
            new.end = end;
        }
        self.replace(new)
    }

    /// Has it written anew after so many bytes, and the new file take its place after so many commits.
    #[cfg(test)]
    pub fn hurry(&mut self, most: u64, delay: usize) {
        (self.most, self.delay) = (most, delay);
    }

    /// Waits until the new file is written, if it is being.
    #[cfg(test)]
    pub fn settle(&self) {
        while self.rewriting.as_ref().is_some_and(|rewriting| !rewriting.is_done()) {
            thread::yield_now();
        }
    }
}

impl<F: StateFolder> Rewriting<F> {
    fn is_done(&self) -> bool {
        self.thread.as_ref().is_none_or(thread::JoinHandle::is_finished)
    }

    fn join(&mut self) -> io::Result<Log<F>> {
        let joined = self.thread.take().map(thread::JoinHandle::join);
        joined.and_then(Result::ok).unwrap_or_else(|| Err(io::Error::other("writing it has failed")))
    }
}

impl<F: StateFolder> Drop for Rewriting<F> {
    fn drop(&mut self) {
        // The folder is locked as long as its thread writes there, so it has to end first.
        drop(self.join());
    }
}

/// What a file holds up to `end`, in a file beside it.
fn written_anew<F: StateFolder>(folder: F, file: &F::File, end: u64) -> io::Result<Log<F>> {
    let bytes = file.read(end)?;
    let senseless = |place| io::Error::other(Damage::Senseless(place));
    let records = record::read(&bytes).map_err(io::Error::other)?;
    let mut contents = Contents::default();
    for (place, body) in records.bodies {
        contents.apply(body).map_err(|_| senseless(place))?;
    }
    let Header { id, salt, before, .. } = records.header;
    // Another one each time; whoever knows none of them knows none of the next.
    let salt = salt.rotate_left(23).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ end;
    Log::beside(folder, LogName { id, salt, before }, &contents)
}

/// The length of a file whose records end there.
fn enough_for(end: u64) -> u64 {
    (end / AHEAD + 1) * AHEAD
}
