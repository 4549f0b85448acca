//! A machine for shell scripts: its own /sys, /dev and kernel command line, its reboot noted instead of done, time that
//! passes at once; and an appliance that answers as a test says, and keeps what it was told.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex, OnceLock},
};

use serde_json::Value;

pub const MAC: &str = "52:54:00:00:00:01";

/// Whose shell and tools run a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tools {
    /// Bash and curl: Flatcar, Fedora CoreOS, CoreOS.
    Bash,
    /// Dash and GNU's wget: a live system of somebody's own.
    Dash,
    /// Busybox alone: rackberry's own installer.
    Busybox,
}

impl Tools {
    pub const ALL: [Tools; 3] = [Tools::Bash, Tools::Dash, Tools::Busybox];

    /// Where their programs are, as PATH has it.
    fn path(self) -> &'static str {
        static PATHS: OnceLock<[String; 2]> = OnceLock::new();
        let [dash, busybox] = PATHS.get_or_init(|| {
            let no_curl = fs::read_dir("/usr/bin")
                .expect("programs")
                .flatten()
                .filter(|entry| entry.file_name() != "curl");
            let no_curl =
                no_curl.map(|entry| (entry.file_name().into_string().expect("a name"), entry.path()));
            let list = Command::new("busybox").arg("--list").output().expect("busybox");
            let applets = String::from_utf8_lossy(&list.stdout).into_owned();
            let applets = applets.lines().map(|name| (name.to_owned(), PathBuf::from("/bin/busybox")));
            [links("dash", no_curl), links("busybox", applets)]
        });
        match self {
            Tools::Bash => "/usr/bin:/bin",
            Tools::Dash => dash,
            Tools::Busybox => busybox,
        }
    }
}

/// A folder of links, kept for the next run.
fn links(name: &str, programs: impl Iterator<Item = (String, PathBuf)>) -> String {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("tools-{name}"));
    fs::create_dir_all(&folder).expect("a folder");
    for (name, program) in programs {
        let _ = symlink(program, folder.join(name));
    }
    folder.into_os_string().into_string().expect("a path")
}

/// One machine.
pub struct Machine {
    pub dir: tempfile::TempDir,
    /// Shell that prepares it further, as root of its own mounts.
    pub setup: String,
    /// And what is looked at before its mounts are gone.
    pub teardown: String,
    tools: Tools,
}

/// What a script did.
#[derive(Debug)]
pub struct Run {
    /// All that it said.
    pub said: String,
    /// Its pauses, in seconds, and its restart.
    pub steps: Vec<String>,
}

impl Machine {
    /// A machine without disks.
    pub fn new(tools: Tools) -> Machine {
        let machine = Machine { dir: folder(), setup: String::new(), teardown: String::new(), tools };
        for folder in ["sys/class/block", "sys/class/net", "sys/class/dmi/id", "dev", "bin", "tmp"] {
            fs::create_dir_all(machine.path(folder)).expect("a folder");
        }
        machine.write("cmdline", format!("quiet BOOTIF=01-{}\n", MAC.replace(':', "-")));
        machine.write("uptime", "1000.00 900.00\n");
        machine.write("steps", "");
        machine
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(&path, content).expect("written");
        path
    }

    /// A blank disk of so many sectors of 512 bytes.
    pub fn disk(&self, name: &str, sectors: u64) -> PathBuf {
        let disk = self.write(&format!("dev/{name}"), "");
        fs::File::options()
            .write(true)
            .open(&disk)
            .and_then(|disk| disk.set_len(sectors * 512))
            .expect("a disk");
        for (file, value) in
            [("size", sectors), ("ro", 0), ("removable", 0), ("queue/logical_block_size", 512)]
        {
            self.write(&format!("sys/class/block/{name}/{file}"), format!("{value}\n"));
        }
        disk
    }

    /// A partition, as the kernel shows it; both in sectors of 512 bytes.
    pub fn partition(&self, disk: &str, number: u8, start: u64, size: u64) {
        let folder = format!("sys/class/block/{disk}/{disk}{number}");
        for (file, value) in [("partition", number.into()), ("start", start), ("size", size)] {
            self.write(&format!("{folder}/{file}"), format!("{value}\n"));
        }
        let _ = symlink(self.path(&folder), self.path(&format!("sys/class/block/{disk}{number}")));
    }

