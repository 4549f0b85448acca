//! What is there to install, for people.

use std::path::PathBuf;

use crate::{
    appliance::{AssetsView, VersionState, VersionView, state::Setup},
    assets::{
        authentic::{Authenticity, FileVerdict},
        version::{FileSet, NotReady, Version},
    },
    config::Verify,
};

/// Makes the view of operating systems and keys.
#[derive(Debug, Clone, Copy)]
pub struct AssetsViewer<'a> {
    setup: &'a Setup,
}

impl<'a> AssetsViewer<'a> {
    /// By what is there.
    pub fn new(setup: &'a Setup) -> AssetsViewer<'a> {
        AssetsViewer { setup }
    }

    /// Operating systems and keys.
    pub fn view(&self) -> AssetsView {
        let versions = self.setup.catalog().versions().iter();
        AssetsView {
            dirs: self.setup.catalog().folders().map(PathBuf::from).collect(),
            loaders: self.setup.settings().assets.loaders.clone(),
            must_be_authentic: self.setup.settings().assets.verify == Verify::Required,
            versions: versions
                .flat_map(|version| version.sets.iter().map(|set| self.version_view(version, set)))
                .collect(),
            own_keys: self.setup.catalog().keys().own().map(|key| key.to_string()).collect(),
            faults: self.setup.catalog().faults().cloned().collect(),
        }
    }

    fn version_view(&self, version: &Version, set: &FileSet) -> VersionView {
        let profile = &version.profile.name;
        let current = self.setup.catalog().ready(profile, "current");
        let (state, note) = if set.is_complete() {
            let verify = self.setup.settings().assets.verify;
            let installer = || match self.setup.catalog().usable(version, set, verify) {
                Err(NotReady::Installer { reason, .. }) => Some((VersionState::NotInstallable, reason)),
                _ => None,
            };
            match self.setup.catalog().authenticity(version, set, verify) {
                Authenticity::Good => {
                    installer().unwrap_or_else(|| (VersionState::Authentic, self.signer(version, set)))
                }
                Authenticity::Unproven(reason) => installer().unwrap_or((VersionState::NotAuthentic, reason)),
                Authenticity::Pending(files) => (VersionState::Verifying, files.join(", ")),
                Authenticity::Refused(reason) => (VersionState::NotAuthentic, reason),
            }
        } else {
            let words = match set.missing.is_empty() {
                true => format!("several images: {}", set.surplus.join(", ")),
                false => format!("{} not there", set.missing.join(", ")),
            };
            (VersionState::Incomplete, words)
        };
        VersionView {
            profile: profile.clone(),
            version: version.name.clone(),
            is_current: current.is_ok_and(|current| current.name == version.name),
            arch: set.arch.clone(),
            folder: set.folder.clone(),
            bytes: set.files.iter().filter(|file| !file.with_loaders).map(|file| file.found.len).sum(),
            state,
            note,
        }
    }

    /// Who signed the last of its files, and what is to be said of the key.
    fn signer(&self, version: &Version, set: &FileSet) -> String {
        let findings = set.files.iter().filter_map(|file| self.setup.catalog().finding(version, file));
        let good = findings.filter_map(|finding| match &finding.verdict {
            FileVerdict::Good(good) => Some(good),
            FileVerdict::Bad(_) | FileVerdict::Unproven(_) | FileVerdict::Unsigned => None,
        });
        good.max_by_key(|good| good.made).map(ToString::to_string).unwrap_or_default()
    }
}
