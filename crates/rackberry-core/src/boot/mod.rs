//! What a network boot client gets to boot: the loader for its firmware, and the loader's menu.

mod menu;

use std::collections::BTreeSet;

pub use menu::{Kernel, Plan, Transport};

use crate::ids::{Arch, Loader};

/// What asks for a loader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rom {
    /// The firmware's own client.
    Own,
    /// An iPXE in the network card, which runs scripts.
    Ipxe,
}

/// Who hands out the addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addresses {
    /// This service hands them out.
    Here,
    /// Another DHCP server, beside which this one says what to boot.
    Elsewhere,
}

/// The loaders that suit a kind of client, the best first. Empty where there is none.
///
/// Beside another server, GRUB by PXE is no good: it takes the address in that server's ACK for its own server. By HTTP
/// it knows the URL that it came from.
pub fn loaders(arch: Arch, rom: Rom, addresses: Addresses) -> &'static [Loader] {
    use Addresses::{Elsewhere, Here};
    use Loader::{Grub, Ipxe, Lpxelinux, Pxelinux, Shim};
    match (arch, rom, addresses) {
        (Arch::Bios, Rom::Own, _) => &[Lpxelinux, Ipxe, Pxelinux],
        (Arch::Bios, Rom::Ipxe, _) => &[Ipxe, Lpxelinux, Pxelinux],
        (Arch::EfiX64Http | Arch::EfiArm64Http, ..) => &[Grub, Shim],
        (Arch::EfiX64 | Arch::EfiArm64, _, Elsewhere) => &[Ipxe],
        (Arch::EfiX64 | Arch::EfiArm64, Rom::Own, Here) => &[Grub, Shim, Ipxe],
        (Arch::EfiX64 | Arch::EfiArm64, Rom::Ipxe, Here) => &[Ipxe, Grub, Shim],
        (Arch::UbootArm64 | Arch::RaspberryPi | Arch::EfiIa32 | Arch::Other(_), ..) => &[],
    }
}

/// One of those loaders: `worked` has once led the machine to its menu; those in `refused` were fetched, and then the
/// machine started over. UEFI firmware that does so refuses what is not signed, so the signed one comes next.
pub fn choose(suited: &[Loader], worked: Option<Loader>, refused: &BTreeSet<Loader>) -> Option<Loader> {
    let fits = |loader: &Loader| suited.contains(loader) && !refused.contains(loader);
    let signed = Some(Loader::Shim).filter(|loader| !refused.is_empty() && fits(loader));
    let known = worked.filter(|loader| fits(loader));
    // Where all were refused, it begins again.
    signed.or(known).or_else(|| suited.iter().copied().find(fits)).or_else(|| suited.first().copied())
}

/// A loader's file for a kind of client, where there is one; a path below the loaders' folder. shim fetches the GRUB
/// that lies beside it.
pub fn file(loader: Loader, arch: Arch) -> Option<&'static str> {
    Some(match (loader, arch) {
        (Loader::Pxelinux, Arch::Bios) => "pxelinux.0",
        (Loader::Lpxelinux, Arch::Bios) => "lpxelinux.0",
        (Loader::Ipxe, Arch::Bios) => "undionly.kpxe",
        (Loader::Ipxe, Arch::EfiX64) => "snponly.efi",
        (Loader::Ipxe, Arch::EfiArm64) => "ipxe-arm64.efi",
        (Loader::Grub, Arch::EfiX64 | Arch::EfiX64Http) => "grubx64.efi",
        (Loader::Grub, Arch::EfiArm64 | Arch::EfiArm64Http) => "grubaa64.efi",
        (Loader::Shim, Arch::EfiX64 | Arch::EfiX64Http) => "secure/shimx64.efi",
        (Loader::Shim, Arch::EfiArm64 | Arch::EfiArm64Http) => "secure/shimaa64.efi",
        _ => return None,
    })
}

/// A GRUB that boots the local disk and asks the network for nothing.
pub fn disk_loader(arch: Arch) -> Option<&'static str> {
    match arch {
        Arch::EfiX64 => Some("diskx64.efi"),
        Arch::EfiArm64 => Some("diskaa64.efi"),
        _ => None,
    }
}

/// Whether a path is a loader's file, which leads its machine to a menu.
pub fn is_loader(path: &str) -> bool {
    // One Raspberry Pi's own files have a folder of their own.
    let pis_own = || path.starts_with("raspberry-pi/") && path.ends_with("/u-boot.bin");
    LOADERS.contains(&path) || pis_own()
}

