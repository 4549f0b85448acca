//! The files in cloud-configs/: a node's own configuration, and what else is made of them for it.

use crate::{
    appliance::{
        Answer,
        render::{InstallPlan, RenderError, Renderer},
    },
    assets::{
        configs::ConfigFile,
        folder::{Content, Found},
    },
    ids::Mac,
    profiles::{ConfigKind, Profile},
    templates::{self, Piece},
};

/// A node's configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeConfig {
    /// Its kind.
    pub kind: ConfigKind,
    /// What the node is given.
    pub text: Made,
}

/// What a node is given of a file.
#[derive(Debug, Clone, PartialEq)]
pub enum Made {
    /// A text: rendered, or small.
    Text(String),
    /// The file as it lies on the disk.
    File(Box<Found>),
}

impl Made {
    /// What is sent.
    pub fn answer(self) -> Answer {
        match self {
            Made::Text(text) => Answer::plain(text),
            Made::File(found) => Answer::file(&found),
        }
    }

    /// The text, for who must look into it.
    ///
    /// # Errors
    /// [`RenderError::TooLong`] for a file that is not read.
    pub fn text(self) -> Result<String, RenderError> {
        match self {
            Made::Text(text) => Ok(text),
            Made::File(found) => Err(RenderError::TooLong(found.name.join("/"))),
        }
    }

    /// The text, or where it is, for who looks at it.
    pub fn shown(self) -> String {
        match self {
            Made::Text(text) => text,
            Made::File(found) => format!("({} bytes, as they are in {})\n", found.len, found.path.display()),
        }
    }
}

impl<'a> Renderer<'a> {
    /// A node's own configuration, of this kind or of whichever its profile takes first; none where no file is
    /// meant for it.
    ///
    /// # Errors
    /// [`RenderError`] says what is wrong with the file, or with what is made of it.
    pub fn node_config(
        &self,
        plan: &InstallPlan<'_>,
        kind: Option<ConfigKind>,
    ) -> Result<Option<NodeConfig>, RenderError> {
        let profile = &plan.version.profile;
        let Some((file, kind)) = self.config_of(plan.mac, profile, kind) else { return Ok(None) };
        let fault = |reason: String| RenderError::ConfigFile { path: file.path(), reason };
        let (text, format) = match &file.found.content {
            Content::Text(_) => {
                let text = self.config_file(plan, file, Some(kind))?;
                let facts =
                    templates::check(kind, &text).map_err(|error| fault(hinted(file, &error.to_string())))?;
                (Made::Text(text), facts.format)
            }
            Content::Large(Ok(format)) => (Made::File(Box::new(file.found.clone())), format.clone()),
            Content::Large(Err(reason)) => return Err(fault(reason.clone())),
            _ => return Err(fault(file.found.no_text().unwrap_or_default())),
        };
        if let Some(format) = format {
            profile.takes(&format, &plan.version.name).map_err(|error| fault(error.to_string()))?;
        }
        Ok(Some(NodeConfig { kind, text }))
    }

    /// The file that is a node's configuration.
    pub fn config_of(
        &self,
        mac: Mac,
        profile: &Profile,
        kind: Option<ConfigKind>,
    ) -> Option<(&'a ConfigFile, ConfigKind)> {
        let kinds: Vec<ConfigKind> =
            profile.configs.iter().copied().filter(|own| kind.is_none_or(|kind| kind == *own)).collect();
        let (macs, name) = (self.known.macs_of(mac), self.known.nodes().name(mac));
        self.known.setup.catalog().node_config(&macs, name, &profile.name, &kinds)
    }

    /// Where a node's configuration would be looked for.
    pub fn no_config(&self, mac: Mac, profile: &Profile) -> String {
        let extension = profile.configs.first().map_or("yml", |kind| kind.extensions()[0]);
        let name =
            self.known.nodes().name(mac).map(|name| format!(", {name}.{extension}")).unwrap_or_default();
        format!(
            "no configuration for {}: put {mac}.{extension}{name}, {}.{extension} or default.{extension} into \
             cloud-configs/ of an asset folder",
            self.known.label(mac),
            profile.name,
        )
    }

    /// The text that is made of a file for a node: a template's, or the file's own.
    ///
    /// # Errors
    /// [`RenderError`] says what is wrong with the template.
    pub fn config_file(
        &self,
        plan: &InstallPlan<'_>,
        file: &ConfigFile,
        kind: Option<ConfigKind>,
    ) -> Result<String, RenderError> {
        let path = file.path();
        let Some(text) = file.found.text() else {
            return Err(RenderError::ConfigFile { path, reason: file.found.no_text().unwrap_or_default() });
        };
        if !file.is_template {
            return Ok(text.to_string());
        }
        let mut context = self.context(plan);
        context.config_kind = kind.map(ConfigKind::name);
        let configs = self.known.setup.catalog().configs().clone();
        let find = move |name: &str| {
            let included = configs.included(&name.split('/').collect::<Vec<_>>())?;
            let text = included.found.text()?.clone();
            Some(if included.is_template { Piece::Template(text) } else { Piece::Plain(text) })
        };
        templates::render(&path, text, find, &context).map_err(RenderError::ConfigTemplate)
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
