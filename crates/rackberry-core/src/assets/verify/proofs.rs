//! Which files vouch for others: signatures and lists of digests, by their names.

use std::collections::BTreeMap;

use crate::{
    assets::{
        authentic::{Listed, Proof},
        folder::{Folder, Found, Name},
    },
    ids::folded,
    profiles::{FileSpec, SIGNATURES},
};

/// Names of lists of digests of a whole folder, as they compare, without `.txt`.
const LISTS: [&str; 7] =
    ["sha256sums", "sha512sums", "sha256sum", "sha512sum", "checksum", "checksums", "digests"];
/// What the names of such lists end in, too: Fedora's `Fedora-…-CHECKSUM`.
const LISTS_END: [&str; 2] = ["-checksum", "-checksums"];
/// What follows a file's name in that of a list of its own digests.
const OWN_LISTS: [&str; 6] = ["digests", "sha256", "sha512", "sha256sum", "sha512sum", "checksum"];
/// More lists than this are not looked at for one file.
const MOST_LISTS: usize = 4;

/// What vouches for the file called `name`: its own signature, and lists of digests that may name it.
pub(in crate::assets) fn proof(
    (spec, name): (&FileSpec, &str),
    (version, arch): (&str, &str),
    (folder, base): (&Folder, &[String]),
) -> Proof {
    let beside = |name: &str| folder.get(&[base, &segments(name)].concat()).cloned();
    let signature = spec.signatures(name, version, arch).iter().find_map(|signature| beside(signature));
    // By their bare names, those of this file alone first: the list, and what signs it or carries its signature.
    let mut lists: BTreeMap<_, [Option<&Found>; 2]> = BTreeMap::new();
    for found in folder.inside(base) {
        let Some((list, is_own)) = list_named(found.own_name(), name) else { continue };
        let [plain, signed] = lists.entry((!is_own, list.clone())).or_default();
        if folded(found.own_name()) == list {
            *plain = Some(found);
        } else if signed.is_none_or(|known| rank(found) < rank(known)) {
            *signed = Some(found);
        }
    }
    let lists = lists.into_values().filter_map(|[plain, signed]| {
        let (list, signature) = match (plain, signed) {
            (Some(plain), signed) => (plain, signed),
            (None, signed) => (signed?, None),
        };
        Some(Listed { list: list.clone(), signature: signature.cloned() })
    });
    Proof { signature, lists: lists.take(MOST_LISTS).collect() }
}

/// Whether a file's name says that it vouches for one of `names`, or for a whole folder. Such files are harmless, and
/// installers ask for them.
pub(in crate::assets) fn vouches(name: &str, names: &[String]) -> bool {
    let bare = without_signature(&folded(name)).map(str::to_owned);
    list_named(name, "").is_some()
        || names.iter().any(|own| bare.as_ref() == Some(&folded(own)) || list_named(name, own).is_some())
}

/// The list's name, as it compares, without the extension of a signature; and whether it is a list of the file called
/// `of` alone.
fn list_named(name: &str, of: &str) -> Option<(String, bool)> {
    let name = folded(name);
    let list = without_signature(&name).unwrap_or(&name);
    let plain = list.strip_suffix(".txt").unwrap_or(list);
    let own = (!of.is_empty()).then(|| plain.strip_prefix(&folded(of))?.strip_prefix('.')).flatten();
    let is_own = own.is_some_and(|rest| OWN_LISTS.contains(&rest));
    let is_list = LISTS.contains(&plain) || LISTS_END.iter().any(|end| plain.ends_with(end));
    (is_own || is_list).then(|| (list.to_owned(), is_own))
}

fn without_signature(name: &str) -> Option<&str> {
    let (bare, extension) = name.rsplit_once('.')?;
    SIGNATURES.contains(&extension).then_some(bare)
}

/// Of several signatures of one list, the one with the usual name counts.
fn rank(signature: &Found) -> Option<usize> {
    let name = folded(signature.own_name());
    SIGNATURES.iter().position(|extension| name.ends_with(extension))
}

