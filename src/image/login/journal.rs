//! `journalctl` as people type it, for a login that has no shell: known options with values of a known form, and nothing
//! that starts a pager, reads or writes a file, or looks elsewhere than at this machine's log.

/// What an option takes.
#[derive(Clone, Copy)]
enum Value {
    /// Nothing.
    None,
    /// A value, and not without one.
    Needed(fn(&str) -> bool),
    /// A value, or none.
    Optional(fn(&str) -> bool),
    /// A moment, which may be of several words: SSH takes quotation marks away.
    Moment,
    /// Nothing, and it is left out: it would be about the pager.
    Dropped,
}

/// The options: one letter (or none), name, and what follows.
const OPTIONS: &[(&str, &str, Value)] = &[
    ("u", "unit", Value::Needed(is_unit)),
    ("b", "boot", Value::Optional(is_boot)),
    ("k", "dmesg", Value::None),
    ("p", "priority", Value::Needed(is_priority)),
    ("n", "lines", Value::Optional(is_count)),
    ("S", "since", Value::Moment),
    ("U", "until", Value::Moment),
    ("f", "follow", Value::None),
    ("r", "reverse", Value::None),
    ("x", "catalog", Value::None),
    ("a", "all", Value::None),
    ("q", "quiet", Value::None),
    ("o", "output", Value::Needed(is_output)),
    ("", "utc", Value::None),
    ("", "no-hostname", Value::None),
    ("", "list-boots", Value::None),
    ("e", "pager-end", Value::Dropped),
    ("", "no-pager", Value::Dropped),
];
/// What stands in the log's own lines before each.
const OUTPUTS: [&str; 9] = [
    "short",
    "short-iso",
    "short-full",
    "short-precise",
    "short-monotonic",
    "short-unix",
    "cat",
    "json",
    "verbose",
];
const PRIORITIES: [&str; 8] = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];

/// The arguments for the program, out of a person's.
///
/// # Errors
/// A sentence, when something in them is not for this login.
pub fn arguments(words: &[String]) -> Result<Vec<String>, String> {
    let mut arguments = vec!["--no-pager".to_owned()];
    let mut rest = words;
    while let Some((word, after)) = rest.split_first() {
        rest = after;
        if let Some(long) = word.strip_prefix("--") {
            let (name, value) = match long.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (long, None),
            };
            let option = OPTIONS.iter().find(|option| option.1 == name).ok_or_else(|| refused(word))?;
            // A value that may be left out is one only behind an equals sign, as the program itself reads it; people
            // write `--boot -1`, too.
            rest = take(option, value, rest, &mut arguments)?;
        } else if let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) {
            rest = short(letters, rest, &mut arguments)?;
        } else {
            return Err(refused(word));
        }
    }
    Ok(arguments)
}

/// Takes letters that share one dash, as in `-fu rackberry`.
fn short<'a>(
    letters: &str,
    mut rest: &'a [String],
    arguments: &mut Vec<String>,
) -> Result<&'a [String], String> {
    for (at, letter) in letters.char_indices() {
        let option = OPTIONS.iter().find(|option| option.0.chars().eq([letter]));
        let option = option.ok_or_else(|| refused(&format!("-{letter}")))?;
        let behind = letters.get(at + letter.len_utf8()..).unwrap_or_default();
        match option.2 {
            Value::None | Value::Dropped => rest = take(option, None, rest, arguments)?,
            // A number without a dash of its own, or another letter.
            Value::Optional(fits) if !behind.is_empty() && !fits(behind) => {
                rest = take(option, None, &[], arguments).map(|_| rest)?;
            }
            _ => return take(option, Some(behind).filter(|value| !value.is_empty()), rest, arguments),
        }
    }
    Ok(rest)
}

/// Takes an option with its value, which stands in `value` or in the words that follow; what is left of those.
fn take<'a>(
    &(_, name, kind): &(&str, &str, Value),
    value: Option<&str>,
    rest: &'a [String],
    arguments: &mut Vec<String>,
) -> Result<&'a [String], String> {
    let wrong = |value: &str| format!("journalctl: {value:?} is nothing that --{name} takes here");
    let alone = || format!("--{name}");
    let next = rest.first().map(String::as_str);
    let (argument, taken) = match (kind, value) {
        (Value::None | Value::Dropped, Some(value)) => return Err(wrong(value)),
        (Value::Dropped, None) => return Ok(rest),
        (Value::None, None) => (alone(), 0),
        (Value::Needed(fits) | Value::Optional(fits), Some(value)) if fits(value) => {
            (format!("--{name}={value}"), 0)
        }
        (Value::Needed(_) | Value::Optional(_), Some(value)) => return Err(wrong(value)),
        (Value::Needed(fits), None) => {
            let value = next.ok_or_else(|| format!("journalctl: --{name} takes something"))?;
            if !fits(value) {
                return Err(wrong(value));
            }
            (format!("--{name}={value}"), 1)
        }
        (Value::Optional(fits), None) => match next.filter(|value| fits(value)) {
            Some(value) => (format!("--{name}={value}"), 1),
            None => (alone(), 0),
        },
        (Value::Moment, value) => {
            let more = moment(rest, if value.is_none() { MomentAt::First } else { MomentAt::Later });
            let words: Vec<&str> = value.into_iter().chain(more.iter().map(String::as_str)).collect();
            let moment = words.join(" ");
            if !is_moment(&moment) {
                return Err(wrong(&moment));
            }
            (format!("--{name}={moment}"), more.len())
        }
    };
    arguments.push(argument);
    Ok(rest.get(taken..).unwrap_or_default())
}

