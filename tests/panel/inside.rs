//! Runs in the test machine, where everything is at hand: the kernel's simulated GPIO, the network, the real
//! service as a process.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    os::unix::{
        fs::{PermissionsExt as _, chown},
        process::CommandExt as _,
    },
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, sleep},
    time::{Duration, Instant},
};

use gpiosim::{Bank, Level};
use rackberry_core::panel::Contact;

use super::{lights::Rhythm, rig::*, support::Watched};

#[test]
#[ignore = "runs in the test machine"]
fn a_press_arms_and_an_install_shows_in_the_leds() {
    let sim = Arc::new(chip());
    let service = service();
    let watch = Watch::begin(&sim);
    sleep(seconds(9.0));
    let pressed = watch.now();
    press(&sim, seconds(2.3));
    let released = Instant::now();
    service.wait_for("armed by the button", 0, SOON);
    println!("measured: armed {} ms after the release", released.elapsed().as_millis());
    sleep(seconds(3.0));
    let mut nodes = Command::new("ip");
    nodes.args(["netns", "exec", "nodes", BINARY, "simulated-nodes", "2", "--pause", "8s"]);
    let mut nodes = Watched::start(nodes);
    for node in ["52:54:00:5a:00:01", "52:54:00:5a:00:02"] {
        service.wait_for(&format!("mac={node} node=\"{node}\" stage=installed"), 0, seconds(240.0));
    }
    assert!(nodes.end(SOON), "the simulated nodes failed");
    sleep(seconds(3.0));
    let end = watch.now();
    let leds = watch.end();

    let status = &leds[0];
    let rhythms: Vec<Rhythm> = status.rhythms().into_iter().map(|(rhythm, _)| rhythm).collect();
    assert_eq!(rhythms, [Rhythm::RareWink, Rhythm::Fast], "{status:?}");
    // It answers when the button has been held for two seconds.
    let answer = pressed + seconds(2.0);
    let lit =
        status.changes.iter().find(|(at, lit)| *lit && *at + seconds(0.1) > answer).expect("an answer").0;
    let late = lit.saturating_sub(answer).as_millis();
    println!("measured: the status LED answered {late} ms after two seconds");
    assert!(late <= 50, "the status LED answered {late} ms late");

    for node in &leds[1..3] {
        let rhythms = node.rhythms();
        let order: Vec<Rhythm> = rhythms.iter().map(|(rhythm, _)| *rhythm).collect();
        assert_eq!(order, [Rhythm::Wink, Rhythm::Slow, Rhythm::Part, Rhythm::Double], "{node:?}");
        assert!(rhythms.iter().all(|(_, count)| *count >= 2), "{rhythms:?}");
        let mut parts: Vec<u64> = node
            .flashes()
            .iter()
            .filter(|flash| flash.rhythm() == Some(Rhythm::Part))
            .map(|flash| flash.lit)
            .collect();
        // The next rhythm cuts it off.
        parts.pop();
        assert!(parts.is_sorted_by(|a, b| *a <= b + 10), "the installed part shrinks: {parts:?}");
        assert!(parts.last() > parts.first(), "the installed part never grows: {parts:?}");
        let (since, lit) = node.last().expect("it changed");
        assert!(lit && end - since > seconds(2.0), "installed is steady: {node:?}");
    }
    assert!(leds[3].changes.iter().all(|(_, lit)| !lit), "a LED without node is dark: {:?}", leds[3]);
}

