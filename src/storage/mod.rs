//! Files: the configuration, asset folders and what becomes of them, and the journal of the state.

pub mod configuration;
pub mod fetch;
pub mod import;
pub mod journal;
pub mod manifest;
pub mod scan;
pub mod stage;
pub mod verify;
