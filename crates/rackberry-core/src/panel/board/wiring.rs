//! A board's wiring as a picture (SVG) and a list of parts, both made from its file.

mod draw;

use super::{Active, Board, ButtonAt, ExpanderPin, HeaderPin, Leds, Line, Wires, header};
use draw::{Drawing, Symbol};

/// Everything that one row of the picture connects, from left to right.
struct Row {
    /// Where it begins: a pin, in words.
    from: String,
    symbols: Vec<Symbol>,
    /// Where it ends.
    to: String,
}

/// A part with its connections.
struct Group {
    title: String,
    rows: Vec<Row>,
}

/// The picture.
pub fn svg(board: &Board) -> String {
    let groups = groups(board);
    let tags = tags(board);
    let mut drawing = Drawing::new(&format!("{}: {}", board.name, board.title));
    if board.is_for_raspberry_pi() {
        drawing.header(&header::PINS.map(|pin| (pin, tag(&tags, pin))));
    }
    for group in &groups {
        drawing.heading(&group.title);
        for row in &group.rows {
            drawing.row(&row.from, &row.symbols, &row.to);
        }
    }
    drawing.finish()
}

/// What to buy, with how many of each.
pub fn parts(board: &Board) -> Vec<(usize, String)> {
    let mut parts = Vec::new();
    let leds = usize::from(board.node_leds()) + 1;
    let mut single = |count: usize| {
        parts
            .push((count, "LED, 3 or 5 mm, any colour; one of another colour for the status LED".to_owned()));
        parts.push((count, "resistor, 330 Ω".to_owned()));
    };
    match &board.leds {
        Leds::Lines { .. } => single(leds),
        Leds::Expander { .. } => {
            single(leds);
            let count = expanders(board).len();
            parts.push((count, "MCP23017 port expander (DIP-28, or on a breakout board)".to_owned()));
            parts.push((count, "capacitor, 100 nF, at each expander's supply pins".to_owned()));
        }
        Leds::Strip { wires: Wires::Bits { .. }, .. } if board.name == "blinkt" => {
            parts.push((1, "Pimoroni Blinkt!".to_owned()));
            parts.push((1, "40-pin stacking header, so that the button's pins are within reach".to_owned()));
        }
        Leds::Strip { .. } => {
            parts.push((1, format!("APA102 or SK9822 strip of {leds} pixels")));
            parts.push((1, "capacitor, 470 µF 10 V, across the strip's supply".to_owned()));
        }
        Leds::Terminal { .. } => {}
    }
    if board.button.as_ref().is_some_and(|button| button.at != ButtonAt::Terminal) {
        parts.push((1, "push button, normally open".to_owned()));
    }
    if board.display.is_some() {
        parts.push((1, "SSD1306 display, 128 × 64, I2C, 3.3 V (optional)".to_owned()));
    }
    parts
}

/// Which parts a header's pin goes to.
fn tags(board: &Board) -> Vec<(Line, String)> {
    let mut tags = Vec::new();
    match &board.leds {
        Leds::Lines { status, nodes, .. } => {
            tags.push((status.clone(), "status".to_owned()));
            tags.extend(nodes.iter().enumerate().map(|(at, line)| (line.clone(), format!("LED {}", at + 1))));
        }
        Leds::Strip { wires: Wires::Bits { data, clock }, .. } => {
            tags.push((data.clone(), "data".to_owned()));
            tags.push((clock.clone(), "clock".to_owned()));
        }
        Leds::Strip { wires: Wires::Spi { device, .. }, .. } => {
            let lines = header::lines_of_bus(&device.to_string_lossy());
            let used = lines.iter().filter(|(_, role)| matches!(*role, "MOSI" | "SCLK"));
            tags.extend(used.map(|(line, role)| (Line::Offset(*line), (*role).to_owned())));
        }
        Leds::Expander { .. } | Leds::Terminal { .. } => {}
    }
    match board.button.as_ref().map(|button| &button.at) {
        Some(ButtonAt::Line(line)) => tags.push((line.clone(), "button".to_owned())),
        Some(ButtonAt::Expander { interrupt: Some(line), .. }) => {
            tags.push((line.clone(), "INTA".to_owned()))
        }
        _ => {}
    }
    let display = board.display.as_ref().map(|display| &display.i2c);
    let expander = if let Leds::Expander { i2c, .. } = &board.leds { Some(i2c) } else { None };
    if let Some(bus) = expander.or(display) {
        let lines = header::lines_of_bus(&bus.to_string_lossy());
        tags.extend(lines.iter().map(|(line, role)| (Line::Offset(*line), (*role).to_owned())));
    }
    tags
}

fn tag(tags: &[(Line, String)], pin: HeaderPin) -> Option<&str> {
    let HeaderPin::Gpio(number) = pin else { return None };
    tags.iter().find(|(line, _)| *line == Line::Offset(number)).map(|(_, tag)| tag.as_str())
}

fn groups(board: &Board) -> Vec<Group> {
    let mut groups = Vec::new();
    match &board.leds {
        Leds::Lines { status, nodes, active } => {
            let pins = std::iter::once(status).chain(nodes).map(|line| place(board, line));
            groups.push(Group { title: "LEDs, each with its resistor".into(), rows: leds(pins, *active) });
        }
        Leds::Strip { wires, status, nodes, .. } => groups.push(strip(board, wires, *status, nodes)),
        Leds::Expander { status, nodes, active, .. } => {
            for address in expanders(board) {
                groups.push(expander(board, address, *status, nodes, *active));
            }
        }
        Leds::Terminal { .. } => {}
    }
    if let Some(button) = &board.button {
        let ends = if button.active == Active::Low { "ground" } else { "3.3 V" };
        let from = match &button.at {
            ButtonAt::Line(line) => Some(place(board, line)),
            ButtonAt::Expander { pin, .. } => Some(pin.to_string()),
            ButtonAt::Terminal => None,
        };
        let rows = from.map(|from| Row { from, symbols: vec![Symbol::Button], to: ends.into() });
        groups.extend(rows.map(|row| Group { title: "button".into(), rows: vec![row] }));
    }
    if let Some(display) = &board.display {
        let title = format!("optional: SSD1306 display, address 0x{:x}", display.address);
        groups.push(Group {
            title,
            rows: bus_rows(&["VCC", "GND", "SDA", "SCL"], board, &display.i2c.to_string_lossy()),
        });
    }
    groups
}

