//! Signatures of files (RFC 9580 section 5.2): what they say, and what the keyring says to that, before the
//! file is read.

use std::sync::Arc;

use pgp::{
    crypto::hash::HashAlgorithm,
    packet::{Signature, SignatureType, SignatureVersion, SignatureVersionSpecific},
    types::{SignatureBytes, VerifyingKey},
};

use super::{
    certificate::Strength,
    keyring::{Entry, Keyring, Trust},
    names::{Fingerprint, Issuer, Timestamp, printable},
    packets::{Packet, Unreadable, big_endian},
    self_signatures::{Binding, Revocation, time, unknown_demand},
    verdict::{Bad, Good},
};
use crate::digest::{Algorithm, Hasher};

/// A signature that can be checked.
#[derive(Debug, Clone)]
pub(super) struct FileSignature {
    pub(super) made: Timestamp,
    pub(super) hash: HashAlgorithm,
    /// Text signatures count line ends as one (section 5.2.1.2).
    pub(super) is_text: bool,
    /// What is hashed before the file (version 6 only).
    pub(super) salt: Vec<u8>,
    /// What is hashed after the file (section 5.2.4).
    tail: Vec<u8>,
    /// The first octets of the digest, in clear.
    left: [u8; 2],
    value: SignatureBytes,
    version: u8,
    issuer: Issuer,
    user_id: Option<String>,
    expires: Option<Timestamp>,
}

/// A key that may have made a signature, and the verdict if it has.
#[derive(Debug, Clone)]
pub(super) struct Prospect {
    key: Arc<dyn VerifyingKey + Send + Sync>,
    pub(super) good: Good,
}

impl FileSignature {
    pub(super) fn parse(packet: &Packet<'_>) -> Result<FileSignature, Bad> {
        let damaged = || Bad::Malformed(Unreadable::NotPackets.to_string());
        let signature = Signature::try_from_reader(packet.header(), packet.body).map_err(|_| damaged())?;
        let version = packet.body.first().copied().unwrap_or_default();
        let (Some(config), Some(value), Some(left)) =
            (signature.config(), signature.signature(), signature.signed_hash_value())
        else {
            return Err(Bad::Unsupported(format!("a signature of version {version}")));
        };
        let hashed = match signature.version() {
            SignatureVersion::V4 => 6 + packet.body.get(4..6).map(big_endian).ok_or_else(damaged)?,
            SignatureVersion::V6 => 8 + packet.body.get(4..8).map(big_endian).ok_or_else(damaged)?,
            // Version 3 is from before 1998; section 5.2.2 leaves it to us.
            _ => return Err(Bad::Unsupported(format!("a signature of version {version}"))),
        };
        let is_text = match config.typ() {
            SignatureType::Binary => false,
            SignatureType::Text => true,
            other => return Err(Bad::Unsupported(format!("a signature of type {}", u8::from(other)))),
        };
        let salt = match &config.version_specific {
            SignatureVersionSpecific::V6 { salt } => salt.clone(),
            _ => Vec::new(),
        };
        hasher(config.hash_alg)?;
        if !salt.is_empty() && config.hash_alg.salt_len() != Some(salt.len()) {
            return Err(damaged());
        }
        if let Some(kind) = unknown_demand(&signature) {
            return Err(Bad::Unsupported(format!("a demand of type {kind}")));
        }
        if signature.created().is_none() {
            return Err(Bad::Malformed("it has no date".into()));
        }
        let made = time(&signature);
        let mut tail = packet.body.get(..hashed).ok_or_else(damaged)?.to_vec();
        tail.extend([version, 0xff]);
        tail.extend((hashed as u32).to_be_bytes());
        Ok(FileSignature {
            made,
            hash: config.hash_alg,
            is_text,
            salt,
            tail,
            left,
            value: value.clone(),
            version,
            issuer: issuer(&signature),
            user_id: signature.signers_userid().map(|id| printable(id)),
            expires: signature
                .signature_expiration_time()
                .filter(|length| length.as_secs() != 0)
                .and_then(|length| made.after(length.as_secs())),
        })
    }

    /// The keys that may have made it; or why it can't be good, whatever the file.
    pub(super) fn prospects(&self, keyring: &Keyring, trust: &Trust) -> Result<Vec<Prospect>, Bad> {
        let mut prospects = Vec::new();
        let mut reason = Bad::UnknownKey { issuer: self.issuer.clone() };
        for (entry, subkey) in keyring.named(&self.issuer) {
            match self.prospect(entry, subkey, trust) {
                Ok(prospect) => prospects.push(prospect),
                Err(bad) if bad.weight() > reason.weight() => reason = bad,
                Err(_) => {}
            }
        }
        if prospects.is_empty() { Err(reason) } else { Ok(prospects) }
    }

