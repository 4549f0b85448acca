use std::{fmt, str::FromStr};

/// A hardware address (EUI-48). Nodes and leases are keyed by it, because firmware, loader and installed
/// system of one machine agree on nothing else.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

/// Text that is no hardware address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a MAC address; write it like 00:25:90:c0:f7:86")]
pub struct MacError(pub String);

impl Mac {
    /// The form that file names use: lower case, dashes (`00-25-90-c0-f7-86`).
    pub fn dashed(self) -> String {
        self.to_string().replace(':', "-")
    }

    /// pxelinux's and BOOTIF's form: the hardware type (1 = Ethernet), then the address, with dashes.
    pub fn bootif(self) -> String {
        format!("01-{}", self.dashed())
    }

    /// Reads [`Mac::bootif`]'s form.
    pub fn from_bootif(text: &str) -> Result<Self, MacError> {
        text.strip_prefix("01-").ok_or_else(|| MacError(text.to_owned())).and_then(str::parse)
    }

    /// Reads what stands before a file name's extension: any usual spelling, or pxelinux's form with the hardware type
    /// in front, with dashes or colons.
    pub fn from_file_stem(text: &str) -> Result<Self, MacError> {
        let bare = text.strip_prefix("01-").or_else(|| text.strip_prefix("01:"));
        bare.and_then(|bare| bare.parse().ok()).map_or_else(|| text.parse(), Ok)
    }

    /// Whether this can be the address of one network card: neither a group address nor all zeros.
    pub fn is_unicast(self) -> bool {
        self.0[0] & 1 == 0 && self.0 != [0; 6]
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Mac {
    type Err = MacError;

    /// Accepts the usual spellings, in either case: colons, dashes, Cisco's dotted groups of four, none.
    fn from_str(text: &str) -> Result<Self, MacError> {
        let bad = || MacError(text.to_owned());
        let groups: Vec<&str> = text.split([':', '-', '.']).collect();
        let separators: Vec<char> = text.chars().filter(|c| matches!(c, ':' | '-' | '.')).collect();
        let fits = match groups.len() {
            6 => groups.iter().all(|g| g.len() == 2) && !separators.contains(&'.'),
            3 => groups.iter().all(|g| g.len() == 4) && separators == ['.', '.'],
            1 => text.len() == 12,
            _ => false,
        };
        let mixed = separators.windows(2).any(|w| w[0] != w[1]);
        if !fits || mixed {
            return Err(bad());
        }
        let digits = groups.concat();
        if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(bad());
        }
        let mut bytes = [0; 6];
        for (i, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).map_err(|_| bad())?;
        }
        Ok(Mac(bytes))
    }
}

impl schemars::JsonSchema for Mac {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Mac".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^([0-9a-f]{2}:){5}[0-9a-f]{2}$" })
    }
}

impl serde::Serialize for Mac {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Mac {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_usual_spelling_is_the_same_address() {
        let mac = Mac([0x00, 0x25, 0x90, 0xc0, 0xf7, 0x86]);
        for text in
            ["00:25:90:c0:f7:86", "00:25:90:C0:F7:86", "00-25-90-c0-f7-86", "0025.90c0.f786", "002590C0F786"]
        {
            assert_eq!(text.parse(), Ok(mac), "{text}");
        }
        assert_eq!(mac.bootif(), "01-00-25-90-c0-f7-86");
        assert_eq!(Mac::from_bootif("01-00-25-90-c0-f7-86"), Ok(mac));
    }

    #[test]
    fn other_text_is_refused() {
        for text in [
            "",
            "node1",
            "00:25:90:c0:f7",
            "00:25:90:c0:f7:8g",
            "00:25-90:c0:f7:86",
            "0:25:90:c0:f7:86",
            "00.25.90.c0.f7.86",
            "0025:90c0:f786",
            "+02590c0f786",
            "00:25:90:c0:f7:86:00",
            "é25590c0f78",
        ] {
            assert!(text.parse::<Mac>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn display_parses_back(bytes: [u8; 6]) {
            let mac = Mac(bytes);
            prop_assert_eq!(mac.to_string().parse(), Ok(mac));
            prop_assert_eq!(Mac::from_bootif(&mac.bootif()), Ok(mac));
        }

        #[test]
        fn any_text_is_parsed_without_panic(text in ".{0,24}") {
            let _ = text.parse::<Mac>();
        }
    }
}
