//! Configuration in three stages: TOML text, raw tables (unknown keys refused), validated [`Settings`].

mod settings;

pub use settings::*;
