use std::fmt;

/// How a PXE client beside another DHCP server is told what to boot (PXE specification 2.1 section 2.2). Firmware
/// differs in which of the two it understands.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum OfferStyle {
    /// The OFFER names the file, and its discovery control (option 43, tag 6) says to take just that.
    Direct,
    /// The OFFER names only this server; the client asks it for the file on port 4011.
    RoundTrip,
}

impl OfferStyle {
    /// The style that is tried when this one does not work.
    pub fn other(self) -> OfferStyle {
        match self {
            Self::Direct => Self::RoundTrip,
            Self::RoundTrip => Self::Direct,
        }
    }
}

impl fmt::Display for OfferStyle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Direct => "file in the offer",
            Self::RoundTrip => "file by port 4011",
        })
    }
}
