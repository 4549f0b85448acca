//! What is configured, and what is there to install: both come as a whole, and are looked up together.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    assets::{
        catalog::Catalog,
        locate::Standard,
        version::{FileSet, NotReady, Version},
    },
    config::{NodeSettings, Settings},
    ids::{Mac, folded},
};

/// The configuration and the catalog in force.
#[derive(Debug, Clone)]
pub struct Setup {
    settings: Arc<Settings>,
    catalog: Arc<Catalog>,
    /// Where the settings of each listed node stand, by its first address.
    positions: BTreeMap<Mac, usize>,
    /// The same by its name, [folded].
    named: BTreeMap<String, usize>,
}

impl Setup {
    /// By this configuration, with these files.
    pub fn new(settings: Arc<Settings>, catalog: Arc<Catalog>) -> Setup {
        let firsts = settings.nodes.iter().map(|node| node.macs.first());
        let positions = firsts.enumerate().filter_map(|(at, mac)| Some((*mac?, at))).collect();
        let named =
            settings.nodes.iter().enumerate().rev().map(|(at, node)| (folded(&node.name), at)).collect();
        Setup { settings, catalog, positions, named }
    }

    /// Takes over a reloaded configuration.
    pub fn reconfigure(&mut self, settings: Arc<Settings>) {
        *self = Setup::new(settings, self.catalog.clone());
    }

    /// Takes over what a scan found.
    pub fn restock(&mut self, catalog: Arc<Catalog>) {
        self.catalog = catalog;
    }

    /// The configuration.
    pub fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    /// What is there.
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// The settings of the listed node whose first address this is.
    pub fn node(&self, first: Mac) -> Option<&NodeSettings> {
        self.settings.nodes.get(*self.positions.get(&first)?)
    }

    /// The settings of the listed node of this name, which is [folded].
    pub fn node_named(&self, name: &str) -> Option<&NodeSettings> {
        self.settings.nodes.get(*self.named.get(name)?)
    }

    /// The first address of each listed node.
    pub fn listed(&self) -> impl Iterator<Item = Mac> {
        self.settings.nodes.iter().filter_map(|node| node.macs.first().copied())
    }

    /// A version's files for a processor.
    ///
    /// # Errors
    /// [`NotReady`] unless all are there, authentic (or the configuration lets that pass), and such as their own
    /// installer will accept.
    pub fn files_of(
        &self,
        profile: &str,
        version: &str,
        arch: &str,
    ) -> Result<(&Version, &FileSet), NotReady> {
        self.catalog.usable_for(profile, version, arch, self.settings.assets.verify)
    }

    /// What is installed by default, on one kind of processor at least.
    ///
    /// # Errors
    /// [`NotReady`], of the first kind of processor, if it is on none.
    pub fn default_version(&self) -> Result<&Version, NotReady> {
        let install = &self.settings.install;
        let version = self.catalog.ready(&install.profile, &install.version)?;
        let mut refused = None;
        for set in &version.sets {
            match self.files_of(&install.profile, &version.name, &set.arch) {
                Ok((version, _)) => return Ok(version),
                Err(reason) => refused = refused.or(Some(reason)),
            }
        }
        refused.map_or(Ok(version), Err)
    }

    /// What a path means that says neither system nor version, where no grant says it.
    pub fn standard(&self) -> Standard<'_> {
        let install = &self.settings.install;
        Standard { profile: &install.profile, version: &install.version, arch: None }
    }

    /// `ADDRESS[:PORT]` of the HTTP server.
    pub fn server(&self) -> String {
        let (address, ports) = (self.settings.network.address, &self.settings.http.ports);
        match ports.first() {
            Some(port) if !ports.contains(&80) => format!("{address}:{port}"),
            _ => address.to_string(),
        }
    }

    /// URL of the HTTP server, without a trailing slash (the installers of 2016 don't strip one).
    pub fn server_url(&self) -> String {
        format!("http://{}", self.server())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{assets::folder::Folder, config};

    fn setup(text: &str) -> Setup {
        let settings = Arc::new(config::parse(&[("test".into(), text.to_owned())]).unwrap());
        let nothing = Catalog::new(Vec::new(), Folder::new("loaders".into(), []), None);
        Setup::new(settings, Arc::new(nothing))
    }

    #[test]
    fn nodes_are_found_by_their_first_address_and_their_name_in_any_case() {
        let mut setup = setup("[[node]]\nname = 'One'\nmacs = ['02:00:00:00:00:01', '02:00:00:00:00:02']\n");
        let (first, second) = (Mac([2, 0, 0, 0, 0, 1]), Mac([2, 0, 0, 0, 0, 2]));
        assert!(setup.node(first).is_some_and(|node| node.name == "One"));
        assert!(setup.node(second).is_none(), "its second address names no node");
        assert!(setup.node_named(&folded("ONE")).is_some());
        assert_eq!(setup.listed().collect::<Vec<_>>(), [first]);
        setup.reconfigure(Arc::new(config::parse(&[]).unwrap()));
        assert!(setup.node(first).is_none() && setup.node_named("one").is_none());
    }

    #[test]
    fn the_url_names_a_port_where_it_is_not_80() {
        assert_eq!(setup("").server_url(), "http://10.10.10.1");
        assert_eq!(setup("[http]\nports = [8080]\n").server_url(), "http://10.10.10.1:8080");
        assert_eq!(setup("[http]\nports = [8080, 80]\n").server_url(), "http://10.10.10.1");
    }

    #[test]
    fn nothing_is_ready_where_nothing_is_there() {
        assert!(matches!(setup("").default_version(), Err(NotReady::NoVersion { .. })));
    }
}
