//! `rackberry image login`: what a person gets who logs in as rackberry. No shell: the live view, then rackberry's
//! own commands and the log.

mod journal;

use std::{
    io::{self, BufRead as _, IsTerminal as _, Write as _},
    os::unix::process::CommandExt as _,
};

use anyhow::{Context as _, bail};
use tokio::{
    process::Command,
    signal::unix::{SignalKind, signal},
};

/// Subcommands that make sense over SSH. The rest is the image's own, or runs servers.
const COMMANDS: &[&str] = &[
    "status",
    "watch",
    "arm",
    "disarm",
    "nodes",
    "node",
    "assets",
    "report",
    "help",
    "--help",
    "-h",
    "--version",
    "-V",
];
const HELP: &str = "status, watch, arm, disarm, nodes, node, assets, report, help; journalctl -u rackberry, -b -1, -k, ...; exit";

/// A line that was understood.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    /// Nothing to do.
    Empty,
    /// The end.
    Exit,
    /// A program and its arguments.
    Run(&'static str, Vec<String>),
}

/// Runs what SSH was asked for, or talks with the person.
///
/// # Errors
/// When a program can't be started.
pub async fn login() -> anyhow::Result<()> {
    if let Ok(line) = std::env::var("SSH_ORIGINAL_COMMAND") {
        return become_what(&line);
    }
    // Ctrl-C ends the program in front, not this one.
    let _interrupts = signal(SignalKind::interrupt()).context("can't watch for Ctrl-C")?;
    if !io::stdin().is_terminal() {
        bail!("this login has no shell; it knows: {HELP}");
    }
    carry_out("rackberry", &["watch".into()]).await?;
    println!("{HELP}");
    loop {
        print!("rackberry> ");
        io::stdout().flush()?;
        let mut line = String::new();
        if io::stdin().lock().read_line(&mut line)? == 0 {
            println!();
            return Ok(());
        }
        match read(&line) {
            Ok(Line::Exit) => return Ok(()),
            Ok(Line::Empty) => {}
            Ok(Line::Run(program, arguments)) => carry_out(program, &arguments).await?,
            Err(problem) => eprintln!("{problem}"),
        }
    }
}

/// Replaces this process, so that the exit code is that of the command.
fn become_what(line: &str) -> anyhow::Result<()> {
    match read(line) {
        Ok(Line::Empty | Line::Exit) => Ok(()),
        Ok(Line::Run(program, arguments)) => {
            let error = std::process::Command::new(program).args(arguments).exec();
            Err(error).with_context(|| format!("can't run {program}"))
        }
        Err(problem) => bail!("{problem}"),
    }
}

/// Runs a program to its end. Whether it went well, it has said itself.
async fn carry_out(program: &str, arguments: &[String]) -> anyhow::Result<()> {
    let ended = Command::new(program).args(arguments).status().await;
    ended.with_context(|| format!("can't run {program}"))?;
    Ok(())
}

/// Understands a line, with or without `rackberry` before the subcommand.
fn read(line: &str) -> Result<Line, String> {
    let mut words = words(line)?;
    if words.first().is_some_and(|word| word == "rackberry" || word == "/usr/bin/rackberry") {
        words.remove(0);
        if words.is_empty() {
            words.push("--help".into());
        }
    }
    let Some(first) = words.first() else { return Ok(Line::Empty) };
    match first.as_str() {
        "exit" | "quit" | "logout" => Ok(Line::Exit),
        "journalctl" => Ok(Line::Run("journalctl", journal::arguments(&words[1..])?)),
        command if COMMANDS.contains(&command) => {
            // Another socket would be another service.
            match words.iter().find(|word| word.starts_with("--socket")) {
                Some(word) => Err(format!("{word} is not for this login")),
                None => Ok(Line::Run("rackberry", words)),
            }
        }
        other => Err(format!("{other:?} is not known here; there are: {HELP}")),
    }
}

/// Words, as a shell would tell them apart: quotation marks hold some together.
fn words(line: &str) -> Result<Vec<String>, String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in line.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            None if matches!(c, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            None if c.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    if let Some(open) = quote {
        return Err(format!("a quotation mark ({open}) is missing"));
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(program: &'static str, arguments: &[&str]) -> Result<Line, String> {
        Ok(Line::Run(program, arguments.iter().map(|word| (*word).to_owned()).collect()))
    }

    #[test]
    fn own_commands_pass_with_and_without_the_programs_name() {
        for line in ["rackberry arm --for 10m node1", " arm  --for 10m node1\r\n"] {
            assert_eq!(read(line), run("rackberry", &["arm", "--for", "10m", "node1"]), "{line}");
        }
        assert_eq!(read("rackberry"), run("rackberry", &["--help"]));
        assert_eq!(read("  "), Ok(Line::Empty));
        assert_eq!(read("exit"), Ok(Line::Exit));
    }

    #[test]
    fn the_log_passes_and_no_file() {
        assert_eq!(
            read("journalctl -u rackberry --since \"10 min ago\" --until '21:00' -f"),
            run(
                "journalctl",
                &["--no-pager", "--unit=rackberry", "--since=10 min ago", "--until=21:00", "--follow"]
            )
        );
        assert!(read("journalctl --file=/etc/shadow").is_err());
    }

    #[test]
    fn quotation_marks_hold_words_together() {
        assert_eq!(read("arm \"node 1\" 'a\"b'c \"\""), run("rackberry", &["arm", "node 1", "a\"bc", ""]));
        assert!(read("arm 'node").unwrap_err().contains("missing"));
    }

    #[test]
    fn nothing_else_is_run() {
        for line in [
            "sh",
            "/bin/sh -c id",
            "rackberry serve",
            "rackberry image setup",
            "rackberry demo",
            "cable a b c",
            "status --socket /tmp/other",
            "scp -t /data",
            "status; sh",
        ] {
            assert!(read(line).is_err(), "{line}: {:?}", read(line));
        }
    }
}
