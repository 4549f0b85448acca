//! Texts that are made for one node: menus, kernel arguments, scripts, its configuration.

mod config;
mod error;
mod facts;

use crate::{
    appliance::{Refusal, RenderView, policy::Known},
    assets::version::{FileSet, Version},
    boot::{Kernel, Plan},
    ids::{Mac, OrderKind},
    nodes::{Grant, Node, Verdict},
    profiles::{ConfigKind, Role},
    templates::{self, TemplateError},
};

pub use error::RenderError;
use facts::below_grant;

/// The text that installers are handed keys by.
const KEYS: &str = "keys.asc";

/// What a node is installed with.
#[derive(Debug, Clone, Copy)]
pub struct InstallPlan<'a> {
    /// The node, or the card that stands for it.
    pub mac: Mac,
    /// The system.
    pub version: &'a Version,
    /// Its files for the node's processor.
    pub set: &'a FileSet,
    /// Of the grant; empty for a look at what would be.
    pub token: &'a str,
    /// Whether its permission is for disks that rackberry installed before, too: one that names the node, or all.
    pub overwrite_marked: bool,
}

/// Makes texts by what is known.
#[derive(Debug, Clone, Copy)]
pub struct Renderer<'a> {
    known: Known<'a>,
}

impl<'a> Renderer<'a> {
    /// By what is known.
    pub fn new(known: Known<'a>) -> Renderer<'a> {
        Renderer { known }
    }

    /// What a node's grant allows.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`] without a grant, [`Refusal::Conflict`] if its files are not there any more.
    pub fn granted_plan(&self, mac: Mac) -> Result<InstallPlan<'a>, Refusal> {
        let grant = self.known.nodes().get(mac).and_then(Node::grant);
        let grant =
            grant.ok_or_else(|| Refusal::Forbidden(format!("{} has no grant", self.known.label(mac))))?;
        Ok(self.plan_of(mac, grant)?)
    }

    fn plan_of(&self, mac: Mac, grant: &'a Grant) -> Result<InstallPlan<'a>, RenderError> {
        let (version, set) = self.known.setup.files_of(&grant.profile, &grant.version, &grant.arch)?;
        let mac = self.known.has_files_of(mac, grant);
        Ok(InstallPlan { mac, version, set, token: &grant.token, overwrite_marked: grant.overwrites_marked })
    }

    /// What a node would be installed with if it were armed by its name.
    ///
    /// # Errors
    /// [`RenderError::NotReady`] if that is not there.
    pub fn wanted_plan(&self, mac: Mac) -> Result<InstallPlan<'a>, RenderError> {
        let (version, set) = self.known.wanted_files(mac)?;
        Ok(InstallPlan { mac, version, set, token: "", overwrite_marked: true })
    }

    /// What a node boots when its loader asks for a menu.
    pub fn menu(&self, node: Option<&'a Node>) -> Plan {
        let disk = |why: &str| Plan::Disk { why: why.to_owned() };
        let Some(node) = node else { return disk("this machine is not known") };
        let grant = match (self.known.may_be_led(node), node.grant()) {
            (Verdict::Yes, Some(grant)) => grant,
            (Verdict::No(why), _) => return disk(why),
            (Verdict::Yes, None) => return disk("it has no grant"),
        };
        let kernel = self.plan_of(node.mac, grant).and_then(|plan| self.kernel(&plan, grant.kind));
        kernel.map_or_else(|why| disk(&why.to_string()), Plan::Kernel)
    }

    /// What a node would be given, with an empty grant.
    ///
    /// # Errors
    /// [`Refusal::Conflict`] says which text can't be made.
    pub fn overview(&self, mac: Mac) -> Result<RenderView, Refusal> {
        self.make_overview(mac)
            .map_err(|error| Refusal::Conflict(format!("{}: {error}", self.known.label(mac))))
    }

