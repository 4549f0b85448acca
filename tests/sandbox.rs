//! What the shipped unit takes away from the service is taken away in the tests, too: all that start it as
//! `support::service` does have it confined so. Here is looked whether that holds, and what the service makes of it.

mod support;

use std::{process::Output, time::Duration};

use support::{
    Net, confined,
    service::{Service, small_system},
};

const SOON: Duration = Duration::from_secs(20);

/// What a line of shell does in the confinement.
fn inside(net: &Net, line: &str) -> Output {
    confined::confined(net).args(["sh", "-c", line]).output().expect("a shell")
}

fn says(net: &Net, line: &str) -> String {
    let output = inside(net, line);
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).trim().to_owned()
}

#[test]
fn what_the_unit_takes_away_is_taken_away() {
    let net = Net::new();
    let dir = net.dir.path().display().to_string();
    for (line, words) in [
        ("touch /etc/x", "Read-only file system"),
        (&format!("touch {dir}/x"), "Read-only file system"),
        ("ls /proc/sys /proc/mounts /proc/cpuinfo 2>&1 | grep -c 'No such file'", "3"),
        ("ls /proc/sys", "No such file"),
        ("ls /dev/kmsg /dev/mem", "No such file"),
        ("unshare --user true", "Operation not permitted"),
        ("mount -t tmpfs none /tmp", "permission denied"),
        ("nice -n -5 true", "cannot set niceness"),
        ("ip link set lo down", "Operation not permitted"),
        ("hostname other", "you must be root"),
        ("python3 -c 'import socket; socket.socket(socket.AF_INET6)'", "PermissionError"),
        ("python3 -c 'import mmap; mmap.mmap(-1, 4096, prot=7)'", "PermissionError"),
        ("python3 -c 'import os; os.setuid(1)'", "Error"),
        ("date -s 2001-01-01", "Operation not permitted"),
        ("grep NoNewPrivs /proc/self/status", "1"),
        ("grep CapEff /proc/self/status", "0000000000002400"),
        ("grep ^Seccomp: /proc/self/status", "2"),
        ("ulimit -n", "16384"),
    ] {
        let said = says(&net, line);
        assert!(said.contains(words), "{line}: {said}");
    }
    // And what it leaves.
    for line in [
        &*format!("touch {dir}/state/x {dir}/run/x /tmp/x && ls -l {dir}/state/x | grep -- '-rw-------'"),
        "python3 -c 'import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)'",
        "python3 -c 'import socket; socket.socket().bind((\"0.0.0.0\", 80))'",
        "python3 -c 'import threading; threading.Thread(target=print).start()'",
    ] {
        let output = inside(&net, line);
        assert!(output.status.success(), "{line}: {output:?}");
    }
}

/// The service serves, and says once what it goes without.
#[test]
fn the_service_says_once_what_it_goes_without() {
    let net = Net::new();
    small_system(&net);
    let service = Service::start(&net, "");
    net.client("c1", "02:00:00:00:00:01");
    let leased = net.run_in("c1", "udhcpc -f -q -n -t 3 -T 1 -i eth0 -s /bin/true 2>&1");
    assert!(leased.contains("obtained"), "{leased}");
    service.cli(&["arm"]);
    service.reload("[install]\ntries = 3\n");
    service.wait_for("configuration", SOON);
    let pid = service.process.pid().to_string();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    assert!(status.contains("CapEff:\t0000000000002400"), "the service itself is confined: {status}");
    let log = service.log();
    println!("{}", log.join("\n"));
    let without: Vec<&String> = log.iter().filter(|line| line.contains("WARN")).collect();
    let mut once = without.clone();
    once.dedup();
    assert_eq!(once, without, "each is said once");
}
