//! The servers: this one, and those that people have.

use std::{
    collections::HashMap,
    io::Result,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use nix::{time::clock_getcpuclockid, unistd::Pid};

/// A server's name, how it is started, and whether it knows windows.
#[derive(Debug, Clone)]
pub struct Server {
    pub name: String,
    pub windows: bool,
    command: Vec<String>,
}

/// One that runs.
#[derive(Debug)]
pub struct Running(Child);

impl Server {
    #[allow(clippy::fn_params_excessive_bools)] // A column of the table below.
    fn new(name: &str, windows: bool, command: &[&str]) -> Server {
        let command = command.iter().map(|word| (*word).to_owned()).collect();
        Server { name: name.to_owned(), windows, command }
    }

    /// Starts it in the servers' network.
    pub fn start(&self) -> Result<Running> {
        let log = std::fs::File::create(std::env::temp_dir().join(format!("tftp-bench-{}", self.name)))?;
        let mut command = Command::new("ip");
        command.args(["netns", "exec", "servers"]).args(&self.command);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn()?;
        Ok(Running(child))
    }
}

impl Running {
    /// What processors have spent on it so far. A server that makes a process for each client and does not wait for its end
    /// leaves no account of it, so children are looked at while they live.
    pub fn cpu(&self, children: &mut HashMap<u32, Duration>) -> Duration {
        let pid = self.0.id();
        for child in children_of(pid) {
            let spent = spent(child);
            children.insert(child, spent);
        }
        spent(pid) + children.values().sum::<Duration>()
    }
}

fn spent(pid: u32) -> Duration {
    let clock = clock_getcpuclockid(Pid::from_raw(pid as i32)).and_then(|clock| clock.now());
    clock.map(Duration::from).unwrap_or_default()
}

fn children_of(pid: u32) -> Vec<u32> {
    let path = format!("/proc/{pid}/task/{pid}/children");
    let children = std::fs::read_to_string(path).unwrap_or_default();
    children.split_whitespace().filter_map(|child| child.parse().ok()).collect()
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Those that are there: this one, what `ALSO` has (`NAME=PROGRAM`, several behind spaces: each is called as the example `serve` is), and
/// Debian's.
pub fn servers(folder: &Path) -> Vec<Server> {
    let own = std::env::current_exe().unwrap_or_default();
    let (own, folder) = (own.to_string_lossy(), folder.to_string_lossy());
    let mut servers = vec![Server::new("ours", true, &[&own, "--serve", &folder, "10.9.0.1:69"])];
    let also = std::env::var("ALSO").unwrap_or_default();
    for (name, path) in also.split_whitespace().filter_map(|also| also.split_once('=')) {
        servers.push(Server::new(name, true, &[path, &folder, "10.9.0.1:69"]));
    }
    if let Some(path) = program("dnsmasq") {
        let root = format!("--tftp-root={folder}");
        let line =
            ["--no-daemon", "--conf-file=/dev/null", "--port=0", "--user=root", "--enable-tftp", &root];
        servers.push(Server::new("dnsmasq", false, &[&[path.as_str()], &line[..]].concat()));
    }
    if let Some(path) = program("in.tftpd") {
        let line = ["-L", "-s", "-u", "root", "--address", "10.9.0.1:69", &folder];
        servers.push(Server::new("tftpd-hpa", false, &[&[path.as_str()], &line[..]].concat()));
    }
    if let Some(path) = program("atftpd") {
        let line =
            ["--daemon", "--no-fork", "--user", "root", "--group", "root", "--logfile", "/dev/null", &folder];
        servers.push(Server::new("atftpd", true, &[&[path.as_str()], &line[..]].concat()));
    }
    servers
}

/// Where a program is: on the path, or in the folder `PEERS`, into which its package was unpacked.
fn program(name: &str) -> Option<String> {
    let peers = std::env::var("PEERS").unwrap_or_default();
    let path = std::env::var("PATH").unwrap_or_default();
    let folders =
        path.split(':').map(PathBuf::from).chain(["/usr/sbin".into(), Path::new(&peers).join("usr/sbin")]);
    folders
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
        .map(|path| path.to_string_lossy().into_owned())
}
