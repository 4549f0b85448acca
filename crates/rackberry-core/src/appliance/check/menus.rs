//! What somebody's own pxelinux menus name and is not there.

use crate::{
    appliance::check::Checker,
    assets::menus::Reference,
    http::route::{self, Route},
};

impl Checker<'_> {
    /// What the menus name and is not there, a sentence each.
    pub(super) fn menu_faults(&self) -> Vec<String> {
        let menus = self.known.setup.catalog().menus().read.iter();
        let missing = menus.flat_map(|(menu, references)| {
            references.iter().filter(|reference| !self.leads_somewhere(reference)).map(move |reference| {
                let Reference { line, keyword, target, .. } = reference;
                format!("{menu}:{line}: {keyword} {target}: there is no such file in the asset folders")
            })
        });
        missing.collect()
    }

    fn leads_somewhere(&self, reference: &Reference) -> bool {
        if reference.is_elsewhere() {
            // What is on other servers is not ours to say.
            return self.own_path(&reference.target).is_none_or(|path| self.is_served(&path));
        }
        reference.paths().iter().any(|path| self.is_file(path))
    }

    /// The path of a URL that leads here.
    fn own_path(&self, url: &str) -> Option<String> {
        let (authority, path) = url.strip_prefix("http://")?.split_once('/')?;
        let host = authority.split(':').next().unwrap_or(authority);
        (host == self.known.settings().network.address.to_string()).then(|| format!("/{path}"))
    }

    fn is_served(&self, url: &str) -> bool {
        let (path, query) = url.split_once('?').map_or((url, None), |(path, query)| (path, Some(query)));
        match route::parse(path, query).map(|target| target.route) {
            Ok(Route::File(path)) => self.is_file(&path),
            Ok(Route::ConfigFile(path)) => self.known.setup.catalog().configs().at(&path).is_some(),
            Ok(_) => true,
            Err(_) => false,
        }
    }

    fn is_file(&self, path: &[String]) -> bool {
        let (catalog, standard) = (self.known.setup.catalog(), self.known.setup.standard());
        catalog.locate(path, standard).is_some() || catalog.version_text(path, standard).is_some()
    }
}
