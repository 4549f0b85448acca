use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How far a node's install is. One name in code, log, LED table, API, metrics and docs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// No install: nothing asked for one.
    Idle,
    /// Asked for a network boot while armed.
    Discovered,
    /// Has fetched its boot loader.
    Loading,
    /// Has fetched kernel and initrd.
    Booting,
    /// Has asked for its configuration.
    Configuring,
    /// Receives the disk image.
    Installing,
    /// The image is on the disk.
    Written,
    /// Has come up from its own disk.
    Installed,
    /// Gave up; the node keeps the stage it failed in beside this.
    Failed,
}

impl Stage {
    /// Every stage, in order.
    pub const ALL: [Stage; 9] = [
        Self::Idle,
        Self::Discovered,
        Self::Loading,
        Self::Booting,
        Self::Configuring,
        Self::Installing,
        Self::Written,
        Self::Installed,
        Self::Failed,
    ];

    /// The stage's name: `idle`, `discovered`, …
    pub fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Discovered => "discovered",
            Self::Loading => "loading",
            Self::Booting => "booting",
            Self::Configuring => "configuring",
            Self::Installing => "installing",
            Self::Written => "written",
            Self::Installed => "installed",
            Self::Failed => "failed",
        }
    }

    /// The stage's number, which the panel counts in pulses when an install failed in it: discovered 1,
    /// loading 2, booting 3, configuring 4, installing 5, written 6.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// Whether an install runs: from the loader's fetch until the node is up from its disk.
    pub fn is_running(self) -> bool {
        (Self::Loading..=Self::Written).contains(&self)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A word that names no stage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a stage")]
pub struct StageError(pub String);

impl FromStr for Stage {
    type Err = StageError;

    fn from_str(text: &str) -> Result<Self, StageError> {
        Self::ALL.into_iter().find(|stage| stage.name() == text).ok_or_else(|| StageError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_back_and_agree_with_json() {
        for stage in Stage::ALL {
            assert_eq!(stage.name().parse(), Ok(stage));
            assert_eq!(serde_json::to_string(&stage).unwrap(), format!("\"{stage}\""));
        }
        assert!("dancing".parse::<Stage>().is_err());
    }
}
