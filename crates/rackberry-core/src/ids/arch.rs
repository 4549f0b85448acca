use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a network boot client runs on: DHCP option 93, client system architecture (RFC 4578 section 2.1 and
/// IANA's processor architecture registry).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Arch {
    /// 0: a PC BIOS.
    Bios,
    /// A Raspberry Pi's boot ROM, which says 0 too: it is told apart by its hardware address and option 97.
    RaspberryPi,
    /// 6: 32-bit UEFI.
    EfiIa32,
    /// 7 and 9: x86-64 UEFI; firmware uses both numbers for it.
    EfiX64,
    /// 11: 64-bit ARM UEFI.
    EfiArm64,
    /// 16: x86-64 UEFI that boots by HTTP.
    EfiX64Http,
    /// 19: 64-bit ARM UEFI that boots by HTTP.
    EfiArm64Http,
    /// 22: 64-bit ARM U-Boot.
    UbootArm64,
    /// Any other code.
    Other(u16),
}

impl From<u16> for Arch {
    fn from(code: u16) -> Self {
        match code {
            0 => Self::Bios,
            6 => Self::EfiIa32,
            7 | 9 => Self::EfiX64,
            11 => Self::EfiArm64,
            16 => Self::EfiX64Http,
            19 => Self::EfiArm64Http,
            22 => Self::UbootArm64,
            other => Self::Other(other),
        }
    }
}

impl Arch {
    /// Whether it boots from a URL (UEFI HTTP Boot) and knows no TFTP.
    pub fn boots_by_http(self) -> bool {
        matches!(self, Self::EfiX64Http | Self::EfiArm64Http)
    }

    /// The processor, as Linux and profiles name it.
    pub fn machine(self) -> &'static str {
        match self {
            Self::EfiArm64 | Self::EfiArm64Http | Self::UbootArm64 | Self::RaspberryPi => "aarch64",
            Self::Bios | Self::EfiIa32 | Self::EfiX64 | Self::EfiX64Http | Self::Other(_) => "x86_64",
        }
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bios => f.write_str("BIOS"),
            Self::RaspberryPi => f.write_str("Raspberry Pi"),
            Self::EfiIa32 => f.write_str("UEFI ia32"),
            Self::EfiX64 => f.write_str("UEFI x64"),
            Self::EfiArm64 => f.write_str("UEFI arm64"),
            Self::EfiX64Http => f.write_str("UEFI x64 HTTP"),
            Self::EfiArm64Http => f.write_str("UEFI arm64 HTTP"),
            Self::UbootArm64 => f.write_str("U-Boot arm64"),
            Self::Other(code) => write!(f, "architecture {code}"),
        }
    }
}
