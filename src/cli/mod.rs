//! The command line: parse, call, print the error chain once, exit code.

mod arguments;
mod assets;
mod control;
mod manuals;
mod paint;
mod report;
mod view;
mod watch;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::Parser as _;

use arguments::{Arguments, Command, Demo, ImageCommand, NodeCommand, PanelCommand, ReportCommand};

use crate::{
    demo,
    hardware::{board as load, trial},
    image, service,
    storage::configuration,
};
use rackberry_core::{
    config,
    panel::board::{Board, wiring},
};

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

fn run(arguments: Arguments) -> anyhow::Result<()> {
    let socket = arguments.socket;
    match arguments.command {
        Command::Serve(serve) => {
            let settings = match configuration::load(&serve.config) {
                Ok(settings) => settings,
                Err(faults) => return refuse(faults, serve.panel.into()),
            };
            let options = service::Options {
                config: serve.config,
                state: serve.state,
                journal_mark: serve.journal_mark,
                panel: serve.panel.into(),
                config_faults: serve.config_faults,
                socket,
            };
            runtime()?.block_on(service::serve(settings, options))
        }
        Command::Check(check) => self::check(&check.config),
        Command::Completions { shell } => manuals::completions(shell),
        Command::Manuals { dir } => manuals::write(&dir),
        Command::Panel(PanelCommand::Test { board, config }) => self::panel_test(board, &config),
        Command::Panel(PanelCommand::Wiring { board, config }) => {
            print!("{}", wiring::svg(&self::board(board, &config)?));
            Ok(())
        }
        Command::Status { json } => runtime()?.block_on(control::status(&socket, json)),
        Command::Watch => runtime()?.block_on(watch::watch(&socket)),
        Command::Arm(arm) => runtime()?.block_on(control::arm(&socket, &arm.into())),
        Command::Disarm => runtime()?.block_on(control::order(&socket, "/api/v1/disarm")),
        Command::AcceptLoss => runtime()?.block_on(control::order(&socket, "/api/v1/accept-loss")),
        Command::Nodes { json } => runtime()?.block_on(control::nodes(&socket, json)),
        Command::Node(NodeCommand::Show { node, json, render: true }) => {
            runtime()?.block_on(control::render(&socket, &node, json))
        }
        Command::Node(NodeCommand::Show { node, json, .. }) => {
            runtime()?.block_on(control::node(&socket, &node, json))
        }
        Command::Node(NodeCommand::Forget { node }) => {
            runtime()?.block_on(control::node_order(&socket, &node, "forget"))
        }
        Command::Node(NodeCommand::Wake { node }) => {
            runtime()?.block_on(control::node_order(&socket, &node, "wake"))
        }
        Command::Node(NodeCommand::Reinstall { node }) => {
            runtime()?.block_on(control::node_order(&socket, &node, "reinstall"))
        }
        Command::Assets(command) => runtime()?.block_on(assets::run(&socket, command)),
        Command::Report(ReportCommand::Save { file, config }) => {
            runtime()?.block_on(report::save(&socket, &file, &config))
        }
        Command::Demo(Demo { nodes, simulated, assets, loaders }) => {
            demo::run(&demo::Options { nodes, simulated, assets, loaders })
        }
        Command::Image(command) => image(command, &socket),
        Command::SimulatedNodes { count, pause } => {
            runtime()?.block_on(demo::simulated::run(count, pause.unwrap_or_default()))
        }
        Command::Cable { interface, ours, theirs } => {
            runtime()?.block_on(demo::cable::carry(&interface, &ours, &theirs))
        }
    }
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
fn panel_test(board: Option<String>, config: &[PathBuf]) -> anyhow::Result<()> {
    let board = self::board(board, config)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(trial::run(&board))
}

/// The board that was named, or else the configured one.
fn board(named: Option<String>, config: &[PathBuf]) -> anyhow::Result<Board> {
    let name = match named {
        Some(name) if name.contains('/') || !name.ends_with(".toml") => name,
        Some(file) => format!("./{file}"),
        None => configuration::load(config)?.panel.board,
    };
    Ok(load::load(&name)?)
}

fn count(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

/// `rackberry check`: the configuration, then what it points to.
fn check(files: &[PathBuf]) -> anyhow::Result<()> {
    let settings = configuration::load(files)?;
    let service::Findings { faults, notes } = service::faults(&settings);
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
