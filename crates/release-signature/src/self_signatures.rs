//! What the owner of a certificate has signed about its keys: which are bound, since when, until when, for
//! what, and which are revoked.
//!
//! Everything here is checked with the primary key; what others have signed is passed over, revocations by a
//! designated revoker too (deprecated by RFC 9580 section 5.2.3.23).
//!
//! SHA-1 will do for these signatures and for no others: CoreOS bound its keys of 2013 to 2015 with it, and
//! stated the user ID with it as late as 2017. What its weakness allows is to make two texts of one digest,
//! both of the attacker's choice; but here the owner alone chooses what is signed. Digests that such an
//! attack made are recognized besides, and refused (the `sha1-checked` crate).

use pgp::{
    crypto::hash::HashAlgorithm,
    packet::{PublicKey, RevocationCode, Signature, SignatureType, SignatureVersion, SubpacketData},
    types::{KeyDetails, Tag},
};

use super::{
    certificate::{Certificate, Subkey},
    names::{Timestamp, printable},
};

/// What is true of a primary key.
#[derive(Debug, Clone)]
pub(super) struct Primary {
    pub(super) made: Timestamp,
    /// Nothing in the certificate was ever signed by its own key.
    pub(super) never_stated: bool,
    /// None: the owner no longer vouches for any of its user IDs.
    pub(super) stated: Option<Stated>,
    pub(super) revocations: Vec<Revocation>,
    /// User IDs that its owner vouches for; the one that he calls primary comes first.
    pub(super) user_ids: Vec<String>,
}

/// What the newest self-signature says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stated {
    pub(super) signs: bool,
    pub(super) expires: Option<Timestamp>,
}

