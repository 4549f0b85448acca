//! Texts that are made for one node: kernel arguments, scripts, its configuration.

use std::collections::BTreeMap;

use crate::{
    appliance::{Appliance, Refusal, RenderView},
    assets::{
        authentic::Authenticity,
        version::{FileSet, Version},
    },
    boot::{Kernel, Plan},
    config::Verify,
    ids::{Arch, Mac, OrderKind, Time},
    nodes::{Grant, Node, Verdict},
    profiles::{ConfigKind, Role},
    templates::{self, Context, FileFacts, NodeFacts},
};
use release_signature::digest::Digest;

/// What a node is installed with.
#[derive(Debug, Clone, Copy)]
pub(super) struct InstallPlan<'a> {
    pub mac: Mac,
    pub version: &'a Version,
    pub set: &'a FileSet,
    /// Of the grant; empty for a look at what would be.
    pub token: &'a str,
    /// Whether its permission is for disks that rackberry installed before, too: one that names the node, or all.
    pub overwrite_marked: bool,
}

/// The text that installers are handed keys by.
const KEYS: &str = "keys.asc";

impl Appliance {
    /// What a grant allows, as long as its files are there.
    pub(super) fn order<'a>(&'a self, mac: Mac, grant: &'a Grant) -> Result<InstallPlan<'a>, String> {
        let ready = self.files_of(&grant.profile, &grant.version, &grant.arch);
        let (version, set) = ready.map_err(|reason| reason.to_string())?;
        // A machine that nobody configured is what its card is: another card's configuration may be another machine's.
        let mac = if self.nodes.is_listed(mac) { self.nodes.key(mac) } else { grant.card };
        Ok(InstallPlan { mac, version, set, token: &grant.token, overwrite_marked: grant.overwrites_marked })
    }

    /// What a node boots when its loader asks for a menu.
    pub(super) fn plan(&self, node: Option<&Node>, now: Time) -> Plan {
        let disk = |why: &str| Plan::Disk { why: why.to_owned() };
        let Some(node) = node else { return disk("this machine is not known") };
        let grant = match (self.may_be_led(node, now), node.grant()) {
            (Verdict::Yes, Some(grant)) => grant,
            (Verdict::No(why), _) => return disk(why),
            (Verdict::Yes, None) => return disk("it has no grant"),
        };
        let is_live = grant.kind == OrderKind::Live;
        let kernel = self.order(node.mac, grant).and_then(|order| self.kernel(&order, is_live, now));
        kernel.map_or_else(|why| disk(&why), Plan::Kernel)
    }

    /// What a node would be given, with an empty grant.
    pub(super) fn render(&self, mac: Mac, now: Time) -> Result<RenderView, Refusal> {
        let conflict = |reason: String| Refusal::Conflict(format!("{}: {reason}", self.label(mac)));
        let (version, set) = self.wanted_files(mac).map_err(|reason| conflict(reason.to_string()))?;
        let order = InstallPlan { mac, version, set, token: "", overwrite_marked: true };
        let profile = &version.profile;
        let config = self.node_config(&order, None, now).map_err(conflict)?;
        let script = profile.script.is_some().then(|| self.install_script(&order, now)).transpose();
        let texts = profile.templates.keys().filter_map(|name| {
            let text = self.profile_text(&order, name, now)?;
            Some(text.map(|text| (name.clone(), text)))
        });
        Ok(RenderView {
            system: format!("{} {}", profile.name, version.name),
            arguments: self.kernel(&order, false, now).map_err(conflict)?.arguments,
            script: script.map_err(conflict)?,
            texts: texts.collect::<Result<_, _>>().map_err(conflict)?,
            config: config.map(|config| (config.kind.name().to_owned(), config.text.shown())),
        })
    }

    fn kernel(&self, order: &InstallPlan<'_>, live: bool, now: Time) -> Result<Kernel, String> {
        let profile = &order.version.profile;
        let mut context = self.context(order, now);
        // What an installer asks before it fetches its answers.
        if profile.configs.contains(&ConfigKind::Preseed)
            && let Ok(Some(config)) = self.node_config(order, Some(ConfigKind::Preseed), now)
        {
            context.answers = config.text.text().map(|text| templates::answers(&text)).unwrap_or_default();
        }
        let (name, line) = if live {
            ("start.live", &profile.start_live)
        } else {
            ("start.install", &profile.start_install)
        };
        let arguments = templates::render_line(name, line, &context)
            .map_err(|error| format!("profile {}: {error}", profile.name))?;
        let console = context.console.map(|console| format!(" console=tty0 console={console}"));
        let path = |role: Role| {
            let file = order.set.file(role).ok_or_else(|| format!("no {}", role.name()))?;
            Ok::<_, String>(format!("{}{}", below_grant(order.token), file.url_path()))
        };
        Ok(Kernel {
            title: format!(
                "{} {} {} on {}",
                if live { "starting" } else { "installing" },
                profile.name,
                order.version.name,
                self.label(order.mac)
            ),
            server: self.server(),
            kernel: path(Role::Kernel)?,
            initrd: path(Role::Initrd)?,
            bootif: order.mac.bootif(),
            arguments: format!("{arguments}{}", console.unwrap_or_default()),
        })
    }

