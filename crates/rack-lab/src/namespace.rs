//! A network of the demo's own, which ends with it.

use std::{
    env,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context as _, bail, ensure};

use rackberry_core::ids::Mac;

/// Set for the process inside.
const INSIDE: &str = "RACKBERRY_DEMO_INSIDE";
/// The interface that the service serves.
pub const BRIDGE: &str = "rack0";

/// Whether this process is in a namespace of the demo's.
pub fn is_inside() -> bool {
    env::var_os(INSIDE).is_some()
}

/// Replaces this process by the same command in namespaces of its own: users (so that no root is needed),
/// network, mounts and processes. When its first process ends, the kernel ends all others and takes the network
/// away, however that happens.
///
/// # Errors
/// When this system does not allow it.
pub fn enter() -> anyhow::Result<std::convert::Infallible> {
    let this = env::current_exe().context("can't find this program")?;
    let allowed = Command::new("unshare")
        .args(["--user", "--map-root-user", "--net", "--mount", "--pid", "--fork", "true"])
        .stderr(Stdio::piped())
        .output()
        .context("can't run unshare (Debian's package util-linux)")?;
    if !allowed.status.success() {
        bail!(
            "this system allows no namespaces to ordinary users ({}); run the demo as root, or set \
             kernel.unprivileged_userns_clone=1 (on Ubuntu: kernel.apparmor_restrict_unprivileged_userns=0)",
            String::from_utf8_lossy(&allowed.stderr).trim()
        );
    }
    let error = Command::new("unshare")
        .args(["--user", "--map-root-user", "--net", "--mount", "--pid", "--fork", "--kill-child", "--"])
        .arg(this)
        .args(env::args_os().skip(1))
        .env(INSIDE, "1")
        .exec();
    Err(error).context("can't run unshare")
}

/// Makes the bridge with the service's address, and an empty /run for everything that the demo writes: it is
/// memory, and goes with the namespace.
pub fn prepare(address: &str) -> anyhow::Result<()> {
    run("mount", &["-t", "tmpfs", "-o", "mode=755", "none", "/run"])?;
    run("mount", &["-t", "proc", "none", "/proc"])?;
    ip("link set lo up")?;
    ip(&format!("link add {BRIDGE} type bridge forward_delay 0"))?;
    ip(&format!("address add {address} dev {BRIDGE}"))?;
    ip(&format!("link set {BRIDGE} up"))
}

/// Plugs a cable into the bridge; returns the name of its other end.
pub fn plug(name: &str) -> anyhow::Result<String> {
    let (here, there) = (format!("{name}-sw"), format!("{name}-nic"));
    ip(&format!("link add {here} type veth peer name {there}"))?;
    // Frames leave through a packet socket: they must be complete, checksums too.
    for end in [&here, &there] {
        run("ethtool", &["-K", end, "tx", "off", "tso", "off", "gso", "off", "gro", "off"])?;
    }
    ip(&format!("link set {here} master {BRIDGE} up"))?;
    ip(&format!("link set {there} up"))?;
    Ok(there)
}

/// Plugs in the stand-ins' cards, in a network namespace of their own, because their addresses must not be this machine's.
/// Returns the command that runs in it.
pub fn plug_apart(cards: impl Iterator<Item = (String, Mac)>) -> anyhow::Result<Command> {
    ip("netns add nodes")?;
    // One system with many cards in one network: each card answers for its own address only, and takes what comes to it.
    let settings = "cd /proc/sys/net/ipv4/conf; echo 0 >all/rp_filter; echo 0 >default/rp_filter; echo 1 >all/arp_ignore";
    run("ip", &["netns", "exec", "nodes", "sh", "-ec", settings])?;
    for (card, mac) in cards {
        ip(&format!("link add {card}-sw type veth peer name {card} address {mac} netns nodes"))?;
        ip(&format!("link set {card}-sw master {BRIDGE} up"))?;
        ip(&format!("-n nodes link set {card} up"))?;
    }
    let mut command = Command::new("ip");
    command.args(["netns", "exec", "nodes"]).arg(env::current_exe().context("can't find this program")?);
    Ok(command)
}

/// Runs `ip` of iproute2.
pub fn ip(arguments: &str) -> anyhow::Result<()> {
    run("ip", &arguments.split(' ').collect::<Vec<_>>())
}

fn run(program: &str, arguments: &[&str]) -> anyhow::Result<()> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("can't run {program}; image/packages.txt names its package"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{program} {}: {}", arguments.join(" "), said.trim());
    Ok(())
}

/// Fails with the remedy where a file of the demo is missing.
pub fn need(path: &Path, remedy: &str) -> anyhow::Result<()> {
    ensure!(path.exists(), "{} is missing: {remedy}", path.display());
    Ok(())
}
