//! The tables as they were written: every key optional, each value with its place, unknown keys refused.
//!
//! This reads toml's own spanned values rather than deriving from serde, because serde stops at the first
//! fault, and somebody who edits a memory card wants to hear of all of them before walking back to the Pi.

use toml::de::{DeInteger, DeTable, DeValue};

use super::{
    fault::Wrong,
    keys,
    source::{At, Place, Report},
};
use crate::ids::Mac;

/// A key that may be there.
#[derive(Debug, Default)]
pub(super) enum Field<T> {
    /// Not written.
    #[default]
    Absent,
    /// Written, and already reported: whatever depends on it can't be judged.
    Bad,
    /// Written.
    Set(At<T>),
}

impl<T: Readable> Field<T> {
    /// Takes a later file's value, if that has one.
    fn merge(&mut self, later: Self) {
        match (&mut *self, later) {
            (_, Field::Absent) => {}
            (Field::Set(old), Field::Set(new)) => {
                old.value.merge(new.value);
                old.place = new.place;
            }
            (old, new) => *old = new,
        }
    }
}

impl<T> Field<T> {
    pub fn set(&self) -> Option<&At<T>> {
        match self {
            Field::Set(at) => Some(at),
            Field::Absent | Field::Bad => None,
        }
    }

    pub fn is_absent(&self) -> bool {
        matches!(self, Field::Absent)
    }

    pub fn is_bad(&self) -> bool {
        matches!(self, Field::Bad)
    }
}

/// A list, each item with its place.
pub(super) type List<T> = Vec<At<T>>;

type Spanned<'i> = toml::Spanned<DeValue<'i>>;

/// A type that a key's value may have.
pub(super) trait Readable: Sized {
    /// What to call it, in help.
    const TYPE: &'static str;

    /// Reads it, or says in a fault why not.
    fn read(value: &Spanned, reader: &mut Reader, key: &str) -> Option<Self>;

    /// Takes a later file's value.
    fn merge(&mut self, later: Self) {
        *self = later;
    }
}

impl Readable for String {
    const TYPE: &'static str = "text in double quotes";

    fn read(value: &Spanned, reader: &mut Reader, key: &str) -> Option<Self> {
        match value.get_ref() {
            DeValue::String(text) => Some(text.as_ref().to_owned()),
            _ => reader.wrong_type::<Self>(value, key),
        }
    }
}

impl Readable for bool {
    const TYPE: &'static str = "true or false, without quotes";

    fn read(value: &Spanned, reader: &mut Reader, key: &str) -> Option<Self> {
        value.get_ref().as_bool().or_else(|| reader.wrong_type::<Self>(value, key))
    }
}

impl Readable for i64 {
    const TYPE: &'static str = "a whole number, without quotes";

    fn read(value: &Spanned, reader: &mut Reader, key: &str) -> Option<Self> {
        match value.get_ref() {
            DeValue::Integer(number) => integer(number).or_else(|| {
                reader.fault(value, key, Wrong::new("the number is too large", keys::example(key)))
            }),
            _ => reader.wrong_type::<Self>(value, key),
        }
    }
}

impl<T: Readable> Readable for List<T> {
    const TYPE: &'static str = "a list in brackets";

    fn read(value: &Spanned, reader: &mut Reader, key: &str) -> Option<Self> {
        let DeValue::Array(items) = value.get_ref() else {
            return reader.wrong_type::<Self>(value, key);
        };
        // Each item is read, so that each wrong one is reported.
        let read: Vec<Option<At<T>>> = items
            .iter()
            .map(|item| {
                let place = reader.place(item.span());
                T::read(item, reader, key).map(|value| At { value, place })
            })
            .collect();
        read.into_iter().collect()
    }
}

impl Readable for toml::Table {
    const TYPE: &'static str = "a table";

    fn read(value: &Spanned, reader: &mut Reader, key: &str) -> Option<Self> {
        let DeValue::Table(table) = value.get_ref() else {
            return reader.wrong_type::<Self>(value, key);
        };
        let read: Vec<Option<(String, toml::Value)>> = table
            .iter()
            .map(|(name, value)| Some((name.get_ref().as_ref().to_owned(), free(value, reader, key)?)))
            .collect();
        read.into_iter().collect()
    }