#[test]
#[ignore = "runs in the test machine"]
fn noise_and_a_button_held_at_the_start_arm_nothing() {
    let sim = chip();
    set_button(&sim, Contact::Pressed);
    let service = service();
    sleep(seconds(3.0));
    set_button(&sim, Contact::Released);
    sleep(seconds(1.0));
    assert!(!is_armed(), "held while the service started");
    // A loose contact, and the hum of the mains.
    for pause in [1, 3, 8, 10] {
        let end = Instant::now() + seconds(3.0);
        while Instant::now() < end {
            set_button(&sim, Contact::Pressed);
            sleep(Duration::from_millis(pause));
            set_button(&sim, Contact::Released);
            sleep(Duration::from_millis(pause));
        }
    }
    sleep(seconds(1.0));
    assert!(!is_armed(), "noise armed");
    press(&sim, seconds(0.3));
    press(&sim, seconds(1.5));
    sleep(seconds(1.0));
    assert!(!is_armed(), "short presses armed");
    // Afterwards it works, both ways; bounces are no presses.
    for word in ["armed by the button", "disarmed by the button"] {
        // Contacts that bounce faster than the kernel looks lose it an edge, and such a press does not count: safe,
        // and mended by pressing again.
        let works = (0..3).any(|_| {
            for _ in 0..8 {
                press(&sim, Duration::from_millis(1));
            }
            press(&sim, seconds(2.3));
            sleep(seconds(3.0));
            service.lines().iter().any(|line| line.contains(word))
        });
        assert!(works, "nothing is {word}: {:?}", service.lines());
    }
    assert!(!is_armed());
}

/// The one processor is kept busy by clients that ask, and by the service that answers all of them.
#[test]
#[ignore = "runs in the test machine"]
fn leds_keep_time_while_the_service_is_flooded() {
    let sim = Arc::new(chip());
    let service = service();
    press(&sim, seconds(2.3));
    service.wait_for("armed by the button", 0, SOON);
    let ended = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let ended = Arc::clone(&ended);
            thread::spawn(move || {
                let mut answers = 0u64;
                while !ended.load(Ordering::Relaxed) {
                    let mut stream = TcpStream::connect("10.10.10.1:80").expect("a connection");
                    let request = b"GET /metrics HTTP/1.1\r\nHost: rack\r\nConnection: close\r\n\r\n";
                    stream.write_all(request).expect("sent");
                    let mut answer = String::new();
                    stream.read_to_string(&mut answer).expect("an answer");
                    answers += u64::from(answer.starts_with("HTTP/1.1 200"));
                }
                answers
            })
        })
        .collect();
    let watch = Watch::begin(&sim);
    sleep(seconds(8.0));
    let leds = watch.end();
    ended.store(true, Ordering::Relaxed);
    let answers: u64 = clients.into_iter().map(|client| client.join().expect("it asked")).sum();
    let flashes = leds[0].flashes();
    // 2 Hz: each change should come 250 ms after the one before.
    let worst =
        flashes.iter().flat_map(|flash| [flash.lit, flash.dark]).map(|length| length.abs_diff(250)).max();
    let worst = worst.expect("it blinked");
    println!(
        "measured: a LED is {worst} ms late at worst while {} requests a second are answered",
        answers / 8
    );
    assert!(flashes.len() >= 14, "{flashes:?}");
    assert!(answers > 200, "the service was to be busy, but had {answers} requests");
    assert!(worst <= 50, "a LED is {worst} ms late: {flashes:?}");
}

#[test]
#[ignore = "runs in the test machine"]
fn hardware_comes_and_goes_and_the_service_goes_on() {
    prepare();
    let service = serve();
    service.wait_for("no panel (board): this machine has no GPIO chip", 0, SOON);
    service.wait_for("ready and safe", 0, SOON);
    assert!(status().contains("no panel"), "{}", status());
    let sim = chip();
    let works = service.wait_for("the panel board works", 0, SOON);
    assert!(status().contains("board: 3 LEDs and a button"), "{}", status());
    drop(sim);
    let lost = service.wait_for("the panel is lost", works, SOON);
    assert!(!is_armed());
    let sim = chip();
    service.wait_for("the panel board works", lost, SOON);
    press(&sim, seconds(2.3));
    service.wait_for("armed by the button", lost, SOON);
}

