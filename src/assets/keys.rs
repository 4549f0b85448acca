//! The signing keys at hand: those that come with the built-in profiles, and the user's own.

use std::{collections::BTreeMap, sync::Arc};

use sha2::{Digest as _, Sha256};

use crate::{
    assets::openpgp::{Fingerprint, Keyring, Trust},
    profiles::Profile,
};

/// Key files of the built-in profiles. What counts is the fingerprint that a profile pins.
const BUILT_IN: [(&str, &str); 3] = [
    ("coreos.asc", include_str!("../../profiles/keys/coreos.asc")),
    ("flatcar.asc", include_str!("../../profiles/keys/flatcar.asc")),
    ("fedora-coreos.asc", include_str!("../../profiles/keys/fedora-coreos.asc")),
];

/// Every key, and whom it is trusted for.
#[derive(Debug, Clone, Default)]
pub struct Keys {
    keyring: Keyring,
    own: Vec<Fingerprint>,
    faults: Vec<String>,
    /// Changes when a key does: what was found with other keys is looked at again.
    id: String,
}

impl Keys {
    /// The built-in keys and those of the user's files, by their paths. Secret keys and other things that don't
    /// belong there are faults.
    pub fn read(own: &BTreeMap<String, Arc<str>>) -> Keys {
        let mut keys = Keys { id: Keys::id_of(own), ..Keys::default() };
        for (label, text) in BUILT_IN {
            keys.faults.extend(keys.keyring.add(label, text.as_bytes()).err().map(|fault| fault.to_string()));
        }
        for (path, text) in own {
            match keys.keyring.add(path, text.as_bytes()) {
                Ok(added) => keys.own.extend(added),
                Err(fault) => keys.faults.push(fault.to_string()),
            }
        }
        keys
    }

    /// What [`Keys::id`] would be of these files.
    pub fn id_of(own: &BTreeMap<String, Arc<str>>) -> String {
        let mut digest = Sha256::new();
        let own = own.iter().map(|(path, text)| (path.as_str(), text.as_ref()));
        for (path, text) in BUILT_IN.into_iter().chain(own) {
            digest.update((path.len() as u64).to_be_bytes());
            digest.update(path);
            digest.update((text.len() as u64).to_be_bytes());
            digest.update(text);
        }
        digest.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    /// A short name of all keys together.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The keys.
    pub fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// The user's own keys, which count for every profile.
    pub fn own(&self) -> impl Iterator<Item = &Fingerprint> {
        self.own.iter()
    }

    /// Files in keys/ that can't be used, a sentence each.
    pub fn faults(&self) -> &[String] {
        &self.faults
    }

    /// Whose signatures count for a profile's files: the keys that it pins, and the user's own.
    pub fn trust(&self, profile: &Profile) -> Trust {
        let pinned = profile.fingerprints.iter().filter_map(|text| text.parse().ok());
        Trust::none().and(pinned).and(self.own.iter().cloned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profiles;

    #[test]
    fn every_pinned_key_is_at_hand_and_readable() {
        let keys = Keys::read(&BTreeMap::new());
        assert_eq!(keys.faults(), [""; 0]);
        for profile in profiles::built_in() {
            for pinned in &profile.fingerprints {
                let pinned: Fingerprint = pinned.parse().unwrap();
                assert!(keys.keyring().has(&pinned), "{}: {pinned}", profile.name);
                assert!(keys.trust(&profile).includes(&pinned));
            }
        }
    }

    #[test]
    fn a_file_that_is_no_key_is_named_and_changes_the_id() {
        let own = BTreeMap::from([("keys/mine.asc".to_owned(), Arc::from("nonsense"))]);
        let keys = Keys::read(&own);
        assert!(keys.faults()[0].starts_with("key file keys/mine.asc: "), "{:?}", keys.faults());
        assert_ne!(keys.id(), Keys::read(&BTreeMap::new()).id());
    }
}
