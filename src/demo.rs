//! `rackberry demo`: the whole thing on this computer.
//!
//! The real service in a private network, its panel drawn on the terminal, and machines that install themselves:
//! QEMU with real firmware, or light stand-ins where many are wanted. Networks and machines are of `rack-lab`; here is
//! what happens with them, in its order. Only a binary with the feature `demo` has this; the Raspberry Pi's has not.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use tokio::{
    process::{Child, Command},
    time::{sleep, timeout},
};

use crate::service::{self, PanelChoice, Started, clock::Clock, handle::Handle, seen::Seen};
use rack_lab::{
    cable,
    machine::{Firmware, Machine},
    namespace, simulated,
};
use rackberry_core::{
    appliance::{self, Answer, Ask, NodeView},
    config,
    ids::{Mac, Stage, Time},
};

/// Where everything is written; memory, see [`namespace::prepare`].
const PLACE: &str = "/run/rackberry";
/// An emulated machine on two slow cores takes about two minutes for an install; each further one shares them.
const PATIENCE: Duration = Duration::from_secs(10 * 60);
/// A little more than the two seconds that arm.
const PRESS: Duration = Duration::from_millis(2200);
/// What the demo system says on its console when it runs from its disk.
const UP: &str = "is up from its own disk";

/// What the demo is asked for.
#[derive(Debug, Clone)]
pub struct DemoOptions {
    /// How many machines.
    pub nodes: u8,
    /// Stand-ins instead of QEMU.
    pub simulated: bool,
    /// The folder of operating systems.
    pub assets: PathBuf,
    /// The folder of boot loaders.
    pub loaders: PathBuf,
}

/// Runs the demo to its end; as the first step, this process goes into namespaces of its own.
///
/// # Errors
/// When something is missing, or a machine did not do what it was to do.
pub fn run(options: &DemoOptions) -> anyhow::Result<()> {
    check(options)?;
    if !namespace::is_inside() {
        match namespace::enter()? {}
    }
    inside(options)
}

/// Fails where something is missing, before anything is begun.
fn check(options: &DemoOptions) -> anyhow::Result<()> {
    ensure!(options.nodes > 0, "a demo takes one node at least");
    let remedy = "`make demo` makes it, or name its place with --assets and --loaders";
    namespace::need(&options.assets, remedy)?;
    namespace::need(&options.loaders.join("pxelinux.0"), remedy)?;
    Ok(())
}

/// Inside of the namespaces: everything, then the end.
fn inside(options: &DemoOptions) -> anyhow::Result<()> {
    let settings = settings(options)?;
    let network = &settings.network;
    namespace::prepare(&format!("{}/{}", network.address, network.prefix))?;
    let serve = service::ServiceOptions {
        config: Vec::new(),
        state: Path::new(PLACE).join("state"),
        panel: PanelChoice::Simulated,
        socket: Path::new(PLACE).join("control.sock"),
        config_faults: None,
        journal_mark: None,
    };
    let options = options.clone();
    service::log::init();
    tokio::runtime::Runtime::new()?.block_on(async {
        let (told, story) = tokio::sync::oneshot::channel();
        let service = service::run(settings, serve, |started| {
            // The service runs until it is told to stop; a receiver that is gone has stopped it already.
            let _ = told.send(started);
        });
        let story = async {
            let started = story.await.context("the service did not start")?;
            tell(&options, started).await
        };
        tokio::select! {
            ended = service => ended,
            ended = story => ended,
        }
    })
}

fn settings(options: &DemoOptions) -> anyhow::Result<config::Settings> {
    let absolute =
        |path: &Path| path.canonicalize().with_context(|| format!("can't find {}", path.display()));
    let mut text = format!(
        "[network]\ninterface = \"{}\"\n\
         [install]\ndisk = \"/dev/vda\"\nconsole = \"ttyS0,115200\"\n\
         [assets]\ndirs = [{:?}]\nloaders = {:?}\n",
        namespace::BRIDGE,
        absolute(&options.assets)?,
        absolute(&options.loaders)?,
    );
    for number in 1..=options.nodes {
        text += &format!("[[node]]\nname = \"node{number}\"\nmac = \"{}\"\nled = {number}\n", mac(number));
    }
    Ok(config::parse(&[("demo".into(), text)])?)
}

fn mac(number: u8) -> Mac {
    Mac([0x52, 0x54, 0, 0x5a, 0, number])
}

async fn tell(options: &DemoOptions, started: Started) -> anyhow::Result<()> {
    let Started { handle, mut seen, button } = started;
    say("The service serves a network of its own. It is disarmed: nobody installs.");
    let ready = seen.wait_for(|seen| seen.status.as_ref().is_some_and(|status| status.ready.is_ok()));
    timeout(PATIENCE, ready).await.context("the system is not authentic; the lines above say why")??;
    say("Its signatures are good. Now the panel's button is held for two seconds.");
    button.send(true).await?;
    sleep(PRESS).await;
    button.send(false).await?;
    let armed =
        seen.wait_for(|seen| seen.status.as_ref().is_some_and(|status| status.armed_seconds.is_some()));
    timeout(PATIENCE, armed).await.context("the button did not arm; the line above says why")??;
    if options.simulated {
        stand_ins(options.nodes, &mut seen).await
    } else {
        real_machines(options.nodes, &handle, &mut seen).await
    }
}