#[test]
#[ignore = "runs in the test machine"]
fn what_hinders_a_panel_is_named_with_its_remedy() {
    prepare();
    let sim = chip();
    let check = |user: u32, config: &str| {
        fs::write("/tmp/check.toml", config).expect("written");
        let mut command =
            rackberry(&["check", "--config", "/tmp/rackberry.toml", "--config", "/tmp/check.toml"]);
        command.uid(user).gid(user);
        let output = command.output().expect("the command");
        (output.status.code(), said(&output))
    };
    let (code, words) = check(0, "");
    assert_eq!(code, Some(0), "{words}");

    // Rights, by the device's mode and group.
    let device = sim.chips()[0].dev_path().clone();
    fs::set_permissions(&device, fs::Permissions::from_mode(0o600)).expect("a mode");
    let (code, words) = check(65534, "");
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains(&format!("no right to use {}", device.display())), "{words}");
    assert!(words.contains("group gpio") && words.contains("udev rule"), "{words}");
    fs::set_permissions(&device, fs::Permissions::from_mode(0o660)).expect("a mode");
    chown(&device, None, Some(900)).expect("a group");
    let (_, words) = check(65534, "");
    assert!(words.contains("add the user that runs rackberry to the group gpio"), "{words}");

    // A line that somebody else uses.
    let request =
        gpiocdev::Request::builder().on_chip(&device).with_line(2).with_consumer("somebody").request();
    let (code, words) = check(0, "");
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains("line 2 of rackberry-sim is used by \"somebody\""), "{words}");
    drop(request);

    // A chip and a line that are not there, a line used twice.
    for (from, to, wanted) in [
        (
            "'rackberry-sim'",
            "'other', 'pinctrl-x'",
            "no GPIO chip labelled other or pinctrl-x (there is rackberry-sim)",
        ),
        ("'BUTTON'", "'BELL'", "rackberry-sim has no line \"BELL\""),
        ("[1, 2, 3]", "[1, 2, 300]", "rackberry-sim has no line 300"),
        ("[1, 2, 3]", "[1, 2, 0]", "/tmp/other.toml:6:16: leds: line 0 is the status LED's already (line 5)"),
    ] {
        fs::write("/tmp/other.toml", BOARD.replace(from, to)).expect("written");
        let (code, words) = check(0, "[panel]\nboard = '/tmp/other.toml'\n");
        assert_eq!(code, Some(1), "{words}");
        assert!(words.contains(wanted), "{wanted}\n-> {words}");
    }
    let (code, words) = check(0, "[panel]\nboard = 'mcp23017-16'\n");
    assert_eq!(code, Some(0), "{words}");
    assert!(words.contains("this is no Raspberry Pi; the panel mcp23017-16 was not looked for"), "{words}");
}

#[test]
#[ignore = "runs in the test machine"]
fn a_new_panel_is_tried_out_led_by_led() {
    let sim = Arc::new(chip());
    prepare();
    let watch = Watch::begin(&sim);
    let mut command = rackberry(&["panel", "test", "--board", "/tmp/board.toml"]);
    command.env("RUST_BACKTRACE", "0");
    let mut test = Watched::start(command);
    test.wait_for("LED 3, line 3", 0, SOON);
    sleep(seconds(0.5));
    press(&sim, seconds(0.6));
    test.wait_for("the button is down", 0, SOON);
    test.wait_for("the button is up after 0.6", 0, SOON);
    test.signal(rustix::process::Signal::INT);
    assert!(test.end(SOON), "Ctrl-C is a good end");
    sleep(seconds(0.2));
    let leds = watch.end();
    let first: Vec<Duration> =
        leds.iter().map(|led| led.changes.iter().find(|(_, lit)| *lit).expect("it was lit").0).collect();
    assert!(first.is_sorted(), "one after the other: {first:?}");
    assert!(
        leds.iter().all(|led| led.last().is_some_and(|(_, lit)| !lit)),
        "all are dark in the end: {leds:?}"
    );
}

