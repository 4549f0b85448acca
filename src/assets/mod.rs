//! Operating systems on disk: what is there and whether it is authentic (pure), and the scan that finds it
//! (adapter).

pub mod catalog;
pub mod digest;
pub mod openpgp;
pub mod scan;
pub mod sums;
