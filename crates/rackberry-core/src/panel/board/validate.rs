//! A board file's tables to a [`Board`]: every value by itself, then that nothing is connected twice.

use std::path::PathBuf;

use super::{
    Active, Board, ButtonAt, ButtonWires, Display, ExpanderPin, Leds, Line, Pull, Wires, header, keys,
    raw::{self, Pin, RawBoard},
};
use crate::config::{
    fault::Wrong,
    read::Field,
    source::{FaultReport, Place},
    validate::{Check, UsedBy},
    values,
};

/// The first byte of the file: where a fault is that has no place.
const TOP: Place = Place { file: 0, start: 0, end: 0 };
/// A GPIO chip of more lines than this does not exist.
const MOST_LINES: i64 = 1024;

type Checked<T> = Result<T, Wrong>;

/// The board, or `None` after a fault that leaves none.
pub(super) fn board(name: &str, raw: &RawBoard, report: &mut FaultReport) -> Option<Board> {
    let mut check = Check { report };
    let taken = &mut Taken::default();
    let chips = check.list(&raw.board.chips, "board.chips", |label| text(label)).unwrap_or_default();
    if chips.iter().all(|chip| chip.starts_with("pinctrl-")) {
        for bus in buses(raw) {
            taken.take_bus(bus);
        }
    }
    let leds = leds(&raw.leds, &mut check, taken);
    let button = raw.button.as_ref().map(|button| self::button(button, leds.as_ref(), &mut check, taken));
    let display = raw.display.as_ref().map(|display| self::display(display, &mut check));
    if chips.is_empty() && !raw.board.chips.is_bad() && taken.has_lines {
        let help = keys::KEYS.example("board.chips");
        check.report.fault(TOP, "board.chips", Wrong::new("the lines' GPIO chip is not named", help));
    }
    let title = check.text(&raw.board.title, "board.title", text);
    Some(Board {
        name: name.to_owned(),
        title: title.unwrap_or_else(|| name.to_owned()),
        chips,
        leds: leds?,
        button: button.flatten(),
        display: display.flatten(),
    })
}

/// The buses that the board is on.
fn buses(raw: &RawBoard) -> impl Iterator<Item = &str> {
    let display = raw.display.as_ref().and_then(|display| display.i2c.set());
    [raw.leds.spi.set(), raw.leds.i2c.set(), display].into_iter().flatten().map(|at| at.value.as_str())
}

/// What is connected already, and to what.
#[derive(Default)]
struct Taken {
    taken: Vec<(String, String, Option<Place>)>,
    has_lines: bool,
}

impl Taken {
    fn take_bus(&mut self, device: &str) {
        for (line, role) in header::lines_of_bus(device) {
            let owner = format!("{role} of {device}");
            if !self.taken.iter().any(|(what, ..)| *what == format!("line {line}")) {
                self.taken.push((format!("line {line}"), owner, None));
            }
        }
    }

    /// Connects `what` to `owner`; reports it where that is connected already.
    fn take(&mut self, what: String, UsedBy { owner, place, key }: UsedBy<'_>, check: &mut Check) {
        let Some((_, other, at)) = self.taken.iter().find(|(taken, ..)| *taken == what) else {
            self.taken.push((what, owner.to_owned(), Some(place)));
            return;
        };
        let refer = at.map(|at| format!(" ({})", check.report.refer(place, at))).unwrap_or_default();
        let problem = format!("{what} is {other}'s already{refer}");
        check.report.fault(place, key, Wrong::new(problem, "connect each to a line of its own"));
    }

    fn line(&mut self, line: &Line, written: UsedBy<'_>, check: &mut Check) {
        self.has_lines = true;
        self.take(format!("line {line}"), written, check);
    }
}