async fn real_machines(nodes: u8, handle: &Handle, seen: &mut Seen) -> anyhow::Result<()> {
    say("Machines are switched on: real firmware, blank disks, the network first in the boot order.");
    let mut running = Vec::new();
    for number in 1..=nodes {
        let firmware = if number % 2 == 1 { Firmware::Bios } else { Firmware::Uefi };
        let machine = Machine::new(Path::new(PLACE), &format!("node{number}"), mac(number), firmware)?;
        running.push((start(&machine)?, machine));
    }
    let clock = Clock::starting_after(Time::default());
    let started = clock.now();
    all_installed(seen, PATIENCE * u32::from(nodes.div_ceil(2))).await?;
    let up = running.iter().map(|(_, machine)| console(machine, 1));
    futures_in_turn(up).await?;
    say(&format!(
        "All are installed and run from their own disks, {} s after they were switched on.",
        clock.now().since(started).as_secs()
    ));

    let (_, first) = running.first().context("no machine")?;
    say(&format!(
        "Now {} is reset, while the service is still armed and the network still comes first.",
        first.name
    ));
    first.reset()?;
    console(first, 2).await?;
    let view = look(handle, &first.name).await?;
    let writes = view.get("writes").and_then(serde_json::Value::as_u64);
    ensure!(writes == Some(1), "{} was written {writes:?} times", first.name);
    say(&format!("{} is up from its disk again; its disk was written once. That is all.", first.name));
    Ok(())
}

/// Waits for each in its turn; they run side by side anyhow.
async fn futures_in_turn(
    all: impl Iterator<Item = impl Future<Output = anyhow::Result<()>>>,
) -> anyhow::Result<()> {
    for one in all {
        one.await?;
    }
    Ok(())
}

/// Switches a machine on, and plugs it in.
fn start(machine: &Machine) -> anyhow::Result<Child> {
    let nic = namespace::plug(&machine.name)?;
    let (ours, theirs) = machine.cable();
    let name = machine.name.clone();
    tokio::spawn(async move {
        if let Err(error) = cable::carry(&nic, &ours, &theirs).await {
            tracing::error!("the cable of {name} broke: {error:#}");
        }
    });
    Command::from(machine.qemu())
        // Ctrl-C is for the demo, which ends its machines itself.
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("can't run qemu-system-x86_64 (Debian's package qemu-system-x86)")
}

/// Waits until a machine has said for the `times`th time that it runs from its disk.
async fn console(machine: &Machine, times: usize) -> anyhow::Result<()> {
    let said = async {
        while machine.console_count(UP) < times {
            sleep(Duration::from_millis(200)).await;
        }
    };
    let late =
        || format!("{} did not come up from its disk; see {}", machine.name, machine.console().display());
    timeout(PATIENCE, said).await.with_context(late)
}

async fn stand_ins(nodes: u8, seen: &mut Seen) -> anyhow::Result<()> {
    say(&format!(
        "{nodes} simulated nodes are switched on: they speak DHCP, TFTP and HTTP, but are no machines."
    ));
    let mut apart = Command::from(namespace::plug_apart(simulated::cards(nodes))?);
    let mut apart = apart.args(["simulated-nodes", &nodes.to_string()]).kill_on_drop(true).spawn()?;
    let clock = Clock::starting_after(Time::default());
    let started = clock.now();
    all_installed(seen, PATIENCE).await?;
    let ended = timeout(PATIENCE, apart.wait()).await.context("the simulated nodes hang")??;
    ensure!(ended.success(), "the simulated nodes failed: {ended}");
    say(&format!("All are installed, after {:.1} s.", clock.now().since(started).as_secs_f32()));
    Ok(())
}

/// Waits until every node is installed. One that fails ends the demo.
async fn all_installed(seen: &mut Seen, patience: Duration) -> anyhow::Result<()> {
    let wait = async {
        loop {
            let nodes: Vec<NodeView> = seen.look().node_views().collect();
            if let Some(failed) = nodes.iter().find(|node| node.stage == Stage::Failed) {
                let name = failed.name.as_deref().unwrap_or_default();
                let reason =
                    failed.failure.as_ref().map(|failure| failure.reason.as_str()).unwrap_or_default();
                bail!("{name} failed: {reason}\n{}", failed.log);
            }
            if !nodes.is_empty() && nodes.iter().all(|node| node.stage == Stage::Installed) {
                return Ok(());
            }
            seen.changed().await?;
        }
    };
    timeout(patience, wait).await.context("the nodes take too long")?
}

async fn look(handle: &Handle, node: &str) -> anyhow::Result<serde_json::Value> {
    match handle.ask(Ask::View(appliance::View::Node(node.to_owned()))).await {
        Answer::Json(view) => Ok(view),
        other => bail!("no view of {node}: {other:?}"),
    }
}

fn say(text: &str) {
    tracing::info!(target: "demo", "=== {text}");
}
