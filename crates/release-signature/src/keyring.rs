//! The keys that are at hand, and which of them are trusted.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    armor,
    certificate::{Certificate, Strength},
    names::{Fingerprint, Issuer, Timestamp},
    packets::{self, Unreadable, types},
    self_signatures::{Binding, Bound, Primary, Revocation},
};

/// Certificates by their primary keys. To be in a keyring is not to be trusted; see [`Trust`].
#[derive(Debug, Clone, Default)]
pub struct Keyring {
    entries: BTreeMap<Fingerprint, Entry>,
}

#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) certificate: Certificate,
    pub(super) primary: Primary,
    /// One for each of the certificate's subkeys.
    pub(super) bound: Vec<Bound>,
    /// The packets of each copy, as they stood in its file: what is handed on is what was given.
    copies: Vec<Vec<u8>>,
}

/// What a list of keys shows of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyInfo {
    /// Fingerprint of the primary key.
    pub fingerprint: Fingerprint,
    /// The owner's user IDs, the primary one first, fit for a terminal.
    pub user_ids: Vec<String>,
    /// When the primary key was made.
    pub made: Timestamp,
    /// When the primary key expires.
    pub expires: Option<Timestamp>,
    /// The keys that sign files, the primary key among them if it does, with the ends of their times.
    /// Compromised ones are left out.
    pub signing: Vec<(Fingerprint, Option<Timestamp>)>,
}

/// A key file can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("key file {label}: {fault}")]
pub struct KeyFault {
    /// What the caller called the file.
    pub label: String,
    /// What is wrong.
    pub fault: KeyFileFault,
}

/// What is wrong with a key file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "fields are what the message names")]
pub enum KeyFileFault {
    /// It holds no certificate.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// A key of an algorithm that this program has not.
    #[error("key {key} is {what}, which is not supported here")]
    Unsupported { key: Fingerprint, what: String },
    /// A key without its owner's word: anyone could have put it together.
    #[error("key {0} is signed by nobody, not even by itself; export it anew")]
    NotSelfSigned(Fingerprint),
}

impl Keyring {
    /// A keyring without keys.
    pub fn new() -> Keyring {
        Keyring::default()
    }

    /// Adds the certificates of a file, armored or binary, and says whose they are. Another copy of a known
    /// one adds what it has more: newer subkeys, revocations. A file with a fault adds nothing. `label` is
    /// what messages call it.
    pub fn add(&mut self, label: &str, file: &[u8]) -> Result<Vec<Fingerprint>, KeyFault> {
        self.add_all(file).map_err(|fault| KeyFault { label: label.to_owned(), fault })
    }

    fn add_all(&mut self, file: &[u8]) -> Result<Vec<Fingerprint>, KeyFileFault> {
        let mut entries: BTreeMap<Fingerprint, Entry> = BTreeMap::new();
        for block in armor::contents(file, "PUBLIC KEY BLOCK")? {
            let packets = packets::split(&block)?;
            let copies = packets.chunk_by(|_, next| next.kind != types::PUBLIC_KEY);
            let mut copies = copies.filter(|copy| copy[0].kind == types::PUBLIC_KEY);
            for certificate in Certificate::parse(&packets)? {
                let copy = copies.next().unwrap_or_default().iter().flat_map(packets::frame).collect();
                let fingerprint = certificate.primary.fingerprint.clone();
                if let Strength::Unsupported(what) = certificate.primary.strength {
                    return Err(KeyFileFault::Unsupported { key: fingerprint, what });
                }
                let known = entries.remove(&fingerprint).or_else(|| self.entries.get(&fingerprint).cloned());
                let (merged, mut copies) = match known {
                    Some(Entry { certificate: mut known, copies, .. }) => {
                        known.merge(certificate);
                        (known, copies)
                    }
                    None => (certificate, Vec::new()),
                };
                if !copies.contains(&copy) {
                    copies.push(copy);
                }
                let entry = Entry::of(merged, copies);
                if entry.primary.never_stated {
                    return Err(KeyFileFault::NotSelfSigned(fingerprint));
                }
                entries.insert(fingerprint, entry);
            }
        }
        let added = entries.keys().cloned().collect();
        self.entries.extend(entries);
        Ok(added)
    }

