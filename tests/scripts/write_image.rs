//! The installer of disk images: what becomes of the disk, whatever becomes of the image.

use std::{fs, net::TcpListener, process::Command, time::Duration};

use rustix::process::{Pid, Signal, kill_process};

use crate::{
    rig::{Appliance, Machine, Reply, Run, Tools},
    support::{root, wait_until},
};

/// Bytes of the disk and of the image.
const DISK: usize = 8 << 20;
const IMAGE: usize = 5 << 20;
/// What the disk holds before.
const OLD: u8 = 0xAA;
const SOON: Duration = Duration::from_secs(30);

/// Nothing in it repeats.
fn image() -> Vec<u8> {
    (0..IMAGE / 4).flat_map(|at| (at as u32).wrapping_mul(0x9E37_79B9).to_le_bytes()).collect()
}

fn packed(program: &str) -> Vec<u8> {
    let mut child = Command::new(program)
        .args(["-1", "-c"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let feeder = std::thread::spawn(move || std::io::Write::write_all(&mut stdin, &image()).unwrap());
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    output.stdout
}

fn digest(bytes: &[u8]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, bytes).unwrap();
    let output = Command::new("sha256sum").arg(file).output().unwrap();
    String::from_utf8(output.stdout).unwrap()[..64].to_owned()
}

/// A machine whose disk holds something.
fn machine() -> Machine {
    let machine = Machine::new(Tools::Busybox);
    machine.disk("sda", (DISK / 512) as u64);
    machine.write("dev/sda", vec![OLD; DISK]);
    machine.program("zstd", "exec /usr/bin/zstd \"$@\"");
    machine
}

fn write(machine: &Machine, url: &str, name: &str, digest: &str) -> Run {
    let text = fs::read_to_string(root().join("image/installer/write-image")).unwrap();
    assert!(text.contains("[ -b \"$disk\" ]"));
    // The disk is a file here, and not worth a wait for this computer's own. Time passes as it does.
    let text =
        text.replace("[ -b \"$disk\" ]", "[ -e \"$disk\" ]").replace("conv=notrunc,fsync", "conv=notrunc");
    machine.run(&format!("unset -f sleep\nset -- /dev/sda '{url}' '{name}' '{digest}'\n{text}"))
}

fn disk(machine: &Machine) -> Vec<u8> {
    fs::read(machine.path("dev/sda")).unwrap()
}

/// That the disk is as it was, and that this is said.
#[track_caller]
fn untouched(machine: &Machine, run: &Run, words: &str) {
    assert!(
        run.said.contains(words) && run.said.trim_end().ends_with("; /dev/sda was not touched"),
        "{words}: {}",
        run.said
    );
    assert!(disk(machine).iter().all(|byte| *byte == OLD), "{words}: {}", run.said);
}

/// That the disk does not boot, and that this is said.
#[track_caller]
fn wiped(machine: &Machine, run: &Run, words: &str) {
    assert!(
        run.said.contains(words) && run.said.trim_end().ends_with("; wiped the start of /dev/sda"),
        "{words}: {}",
        run.said
    );
    let disk = disk(machine);
    assert!(
        disk[..1 << 20].iter().chain(&disk[DISK - 64 * 512..]).all(|byte| *byte == 0),
        "{words}: {}",
        run.said
    );
}

fn answers(reply: Reply) -> Appliance {
    Appliance::start(move |_, _| reply.clone())
}

#[test]
fn an_image_of_any_packing_is_on_the_disk_and_nothing_else_of_it_changed() {
    for (name, bytes) in [
        ("i.raw", image()),
        ("i.img.xz", packed("xz")),
        ("i.img.gz", packed("gzip")),
        ("i.bin.bz2", packed("bzip2")),
        ("i.raw.zst", packed("zstd")),
    ] {
        let (machine, sum) = (machine(), digest(&bytes));
        let appliance = answers(Reply::Status(200, bytes));
        let run = write(&machine, &appliance.url(), name, if name == "i.raw" { "-" } else { &sum });
        assert!(run.said.contains(&format!("write-image: {name} is on /dev/sda")), "{}", run.said);
        let disk = disk(&machine);
        assert!(
            disk[..IMAGE] == image() && disk[IMAGE..DISK - 64 * 512].iter().all(|byte| *byte == OLD),
            "{name}"
        );
        assert!(
            disk[DISK - 64 * 512..].iter().all(|byte| *byte == 0),
            "an old table at the disk's end is gone"
        );
    }
    // Less than what waits for the end.
    let machine = machine();
    let run = write(&machine, &answers(Reply::Status(200, vec![7; 1000])).url(), "i.raw", "-");
    let disk = disk(&machine);
    assert!(
        run.said.contains("is on /dev/sda")
            && disk[..1000] == [7; 1000]
            && disk[1000..1 << 20].iter().all(|byte| *byte == 0)
    );
}

#[test]
fn without_a_byte_of_the_image_the_disk_stays_as_it_is() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let machine = machine();
    untouched(
        &machine,
        &write(&machine, &format!("http://{nobody}"), "i.raw", "-"),
        "cannot fetch i.raw: wget: can't connect to remote host",
    );
    for (reply, words) in [
        (Reply::HangUp, "cannot fetch i.img.xz: wget: error getting response"),
        (Reply::Status(403, Vec::new()), "cannot fetch i.img.xz: wget: server returned error: HTTP/1.1 403"),
        (Reply::Status(404, Vec::new()), "cannot fetch i.img.xz: wget: server returned error: HTTP/1.1 404"),
        (
            Reply::Status(503, b"the disk is full".to_vec()),
            "cannot fetch i.img.xz: wget: server returned error: HTTP/1.1 503",
        ),
        (Reply::Cut(Vec::new(), 1000), "cannot fetch i.img.xz: wget: connection closed prematurely"),
        (Reply::Status(200, b"<html>no image</html>\n".repeat(100)), "cannot unpack i.img.xz: "),
    ] {
        untouched(&machine, &write(&machine, &answers(reply).url(), "i.img.xz", "-"), words);
    }
    for name in ["i.raw", "i.raw.gz", "i.raw.bz2", "i.raw.xz", "i.raw.zst"] {
        let run = write(&machine, &answers(Reply::Status(200, Vec::new())).url(), name, "-");
        untouched(&machine, &run, name);
        if name != "i.raw" {
            let page = b"<html>no image</html>\n".repeat(10_000);
            untouched(
                &machine,
                &write(&machine, &answers(Reply::Status(200, page)).url(), name, "-"),
                &format!("cannot unpack {name}: "),
            );
        }
    }
    untouched(
        &machine,
        &write(&machine, "http://127.0.0.1:1", "i.tar", "-"),
        "i.tar is packed in a way that is not known",
    );
}

