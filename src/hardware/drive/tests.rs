//! The thread with a row of LEDs that notes when it is written to, and a button that is played.

use std::{
    sync::{Arc, Mutex},
    time::Instant,
};

use tokio::sync::mpsc::{Receiver, Sender, UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::*;
use crate::{
    hardware::backend::{Face, Input},
    service::seen::{self, Showing},
};
use rackberry_core::{
    appliance::{StatusView, TimedView},
    ids::Mac,
    panel::{Contact, Light, board},
};

/// What a LED row was given, and when.
type Shown = Arc<Mutex<Vec<(Time, Vec<Light>)>>>;

struct Noted {
    shown: Shown,
    clock: Clock,
}

impl Face for Noted {
    fn show(&mut self, lights: &[Light], _: &PanelFacts, _: Time) -> Result<(), Fault> {
        self.shown.lock().unwrap().push((self.clock.now(), lights.to_vec()));
        Ok(())
    }
}

/// A panel under test; its thread ends with it.
struct Rig {
    clock: Clock,
    shown: Shown,
    state: Showing,
    stop: watch::Sender<Option<Last>>,
    button: Sender<bool>,
    said: UnboundedReceiver<Said>,
    thread: thread::JoinHandle<u64>,
}

fn snapshot(armed_seconds: Option<u64>, image: Option<(u64, u64)>) -> Snapshot {
    let status = StatusView {
        version: String::new(),
        armed_seconds,
        live: false,
        orders: Vec::new(),
        interface: "eth0".into(),
        address: "10.10.10.1/24".into(),
        url: String::new(),
        dhcp: rackberry_core::dhcp::ServingMode::Full,
        panel: String::new(),
        ready: Ok("coreos 1".into()),
        counts: Vec::new(),
        leases: 0,
        warnings: Vec::new(),
    };
    let view = |(sent, total)| NodeView {
        mac: Mac([2, 0, 0, 0, 0, 1]),
        macs: Vec::new(),
        name: None,
        led: None,
        stage: Stage::Installing,
        stage_seconds: 0,
        seen_seconds: None,
        arch: None,
        address: None,
        granted: false,
        next_boot: rackberry_core::appliance::NextBoot::default(),
        offer_style: None,
        loader: None,
        diagnosis: None,
        image: Some(rackberry_core::nodes::ImageProgress { sent, total }),
        failure: None,
        installed: None,
        writes: 1,
        log: String::new(),
    };
    Snapshot {
        status: Some(status),
        nodes: Arc::new(image.into_iter().map(view).map(timed).collect()),
        is_ready: true,
        ..Snapshot::default()
    }
}

fn timed(view: NodeView) -> (Mac, Arc<TimedView>) {
    (view.mac, Arc::new(TimedView { view, since: None, seen: None }))
}

impl Rig {
    fn start(first: Snapshot) -> Rig {
        let clock = Clock::starting_after(Time(0));
        let shown = Shown::default();
        let (state, seen) = seen::channel(first);
        let (stop, stopping) = watch::channel(None);
        let (button, played) = mpsc::channel(16);
        let (told, said): (UnboundedSender<Said>, _) = unbounded_channel();
        let face = Noted { shown: shown.clone(), clock };
        let board = board::built_in(board::SIMULATED).unwrap();
        let mut thread = Thread { leds: board.node_leds(), board, seen, clock, played: None, told, stopping };
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(thread.drive_noted(face, played));
            processor_nanoseconds()
        });
        Rig { clock, shown, state, stop, button, said, thread }
    }

    fn end(self) -> (Vec<(Time, Vec<Light>)>, u64) {
        self.stop.send(Some(Last::Dark)).unwrap();
        let used = self.thread.join().unwrap();
        (Arc::try_unwrap(self.shown).unwrap().into_inner().unwrap(), used)
    }
}

impl Thread {
    async fn drive_noted(&mut self, face: Noted, played: Receiver<bool>) {
        let mut panel = Panel::new(self.leds, Contact::Released);
        let (facts, _shown) = watch::channel(PanelFacts::default());
        let mut hardware =
            Hardware { face: Box::new(face), button: Input::Played(played, None), is_pressed: false };
        self.light(&mut panel, &mut hardware, &facts).await.unwrap();
    }
}

/// What this thread has had of the processor.
fn processor_nanoseconds() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

/// When the status LED was written to, measured from the rhythm's own edge before it, in milliseconds.
fn lateness(shown: &[(Time, Vec<Light>)], half: u64) -> Vec<u64> {
    let mut changes = shown.windows(2).filter(|pair| pair[0].1[0].is_lit() != pair[1].1[0].is_lit());
    // The first may follow from something else than the rhythm.
    changes.next();
    changes.map(|pair| pair[1].0.0 % half).collect()
}