    /// What is known of every key in the ring.
    pub fn keys(&self) -> impl Iterator<Item = KeyInfo> {
        self.entries.values().map(Entry::info)
    }

    /// Whether it has this primary key.
    pub fn has(&self, primary: &Fingerprint) -> bool {
        self.entries.contains_key(primary)
    }

    /// The certificates of these primary keys, armored, for another program: every copy that is here.
    pub fn export(&self, primaries: &BTreeSet<Fingerprint>) -> String {
        let entries = primaries.iter().filter_map(|primary| self.entries.get(primary));
        let packets: Vec<u8> = entries.flat_map(|entry| &entry.copies).flatten().copied().collect();
        armor::armored(&packets, "PUBLIC KEY BLOCK")
    }

    /// Who could be meant: the certificate, and which of its keys (none: the primary one). Key IDs can be
    /// forged, so there may be several.
    pub(super) fn named(&self, issuer: &Issuer) -> Vec<(&Entry, Option<usize>)> {
        let is_meant = |fingerprint: &Fingerprint| match issuer {
            Issuer::Fingerprint(wanted) => fingerprint == wanted,
            Issuer::KeyId(wanted) => fingerprint.key_id() == *wanted,
            Issuer::Unnamed => false,
        };
        let mut found = Vec::new();
        for entry in self.entries.values() {
            if is_meant(&entry.certificate.primary.fingerprint) {
                found.push((entry, None));
            }
            for (number, subkey) in entry.certificate.subkeys.iter().enumerate() {
                if is_meant(&subkey.key.fingerprint) {
                    found.push((entry, Some(number)));
                }
            }
        }
        found
    }
}

impl Entry {
    fn of(certificate: Certificate, copies: Vec<Vec<u8>>) -> Entry {
        let primary = Primary::of(&certificate);
        let bind = |subkey| Bound::of(subkey, &certificate.primary.packet);
        let bound = certificate.subkeys.iter().map(bind).collect();
        Entry { primary, bound, certificate, copies }
    }

    fn info(&self) -> KeyInfo {
        let fingerprint = self.certificate.primary.fingerprint.clone();
        let stated = self.primary.stated;
        let mut signing = Vec::new();
        let usable = |revocations: &[Revocation]| !revocations.iter().any(|revocation| revocation.hard);
        let is_usable = usable(&self.primary.revocations);
        if let Some(stated) = stated.filter(|stated| stated.signs && is_usable) {
            signing.push((fingerprint.clone(), stated.expires));
        }
        for (subkey, bound) in self.certificate.subkeys.iter().zip(&self.bound) {
            if let Binding::Signing { expires } = bound.binding
                && is_usable
                && usable(&bound.revocations)
            {
                signing.push((subkey.key.fingerprint.clone(), expires));
            }
        }
        KeyInfo {
            fingerprint,
            user_ids: self.primary.user_ids.clone(),
            made: self.primary.made,
            expires: stated.and_then(|stated| stated.expires),
            signing,
        }
    }
}

/// The primary keys whose signatures count: those that a profile pins, and those that the user put into keys/.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trust {
    primaries: BTreeSet<Fingerprint>,
}

impl Trust {
    /// Trust in nobody, so that no signature is good.
    pub fn none() -> Trust {
        Trust::default()
    }

    /// Trust in every key of this keyring besides.
    pub fn and_all_of(mut self, keyring: &Keyring) -> Trust {
        self.primaries.extend(keyring.entries.keys().cloned());
        self
    }

    /// Trust in these keys besides.
    pub fn and(mut self, primaries: impl IntoIterator<Item = Fingerprint>) -> Trust {
        self.primaries.extend(primaries);
        self
    }

    /// Whether this primary key is trusted.
    pub fn includes(&self, primary: &Fingerprint) -> bool {
        self.primaries.contains(primary)
    }
}
