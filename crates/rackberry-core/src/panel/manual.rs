//! The parts of `docs/panel.md` that follow from the code: what each LED shows, error codes, wiring, parts, keys of
//! a board file. `BLESS=1 cargo test -p rackberry-core manual` writes them anew.

use std::fmt::Write as _;

use super::{
    Color, Lamp, Pattern, StatusMode, Trouble,
    board::{self, BUILT_IN, SIMULATED, wiring},
    show::{node_lamp, status},
};
use crate::{
    config::keys::KeyTable,
    ids::{Stage, Time},
};

/// Dots of a drawn rhythm, and what one of them stands for.
const DOTS: u64 = 40;
const DOT: u64 = 100;

/// A rhythm as it goes by: four seconds, a sign for each tenth.
fn drawn(pattern: Pattern) -> String {
    let sign = |dot: u64| match (0..DOT).filter(|at| pattern.is_lit(Time(dot * DOT + at))).count() {
        0 => '·',
        1..50 => '▌',
        _ => '█',
    };
    (0..DOTS).map(sign).collect()
}

fn words(pattern: Pattern) -> String {
    let seconds = |milliseconds: u64| format!("{} s", milliseconds as f64 / 1000.0);
    match pattern {
        Pattern::Off => "dark".into(),
        Pattern::Steady => "steady".into(),
        Pattern::Wink(every) => format!("a short wink every {}", seconds(every)),
        Pattern::Blink(period) => format!("on and off, {} a round", seconds(period)),
        Pattern::Double => "two short blinks every second".into(),
        Pattern::Part(_) => "on for the done part of every 2 s".into(),
        Pattern::Pulses(1) => "1 pulse, a gap of 2 s".into(),
        Pattern::Pulses(count) => format!("{count} pulses, a gap of 2 s"),
    }
}

fn colour(color: Color) -> &'static str {
    match color {
        Color::White => "white",
        Color::Blue => "blue",
        Color::Amber => "amber",
        Color::Cyan => "cyan",
        Color::Green => "green",
        Color::Red => "red",
    }
}

fn row(out: &mut String, what: &str, lamp: Lamp) {
    let color = if lamp.pattern == Pattern::Off { "" } else { colour(lamp.color) };
    let _ = writeln!(out, "| {what} | {} | `{}` | {color} |", words(lamp.pattern), drawn(lamp.pattern));
}

/// What each LED shows.
fn patterns() -> String {
    let mut out = String::new();
    let head =
        "| what | rhythm | four seconds of it | colour, where a LED has several |\n|---|---|---|---|\n";
    let _ = write!(out, "\nA node's LED:\n\n{head}");
    let node = |stage| node_lamp(stage, Stage::Idle, (0, 0));
    row(&mut out, "nothing known, or idle", node(Stage::Idle));
    row(&mut out, "seen while armed", node(Stage::Discovered));
    row(&mut out, "loading, booting, configuring", node(Stage::Loading));
    for percent in [30, 60, 90] {
        let lamp = node_lamp(Stage::Installing, Stage::Idle, (percent, 100));
        let most = if percent == 90 { " or more" } else { "" };
        let less = if percent == 30 { " or less" } else { "" };
        let name = format!("installing, {percent} %{less}{most}");
        let color = format!(
            "{}, at {} % brightness",
            colour(lamp.color),
            u32::from(lamp.pattern.level()) * 100 / 255
        );
        let _ = writeln!(out, "| {name} | {} | `{}` | {color} |", words(lamp.pattern), drawn(lamp.pattern));
    }
    row(&mut out, "written, restarting", node(Stage::Written));
    row(&mut out, "installed", node(Stage::Installed));
    for stage in Stage::ALL.into_iter().filter(|stage| (Stage::Discovered..=Stage::Written).contains(stage)) {
        row(&mut out, &format!("failed while {stage}"), node_lamp(Stage::Failed, stage, (0, 0)));
    }
    let _ = write!(out, "\nThe status LED:\n\n{head}");
    row(&mut out, "starting", status(StatusMode::Starting, None));
    row(&mut out, "ready and safe: nobody installs", status(StatusMode::Safe, None));
    row(&mut out, "**armed: disks may be overwritten**", status(StatusMode::Armed, None));
    row(&mut out, "no longer armed, installs still run", status(StatusMode::Finishing, None));
    for trouble in Trouble::ALL {
        row(&mut out, &format!("error code {}", trouble as u8), status(StatusMode::Safe, Some(trouble)));
    }
    out.push('\n');
    out
}

