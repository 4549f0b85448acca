//! How the file is written: a line that says what it is, then records, then zeros that were written ahead.
//!
//! ```text
//! rackberry state 3 NUMBER SALT RECORDS BEFORE CHECKSUM
//! CHECKSUM LENGTH BODY
//! ...
//! ```
//!
//! A record begins with its line break and ends with its last byte. Its checksum is over the file's salt, the place in
//! the file and the body, so that nothing which lies there from before, or in another place, counts as one. RECORDS of
//! them were there when the file was made; each later one is a commit.

use super::before::StateStamp;

/// The layout of the file. One of a later layout is refused, not guessed at.
pub const LAYOUT: u64 = 3;
/// What a record begins with: line break, checksum, blank, length, blank.
pub const HEAD: usize = 19;
/// What a file begins with.
const NAME: &str = "rackberry state";

/// The first line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Which journal.
    pub id: u64,
    /// This file's own number, which nobody can guess.
    pub salt: u64,
    /// How many records the file was made with.
    pub records: usize,
    /// The file of layout 1 or 2 that lies beside it, as it was seen last.
    pub before: Option<StateStamp>,
}

/// What is wrong with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// It was written by a later version.
    #[error("it is of layout {0}, this rackberry knows layouts up to {LAYOUT}")]
    Later(u64),
    /// The first line is none.
    #[error("it does not begin as a state does")]
    NoHeader,
    /// The records that it was made with are not all there.
    #[error("its record at byte {0} can't be read, and it was made with more")]
    Made(usize),
    /// A record can't be read, and later ones can.
    #[error("its record at byte {0} can't be read, and there are later ones")]
    Middle(usize),
    /// A body can't be understood.
    #[error("its record at byte {0} makes no sense")]
    Senseless(usize),
}

/// A file, taken apart.
#[derive(Debug)]
pub struct Records<'f> {
    pub header: Header,
    /// Where each begins, and its body.
    pub bodies: Vec<(usize, &'f str)>,
    /// Where the records end that the file was made with.
    pub base: usize,
    /// Where the last whole record ends.
    pub end: usize,
    /// Something lies behind that: a write that was cut off.
    pub is_torn: bool,
}

impl Header {
    pub fn text(&self) -> String {
        let before = self.before.map_or("-".into(), |stamp| stamp.to_string());
        let Header { id, salt, records, .. } = self;
        let line = format!("{NAME} {LAYOUT} {id:016x} {salt:016x} {records} {before}");
        format!("{line} {:08x}", crc32fast::hash(line.as_bytes()))
    }

    fn read(bytes: &[u8]) -> Result<(Header, usize), Damage> {
        let end = bytes.iter().position(|byte| matches!(byte, b'\n' | 0)).unwrap_or(bytes.len());
        let line = std::str::from_utf8(&bytes[..end]).map_err(|_| Damage::NoHeader)?;
        let words: Vec<&str> = line.strip_prefix(NAME).unwrap_or_default().split_ascii_whitespace().collect();
        let layout = words.first().and_then(|word| word.parse().ok()).ok_or(Damage::NoHeader)?;
        if layout > LAYOUT {
            return Err(Damage::Later(layout));
        }
        Header::of(line, &words).map(|header| (header, end)).ok_or(Damage::NoHeader)
    }

    /// Only what is written exactly so counts.
    fn of(line: &str, words: &[&str]) -> Option<Header> {
        let [_, id, salt, records, before, _] = words else { return None };
        let header = Header {
            id: u64::from_str_radix(id, 16).ok()?,
            salt: u64::from_str_radix(salt, 16).ok()?,
            records: records.parse().ok()?,
            before: if *before == "-" { None } else { Some(before.parse().ok()?) },
        };
        (header.text() == line).then_some(header)
    }
}

/// Adds a record to `out`, whose first byte lies at `start` in the file.
pub fn add(out: &mut Vec<u8>, salt: u64, start: u64, body: &str) {
    let head = head(salt, start + out.len() as u64, body.as_bytes());
    out.extend(head.bytes());
    out.extend(body.bytes());
}