    fn make_overview(&self, mac: Mac) -> Result<RenderView, RenderError> {
        let plan = self.wanted_plan(mac)?;
        let profile = &plan.version.profile;
        let config = self.node_config(&plan, None)?;
        let script = profile.script.is_some().then(|| self.install_script(&plan)).transpose();
        let arguments = self.kernel(&plan, OrderKind::Install)?.arguments;
        let script = script?;
        let mut texts = Vec::new();
        for name in profile.templates.keys() {
            texts.extend(self.profile_text(&plan, name)?.map(|text| (name.clone(), text)));
        }
        Ok(RenderView {
            system: format!("{} {}", profile.name, plan.version.name),
            arguments,
            script,
            texts,
            config: config.map(|config| (config.kind.name().to_owned(), config.text.shown())),
        })
    }

    fn kernel(&self, plan: &InstallPlan<'_>, kind: OrderKind) -> Result<Kernel, RenderError> {
        let profile = &plan.version.profile;
        let mut context = self.context(plan);
        // What an installer asks before it fetches its answers.
        if profile.configs.contains(&ConfigKind::Preseed)
            && let Ok(Some(config)) = self.node_config(plan, Some(ConfigKind::Preseed))
        {
            context.answers = config.text.text().map(|text| templates::answers(&text)).unwrap_or_default();
        }
        let (name, line, doing) = match kind {
            OrderKind::Live => ("start.live", &profile.start_live, "starting"),
            OrderKind::Install => ("start.install", &profile.start_install, "installing"),
        };
        let arguments = templates::render_line(name, line, &context).map_err(failed(plan))?;
        let console = context.console.map(|console| format!(" console=tty0 console={console}"));
        let path = |role: Role| {
            let file = plan.set.file(role).ok_or(RenderError::NoFile(role))?;
            Ok::<_, RenderError>(format!("{}{}", below_grant(plan.token), file.url_path()))
        };
        Ok(Kernel {
            title: format!(
                "{doing} {} {} on {}",
                profile.name,
                plan.version.name,
                self.known.label(plan.mac)
            ),
            server: self.known.setup.server(),
            kernel: path(Role::Kernel)?,
            initrd: path(Role::Initrd)?,
            bootif: plan.mac.bootif(),
            arguments: format!("{arguments}{}", console.unwrap_or_default()),
        })
    }

    /// The install script.
    ///
    /// # Errors
    /// [`RenderError`] if the profile has none, or its template makes none.
    pub fn install_script(&self, plan: &InstallPlan<'_>) -> Result<String, RenderError> {
        let profile = &plan.version.profile;
        let script = profile.script.as_deref().ok_or_else(|| RenderError::NoScript(profile.name.clone()))?;
        let mut context = self.context(plan);
        context.config_kind = self.config_of(plan.mac, profile, None).map(|(_, kind)| kind.name());
        context.command =
            templates::render_line("install.command", &profile.command, &context).map_err(failed(plan))?;
        templates::render_line("install.sh", script, &context).map_err(failed(plan))
    }

    /// Another text of the profile's; none where it has none of that name.
    ///
    /// # Errors
    /// [`RenderError`] if it can't be made.
    pub fn profile_text(&self, plan: &InstallPlan<'_>, name: &str) -> Result<Option<String>, RenderError> {
        let profile = &plan.version.profile;
        if name == KEYS && profile.hands_keys() {
            let keys = self.known.setup.catalog().signers(plan.version, plan.set);
            return keys.map(Some).ok_or_else(|| RenderError::NoSigner(plan.version.name.clone()));
        }
        let Some(text) = profile.templates.get(name) else { return Ok(None) };
        let config = self.node_config(plan, None)?;
        let mut context = self.context(plan);
        context.config_kind = config.as_ref().map(|config| config.kind.name());
        if let Some(config) = config.filter(|config| config.kind == ConfigKind::Preseed) {
            // Other texts have the installer fetch it.
            context.config = config.text.text()?;
            context.answers = templates::answers(&context.config);
        }
        templates::render_line(name, text, &context).map(Some).map_err(failed(plan))
    }
}

/// A template of the profile's has failed.
fn failed(plan: &InstallPlan<'_>) -> impl Fn(TemplateError) -> RenderError {
    let profile = plan.version.profile.name.clone();
    move |error| RenderError::Profile { profile: profile.clone(), error }
}