fn leds(raw: &raw::Leds, check: &mut Check, taken: &mut Taken) -> Option<Leds> {
    #[derive(Clone, Copy)]
    enum Kind {
        Lines,
        Strip,
        Expander,
        Terminal,
    }
    const KINDS: [(&str, Kind); 4] = [
        ("lines", Kind::Lines),
        ("apa102", Kind::Strip),
        ("mcp23017", Kind::Expander),
        ("terminal", Kind::Terminal),
    ];
    needed(&raw.kind, "leds.kind", check);
    let kind = check.value(&raw.kind, "leds.kind", |text: &String| values::choice(text, &KINDS))?;
    needed(&raw.status, "leds.status", check);
    needed(&raw.nodes, "leds.nodes", check);
    if let Some(empty) = raw.nodes.set().filter(|at| at.value.is_empty()) {
        let wrong = Wrong::new("the list is empty", keys::KEYS.example("leds.nodes"));
        check.report.fault(empty.place, "leds.nodes", wrong);
    }
    only_where_it_means_something(raw, check);
    let active = level(&raw.active, "leds.active", Active::High, check);
    match kind {
        Kind::Lines => {
            let (status, nodes) = row(raw, line, check);
            for (owner, at, led) in owners(raw, status.iter().chain(&nodes)) {
                taken.line(led, UsedBy { owner: &owner, place: at, key: "leds" }, check);
            }
            Some(Leds::Lines { status: status?, nodes, active })
        }
        Kind::Strip => {
            let wires = wires(raw, check, taken);
            let (status, nodes) = row(raw, pixel, check);
            for (owner, at, led) in owners(raw, status.iter().chain(&nodes)) {
                taken.take(format!("pixel {led}"), UsedBy { owner: &owner, place: at, key: "leds" }, check);
            }
            let brightness = number(&raw.brightness, "leds.brightness", 1..=100, check).unwrap_or(15);
            Some(Leds::Strip { wires: wires?, status: status?, nodes, brightness })
        }
        Kind::Expander => {
            needed(&raw.i2c, "leds.i2c", check);
            let i2c = check.value(&raw.i2c, "leds.i2c", |text: &String| device(text, "/dev/i2c-"));
            let (status, nodes) = row(raw, expander_pin, check);
            for (owner, at, led) in owners(raw, status.iter().chain(&nodes)) {
                taken.take(led.to_string(), UsedBy { owner: &owner, place: at, key: "leds" }, check);
            }
            Some(Leds::Expander { i2c: i2c?, status: status?, nodes, active })
        }
        Kind::Terminal => {
            let (status, nodes) = row(raw, pixel, check);
            for (owner, at, led) in owners(raw, status.iter().chain(&nodes)) {
                taken.take(format!("place {led}"), UsedBy { owner: &owner, place: at, key: "leds" }, check);
            }
            Some(Leds::Terminal { nodes: u16::try_from(nodes.len()).ok()? })
        }
    }
}

/// Keys that other kinds of LEDs have are faults.
fn only_where_it_means_something(raw: &raw::Leds, check: &mut Check) {
    let only = |kinds: &[&str], written: Option<Place>, key: &str, check: &mut Check| {
        let name = raw.kind.set().map_or("", |at| at.value.as_str());
        if let Some(place) = written.filter(|_| !kinds.contains(&name)) {
            let help = format!("it is for {}; take it away", kinds.join(" and "));
            check.report.fault(place, key, Wrong::new(format!("has no meaning for {name}"), help));
        }
    };
    only(&["lines", "mcp23017"], place(&raw.active), "leds.active", check);
    only(&["apa102"], place(&raw.data), "leds.data", check);
    only(&["apa102"], place(&raw.clock), "leds.clock", check);
    only(&["apa102"], place(&raw.spi), "leds.spi", check);
    only(&["apa102"], place(&raw.speed), "leds.speed", check);
    only(&["apa102"], place(&raw.brightness), "leds.brightness", check);
    only(&["mcp23017"], place(&raw.i2c), "leds.i2c", check);
}

/// Status and node LEDs, each read by `read`.
fn row<T: PartialEq>(
    raw: &raw::Leds,
    read: fn(&Pin) -> Checked<T>,
    check: &mut Check,
) -> (Option<T>, Vec<T>) {
    let status = check.value(&raw.status, "leds.status", read);
    let items = raw.nodes.set().map(|at| at.value.as_slice()).unwrap_or_default();
    let nodes: Vec<T> =
        items.iter().filter_map(|item| check.checked(item.place, "leds.nodes", read(&item.value))).collect();
    (status, nodes)
}

/// The LEDs that were read, each with its owner's name and place. Where one could not be read, none: the others'
/// places would not fit.
fn owners<'a, T>(raw: &raw::Leds, leds: impl Iterator<Item = &'a T>) -> Vec<(String, Place, &'a T)> {
    let items = raw.nodes.set().map(|at| at.value.as_slice()).unwrap_or_default();
    let mut places: Vec<(String, Place)> =
        raw.status.set().map(|at| ("the status LED".to_owned(), at.place)).into_iter().collect();
    places.extend(items.iter().enumerate().map(|(at, item)| (format!("LED {}", at + 1), item.place)));
    let leds: Vec<&T> = leds.collect();
    if leds.len() != places.len() {
        return Vec::new();
    }
    places.into_iter().zip(leds).map(|((owner, place), led)| (owner, place, led)).collect()
}

