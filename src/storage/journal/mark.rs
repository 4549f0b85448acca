//! The mark: which journal there was, and how far it was.

use std::io;

use super::disk::{StateFolder, Store as _};

/// Its name in the state folder.
pub const FILE: &str = "journal.mark";
/// What is to be said when the journal is gone.
pub const GONE: &str = "its state is gone: a mark says that it was here";
/// Longest mark that is read, in bytes; a copy of it may be padded.
const LONGEST: usize = 4096;

/// `rackberry journal 0123456789abcdef 00000000000000000042`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mark {
    /// Which journal.
    pub id: u64,
    /// How often what it knows of disks had changed.
    pub changes: u64,
}

/// Whether a journal's file was there when it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JournalFile {
    /// It was, whole or damaged.
    Present,
    /// A new one was made.
    Absent,
}

impl Mark {
    /// Reads the mark of a folder; nothing where there is none.
    pub fn read(folder: &impl StateFolder) -> Option<Mark> {
        Mark::parse(&folder.read(FILE).ok()?)
    }

    /// Understands a mark's text.
    pub fn parse(bytes: &[u8]) -> Option<Mark> {
        let text = String::from_utf8_lossy(&bytes[..bytes.len().min(LONGEST)]);
        let mut words = text.split_ascii_whitespace();
        if (words.next()?, words.next()?) != ("rackberry", "journal") {
            return None;
        }
        let id = u64::from_str_radix(words.next()?, 16).ok()?;
        // A copy may have been made long ago.
        Some(Mark { id, changes: words.next().and_then(|word| word.parse().ok()).unwrap_or(0) })
    }

    /// Always as long, so that it can be written over.
    fn text(self) -> String {
        format!("rackberry journal {:016x} {:020}\n", self.id, self.changes)
    }

    /// Writes it into the state folder, unless it is there. Only what can be told by it suffers when that fails.
    ///
    /// It is written over in place: it lies in one sector, which a disk writes as a whole, and what a bad disk makes of it
    /// is made good by the next start, because the journal is there.
    pub fn write(self, folder: &impl StateFolder) {
        let text = self.text();
        let is = folder.read(FILE).unwrap_or_default();
        if is == text.as_bytes() {
            return;
        }
        let written = match is.len() == text.len() {
            true => folder.open(FILE).and_then(|file| {
                file.write_at(text.as_bytes(), 0)?;
                file.sync()
            }),
            false => replaced(folder, &text),
        };
        if let Err(error) = written {
            let path = folder.path().join(FILE);
            tracing::warn!(path = %path.display(), %error, "can't mark that there is a state");
        }
    }

    /// What is missing, by what these marks say of the journal that was here.
    pub fn missing(self, marks: &[Mark], file: JournalFile) -> Option<String> {
        if marks.is_empty() {
            return None;
        }
        if file == JournalFile::Absent {
            return Some(GONE.into());
        }
        if marks.iter().any(|mark| mark.id != self.id) {
            return Some("its state is another one than the one that was here".into());
        }
        let newest = marks.iter().map(|mark| mark.changes).max().unwrap_or(0);
        (newest > self.changes).then(|| {
            format!("its state is an old copy, which lacks {} changes to machines", newest - self.changes)
        })
    }
}

fn replaced(folder: &impl StateFolder, text: &str) -> io::Result<()> {
    const NEW: &str = ".journal.mark";
    let file = folder.create(NEW)?;
    file.write_at(text.as_bytes(), 0)?;
    file.sync()?;
    folder.rename(NEW, FILE)?;
    folder.sync()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_reads_back_and_may_be_padded() {
        let mark = Mark { id: 0xabc, changes: 7 };
        assert_eq!(mark.text(), "rackberry journal 0000000000000abc 00000000000000000007\n");
        assert_eq!(Mark { id: u64::MAX, changes: u64::MAX }.text().len(), mark.text().len());
        assert_eq!(Mark::parse(format!("{}\n\n   ", mark.text()).as_bytes()), Some(mark));
        assert_eq!(
            Mark::parse(b"rackberry journal 0000000000000abc 7\n"),
            Some(mark),
            "as it was written once"
        );
        assert_eq!(Mark::parse(b"rackberry journal 0000000000000abc"), Some(Mark { id: 0xabc, changes: 0 }));
        for text in ["", "rackberry", "rackberry journal", "rackberry journal xyz 7", "no mark"] {
            assert_eq!(Mark::parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn what_was_there_is_missed() {
        let mark = |id, changes| Mark { id, changes };
        let own = mark(1, 5);
        assert_eq!(own.missing(&[], JournalFile::Absent), None, "a first day");
        assert_eq!(own.missing(&[mark(1, 5), mark(1, 0)], JournalFile::Present), None);
        assert_eq!(
            own.missing(&[mark(1, 4)], JournalFile::Present),
            None,
            "the mark was not written any more"
        );
        assert!(own.missing(&[mark(1, 5)], JournalFile::Absent).is_some_and(|why| why.contains("gone")));
        assert!(
            own.missing(&[mark(1, 5), mark(2, 0)], JournalFile::Present)
                .is_some_and(|why| why.contains("another one"))
        );
        assert!(
            own.missing(&[mark(1, 8)], JournalFile::Present)
                .is_some_and(|why| why.contains("lacks 3 changes"))
        );
    }
}