fn segments(name: &str) -> Name {
    name.split('/').map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profiles;

    fn proof_of(files: &[&str]) -> (Option<String>, Vec<(String, Option<String>)>) {
        let found = |name: &&str| Found {
            name: ["raw", "1", name].map(str::to_owned).to_vec(),
            path: (*name).into(),
            len: 1,
            ..Found::default()
        };
        let folder = Folder::new("a".into(), files.iter().map(found));
        let coreos = profiles::Profile::clone(&profiles::built_in()[0]);
        let image = coreos.files.iter().find(|spec| spec.role == profiles::Role::Image).unwrap();
        let base = ["raw", "1"].map(str::to_owned);
        let proof = proof((image, "image.bin.bz2"), ("1", "x86_64"), (&folder, &base));
        let name = |found: Found| found.own_name().to_owned();
        let lists = proof.lists.into_iter().map(|listed| (name(listed.list), listed.signature.map(name)));
        (proof.signature.map(name), lists.collect())
    }

    /// As their makers name them, and as they come out of Windows.
    #[test]
    fn signatures_and_lists_are_found_under_every_name_in_use() {
        let listed = |list: &str, signature: &str| {
            let signature = (!signature.is_empty()).then(|| signature.to_owned());
            vec![(list.to_owned(), signature)]
        };
        for (files, lists) in [
            (&["SHA256SUMS", "SHA256SUMS.sig"][..], listed("SHA256SUMS", "SHA256SUMS.sig")),
            (&["SHA256SUMS", "SHA256SUMS.gpg"], listed("SHA256SUMS", "SHA256SUMS.gpg")),
            (&["SHA512SUMS", "SHA512SUMS.sign"], listed("SHA512SUMS", "SHA512SUMS.sign")),
            (&["SHA256SUMS.asc"], listed("SHA256SUMS.asc", "")),
            (&["sha256sums.asc"], listed("sha256sums.asc", "")),
            (&["sha256sums.txt", "sha256sums.txt.asc"], listed("sha256sums.txt", "sha256sums.txt.asc")),
            (&["CHECKSUM"], listed("CHECKSUM", "")),
            (&["Fedora-Cloud-44-1.7-aarch64-CHECKSUM"], listed("Fedora-Cloud-44-1.7-aarch64-CHECKSUM", "")),
            (&["image.bin.bz2.DIGESTS.asc"], listed("image.bin.bz2.DIGESTS.asc", "")),
            (
                &["image.bin.bz2.DIGESTS", "image.bin.bz2.DIGESTS.asc", "image.bin.bz2.DIGESTS.sig"],
                listed("image.bin.bz2.DIGESTS", "image.bin.bz2.DIGESTS.sig"),
            ),
            (&["IMAGE.BIN.BZ2.SHA256.ASC"], listed("IMAGE.BIN.BZ2.SHA256.ASC", "")),
            (
                &["image.bin.bz2.sha256", "image.bin.bz2.sha256.asc"],
                listed("image.bin.bz2.sha256", "image.bin.bz2.sha256.asc"),
            ),
            (&["SHA256SUMS"], listed("SHA256SUMS", "")),
            (&["MD5SUMS", "notes.txt", "other.bin.bz2.sha256"], vec![]),
        ] {
            assert_eq!(proof_of(files), (None, lists), "{files:?}");
        }
        for signature in ["image.bin.bz2.sig", "image.bin.bz2.SIG", "IMAGE.BIN.BZ2.ASC", "image.bin.bz2.sign"]
        {
            assert_eq!(proof_of(&[signature]).0.as_deref(), Some(signature));
        }
        // A list of the file alone comes before one of the folder's.
        let (_, lists) = proof_of(&["SHA256SUMS", "image.bin.bz2.sha512"]);
        assert_eq!(lists[0].0, "image.bin.bz2.sha512");
    }

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
