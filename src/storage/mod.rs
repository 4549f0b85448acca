//! Files: the configuration, asset folders and what becomes of them, and the journal of the state.

pub mod configuration;
pub mod import;
pub mod journal;
pub mod manifest;
pub mod mirror;
pub mod scan;
pub mod staging;
pub mod verify;
