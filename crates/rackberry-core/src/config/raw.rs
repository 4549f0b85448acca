//! The tables as they were written: every key optional, each value with its place, unknown keys refused.

use toml::de::{DeTable, DeValue};

use super::{
    fault::Wrong,
    keys,
    read::{Field, List, Reader, Spanned, type_name},
    source::{FaultReport, Place},
};
use crate::ids::Mac;

/// A table of a file: a field for each key that it may have.
macro_rules! table {
    ($name:ident = $table:literal { $($field:ident: $type:ty,)* }) => {
        #[doc = concat!("`[", $table, "]`")]
        #[derive(Debug, Default)]
        pub(super) struct $name { $(pub $field: $crate::config::read::Field<$type>,)* }

        impl $name {
            /// The names of its keys.
            pub const KEYS: &[&str] = &[$(stringify!($field)),*];

            fn read(table: &toml::de::DeTable, reader: &mut $crate::config::read::Reader) -> Self {
                let mut raw = Self::default();
                for (key, value) in table {
                    match key.get_ref().as_ref() {
                        $(stringify!($field) => raw.$field = reader.field(value, $table, stringify!($field)),)*
                        _ => reader.unknown($table, key, Self::KEYS),
                    }
                }
                raw
            }
        }
    };
    ($name:ident = $table:literal { $($field:ident: $type:ty,)* } merged) => {
        table!($name = $table { $($field: $type,)* });

        impl $name {
            /// Takes a later file's values.
            fn merge(&mut self, later: Self) { $(self.$field.merge(later.$field);)* }
        }
    };
}
pub(crate) use table;

table!(Network = "network" { interface: String, address: String, mode: String, } merged);
table!(Dhcp = "dhcp" {
    pool: String, router: String, dns: List<String>, ntp: List<String>, domain: String, lease: String, probe: bool,
} merged);
table!(Http = "http" { ports: List<i64>, token_file: String, } merged);
table!(Install = "install" {
    profile: String, version: String, disk: String, unknown_nodes: String, arm_for: String, tries: i64, console: String,
    loader: String, ssh_keys: List<String>, vars: toml::Table,
} merged);
table!(Assets = "assets" { dirs: List<String>, verify: String, loaders: String, } merged);
table!(NodeKeys = "node" {
    name: String, mac: String, macs: List<String>, address: String, profile: String, version: String,
    disk: String, loader: String, led: i64, vars: toml::Table,
} merged);
table!(Panel = "panel" { board: String, } merged);
table!(System = "system" { hostname: String, root_login: bool, keep_journal: bool, usb: String, } merged);

/// One `[[node]]` and the place of its header.
#[derive(Debug)]
pub(super) struct RawNode {
    pub place: Place,
    pub keys: NodeKeys,
}

/// A file's tables, or several files' merged.
#[derive(Debug, Default)]
pub(super) struct RawConfig {
    pub network: Network,
    pub dhcp: Dhcp,
    pub http: Http,
    pub install: Install,
    pub assets: Assets,
    pub nodes: Vec<RawNode>,
    pub panel: Panel,
    pub system: System,
}

impl RawConfig {
    /// Reads the tables of the file numbered `file`.
    pub fn read(root: &DeTable, file: usize, report: &mut FaultReport) -> Self {
        let mut raw = Self::default();
        let reader = &mut Reader::new(file, keys::KEYS, report);
        for (key, value) in root {
            let name = key.get_ref().as_ref();
            match name {
                "node" => raw.nodes = read_nodes(value, reader),
                _ if keys::section(name).is_none() => reader.unknown_table(key, value),
                _ => {
                    let Some(table) = reader.table(name, value) else { continue };
                    match name {
                        "network" => raw.network = Network::read(table, reader),
                        "dhcp" => raw.dhcp = Dhcp::read(table, reader),
                        "http" => raw.http = Http::read(table, reader),
                        "install" => raw.install = Install::read(table, reader),
                        "assets" => raw.assets = Assets::read(table, reader),
                        "panel" => raw.panel = Panel::read(table, reader),
                        "system" => raw.system = System::read(table, reader),
                        _ => reader.unknown_table(key, value),
                    }
                }
            }
        }
        raw
    }

    /// Lays a later file over this one: key by key, nodes by name.
    pub fn merge(&mut self, later: Self) {
        self.network.merge(later.network);
        self.dhcp.merge(later.dhcp);
        self.http.merge(later.http);
        self.install.merge(later.install);
        self.assets.merge(later.assets);
        self.panel.merge(later.panel);
        self.system.merge(later.system);
        // Only nodes of earlier files are merged into: the same name twice in one file is a mistake.
        let earlier = self.nodes.len();
        for node in later.nodes {
            let name = node.identity();
            let old = self.nodes[..earlier].iter_mut().find(|old| name.is_some() && old.identity() == name);
            match old {
                Some(old) => old.merge(node),
                None => self.nodes.push(node),
            }
        }
    }
}

impl RawNode {
    /// What tells nodes apart when files are merged: the name, or that which stands in for it.
    fn identity(&self) -> Option<String> {
        match &self.keys.name {
            Field::Set(name) => Some(name.value.clone()),
            Field::Bad => None,
            Field::Absent => {
                let first = self.keys.macs.set().and_then(|macs| macs.value.first());
                let mac = self.keys.mac.set().or(first)?;
                mac.value.parse::<Mac>().ok().map(Mac::dashed)
            }
        }
    }

    fn merge(&mut self, later: Self) {
        if !later.keys.mac.is_absent() || !later.keys.macs.is_absent() {
            self.keys.mac = Field::Absent;
            self.keys.macs = Field::Absent;
        }
        self.place = later.place;
        self.keys.merge(later.keys);
    }
}

fn read_nodes(value: &Spanned, reader: &mut Reader) -> Vec<RawNode> {
    let help = "write `[[node]]` on a line of its own for each machine, and its keys below";
    let DeValue::Array(items) = value.get_ref() else {
        let problem = format!("is {}, but must be a list of tables", type_name(value.get_ref()));
        reader.fault::<()>(value, "node", Wrong::new(problem, help));
        return Vec::new();
    };
    let mut nodes = Vec::new();
    for item in items.iter() {
        match item.get_ref() {
            DeValue::Table(table) => {
                let place = reader.place(item.span());
                nodes.push(RawNode { place, keys: NodeKeys::read(table, reader) });
            }
            other => {
                let problem = format!("is {}, but must be a table", type_name(other));
                reader.fault::<()>(item, "node", Wrong::new(problem, help));
            }
        }
    }
    nodes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_keys_is_complete() {
        let read = [
            ("network", Network::KEYS),
            ("dhcp", Dhcp::KEYS),
            ("http", Http::KEYS),
            ("install", Install::KEYS),
            ("assets", Assets::KEYS),
            ("node", NodeKeys::KEYS),
            ("panel", Panel::KEYS),
            ("system", System::KEYS),
        ];
        let told: Vec<(&str, Vec<&str>)> = keys::SECTIONS
            .iter()
            .map(|section| (section.name, section.keys.iter().map(|key| key.name).collect()))
            .collect();
        assert_eq!(told, read.map(|(name, keys)| (name, keys.to_vec())));
    }
}
