//! Is this file the one that its maker released? OpenPGP signatures (RFC 9580, and RFC 4880 before it) and lists of
//! digests.
//!
//! [`Keyring`] holds the keys, [`Trust`] says whose signatures count, [`Verifier`] checks a file in one pass,
//! [`verify_cleartext`] a document that carries its signature. rPGP reads the packets and does the
//! arithmetic; what makes a signature count is decided here, by these rules:
//!
//! - The signer's primary key is trusted by its fingerprint. A subkey counts when its primary key bound it
//!   and it signed back (section 5.2.1.9).
//! - Time is the signature's own. A key must have been valid when it signed; whether it still is does not
//!   matter, and no clock is asked, since a Raspberry Pi has none. An attacker with an expired key's secret
//!   could date back what he signs; against that helps what its owner does then, revoking it.
//! - A key revoked as compromised, or without a reason, was never any good; a key superseded or retired was
//!   good until then (section 5.2.3.31).
//! - The newest statement of a key's owner about it counts, when it was made after the signature too: so keys
//!   stay usable whose self-signatures were renewed, as CoreOS did in 2017.
//! - Files are signed over SHA-2; self-signatures may use SHA-1 (`self_signatures.rs` says why); RSA has 2048
//!   bits or more, DSA is out.

#![forbid(unsafe_code)]
// Tests write files.
#![cfg_attr(test, allow(clippy::disallowed_methods, clippy::disallowed_types))]

mod armor;
mod certificate;
mod cleartext;
pub mod digest;
mod keyring;
mod names;
mod packets;
mod self_signatures;
mod signature;
pub mod sums;
mod verdict;
mod verifier;

pub use cleartext::{SignedText, is_cleartext, verify_cleartext};
pub use keyring::{KeyFault, KeyFileFault, KeyInfo, Keyring, Trust};
pub use names::{Fingerprint, Issuer, KeyId, NotAName, Timestamp};
pub use packets::Unreadable;
pub use verdict::{Bad, Good, Verdict};
pub use verifier::{Outcome, Verifier};
