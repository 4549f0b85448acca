use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What an order lets machines do. One kind never stands for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OrderKind {
    /// Overwrite the disk, unattended.
    Install,
    /// Boot to RAM and stop there; a person runs the installer by hand.
    Live,
}

impl fmt::Display for OrderKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Install => "install",
            Self::Live => "live",
        })
    }
}