#[test]
fn an_image_that_ends_early_or_is_another_one_leaves_a_disk_that_does_not_boot() {
    let xz = packed("xz");
    let mut changed = xz.clone();
    changed[3 << 20] ^= 1;
    let sum = digest(&xz);
    for (reply, name, digest, words) in [
        (
            Reply::Cut(image()[..3 << 20].to_vec(), IMAGE),
            "i.raw",
            "-",
            "the transfer broke off: wget: connection closed prematurely",
        ),
        (
            Reply::Cut(image()[..1000].to_vec(), IMAGE),
            "i.raw",
            "-",
            "the transfer broke off: wget: connection closed prematurely",
        ),
        (
            Reply::Cut(xz[..3 << 20].to_vec(), xz.len()),
            "i.raw.xz",
            sum.as_str(),
            "the transfer broke off: wget: connection closed prematurely",
        ),
        (Reply::Status(200, xz[..3 << 20].to_vec()), "i.raw.xz", "-", "cannot unpack i.raw.xz: "),
        (Reply::Status(200, xz[..3 << 20].to_vec()), "i.raw.xz", sum.as_str(), "i.raw.xz has the digest "),
        (Reply::Status(200, changed), "i.raw.xz", "-", "cannot unpack i.raw.xz: "),
        (Reply::Status(200, image()), "i.raw", sum.as_str(), "and should have "),
    ] {
        let machine = machine();
        wiped(&machine, &write(&machine, &answers(reply).url(), name, digest), words);
    }
}

