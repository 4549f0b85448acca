//! What is said of a signature.

use std::fmt;

use super::names::{Fingerprint, Issuer, Timestamp};

/// Whether a file is what a trusted key signed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It is.
    Good(Good),
    /// It isn't, or it can't be said.
    Bad(Bad),
}

impl Verdict {
    /// Whether it is good.
    pub fn is_good(&self) -> bool {
        matches!(self, Verdict::Good(_))
    }
}

/// A good signature: made by a trusted key in its time. Whether that time is over by now is no reason against
/// it, and not known here, since a Raspberry Pi may not know the date; [`Good::key_expired_by`] tells who
/// does.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Good {
    /// The fingerprint that the trust rests on.
    pub primary: Fingerprint,
    /// The key that signed: the primary key or a subkey.
    pub key: Fingerprint,
    /// The signer's user ID, fit for a terminal.
    pub user_id: String,
    /// When it was signed, by the signer's clock.
    pub made: Timestamp,
    /// The end of the signing key's time, and of its primary key's, if it has one.
    pub key_expires: Option<Timestamp>,
    /// When the key was retired or superseded, after it had signed.
    pub key_retired: Option<Timestamp>,
    /// From when on the signer doesn't want the signature to count. Rare; a matter of the reader's clock.
    pub signature_expires: Option<Timestamp>,
}

impl Good {
    /// Whether the signing key has expired since, for a reader that knows the date.
    pub fn key_expired_by(&self, now: Timestamp) -> bool {
        self.key_expires.is_some_and(|end| now >= end)
    }
}

/// Why a signature does not count. Each is one clause, with the remedy where there is one.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "fields are what the message names")]
pub enum Bad {
    /// The signature file is no OpenPGP signature.
    #[error("the signature can't be read: {0}")]
    Malformed(String),
    /// Nothing is known of the key that made it.
    #[error(
        "it is signed by key {issuer}, which no key file has; put the signer's public key into keys/ (if an older copy \
         of it is here, get a newer one: keys are extended)"
    )]
    UnknownKey {
        /// The key, as the signature names it.
        issuer: Issuer,
    },
    /// The key is there, but nobody said that it may sign this.
    #[error("it is signed by {user_id} with key {primary}, which is not trusted for this")]
    Untrusted {
        /// The fingerprint of the signer's primary key.
        primary: Fingerprint,
        /// The user ID that this key claims.
        user_id: String,
    },
    /// The key's owner vouches for none of its user IDs, or no longer does.
    #[error("key {primary} has no user ID that its owner vouches for")]
    NoUserId {
        /// The fingerprint of the primary key.
        primary: Fingerprint,
    },
    /// The subkey stands in the certificate without the primary key's signature.
    #[error("nothing binds key {key} to its primary key {primary}")]
    Unbound {
        key: Fingerprint,
        /// The primary key that it stands with.
        primary: Fingerprint,
    },
    /// The subkey did not sign in turn that it belongs to the primary key.
    #[error("key {key} has not signed that it belongs to {primary}")]
    OneSided {
        key: Fingerprint,
        /// The primary key that claims it.
        primary: Fingerprint,
    },
    /// The key is for something else, encryption for instance.
    #[error("key {key} is not for signing files")]
    NotForSigning { key: Fingerprint },
    /// An algorithm or a format that this program has not.
    #[error("it is signed with {0}, which is not supported here")]
    Unsupported(String),
    /// A key that can be broken.
    #[error("key {key} is too weak: {what}")]
    WeakKey { key: Fingerprint, what: String },
    /// A digest that can be forged.
    #[error("it is signed over {0}, which is too weak")]
    WeakDigest(String),
    /// Its date is before the key's.
    #[error("it is dated {made}, before its key {key} was made on {created}")]
    BeforeKey { key: Fingerprint, made: Timestamp, created: Timestamp },
    /// The key's time was over.
    #[error(
        "it was signed on {made} by key {key}, which had expired on {expired}; if its owner has extended it since, get a \
         newer copy of the key"
    )]
    AfterExpiry {
        key: Fingerprint,
        made: Timestamp,
        /// The end of the key's time.
        expired: Timestamp,
    },
    /// The key was out of use.
    #[error("it was signed on {made} by key {key}, which was revoked on {revoked} ({reason})")]
    AfterRevocation {
        key: Fingerprint,
        made: Timestamp,
        /// When the key was revoked.
        revoked: Timestamp,
        reason: String,
    },
    /// Others may have the secret key, so its signatures prove nothing, those of earlier dates neither.
    #[error("its key {key} was revoked on {revoked} ({reason}), so its signatures prove nothing")]
    Compromised {
        key: Fingerprint,
        /// When the key was revoked.
        revoked: Timestamp,
        reason: String,
    },
    /// The signature is of other bytes.
    #[error("the file is not the one that key {key} signed: it is damaged, incomplete or altered")]
    DoesNotMatch { key: Fingerprint },
}

impl Bad {
    /// Whether it only says that nobody is known to vouch for the file, and not that anything is wrong with it.
    pub fn proves_nothing(&self) -> bool {
        matches!(
            self,
            Bad::UnknownKey { .. }
                | Bad::Untrusted { .. }
                | Bad::Unsupported(_)
                | Bad::WeakDigest(_)
                | Bad::WeakKey { .. }
        )
    }

    /// Of several signatures none of which is good, the one with the greatest weight is spoken of.
    pub(super) fn weight(&self) -> u8 {
        match self {
            Bad::Malformed(_) => 0,
            Bad::UnknownKey { .. } => 1,
            Bad::Untrusted { .. } => 2,
            Bad::Unsupported(_) | Bad::WeakDigest(_) => 3,
            Bad::NoUserId { .. }
            | Bad::Unbound { .. }
            | Bad::OneSided { .. }
            | Bad::NotForSigning { .. }
            | Bad::WeakKey { .. } => 4,
            Bad::BeforeKey { .. } | Bad::AfterExpiry { .. } | Bad::AfterRevocation { .. } => 5,
            Bad::Compromised { .. } => 6,
            Bad::DoesNotMatch { .. } => 7,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Good(good) => good.fmt(f),
            Verdict::Bad(bad) => bad.fmt(f),
        }
    }
}

impl fmt::Display for Good {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "signed on {} by {} with key {}", self.made, self.user_id, self.key)?;
        if let Some(end) = self.key_expires {
            write!(f, ", which was valid until {end}")?;
        }
        if let Some(day) = self.key_retired {
            write!(f, ", retired on {day}")?;
        }
        if let Some(end) = self.signature_expires {
            write!(f, "; the signer meant it to count until {end}")?;
        }
        Ok(())
    }
}