    fn merge(&mut self, later: Self) {
        self.extend(later);
    }
}

/// Reads a value of any type.
fn free(value: &Spanned, reader: &mut Reader, key: &str) -> Option<toml::Value> {
    Some(match value.get_ref() {
        DeValue::String(text) => toml::Value::String(text.as_ref().to_owned()),
        DeValue::Integer(_) => toml::Value::Integer(Readable::read(value, reader, key)?),
        DeValue::Float(number) => match number.as_str().parse() {
            Ok(number) => toml::Value::Float(number),
            Err(_) => return reader.fault(value, key, Wrong::new("the number can't be read", "")),
        },
        DeValue::Boolean(flag) => toml::Value::Boolean(*flag),
        DeValue::Datetime(moment) => toml::Value::Datetime(*moment),
        DeValue::Array(items) => {
            let read: Vec<_> = items.iter().map(|item| free(item, reader, key)).collect();
            toml::Value::Array(read.into_iter().collect::<Option<_>>()?)
        }
        DeValue::Table(_) => toml::Value::Table(Readable::read(value, reader, key)?),
    })
}

fn integer(number: &DeInteger) -> Option<i64> {
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

/// Reads one file's tables and reports what doesn't fit.
pub(super) struct Reader<'a, 'b> {
    file: usize,
    report: &'a mut Report<'b>,
}

impl Reader<'_, '_> {
    fn place(&self, span: std::ops::Range<usize>) -> Place {
        Place { file: self.file, start: span.start, end: span.end }
    }

    /// Reports a fault; `None`, for use as the value that isn't there.
    fn fault<T>(&mut self, value: &Spanned, key: &str, wrong: Wrong) -> Option<T> {
        self.report.fault(self.place(value.span()), key, wrong);
        None
    }

    fn wrong_type<T: Readable>(&mut self, value: &Spanned, key: &str) -> Option<T> {
        let problem = format!("is {}, but must be {}", type_name(value.get_ref()), T::TYPE);
        self.fault(value, key, Wrong::new(problem, keys::example(key)))
    }

    fn field<T: Readable>(&mut self, value: &Spanned, table: &str, name: &str) -> Field<T> {
        match T::read(value, self, &format!("{table}.{name}")) {
            Some(read) => Field::Set(At { value: read, place: self.place(value.span()) }),
            None => Field::Bad,
        }
    }

    fn unknown(&mut self, table: &str, key: &toml::Spanned<toml::de::DeString>, known: &[&str]) {
        let name = key.get_ref().as_ref();
        let list = known.join(", ");
        let help = match (keys::nearest(name, known.iter().copied()), keys::home_of(name)) {
            (Some(near), _) => format!("did you mean `{near}`? Keys of {}: {list}", header(table)),
            (None, Some(home)) => format!("`{name}` belongs below {}", header(home)),
            (None, None) => format!("keys of {}: {list}", header(table)),
        };
        self.report.fault(
            self.place(key.span()),
            &format!("{table}.{}", printable(name)),
            Wrong::new("unknown key", help),
        );
    }

    fn unknown_table(&mut self, key: &toml::Spanned<toml::de::DeString>, value: &Spanned) {
        let name = key.get_ref().as_ref();
        let known: Vec<&str> = keys::SECTIONS.iter().map(|section| section.name).collect();
        let shown: Vec<String> = known.iter().map(|name| header(name)).collect();
        let list = shown.join(", ");
        let near = keys::nearest(name, known.iter().copied());
        let is_table = matches!(value.get_ref(), DeValue::Table(_) | DeValue::Array(_));
        let help = match (near, keys::home_of(name)) {
            (Some(near), _) if is_table => format!("did you mean {}? Tables: {list}", header(near)),
            (_, Some(home)) => format!("`{name}` belongs below {}", header(home)),
            _ => format!("tables: {list}"),
        };
        let problem = if is_table { "unknown table" } else { "unknown key outside of any table" };
        self.report.fault(self.place(key.span()), &printable(name), Wrong::new(problem, help));
    }

    /// The table behind `[name]`.
    fn table<'v, 'i>(&mut self, name: &str, value: &'v Spanned<'i>) -> Option<&'v DeTable<'i>> {
        match value.get_ref() {
            DeValue::Table(table) => Some(table),
            other => {
                let problem = match other {
                    DeValue::Array(_) => "is a list of tables, but there is only one".to_owned(),
                    other => format!("is {}, but must be a table", type_name(other)),
                };
                let help = format!("write `[{name}]` on a line of its own, and its keys below");
                self.fault(value, name, Wrong::new(problem, help))
            }
        }
    }
}

/// `[dhcp]`, `[[node]]`
fn header(table: &str) -> String {
    if table == "node" { "[[node]]".to_owned() } else { format!("[{table}]") }
}

/// A key's name as it can go into a line of text.
fn printable(name: &str) -> String {
    let plain = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
    if plain { name.to_owned() } else { format!("{name:?}") }
}

fn type_name(value: &DeValue) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

macro_rules! table {
    ($name:ident = $table:literal { $($field:ident: $type:ty,)* }) => {
        #[doc = concat!("`[", $table, "]`")]
        #[derive(Debug, Default)]
        pub(super) struct $name { $(pub $field: Field<$type>,)* }

        impl $name {
            /// The names of its keys.
            pub const KEYS: &[&str] = &[$(stringify!($field)),*];

            fn read(table: &DeTable, reader: &mut Reader) -> Self {
                let mut raw = Self::default();
                for (key, value) in table {
                    match key.get_ref().as_ref() {
                        $(stringify!($field) => raw.$field = reader.field(value, $table, stringify!($field)),)*
                        _ => reader.unknown($table, key, Self::KEYS),
                    }
                }
                raw
            }

            fn merge(&mut self, later: Self) { $(self.$field.merge(later.$field);)* }
        }
    };
}

table!(Network = "network" { interface: String, address: String, mode: String, });
table!(Dhcp = "dhcp" {
    pool: String, router: String, dns: List<String>, ntp: List<String>, domain: String, lease: String, probe: bool,
});
table!(Http = "http" { ports: List<i64>, token_file: String, });
table!(Install = "install" {
    profile: String, version: String, disk: String, unknown_nodes: String, arm_for: String, console: String,
});
table!(Assets = "assets" { dirs: List<String>, verify: String, loaders: String, });
table!(NodeKeys = "node" {
    name: String, mac: String, macs: List<String>, address: String, profile: String, version: String,
    disk: String, led: i64, vars: toml::Table,
});
table!(Panel = "panel" { board: String, });

/// One `[[node]]` and the place of its header.
#[derive(Debug)]
pub(super) struct Node {
    pub place: Place,
    pub keys: NodeKeys,
}

/// A file's tables, or several files' merged.
#[derive(Debug, Default)]
pub(super) struct Raw {
    pub network: Network,
    pub dhcp: Dhcp,
    pub http: Http,
    pub install: Install,
    pub assets: Assets,
    pub nodes: Vec<Node>,
    pub panel: Panel,
}

impl Raw {
    /// Reads the tables of the file numbered `file`.
    pub fn read(root: &DeTable, file: usize, report: &mut Report) -> Self {
        let mut raw = Self::default();
        let reader = &mut Reader { file, report };
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

impl Node {
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

fn read_nodes(value: &Spanned, reader: &mut Reader) -> Vec<Node> {
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
                nodes.push(Node { place, keys: NodeKeys::read(table, reader) });
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
        ];
        let told: Vec<(&str, Vec<&str>)> = keys::SECTIONS
            .iter()
            .map(|section| (section.name, section.keys.iter().map(|key| key.name).collect()))
            .collect();
        assert_eq!(told, read.map(|(name, keys)| (name, keys.to_vec())));
    }
}
