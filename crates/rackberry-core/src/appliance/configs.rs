//! The files in cloud-configs/: a node's own configuration, and what else may be asked for there.

use crate::{
    appliance::{Answer, Appliance, Outcome, Refusal, fetch, permission::Asker, texts::InstallPlan},
    assets::{
        configs::{ConfigFile, ConfigName},
        folder::{Content, Found},
    },
    ids::{Mac, Time, folded},
    profiles::{ConfigKind, Profile},
    templates::{self, Piece},
};

/// A node's configuration.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct NodeConfig {
    pub kind: ConfigKind,
    pub text: Made,
}

/// What a node is given of a file.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Made {
    /// A text: rendered, or small.
    Text(String),
    /// The file as it lies on the disk.
    File(Box<Found>),
}

impl Made {
    /// What is sent.
    pub(super) fn answer(self) -> Answer {
        match self {
            Made::Text(text) => fetch::plain(text),
            Made::File(found) => fetch::file(&found, None),
        }
    }

    /// The text, for who must look into it.
    pub(super) fn text(self) -> Result<String, String> {
        match self {
            Made::Text(text) => Ok(text),
            Made::File(found) => Err(format!("{} is too long to be looked into", found.name.join("/"))),
        }
    }

    /// The text, or where it is, for who looks at it.
    pub(super) fn shown(self) -> String {
        match self {
            Made::Text(text) => text,
            Made::File(found) => format!("({} bytes, as they are in {})\n", found.len, found.path.display()),
        }
    }
}

impl Appliance {
    /// A node's own configuration, of this kind or of whichever its profile takes first; none where no file is
    /// meant for it.
    pub(super) fn node_config(
        &self,
        order: &InstallPlan<'_>,
        kind: Option<ConfigKind>,
        now: Time,
    ) -> Result<Option<NodeConfig>, String> {
        let profile = &order.version.profile;
        let Some((file, kind)) = self.config_of(order.mac, profile, kind) else { return Ok(None) };
        let path = file.path();
        let fault = |reason: String| format!("cloud-configs/{path}: {reason}");
        let (text, facts) = match &file.found.content {
            Content::Text(_) => {
                let text = self.make(order, file, Some(kind), now)?;
                let facts =
                    templates::check(kind, &text).map_err(|error| fault(hinted(file, &error.to_string())))?;
                (Made::Text(text), facts.format)
            }
            Content::Large(Ok(format)) => (Made::File(Box::new(file.found.clone())), format.clone()),
            Content::Large(Err(reason)) => return Err(fault(reason.clone())),
            _ => return Err(fault(file.found.no_text().unwrap_or_default())),
        };
        if let Some(format) = facts {
            profile.takes(&format, &order.version.name).map_err(|error| fault(error.to_string()))?;
        }
        Ok(Some(NodeConfig { kind, text }))
    }

    /// The file that is a node's configuration.
    pub(super) fn config_of(
        &self,
        mac: Mac,
        profile: &Profile,
        kind: Option<ConfigKind>,
    ) -> Option<(&ConfigFile, ConfigKind)> {
        let kinds: Vec<ConfigKind> =
            profile.configs.iter().copied().filter(|own| kind.is_none_or(|kind| kind == *own)).collect();
        self.catalog.node_config(&self.macs_of(mac), self.nodes.name(mac), &profile.name, &kinds)
    }

    /// The text that is made of a file for a node: a template's, or the file's own.
    fn make(
        &self,
        order: &InstallPlan<'_>,
        file: &ConfigFile,
        kind: Option<ConfigKind>,
        now: Time,
    ) -> Result<String, String> {
        let path = file.path();
        let text = file
            .found
            .text()
            .ok_or_else(|| format!("cloud-configs/{path}: {}", file.found.no_text().unwrap_or_default()))?;
        if !file.is_template {
            return Ok(text.to_string());
        }
        let mut context = self.context(order, now);
        context.config_kind = kind.map(ConfigKind::name);
        let configs = self.catalog.configs().clone();
        let find = move |name: &str| {
            let included = configs.included(&name.split('/').collect::<Vec<_>>())?;
            let text = included.found.text()?.clone();
            Some(if included.is_template { Piece::Template(text) } else { Piece::Plain(text) })
        };
        templates::render(&path, text, find, &context).map_err(|error| format!("cloud-configs/{error}"))
    }

