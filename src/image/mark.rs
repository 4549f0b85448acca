//! `rackberry image mark`: the card remembers that there was a journal, on the FAT partition, so that a data partition
//! which lost it, or was made anew, is not taken for a first day.
//!
//! The service names its journal by a line of text, `journal.mark` beside it: `rackberry journal ID CHANGES`. That line is
//! copied to `journal.txt` on the card, once, and again when another journal is named; `setup` gives the card's line back
//! to the service.

use std::fs;

use anyhow::ensure;

use super::{Root, card};

/// The file on the card.
const CARD: &str = "journal.txt";
/// What the service writes beside its journal.
const JOURNAL: &str = "var/lib/rackberry/journal.mark";
/// Bytes of the file on the card: one sector, so that a power cut leaves the old line or the new one.
const LENGTH: usize = 512;
/// The longest line, in bytes.
const LONGEST: usize = 200;
/// What stands before the line.
const BEFORE: &str = "journal: ";
/// What stands there while no journal was made.
const NONE: &str = "none";
const AFTER: &str = "This line names the memory of what was installed from this card.\n\
                     rackberry writes it; leave it as it is.\n";

/// Copies the journal's mark onto the card, unless it is there.
///
/// # Errors
/// When the mark makes no sense, or the card can't be written.
pub fn copy(root: &Root) -> anyhow::Result<()> {
    let Ok(text) = fs::read_to_string(root.at(JOURNAL)) else {
        println!("there is no journal yet");
        return Ok(());
    };
    let mark = text.trim_end();
    ensure!(is_mark(mark), "{JOURNAL} is no line of text of up to {LONGEST} bytes");
    if of_card(root).is_ok_and(|known| known.is_some_and(|known| journal_of(&known) == journal_of(mark))) {
        return Ok(());
    }
    card::overwrite(root, CARD, &file(mark))?;
    println!("the card names the journal: {mark}");
    Ok(())
}

/// The mark on the card, if a journal was made.
///
/// # Errors
/// A sentence, when the file is not there or makes no sense: nobody knows then.
pub fn of_card(root: &Root) -> Result<Option<String>, String> {
    let unknown = |why: String| {
        format!(
            "{CARD}: {why}; whether this card has installed machines before can't be told by it, only by the data partition"
        )
    };
    let bytes = fs::read(root.card(CARD)).map_err(|error| unknown(format!("can't be read: {error}")))?;
    let text = String::from_utf8_lossy(&bytes);
    let line = text.lines().next().and_then(|line| line.strip_prefix(BEFORE)).map(str::trim_end);
    match line {
        Some(NONE) => Ok(None),
        Some(mark) if is_mark(mark) => Ok(Some(mark.to_owned())),
        _ => Err(unknown("is not as rackberry wrote it".into())),
    }
}

/// What names the journal: how often it has changed comes after it, and is not worth a write to the card.
fn journal_of(mark: &str) -> Vec<&str> {
    mark.split_whitespace().take(3).collect()
}

fn is_mark(text: &str) -> bool {
    (1..=LONGEST).contains(&text.len()) && !text.chars().any(char::is_control) && text != NONE
}

/// The file on the card, with the line ends that every PC's editor likes. Blank lines fill it up.
fn file(mark: &str) -> Vec<u8> {
    let mut bytes = format!("{BEFORE}{mark}\n{AFTER}").replace('\n', "\r\n").into_bytes();
    bytes.resize(LENGTH, b'\n');
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> (tempfile::TempDir, Root) {
        let folder = tempfile::tempdir().unwrap();
        let root = Root(folder.path().to_owned());
        for folder in ["card", "var/lib/rackberry"] {
            fs::create_dir_all(root.at(folder)).unwrap();
        }
        (folder, root)
    }

    fn of(text: &[u8]) -> Result<Option<String>, String> {
        let (_folder, root) = root();
        fs::write(root.card(CARD), text).unwrap();
        of_card(&root)
    }

    #[test]
    fn what_is_written_is_read_again() {
        for mark in ["1", "2026-11-28 4f2a-77 \u{e9}", &"x".repeat(LONGEST)] {
            let file = file(mark);
            assert_eq!(file.len(), LENGTH);
            assert_eq!(of(&file), Ok(Some(mark.into())));
        }
    }

    #[test]
    fn the_file_that_the_image_brings_names_no_journal() {
        let made = include_str!("../../image/card/boot/journal.txt");
        assert_eq!(of(made.as_bytes()), Ok(None));
        // With the same words as later ones.
        assert_eq!(made, format!("{BEFORE}{NONE}\n{AFTER}"));
    }

    #[test]
    fn what_makes_no_sense_is_said_to_be_unknown() {
        let long = format!("{BEFORE}{}", "x".repeat(LONGEST + 1));
        for text in ["", "\0\0\0", "hello\n", BEFORE, "journal: a\tb\n", &long] {
            let why = of(text.as_bytes()).unwrap_err();
            assert!(why.starts_with("journal.txt: is not as rackberry wrote it; "), "{text:?}: {why}");
        }
        let (_folder, root) = root();
        assert!(of_card(&root).unwrap_err().starts_with("journal.txt: can't be read: "));
    }

    #[test]
    fn without_a_journal_and_with_the_same_one_the_card_is_left_alone() {
        let (_folder, root) = root();
        // A try to write would fail here: there is no partition to remount.
        copy(&root).unwrap();
        for line in ["rackberry journal 00ab 0", "rackberry journal 00ab 17", "rackberry journal 00ab"] {
            fs::write(root.at(JOURNAL), format!("{line}\n")).unwrap();
            fs::write(root.card(CARD), file("rackberry journal 00ab 3")).unwrap();
            copy(&root).unwrap();
        }
        // Another one is written, which fails where there is nothing to remount.
        fs::write(root.at(JOURNAL), "rackberry journal 00ac 3\n").unwrap();
        fs::create_dir_all(root.run("")).unwrap();
        assert!(copy(&root).unwrap_err().to_string().contains("can't remount"));
        fs::write(root.at(JOURNAL), "two\nlines\n").unwrap();
        assert!(copy(&root).unwrap_err().to_string().contains("no line of text"));
    }
}
