use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What leads a machine from its firmware to a kernel. Which of them suit depends on the firmware
/// ([`crate::boot::loaders`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Loader {
    /// pxelinux: menu, kernel and initrd by TFTP. BIOS only.
    Pxelinux,
    /// pxelinux with its own HTTP client: menu by TFTP, kernel and initrd by HTTP. BIOS only.
    Lpxelinux,
    /// iPXE, from here or in the network card: script, kernel and initrd by HTTP.
    Ipxe,
    /// Our own GRUB: menu by the way it came, kernel and initrd by HTTP. UEFI only.
    Grub,
    /// shim and the GRUB that Debian signed, for Secure Boot. UEFI only.
    Shim,
}

impl Loader {
    /// Every loader that is known here.
    pub const ALL: [Loader; 5] = [Self::Pxelinux, Self::Lpxelinux, Self::Ipxe, Self::Grub, Self::Shim];

    /// Its name in the configuration and in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pxelinux => "pxelinux",
            Self::Lpxelinux => "lpxelinux",
            Self::Ipxe => "ipxe",
            Self::Grub => "grub",
            Self::Shim => "shim",
        }
    }
}

impl fmt::Display for Loader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