    /// Answers a request for another file of cloud-configs/.
    pub(super) fn config_answer(
        &mut self,
        asker: Asker,
        head: bool,
        path: &[String],
        now: Time,
        out: &mut Outcome,
    ) -> Result<Answer, Refusal> {
        let mac = self.pass(asker, &format!("cloud-configs/{}", path.join("/")), now)?;
        let answer = self.config_file(mac, path, now)?;
        self.asks_for_config(mac, head, now, out);
        Ok(answer)
    }

    /// Answers a request for a text that a node's profile makes for it, or for a file that such a text names beside
    /// itself.
    pub(super) fn profile_answer(
        &mut self,
        asker: Asker,
        head: bool,
        name: String,
        now: Time,
        out: &mut Outcome,
    ) -> Result<Answer, Refusal> {
        let mac = self.pass(asker, &format!("profile/{name}"), now)?;
        let answer = match self.granted(mac, |a, order| a.profile_text(order, &name, now))? {
            Some(text) => fetch::plain(text.map_err(Refusal::Conflict)?),
            None => self.config_file(mac, &[name], now)?,
        };
        self.asks_for_config(mac, head, now, out);
        Ok(answer)
    }

    /// Another file of cloud-configs/, for a node that may install: what belongs to no other node.
    pub(super) fn config_file(&self, mac: Mac, path: &[String], now: Time) -> Result<Answer, Refusal> {
        let shown = path.join("/");
        if let Some(owner) = path.iter().find_map(|segment| self.owner(mac, segment)) {
            let label = self.label(mac);
            return Err(Refusal::Forbidden(format!(
                "{label} may not have cloud-configs/{shown}: it is {owner}'s"
            )));
        }
        let file = self.catalog.configs().at(path);
        let file = file.ok_or_else(|| Refusal::NotFound(format!("there is no cloud-configs/{shown}")))?;
        if !file.is_template {
            return Ok(fetch::file(&file.found, None));
        }
        let text = self.granted(mac, |a, order| a.make(order, file, file.name.kind, now))?;
        Ok(fetch::plain(text.map_err(Refusal::Conflict)?))
    }

    /// Somebody's own install script, which takes the place of the profile's.
    pub(super) fn own_script(&self, mac: Mac, now: Time) -> Result<Option<Answer>, Refusal> {
        let name = "install.sh".to_owned();
        let is_there = self.catalog.configs().at(&[&name]).is_some();
        is_there.then(|| self.config_file(mac, &[name], now)).transpose()
    }

    /// The other node that a file or folder of this name belongs to, if it is one's.
    fn owner(&self, mac: Mac, name: &str) -> Option<String> {
        let whole = folded(name);
        let parts = whole.match_indices('.').map(|(at, _)| &whole[..at]).chain([whole.as_str()]);
        let stem = ConfigName::parse(name).stem;
        let own = self.macs_of(mac);
        parts.chain([stem.as_str()]).find_map(|part| match Mac::from_file_stem(part) {
            Ok(other) => (!own.contains(&other)).then(|| self.label(other)),
            Err(_) => {
                let named = self.settings.nodes.get(*self.named.get(part)?)?;
                (!named.macs.iter().any(|other| own.contains(other))).then(|| named.name.clone())
            }
        })
    }

    /// Every hardware address of a node.
    pub(super) fn macs_of(&self, mac: Mac) -> Vec<Mac> {
        self.node_settings(mac).map_or_else(|| vec![mac], |own| own.macs.clone())
    }
}

/// A fault, and what it may come from: a file that was a template before those had to say so.
fn hinted(file: &ConfigFile, reason: &str) -> String {
    if file.is_template {
        return format!("what this template makes: {reason}");
    }
    match file.looks_like_template() {
        Some(line) => format!(
            "{reason} (line {line} looks like a template's, and this file is none: call it {}.j2)",
            file.found.own_name()
        ),
        None => reason.to_owned(),
    }
}