    /// A program of this machine's own, by a line of shell.
    pub fn program(&self, name: &str, text: &str) {
        let path = self.write(&format!("bin/{name}"), format!("#!/bin/sh\n{text}\n"));
        let mode = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755);
        fs::set_permissions(path, mode).expect("a program");
    }

    /// Runs a script to its end, on this computer's own network.
    pub fn run(&self, script: &str) -> Run {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "setpriv", "--pdeathsig", "KILL"]);
        self.run_by(command, script)
    }

    /// Runs a script to its end; `command` runs what follows it, where it may mount.
    pub fn run_by(&self, mut command: Command, script: &str) -> Run {
        self.write("script", script);
        let dir = self.dir.path().display().to_string();
        self.write("prelude", prelude(&dir));
        let shell = match self.tools {
            Tools::Bash => "bash",
            Tools::Dash => "dash",
            Tools::Busybox => "busybox sh",
        };
        let tools = self.tools.path();
        let (setup, teardown) = (&self.setup, &self.teardown);
        let mounts = format!(
            "set -e
             for node in null zero full random urandom; do : >{dir}/dev/$node; mount --bind /dev/$node {dir}/dev/$node; done
             ln -sfn /proc/self/fd {dir}/dev/fd
             mount --rbind {dir}/dev /dev
             mount --bind {dir}/sys /sys
             mount --bind {dir}/tmp /tmp
             mount -t tmpfs none /run
             mount --bind {dir}/cmdline /proc/cmdline
             mount --bind {dir}/uptime /proc/uptime
             {setup}
             export PATH={dir}/bin:{tools} TMPDIR=/tmp
             {shell} -c '. {dir}/prelude' 2>&1 || :
             {teardown}"
        );
        command.args(["sh", "-c", &mounts]);
        let output = command.stdin(Stdio::null()).output().expect("unshare of util-linux");
        let said =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        // What every shell says of a script that is wrong in itself.
        for words in [
            "unbound variable",
            "parameter not set",
            "yntax error",
            "not found\n",
            "null byte",
            "bad number",
            "integer expression",
            "out of range",
        ] {
            assert!(!said.contains(words), "{words:?} in:\n{said}");
        }
        let steps = fs::read_to_string(self.path("steps")).expect("steps");
        Run { said, steps: steps.lines().map(str::to_owned).collect() }
    }
}

/// What is before a script in its shell.
fn prelude(dir: &str) -> String {
    // Waiting is noted, and moves the clock on. A pause while the file `hold` is there lasts until it is gone.
    format!(
        "sleep() {{
           echo \"sleep $1\" >>{dir}/steps
           up=$(cut -d . -f 1 /proc/uptime); echo \"$((up + $1)).00 0.00\" >{dir}/uptime
           [ ! -e {dir}/hold ] || {{ mv {dir}/hold {dir}/held; while [ -e {dir}/held ]; do command sleep 0.02; done; }}
         }}
         reboot() {{ echo \"reboot $*\" >>{dir}/steps; exit 0; }}
         systemctl() {{ return 1; }}
         sync() {{ :; }}
         blockdev() {{ [ ! -e {dir}/busy ]; }}
         echo $$ >{dir}/pid
         cd {dir}
         . {dir}/script\n"
    )
}

/// Not below /tmp: the machine has one of its own.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder")
}

/// A request.
#[derive(Debug, Clone)]
pub struct Asked {
    pub path: String,
    pub body: Vec<u8>,
}

impl Asked {
    /// The body of a report.
    pub fn report(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {:?}", String::from_utf8_lossy(&self.body)))
    }
}

/// What is answered.
#[derive(Debug, Clone)]
pub enum Reply {
    /// A status and a body.
    Status(u16, Vec<u8>),
    /// So many bytes of the body, of more that are promised.
    Cut(Vec<u8>, usize),
    /// The same, and the connection stays open.
    Stall(Vec<u8>, usize),
    /// The connection ends without a word.
    HangUp,
}

/// An appliance on this computer's loopback.
pub struct Appliance {
    pub port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Appliance {
    /// Answers as `answer` says, which gets the number of the request, from 0, and the request.
    pub fn start(answer: impl Fn(usize, &Asked) -> Reply + Send + Sync + 'static) -> Appliance {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let (known, answer) = (asked.clone(), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (known, answer) = (known.clone(), answer.clone());
                std::thread::spawn(move || serve(stream, &known, &*answer));
            }
        });
        Appliance { port, asked }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("no panic").clone()
    }

    /// The reports so far.
    pub fn reports(&self) -> Vec<Value> {
        self.asked().iter().filter(|asked| asked.path.ends_with("/report")).map(Asked::report).collect()
    }
}

fn serve(stream: TcpStream, known: &Mutex<Vec<Asked>>, answer: &(impl Fn(usize, &Asked) -> Reply + ?Sized)) {
    let mut reader = BufReader::new(&stream);
    let (mut path, mut length, mut line) = (String::new(), 0, String::new());
    while reader.read_line(&mut line).is_ok_and(|count| count > 2) {
        if path.is_empty() {
            path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length");
        }
        line.clear();
    }
    if path.is_empty() {
        return;
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("a body");
    let asked = Asked { path, body };
    let number = {
        let mut known = known.lock().expect("no panic");
        known.push(asked.clone());
        known.len() - 1
    };
    let head = |status: u16, length: usize| {
        format!("HTTP/1.1 {status} Said\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n")
            .into_bytes()
    };
    let reply = answer(number, &asked);
    let bytes = match reply {
        Reply::Status(status, ref body) => [head(status, body.len()), body.clone()].concat(),
        Reply::Cut(ref body, promised) => [head(200, promised), body.clone()].concat(),
        Reply::Stall(ref body, promised) => [head(200, promised), body.clone()].concat(),
        Reply::HangUp => Vec::new(),
    };
    let _ = (&stream).write_all(&bytes);
    if matches!(reply, Reply::Stall(..)) {
        // Until the other side is gone.
        let _ = reader.read(&mut [0]);
    }
}
