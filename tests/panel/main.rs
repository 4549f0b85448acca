//! The panel on a real kernel: a machine of Debian's backports kernel whose GPIO chip is simulated (gpio-sim). The
//! tests in `inside` run in there, as the whole of its userland: they press the button through the simulation's
//! pull, read LED lines back through its value, and see the real service do its work.
#![allow(clippy::disallowed_methods, reason = "tests wait for real processes and measure real lights")]

mod inside;
mod lights;
mod rig;
#[path = "../support/mod.rs"]
mod support;

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, process::Command, time::Duration};

use support::{Watched, root};

/// Booting and all tests under an emulator, on a machine that others use too.
const PATIENCE: Duration = Duration::from_secs(900);
/// Tells the test program that it is inside.
const INSIDE: &str = "RACKBERRY_TEST_MACHINE";

#[test]
fn the_panel_on_a_real_kernel() {
    let base = root().join("target/gpio-vm");
    assert!(base.join("vmlinuz").exists(), "target/gpio-vm is missing: `make test-machine` makes it");
    let dir = tempfile::tempdir().expect("a folder");
    let initrd = dir.path().join("initrd.gz");
    let mut joined = fs::read(base.join("initrd.gz")).expect("the base");
    joined.extend(overlay(&dir.path().join("tree")));
    fs::write(&initrd, joined).expect("written");

    let mut qemu = Command::new("qemu-system-x86_64");
    qemu.args(["-machine", "q35", "-accel", "tcg", "-cpu", "max", "-smp", "1", "-m", "1024", "-nodefaults"]);
    qemu.args(["-display", "none", "-serial", "stdio", "-no-reboot"]);
    // The machine's time goes by its own instructions, four nanoseconds each, and skips what it sleeps: rhythms
    // are right however busy this host is, and minutes of blinking pass in seconds.
    qemu.args(["-icount", "shift=2,sleep=off", "-rtc", "clock=vm"]);
    qemu.arg("-kernel").arg(base.join("vmlinuz")).arg("-initrd").arg(&initrd);
    qemu.args(["-append", "console=ttyS0 quiet panic=-1"]);
    let mut machine = Watched::start(qemu);
    machine.end(PATIENCE);
    let lines = machine.lines();
    for measured in lines.iter().filter_map(|line| Some(&line[line.find("measured: ")?..])) {
        println!("{measured}");
    }
    let passed = lines.iter().any(|line| line.contains("the test machine's test ended with 0"));
    let count =
        lines.iter().find_map(|line| line.strip_prefix("test result: ok. ")?.split(' ').next()?.parse().ok());
    // Otherwise what the machine said is shown.
    assert!(passed && count.is_some_and(|count: usize| count >= 8), "the tests inside failed");
}

/// The second initramfs: the service, this program, and their libraries.
fn overlay(tree: &Path) -> Vec<u8> {
    let test = tree.join("test");
    fs::create_dir_all(&test).expect("a folder");
    let programs = [
        (Path::new(env!("CARGO_BIN_EXE_rackberry")).to_owned(), "rackberry"),
        (std::env::current_exe().expect("this program"), "tests"),
    ];
    for (program, name) in &programs {
        // What debuggers want is most of it.
        let stripped = Command::new("strip").arg("-o").arg(test.join(name)).arg(program).status();
        if !stripped.is_ok_and(|status| status.success()) {
            fs::copy(program, test.join(name)).expect("copied");
        }
        let needs = Command::new("ldd").arg(program).output().expect("ldd");
        for library in
            String::from_utf8_lossy(&needs.stdout).split_whitespace().filter(|word| word.starts_with('/'))
        {
            let place = tree.join(library.trim_start_matches('/'));
            fs::create_dir_all(place.parent().expect("a folder")).expect("a folder");
            fs::copy(library, place).expect("copied");
        }
    }
    let run = test.join("run");
    // For whoever works on one of them.
    let only = std::env::var("RACKBERRY_TEST_ONLY").unwrap_or("inside".into());
    let script = format!(
        "#!/bin/sh\nexport PATH=/bin {INSIDE}=1 RUST_BACKTRACE=1\n\
         exec /test/tests --ignored --test-threads=1 --nocapture {only}\n"
    );
    fs::write(&run, script).expect("written");
    fs::set_permissions(&run, fs::Permissions::from_mode(0o755)).expect("executable");
    let packed = Command::new("sh")
        .args(["-ec", "find . -print0 | cpio --null --create --quiet --format newc | gzip -1"])
        .current_dir(tree)
        .output()
        .expect("cpio and gzip");
    assert!(packed.status.success(), "{}", String::from_utf8_lossy(&packed.stderr));
    packed.stdout
}
