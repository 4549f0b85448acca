use std::{fmt, str::FromStr};

use schemars::JsonSchema;

/// What a machine's firmware calls it: the UUID of SMBIOS (DSP0134 section 7.2.1), from DHCP option 97 (RFC 4578 section
/// 2.3) or from the running system.
///
/// The same UUID is written in two byte orders: PXE firmware sends its first three fields little-endian, some sends them
/// big-endian, and Linux shows either. Both count as one: of the two, the smaller is kept.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MachineId([u8; 16]);

/// Text that is no UUID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no UUID; one looks like 4c4c4544-0044-4210-8031-c2c04f515731")]
pub struct MachineIdError(pub String);

/// UUIDs that makers of boards have left in thousands of machines, as SMBIOS shows them.
const WORTHLESS: [&str; 5] = [
    "03000200-0400-0500-0006-000700080009",
    "00020003-0004-0005-0006-000700080009",
    "12345678-1234-5678-90ab-cddeefaabbcc",
    "11111111-2222-3333-4444-555555555555",
    "01234567-89ab-cdef-0123-456789abcdef",
];

impl MachineId {
    /// The UUID of these bytes, in whichever order; nothing where it is known to say nothing: all bytes the same (all
    /// zero and all ones among them), or one of those that makers forgot to replace.
    pub fn new(bytes: [u8; 16]) -> Option<MachineId> {
        let id = Self::either_order(bytes);
        let is_worthless = bytes.iter().all(|byte| *byte == bytes[0])
            || WORTHLESS.iter().any(|text| parsed(text).map(Self::either_order) == Some(id));
        (!is_worthless).then_some(id)
    }

    /// The UUID in the value of DHCP option 97, which begins with its type, 0.
    pub fn of_option(value: &[u8]) -> Option<MachineId> {
        let [0, bytes @ ..] = value else { return None };
        bytes.try_into().ok().and_then(Self::new)
    }

    fn either_order(bytes: [u8; 16]) -> MachineId {
        let [a, b, c, d, e, f, g, h, rest @ ..] = bytes;
        let [i, j, k, l, m, n, o, p] = rest;
        let swapped = [d, c, b, a, f, e, h, g, i, j, k, l, m, n, o, p];
        MachineId(bytes.min(swapped))
    }
}

fn parsed(text: &str) -> Option<[u8; 16]> {
    let digits: String = text.split('-').collect();
    let is_uuid =
        text.split('-').map(str::len).eq([8, 4, 4, 4, 12]) || (text.len() == 32 && digits.len() == 32);
    if !is_uuid || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; 16];
    for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

impl fmt::Display for MachineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, byte) in self.0.iter().enumerate() {
            if matches!(place, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for MachineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for MachineId {
    type Err = MachineIdError;

    /// Reads the usual form, and the same without dashes; a worthless one is an error, too.
    fn from_str(text: &str) -> Result<Self, MachineIdError> {
        parsed(text.trim()).and_then(Self::new).ok_or_else(|| MachineIdError(text.to_owned()))
    }
}

impl serde::Serialize for MachineId {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for MachineId {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for MachineId {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "MachineId".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "uuid" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A Dell's, as its firmware sends it and as Linux shows it.
    #[test]
    fn both_byte_orders_are_one_machine() {
        let sent =
            [0, 0x44, 0x45, 0x4c, 0x4c, 0x44, 0, 0x10, 0x42, 0x80, 0x31, 0xc2, 0xc0, 0x4f, 0x51, 0x57, 0x31];
        let of_dhcp = MachineId::of_option(&sent).unwrap();
        assert_eq!("4c4c4544-0044-4210-8031-c2c04f515731".parse(), Ok(of_dhcp));
        assert_eq!("44454C4C-4400-1042-8031-C2C04F515731".parse(), Ok(of_dhcp));
    }

    #[test]
    fn what_every_board_of_a_maker_has_says_nothing() {
        for byte in [0, 0xff, b'D'] {
            assert_eq!(MachineId::new([byte; 16]), None);
        }
        for text in WORTHLESS {
            assert!(text.parse::<MachineId>().is_err(), "{text}");
            let mut swapped = parsed(text).unwrap();
            swapped[..4].reverse();
            swapped[4..6].reverse();
            swapped[6..8].reverse();
            assert_eq!(MachineId::new(swapped), None, "{text}");
        }
    }

    #[test]
    fn what_is_no_uuid_is_refused() {
        for value in [&[][..], &[0; 16], &[1; 17], &[0, 1, 2]] {
            assert_eq!(MachineId::of_option(value), None, "{value:?}");
        }
        for text in
            ["", "4c4c4544", "4c4c4544-0044-4210-8031-c2c04f51573g", "4c4c-45440044-4210-8031-c2c04f515731"]
        {
            assert!(text.parse::<MachineId>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(bytes: [u8; 16]) {
            if let Some(id) = MachineId::new(bytes) {
                prop_assert_eq!(id.to_string().parse(), Ok(id));
            }
        }

        #[test]
        fn any_text_is_read_without_panic(text in ".{0,40}") {
            let _ = text.parse::<MachineId>();
        }
    }
}
