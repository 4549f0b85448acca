//! What is wrong with what people put there: operating systems, configurations, menus.

mod fates;
mod findings;
mod menus;

use crate::{
    appliance::{policy::Known, render::Renderer},
    assets::version::NotReady,
};

pub use fates::Fates;
pub use findings::Findings;

/// Looks at files by what is known.
#[derive(Debug, Clone, Copy)]
pub struct Checker<'a> {
    known: Known<'a>,
    renderer: Renderer<'a>,
}

impl<'a> Checker<'a> {
    /// By what is known.
    pub fn new(known: Known<'a>) -> Checker<'a> {
        Checker { known, renderer: Renderer::new(known) }
    }

    /// What is wrong with operating systems and node configurations, a sentence each.
    pub fn faults(&self, findings: &Findings) -> Vec<String> {
        let (setup, verify) = (self.known.setup, self.known.settings().assets.verify);
        let catalog = setup.catalog();
        let default = setup.default_version().err();
        let listed = setup.listed().filter_map(|mac| self.known.wanted_files(mac).err());
        let versions = catalog.versions().iter().flat_map(|version| {
            version.sets.iter().filter_map(|set| match set.is_complete() {
                true => catalog.usable(version, set, verify).err(),
                false => Some(NotReady::incomplete(version, set)),
            })
        });
        let unready = default.into_iter().chain(listed).chain(versions).map(|reason| reason.to_string());
        let configs = findings.config_fault_lines(self.known.nodes());
        let mut faults: Vec<String> = Vec::new();
        for fault in catalog.faults().cloned().chain(unready).chain(configs) {
            if !faults.contains(&fault) {
                faults.push(fault);
            }
        }
        faults
    }
}