/// What is true of a subkey.
#[derive(Debug, Clone)]
pub(super) struct Bound {
    pub(super) made: Timestamp,
    pub(super) binding: Binding,
    pub(super) revocations: Vec<Revocation>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Binding {
    /// The primary key has never signed that this is its subkey.
    Missing,
    /// It is there for something else.
    NotForSigning,
    /// The subkey has never signed that it belongs to the primary key: anyone could have adopted it.
    OneSided,
    Signing {
        expires: Option<Timestamp>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Revocation {
    pub(super) made: Timestamp,
    /// Nothing that the key ever signed can be trusted: its secret is out, or may be, since no reason is given
    /// (RFC 9580 section 5.2.3.31).
    pub(super) hard: bool,
    pub(super) reason: String,
}

impl Primary {
    pub(super) fn of(certificate: &Certificate) -> Primary {
        let key = &certificate.primary.packet;
        let own: Vec<&Signature> =
            certificate.signatures.iter().filter(|s| is_sound(s) && s.verify_key(key).is_ok()).collect();
        let mut user_ids = Vec::new();
        let mut never_stated = own.is_empty();
        let mut statements: Vec<&Signature> =
            own.iter().copied().filter(|s| has_type(s, SignatureType::Key) && says_something(s)).collect();
        for user in &certificate.users {
            let mut own: Vec<&Signature> = user
                .signatures
                .iter()
                .filter(|s| is_sound(s) && s.verify_certification(key, Tag::UserId, &user.id).is_ok())
                .collect();
            own.sort_by_key(|s| (s.created(), has_type(s, SignatureType::CertRevocation)));
            never_stated &= own.is_empty();
            // The owner's last word on this user ID: that it is his, or that it no longer is.
            if let Some(last) = own.last().filter(|last| !has_type(last, SignatureType::CertRevocation)) {
                user_ids.push((!last.is_primary(), printable(user.id.id())));
                statements.push(last);
            }
        }
        user_ids.sort_by_key(|(is_secondary, _)| *is_secondary);
        let made = key.created_at().into();
        let newest = statements.into_iter().max_by_key(|s| s.created());
        let revocations = own.iter().filter(|s| has_type(s, SignatureType::KeyRevocation));
        Primary {
            made,
            never_stated,
            // Section 5.2.3.29 lets a certificate say nothing of its keys' uses. A primary key signs then.
            stated: newest.map(|s| Stated { signs: signs(s).unwrap_or(true), expires: expiry(s, made) }),
            revocations: revocations.map(|s| Revocation::of(s)).collect(),
            user_ids: user_ids.into_iter().map(|(_, id)| id).collect(),
        }
    }
}

impl Bound {
    pub(super) fn of(subkey: &Subkey, primary: &PublicKey) -> Bound {
        let key = &subkey.key.packet;
        let own: Vec<&Signature> = subkey
            .signatures
            .iter()
            .filter(|s| is_sound(s) && s.verify_subkey_binding(primary, key).is_ok())
            .collect();
        let made = key.created_at().into();
        let bindings = || own.iter().copied().filter(|s| has_type(s, SignatureType::SubkeyBinding));
        // The most recent one counts (RFC 9580 section 5.2.3.10): it may prolong the key's time or cut it
        // short. Copies of it can differ in what is not signed.
        let newest = bindings().filter_map(Signature::created).max();
        let newest: Vec<&Signature> = bindings().filter(|s| s.created() == newest).collect();
        let answered = newest.iter().any(|s| has_back_signature(s, primary, subkey));
        let binding = match newest.first() {
            None => Binding::Missing,
            Some(s) if !signs(s).unwrap_or(answered) => Binding::NotForSigning,
            Some(_) if !answered => Binding::OneSided,
            Some(s) => Binding::Signing { expires: expiry(s, made) },
        };
        let revocations = own.iter().filter(|s| has_type(s, SignatureType::SubkeyRevocation));
        Bound { made, binding, revocations: revocations.map(|s| Revocation::of(s)).collect() }
    }
}

/// A signing subkey must have signed in turn that it belongs to this primary key (RFC 9580 section 5.2.1.9).
fn has_back_signature(binding: &Signature, primary: &PublicKey, subkey: &Subkey) -> bool {
    let Some(config) = binding.config() else { return false };
    config.hashed_subpackets().chain(config.unhashed_subpackets()).any(|subpacket| match &subpacket.data {
        SubpacketData::EmbeddedSignature(back) => {
            is_sound(back) && back.verify_primary_key_binding(&subkey.key.packet, primary).is_ok()
        }
        _ => false,
    })
}

impl Revocation {
    fn of(signature: &Signature) -> Revocation {
        let code = signature.revocation_reason_code();
        let hard = !matches!(code, Some(RevocationCode::KeySuperseded | RevocationCode::KeyRetired));
        let stated = signature.revocation_reason_string().map(|text| printable(text)).unwrap_or_default();
        let reason = match code {
            _ if !stated.is_empty() => stated,
            Some(RevocationCode::KeySuperseded) => "superseded".into(),
            Some(RevocationCode::KeyRetired) => "retired".into(),
            Some(RevocationCode::KeyCompromised) => "compromised".into(),
            _ => "no reason given".into(),
        };
        Revocation { made: time(signature), hard, reason }
    }
}

/// Whether a self-signature may be looked at: of a version and by a digest that count, with its time, and
/// without demands that this program doesn't understand.
fn is_sound(signature: &Signature) -> bool {
    let version = matches!(signature.version(), SignatureVersion::V4 | SignatureVersion::V6);
    let digest = !matches!(
        signature.hash_alg(),
        None | Some(HashAlgorithm::None | HashAlgorithm::Md5 | HashAlgorithm::Ripemd160)
    );
    version && digest && signature.created().is_some() && unknown_demand(signature).is_none()
}

/// A subpacket that is critical, so must be understood, and isn't (RFC 9580 section 5.2.3.7).
pub(super) fn unknown_demand(signature: &Signature) -> Option<u8> {
    let config = signature.config()?;
    config.hashed_subpackets().filter(|subpacket| subpacket.is_critical).find_map(
        |subpacket| match &subpacket.data {
            SubpacketData::Notation(_) | SubpacketData::Experimental(..) | SubpacketData::Other(..) => {
                Some(subpacket.typ().as_u8(false))
            }
            _ => None,
        },
    )
}

fn has_type(signature: &Signature, wanted: SignatureType) -> bool {
    signature.typ() == Some(wanted)
}

/// Direct-key signatures that merely name a revoker, say nothing about uses and times.
fn says_something(signature: &Signature) -> bool {
    signs(signature).is_some() || signature.key_expiration_time().is_some()
}

/// Whether the key is for signing data (RFC 9580 section 5.2.3.29), if it is said.
fn signs(signature: &Signature) -> Option<bool> {
    signature.config()?.hashed_subpackets().find_map(|subpacket| match &subpacket.data {
        SubpacketData::KeyFlags(flags) => Some(flags.sign()),
        _ => None,
    })
}

/// The end of the key's time (RFC 9580 section 5.2.3.13), or of what is said about it (section 5.2.3.18),
/// whichever comes first. Zero is never.
fn expiry(signature: &Signature, key_made: Timestamp) -> Option<Timestamp> {
    let end = |from: Timestamp, length: Option<pgp::types::Duration>| {
        length.map(|length| length.as_secs()).filter(|seconds| *seconds != 0).and_then(|s| from.after(s))
    };
    let of_key = end(key_made, signature.key_expiration_time());
    let of_statement = end(time(signature), signature.signature_expiration_time());
    of_key.into_iter().chain(of_statement).min()
}

pub(super) fn time(signature: &Signature) -> Timestamp {
    signature.created().map(Timestamp::from).unwrap_or(Timestamp(0))
}
