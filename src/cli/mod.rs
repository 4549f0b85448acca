//! The command line: parse, call, print the error chain once, exit code.

mod arguments;
mod control;
mod paint;
mod view;
mod watch;

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;

use arguments::{Arguments, Command, Demo, ImageCommand, NodeCommand};

use crate::{config, daemon, demo, image};

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
            let settings = config::load(&serve.config)?;
            let options = daemon::Options {
                config: serve.config,
                state: serve.state,
                panel: serve.panel.into(),
                config_faults: serve.config_faults,
                socket,
            };
            runtime()?.block_on(daemon::serve(settings, options))
        }
        Command::Check(check) => self::check(&check.config),
        Command::Status { json } => runtime()?.block_on(control::status(&socket, json)),
        Command::Watch => runtime()?.block_on(watch::watch(&socket)),
        Command::Arm(arm) => runtime()?.block_on(control::arm(&socket, &arm)),
        Command::Disarm => runtime()?.block_on(control::order(&socket, "/api/v1/disarm")),
        Command::Nodes { json } => runtime()?.block_on(control::nodes(&socket, json)),
        Command::Node(NodeCommand::Show { node, json }) => {
            runtime()?.block_on(control::node(&socket, &node, json))
        }
        Command::Node(NodeCommand::Forget { node }) => {
            runtime()?.block_on(control::node_order(&socket, &node, "forget"))
        }
        Command::Node(NodeCommand::Reinstall { node }) => {
            runtime()?.block_on(control::node_order(&socket, &node, "reinstall"))
        }
        Command::Demo(Demo { nodes, simulated, assets, loaders }) => {
            demo::run(&demo::Options { nodes, simulated, assets, loaders })
        }
        Command::Image(command) => image(command, &socket),
        Command::SimulatedNodes { count } => runtime()?.block_on(demo::simulated::run(count)),
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
        ImageCommand::Report => runtime()?.block_on(image::report(&root, socket)),
        ImageCommand::Console => runtime()?.block_on(image::console(&root, socket)),
        ImageCommand::Login => runtime()?.block_on(image::login()),
    }
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("can't start the runtime")
}

/// `rackberry check`: the configuration, then what it points to.
fn check(files: &[std::path::PathBuf]) -> anyhow::Result<()> {
    let settings = config::load(files)?;
    let faults = daemon::faults(&settings);
    for fault in &faults {
        eprintln!("{fault}");
    }
    if !faults.is_empty() {
        anyhow::bail!(
            "{} found",
            if faults.len() == 1 { "1 fault".into() } else { format!("{} faults", faults.len()) }
        );
    }
    println!("no faults");
    Ok(())
}
