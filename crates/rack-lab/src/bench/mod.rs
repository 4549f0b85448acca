//! A network of its own for each test: namespaces, a bridge, the real service, real clients.
//!
//! Everything runs inside of a user namespace, so no test needs root or touches the machine's own network.
//! Every process is a child that dies with its test, however that ends. What does not go as it should panics, because it
//! fails the test.
#![allow(clippy::disallowed_methods, reason = "tests wait for real processes")]

pub mod board;
pub mod capture;
pub mod failing;
pub mod machine;
pub mod packets;
pub mod router;
pub mod signer;
pub mod stick;

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal};

/// The service's address in every test.
pub const HERE: &str = "10.10.10.1";

/// A private network: bridge `br0` with the service's address, and cables to plug clients into.
pub struct Net {
    holder: Child,
    /// The test's folder, which goes with it.
    pub dir: tempfile::TempDir,
}

impl Net {
    /// Makes one, in namespaces of its own.
    #[allow(clippy::new_without_default, reason = "it starts a process")]
    pub fn new() -> Net {
        let dir = tempfile::tempdir().expect("a folder");
        let mut holder = Command::new("unshare")
            .args([
                "--user",
                "--map-root-user",
                "--net",
                "--mount",
                // Mounts that a test makes later show in the service's own, too.
                "--propagation",
                "shared",
                "setpriv",
                "--pdeathsig",
                "KILL",
                "sh",
                "-c",
            ])
            .arg("mount -t tmpfs none /run && mkdir -p /run/netns && echo up && exec sleep 3600")
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare of util-linux");
        let mut said = String::new();
        BufReader::new(holder.stdout.take().expect("piped")).read_line(&mut said).expect("a line");
        assert_eq!(said, "up\n", "user namespaces are not to be had here");
        let net = Net { holder, dir };
        net.run("ip link set lo up");
        // With an address of its own, so that it does not take a client's.
        net.run("ip link add br0 address 02:00:00:00:00:fe type bridge");
        net.run(&format!("ip address add {HERE}/24 dev br0"));
        net.run("ip link set br0 up");
        net
    }

    /// A command in this network; it dies with the thread that starts it.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--preserve-credentials", "-U", "-n", "-m", "-t"]).arg(self.holder.id().to_string());
        command.args(["setpriv", "--pdeathsig", "KILL", "--"]).arg(program);
        command
    }

    /// Runs a line of shell; it must succeed.
    pub fn run(&self, line: &str) -> String {
        let output = self.command("sh").args(["-ec", line]).output().expect("a shell");
        text_of(line, output)
    }

    /// Runs a line of shell in a client's own namespace.
    pub fn try_in(&self, client: &str, line: &str) -> Output {
        let mut command = self.command("ip");
        command.args(["netns", "exec", client, "timeout", "60", "sh", "-c", line]);
        command.stdin(Stdio::null()).output().expect("a shell")
    }

    /// As [`Net::try_in`], and it must succeed.
    pub fn run_in(&self, client: &str, line: &str) -> String {
        text_of(line, self.try_in(client, line))
    }

    /// A machine with one network card `eth0`, on a cable to the bridge.
    pub fn client(&self, name: &str, mac: &str) {
        self.run(&format!(
            "ip netns add {name}
             ip link add {name} type veth peer name eth0 netns {name}
             ip link set {name} master br0 up
             ip -n {name} link set eth0 address {mac} up
             ip -n {name} link set lo up"
        ));
    }

    /// A path in the test's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file into the test's folder, and makes the folders that it is in.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, content).expect("written");
        path
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// Copies what `make test` has built, or a package brings.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
    std::fs::copy(from, to).unwrap_or_else(|error| panic!("{}: {error}; run: make test", from.display()));
}

/// What a process has said, which must have ended well; `line` tells which it was.
pub fn text_of(line: &str, output: Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{line}\n-> {}\n{out}{err}", output.status);
    out.into_owned()
}

/// A process whose lines are kept and can be waited for.
pub struct Watched {
    /// The process whose lines are kept.
    pub child: Child,
    lines: Arc<(Mutex<Lines>, Condvar)>,
}

#[derive(Default)]
struct Lines {
    all: Vec<String>,
    ended: bool,
}

