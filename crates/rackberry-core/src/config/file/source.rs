//! The text of a configuration file, and places in it.

use std::path::PathBuf;

use crate::config::fault::{ConfigError, Faults, Position, Wrong};

/// One file's text.
#[derive(Debug)]
pub(crate) struct Text {
    path: PathBuf,
    text: String,
}

/// A piece of one of the files: which file, and the bytes of its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub file: usize,
    pub start: usize,
    pub end: usize,
}

/// A value and where it was written.
#[derive(Debug, Clone)]
pub(crate) struct At<T> {
    pub value: T,
    pub place: Place,
}

impl Text {
    /// Takes a file's text, without the byte order mark that some editors put first.
    pub fn new(path: PathBuf, text: &str) -> Self {
        Self { path, text: text.strip_prefix('\u{feff}').unwrap_or(text).to_owned() }
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The line that holds the byte at `offset`, without its end, and the offset of its first byte.
    pub fn line_at(&self, offset: usize) -> (usize, &str) {
        let offset = self.floor(offset);
        let start = self.text[..offset].rfind('\n').map_or(0, |at| at + 1);
        let end = self.text[offset..].find('\n').map_or(self.text.len(), |at| offset + at);
        let line = &self.text[start..end];
        (start, line.strip_suffix('\r').unwrap_or(line))
    }

    /// The line's number, counted from 1.
    pub fn line_number(&self, offset: usize) -> usize {
        self.text[..self.floor(offset)].matches('\n').count() + 1
    }

    fn floor(&self, offset: usize) -> usize {
        (0..=offset.min(self.text.len())).rev().find(|at| self.text.is_char_boundary(*at)).unwrap_or(0)
    }

    fn position(&self, place: Place) -> Position {
        let (line_start, line) = self.line_at(place.start);
        let start = self.floor(place.start) - line_start;
        let end = self.floor(place.end).saturating_sub(line_start).min(line.len());
        // A fault behind the line's last character (an unclosed quote, say) may lie on its line end.
        let start = start.min(line.len());
        Position {
            line: self.line_number(place.start),
            column: line[..start].chars().count() + 1,
            width: line.get(start..end).map_or(1, |marked| marked.chars().count()).max(1),
            excerpt: line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect(),
        }
    }
}

/// Collects faults, so that one run shows them all.
pub(crate) struct FaultReport<'a> {
    texts: &'a [Text],
    faults: Vec<(Option<Place>, ConfigError)>,
}

impl<'a> FaultReport<'a> {
    pub fn new(texts: &'a [Text]) -> Self {
        Self { texts, faults: Vec::new() }
    }

    /// Notes a fault of `key` at `place`.
    pub fn fault(&mut self, place: Place, key: &str, wrong: Wrong) {
        let text = &self.texts[place.file];
        let error = ConfigError {
            file: text.path.clone(),
            position: Some(text.position(place)),
            key: (!key.is_empty()).then(|| key.to_owned()),
            problem: wrong.problem,
            help: wrong.help,
        };
        self.faults.push((Some(place), error));
    }

    /// Notes a fault of a whole file.
    pub fn file_fault(&mut self, error: ConfigError) {
        self.faults.push((None, error));
    }

    /// How to name another place in a message about `from`: "line 4", or with the file if it is another one.
    pub fn refer(&self, from: Place, to: Place) -> String {
        let text = &self.texts[to.file];
        let line = text.line_number(to.start);
        if from.file == to.file { format!("line {line}") } else { format!("{}:{line}", text.path.display()) }
    }

    /// All faults if there are any: those of whole files first, then in the order of files and lines.
    pub fn into_faults(mut self) -> Option<Faults> {
        self.faults.sort_by_key(|(place, _)| *place);
        let errors: Vec<ConfigError> = self.faults.into_iter().map(|(_, error)| error).collect();
        Faults::new(errors)
    }
}

/// The text in a file's bytes: UTF-8, or UTF-16 if it begins with its byte order mark (Windows' Notepad calls
/// it "Unicode").
pub fn decode(bytes: &[u8]) -> Result<String, (Option<Position>, Wrong)> {
    let help = "save it as UTF-8 (in Notepad: Save as, Encoding: UTF-8)";
    let utf16 = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes.chunks(2).map(|b| unit([b[0], b.get(1).copied().unwrap_or(0)])).collect();
        String::from_utf16(&units).map_err(|_| (None, Wrong::new("is damaged UTF-16 text", help)))
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        _ => match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(error) => {
                // Shown with the bad byte replaced: position and excerpt stay right up to it.
                let at = error.valid_up_to();
                let text = Text::new(PathBuf::new(), &String::from_utf8_lossy(bytes));
                let bom = if bytes.starts_with("\u{feff}".as_bytes()) { 3 } else { 0 };
                let place = Place { file: 0, start: at.saturating_sub(bom), end: at };
                let problem = format!("byte 0x{:02x} is not UTF-8 text", bytes[at]);
                Err((Some(text.position(place)), Wrong::new(problem, help)))
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn columns_count_characters_and_lines_forget_their_ends() {
        let text = Text::new("f".into(), "\u{feff}a = 1\r\n\t\u{e9}\u{e9} = 2\r\n");
        let position = text.position(Place { file: 0, start: 8, end: 12 });
        assert_eq!((position.line, position.column, position.width), (2, 2, 2));
        assert_eq!(position.excerpt, " \u{e9}\u{e9} = 2");
        let end = text.position(Place { file: 0, start: 100, end: 100 });
        assert_eq!((end.line, end.column, end.width, end.excerpt.as_str()), (3, 1, 1, ""));
    }

    #[test]
    fn windows_encodings_are_read() {
        assert_eq!(decode(b"\xff\xfea\0=\0").as_deref(), Ok("a="));
        assert_eq!(decode(b"\xfe\xff\0a\0=").as_deref(), Ok("a="));
        let (position, wrong) = decode(b"# x\n# caf\xe9\n").unwrap_err();
        let position = position.unwrap();
        assert_eq!((position.line, position.column), (2, 6));
        assert_eq!(wrong.problem, "byte 0xe9 is not UTF-8 text");
    }

    proptest! {
        #[test]
        fn any_bytes_are_decoded_without_panic(bytes: Vec<u8>) {
            let _ = decode(&bytes);
        }

        #[test]
        fn any_place_has_a_position(text in "(.|\n|\r){0,40}", start in 0usize..60, end in 0usize..60) {
            let text = Text::new("f".into(), &text);
            let position = text.position(Place { file: 0, start, end });
            prop_assert!(position.line >= 1 && position.column >= 1 && position.width >= 1);
        }
    }
}
