//! Whether the node's own installer will accept what is here. It has the last word on the image, and says it when the
//! disk is overwritten already: what it would refuse must not be armed.

use crate::{
    assets::{
        authentic::{FileVerdict, Finding},
        version::File,
    },
    config::Verify,
    profiles::{InstallerCheck, InstallerKeys, Profile},
};

/// Why an installer will not accept an image, in one clause, with the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "fields are what the message names")]
pub enum InstallerRefusal {
    /// It is signed by a key that the installer does not know.
    #[error(
        "{installer} knows no keys but those built into it, and {image} is signed by {signer}; it would overwrite the \
         disk and then refuse the image: {remedy}"
    )]
    ForeignSigner { installer: String, image: String, signer: String, remedy: String },
    /// Its signature proves nothing.
    #[error("{installer} insists on the signature of {image}, and {reason} ({remedy})")]
    Unproven { installer: String, image: String, reason: String, remedy: String },
    /// It is proven to be another one.
    #[error("{image}: {reason}")]
    Bad { image: String, reason: String },
    /// It has no signature.
    #[error("{installer} asks for {image}.sig and installs nothing without it{list}: {remedy}")]
    NoSignature {
        installer: String,
        image: String,
        /// What is said of a list of digests, where there is one.
        list: String,
        remedy: String,
    },
}

/// Whether `profile`'s installer will accept this image, of which this was found.
///
/// # Errors
/// [`InstallerRefusal`] says why not.
pub(super) fn accepts(
    profile: &Profile,
    image: &File,
    finding: Option<&Finding>,
    verify: Verify,
) -> Result<(), InstallerRefusal> {
    let Some(check) = profile.check else { return Ok(()) };
    let (installer, name) = (profile.installer(), image.found.own_name());
    if image.proof.signature.is_none() {
        return without_signature(check, installer, name, image, verify);
    }
    let remedy = match check.keys {
        InstallerKeys::BuiltIn if check.forgives_missing => format!(
            "take the signature that its maker gave out; or remove {name}.sig and let unsigned images pass, then it does \
             not look"
        ),
        InstallerKeys::BuiltIn => {
            "take the image and the signature that its maker gave out; if the live system's own installer has that key \
             built in, say so in a profile of your own"
                .to_owned()
        }
        InstallerKeys::Handed => "put the signer's public key into keys/".to_owned(),
    };
    match finding.map(|finding| &finding.verdict) {
        // Waited for elsewhere.
        None => Ok(()),
        Some(FileVerdict::Good(_)) if check.keys == InstallerKeys::Handed => Ok(()),
        Some(FileVerdict::Good(good)) if has_pinned(profile, &good.primary.to_string()) => Ok(()),
        Some(FileVerdict::Good(good)) => Err(InstallerRefusal::ForeignSigner {
            installer: installer.to_owned(),
            image: name.to_owned(),
            signer: format!("{} with key {}", good.user_id, good.primary),
            remedy,
        }),
        Some(FileVerdict::Unproven(reason)) => {
            let (installer, image) = (installer.to_owned(), name.to_owned());
            Err(InstallerRefusal::Unproven { installer, image, reason: reason.clone(), remedy })
        }
        Some(FileVerdict::Bad(reason)) => {
            Err(InstallerRefusal::Bad { image: name.to_owned(), reason: reason.clone() })
        }
        Some(FileVerdict::Unsigned) => without_signature(check, installer, name, image, verify),
    }
}

fn has_pinned(profile: &Profile, primary: &str) -> bool {
    profile.fingerprints.iter().any(|pinned| pinned == primary)
}