    /// Judged by the signature's own date throughout: no clock is asked.
    fn prospect(&self, entry: &Entry, subkey: Option<usize>, trust: &Trust) -> Result<Prospect, Bad> {
        let certificate = &entry.certificate;
        let primary = certificate.primary.fingerprint.clone();
        let user_id = entry.primary.user_ids.first().cloned().unwrap_or_else(|| "somebody".into());
        if !trust.includes(&primary) {
            return Err(Bad::Untrusted { primary, user_id });
        }
        strong(&primary, &certificate.primary.strength)?;
        let stated = entry.primary.stated.ok_or_else(|| Bad::NoUserId { primary: primary.clone() })?;
        let primary_retired =
            self.within(&primary, entry.primary.made, stated.expires, &entry.primary.revocations)?;

        let mut good = Good {
            key: primary.clone(),
            primary,
            user_id: self.user_id.clone().filter(|id| entry.primary.user_ids.contains(id)).unwrap_or(user_id),
            made: self.made,
            key_expires: stated.expires,
            key_retired: primary_retired,
            signature_expires: self.expires,
        };
        let Some(number) = subkey else {
            if !stated.signs {
                return Err(Bad::NotForSigning { key: good.key });
            }
            let key = &certificate.primary.packet;
            self.fits(&good.key, key)?;
            return Ok(Prospect { key: Arc::new(key.clone()), good });
        };
        let (subkey, bound) = (&certificate.subkeys[number].key, &entry.bound[number]);
        let (key, primary) = (subkey.fingerprint.clone(), good.primary.clone());
        strong(&key, &subkey.strength)?;
        let expires = match bound.binding {
            Binding::Missing => return Err(Bad::Unbound { key, primary }),
            Binding::NotForSigning => return Err(Bad::NotForSigning { key }),
            Binding::OneSided => return Err(Bad::OneSided { key, primary }),
            Binding::Signing { expires } => expires,
        };
        let retired = self.within(&key, bound.made, expires, &bound.revocations)?;
        self.fits(&key, &subkey.packet)?;
        good.key = key;
        good.key_expires = good.key_expires.into_iter().chain(expires).min();
        good.key_retired = good.key_retired.into_iter().chain(retired).min();
        Ok(Prospect { key: Arc::new(subkey.packet.clone()), good })
    }

    /// Whether the key's time and its revocations let it sign when this was signed. Says when it was retired
    /// after.
    fn within(
        &self,
        key: &Fingerprint,
        created: Timestamp,
        expires: Option<Timestamp>,
        revocations: &[Revocation],
    ) -> Result<Option<Timestamp>, Bad> {
        let (key, made) = (key.clone(), self.made);
        if let Some(revocation) = revocations.iter().find(|revocation| revocation.hard) {
            let Revocation { made: revoked, reason, .. } = revocation.clone();
            return Err(Bad::Compromised { key, revoked, reason });
        }
        if let Some(revocation) = revocations.iter().find(|revocation| revocation.made <= made) {
            let Revocation { made: revoked, reason, .. } = revocation.clone();
            return Err(Bad::AfterRevocation { key, made, revoked, reason });
        }
        if made < created {
            return Err(Bad::BeforeKey { key, made, created });
        }
        if let Some(expired) = expires.filter(|end| made >= *end) {
            return Err(Bad::AfterExpiry { key, made, expired });
        }
        Ok(revocations.iter().map(|revocation| revocation.made).min())
    }

    /// Version 6 keys make version 6 signatures, older ones don't (section 5.2.2).
    fn fits(&self, fingerprint: &Fingerprint, key: &impl VerifyingKey) -> Result<(), Bad> {
        let is_new = key.version() == pgp::types::KeyVersion::V6;
        if is_new == (self.version == 6) {
            return Ok(());
        }
        Err(Bad::Unsupported(format!("a signature of version {} by key {fingerprint}", self.version)))
    }

    /// The verdict, once the whole file went into `state`.
    pub(super) fn check(&self, mut state: Hasher, prospects: &[Prospect]) -> Result<Good, Bad> {
        state.update(&self.tail);
        let digest = state.finish();
        let made_it = |prospect: &&Prospect| prospect.key.verify(self.hash, &digest, &self.value).is_ok();
        match prospects.iter().find(made_it) {
            Some(prospect) if digest.starts_with(&self.left) => Ok(prospect.good.clone()),
            _ => Err(match prospects.first() {
                Some(prospect) => Bad::DoesNotMatch { key: prospect.good.key.clone() },
                None => Bad::UnknownKey { issuer: self.issuer.clone() },
            }),
        }
    }
}

fn issuer(signature: &Signature) -> Issuer {
    match (signature.issuer_fingerprint().first(), signature.issuer_key_id().first()) {
        (Some(fingerprint), _) => Issuer::Fingerprint(Fingerprint::from_pgp(fingerprint)),
        (None, Some(id)) => Issuer::KeyId(super::names::KeyId::from_pgp(id)),
        (None, None) => Issuer::Unnamed,
    }
}

fn strong(key: &Fingerprint, strength: &Strength) -> Result<(), Bad> {
    match strength {
        Strength::Enough => Ok(()),
        Strength::Weak(what) => Err(Bad::WeakKey { key: key.clone(), what: what.clone() }),
        Strength::Unsupported(what) => Err(Bad::Unsupported(format!("a key {what}"))),
    }
}

/// The digests that files may be signed over: SHA-2 of 256 bits or more. MD5, SHA-1 and RIPEMD-160 can be
/// forged (section 9.5), and nobody signs images over SHA-224 or SHA-3.
pub(super) fn hasher(algorithm: HashAlgorithm) -> Result<Hasher, Bad> {
    match algorithm {
        HashAlgorithm::Sha256 => Ok(Hasher::of(Algorithm::Sha256)),
        HashAlgorithm::Sha384 => Ok(Hasher::sha384()),
        HashAlgorithm::Sha512 => Ok(Hasher::of(Algorithm::Sha512)),
        HashAlgorithm::None | HashAlgorithm::Md5 | HashAlgorithm::Sha1 | HashAlgorithm::Ripemd160 => {
            Err(Bad::WeakDigest(algorithm.to_string()))
        }
        other => Err(Bad::Unsupported(format!("digest algorithm {}", u8::from(other)))),
    }
}
