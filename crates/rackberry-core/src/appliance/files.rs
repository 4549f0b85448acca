//! Files of the tree: who may have which, and in which condition.

use crate::{
    appliance::{Appliance, Refusal, permission::Asker},
    assets::locate::{Access, Located},
    ids::Time,
    nodes::Grant,
};

impl Appliance {
    /// The gate for a file of the tree. `docs/operating.md` has the table of who may have what.
    pub(super) fn allow(
        &self,
        asker: Asker,
        located: &Located<'_>,
        grant: Option<&Grant>,
        now: Time,
    ) -> Result<(), Refusal> {
        match located.access {
            Access::Open => Ok(()),
            Access::Granted => self.pass(asker, &located.found.name.join("/"), now).map(drop),
            Access::Spends => {
                let mac = self.pass(asker, "an image", now)?;
                match grant {
                    Some(grant) => self.allow_image(&self.label(mac), located, grant),
                    None => Err(Refusal::Forbidden(format!("{} has no grant", self.label(mac)))),
                }
            }
        }
    }

    /// What was verified and granted is one version for one processor; another one is another decision.
    fn allow_image(&self, node: &str, located: &Located<'_>, grant: &Grant) -> Result<(), Refusal> {
        let (Some(version), Some(set), Some(file)) = (located.version, located.set, located.file) else {
            return Err(Refusal::Forbidden(format!("{} is no version's", located.found.name.join("/"))));
        };
        let profile = &version.profile.name;
        if (profile, &version.name) != (&grant.profile, &grant.version) {
            let (granted, of) = (&grant.profile, &grant.version);
            return Err(Refusal::Forbidden(format!(
                "{node} may install {granted} {of}, not {profile} {}",
                version.name
            )));
        }
        if set.arch != grant.arch {
            return Err(Refusal::Forbidden(format!(
                "{node} is {} and may not have an image for {}",
                grant.arch, set.arch
            )));
        }
        let ready = self.files_of(profile, &version.name, &set.arch);
        ready.map_err(|reason| Refusal::Conflict(reason.to_string()))?;
        let vouched = self.catalog.may_hand_out(version, file, self.settings.assets.verify);
        vouched.map_err(|reason| Refusal::Conflict(format!("{}: {reason}", located.found.own_name())))
    }
}
