//! Why a text can't be made.

use crate::{appliance::Refusal, assets::version::NotReady, profiles::Role, templates::TemplateError};

/// Why a node's menu, script or configuration can't be made. It is told to people as one sentence, so that each text has
/// its reason in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// The files that it would name can't be had.
    #[error("{0}")]
    NotReady(NotReady),
    /// A version lacks a file that is booted.
    #[error("no {}", .0.name())]
    NoFile(Role),
    /// A profile's template makes no text.
    #[error("profile {profile}: {error}")]
    Profile {
        /// The profile.
        profile: String,
        /// What is wrong with its template.
        error: TemplateError,
    },
    /// A profile without an install script.
    #[error("profile {0} has no install script")]
    NoScript(String),
    /// A version whose keys are asked for, and nobody is known to have signed it.
    #[error("no known key has signed {0}")]
    NoSigner(String),
    /// A file in cloud-configs/ that is no good.
    #[error("cloud-configs/{path}: {reason}")]
    ConfigFile {
        /// Its path there.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A template in cloud-configs/ that makes no text.
    #[error("cloud-configs/{0}")]
    ConfigTemplate(TemplateError),
    /// A file that is given as it lies on the disk, where its text is asked for.
    #[error("{0} is too long to be looked into")]
    TooLong(String),
}

impl From<NotReady> for RenderError {
    fn from(reason: NotReady) -> RenderError {
        RenderError::NotReady(reason)
    }
}

impl From<RenderError> for Refusal {
    fn from(error: RenderError) -> Refusal {
        Refusal::Conflict(error.to_string())
    }
}
