//! What the bytes of a file are that should be a text, and what to do where they are none.

use std::fmt;

/// Why bytes are no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotText {
    /// UTF-16, which Windows calls Unicode.
    Utf16,
    /// Compressed or packed, by a program of this name.
    Packed(&'static str),
    /// A text of one byte a character, as of before UTF-8.
    Latin1 {
        /// The first line that is no UTF-8, from 1.
        line: usize,
        /// The byte there.
        byte: u8,
    },
    /// No text at all.
    Binary,
    /// More bytes than are read of such a file.
    TooLong {
        /// How many there are.
        len: u64,
        /// How many there may be.
        limit: u64,
    },
}

/// How compressed files begin, and what unpacks them.
const PACKED: [(&[u8], &str); 7] = [
    (b"\x1f\x8b", "gunzip"),
    (b"BZh", "bunzip2"),
    (b"\xfd7zXZ\0", "unxz"),
    (b"\x28\xb5\x2f\xfd", "unzstd"),
    (b"PK\x03\x04", "unzip"),
    (b"7z\xbc\xaf", "7z x"),
    (b"Rar!", "unrar x"),
];

/// The text that these bytes are, as they are: with a byte order mark, where UTF-8 begins with one.
///
/// # Errors
/// [`NotText`] says what they are.
pub fn text_of(bytes: &[u8]) -> Result<&str, NotText> {
    if let Some((_, program)) = PACKED.iter().find(|(start, _)| bytes.starts_with(start)) {
        return Err(NotText::Packed(program));
    }
    if utf16(bytes).is_some() {
        return Err(NotText::Utf16);
    }
    let is_odd =
        |byte: &u8| *byte < b' ' && !matches!(byte, b'\n' | b'\r' | b'\t' | b'\x0b' | b'\x0c' | b'\x1b');
    match std::str::from_utf8(bytes) {
        Ok(_) if bytes.contains(&0) => Err(NotText::Binary),
        Ok(text) => Ok(text),
        Err(_) if bytes.iter().any(is_odd) => Err(NotText::Binary),
        Err(error) => {
            let at = error.valid_up_to();
            let line = 1 + bytes[..at].iter().filter(|byte| **byte == b'\n').count();
            Err(NotText::Latin1 { line, byte: bytes.get(at).copied().unwrap_or_default() })
        }
    }
}

/// The same, without a byte order mark, and out of UTF-16: for names and keys, whose meaning that can't change.
///
/// # Errors
/// [`NotText`] says what they are.
pub fn plain_text_of(bytes: &[u8]) -> Result<String, NotText> {
    match (text_of(bytes), utf16(bytes)) {
        (Ok(text), _) => Ok(text.trim_start_matches('\u{feff}').to_owned()),
        (Err(NotText::Utf16), Some(text)) => Ok(text),
        (Err(what), _) => Err(what),
    }
}

/// The text in UTF-16, by its byte order mark or by the zeros of its plain letters.
fn utf16(bytes: &[u8]) -> Option<String> {
    let mark = bytes.get(..2);
    let zeros = |odd: usize| {
        let there = bytes.iter().skip(odd).step_by(2).take(64);
        bytes.len() >= 4
            && bytes.len().is_multiple_of(2)
            && there.clone().all(|byte| *byte == 0)
            && bytes.iter().skip(1 - odd).step_by(2).take(64).all(|byte| *byte != 0)
    };
    let (is_little, skip) = match mark {
        Some([0xff, 0xfe]) => (true, 2),
        Some([0xfe, 0xff]) => (false, 2),
        _ if zeros(1) => (true, 0),
        _ if zeros(0) => (false, 0),
        _ => return None,
    };
    let units = bytes[skip..].chunks_exact(2).map(|pair| match is_little {
        true => u16::from_le_bytes([pair[0], pair[1]]),
        false => u16::from_be_bytes([pair[0], pair[1]]),
    });
    char::decode_utf16(units).collect::<Result<String, _>>().ok()
}

impl fmt::Display for NotText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotText::Utf16 => f.write_str("it is UTF-16 (Windows calls it Unicode); save it as UTF-8"),
            NotText::Packed(program) => write!(f, "it is compressed; unpack it with {program}"),
            NotText::Latin1 { line, byte } => write!(
                f,
                "line {line} has the byte 0x{byte:02X}, which is no UTF-8 (Latin-1, perhaps); save it as UTF-8: iconv -f \
                 latin1 -t utf-8"
            ),
            NotText::Binary => f.write_str("it is no text"),
            NotText::TooLong { len, limit } => {
                write!(f, "it has {len} bytes, and may have {limit} ({} MiB)", limit >> 20)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn little(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    fn big(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_be_bytes).collect()
    }

    #[test]
    fn what_is_no_text_is_called_by_its_name() {
        for (bytes, words) in [
            ([b"\xff\xfe".to_vec(), little("hostname: a\n")].concat(), "UTF-16"),
            ([b"\xfe\xff".to_vec(), big("hostname: a\n")].concat(), "UTF-16"),
            (little("1010.5.0\r\n"), "UTF-16"),
            (big("1010.5.0\r\n"), "UTF-16"),
            (b"\x1f\x8b\x08\0rest".to_vec(), "gunzip"),
            (b"BZh91AY".to_vec(), "bunzip2"),
            (b"PK\x03\x04rest".to_vec(), "unzip"),
            (b"a\nb\nuser: Andr\xe9\n".to_vec(), "line 3 has the byte 0xE9"),
            (b"a \x93quoted\x94 word\n".to_vec(), "line 1 has the byte 0x93"),
            (b"\x89PNG\r\n\x1a\n\0\0".to_vec(), "no text"),
            (b"\x7fELF\x02\x01\0\0\0".to_vec(), "no text"),
        ] {
            let what = text_of(&bytes).unwrap_err().to_string();
            assert!(what.contains(words), "{bytes:?}: {what}");
        }
        let limit = 16 << 20;
        assert_eq!(
            NotText::TooLong { len: 20_000_000, limit }.to_string(),
            "it has 20000000 bytes, and may have 16777216 (16 MiB)"
        );
    }

    #[test]
    fn names_and_keys_are_read_out_of_what_editors_make_of_them() {
        for bytes in [
            b"1010.5.0\r\n".to_vec(),
            b"\xef\xbb\xbf1010.5.0\r\n".to_vec(),
            [b"\xff\xfe".to_vec(), little("1010.5.0\r\n")].concat(),
            [b"\xfe\xff".to_vec(), big("1010.5.0\r\n")].concat(),
            little("1010.5.0\r\n"),
        ] {
            assert_eq!(plain_text_of(&bytes).unwrap().trim(), "1010.5.0", "{bytes:?}");
        }
        assert!(plain_text_of(b"\x1f\x8b").is_err());
    }

    proptest! {
        #[test]
        fn texts_stay_as_they_are(text in "[^\u{0}]{0,40}") {
            let packed = PACKED.iter().any(|(start, _)| text.as_bytes().starts_with(start));
            prop_assume!(!packed);
            prop_assert_eq!(text_of(text.as_bytes()), Ok(text.as_str()));
        }

        #[test]
        fn any_bytes_are_called_something(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = plain_text_of(&bytes).map_err(|what| what.to_string());
        }
    }
}
