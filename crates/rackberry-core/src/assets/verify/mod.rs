//! Whether files are those that their makers released.

pub mod authentic;
pub mod examine;
pub mod keys;
pub(super) mod proofs;
