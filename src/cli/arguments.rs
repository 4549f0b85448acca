//! What may be said on the command line.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::{service::PanelChoice, storage::import::Current};
use rackberry_core::{
    appliance::{Arm, Power, Whom},
    ids::OrderKind,
    orders::Repeat,
};

/// Installs a rack: DHCP, TFTP and HTTP for unattended network installs.
#[derive(Debug, Parser)]
#[command(name = super::NAME, version, arg_required_else_help = true)]
pub struct Arguments {
    /// The service's control socket.
    #[arg(long, global = true, value_name = "PATH", default_value = "/run/rackberry/control.sock")]
    pub socket: PathBuf,
    /// What to do.
    #[command(subcommand)]
    pub command: TopCommand,
}

/// Subcommands.
#[derive(Debug, Subcommand)]
pub enum TopCommand {
    /// Run the service.
    Serve(Serve),
    /// Look for faults in configuration, loaders and assets; exit 1 if there are any.
    Check(CheckArguments),
    /// Show mode, network, counts and warnings.
    Status {
        /// As text or JSON.
        #[command(flatten)]
        output: OutputFormat,
    },
    /// Show nodes, stages and progress live, until Ctrl-C.
    Watch,
    /// Let nodes install: those not installed yet, or the ones named.
    Arm(ArmArguments),
    /// Stop new installs; those that already write a disk finish.
    Disarm,
    /// After the state was lost: no machine here was installed by this service, so "everybody" means all of them.
    AcceptLoss,
    /// List all nodes.
    Nodes {
        /// As text or JSON.
        #[command(flatten)]
        output: OutputFormat,
    },
    /// Look at or change one node.
    #[command(subcommand)]
    Node(NodeCommand),
    /// Operating systems: what is there, whether it is authentic, and bringing more.
    #[command(subcommand)]
    Assets(AssetsCommand),
    /// Try the panel out, or draw its wiring.
    #[command(subcommand)]
    Panel(PanelCommand),
    /// Gather what a bug report needs.
    #[command(subcommand)]
    Report(ReportCommand),
    /// The whole thing on this computer: private network, simulated panel, machines that install themselves.
    #[cfg_attr(not(feature = "demo"), command(about = "On PCs only; this binary is built without it"))]
    Demo(Demo),
    /// Print what makes a shell complete this command's words.
    Completions {
        /// For which.
        shell: clap_complete::Shell,
    },
    /// What the SD image's units run.
    #[command(hide = true, subcommand)]
    Image(ImageCommand),
    /// The demo's stand-ins, in the network that they are started in.
    #[cfg(feature = "demo")]
    #[command(hide = true)]
    SimulatedNodes {
        /// How many.
        count: u8,
        /// How long each stage takes at least.
        #[arg(long, value_name = "TIME", value_parser = duration)]
        pause: Option<Duration>,
    },
    /// A cable between a network interface and a QEMU machine.
    #[cfg(feature = "demo")]
    #[command(hide = true)]
    Cable {
        /// The interface's name.
        interface: String,
        /// Socket that QEMU sends to.
        ours: PathBuf,
        /// Socket that QEMU listens on.
        theirs: PathBuf,
    },
}

/// `report`
#[derive(Debug, Subcommand)]
pub enum ReportCommand {
    /// Write one archive: status, nodes with their logs, operating systems, the last DHCP packets, the service's log.
    Save {
        /// The tar archive to write; it must not be there yet.
        file: PathBuf,
        /// Configuration files to add, without variables.
        #[arg(long = "config", value_name = "FILE")]
        config: Vec<PathBuf>,
    },
}

/// `image`
#[derive(Debug, Clone, Subcommand)]
pub enum ImageCommand {
    /// Read the card.
    Setup,
    /// Keep the configuration in force if it is good, or give it up.
    Prove,
    /// Write report.txt onto the card.
    Report,
    /// Write the journal's mark onto the card.
    Mark,
    /// Which folder of a USB disk is served.
    Tree {
        /// Where the disk is mounted.
        volume: PathBuf,
    },
    /// Show address and mode on the screen.
    Console,
    /// Be the login of people at the rack.
    Login,
}

/// `demo`
#[derive(Debug, Args)]
pub struct Demo {
    /// How many machines; every other one has UEFI.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=50))]
    pub nodes: u8,
    /// Light stand-ins instead of real firmware, for a quick look.
    #[arg(long)]
    pub simulated: bool,
    /// Folder of operating systems.
    #[arg(long, value_name = "DIR", default_value = "target/demo/assets")]
    pub assets: PathBuf,
    /// Folder of boot loaders.
    #[arg(long, value_name = "DIR", default_value = "target/loaders")]
    pub loaders: PathBuf,
}

/// `serve`
#[derive(Debug, Args)]
pub struct Serve {
    /// Configuration files, merged in order.
    #[arg(long = "config", value_name = "FILE")]
    pub config: Vec<PathBuf>,
    /// Folder for nodes and leases.
    #[arg(long, value_name = "DIR", default_value = "/var/lib/rackberry")]
    pub state: PathBuf,
    /// A copy of the state folder's journal.mark on another partition: by it, a state that is gone is missed.
    #[arg(long, value_name = "FILE")]
    pub journal_mark: Option<PathBuf>,
    /// Which panel to drive.
    #[arg(long, default_value = "auto")]
    pub panel: PanelArgument,
    /// What was found wrong with the configuration before this one was chosen: the SD image's file of faults.
    #[arg(long, hide = true, value_name = "FILE")]
    pub config_faults: Option<PathBuf>,
}

/// `check`
#[derive(Debug, Args)]
pub struct CheckArguments {
    /// Configuration files, merged in order; those of the service where not said.
    #[arg(long = "config", value_name = "FILE")]
    pub config: Vec<PathBuf>,
}

