//! What was found of configurations, once for each change of what is configured or there: there may be many.

use std::collections::BTreeMap;

use crate::{appliance::check::Checker, ids::Mac, nodes::Registry};

/// What is wrong with configurations, or should be known of them.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    /// What is wrong with configured nodes' configurations, or missing.
    config_faults: BTreeMap<Mac, String>,
    /// What should be known of files in cloud-configs/ and of menus.
    file_warnings: Vec<String>,
}

impl Findings {
    /// Makes every configured node's configuration once, so that faults show before a machine needs it.
    pub fn of(checker: &Checker<'_>) -> Findings {
        Findings { config_faults: checker.config_faults(), file_warnings: checker.config_warnings() }
    }

    /// What is wrong with configured nodes' configurations, or missing, by node.
    pub fn config_faults(&self) -> &BTreeMap<Mac, String> {
        &self.config_faults
    }

    /// The same, a line each.
    pub fn config_fault_lines(&self, nodes: &Registry) -> impl Iterator<Item = String> {
        self.config_faults.iter().map(|(mac, fault)| format!("{}: {fault}", nodes.label(*mac)))
    }

    /// What should be known of files in cloud-configs/ and of menus.
    pub fn file_warnings(&self) -> impl Iterator<Item = &String> {
        self.file_warnings.iter()
    }
}

impl Checker<'_> {
    fn config_faults(&self) -> BTreeMap<Mac, String> {
        self.known.setup.listed().filter_map(|mac| Some((mac, self.config_fault(mac)?))).collect()
    }

    fn config_fault(&self, mac: Mac) -> Option<String> {
        let plan = self.renderer.wanted_plan(mac).ok()?;
        let profile = &plan.version.profile;
        if profile.configs.is_empty() {
            return None;
        }
        match self.renderer.node_config(&plan, None) {
            Ok(Some(_)) => None,
            Ok(None) => Some(self.renderer.no_config(mac, profile)),
            Err(fault) => Some(fault.to_string()),
        }
    }
}