fn wires(raw: &raw::Leds, check: &mut Check, taken: &mut Taken) -> Option<Wires> {
    let speed = number(&raw.speed, "leds.speed", 100_000..=20_000_000, check).unwrap_or(1_000_000);
    if let Some(spi) = raw.spi.set() {
        if let Some(place) = place(&raw.data).or(place(&raw.clock)) {
            let wrong = Wrong::new("the strip is on SPI already", "take `spi`, or `data` and `clock`, away");
            check.report.fault(place, "leds.data", wrong);
        }
        let device = check.checked(spi.place, "leds.spi", device(&spi.value, "/dev/spidev"))?;
        return Some(Wires::Spi { device, speed });
    }
    if raw.spi.is_bad() {
        return None;
    }
    needed(&raw.data, "leds.data", check);
    needed(&raw.clock, "leds.clock", check);
    let data = check.value(&raw.data, "leds.data", line);
    let clock = check.value(&raw.clock, "leds.clock", line);
    for (line, owner, field) in [(&data, "data", &raw.data), (&clock, "clock", &raw.clock)] {
        if let (Some(line), Some(at)) = (line, field.set()) {
            let (owner, key) = (format!("the strip's {owner}"), format!("leds.{owner}"));
            taken.line(line, UsedBy { owner: &owner, place: at.place, key: &key }, check);
        }
    }
    Some(Wires::Bits { data: data?, clock: clock? })
}

fn button(
    raw: &raw::Button,
    leds: Option<&Leds>,
    check: &mut Check,
    taken: &mut Taken,
) -> Option<ButtonWires> {
    needed(&raw.line, "button.line", check);
    let place = raw.line.set()?.place;
    let pulls = [("up", Pull::Up), ("down", Pull::Down), ("none", Pull::None)];
    let pull = check.text(&raw.pull, "button.pull", |text| values::choice(text, &pulls)).unwrap_or(Pull::Up);
    let active = level(&raw.active, "button.active", Active::Low, check);
    let interrupt = check.value(&raw.interrupt, "button.interrupt", line);
    if let (Some(line), Some(at)) = (&interrupt, raw.interrupt.set()) {
        let written = UsedBy { owner: "the expander's INTA", place: at.place, key: "button.interrupt" };
        taken.line(line, written, check);
    }
    let at = match (leds, check.value(&raw.line, "button.line", |pin| Ok(pin.clone()))?) {
        (Some(Leds::Terminal { .. }), _) => ButtonAt::Terminal,
        (Some(Leds::Expander { i2c, .. }), Pin::Name(name)) if name.contains('.') => {
            let pin = check.checked(place, "button.line", expander_pin(&Pin::Name(name)))?;
            taken.take(pin.to_string(), UsedBy { owner: "the button", place, key: "button.line" }, check);
            if pull == Pull::Down {
                let wrong = Wrong::new("a port expander can't pull down", "write pull = \"up\" or \"none\"");
                check.report.fault(place_of(&raw.pull, place), "button.pull", wrong);
            }
            ButtonAt::Expander { i2c: i2c.clone(), pin, interrupt: interrupt.clone() }
        }
        (_, pin) => {
            let line = check.checked(place, "button.line", line(&pin))?;
            taken.line(&line, UsedBy { owner: "the button", place, key: "button.line" }, check);
            ButtonAt::Line(line)
        }
    };
    if let (Some(written), false) = (raw.interrupt.set(), matches!(at, ButtonAt::Expander { .. })) {
        let wrong = Wrong::new("the button is on no port expander", "take the interrupt away");
        check.report.fault(written.place, "button.interrupt", wrong);
    }
    Some(ButtonWires { at, active, pull })
}

fn display(raw: &raw::Display, check: &mut Check) -> Option<Display> {
    needed(&raw.i2c, "display.i2c", check);
    let i2c = check.value(&raw.i2c, "display.i2c", |text: &String| device(text, "/dev/i2c-"));
    let address = number(&raw.address, "display.address", 0x3c..=0x3d, check).unwrap_or(0x3c);
    let turned = raw.turned.set().is_some_and(|at| at.value);
    Some(Display { i2c: i2c?, address, turned })
}