/// Takes a file apart.
///
/// # Errors
/// When more is wrong with it than that its last write was cut off.
pub fn read(bytes: &[u8]) -> Result<Records<'_>, Damage> {
    let (header, mut end) = Header::read(bytes)?;
    let mut bodies = Vec::new();
    let mut base = end;
    while let Some(body) = record_at(bytes, end, header.salt) {
        bodies.push((end, std::str::from_utf8(body).map_err(|_| Damage::Senseless(end))?));
        end += HEAD + body.len();
        if bodies.len() == header.records {
            base = end;
        }
    }
    if bodies.len() < header.records {
        return Err(Damage::Made(end));
    }
    let is_torn = bytes[end..].iter().any(|byte| *byte != 0);
    let is_later = |place: &usize| record_at(bytes, *place, header.salt).is_some();
    if is_torn && (end + 1..bytes.len()).any(|place| is_later(&place)) {
        return Err(Damage::Middle(end));
    }
    Ok(Records { header, bodies, base, end, is_torn })
}

/// The body of the record that begins at a place, if one does.
fn record_at(bytes: &[u8], place: usize, salt: u64) -> Option<&[u8]> {
    let record = bytes.get(place..)?;
    if *record.first()? != b'\n' {
        return None;
    }
    let digits = std::str::from_utf8(record.get(10..18)?).ok()?;
    let length = usize::try_from(u32::from_str_radix(digits, 16).ok()?).ok()?;
    let body = record.get(HEAD..HEAD.checked_add(length)?)?;
    record.starts_with(head(salt, place as u64, body).as_bytes()).then_some(body)
}

/// What a record begins with: [`HEAD`] bytes.
fn head(salt: u64, place: u64, body: &[u8]) -> String {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&salt.to_be_bytes());
    hasher.update(&place.to_be_bytes());
    hasher.update(body);
    format!("\n{:08x} {:08x} ", hasher.finalize(), body.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Header = Header { id: 0xabc, salt: 0xdef, records: 1, before: None };

    fn file(bodies: &[&str]) -> Vec<u8> {
        let mut bytes = HEADER.text().into_bytes();
        bodies.iter().for_each(|body| add(&mut bytes, HEADER.salt, 0, body));
        bytes
    }

    #[test]
    fn a_file_reads_back_with_and_without_zeros_behind_it() {
        let mut bytes = file(&["one", "two\nlines", ""]);
        let end = bytes.len();
        for zeros in [0, 1, 5000] {
            bytes.resize(end + zeros, 0);
            let records = read(&bytes).unwrap();
            let bodies: Vec<&str> = records.bodies.iter().map(|(_, body)| *body).collect();
            assert_eq!(bodies, ["one", "two\nlines", ""]);
            assert_eq!((records.header, records.end, records.is_torn), (HEADER, end, false));
            assert_eq!(records.base, file(&["one"]).len());
        }
    }

    #[test]
    fn a_header_tells_of_the_file_before() {
        let before = Some("12,34,5,6".parse().unwrap());
        let header = Header { before, ..HEADER };
        assert_eq!(Header::read(header.text().as_bytes()).unwrap().0, header);
        let later = header.text().replace("state 3", "state 4");
        assert_eq!(read(later.as_bytes()).unwrap_err(), Damage::Later(4));
        for wrong in ["", "\0\0\0", "rackberry", "rackberry state", &header.text().replace("12", "13")] {
            assert_eq!(read(wrong.as_bytes()).unwrap_err(), Damage::NoHeader, "{wrong}");
        }
    }

    /// One bit, anywhere: what is lost is told, but for the last record, which may have been cut off.
    #[test]
    fn each_damaged_bit_is_seen() {
        let whole = file(&["made", "first commit", "second commit"]);
        let last = file(&["made", "first commit"]).len();
        for place in 0..whole.len() {
            for bit in 0..8 {
                let mut bytes = whole.clone();
                bytes[place] ^= 1 << bit;
                let read = read(&bytes);
                if place < last {
                    assert!(read.is_err(), "byte {place}, bit {bit}: {read:?}");
                } else {
                    let records = read.unwrap();
                    assert_eq!((records.end, records.is_torn), (last, true), "byte {place}, bit {bit}");
                }
            }
        }
    }

    #[test]
    fn a_record_in_another_place_or_of_another_file_is_none() {
        let mut bytes = file(&["made"]);
        let end = bytes.len();
        let record = bytes[HEADER.text().len()..].to_vec();
        bytes.extend(record);
        assert_eq!(read(&bytes).unwrap().end, end);
        bytes.truncate(end);
        add(&mut bytes, HEADER.salt + 1, 0, "of another file");
        assert_eq!(read(&bytes).unwrap().end, end);
    }
}
