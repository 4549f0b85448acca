//! Text that is no TOML: where, and what to write instead.

use toml::de::{DeTable, DeValue};

use crate::config::{
    fault::Wrong,
    keys::KeyTable,
    source::{FaultReport, Place, Text},
};

/// More syntax faults than this in one file say nothing new.
const MOST: usize = 20;

/// Parses the file numbered `file`; reports every line that is no TOML, and is then `None`.
pub(crate) fn parse<'t>(
    text: &'t Text,
    file: usize,
    keys: KeyTable,
    report: &mut FaultReport,
) -> Option<DeTable<'t>> {
    let (root, mut errors) = DeTable::parse_recoverable(text.as_str());
    if errors.is_empty() {
        return Some(root.into_inner());
    }
    errors.sort_by_key(|error| error.span().map_or(0, |span| span.start));
    let mut table = String::new();
    let mut last_line = None;
    for error in errors.iter().take(MOST) {
        let span = error.span().unwrap_or(0..0);
        let (line_start, line) = text.line_at(span.start);
        // One mistake makes the parser stumble several times over one line.
        if last_line == Some(line_start) {
            continue;
        }
        last_line = Some(line_start);
        table_at(text.as_str(), line_start).clone_into(&mut table);
        let place = Place { file, start: span.start, end: span.end };
        match unquoted(line, &table, keys) {
            Some((start, end, wrong)) => {
                report.fault(Place { file, start: line_start + start, end: line_start + end }, "", wrong);
            }
            None => report.fault(place, "", Wrong::new(problem(error.message()), help(line, &table, keys))),
        }
        // Where a bracket or a long quote isn't closed, all that follows is misread.
        if ["unclosed array", "inline table", "multi-line", "between array"]
            .iter()
            .any(|open| error.message().contains(open))
        {
            break;
        }
    }
    None
}

/// The table whose keys stand at `offset`.
fn table_at(text: &str, offset: usize) -> &str {
    text[..offset]
        .lines()
        .rev()
        .find_map(|line| line.trim().strip_prefix('['))
        .map_or("", |header| header.trim_start_matches('[').split(']').next().unwrap_or("").trim())
}

/// A line `key = text`, where the text should stand in double quotes: its place in the line and the fault.
fn unquoted(line: &str, table: &str, keys: KeyTable) -> Option<(usize, usize, Wrong)> {
    let (name, rest) = line.split_once('=')?;
    let value = rest.split(" #").next().unwrap_or(rest).trim();
    let start = name.len() + 1 + (rest.len() - rest.trim_start().len());
    let end = start + value.len();
    let name = name.trim();
    let key = keys.find(&format!("{table}.{name}"));
    let wants_text = key.is_none_or(|key| key.example.starts_with('"'));
    let first = value.chars().next()?;
    // The value is none of this line's troubles: a key given twice, say.
    if DeValue::parse(value).is_ok() {
        return None;
    }
    if matches!(first, '“' | '”' | '„' | '‘' | '’' | '«') {
        let bare = value.trim_matches(|c: char| !c.is_ascii());
        let wrong =
            Wrong::new("these are typographic quotes", format!("use straight ones: {name} = {bare:?}"));
        return Some((start, end, wrong));
    }
    let plain =
        !value.contains(['"', '\'', '[', '{', ',']) || (key.is_some() && !value.contains(['"', '\'']));
    if !plain || !wants_text || matches!(first, '[' | '{') {
        return None;
    }
    Some((start, end, Wrong::new("text must stand in double quotes", format!("write {name} = {value:?}"))))
}

/// The parser's message in one clause.
fn problem(message: &str) -> String {
    let message = message.lines().next().unwrap_or("not TOML");
    if message.starts_with("missing escaped value") {
        return "a backslash in double quotes begins an escape sequence".to_owned();
    }
    message.to_owned()
}

fn help(line: &str, table: &str, keys: KeyTable) -> String {
    if line.contains('\\') {
        return "write paths with forward slashes, as on Linux: \"/data/assets\"".to_owned();
    }
    let trimmed = line.trim();
    if trimmed.starts_with('[') {
        return "a table begins with its name in brackets on a line of its own: [dhcp], or [[node]]"
            .to_owned();
    }
    let name: String =
        trimmed.chars().take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '-')).collect();
    match keys.find(&format!("{table}.{name}")) {
        Some(key) => format!("write {name} = {}", key.example),
        None => "each line is a table's name in brackets, `key = value`, or a comment after #".to_owned(),
    }
}