#[test]
#[ignore = "runs in the test machine"]
fn error_codes_tell_what_is_wrong() {
    prepare();
    // The built-in board, on a chip that is called as a Raspberry Pi's.
    let sim = gpiosim::builder().with_bank(&Bank::new(28, "pinctrl-bcm2711")).live().expect("gpio-sim");
    let pulses = |length: Duration| {
        let (end, mut lit, mut counts, mut dark_since) =
            (Instant::now() + length, false, vec![0], Instant::now());
        while Instant::now() < end {
            let now = sim.chips()[0].get_level(17).expect("a value") == Level::High;
            if now && !lit {
                if dark_since.elapsed() > seconds(1.2) {
                    counts.push(0);
                }
                *counts.last_mut().expect("one") += 1;
            }
            if !now && lit {
                dark_since = Instant::now();
            }
            lit = now;
            sleep(Duration::from_millis(10));
        }
        counts
    };
    // A faulty configuration: the service doesn't start, and says so by the LED as well.
    fs::write("/tmp/faulty.toml", "[network]\nadress = '10.0.0.1/24'\n").expect("written");
    let mut faulty =
        Watched::start(rackberry(&["serve", "--config", "/tmp/faulty.toml", "--state", "/tmp/state"]));
    let counts = pulses(seconds(9.0));
    assert!(
        counts.iter().filter(|count| **count == 2).count() >= 2,
        "two pulses, again and again: {counts:?}"
    );
    assert!(!faulty.end(SOON), "it fails");
    faulty.wait_for("/tmp/faulty.toml:2:1", 0, SOON);
    // No interface: it waits for one, and the code says why.
    fs::write("/tmp/faulty.toml", "").expect("written");
    let mut lost =
        Watched::start(rackberry(&["serve", "--config", "/tmp/faulty.toml", "--state", "/tmp/state"]));
    let counts = pulses(seconds(7.0));
    assert!(counts.contains(&4), "four pulses: {counts:?}");
    lost.signal(rustix::process::Signal::TERM);
    assert!(lost.end(SOON), "it can be told to stop");
    // No address, then a network, and a system that is incomplete.
    shell("/bin/ip address del 10.10.10.1/24 dev eth0");
    fs::remove_file("/tmp/assets/coreos/1010.5.0/coreos_production_image.bin.bz2").expect("it was there");
    let config = fs::read_to_string("/tmp/rackberry.toml").expect("read");
    fs::write("/tmp/rackberry.toml", config.replace("'/tmp/board.toml'", "'breadboard-8'")).expect("written");
    let service = serve();
    service.wait_for("the panel breadboard-8 works", 0, SOON);
    sleep(seconds(1.0));
    let counts = pulses(seconds(13.0));
    assert!(counts[1..counts.len() - 1].iter().all(|count| *count == 4), "four pulses: {counts:?}");
    shell("/bin/ip address add 10.10.10.1/24 dev eth0");
    service.wait_for("ready and safe", 0, SOON);
    sleep(seconds(1.0));
    let counts = pulses(seconds(12.0));
    assert!(counts[1..counts.len() - 1].iter().all(|count| *count == 3), "three pulses: {counts:?}");
}

#[test]
#[ignore = "runs in the test machine"]
fn an_idle_panel_sleeps_and_this_kernel_knows_no_old_interface() {
    let config = fs::read_to_string("/etc/kernel-config").expect("the kernel's configuration");
    assert!(config.contains("# CONFIG_GPIO_CDEV_V1 is not set"), "uAPI v1 is there; this proves nothing");
    let _sim = chip();
    let service = service();
    sleep(seconds(2.0));
    let before = processor_time(service.child.id());
    let length = seconds(20.0);
    sleep(length);
    let used = processor_time(service.child.id()) - before;
    let percent = used.as_secs_f64() / length.as_secs_f64() * 100.0;
    println!("measured: the idle panel takes {percent:.3} % of an emulated core");
    assert!(percent < 0.5, "the idle panel takes {percent:.3} % of an emulated core");
}

/// What the panel's threads have had of the processor.
fn processor_time(process: u32) -> Duration {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).expect("tasks");
    let nanoseconds = tasks.filter_map(|task| {
        let path = task.ok()?.path();
        let name = fs::read_to_string(path.join("comm")).ok()?;
        let spent = fs::read_to_string(path.join("schedstat")).ok()?;
        matches!(name.trim(), "panel" | "display").then(|| spent.split(' ').next()?.parse().ok())?
    });
    let all: Vec<u64> = nanoseconds.collect();
    assert_eq!(all.len(), 1, "the panel has a thread");
    Duration::from_nanos(all.iter().sum())
}
