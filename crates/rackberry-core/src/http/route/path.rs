//! From raw text to clean segments.

use percent_encoding::percent_decode_str;

use super::{LONGEST_SEGMENT, RouteError};
use crate::ids::is_unshowable;

/// Segments of a percent-encoded URL path.
pub(super) fn from_url(path: &str) -> Result<Vec<String>, RouteError> {
    clean(path.split('/').map(decode))
}

/// Segments of a plain file name.
pub(super) fn from_file_name(name: &str) -> Result<Vec<String>, RouteError> {
    clean(name.split(['/', '\\']).map(|segment| Ok(segment.to_owned())))
}

/// Decodes percent escapes (RFC 3986 section 2.1), once. One that is none is refused.
pub(super) fn decode(text: &str) -> Result<String, RouteError> {
    let mut escapes = text.split('%').skip(1).map(|escape| escape.as_bytes());
    let is_escape =
        |escape: &[u8]| escape.get(..2).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
    if !escapes.all(is_escape) {
        return Err(RouteError::BadEscape);
    }
    let decoded = percent_decode_str(text).decode_utf8().map_err(|_| RouteError::NotUtf8)?;
    Ok(decoded.into_owned())
}

fn clean(raw: impl Iterator<Item = Result<String, RouteError>>) -> Result<Vec<String>, RouteError> {
    let mut segments = Vec::new();
    for segment in raw {
        let segment = segment?;
        if let Some(bad) = segment.chars().find(|c| is_unshowable(*c) || matches!(c, '/' | '\\')) {
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
