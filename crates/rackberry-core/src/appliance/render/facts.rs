//! What the templates may name.

use std::collections::BTreeMap;

use crate::{
    appliance::render::{InstallPlan, Renderer},
    assets::authentic::Authenticity,
    config::Verify,
    ids::Mac,
    profiles::Role,
    templates::{Context, FileFacts, NodeFacts},
};
use release_signature::digest::Digest;

impl Renderer<'_> {
    /// Everything that a template of this install may name.
    pub(super) fn context(&self, plan: &InstallPlan<'_>) -> Context {
        let setup = self.known.setup;
        let (install, profile) = (&setup.settings().install, &plan.version.profile);
        let server_url = setup.server_url();
        let base_url = format!("{server_url}/{}", below_grant(plan.token)).trim_end_matches('/').to_owned();
        let own = self.known.node_settings(plan.mac);
        let files = [Role::Kernel, Role::Initrd, Role::Rootfs, Role::Image].map(|role| {
            let file = plan.set.file(role).map(|file| FileFacts {
                name: file.found.name.last().cloned().unwrap_or_default(),
                url: format!("{base_url}/{}", escaped(&file.url_path())),
                signed: file.proof.signature.is_some(),
                sha256: setup
                    .catalog()
                    .finding(plan.version, file)
                    .and_then(|finding| finding.sha256.as_ref().map(Digest::hex)),
            });
            (role.name(), file)
        });
        Context {
            node: self.node_facts(plan.mac),
            nodes: setup.listed().map(|mac| self.node_facts(mac)).collect(),
            vars: install.vars.clone(),
            ssh_keys: install.ssh_keys.clone(),
            server_url,
            base_url,
            profile: profile.name.clone(),
            version: plan.version.name.clone(),
            disk: own.and_then(|own| own.disk.as_ref()).unwrap_or(&install.disk).clone(),
            console: install.console.clone(),
            files: BTreeMap::from(files),
            verified: setup.catalog().authenticity(plan.version, plan.set, Verify::Required)
                == Authenticity::Good,
            hands_keys: profile.hands_keys(),
            config_kind: None,
            config: String::new(),
            answers: BTreeMap::new(),
            command: String::new(),
            overwrite_marked: if plan.overwrite_marked { "yes" } else { "" },
        }
    }

    fn node_facts(&self, mac: Mac) -> NodeFacts {
        let own = self.known.node_settings(mac);
        let held = || self.known.network.address_of(mac, self.known.now);
        let address = own.and_then(|own| own.address).or_else(held);
        NodeFacts {
            name: self.known.label(mac),
            mac: mac.to_string(),
            macs: self.known.macs_of(mac).iter().map(Mac::to_string).collect(),
            address: address.map(|address| address.to_string()),
            arch: self.known.processor(mac).to_owned(),
            vars: own.map(|own| own.vars.clone()).unwrap_or_default(),
        }
    }
}

/// A path as it stands in a URL (RFC 3986 section 3.3): names of images are the user's.
fn escaped(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
    let parts = path.bytes().map(|byte| match plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    });
    parts.collect()
}

/// What stands before a path so that it is asked for by a grant.
pub(super) fn below_grant(token: &str) -> String {
    if token.is_empty() { String::new() } else { format!("g/{token}/") }
}