impl Watched {
    /// Starts it; its output, both kinds, is kept.
    pub fn start(mut command: Command) -> Watched {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let lines = Arc::<(Mutex<Lines>, Condvar)>::default();
        let (out, err) = (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
        let (kept, ended) = (Arc::clone(&lines), Arc::clone(&lines));
        std::thread::spawn(move || keep(out, &kept));
        std::thread::spawn(move || {
            keep(err, &ended);
            locked(&ended.0).ended = true;
            ended.1.notify_all();
        });
        Watched { child, lines }
    }

    /// All lines so far.
    pub fn lines(&self) -> Vec<String> {
        self.lines_from(0)
    }

    /// All lines so far but the first ones.
    pub fn lines_from(&self, from: usize) -> Vec<String> {
        locked(&self.lines.0).all.get(from..).unwrap_or_default().to_vec()
    }

    /// Waits for a line that has `words`, from line number `from` on; returns its number.
    pub fn wait_for(&self, words: &str, from: usize, patience: Duration) -> usize {
        let deadline = Instant::now() + patience;
        let (lines, changed) = &*self.lines;
        let mut lines = locked(lines);
        loop {
            if let Some(at) = lines.all.iter().skip(from).position(|line| line.contains(words)) {
                return from + at;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!lines.ended, "ended before it said {words:?}; it said:\n{}", lines.all.join("\n"));
            assert!(!left.is_zero(), "waited {patience:?} for {words:?}; it said:\n{}", lines.all.join("\n"));
            lines = changed.wait_timeout(lines, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits for its end; whether it went well.
    pub fn end(&mut self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        let (lines, changed) = &*self.lines;
        let mut lines = locked(lines);
        while !lines.ended {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "waited {patience:?} for its end; it said:\n{}", lines.all.join("\n"));
            lines = changed.wait_timeout(lines, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(lines);
        self.child.wait().expect("it ended").success()
    }

    /// The process itself: what leads into its namespaces may be its parents.
    pub fn pid(&self) -> Pid {
        let mut pid = Pid::from_child(&self.child);
        while let Some(child) = first_child(pid) {
            pid = child;
        }
        pid
    }

    /// Ends it by SIGKILL, as a power cut would, and waits for its end.
    pub fn kill(&mut self) {
        // Its parents end with it, and only then nothing of it is left.
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            let _ = rustix::process::kill_process(self.pid(), Signal::KILL);
        }
        let deadline = Instant::now() + Duration::from_secs(5);
        while self.child.try_wait().is_ok_and(|ended| ended.is_none()) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends a signal; the process must run.
    pub fn signal(&self, signal: Signal) {
        rustix::process::kill_process(self.pid(), signal).expect("it runs");
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("--- its output:\n{}\n---", self.lines().join("\n"));
        }
    }
}

fn first_child(pid: Pid) -> Option<Pid> {
    let pid = pid.as_raw_nonzero();
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    children.split_whitespace().next().and_then(|child| Pid::from_raw(child.parse().ok()?))
}

/// A test that panics holds the lock; what was kept is still worth showing.
fn locked(lines: &Mutex<Lines>) -> MutexGuard<'_, Lines> {
    lines.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps lines until there are no more.
fn keep(from: impl std::io::Read, lines: &(Mutex<Lines>, Condvar)) {
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        locked(&lines.0).all.push(text);
        lines.1.notify_all();
        line.clear();
    }
}

/// Waits until something holds that no line of a log tells.
pub fn wait_until(what: &str, patience: Duration, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + patience;
    while !holds() {
        assert!(Instant::now() < deadline, "waited {patience:?} in vain: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Gives orders to QEMU's monitor, and shows what it says where it says more than its prompt.
pub fn monitor(socket: &Path, orders: &[&str]) {
    use std::io::{Read as _, Write as _};
    let mut monitor = std::os::unix::net::UnixStream::connect(socket).expect("it runs");
    monitor.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    let mut said = String::new();
    let mut prompts = 0;
    for order in orders.iter().map(Some).chain([None]) {
        prompts += 1;
        let mut buffer = [0; 4096];
        while said.matches("(qemu) ").count() < prompts {
            let length = monitor.read(&mut buffer).expect("QEMU's monitor answers");
            assert!(length > 0, "it went away");
            said += &String::from_utf8_lossy(&buffer[..length]);
        }
        if let Some(order) = order {
            monitor.write_all(format!("{order}\n").as_bytes()).expect("written");
        }
    }
    assert!(!said.contains("Error") && !said.contains("error"), "{said}");
}

/// The repository's folder.
pub fn root() -> &'static Path {
    let mut folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    folders.nth(2).expect("this crate is in crates/ of it")
}