/// Panels.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum PanelArgument {
    /// The board of the configuration, where there is one.
    Auto,
    /// Drawn on this terminal; the space bar is the button.
    Sim,
    /// None.
    None,
}

impl From<PanelArgument> for PanelChoice {
    fn from(panel: PanelArgument) -> Self {
        match panel {
            PanelArgument::Auto => Self::Auto,
            PanelArgument::Sim => Self::Simulated,
            PanelArgument::None => Self::None,
        }
    }
}

/// `arm`
#[derive(Debug, Args)]
pub struct ArmArguments {
    /// How long, like 30m or 1h; the configured time where not said.
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    pub arm_for: Option<Duration>,
    /// Boot to RAM and stop there; a person runs the installer by hand.
    #[arg(long)]
    pub live: bool,
    /// Every node, installed ones too. THIS OVERWRITES THEIR DISKS.
    #[arg(long, conflicts_with = "nodes")]
    pub all: bool,
    /// Nodes whose install by an earlier order runs, or is just done, once more. THIS OVERWRITES THEIR DISKS AGAIN.
    #[arg(long)]
    pub again: bool,
    /// Wake them, too (Wake-on-LAN).
    #[arg(long)]
    pub wake: bool,
    /// Names or MAC addresses; these install again even if installed.
    #[arg(value_name = "NODE")]
    pub nodes: Vec<String>,
}

impl From<ArmArguments> for Arm {
    fn from(arguments: ArmArguments) -> Arm {
        let ArmArguments { arm_for, live, all, again, wake, nodes } = arguments;
        Arm {
            kind: if live { OrderKind::Live } else { OrderKind::Install },
            whom: Whom::named_or(nodes, if all { Whom::All } else { Whom::NotInstalled }),
            length: arm_for.map(|length| Duration::from_secs(length.as_secs())),
            repeat: if again { Repeat::Again } else { Repeat::Same },
            power: if wake { Power::Wake } else { Power::AsItIs },
        }
    }
}

/// `assets`
#[derive(Debug, Subcommand)]
pub enum AssetsCommand {
    /// List versions, and whether each is complete and authentic.
    List {
        /// As text or JSON.
        #[command(flatten)]
        output: OutputFormat,
    },
    /// Read every file of every version and check its signature; exit 1 if one is not authentic.
    Verify {
        /// Configuration files; else as the running service says.
        #[arg(long = "config", value_name = "FILE")]
        config: Vec<PathBuf>,
    },
    /// Copy versions and configurations from a disk or a folder, verified on the way; run it again to go on.
    Import {
        /// The disk's or the folder's path.
        path: PathBuf,
        /// Where to.
        #[command(flatten)]
        to: CopyTarget,
    },
    /// Fetch a version from its maker's mirror, verified on the way; run it again to go on.
    Fetch {
        /// The profile.
        profile: String,
        /// The version.
        #[arg(default_value = "current")]
        version: String,
        /// For which processor: x86_64 or aarch64.
        #[arg(long, default_value = "x86_64")]
        arch: String,
        /// Another mirror with the same tree.
        #[arg(long, value_name = "URL")]
        base_url: Option<String>,
        /// Where to.
        #[command(flatten)]
        to: CopyTarget,
    },
}

/// How an answer is printed.
#[derive(Debug, Clone, Copy, Args)]
pub struct OutputFormat {
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

/// Where versions are brought to.
#[derive(Debug, Args)]
pub struct CopyTarget {
    /// The asset folder; else the last one that can be written.
    #[arg(long, value_name = "DIR")]
    pub to: Option<PathBuf>,
    /// Make it the current version even if another one is.
    #[arg(long)]
    pub current: bool,
    /// Configuration files; else as the running service says.
    #[arg(long = "config", value_name = "FILE")]
    pub config: Vec<PathBuf>,
}

impl CopyTarget {
    /// What becomes of the version that is current.
    pub fn before(&self) -> Current {
        if self.current { Current::Replace } else { Current::Keep }
    }
}

/// `node`
#[derive(Debug, Subcommand)]
pub enum NodeCommand {
    /// Show all that is known of it.
    Show {
        /// Name or MAC address.
        node: String,
        /// As text or JSON.
        #[command(flatten)]
        output: OutputFormat,
        /// Show what it would be given if it were armed now: kernel arguments, script, configuration.
        #[arg(long)]
        render: bool,
    },
    /// Drop what is known of it.
    Forget {
        /// Name or MAC address.
        node: String,
    },
    /// Switch it on by Wake-on-LAN, where its firmware is set to listen.
    Wake {
        /// Name or MAC address.
        node: String,
    },
    /// Let it install again. THIS OVERWRITES ITS DISK at its next network boot.
    Reinstall {
        /// Name or MAC address.
        node: String,
    },
}

/// `panel`
#[derive(Debug, Subcommand)]
pub enum PanelCommand {
    /// Walk all LEDs and tell what the button does, until Ctrl-C. The service must not run.
    Test {
        /// A built-in board's name or a board file; the configured one where not said.
        #[arg(long, value_name = "FILE")]
        board: Option<String>,
        /// Configuration files, merged in order; those of the service where not said.
        #[arg(long = "config", value_name = "FILE")]
        config: Vec<PathBuf>,
    },
    /// Print a picture of a board's wiring, as SVG.
    Wiring {
        /// A built-in board's name or a board file; the configured one where not said.
        #[arg(long, value_name = "FILE")]
        board: Option<String>,
        /// Configuration files, merged in order; those of the service where not said.
        #[arg(long = "config", value_name = "FILE")]
        config: Vec<PathBuf>,
    },
}

fn duration(text: &str) -> Result<Duration, String> {
    rackberry_core::config::parse_duration(text).map_err(|error| error.to_string())
}
