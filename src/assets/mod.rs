//! Operating systems on disk: what is there (pure), and the scan that finds it (adapter).

pub mod catalog;
pub mod folder;
pub mod scan;
pub mod version;
