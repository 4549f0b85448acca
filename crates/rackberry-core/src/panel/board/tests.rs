//! Board files as people write them: faults by place and words, and what the built-in ones say.

use std::path::Path;

use proptest::prelude::*;

use super::*;

fn faults(text: &str) -> String {
    parse(Path::new("my.toml"), text).expect_err(text).to_string()
}

const LINES: &str = "[board]\nchips = ['chip']\n[leds]\nkind = 'lines'\n";

#[test]
fn built_in_boards_are_valid_and_called_by_their_files() {
    for (name, text) in BUILT_IN {
        let board = parse(Path::new(&format!("board/{name}.toml")), text).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(built_in(name), Some(Board { name: name.into(), ..board }));
    }
    let leds = BUILT_IN.map(|(name, _)| built_in(name).unwrap().node_leds());
    assert_eq!(leds, [8, 7, 16, 16, 8]);
    assert_eq!(built_in("breadboard-9"), None);
}

#[test]
fn the_breadboard_is_wired_as_the_design_says() {
    let board = built_in("breadboard-8").unwrap();
    let nodes = [5, 6, 12, 13, 16, 19, 20, 26].map(Line::Offset).to_vec();
    assert_eq!(board.leds, Leds::Lines { status: Line::Offset(17), nodes, active: Active::High });
    let button = board.button.unwrap();
    assert_eq!((button.at, button.active), (ButtonAt::Line(Line::Offset(22)), Active::Low));
    let blinkt = built_in("blinkt").unwrap();
    let Leds::Strip { wires, status: 1, nodes, .. } = blinkt.leds else { panic!("{:?}", blinkt.leds) };
    assert_eq!(wires, Wires::Bits { data: Line::Offset(23), clock: Line::Offset(24) });
    assert_eq!(nodes, [2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn every_fault_names_its_place_and_says_what_would_be_right() {
    let with = |rest: &str| format!("{LINES}{rest}");
    for (text, place, words) in [
        (
            with("status = 17\nnodes = [5, 17]"),
            "my.toml:6:13",
            "line 17 is the status LED's already (line 5)",
        ),
        (
            with("status = 17\nnodes = [5]\n[button]\nline = 5"),
            "my.toml:8:8",
            "line 5 is LED 1's already (line 6)",
        ),
        (with("status = 17\nnodes = []"), "my.toml:6:9", "empty"),
        (with("status = 17"), "my.toml:1:1: leds.nodes", "missing"),
        (with("status = 17\nnodes = [5]\nbrigthness = 3"), "my.toml:7:1", "did you mean `brightness`"),
        (with("status = 17\nnodes = [5]\nbrightness = 3"), "my.toml:7:14", "no meaning for lines"),
        (with("status = 17\nnodes = [5]\nactive = 'lo'"), "my.toml:7:10", "\"low\""),
        (with("status = -1\nnodes = [5]"), "my.toml:5:10", "count from 0"),
        (with("status = true\nnodes = [5]"), "my.toml:5:10", "a number, or a name"),
        (with("status = 17\nnodes = [5]\n[buttons]\nline = 4"), "my.toml:7:2", "did you mean [button]?"),
        (
            with("status = 17\nnodes = [5]\n[button]\nline = 4\ninterrupt = 6"),
            "my.toml:9:13",
            "no port expander",
        ),
        ("[leds]\nkind = 'lines'\nstatus = 17\nnodes = [5]".into(), "my.toml:1:1: board.chips", "not named"),
        ("[leds]\nkind = 'lamps'".into(), "my.toml:2:8", "\"apa102\""),
        (String::new(), "my.toml:1:1: leds.kind", "missing"),
        ("[leds]\nkind = 'apa102'\nstatus = 1\nnodes = [2]".into(), "leds.data", "missing"),
        (
            "[leds]\nkind = 'apa102'\nspi = '/dev/spidev0.0'\nstatus = 1\nnodes = [2, 2]".into(),
            "my.toml:5:13",
            "pixel 2 is LED 1's already",
        ),
        (
            "[leds]\nkind = 'mcp23017'\ni2c = '/dev/i2c-1'\nstatus = '0x20.GPC0'\nnodes = ['0x28.GPA0']"
                .into(),
            "my.toml:4:10",
            "0x20.GPA0",
        ),
        (
            "[leds]\nkind = 'mcp23017'\ni2c = '/dev/i2c-1'\nstatus = '0x20.GPA0'\nnodes = ['0x20.GPA1']\n\
             [button]\nline = '0x20.GPA1'"
                .into(),
            "my.toml:7:8",
            "0x20.GPA1 is LED 1's already (line 5)",
        ),
        (
            "[leds]\nkind = 'terminal'\nstatus = 1\nnodes = [2]\n[display]\naddress = 0x20".into(),
            "my.toml:6:11",
            "60",
        ),
        ("[leds\n".into(), "my.toml:1", "]"),
    ] {
        let said = faults(&text);
        assert!(said.contains(place), "{text}\n-> {said}");
        assert!(said.contains(words), "{text}\n-> {said}");
    }
}

#[test]
fn a_bus_takes_its_pins_of_the_header() {
    let strip = "[board]\nchips = ['pinctrl-rp1']\n[leds]\nkind = 'apa102'\nspi = '/dev/spidev0.0'\nstatus = 1\nnodes = [2]\n";
    let said = faults(&format!("{strip}[button]\nline = 'GPIO10'"));
    assert!(
        said.contains("my.toml:9:8") && said.contains("line 10 is MOSI of /dev/spidev0.0's already"),
        "{said}"
    );
    parse(Path::new("x"), &format!("{strip}[button]\nline = 22")).unwrap();
    // Elsewhere than on a Raspberry Pi nobody knows where a bus comes out.
    let other = strip.replace("pinctrl-rp1", "gpio-sim");
    parse(Path::new("x"), &format!("{other}[button]\nline = 10")).unwrap();
}

proptest! {
    #[test]
    fn any_text_is_parsed_or_refused_without_panic(
        text in "(\\[|\\]|=|\"|'|[0-9]|\n| |,|board|leds|button|kind|lines|apa102|mcp23017|status|nodes|0x20.GPA){0,60}"
    ) {
        let _ = parse(Path::new("f"), &text);
    }
}