#[test]
fn an_earlier_attempt_is_not_forgotten() {
    let mut machine = machine();
    // What is in /run outlives an attempt.
    machine.setup = format!("mkdir -p {0}; mount --bind {0} /run", machine.path("run").display());
    let cut = Reply::Cut(image()[..2 << 20].to_vec(), IMAGE);
    wiped(&machine, &write(&machine, &answers(cut).url(), "i.raw", "-"), "the transfer broke off");
    wiped(
        &machine,
        &write(&machine, &answers(Reply::Status(503, Vec::new())).url(), "i.raw", "-"),
        "cannot fetch i.raw",
    );
    let run = write(&machine, &answers(Reply::Status(200, image())).url(), "i.raw", "-");
    assert!(run.said.contains("is on /dev/sda"), "{}", run.said);
    let left = fs::read_dir(machine.path("run")).unwrap().count();
    assert_eq!(left, 0, "an install that went well leaves nothing behind");
}

#[test]
fn a_disk_that_does_not_take_the_image_is_named() {
    let appliance = answers(Reply::Status(200, image()));
    // Write-protected, by the kernel's word and by a mount's.
    let mut machine = machine();
    machine.write("sys/class/block/sda/ro", "1\n");
    untouched(&machine, &write(&machine, &appliance.url(), "i.raw", "-"), "/dev/sda cannot be written");
    machine.write("sys/class/block/sda/ro", "0\n");
    machine.setup = "mount --bind /dev/sda /dev/sda; mount -o remount,bind,ro /dev/sda".into();
    untouched(&machine, &write(&machine, &appliance.url(), "i.raw", "-"), "/dev/sda cannot be written");
    assert!(appliance.asked().is_empty(), "nothing is fetched in vain");
    // Too small: what follows its end is refused.
    let mut machine = self::machine();
    machine.setup = "mkdir /run/small; mount -t tmpfs -o size=3m none /run/small; head -c 3145728 /dev/sda >/run/small/sda
                     echo 6144 >/sys/class/block/sda/size; mount --bind /run/small/sda /dev/sda"
        .into();
    machine.teardown = format!("cat /dev/sda >{}", machine.path("after").display());
    let run = write(&machine, &appliance.url(), "i.raw", "-");
    assert!(
        run.said.contains("cannot write to /dev/sda: ")
            && run.said.contains("No space left on device; wiped the start of /dev/sda"),
        "{}",
        run.said
    );
    let after = fs::read(machine.path("after")).unwrap();
    assert!(after.len() == 3 << 20 && after[..1 << 20].iter().all(|byte| *byte == 0), "{}", after.len());
    // Nothing works at all.
    let mut machine = self::machine();
    machine.setup = "mount --bind /dev/full /dev/sda".into();
    let run = write(&machine, &appliance.url(), "i.raw", "-");
    assert!(
        run.said.contains("cannot write to /dev/sda: ")
            && run.said.trim_end().ends_with("; and the start of /dev/sda cannot be wiped"),
        "{}",
        run.said
    );
}

#[test]
fn a_signal_ends_it_in_every_phase_with_the_truth_about_the_disk() {
    for (sent, touches) in [(0, false), (3 << 20, true)] {
        let machine = machine();
        let appliance = answers(Reply::Stall(image()[..sent].to_vec(), IMAGE));
        let run = std::thread::scope(|scope| {
            let run = scope.spawn(|| write(&machine, &appliance.url(), "i.raw", "-"));
            wait_until("it has what is sent", SOON, || {
                !appliance.asked().is_empty() && (!touches || disk(&machine)[1 << 20] != OLD)
            });
            let pid = fs::read_to_string(machine.path("pid")).unwrap().trim().parse().unwrap();
            kill_process(Pid::from_raw(pid).unwrap(), Signal::TERM).unwrap();
            run.join().unwrap()
        });
        if touches {
            wiped(&machine, &run, "told to stop")
        } else {
            untouched(&machine, &run, "told to stop")
        }
    }
}

#[test]
fn a_server_whose_power_is_gone_is_not_waited_for_for_ever() {
    for (sent, touches) in [(0, false), (3 << 20, true)] {
        let mut machine = machine();
        machine.setup = "export WRITE_IMAGE_PATIENCE=1".into();
        let run =
            write(&machine, &answers(Reply::Stall(image()[..sent].to_vec(), IMAGE)).url(), "i.raw", "-");
        let words = "the transfer broke off: nothing has come for 1 s";
        if touches { wiped(&machine, &run, words) } else { untouched(&machine, &run, words) }
    }
}
