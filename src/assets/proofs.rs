//! Which files vouch for others: signatures and lists of digests, by their names.

use crate::{
    assets::{
        authentic::Proof,
        folder::{Folder, Found, Name},
        version::inside,
    },
    ids::folded,
    profiles::{FileSpec, SIGNATURES},
};

/// Lists of digests of all files of a folder.
const LISTS: [&str; 2] = ["SHA256SUMS", "SHA512SUMS"];
/// What such lists are called, too: they carry their signature.
const SIGNED_LISTS: &str = "*-CHECKSUM";
/// What follows a file's name in those of digests of it.
const DIGESTS: [&str; 1] = ["DIGESTS"];

/// What vouches for the file called `name`: its own signature, or a list of digests that is signed.
pub(super) fn proof(
    spec: &FileSpec,
    name: &str,
    version: &str,
    arch: &str,
    folder: &Folder,
    base: &[String],
) -> Option<Proof> {
    let beside = |name: &str| folder.get(&[base, &segments(name)].concat()).cloned();
    let signed = |name: &str| SIGNATURES.iter().find_map(|extension| beside(&format!("{name}.{extension}")));
    let own = spec.signatures(name, version, arch).iter().find_map(|signature| beside(signature));
    if let Some(signature) = own {
        return Some(Proof::Signature(signature));
    }
    // These carry their signature: CoreOS' and Flatcar's, and Fedora's `Fedora-…-CHECKSUM`.
    let whole = beside(&format!("{name}.DIGESTS.asc"));
    if let Some(list) = whole.or_else(|| inside(folder, base, SIGNED_LISTS).next().cloned()) {
        return Some(Proof::Listed(list, None));
    }
    let own = DIGESTS.iter().map(|extension| format!("{name}.{extension}"));
    own.chain(LISTS.map(str::to_owned))
        .find_map(|list| Some(Proof::Listed(beside(&list)?, Some(signed(&list)?))))
}

/// Whether a file's name says that it vouches for one of `names`, or for a whole folder. Such files are harmless, and
/// installers ask for them.
pub(super) fn vouches(name: &str, names: &[String]) -> bool {
    let name = folded(name);
    let signature = |rest: &str| SIGNATURES.contains(&rest);
    let bare = SIGNATURES.iter().find_map(|extension| name.strip_suffix(&format!(".{extension}")));
    let list = bare.unwrap_or(&name);
    let is_list = LISTS.iter().any(|known| folded(known) == *list)
        || crate::profiles::matches(&folded(SIGNED_LISTS), list);
    let is_own = names.iter().any(|own| {
        let rest = name.strip_prefix(&folded(own)).and_then(|rest| rest.strip_prefix('.'));
        rest.is_some_and(|rest| {
            let (first, second) = rest.split_once('.').unwrap_or((rest, ""));
            let is_digest = DIGESTS.iter().any(|digest| folded(digest) == *first);
            (is_digest && (second.is_empty() || signature(second))) || (signature(first) && second.is_empty())
        })
    });
    is_list || is_own
}

fn segments(name: &str) -> Name {
    name.split('/').map(str::to_owned).collect()
}

/// What vouches for a file, as it lies on the disk.
impl Proof {
    /// Its files.
    pub fn files(&self) -> impl Iterator<Item = &Found> {
        let (first, second) = match self {
            Proof::Signature(signature) => (signature, None),
            Proof::Listed(list, signature) => (list, signature.as_ref()),
        };
        [first].into_iter().chain(second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_vouches_is_known_by_its_name() {
        let names = ["image.bin.bz2".to_owned(), "linux".to_owned()];
        for name in [
            "image.bin.bz2.sig",
            "IMAGE.BIN.BZ2.SIG",
            "image.bin.bz2.DIGESTS",
            "image.bin.bz2.DIGESTS.asc",
            "linux.gpg",
            "SHA256SUMS",
            "sha512sums.asc",
            "Fedora-44-CHECKSUM",
        ] {
            assert!(vouches(name, &names), "{name}");
        }
        for name in
            ["image.bin.bz2", "other.bin.bz2.sig", "linux.gz", "linux.sig.gz", "linuxx.sig", "notes.txt"]
        {
            assert!(!vouches(name, &names), "{name}");
        }
    }
}
