//! Durations as people write them: `90s`, `30m`, `1h30m`.

use std::time::Duration;

use super::fault::Wrong;

const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Reads a duration: whole numbers, each with its unit (d, h, m, s, ms), larger units first.
pub(super) fn parse(text: &str) -> Result<Duration, Wrong> {
    let wrong = |problem: String| Wrong::new(problem, "write numbers with units, like 90s, 30m, 1h or 1h30m");
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(wrong("the duration is empty".into()));
    }
    if rest.bytes().all(|b| b.is_ascii_digit()) {
        let problem = format!("{text:?} has no unit");
        return Err(Wrong::new(problem, format!("write {rest}s for seconds, {rest}m for minutes")));
    }
    let mut millis = 0u64;
    let mut units = UNITS.as_slice();
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, tail) = rest.split_at(digits);
        let letters = tail.len() - tail.trim_start_matches(|c: char| c.is_ascii_lowercase()).len();
        let (unit, tail) = tail.split_at(letters);
        if number.is_empty() || unit.is_empty() {
            return Err(wrong(format!("{text:?} is not a duration")));
        }
        let Some(found) = units.iter().position(|(name, _)| *name == unit) else {
            return Err(wrong(if UNITS.iter().any(|(name, _)| *name == unit) {
                format!("{text:?} names its units out of order")
            } else {
                format!("{text:?} has an unknown unit, {unit:?}")
            }));
        };
        let part = number.parse::<u64>().ok().and_then(|n| n.checked_mul(units[found].1));
        millis = part
            .and_then(|part| millis.checked_add(part))
            .ok_or_else(|| wrong(format!("{text:?} is too long a duration")))?;
        units = &units[found + 1..];
        rest = tail;
    }
    Ok(Duration::from_millis(millis))
}

/// A text that is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}; {help}")]
pub struct DurationError {
    problem: String,
    help: String,
}

/// Reads a duration from a command line or an API.
///
/// # Errors
/// [`DurationError`] says what is wrong with it, and how to write it.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    parse(text).map_err(|Wrong { problem, help }| DurationError { problem, help })
}

/// Reads a duration and keeps it within limits, both included.
pub(super) fn within(text: &str, least: Duration, most: Duration) -> Result<Duration, Wrong> {
    let duration = parse(text)?;
    let limits = format!("choose between {} and {}", display(least), display(most));
    if duration < least {
        return Err(Wrong::new(format!("{} is too short", display(duration)), limits));
    }
    if duration > most {
        return Err(Wrong::new(format!("{} is too long", display(duration)), limits));
    }
    Ok(duration)
}

/// Writes a duration so that [`parse`] reads it back, to the millisecond.
pub fn display(duration: Duration) -> String {
    let mut rest = duration.as_millis();
    let mut text = String::new();
    for (name, millis) in UNITS {
        let count = rest / u128::from(millis);
        rest %= u128::from(millis);
        if count > 0 {
            text.push_str(&format!("{count}{name}"));
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_people_write() {
        for (text, seconds) in
            [("30m", 1800.0), ("1h", 3600.0), ("90s", 90.0), ("1h30m", 5400.0), ("2d", 172_800.0)]
        {
            assert_eq!(parse(text), Ok(Duration::from_secs_f64(seconds)), "{text}");
        }
        assert_eq!(parse("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse("1m1ms"), Ok(Duration::from_millis(60_001)));
        assert_eq!(parse("0s"), Ok(Duration::ZERO));
        assert_eq!(display(Duration::from_secs(5400)), "1h30m");
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, problem) in [
            ("", "the duration is empty"),
            ("30", "\"30\" has no unit"),
            ("m30", "\"m30\" is not a duration"),
            ("30m1h", "\"30m1h\" names its units out of order"),
            ("1m1m", "\"1m1m\" names its units out of order"),
            ("1 h", "\"1 h\" is not a duration"),
            ("-1h", "\"-1h\" is not a duration"),
            ("1.5h", "\"1.5h\" is not a duration"),
            ("3weeks", "\"3weeks\" has an unknown unit, \"weeks\""),
            ("99999999999999999999s", "\"99999999999999999999s\" is too long a duration"),
            ("18446744073709551615d", "\"18446744073709551615d\" is too long a duration"),
        ] {
            assert_eq!(parse(text).map_err(|wrong| wrong.problem), Err(problem.to_owned()));
        }
    }

    proptest! {
        #[test]
        fn display_parses_back(millis: u64) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse(&display(duration)), Ok(duration));
        }

        #[test]
        fn any_text_is_read_without_panic(text in ".{0,20}") {
            let _ = parse(&text);
        }

        #[test]
        fn nearly_durations_are_read_without_panic(text in "([0-9]{0,22}(d|h|m|s|ms)?){0,4}") {
            if let Ok(duration) = parse(&text) {
                prop_assert_eq!(parse(&display(duration)), Ok(duration));
            }
        }
    }
}