/// Every thread of a runtime is busy for good, and so is every core, as when images are sent at line rate; the
/// state changes all the time. A machine that others use too may be away for a moment, hence the tries.
#[test]
#[allow(clippy::disallowed_methods)]
fn leds_are_not_late_while_the_service_is_busy() {
    let mut worst = 0;
    for _ in 0..5 {
        let rig = Rig::start(snapshot(Some(60), Some((0, 1_000_000))));
        let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let cores = thread::available_parallelism().map_or(2, usize::from);
        let busy: Vec<_> = (0..cores * 4)
            .map(|_| {
                let stop = stop.clone();
                thread::spawn(move || {
                    while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                        std::hint::black_box(vec![1u8; 1 << 16].iter().map(|b| u64::from(*b)).sum::<u64>());
                    }
                })
            })
            .collect();
        let end = Instant::now() + Duration::from_secs(5);
        for sent in 0u64.. {
            if Instant::now() >= end {
                break;
            }
            rig.state.show(snapshot(Some(60), Some((sent % 1_000_000, 1_000_000))));
            thread::sleep(Duration::from_micros(200));
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        busy.into_iter().for_each(|thread| thread.join().unwrap());
        let late = lateness(&rig.end().0, 250);
        // 2 Hz: a change every quarter of a second.
        assert!(late.len() >= 15, "{late:?}");
        worst = late.into_iter().max().unwrap();
        println!("measured: a LED is {worst} ms late at worst beside {} busy threads", cores * 4);
        if worst <= 50 {
            return;
        }
    }
    panic!("a LED is {worst} ms late");
}

#[test]
#[allow(clippy::disallowed_methods)]
fn an_idle_panel_sleeps() {
    let rig = Rig::start(snapshot(None, None));
    thread::sleep(Duration::from_secs(10));
    let (shown, used) = rig.end();
    let percent = used as f64 / 10e9 * 100.0;
    println!("measured: the idle panel takes {percent:.4} % of a core");
    assert!(percent < 0.5, "{percent} %");
    // Two writes a wink, one at the beginning: nobody polls.
    assert!((3..=8).contains(&shown.len()), "{} writes", shown.len());
}

#[test]
#[allow(clippy::disallowed_methods)]
fn a_press_is_felt_at_once() {
    let mut rig = Rig::start(snapshot(None, None));
    let at = |from: Time, milliseconds| rig.clock.until(from + Duration::from_millis(milliseconds));
    thread::sleep(Duration::from_millis(100));
    let pressed = rig.clock.now();
    rig.button.blocking_send(true).unwrap();
    thread::sleep(at(pressed, 2_100));
    // A hand's own doing: the order comes when the button is released.
    assert!(rig.said.try_recv().is_err());
    let released = rig.clock.now();
    rig.button.blocking_send(false).unwrap();
    let order = rig.said.blocking_recv();
    let felt = rig.clock.now().since(released);
    assert!(matches!(order, Some(Said::Order(PanelOrder::Arm))), "{order:?}");
    println!("measured: the order comes {} ms after the release", felt.as_millis());
    let (shown, _) = rig.end();
    let answer =
        shown.iter().find(|(at, lights)| *at >= pressed + Duration::from_secs(2) && lights[0].is_lit());
    let late = answer.expect("the status LED answers").0.since(pressed + Duration::from_secs(2));
    println!("measured: the status LED answers {} ms after two seconds", late.as_millis());
    // 50 ms are promised; a machine that others use too may be away for a moment.
    assert!(felt <= Duration::from_millis(150) && late <= Duration::from_millis(100), "{felt:?} {late:?}");
}

#[test]
#[allow(clippy::disallowed_methods)]
fn the_last_is_a_code_and_then_dark() {
    let rig = Rig::start(snapshot(Some(60), None));
    thread::sleep(Duration::from_millis(50));
    rig.stop.send(Some(Last::Code(Trouble::Config, 1))).unwrap();
    let began = rig.clock.now();
    rig.thread.join().unwrap();
    assert!(rig.clock.now().since(began) >= Pattern::Pulses(2).round());
    assert!(
        rig.shown
            .lock()
            .unwrap()
            .iter()
            .any(|(_, lights)| lights[0].color == rackberry_core::panel::Color::Red)
    );
}

#[test]
fn a_device_that_udev_has_not_given_away_yet_is_waited_for_and_nothing_else_is() {
    let denied = Fault::NoRight { device: "/dev/gpiochip0".into(), remedy: String::new() };
    assert!(may_pass(&denied, Duration::ZERO) && may_pass(&denied, Duration::from_secs(9)));
    assert!(!may_pass(&denied, UDEV_PATIENCE));
    assert!(!may_pass(&Fault::NoGpio, Duration::ZERO));
}
