//! The signing keys at hand: those that come with the built-in profiles, and the user's own.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

use sha2::{Digest as _, Sha256};

use crate::profiles::Profile;
use release_signature::{Fingerprint, Keyring, Trust};

/// Key files of the built-in profiles. What counts is the fingerprint that a profile pins.
const BUILT_IN: [(&str, &str); 3] = [
    ("coreos.asc", include_str!("../../../../../profiles/keys/coreos.asc")),
    ("flatcar.asc", include_str!("../../../../../profiles/keys/flatcar.asc")),
    ("fedora-coreos.asc", include_str!("../../../../../profiles/keys/fedora-coreos.asc")),
];

/// What names of key files end in.
const EXTENSIONS: [&str; 6] = ["asc", "gpg", "pgp", "key", "pub", "sig"];

/// Every key, and whom it is trusted for. The files are read when somebody asks for what is in them: that takes longer than
/// all else of a start, and no address waits for it.
#[derive(Debug, Clone, Default)]
pub struct Keys {
    /// The user's files, by their paths.
    files: BTreeMap<String, Arc<[u8]>>,
    /// Changes when a key does: what was found with other keys is looked at again.
    id: String,
    read: OnceLock<Read>,
}

/// What is in the files.
#[derive(Debug, Clone, Default)]
struct Read {
    keyring: Keyring,
    own: Vec<Fingerprint>,
    faults: Vec<String>,
    /// Files that are no keys, and don't look as if they were meant to be.
    others: Vec<String>,
}

impl Keys {
    /// The built-in keys and those of the user's files, by their paths. Secret keys and what should be a key and is
    /// none are faults; a README is none.
    pub fn new(own: BTreeMap<String, Arc<[u8]>>) -> Keys {
        Keys { id: Keys::id_of(&own), files: own, read: OnceLock::new() }
    }

    fn read(&self) -> &Read {
        self.read.get_or_init(|| {
            let mut read = Read::default();
            for (label, text) in BUILT_IN {
                let added = read.keyring.add(label, text.as_bytes());
                read.faults.extend(added.err().map(|fault| fault.to_string()));
            }
            for (path, bytes) in &self.files {
                match read.keyring.add(path, bytes) {
                    Ok(added) => read.own.extend(added),
                    Err(_) if !should_be_key(path, bytes) => read.others.push(path.clone()),
                    Err(fault) => read.faults.push(fault.to_string()),
                }
            }
            read
        })
    }

    /// Whether the files were read.
    pub fn are_read(&self) -> bool {
        self.read.get().is_some()
    }

    /// What is in the user's files; nothing where there are none, and that is known without reading the built-in ones.
    fn of_files(&self) -> Option<&Read> {
        (!self.files.is_empty()).then(|| self.read())
    }

    /// What [`Keys::id`] would be of these files.
    pub fn id_of(own: &BTreeMap<String, Arc<[u8]>>) -> String {
        let mut digest = Sha256::new();
        let own = own.iter().map(|(path, bytes)| (path.as_str(), bytes.as_ref()));
        for (path, bytes) in BUILT_IN.map(|(path, text)| (path, text.as_bytes())).into_iter().chain(own) {
            digest.update((path.len() as u64).to_be_bytes());
            digest.update(path);
            digest.update((bytes.len() as u64).to_be_bytes());
            digest.update(bytes);
        }
        digest.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    /// A short name of all keys together.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The keys, ready to verify by.
    pub fn keyring(&self) -> &Keyring {
        &self.read().keyring
    }

    /// The user's own keys, which count for every profile.
    pub fn own(&self) -> impl Iterator<Item = &Fingerprint> {
        self.of_files().into_iter().flat_map(|read| &read.own)
    }

    /// Files in keys/ that can't be used, a sentence each.
    pub fn faults(&self) -> &[String] {
        self.of_files().map_or(&[], |read| &read.faults)
    }

    /// Other files in keys/, by their paths there.
    pub fn others(&self) -> &[String] {
        self.of_files().map_or(&[], |read| &read.others)
    }

    /// Whose signatures count for a profile's files: the keys that it pins, and the user's own.
    pub fn trust(&self, profile: &Profile) -> Trust {
        let pinned = profile.fingerprints.iter().filter_map(|text| text.parse().ok());
        Trust::none().and(pinned).and(self.own().cloned())
    }
}

/// Whether a file's name or its content says that it is meant to be a key.
fn should_be_key(path: &str, bytes: &[u8]) -> bool {
    let extension = path.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    let is_named = extension.is_some_and(|extension| EXTENSIONS.contains(&extension.as_str()));
    is_named || bytes.windows(10).any(|words| words == b"BEGIN PGP ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        assets::{catalog::Catalog, folder::Folder},
        profiles,
    };

    #[test]
    fn every_pinned_key_is_at_hand_and_readable() {
        let keys = Keys::new(BTreeMap::new());
        assert_eq!(keys.read().faults, [""; 0]);
        for profile in profiles::built_in() {
            for pinned in &profile.fingerprints {
                let pinned: Fingerprint = pinned.parse().unwrap();
                assert!(keys.keyring().has(&pinned), "{}: {pinned}", profile.name);
                assert!(keys.trust(profile).includes(&pinned));
            }
        }
    }

    /// A start looks at the folders, and shows what is wrong with them.
    #[test]
    fn what_nobody_asks_for_is_not_read() {
        let folder = |path: &str| Folder::new(path.into(), Vec::new());
        let catalog = Catalog::new(vec![folder("/assets")], folder("/loaders"), None);
        assert_eq!((catalog.faults().count(), catalog.keys().own().count()), (0, 0));
        assert!(catalog.keys().others().is_empty() && !catalog.keys().are_read());
        assert!(catalog.keys().keyring().keys().count() > 0 && catalog.keys().are_read());
    }

    /// As gpg exports it without --armor, and as editors of Windows save what was copied into them.
    #[test]
    fn keys_are_read_in_every_form() {
        let text = BUILT_IN[1].1;
        let lines = text.lines().filter(|line| !line.starts_with("-----") && !line.starts_with('='));
        let body: String = lines.skip_while(|line| !line.is_empty()).collect();
        use base64::Engine as _;
        let binary = base64::engine::general_purpose::STANDARD.decode(body).unwrap();
        for bytes in [text.as_bytes().to_vec(), binary, text.replace('\n', "\r\n").into_bytes()] {
            let keys = Keys::new(BTreeMap::from([("own.gpg".to_owned(), Arc::from(bytes))]));
            assert_eq!(keys.faults(), [""; 0]);
            assert_eq!(keys.own().count(), 1);
        }
    }

    #[test]
    fn a_file_that_is_no_key_is_named_and_changes_the_id() {
        let file = |path: &str, bytes: &[u8]| (path.to_owned(), Arc::from(bytes));
        let own =
            BTreeMap::from([file("keys/mine.asc", b"nonsense"), file("keys/README.txt", b"put keys here")]);
        let keys = Keys::new(own);
        assert_eq!((keys.faults().len(), keys.others()), (1, &["keys/README.txt".to_owned()][..]));
        assert!(keys.faults()[0].starts_with("key file keys/mine.asc: "), "{:?}", keys.faults());
        assert_ne!(keys.id(), Keys::new(BTreeMap::new()).id());
    }
}