/// What an error code means, and what to do.
fn codes() -> String {
    let mut out = String::from("\n| pulses | what is wrong | what to do |\n|---|---|---|\n");
    for trouble in Trouble::ALL {
        let (what, remedy) = trouble.meaning();
        let _ = writeln!(out, "| {} | {what} | {remedy} |", trouble as u8);
    }
    out.push('\n');
    out
}

/// The boards that come with rackberry.
fn boards() -> String {
    let mut out = String::new();
    for (name, _) in BUILT_IN {
        let Some(board) = board::built_in(name) else { continue };
        let _ = writeln!(out, "\n### `{name}`: {}\n", board.title);
        let _ = writeln!(
            out,
            "Node LEDs: {}. The file: [board/{name}.toml](../board/{name}.toml).",
            board.node_leds()
        );
        if name == SIMULATED {
            continue;
        }
        let _ = writeln!(out, "\n![the wiring of {name}](wiring/{name}.svg)\n\n| number | part |\n|---|---|");
        for (count, part) in wiring::parts(&board) {
            let _ = writeln!(out, "| {count} | {part} |");
        }
    }
    out.push('\n');
    out
}

/// The keys of a board file.
fn reference(keys: KeyTable) -> String {
    let mut out = String::new();
    for section in keys.0 {
        let _ = write!(out, "\n`[{}]`: {}\n\n", section.name, section.meaning);
        out.push_str("| key | meaning | default | example |\n|---|---|---|---|\n");
        for key in section.keys {
            let default = match (key.default, key.unset) {
                ("" | "\"\"" | "[]", "") => "none".to_owned(),
                ("" | "\"\"" | "[]", unset) => unset.to_owned(),
                (default, _) => format!("`{default}`"),
            };
            let _ = writeln!(out, "| `{}` | {} | {default} | `{}` |", key.name, key.meaning, key.example);
        }
    }
    out.push('\n');
    out
}

const NAMES: [&str; 4] = ["patterns", "codes", "boards", "keys"];

#[test]
#[allow(clippy::disallowed_methods)]
fn the_page_and_its_pictures_are_current() {
    let docs = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs"));
    let bless = std::env::var_os("BLESS").is_some();
    let mut files: Vec<(std::path::PathBuf, String)> = BUILT_IN
        .into_iter()
        .filter(|(name, _)| *name != SIMULATED)
        .map(|(name, _)| {
            (docs.join(format!("wiring/{name}.svg")), wiring::svg(&board::built_in(name).unwrap()))
        })
        .collect();
    let mut page = std::fs::read_to_string(docs.join("panel.md")).unwrap();
    for (name, text) in NAMES.into_iter().zip([patterns(), codes(), boards(), reference(board::keys())]) {
        let begin = format!(
            "<!-- {name}: made from crates/rackberry-core/src/panel; BLESS=1 cargo test -p rackberry-core manual writes it anew -->\n"
        );
        let end = format!("<!-- end of {name} -->\n");
        let (before, rest) = page.split_once(&begin).unwrap_or_else(|| panic!("docs/panel.md lacks {begin}"));
        let (_, after) = rest.split_once(&end).unwrap_or_else(|| panic!("docs/panel.md lacks {end}"));
        page = [before, &begin, &text, &end, after].concat();
    }
    files.push((docs.join("panel.md"), page));
    for (path, text) in files {
        if bless {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        let stored = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(stored == text, "{} is old: run BLESS=1 cargo test -p rackberry-core manual", path.display());
    }
}

#[test]
fn every_pin_of_a_board_is_in_its_picture() {
    for (name, pins) in [
        ("breadboard-8", &["GPIO17, pin 11", "GPIO5, pin 29", "GPIO26, pin 37", "GPIO22, pin 15"][..]),
        ("blinkt", &["GPIO23, pin 16", "GPIO24, pin 18"]),
        ("apa102-16", &["GPIO10, pin 19", "GPIO11, pin 23", "5 V, pin 2"]),
        ("mcp23017-16", &["0x20.GPB7", "0x21.GPB0", "GPIO25, pin 22"]),
    ] {
        let picture = wiring::svg(&board::built_in(name).unwrap());
        for pin in pins {
            assert!(picture.contains(&format!(">{pin}<")), "{name}: {pin}");
        }
    }
}
