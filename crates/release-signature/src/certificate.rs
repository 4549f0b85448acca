//! Certificates, that is public keys with everything that was signed onto them (RFC 9580 section 10.1), as they
//! stand in files. What of it is true is for [`self_signatures`](super::self_signatures) to find out.

use pgp::{
    packet::{PublicKey, PublicSubkey, Signature, UserId},
    types::{EcdsaPublicParams, EddsaLegacyPublicParams, KeyDetails, KeyVersion, PublicParams},
};

use super::{
    names::Fingerprint,
    packets::{Packet, Unreadable, big_endian, types},
};

/// RSA keys of fewer bits have been too weak for years.
const LEAST_RSA_BITS: usize = 2048;

#[derive(Debug, Clone)]
pub(super) struct Certificate {
    pub(super) primary: Key<PublicKey>,
    /// Signatures on the primary key itself: revocations, and direct-key signatures.
    pub(super) signatures: Vec<Signature>,
    pub(super) users: Vec<User>,
    pub(super) subkeys: Vec<Subkey>,
}

#[derive(Debug, Clone)]
pub(super) struct User {
    pub(super) id: UserId,
    pub(super) signatures: Vec<Signature>,
}

#[derive(Debug, Clone)]
pub(super) struct Subkey {
    pub(super) key: Key<PublicSubkey>,
    pub(super) signatures: Vec<Signature>,
}

/// A key packet.
#[derive(Debug, Clone)]
pub(super) struct Key<K> {
    pub(super) packet: K,
    pub(super) fingerprint: Fingerprint,
    pub(super) strength: Strength,
}

/// What signatures of a key are worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Strength {
    Enough,
    Weak(String),
    Unsupported(String),
}

/// Where the signatures that follow belong to.
enum Place {
    Primary,
    LastUser,
    LastSubkey,
    /// Something that says nothing about signing: a photo, a packet of the future.
    Nowhere,
}

impl Certificate {
    /// The certificates that stand one after the other in `packets`.
    pub(super) fn parse(packets: &[Packet<'_>]) -> Result<Vec<Certificate>, Unreadable> {
        let mut found: Vec<Certificate> = Vec::new();
        let mut place = Place::Nowhere;
        for packet in packets {
            if packet.kind == types::PUBLIC_KEY {
                let key = PublicKey::try_from_reader(packet.header(), packet.body);
                let primary = Key::new(key.map_err(|_| Unreadable::NotPackets)?, packet.body);
                found.push(Certificate { primary, signatures: vec![], users: vec![], subkeys: vec![] });
                place = Place::Primary;
                continue;
            }
            let Some(certificate) = found.last_mut() else {
                return Err(match packet.kind {
                    types::MARKER | types::PADDING => continue,
                    types::SECRET_KEY => Unreadable::SecretKey,
                    _ => Unreadable::Misplaced("a public key"),
                });
            };
            certificate.take(packet, &mut place);
        }
        if found.is_empty() { Err(Unreadable::Empty) } else { Ok(found) }
    }

    /// Signatures and keys that can't be read are passed over: certificates gather strange things over the
    /// years, and what can't be read can't make a signature good.
    fn take(&mut self, packet: &Packet<'_>, place: &mut Place) {
        match packet.kind {
            types::SIGNATURE => {
                let Ok(signature) = Signature::try_from_reader(packet.header(), packet.body) else { return };
                let signatures = match place {
                    Place::Primary => Some(&mut self.signatures),
                    Place::LastUser => self.users.last_mut().map(|user| &mut user.signatures),
                    Place::LastSubkey => self.subkeys.last_mut().map(|subkey| &mut subkey.signatures),
                    Place::Nowhere => None,
                };
                if let Some(signatures) = signatures {
                    add(signatures, signature);
                }
            }
            types::USER_ID => match UserId::try_from_reader(packet.header(), packet.body) {
                Ok(id) => {
                    self.users.push(User { id, signatures: vec![] });
                    *place = Place::LastUser;
                }
                Err(_) => *place = Place::Nowhere,
            },
            types::PUBLIC_SUBKEY => match PublicSubkey::try_from_reader(packet.header(), packet.body) {
                // Section 10.1.1: no other subkeys than of its own version.
                Ok(key) if key.version() == self.primary.packet.version() => {
                    self.subkeys.push(Subkey { key: Key::new(key, packet.body), signatures: vec![] });
                    *place = Place::LastSubkey;
                }
                _ => *place = Place::Nowhere,
            },
            types::MARKER | types::PADDING => {}
            _ => *place = Place::Nowhere,
        }
    }

    /// Takes over what another copy of the same certificate has and this one lacks.
    pub(super) fn merge(&mut self, other: Certificate) {
        other.signatures.into_iter().for_each(|signature| add(&mut self.signatures, signature));
        for user in other.users {
            match self.users.iter_mut().find(|known| known.id.id() == user.id.id()) {
                Some(known) => user.signatures.into_iter().for_each(|s| add(&mut known.signatures, s)),
                None => self.users.push(user),
            }
        }
        for subkey in other.subkeys {
            let same = |known: &&mut Subkey| known.key.fingerprint == subkey.key.fingerprint;
            match self.subkeys.iter_mut().find(same) {
                Some(known) => subkey.signatures.into_iter().for_each(|s| add(&mut known.signatures, s)),
                None => self.subkeys.push(subkey),
            }
        }
    }
}

fn add(signatures: &mut Vec<Signature>, signature: Signature) {
    if !signatures.contains(&signature) {
        signatures.push(signature);
    }
}

impl<K: KeyDetails> Key<K> {
    fn new(packet: K, body: &[u8]) -> Key<K> {
        let strength = match packet.public_params() {
            _ if !matches!(packet.version(), KeyVersion::V4 | KeyVersion::V6) => {
                Strength::Unsupported(format!("of version {}", u8::from(packet.version())))
            }
            PublicParams::RSA(_) => rsa_strength(body),
            PublicParams::ECDSA(EcdsaPublicParams::Unsupported { curve, .. }) => {
                Strength::Unsupported(format!("of the curve {}", curve.name()))
            }
            PublicParams::EdDSALegacy(EddsaLegacyPublicParams::Unsupported { curve, .. }) => {
                Strength::Unsupported(format!("of the curve {}", curve.name()))
            }
            PublicParams::ECDSA(_)
            | PublicParams::EdDSALegacy(_)
            | PublicParams::Ed25519(_)
            | PublicParams::Ed448(_) => Strength::Enough,
            // Section 12.5: DSA is out of use, and most of its keys have 1024 bits.
            PublicParams::DSA(_) => Strength::Weak("DSA".into()),
            _ => Strength::Unsupported(format!("of public-key algorithm {}", u8::from(packet.algorithm()))),
        };
        Key { fingerprint: Fingerprint::of(&packet), packet, strength }
    }
}

/// Section 5.5.2: version, four octets of time, algorithm, (version 6: four octets of length,) then the
/// modulus as a multiprecision integer, that is with its number of bits before it (section 3.2).
fn rsa_strength(body: &[u8]) -> Strength {
    let at = if body.first() == Some(&6) { 10 } else { 6 };
    match body.get(at..at + 2).map(big_endian) {
        Some(bits) if bits >= LEAST_RSA_BITS => Strength::Enough,
        bits => Strength::Weak(format!("RSA of {} bits", bits.unwrap_or_default())),
    }
}
