//! `make bench`: the whole service beside what people would install instead, on this machine, in networks of their own.
//!
//! One module a protocol (`dhcp.rs`, `http.rs`), which says what is done and measured; `report.rs` keeps the figures. Servers are measured
//! in turn within each round, so that what else the machine does meets them all alike, and medians count. The clients are this
//! program too (`peers client ...`), and take no byte that is not the right one.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "it measures, and may fail aloud"
)]

#[path = "../support/mod.rs"]
mod support;

mod dhcp;
mod http;
mod process;
mod report;

use std::path::PathBuf;

/// What is asked for.
struct Options {
    rounds: usize,
    /// Little work, for a look whether it runs.
    is_short: bool,
    /// The build of rackberry that is measured.
    own: PathBuf,
    /// Another one to measure beside it.
    other: Option<PathBuf>,
    /// Part of the name of the works that are done.
    only: String,
}

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let own = support::service::BINARY.into();
    let mut options = Options { rounds: 5, is_short: false, own, other: None, only: String::new() };
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().unwrap_or_else(|| panic!("{argument} needs a value"));
        match argument.as_str() {
            "dhcp-client" => return dhcp::client::main(&arguments.collect::<Vec<_>>()),
            "client" => return http::client::main(&arguments.collect::<Vec<_>>()),
            "--rounds" => options.rounds = value().parse().expect("a number"),
            "--short" => (options.is_short, options.rounds) = (true, 1),
            "--own" => options.own = value().into(),
            "--other" => options.other = Some(value().into()),
            "--only" => options.only = value(),
            _ => panic!("peers [--rounds N] [--short] [--only WORDS] [--own BINARY] [--other BINARY]"),
        }
    }
    let figures = [dhcp::run(&options), http::run(&options)].concat();
    report::table(&figures);
    report::json(&figures, &support::root().join("target/bench.json"));
}
