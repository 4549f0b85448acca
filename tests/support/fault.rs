//! Faults of the state's disk, by strace: what the kernel answers to the system calls of a running service on its files, when
//! it answers, and at which of them the service dies.

use std::time::Duration;

use super::{Net, Watched, wait_until};

const SOON: Duration = Duration::from_secs(20);
/// Whatever is written, made and synced in the state's folder.
const FILES: [&str; 5] = ["", "state.log", ".state.log", "journal.mark", ".journal.mark"];

/// From now on each of these calls on the state's files has this fault (as of strace's `inject=`), until it is dropped.
pub fn inject(net: &Net, process: &Watched, calls: &str, fault: &str) -> Watched {
    let pid = process.pid().as_raw_nonzero().to_string();
    let mut strace = net.command("strace");
    strace.args(["-f", "-q", "-o", "/dev/null", "-e", &format!("trace={calls}")]);
    strace.args(["-e", &format!("inject={calls}:{fault}")]);
    for file in FILES {
        strace.arg("-P").arg(net.path("state").join(file));
    }
    strace.args(["-p", &pid]);
    let strace = Watched::start(strace);
    wait_until("the fault is there", SOON, || {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        // It may have died of it.
        let untraced = |line: &str| line.starts_with("TracerPid:\t") && line.ends_with("\t0");
        !status.lines().any(untraced)
    });
    strace
}

/// The state's file system is read-only, as the kernel makes it of a card with errors.
pub fn read_only(net: &Net, process: &Watched) -> Watched {
    inject(net, process, "pwrite64,write,ftruncate,fallocate,fsync,fdatasync,openat,rename", "error=EROFS")
}
