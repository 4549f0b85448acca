//! Text that came from a machine, made fit to be shown: nothing in it moves a cursor, begins a line of a log or turns
//! the direction of writing. Reports pass here before anything is decided or kept, names of files are refused by the same
//! list, and the log passes all its fields through here once more.

use std::borrow::Cow;

/// Longer clauses than this are cut.
const LONGEST_CLAUSE: usize = 300;

/// One clause on one line: whatever controls a terminal or a line becomes a space, and no two spaces follow each other.
/// Longer than 300 characters it is cut.
///
/// ```
/// use rackberry_core::ids::one_line;
///
/// assert_eq!(one_line("no disk\n2026 INFO armed by the button \x1b[31m"), "no disk 2026 INFO armed by the button [31m");
/// ```
pub fn one_line(text: &str) -> String {
    let mut line = String::new();
    for word in text.split(|c: char| c.is_whitespace() || is_unshowable(c)).filter(|word| !word.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    match line.char_indices().nth(LONGEST_CLAUSE) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// Several lines, such as a log: line ends and tabs stay, other controls become spaces. A carriage return, by which
/// progress bars overwrite themselves, ends a line.
///
/// ```
/// use rackberry_core::ids::lines;
///
/// assert_eq!(lines("1%\r2%\nok\x07\n"), "1%\n2%\nok \n");
/// ```
pub fn lines(text: &str) -> String {
    text.replace("\r\n", "\n")
        .chars()
        .map(|c| match c {
            '\r' => '\n',
            '\n' | '\t' => c,
            c if is_unshowable(c) => ' ',
            c => c,
        })
        .collect()
}

/// For text of one's own that may quote a stranger's: all controls become spaces, but for line ends, which stay and
/// indent what follows. So nothing that is quoted can look like a line of its own.
///
/// ```
/// use rackberry_core::ids::quotable;
///
/// assert_eq!(quotable("two faults:\nnode\x1b[2J1"), "two faults:\n    node [2J1");
/// ```
pub fn quotable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unshowable) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' => shown.push_str("\n    "),
            c if is_unshowable(c) => shown.push(' '),
            c => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

/// C0 and C1 controls, separators of lines and paragraphs, and what changes the direction of writing (Unicode's UAX 9),
/// by which a text can look like another one.
pub fn is_unshowable(c: char) -> bool {
    let turns =
        matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || turns || c == '\u{feff}'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn whatever_a_machine_says_stays_on_its_line(text in any::<String>()) {
            let line = one_line(&text);
            prop_assert!(!line.chars().any(is_unshowable) && !line.contains("  "), "{line:?}");
            prop_assert!(line.chars().count() <= LONGEST_CLAUSE + 1);
            prop_assert!(!lines(&text).chars().any(|c| is_unshowable(c) && !matches!(c, '\n' | '\t')));
            prop_assert_eq!(one_line(&line), line, "what is fit stays as it is");
            let quoted = quotable(&text);
            prop_assert!(quoted.split('\n').skip(1).all(|line| line.starts_with("    ")), "{quoted:?}");
            prop_assert!(!quoted.chars().any(|c| is_unshowable(c) && c != '\n'), "{quoted:?}");
        }
    }

    #[test]
    fn other_languages_stay_readable() {
        assert_eq!(one_line("磁盘 /dev/sda 不存在"), "磁盘 /dev/sda 不存在");
        assert_eq!(lines("première\tligne\n"), "première\tligne\n");
    }
}
