//! The real service.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

use serde_json::Value;

use super::{Net, Watched, confined};

pub const BINARY: &str = env!("CARGO_BIN_EXE_rackberry");
const PATIENCE: Duration = Duration::from_secs(20);

/// `rackberry serve` in a network.
pub struct Service<'a> {
    pub net: &'a Net,
    pub process: Watched,
    config: PathBuf,
}

impl<'a> Service<'a> {
    /// Starts it with this configuration, beside what every test needs, and waits until it serves. What it installs
    /// need not be signed.
    pub fn start(net: &'a Net, config: &str) -> Service<'a> {
        let config = net.write("rackberry.toml", config_text(net, config));
        Service::with(net, config)
    }

    /// As [`Service::start`], and what it installs must be authentic.
    pub fn start_strict(net: &'a Net, config: &str) -> Service<'a> {
        let config = config_text(net, config).replace("unsigned-ok", "required");
        Service::with(net, net.write("rackberry.toml", config))
    }

    fn with(net: &'a Net, config: PathBuf) -> Service<'a> {
        let process = launch(net, &config);
        process.wait_for("ready and safe", 0, PATIENCE);
        Service { net, process, config }
    }

    /// Kills it as a power cut would, and starts it again on the same state.
    pub fn kill_and_restart(&mut self) {
        self.process.kill();
        self.process = launch(self.net, &self.config);
        self.process.wait_for("ready and safe", 0, PATIENCE);
    }

    /// Replaces its configuration and tells it to reload.
    pub fn reload(&self, config: &str) {
        self.net.write("rackberry.toml", config_text(self.net, config));
        self.process.signal(rustix::process::Signal::HUP);
    }

    /// `rackberry ARGUMENTS` on its control socket.
    pub fn try_cli(&self, arguments: &[&str]) -> Output {
        let socket = self.net.path("run/control.sock");
        self.net.command(BINARY).arg("--socket").arg(socket).args(arguments).output().expect("the command")
    }

    /// As [`Service::try_cli`], and it must succeed.
    pub fn cli(&self, arguments: &[&str]) -> String {
        super::text_of(&arguments.join(" "), self.try_cli(arguments))
    }

    pub fn status(&self) -> Value {
        serde_json::from_str(&self.cli(&["status", "--json"])).expect("JSON")
    }

    /// What is known of a node.
    pub fn node(&self, node: &str) -> Value {
        serde_json::from_str(&self.cli(&["node", "show", "--json", node])).expect("JSON")
    }

    pub fn log(&self) -> Vec<String> {
        self.process.lines()
    }

    /// Waits for a line of the log.
    pub fn wait_for(&self, words: &str, patience: Duration) -> usize {
        self.process.wait_for(words, 0, patience)
    }
}

/// Starts the service, confined as its unit confines it, without waiting for anything.
pub fn launch(net: &Net, config: &Path) -> Watched {
    serve(confined::service(net), net, config)
}

/// The same without confinement, as people do who try a configuration.
pub fn launch_by_hand(net: &Net, config: &Path) -> Watched {
    serve(net.command(BINARY), net, config)
}

fn serve(mut command: Command, net: &Net, config: &Path) -> Watched {
    command.arg("--socket").arg(net.path("run/control.sock"));
    command.args(["serve", "--panel", "none", "--config"]).arg(config).arg("--state").arg(net.path("state"));
    Watched::start(command)
}

/// Configuration that every test needs, then the test's own. Addresses are handed out at once; a test that is about
/// the look for another DHCP server, or about the whole, has a `[network]` of its own.
pub fn config_text(net: &Net, own: &str) -> String {
    let dir = net.dir.path().display();
    let loaders = super::root().join("target/loaders");
    let network =
        if own.contains("[network]") { "" } else { "[network]\ninterface = 'br0'\nmode = 'full'\n" };
    format!(
        "{network}[assets]\ndirs = ['{dir}/assets']\nloaders = '{}'\nverify = 'unsigned-ok'\n{own}",
        loaders.display()
    )
}

/// The built-in profile of a name as somebody's own, with changes. As `unchecked`, its installer asks for no signature.
pub fn own_profile(dir: &Path, name: &str, change: impl Fn(&str) -> String) {
    let (from, to) = (super::root().join("profiles").join(name), dir.join("assets/profiles").join(name));
    std::fs::create_dir_all(&to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a built-in profile") {
        let path = entry.expect("a file").path();
        let text = std::fs::read_to_string(&path).expect("text");
        let is_profile = path.ends_with("profile.toml");
        let text = if is_profile { change(&text) } else { text };
        std::fs::write(to.join(path.file_name().expect("a name")), text).expect("written");
    }
}

/// For [`own_profile`]: an installer that asks for no signature.
pub fn unchecked(profile: &str) -> String {
    profile.lines().filter(|line| !line.starts_with("check = ")).map(|line| format!("{line}\n")).collect()
}

/// A complete operating system of a few bytes, which nobody has signed, for tests that boot nothing. Its installer does
/// not mind.
pub fn small_system(net: &Net) {
    own_profile(net.dir.path(), "coreos", unchecked);
    for file in ["pxe.vmlinuz", "pxe_image.cpio.gz", "image.bin.bz2"] {
        net.write(&format!("assets/coreos/1010.5.0/coreos_production_{file}"), file.repeat(1000));
    }
    net.write("assets/coreos/current", "1010.5.0\n");
    net.write("assets/cloud-configs/default.yml", "#cloud-config\nhostname: node\n");
}
