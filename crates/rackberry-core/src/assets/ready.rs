//! Whether what is here can be installed: complete, authentic, and such as its own installer will accept.

use std::collections::BTreeSet;

use crate::{
    assets::{
        authentic::{Authenticity, FileVerdict, Finding, Job, NotAccepted, authenticity},
        catalog::Catalog,
        installer,
        version::{File, FileSet, NotReady, Version},
    },
    config::Verify,
    profiles::{Profile, Role},
};
use release_signature::Fingerprint;

/// Why an image is not handed out, in one clause.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotHandedOut {
    /// Nobody has looked at it yet.
    #[error("it is being verified; try again soon")]
    BeingVerified,
    /// It is not authentic, or nobody vouches for it.
    #[error(transparent)]
    NotAccepted(#[from] NotAccepted),
    /// Its own installer would refuse it.
    #[error(transparent)]
    NotReady(#[from] NotReady),
}

impl Catalog {
    /// Files of complete sets that nobody has looked at yet, those of current versions first.
    pub fn unexamined(&self) -> Vec<Job> {
        let mut jobs: Vec<(bool, Job)> = Vec::new();
        for version in self.versions.iter() {
            let is_current = self.current(&version.profile).is_ok_and(|current| current == version.name);
            let complete = version.sets.iter().filter(|set| set.is_complete());
            for file in complete.flat_map(FileSet::all_files).filter(|file| !file.with_loaders) {
                let job = Job::new(version, file, &self.keys);
                if !self.findings.contains_key(&job.subject) {
                    jobs.push((!is_current, job));
                }
            }
        }
        jobs.sort_by_key(|(later, _)| *later);
        jobs.into_iter().map(|(_, job)| job).collect()
    }

    /// What was found of a file.
    pub fn finding(&self, version: &Version, file: &File) -> Option<&Finding> {
        self.findings.get(&Job::new(version, file, &self.keys).subject)
    }

    /// Whether an image may be handed out: a trusted key vouches for it, or nobody does and that will do, and the
    /// installer will accept it.
    ///
    /// # Errors
    /// [`NotHandedOut`] says why not.
    pub fn may_hand_out(&self, version: &Version, image: &File, verify: Verify) -> Result<(), NotHandedOut> {
        match self.finding(version, image) {
            Some(finding) => finding.verdict.will_do(verify)?,
            None if verify == Verify::UnsignedOk && image.proof.is_empty() => {}
            None => return Err(NotHandedOut::BeingVerified),
        }
        if !self.runs_installer(&version.profile) {
            return Ok(());
        }
        Ok(self.installable(version, image, verify)?)
    }

    /// Whether a set's files are what their maker released.
    pub fn authenticity(&self, version: &Version, set: &FileSet, verify: Verify) -> Authenticity {
        authenticity(version, set, &self.keys, &self.findings, verify)
    }

    /// Whether a complete set can be installed: it is authentic enough, and its own installer will accept it.
    ///
    /// # Errors
    /// [`NotReady`] says what is wrong.
    pub fn usable(&self, version: &Version, set: &FileSet, verify: Verify) -> Result<(), NotReady> {
        self.authenticity(version, set, verify).into_result(version, verify)?;
        let image = set.file(Role::Image).filter(|_| self.runs_installer(&version.profile));
        image.map_or(Ok(()), |image| self.installable(version, image, verify))
    }

    /// Whether a version's own installer will accept an image of it.
    ///
    /// # Errors
    /// [`NotReady::Installer`] says why not.
    pub fn installable(&self, version: &Version, image: &File, verify: Verify) -> Result<(), NotReady> {
        let accepted = installer::accepts(&version.profile, image, self.finding(version, image), verify);
        accepted.map_err(|reason| NotReady::Installer {
            profile: version.profile.name.clone(),
            version: version.name.clone(),
            reason: reason.to_string(),
        })
    }

    /// Whether nodes run the profile's installer: somebody's own install script may run something else, which only its
    /// writer knows.
    fn runs_installer(&self, profile: &Profile) -> bool {
        let own = self.configs().at(&["install.sh"]).and_then(|own| own.found.text());
        own.is_none_or(|own| own.contains(profile.installer()))
    }

    /// As [`Catalog::ready_for`], and it can be installed.
    ///
    /// # Errors
    /// [`NotReady`] says what is missing or wrong.
    pub fn usable_for(
        &self,
        profile: &str,
        version: &str,
        arch: &str,
        verify: Verify,
    ) -> Result<(&Version, &FileSet), NotReady> {
        let (version, set) = self.ready_for(profile, version, arch)?;
        self.usable(version, set, verify).map(|()| (version, set))
    }

    /// The keys that signed a set's files, armored, for installers that are handed them; none where nobody did.
    pub fn signers(&self, version: &Version, set: &FileSet) -> Option<String> {
        let findings = set.all_files().filter_map(|file| self.finding(version, file));
        let keys = findings.filter_map(|finding| match &finding.verdict {
            FileVerdict::Good(good) => Some(good.primary.clone()),
            _ => None,
        });
        let keys: BTreeSet<Fingerprint> = keys.collect();
        (!keys.is_empty()).then(|| self.keys.keyring().export(&keys))
    }
}

#[cfg(test)]
impl Catalog {
    /// The same, as if every file had been read and were signed by the first key that its profile pins.
    pub fn all_good(self) -> Catalog {
        let good = |job: &Job| {
            let key: Fingerprint = job.profile.fingerprints.first()?.parse().ok()?;
            Some(release_signature::Good {
                primary: key.clone(),
                key,
                user_id: "its maker".into(),
                made: release_signature::Timestamp(1_462_060_800),
                key_expires: None,
                key_retired: None,
                signature_expires: None,
            })
        };
        let findings = self.unexamined().into_iter().filter_map(|job| {
            let finding = Finding { verdict: FileVerdict::Good(good(&job)?), sha256: None };
            Some((job.subject, finding))
        });
        let known = self.findings.iter().map(|(subject, finding)| (subject.clone(), finding.clone()));
        let findings = std::sync::Arc::new(known.chain(findings).collect());
        self.with_findings(findings)
    }
}
