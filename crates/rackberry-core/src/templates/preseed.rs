//! Answers for Debian's installer: lines `OWNER QUESTION TYPE VALUE` (debconf-set-selections(1)).

use std::collections::BTreeMap;

use super::ConfigFormatError;

/// The types that debconf knows (debconf-devel(7)), and `seen`, which d-i's preseed takes in their place.
const TYPES: [&str; 10] =
    ["string", "boolean", "select", "multiselect", "note", "text", "password", "title", "error", "seen"];

/// Whether every line is an answer.
pub(super) fn check(text: &str) -> Result<(), ConfigFormatError> {
    for (number, line) in lines(text) {
        let words: Vec<&str> = line.split_whitespace().collect();
        if words.len() < 3 || !TYPES.contains(&words[2]) {
            let text = text.lines().nth(number - 1).unwrap_or_default().chars().take(60).collect();
            return Err(ConfigFormatError::Preseed { line: number, text });
        }
    }
    if answers(text).contains_key("preseed/run/checksum") {
        return Err(ConfigFormatError::RunChecksum);
    }
    Ok(())
}

/// The answers by their questions; of several to one, the last, as debconf takes them.
pub fn answers(text: &str) -> BTreeMap<String, String> {
    let mut answers = BTreeMap::new();
    for (_, line) in lines(text) {
        let mut words = line.split_whitespace();
        let (Some(_), Some(question), Some(kind)) = (words.next(), words.next(), words.next()) else {
            continue;
        };
        if kind != "seen" {
            answers.insert(question.to_owned(), words.collect::<Vec<_>>().join(" "));
        }
    }
    answers
}

/// The lines that say something, with those that a backslash continues, and their numbers, from 1.
fn lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut continued = false;
    for (number, line) in text.lines().enumerate() {
        let bare = line.strip_suffix('\\').unwrap_or(line);
        match lines.last_mut().filter(|_| continued) {
            Some((_, whole)) => whole.push_str(bare),
            None => lines.push((number + 1, bare.to_owned())),
        }
        continued = line.ends_with('\\');
    }
    lines.retain(|(_, line)| !line.trim().is_empty() && !line.trim_start().starts_with('#'));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_of_a_preseed_file_is_an_answer() {
        let text = "# c\n\nd-i mirror/country string manual\nd-i a/b string \\\n  x \\\n  y\n";
        assert_eq!(check(text), Ok(()));
        assert_eq!(answers(text)["a/b"], "x y");
        assert!(check("d-i mirror/country manual\n").unwrap_err().to_string().starts_with("line 1"));
        assert!(check("d-i a/b string c\nd-i x\n").unwrap_err().to_string().starts_with("line 2: \"d-i x\""));
        assert_eq!(check("d-i preseed/run/checksum string abc\n"), Err(ConfigFormatError::RunChecksum));
    }

    #[test]
    fn the_last_answer_counts() {
        let text = "d-i partman-auto/disk string /dev/sda\nd-i\tpartman-auto/disk\tstring  /dev/sda /dev/sdb\n\
            d-i partman-auto/disk seen true\n#d-i partman-auto/disk string /dev/sdc\nd-i passwd/x password\n";
        let answers = answers(text);
        assert_eq!(answers["partman-auto/disk"], "/dev/sda /dev/sdb");
        assert_eq!(answers["passwd/x"], "");
    }
}