/// Files that lead to a menu.
const LOADERS: &[&str] = &[
    "pxelinux.0",
    "lpxelinux.0",
    "undionly.kpxe",
    "snponly.efi",
    "ipxe-arm64.efi",
    "grubx64.efi",
    "grubaa64.efi",
    "secure/shimx64.efi",
    "secure/shimaa64.efi",
    "raspberry-pi/u-boot.bin",
];

/// What the loaders fetch beside themselves, and what leads to disks.
const COMPANIONS: &[&str] =
    &["ldlinux.c32", "secure/grubx64.efi", "secure/grubaa64.efi", "diskx64.efi", "diskaa64.efi"];

/// Every file that belongs to the loaders.
pub fn files() -> impl Iterator<Item = &'static str> {
    LOADERS.iter().chain(COMPANIONS).copied()
}

/// Whether a client is told only which server to ask, because it knows the names of its files.
pub fn asks_by_itself(arch: Arch) -> bool {
    matches!(arch, Arch::UbootArm64 | Arch::RaspberryPi)
}

/// Whether there is anything here for a kind of client.
pub fn is_served(arch: Arch) -> bool {
    asks_by_itself(arch) || !loaders(arch, Rom::Own, Addresses::Here).is_empty()
}

/// Whether a client without a boot file goes on to its disk by itself. EDK2 asks for ever.
pub fn goes_on_without_file(arch: Arch) -> bool {
    !matches!(arch, Arch::EfiX64 | Arch::EfiArm64 | Arch::EfiX64Http | Arch::EfiArm64Http)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ARCHS: [Arch; 8] = [
        Arch::Bios,
        Arch::EfiX64,
        Arch::EfiX64Http,
        Arch::EfiArm64,
        Arch::EfiArm64Http,
        Arch::UbootArm64,
        Arch::RaspberryPi,
        Arch::EfiIa32,
    ];

    #[test]
    fn every_suited_loader_has_a_file_that_is_known_as_one() {
        for arch in ARCHS {
            let roms = [Rom::Own, Rom::Ipxe];
            let kinds =
                roms.into_iter().flat_map(|rom| [(rom, Addresses::Here), (rom, Addresses::Elsewhere)]);
            for (rom, addresses) in kinds {
                for loader in loaders(arch, rom, addresses) {
                    let file = file(*loader, arch).unwrap_or_else(|| panic!("{loader} for {arch}"));
                    assert!(is_loader(file), "{file}");
                }
            }
        }
    }

    #[test]
    fn what_firmware_refuses_is_followed_by_what_is_signed() {
        let x64 = loaders(Arch::EfiX64, Rom::Own, Addresses::Here);
        let refused = |loaders: &[Loader]| loaders.iter().copied().collect::<BTreeSet<_>>();
        assert_eq!(choose(x64, None, &refused(&[])), Some(Loader::Grub));
        assert_eq!(choose(x64, None, &refused(&[Loader::Grub])), Some(Loader::Shim));
        assert_eq!(choose(x64, Some(Loader::Shim), &refused(&[])), Some(Loader::Shim), "remembered");
        // Behind another server, PXE knows only iPXE; the same machine's HTTP client then begins with the signed one.
        let http = loaders(Arch::EfiX64Http, Rom::Own, Addresses::Elsewhere);
        assert_eq!(choose(http, None, &refused(&[Loader::Ipxe])), Some(Loader::Shim));
        assert_eq!(choose(http, None, &refused(&[])), Some(Loader::Grub));
        let bios = loaders(Arch::Bios, Rom::Own, Addresses::Here);
        assert_eq!(choose(bios, None, &refused(&[Loader::Lpxelinux])), Some(Loader::Ipxe));
        assert_eq!(choose(loaders(Arch::EfiIa32, Rom::Own, Addresses::Here), None, &refused(&[])), None);
    }

    proptest! {
        /// Who refuses all is given each in turn, and then the first again.
        #[test]
        fn every_loader_has_its_turn(arch in prop::sample::select(&ARCHS[..]), ipxe: bool, beside: bool, worked in 0..6usize) {
            let rom = if ipxe { Rom::Ipxe } else { Rom::Own };
            let suited = loaders(arch, rom, if beside { Addresses::Elsewhere } else { Addresses::Here });
            let worked = Loader::ALL.get(worked).copied();
            let mut refused = BTreeSet::new();
            for _ in suited {
                let next = choose(suited, worked, &refused).unwrap();
                prop_assert!(suited.contains(&next));
                prop_assert!(refused.insert(next), "{next} was refused already");
            }
            prop_assert_eq!(choose(suited, worked, &refused), suited.first().copied());
        }
    }
}
