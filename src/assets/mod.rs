//! Operating systems on disk: what is there and what vouches for it (pure), and the scan that finds it (adapter).

pub mod authentic;
pub mod catalog;
pub mod digest;
pub mod folder;
pub mod keys;
pub mod openpgp;
pub mod scan;
pub mod sums;
pub mod verify;
pub mod version;