/// Where the words of a moment begin.
#[derive(Clone, Copy, PartialEq, Eq)]
enum MomentAt {
    /// With the first word after the option.
    First,
    /// After one that stands in the option itself.
    Later,
}

/// The words of a moment: up to the next option. The first one may begin with a dash, as in `--since -1h`.
fn moment(rest: &[String], begins: MomentAt) -> &[String] {
    let is_option = |(at, word): (usize, &String)| {
        let is_time = |after: &str| {
            begins == MomentAt::First && at == 0 && after.starts_with(|c: char| c.is_ascii_digit())
        };
        word.strip_prefix('-').is_some_and(|after| !is_time(after))
    };
    let end = rest.iter().enumerate().position(is_option);
    rest.get(..end.unwrap_or(rest.len())).unwrap_or_default()
}

fn refused(word: &str) -> String {
    format!("journalctl {word} is not for this login; try journalctl -u rackberry -b -1 -n 100")
}

fn is_unit(value: &str) -> bool {
    let is_known = |byte: u8| byte.is_ascii_alphanumeric() || b"@.:_-\\".contains(&byte);
    value.starts_with(|c: char| c.is_ascii_alphanumeric()) && value.bytes().all(is_known)
}

/// `-1`, `0`, `+2`, or the name that `--list-boots` prints.
fn is_boot(value: &str) -> bool {
    let number = value.strip_prefix(['-', '+']).unwrap_or(value);
    let is_number =
        !number.is_empty() && number.len() < 6 && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number || value.len() == 32 && value.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_priority(value: &str) -> bool {
    let is_one = |one: &str| PRIORITIES.contains(&one) || matches!(one.as_bytes(), [b'0'..=b'7']);
    value.split("..").count() <= 2 && value.split("..").all(is_one)
}

fn is_count(value: &str) -> bool {
    let number = value.strip_prefix('+').unwrap_or(value);
    value == "all"
        || !number.is_empty() && number.len() < 10 && number.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_output(value: &str) -> bool {
    OUTPUTS.contains(&value)
}

fn is_moment(value: &str) -> bool {
    let is_known = |c: char| c.is_ascii_alphanumeric() || " :.,+-/".contains(c);
    !value.is_empty() && value.len() < 64 && value.chars().all(is_known)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Result<String, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        arguments(&words).map(|arguments| arguments.join(" "))
    }

    #[test]
    fn what_people_type_passes() {
        for (typed, meant) in [
            ("", ""),
            ("-b -1", " --boot=-1"),
            ("-b-1 -k", " --boot=-1 --dmesg"),
            ("-b", " --boot"),
            ("--boot=0 --dmesg", " --boot=0 --dmesg"),
            ("--boot -2", " --boot=-2"),
            ("-kb -1", " --dmesg --boot=-1"),
            ("-bk", " --boot --dmesg"),
            ("-k", " --dmesg"),
            ("-u rackberry -n 50 -f", " --unit=rackberry --lines=50 --follow"),
            ("-fu rackberry", " --follow --unit=rackberry"),
            ("-xeu ssh.service", " --catalog --unit=ssh.service"),
            ("-u rackberry-usb@sda1 --no-pager", " --unit=rackberry-usb@sda1"),
            ("-fn50", " --follow --lines=50"),
            ("-n -f", " --lines --follow"),
            ("-n all", " --lines=all"),
            ("-p err -p3 --priority=warning..err", " --priority=err --priority=3 --priority=warning..err"),
            ("--since today", " --since=today"),
            ("--since=today -f", " --since=today --follow"),
            ("--since 10 min ago -u rackberry", " --since=10 min ago --unit=rackberry"),
            (
                "--since 2026-11-30 20:00 --until 2026-11-30 21:00:30",
                " --since=2026-11-30 20:00 --until=2026-11-30 21:00:30",
            ),
            ("-S -1h30min -r", " --since=-1h30min --reverse"),
            ("--list-boots", " --list-boots"),
            ("-o short-iso -q", " --output=short-iso --quiet"),
        ] {
            assert_eq!(of(typed), Ok(format!("--no-pager{meant}")), "{typed}");
        }
    }

    #[test]
    fn files_pagers_and_other_machines_do_not() {
        for typed in [
            "--file=/etc/shadow",
            "--file /etc/shadow",
            "-D /data",
            "--directory=/data",
            "--root=/",
            "--image=/dev/mmcblk0",
            "-M other",
            "--cursor-file=/data/x",
            "--vacuum-size=1",
            "--rotate",
            "--flush",
            "--setup-keys",
            "/usr/bin/rackberry",
            "_PID=1",
            "+",
            "-",
            "--",
            "-b 1;sh",
            "-u --file=/etc/shadow",
            "-u",
            "-u *",
            "-p loud",
            "-p err..info..debug",
            "-n many",
            "--since",
            "--since --file=/etc/shadow",
            "--since $(id)",
            "--since \u{e9}",
            "-f=1",
            "--follow=1",
            "-uD /data",
            "-fD /data",
            "-o export",
            "--utc=1",
            "-\u{e9}",
        ] {
            assert!(of(typed).is_err(), "{typed}: {:?}", of(typed));
        }
    }
}
