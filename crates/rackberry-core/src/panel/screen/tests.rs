//! Pictures of the display, compared with those in `docs/display/`. `BLESS=1 cargo test -p rackberry-core screen` draws them anew.

use std::path::PathBuf;

use embedded_graphics_simulator::{
    BinaryColorTheme, OutputSettings, OutputSettingsBuilder, SimulatorDisplay,
};
use proptest::prelude::*;

use super::*;
use crate::{ids::Mac, panel::Trouble};

fn node(number: u8, stage: Stage, image: (u64, u64)) -> PanelNode {
    PanelNode {
        mac: Mac([0, 0x25, 0x90, 0xc0, 0xf7, number]),
        name: format!("node{number}"),
        led: None,
        stage,
        failed_in: Stage::Configuring,
        reason: "asked for its configuration, and there is none".into(),
        image,
    }
}

fn facts(mode: StatusMode, nodes: Vec<PanelNode>) -> PanelFacts {
    PanelFacts { mode, address: "10.10.10.1".into(), nodes, ..PanelFacts::default() }
}

fn drawn(facts: &PanelFacts, page: usize) -> SimulatorDisplay<BinaryColor> {
    let mut display = SimulatorDisplay::new(SIZE);
    draw(&mut display, facts, page).unwrap();
    display
}

/// Compares with the stored picture, or stores it.
#[allow(clippy::disallowed_methods)]
fn is_stored(name: &str, facts: &PanelFacts, page: usize) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../../docs/display/{name}.png"));
    // Blue on black, as most of these displays are, and large enough to read.
    let settings: OutputSettings =
        OutputSettingsBuilder::new().theme(BinaryColorTheme::OledBlue).scale(3).build();
    let picture = drawn(facts, page).to_rgb_output_image(&settings);
    if std::env::var_os("BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        picture.save_png(&path).unwrap();
    }
    let stored =
        SimulatorDisplay::<embedded_graphics::pixelcolor::Rgb888>::load_png(&path).unwrap_or_else(|error| {
            panic!("{}: {error}; BLESS=1 cargo test -p rackberry-core screen draws it", path.display())
        });
    let same = stored.to_rgb_output_image(&OutputSettings::default()).as_image_buffer().as_raw().to_vec()
        == picture.as_image_buffer().as_raw().to_vec();
    assert!(
        same,
        "{} is old: run BLESS=1 cargo test -p rackberry-core screen and look at it",
        path.display()
    );
}

#[test]
fn pictures_are_as_stored() {
    is_stored("safe", &facts(StatusMode::Safe, Vec::new()), 0);
    let nodes = vec![
        node(1, Stage::Installed, (0, 0)),
        node(2, Stage::Written, (0, 0)),
        node(3, Stage::Installing, (64, 100)),
        node(4, Stage::Installing, (7, 100)),
        node(5, Stage::Booting, (0, 0)),
        node(6, Stage::Discovered, (0, 0)),
    ];
    is_stored("armed", &facts(StatusMode::Armed, nodes), 0);
    let many = (1..=14).map(|number| node(number, Stage::Installing, (u64::from(number) * 7, 100))).collect();
    is_stored("second-page", &facts(StatusMode::Finishing, many), 1);
    let mut troubled =
        facts(StatusMode::Safe, vec![node(7, Stage::Failed, (0, 0)), node(1, Stage::Installed, (0, 0))]);
    troubled.troubles.insert(Trouble::Network, "eth0 does not have the address 10.10.10.1".into());
    is_stored("trouble", &troubled, 0);
}

#[test]
fn nodes_beyond_the_first_page_have_others() {
    let many =
        |count| facts(StatusMode::Armed, (1..=count).map(|n| node(n, Stage::Loading, (0, 0))).collect());
    assert_eq!([0, 6, 7, 13].map(|count| pages(&many(count))), [1, 1, 2, 3]);
    assert!(drawn(&many(13), 0) != drawn(&many(13), 2));
    assert!(drawn(&many(13), 3) == drawn(&many(13), 0), "they go round");
}

#[test]
fn a_node_that_is_idle_takes_no_room() {
    assert!(
        drawn(&facts(StatusMode::Safe, vec![node(1, Stage::Idle, (0, 0))]), 0)
            == drawn(&facts(StatusMode::Safe, Vec::new()), 0)
    );
}

proptest! {
    #[test]
    fn any_words_are_drawn_within_the_display(reason in ".{0,80}", name in ".{0,20}", sent: u64, total: u64, page in 0usize..9) {
        let mut failed = node(1, Stage::Failed, (0, 0));
        failed.reason = reason;
        failed.name = name;
        let facts = facts(StatusMode::Armed, vec![failed, node(2, Stage::Installing, (sent, total))]);
        drawn(&facts, page);
    }

    #[test]
    fn wrapped_lines_fit(words in ".{0,120}") {
        prop_assert!(wrapped(&words).iter().all(|line| line.chars().count() <= LETTERS));
    }
}
