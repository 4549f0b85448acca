#![doc = include_str!("../README.md")]
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