fn without_signature(
    check: InstallerCheck,
    installer: &str,
    name: &str,
    image: &File,
    verify: Verify,
) -> Result<(), InstallerRefusal> {
    if check.forgives_missing && verify == Verify::UnsignedOk {
        return Ok(());
    }
    let list = image.proof.lists.first().map(|listed| listed.list.own_name());
    let list = list.map(|list| format!(" ({list} is nothing to it)")).unwrap_or_default();
    let remedy = match check.keys {
        InstallerKeys::Handed => {
            format!(
                "put its maker's beside the image, or sign it yourself: gpg --detach-sign {name}, and your public key into keys/"
            )
        }
        InstallerKeys::BuiltIn if check.forgives_missing => {
            "put its maker's beside the image; or let unsigned images pass, then it does not look".to_owned()
        }
        InstallerKeys::BuiltIn => "put its maker's beside the image".to_owned(),
    };
    let (installer, image) = (installer.to_owned(), name.to_owned());
    Err(InstallerRefusal::NoSignature { installer, image, list, remedy })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        assets::{
            authentic::{Listed, Proof},
            folder::Found,
        },
        profiles::{self, Role},
    };
    use release_signature::{Good, Timestamp};

    const OTHER: &str = "36F612DCF27F7D1A48A835E4DBFCF71C6D9F90A7";

    fn found(name: &str) -> Found {
        Found { name: vec![name.into()], path: name.into(), len: 1, ..Found::default() }
    }

    fn good(key: &str) -> FileVerdict {
        FileVerdict::Good(Good {
            primary: key.parse().unwrap(),
            key: key.parse().unwrap(),
            user_id: "me".into(),
            made: Timestamp(0),
            key_expires: None,
            key_retired: None,
            signature_expires: None,
        })
    }

    /// What is beside the image, what was found of it, and whether each installer takes it: under the strict rule, and
    /// where unsigned files will do.
    #[test]
    fn each_installer_is_known_for_what_it_takes() {
        let profile =
            |name: &str| Profile::clone(profiles::built_in().iter().find(|own| own.name == name).unwrap());
        let signed = |verdict| (Some("i.sig"), None, Some(verdict));
        let unproven = || FileVerdict::Unproven("it is signed by key 1, which no key file has".into());
        for (name, proof, strict, lax, words) in [
            ("coreos", signed(good(&profile("coreos").fingerprints[0])), true, true, ""),
            ("coreos", signed(good(OTHER)), false, false, "knows no keys but those built into it"),
            ("coreos", signed(unproven()), false, false, "insists on the signature"),
            ("coreos", signed(FileVerdict::Bad("damaged".into())), false, false, "damaged"),
            (
                "coreos",
                (None, Some("SHA256SUMS"), Some(good(OTHER))),
                false,
                false,
                "SHA256SUMS is nothing to it",
            ),
            ("coreos", (None, None, Some(FileVerdict::Unsigned)), false, false, "asks for i.sig"),
            ("flatcar", signed(good(&profile("flatcar").fingerprints[0])), true, true, ""),
            ("flatcar", signed(good(OTHER)), true, true, ""),
            ("flatcar", signed(unproven()), false, false, "public key into keys/"),
            ("flatcar", (None, Some("i.DIGESTS"), Some(good(OTHER))), false, false, "gpg --detach-sign i"),
            ("flatcar", (None, None, None), false, false, "asks for i.sig"),
            ("fedora-coreos", signed(good(&profile("fedora-coreos").fingerprints[2])), true, true, ""),
            ("fedora-coreos", signed(good(OTHER)), false, false, "remove i.sig"),
            ("fedora-coreos", signed(unproven()), false, false, "remove i.sig"),
            (
                "fedora-coreos",
                (None, Some("SHA256SUMS"), Some(good(OTHER))),
                false,
                true,
                "let unsigned images pass",
            ),
            ("fedora-coreos", (None, None, Some(FileVerdict::Unsigned)), false, true, "asks for i.sig"),
            ("raw", (None, None, Some(FileVerdict::Unsigned)), true, true, ""),
            ("raw", signed(unproven()), true, true, ""),
        ] {
            let (signature, list, verdict) = proof;
            let lists = list.map(|list| Listed { list: found(list), signature: None }).into_iter().collect();
            let proof = Proof { signature: signature.map(found), lists };
            let image = File { role: Role::Image, found: found("i"), proof, with_loaders: false };
            let finding = verdict.map(|verdict| Finding { verdict, sha256: None });
            for (verify, wanted) in [(Verify::Required, strict), (Verify::UnsignedOk, lax)] {
                let said = accepts(&profile(name), &image, finding.as_ref(), verify);
                assert_eq!(said.is_ok(), wanted, "{name} {finding:?} {verify:?}: {said:?}");
                let why = said.err().map_or_else(|| words.to_owned(), |why| why.to_string());
                assert!(why.contains(words), "{name}: {why}");
            }
        }
    }
}
