//! Reads values of TOML, and reports those of the wrong type and keys that nobody knows.
//!
//! This takes toml's own spanned values rather than deriving from serde, because serde stops at the first
//! fault, and somebody who edits a memory card wants to hear of all of them before walking back to the Pi.

use toml::de::{DeInteger, DeString, DeTable, DeValue};

use crate::config::{
    fault::Wrong,
    keys::{self, KeyTable},
    source::{At, FaultReport, Place},
};

/// A key that may be there.
#[derive(Debug, Default)]
pub(crate) enum Field<T> {
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
    pub fn merge(&mut self, later: Self) {
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
pub(crate) type List<T> = Vec<At<T>>;

/// A value with its bytes in the text.
pub(crate) type Spanned<'i> = toml::Spanned<DeValue<'i>>;

/// A type that a key's value may have.
pub(crate) trait Readable: Sized {
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
                let help = reader.keys.example(key);
                reader.fault(value, key, Wrong::new("the number is too large", help))
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
pub(crate) struct Reader<'a, 'b> {
    file: usize,
    keys: KeyTable,
    report: &'a mut FaultReport<'b>,
}

impl<'a, 'b> Reader<'a, 'b> {
    /// A reader for the file numbered `file`, which may have these keys.
    pub fn new(file: usize, keys: KeyTable, report: &'a mut FaultReport<'b>) -> Self {
        Self { file, keys, report }
    }

    /// A piece of this file.
    pub fn place(&self, span: std::ops::Range<usize>) -> Place {
        Place { file: self.file, start: span.start, end: span.end }
    }

    /// Reports a fault; `None`, for use as the value that isn't there.
    pub fn fault<T>(&mut self, value: &Spanned, key: &str, wrong: Wrong) -> Option<T> {
        self.report.fault(self.place(value.span()), key, wrong);
        None
    }

    /// Reports a value of another type than `T`.
    pub fn wrong_type<T: Readable>(&mut self, value: &Spanned, key: &str) -> Option<T> {
        let problem = format!("is {}, but must be {}", type_name(value.get_ref()), T::TYPE);
        self.fault(value, key, Wrong::new(problem, self.keys.example(key)))
    }

    /// Reads the key `name` of `table`.
    pub fn field<T: Readable>(&mut self, value: &Spanned, table: &str, name: &str) -> Field<T> {
        match T::read(value, self, &format!("{table}.{name}")) {
            Some(read) => Field::Set(At { value: read, place: self.place(value.span()) }),
            None => Field::Bad,
        }
    }

    /// Reports a key that `table` doesn't have.
    pub fn unknown(&mut self, table: &str, key: &toml::Spanned<DeString>, known: &[&str]) {
        let name = key.get_ref().as_ref();
        let list = known.join(", ");
        let help = match (keys::nearest(name, known.iter().copied()), self.keys.home_of(name)) {
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

    /// Reports what stands outside of every table, or a table that doesn't exist.
    pub fn unknown_table(&mut self, key: &toml::Spanned<DeString>, value: &Spanned) {
        let name = key.get_ref().as_ref();
        let known: Vec<&str> = self.keys.0.iter().map(|section| section.name).collect();
        let shown: Vec<String> = known.iter().map(|name| header(name)).collect();
        let list = shown.join(", ");
        let near = keys::nearest(name, known.iter().copied());
        let is_table = matches!(value.get_ref(), DeValue::Table(_) | DeValue::Array(_));
        let help = match (near, self.keys.home_of(name)) {
            (Some(near), _) if is_table => format!("did you mean {}? Tables: {list}", header(near)),
            (_, Some(home)) => format!("`{name}` belongs below {}", header(home)),
            _ => format!("tables: {list}"),
        };
        let problem = if is_table { "unknown table" } else { "unknown key outside of any table" };
        self.report.fault(self.place(key.span()), &printable(name), Wrong::new(problem, help));
    }

    /// The table behind `[name]`.
    pub fn table<'v, 'i>(&mut self, name: &str, value: &'v Spanned<'i>) -> Option<&'v DeTable<'i>> {
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

/// What to call a value's type.
pub(crate) fn type_name(value: &DeValue) -> &'static str {
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