fn needed<T>(field: &Field<T>, key: &str, check: &mut Check) {
    if matches!(field, Field::Absent) {
        check.report.fault(TOP, key, Wrong::new("is missing", keys::KEYS.example(key)));
    }
}

fn place<T>(field: &Field<T>) -> Option<Place> {
    match field {
        Field::Set(at) => Some(at.place),
        Field::Absent | Field::Bad => None,
    }
}

fn place_of<T>(field: &Field<T>, otherwise: Place) -> Place {
    place(field).unwrap_or(otherwise)
}

/// The level that counts.
fn level(field: &Field<String>, key: &str, otherwise: Active, check: &mut Check) -> Active {
    let levels = [("high", Active::High), ("low", Active::Low)];
    check.text(field, key, |text| values::choice(text, &levels)).unwrap_or(otherwise)
}

fn number<T: TryFrom<i64>>(
    field: &Field<i64>,
    key: &str,
    limits: std::ops::RangeInclusive<i64>,
    check: &mut Check,
) -> Option<T> {
    check.value(field, key, |number| {
        let help = format!("choose from {} to {}", limits.start(), limits.end());
        let wrong = || Wrong::new(format!("{number} is out of its limits"), help.clone());
        T::try_from(*number).ok().filter(|_| limits.contains(number)).ok_or_else(wrong)
    })
}

fn text(text: &str) -> Checked<String> {
    if text.trim().is_empty() || text.contains(char::is_control) || text.len() > 100 {
        return Err(Wrong::new(format!("{text:?} is no label"), "up to 100 letters, on one line"));
    }
    Ok(text.to_owned())
}

fn device(text: &str, begin: &str) -> Checked<PathBuf> {
    let rest = text.strip_prefix(begin).unwrap_or_default();
    if rest.is_empty() || !rest.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return Err(Wrong::new(
            format!("{text:?} is no such device"),
            format!("for example {begin:?} and its number"),
        ));
    }
    Ok(PathBuf::from(text))
}

fn line(pin: &Pin) -> Checked<Line> {
    match pin {
        Pin::Number(number) => u32::try_from(*number)
            .ok()
            .filter(|_| *number < MOST_LINES)
            .map(Line::Offset)
            .ok_or_else(|| Wrong::new(format!("{number} is no line's number"), "lines count from 0")),
        Pin::Name(name) => {
            if let Some(number) = name.strip_prefix("GPIO").and_then(|rest| rest.parse().ok()) {
                return Ok(Line::Offset(number));
            }
            text(name).map(Line::Name)
        }
    }
}

fn pixel(pin: &Pin) -> Checked<u8> {
    let wrong =
        |shown: String| Wrong::new(format!("{shown} is no place in a row"), "places count from 1, to 255");
    match pin {
        Pin::Number(number) => {
            u8::try_from(*number).ok().filter(|place| *place > 0).ok_or_else(|| wrong(number.to_string()))
        }
        Pin::Name(name) => Err(wrong(format!("{name:?}"))),
    }
}

fn expander_pin(pin: &Pin) -> Checked<ExpanderPin> {
    let read = |name: &str| {
        let (address, pin) = name.split_once('.')?;
        let address = u8::from_str_radix(address.strip_prefix("0x")?, 16).ok()?;
        let (port, number) = pin.strip_prefix("GP")?.split_at_checked(1)?;
        let number: u8 = number.parse().ok().filter(|number| *number < 8)?;
        let first = match port {
            "A" => 0,
            "B" => 8,
            _ => return None,
        };
        // The MCP23017's three address pins.
        (0x20..=0x27).contains(&address).then_some(ExpanderPin { address, pin: first + number })
    };
    let shown = match pin {
        Pin::Name(name) => match read(name) {
            Some(pin) => return Ok(pin),
            None => format!("{name:?}"),
        },
        Pin::Number(number) => number.to_string(),
    };
    let help = "the chip's address, 0x20 to 0x27, and GPA0 to GPA7 or GPB0 to GPB7, like \"0x20.GPA0\"";
    Err(Wrong::new(format!("{shown} is no port expander's pin"), help))
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Line::Offset(number) => write!(f, "{number}"),
            Line::Name(name) => write!(f, "{name:?}"),
        }
    }
}

impl std::fmt::Display for ExpanderPin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let port = if self.pin < 8 { 'A' } else { 'B' };
        write!(f, "0x{:x}.GP{port}{}", self.address, self.pin % 8)
    }
}
