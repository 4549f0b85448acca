//! The command line: parse, call, print the error chain once, exit code.

mod arguments;
mod assets;
mod completions;
mod control;
mod paint;
mod report;
mod view;
mod watch;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::{CommandFactory as _, Parser as _};

use arguments::{Arguments, Demo, ImageCommand, NodeCommand, PanelCommand, ReportCommand, TopCommand};

#[cfg(feature = "demo")]
use crate::demo;
use crate::{
    hardware::{board as load, trial},
    image, service,
    storage::configuration,
};
use rackberry_core::{
    config,
    panel::board::{Board, wiring},
};

/// The command's name.
pub const NAME: &str = "rackberry";
/// Exit code where the words of the command line are wrong (clap's own, said once).
const USAGE: u8 = 2;

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Printing help can only fail where nobody reads.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rackberry: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The description of the command line, from which completions and man pages are made.
pub fn command() -> clap::Command {
    Arguments::command()
}

fn run(arguments: Arguments) -> anyhow::Result<()> {
    let socket = arguments.socket;
    match arguments.command {
        TopCommand::Serve(serve) => {
            let settings = match configuration::load(&serve.config) {
                Ok(settings) => settings,
                Err(faults) => return refuse(faults, serve.panel.into()),
            };
            let options = service::ServiceOptions {
                config: serve.config,
                state: serve.state,
                journal_mark: serve.journal_mark,
                panel: serve.panel.into(),
                config_faults: serve.config_faults,
                socket,
            };
            runtime()?.block_on(service::serve(settings, options))
        }
        TopCommand::Check(check) => self::check(check.config),
        TopCommand::Completions { shell } => completions::print(shell),
        TopCommand::Panel(PanelCommand::Test { board, config }) => self::panel_test(board, config),
        TopCommand::Panel(PanelCommand::Wiring { board, config }) => {
            print!("{}", wiring::svg(&self::board(board, config)?));
            Ok(())
        }
        TopCommand::Status { output } => runtime()?.block_on(control::status(&socket, output)),
        TopCommand::Watch => runtime()?.block_on(watch::watch(&socket)),
        TopCommand::Arm(arm) => runtime()?.block_on(control::arm(&socket, &arm.into())),
        TopCommand::Disarm => runtime()?.block_on(control::order(&socket, "/api/v1/disarm")),
        TopCommand::AcceptLoss => runtime()?.block_on(control::order(&socket, "/api/v1/accept-loss")),
        TopCommand::Nodes { output } => runtime()?.block_on(control::nodes(&socket, output)),
        TopCommand::Node(NodeCommand::Show { node, output, render: true }) => {
            runtime()?.block_on(control::render(&socket, &node, output))
        }
        TopCommand::Node(NodeCommand::Show { node, output, .. }) => {
            runtime()?.block_on(control::node(&socket, &node, output))
        }
        TopCommand::Node(NodeCommand::Forget { node }) => {
            runtime()?.block_on(control::node_order(&socket, &node, "forget"))
        }
        TopCommand::Node(NodeCommand::Wake { node }) => {
            runtime()?.block_on(control::node_order(&socket, &node, "wake"))
        }
        TopCommand::Node(NodeCommand::Reinstall { node }) => {
            runtime()?.block_on(control::node_order(&socket, &node, "reinstall"))
        }
        TopCommand::Assets(command) => runtime()?.block_on(assets::run(&socket, command)),
        TopCommand::Report(ReportCommand::Save { file, config }) => {
            runtime()?.block_on(report::save(&socket, &file, &config))
        }
        TopCommand::Demo(demo) => self::demo(demo),
        TopCommand::Image(command) => image(command, &socket),
        #[cfg(feature = "demo")]
        TopCommand::SimulatedNodes { count, pause } => {
            runtime()?.block_on(rack_lab::simulated::run(count, pause.unwrap_or_default()))
        }
        #[cfg(feature = "demo")]
        TopCommand::Cable { interface, ours, theirs } => {
            runtime()?.block_on(rack_lab::cable::carry(&interface, &ours, &theirs))
        }
    }
}

/// `rackberry demo`
#[cfg(feature = "demo")]
fn demo(Demo { nodes, simulated, assets, loaders }: Demo) -> anyhow::Result<()> {
    demo::run(&demo::DemoOptions { nodes, simulated, assets, loaders })
}

/// `rackberry demo` where it is not: on a Raspberry Pi.
#[cfg(not(feature = "demo"))]
fn demo(_: Demo) -> anyhow::Result<()> {
    anyhow::bail!(
        "this binary has no demo, because it is built for a Raspberry Pi; on a PC, `make demo` in rackberry's sources \
         builds and runs it"
    )
}

/// What the SD image's units run.
fn image(command: ImageCommand, socket: &std::path::Path) -> anyhow::Result<()> {
    let root = image::Root("/".into());
    match command {
        ImageCommand::Setup => image::setup(&root),
        ImageCommand::Prove => runtime()?.block_on(image::prove(&root, socket)),
        ImageCommand::Report => runtime()?.block_on(image::report(&root, socket)),
        ImageCommand::Mark => image::mark(&root),
        ImageCommand::Tree { volume } => image::tree(&volume, &root.loaders()),
        ImageCommand::Console => runtime()?.block_on(image::console(&root, socket)),
        ImageCommand::Login => runtime()?.block_on(image::login()),
    }
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("can't start the runtime")
}

/// A configuration with faults: they are told on standard error, and by the panel to whoever stands at the rack.
fn refuse(faults: config::Faults, panel: service::PanelChoice) -> anyhow::Result<()> {
    eprintln!("{faults}");
    if panel == service::PanelChoice::Auto {
        runtime()?.block_on(service::show_faulty_configuration());
    }
    anyhow::bail!("the configuration has {}", count(faults.count(), "fault"))
}

/// `rackberry panel test`
fn panel_test(board: Option<String>, config: Vec<PathBuf>) -> anyhow::Result<()> {
    let board = self::board(board, config)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(trial::run(&board))
}

/// The board that was named, or else the configured one.
fn board(named: Option<String>, config: Vec<PathBuf>) -> anyhow::Result<Board> {
    let name = match named {
        Some(name) if name.contains('/') || !name.ends_with(".toml") => name,
        Some(file) => format!("./{file}"),
        None => configuration::load(&configuration::named_or_installed(config))?.panel.board,
    };
    Ok(load::load(&name)?)
}

fn count(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

/// `rackberry check`: the configuration, then what it points to.
fn check(named: Vec<PathBuf>) -> anyhow::Result<()> {
    let is_named = !named.is_empty();
    let files = configuration::named_or_installed(named);
    for file in files.iter().filter(|_| !is_named) {
        println!("looks at {}, as the service does", file.display());
    }
    let settings = configuration::load(&files)?;
    let service::CheckFindings { faults, notes } = service::faults(&settings);
    for note in notes {
        println!("{note}");
    }
    for fault in &faults {
        eprintln!("{fault}");
    }
    if !faults.is_empty() {
        anyhow::bail!("{} found", count(faults.len(), "fault"));
    }
    println!("no faults");
    Ok(())
}