    /// The install script.
    pub(super) fn install_script(&self, order: &InstallPlan<'_>, now: Time) -> Result<String, String> {
        let profile = &order.version.profile;
        let script = profile
            .script
            .as_deref()
            .ok_or_else(|| format!("profile {} has no install script", profile.name))?;
        let mut context = self.context(order, now);
        context.config_kind = self.config_of(order.mac, profile, None).map(|(_, kind)| kind.name());
        let failed = |error: templates::TemplateError| format!("profile {}: {error}", profile.name);
        context.command =
            templates::render_line("install.command", &profile.command, &context).map_err(failed)?;
        templates::render_line("install.sh", script, &context).map_err(failed)
    }

    /// Another text of the profile's; none where it has none of that name.
    pub(super) fn profile_text(
        &self,
        order: &InstallPlan<'_>,
        name: &str,
        now: Time,
    ) -> Option<Result<String, String>> {
        let profile = &order.version.profile;
        if name == KEYS && profile.hands_keys() {
            let keys = self.catalog.signers(order.version, order.set);
            return Some(keys.ok_or_else(|| format!("no known key has signed {}", order.version.name)));
        }
        let text = profile.templates.get(name)?;
        let config = self.node_config(order, None, now);
        Some(config.and_then(|config| {
            let mut context = self.context(order, now);
            context.config_kind = config.as_ref().map(|config| config.kind.name());
            if let Some(config) = config.filter(|config| config.kind == ConfigKind::Preseed) {
                // Other texts have the installer fetch it.
                context.config = config.text.text()?;
                context.answers = templates::answers(&context.config);
            }
            templates::render_line(name, text, &context)
                .map_err(|error| format!("profile {}: {error}", profile.name))
        }))
    }

    pub(super) fn context(&self, order: &InstallPlan<'_>, now: Time) -> Context {
        let (install, profile) = (&self.settings.install, &order.version.profile);
        let server_url = self.server_url();
        let base_url = format!("{server_url}/{}", below_grant(order.token)).trim_end_matches('/').to_owned();
        let own = self.node_settings(order.mac);
        let files = [Role::Kernel, Role::Initrd, Role::Rootfs, Role::Image].map(|role| {
            let file = order.set.file(role).map(|file| FileFacts {
                name: file.found.name.last().cloned().unwrap_or_default(),
                url: format!("{base_url}/{}", escaped(&file.url_path())),
                signed: file.proof.signature.is_some(),
                sha256: self
                    .catalog
                    .finding(order.version, file)
                    .and_then(|finding| finding.sha256.as_ref().map(Digest::hex)),
            });
            (role.name(), file)
        });
        Context {
            node: self.node_facts(order.mac, now),
            nodes: self
                .settings
                .nodes
                .iter()
                .filter_map(|node| node.macs.first())
                .map(|mac| self.node_facts(*mac, now))
                .collect(),
            vars: install.vars.clone(),
            ssh_keys: install.ssh_keys.clone(),
            server_url,
            base_url,
            profile: profile.name.clone(),
            version: order.version.name.clone(),
            disk: own.and_then(|own| own.disk.as_ref()).unwrap_or(&install.disk).clone(),
            console: install.console.clone(),
            files: BTreeMap::from(files),
            verified: self.catalog.authenticity(order.version, order.set, Verify::Required)
                == Authenticity::Good,
            hands_keys: profile.hands_keys(),
            config_kind: None,
            config: String::new(),
            answers: BTreeMap::new(),
            command: String::new(),
            overwrite_marked: if order.overwrite_marked { "yes" } else { "" },
        }
    }

    fn node_facts(&self, mac: Mac, now: Time) -> NodeFacts {
        let own = self.node_settings(mac);
        let address = own.and_then(|own| own.address).or_else(|| self.dhcp.address_of(mac, now));
        NodeFacts {
            name: self.label(mac),
            mac: mac.to_string(),
            macs: own
                .map_or_else(|| vec![mac.to_string()], |own| own.macs.iter().map(Mac::to_string).collect()),
            address: address.map(|address| address.to_string()),
            arch: self.machine(mac).to_owned(),
            vars: own.map(|own| own.vars.clone()).unwrap_or_default(),
        }
    }

    /// A node's processor, as far as it is known.
    pub(super) fn machine(&self, mac: Mac) -> &'static str {
        self.nodes.get(mac).and_then(|node| node.arch).map_or("x86_64", Arch::machine)
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
fn below_grant(token: &str) -> String {
    if token.is_empty() { String::new() } else { format!("g/{token}/") }
}
