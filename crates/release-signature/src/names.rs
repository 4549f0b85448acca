//! What OpenPGP calls keys and moments.

use std::{fmt, str::FromStr};

use pgp::types::KeyDetails;

use crate::digest::bytes_of_hex;

/// A key's fingerprint (RFC 9580 section 5.5.4): 20 bytes of a version 4 key, 32 of a version 6 key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fingerprint(Vec<u8>);

/// The last (version 6: first) eight bytes of a fingerprint. Short enough to be forged: a name to find a key
/// by, never a reason to trust it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId([u8; 8]);

/// Which key made a signature, as far as the signature says.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Issuer {
    /// By its fingerprint.
    Fingerprint(Fingerprint),
    /// By its key ID, as older signatures do.
    KeyId(KeyId),
    /// It doesn't say.
    Unnamed,
}

/// A moment as OpenPGP writes it: seconds since 1970. Unlike [`ids::Time`](crate::ids::Time) it belongs to the
/// signer's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Timestamp(pub u32);

/// A text names no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAName {
    /// Not a fingerprint.
    #[error("{0:?} is not a key's fingerprint; one has 40 hexadecimal digits, or 64")]
    Fingerprint(String),
    /// Not a key ID.
    #[error("{0:?} is not a key ID; one has 16 hexadecimal digits")]
    KeyId(String),
}

impl Fingerprint {
    pub(super) fn of(key: &impl KeyDetails) -> Fingerprint {
        Fingerprint(key.fingerprint().as_bytes().to_vec())
    }

    pub(super) fn from_pgp(fingerprint: &pgp::types::Fingerprint) -> Fingerprint {
        Fingerprint(fingerprint.as_bytes().to_vec())
    }

    /// Its short form.
    pub fn key_id(&self) -> KeyId {
        let eight = if self.0.len() == 32 { self.0.first_chunk() } else { self.0.last_chunk() };
        KeyId(eight.copied().unwrap_or_default())
    }
}

impl KeyId {
    pub(super) fn from_pgp(id: &pgp::types::KeyId) -> KeyId {
        KeyId(id.as_ref().first_chunk().copied().unwrap_or_default())
    }
}

/// Upper case digits without spaces, as profiles and `gpg --list-keys` have them.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Issuer::Fingerprint(fingerprint) => fingerprint.fmt(f),
            Issuer::KeyId(id) => id.fmt(f),
            Issuer::Unnamed => f.write_str("without a name"),
        }
    }
}

/// Digits of either case; spaces between them, and 0x before them, as people paste them.
impl FromStr for Fingerprint {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Fingerprint, NotAName> {
        digits(text)
            .filter(|bytes| matches!(bytes.len(), 20 | 32))
            .map(Fingerprint)
            .ok_or_else(|| NotAName::Fingerprint(text.to_owned()))
    }
}

impl FromStr for KeyId {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<KeyId, NotAName> {
        let eight = digits(text).and_then(|bytes| bytes.try_into().ok());
        eight.map(KeyId).ok_or_else(|| NotAName::KeyId(text.to_owned()))
    }
}

fn digits(text: &str) -> Option<Vec<u8>> {
    let text = text.trim();
    let text = text.strip_prefix("0x").unwrap_or(text);
    bytes_of_hex(&text.chars().filter(|c| *c != ' ').collect::<String>())
}

impl TryFrom<String> for Fingerprint {
    type Error = NotAName;

    fn try_from(text: String) -> Result<Fingerprint, NotAName> {
        text.parse()
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> String {
        fingerprint.to_string()
    }
}

impl TryFrom<String> for KeyId {
    type Error = NotAName;

    fn try_from(text: String) -> Result<KeyId, NotAName> {
        text.parse()
    }
}

impl From<KeyId> for String {
    fn from(id: KeyId) -> String {
        id.to_string()
    }
}

impl Timestamp {
    /// The moment that lies this many seconds later; none if that is past what OpenPGP can write (2106).
    pub(super) fn after(self, seconds: u32) -> Option<Timestamp> {
        self.0.checked_add(seconds).map(Timestamp)
    }
}

impl From<pgp::types::Timestamp> for Timestamp {
    fn from(time: pgp::types::Timestamp) -> Timestamp {
        Timestamp(time.as_secs())
    }
}

/// The day, in UTC: 2016-05-16.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut year, mut day) = (1970, self.0 / 86_400);
        let is_leap =
            |year: u32| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        while day >= 365 + u32::from(is_leap(year)) {
            day -= 365 + u32::from(is_leap(year));
            year += 1;
        }
        let february = 28 + u32::from(is_leap(year));
        let mut month = 1;
        for days in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
            if day < days {
                break;
            }
            day -= days;
            month += 1;
        }
        write!(f, "{year}-{month:02}-{:02}", day + 1)
    }
}

/// A text from a key or a signature, fit for a terminal: what could steer it is replaced.
pub(super) fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_right_across_leap_years() {
        let day = |seconds| Timestamp(seconds).to_string();
        assert_eq!(day(0), "1970-01-01");
        assert_eq!(day(951_782_399), "2000-02-28");
        assert_eq!(day(951_782_400), "2000-02-29");
        assert_eq!(day(951_868_800), "2000-03-01");
        assert_eq!(day(1_463_430_686), "2016-05-16");
        assert_eq!(day(1_483_228_799), "2016-12-31");
        assert_eq!(day(u32::MAX), "2106-02-07");
    }

    #[test]
    fn fingerprints_are_read_as_people_paste_them() {
        let plain: Fingerprint = "04127D0BFABEC8871FFB2CCE50E0885593D2DCB4".parse().unwrap();
        for text in [
            "0412 7D0B FABE C887 1FFB  2CCE 50E0 8855 93D2 DCB4",
            " 0x04127d0bfabec8871ffb2cce50e0885593d2dcb4\n",
        ] {
            assert_eq!(text.parse::<Fingerprint>().unwrap(), plain);
        }
        assert_eq!(plain.key_id().to_string(), "50E0885593D2DCB4");
        assert_eq!(plain.to_string(), "04127D0BFABEC8871FFB2CCE50E0885593D2DCB4");
        for wrong in ["", "50E0885593D2DCB4", "04127D0BFABEC8871FFB2CCE50E0885593D2DCBX"] {
            assert!(wrong.parse::<Fingerprint>().is_err(), "{wrong}");
        }
        assert!("50E0885593D2DCB4".parse::<KeyId>().is_ok());
        assert!("93D2DCB4".parse::<KeyId>().is_err(), "four bytes name every key");
    }

    #[test]
    fn a_user_id_can_not_steer_a_terminal() {
        assert_eq!(printable(b"a\x1b[31mb\r\nc\xff"), "a\u{fffd}[31mb\u{fffd}\u{fffd}c\u{fffd}");
    }
}
