//! What a network boot client gets to boot: the loader for its firmware, and the loader's menu.

mod menu;

pub use menu::{Kernel, Plan};

use crate::ids::Arch;

/// pxelinux, for BIOS clients.
pub const PXELINUX: &str = "pxelinux.0";
/// GRUB, for x86-64 UEFI clients.
pub const GRUB_X64: &str = "grubx64.efi";

/// iPXE on the firmware's own network driver, for x86-64 UEFI clients beside another DHCP server.
pub const IPXE_X64: &str = "snponly.efi";
/// A GRUB that boots the local disk and asks the network for nothing.
pub const DISK_X64: &str = "diskx64.efi";

/// Files that come with the loaders and that loading them takes.
pub const LOADERS: &[&str] = &[PXELINUX, GRUB_X64, IPXE_X64, DISK_X64];

/// The loader's file name for a client that boots by PXE, where there is one.
pub fn loader(arch: Arch) -> Option<&'static str> {
    match arch {
        Arch::Bios => Some(PXELINUX),
        Arch::EfiX64 => Some(GRUB_X64),
        _ => None,
    }
}

/// The loader of a client that installs beside another DHCP server. It must not look for its menu at that server, as
/// GRUB would.
pub fn proxied_loader(arch: Arch) -> Option<&'static str> {
    match arch {
        Arch::Bios => Some(PXELINUX),
        Arch::EfiX64 => Some(IPXE_X64),
        _ => None,
    }
}

/// What leads a client to its disk, where its firmware does not go there by itself.
pub fn disk_loader(arch: Arch) -> Option<&'static str> {
    match arch {
        Arch::EfiX64 => Some(DISK_X64),
        _ => None,
    }
}

/// Whether a client without a boot file goes on to its disk by itself. BIOS clients do; EDK2 asks for ever.
pub fn goes_on_without_file(arch: Arch) -> bool {
    arch == Arch::Bios
}
