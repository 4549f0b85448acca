//! From raw text to clean segments.

use super::{LONGEST_SEGMENT, RouteError};

/// Segments of a percent-encoded URL path.
pub(super) fn from_url(path: &str) -> Result<Vec<String>, RouteError> {
    clean(path.split('/').map(decode))
}

/// Segments of a plain file name.
pub(super) fn from_file_name(name: &str) -> Result<Vec<String>, RouteError> {
    clean(name.split(['/', '\\']).map(|segment| Ok(segment.to_owned())))
}

/// Decodes percent escapes (RFC 3986 section 2.1), once.
pub(super) fn decode(text: &str) -> Result<String, RouteError> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => 16 * hex(bytes.next())? + hex(bytes.next())?,
            other => other,
        });
    }
    String::from_utf8(decoded).map_err(|_| RouteError::NotUtf8)
}

fn hex(digit: Option<u8>) -> Result<u8, RouteError> {
    let value = digit.and_then(|digit| char::from(digit).to_digit(16)).ok_or(RouteError::BadEscape)?;
    u8::try_from(value).map_err(|_| RouteError::BadEscape)
}

fn clean(raw: impl Iterator<Item = Result<String, RouteError>>) -> Result<Vec<String>, RouteError> {
    let mut segments = Vec::new();
    for segment in raw {
        let segment = segment?;
        if let Some(bad) = segment.chars().find(|c| c.is_control() || matches!(c, '/' | '\\')) {
            return Err(RouteError::BadCharacter(bad));
        }
        match segment.as_str() {
            "" | "." => {}
            ".." => return Err(RouteError::Escapes),
            name if name.len() > LONGEST_SEGMENT => return Err(RouteError::TooLong),
            _ => segments.push(segment),
        }
    }
    Ok(segments)
}