fn leds(pins: impl Iterator<Item = String>, active: Active) -> Vec<Row> {
    let row = |(at, from): (usize, String)| {
        let name = if at == 0 { "status".into() } else { at.to_string() };
        let (symbols, to) = match active {
            Active::High => (vec![Symbol::Resistor, Symbol::Led(name, false)], "ground"),
            Active::Low => (vec![Symbol::Led(name, true), Symbol::Resistor], "3.3 V"),
        };
        Row { from, symbols, to: to.into() }
    };
    pins.enumerate().map(row).collect()
}

fn strip(board: &Board, wires: &Wires, status: u8, nodes: &[u8]) -> Group {
    let (data, clock) = match wires {
        Wires::Bits { data, clock } => (place(board, data), place(board, clock)),
        Wires::Spi { device, .. } => {
            let lines = header::lines_of_bus(&device.to_string_lossy());
            let of = |wanted| lines.iter().find(|(_, role)| *role == wanted);
            let pin = |role| {
                of(role).map_or(format!("{role} of {}", device.display()), |(line, _)| {
                    place(board, &Line::Offset(*line))
                })
            };
            (pin("MOSI"), pin("SCLK"))
        }
    };
    let nodes: Vec<String> = nodes.iter().map(ToString::to_string).collect();
    let wire = |from: String, to: &str| Row { from, symbols: Vec::new(), to: to.into() };
    let title = format!("APA102 strip: pixel {status} is the status LED, nodes are on {}", ranges(&nodes));
    let rows = vec![
        wire(data, "DI (data)"),
        wire(clock, "CI (clock)"),
        wire(supply(HeaderPin::Volts5), "5 V"),
        wire(supply(HeaderPin::Ground), "GND"),
    ];
    Group { title, rows }
}

fn expander(board: &Board, address: u8, status: ExpanderPin, nodes: &[ExpanderPin], active: Active) -> Group {
    let Leds::Expander { i2c, .. } = &board.leds else {
        return Group { title: String::new(), rows: Vec::new() };
    };
    let wire = |from: String, to: String| Row { from, symbols: Vec::new(), to };
    let mut rows = bus_rows(&["VDD, RESET", "VSS", "SDA", "SCL"], board, &i2c.to_string_lossy());
    for (bit, pin) in ["A0", "A1", "A2"].into_iter().enumerate() {
        let level = if address >> bit & 1 == 1 { HeaderPin::Volts3 } else { HeaderPin::Ground };
        rows.push(wire(supply(level), pin.into()));
    }
    if let Some(ButtonAt::Expander { pin, interrupt: Some(line), .. }) =
        board.button.as_ref().map(|button| &button.at)
        && pin.address == address
    {
        rows.push(wire(place(board, line), "INTA".into()));
    }
    let all = leds(std::iter::once(&status).chain(nodes).map(ToString::to_string), active);
    let own = std::iter::once(&status).chain(nodes).zip(all).filter(|(pin, _)| pin.address == address);
    rows.extend(own.map(|(_, row)| row));
    Group { title: format!("MCP23017 at 0x{address:x}"), rows }
}

/// A chip on I2C: its pins for supply, ground, data and clock.
fn bus_rows(pins: &[&str; 4], board: &Board, bus: &str) -> Vec<Row> {
    let lines = header::lines_of_bus(bus);
    let of = |role: &str| {
        let line = lines.iter().find(|(_, known)| *known == role);
        line.map_or(format!("{role} of {bus}"), |(line, _)| place(board, &Line::Offset(*line)))
    };
    let from = [supply(HeaderPin::Volts3), supply(HeaderPin::Ground), of("SDA"), of("SCL")];
    let wire = |(from, to): (String, &&str)| Row { from, symbols: Vec::new(), to: (*to).into() };
    from.into_iter().zip(pins).map(wire).collect()
}

/// The addresses of a board's expanders.
fn expanders(board: &Board) -> Vec<u8> {
    let Leds::Expander { status, nodes, .. } = &board.leds else { return Vec::new() };
    let mut all: Vec<u8> = nodes.iter().chain([status]).map(|pin| pin.address).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// A line, with its pin where it is on the header.
fn place(board: &Board, line: &Line) -> String {
    let pin = match line {
        Line::Offset(number) if board.is_for_raspberry_pi() => {
            header::PINS.iter().position(|pin| *pin == HeaderPin::Gpio(*number)).map(|at| (number, at + 1))
        }
        _ => None,
    };
    match pin {
        Some((number, pin)) => format!("GPIO{number}, pin {pin}"),
        None => format!("line {line}"),
    }
}

/// The first pin of a supply.
fn supply(wanted: HeaderPin) -> String {
    let at = header::PINS.iter().position(|pin| *pin == wanted).unwrap_or_default();
    format!("{}, pin {}", wanted.label(), at + 1)
}

/// `2 to 8`, or what there is.
fn ranges(numbers: &[String]) -> String {
    match numbers {
        [] => "none".into(),
        [one] => one.clone(),
        [first, .., last] => format!("{first} to {last}"),
    }
}
