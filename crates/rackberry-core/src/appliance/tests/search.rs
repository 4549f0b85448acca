//! A search over histories: machines, operator, time, crashes, loss and a failing disk drive the real core, in every order.
//! After each step the promise is looked at as somebody would who sees the true disks.
//!
//! Small racks with few events are searched breadth first, through all of their states; larger ones to a stated number
//! of states, and by long walks at random. `make test-promise` is the long form, which takes minutes.

mod machine;
mod model;
mod print;

use std::{
    collections::HashSet,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use model::{Action, Left, Listing, Model, Rack};

/// What has happened before a search begins: many a history needs what is long past.
type Before = &'static [Action];

/// What a search found.
#[derive(Debug)]
struct Found {
    states: usize,
    transitions: usize,
    depth: usize,
    /// Whether every history was searched, and not only as many as the bound allows.
    exhausted: bool,
    /// States with a machine that is installed: a search in which nobody installs finds nothing, whatever is broken.
    installed: usize,
}

/// Explores breadth first, `most` states at most; on a broken promise it prints the shortest history that leads there.
fn search(rack: Rack, before: Before, left: Left, most: usize) -> Found {
    let first = Model::after(rack, before, left);
    let mut seen = HashSet::from([first.fingerprint()]);
    // How each state was reached: the number of the one before, and the step.
    let mut trail: Vec<(usize, Option<Action>)> = vec![(0, None)];
    let mut layer = vec![(0, first)];
    let mut found = Found { states: 1, transitions: 0, depth: 0, exhausted: false, installed: 0 };
    while !layer.is_empty() {
        let mut next = Vec::new();
        for (number, model) in layer {
            for action in model.actions() {
                let mut after = model.clone();
                let mut outcome = after.take(action);
                found.transitions += 1;
                let is_new = seen.insert(after.fingerprint());
                if is_new {
                    found.installed += usize::from(after.has_installed());
                    outcome = outcome.and_then(|()| after.check());
                }
                if let Err(broken) = outcome {
                    panic!("{}", print::history(rack, before, (&trail, number, action), &broken));
                }
                if is_new {
                    trail.push((number, Some(action)));
                    next.push((trail.len() - 1, after));
                }
            }
            if seen.len() >= most {
                found.states = seen.len();
                return found;
            }
        }
        found.depth += 1;
        layer = next;
    }
    (found.states, found.exhausted) = (seen.len(), true);
    found
}

/// Walks at random, so many histories of so many steps. Every other step a machine goes on with what it does: else hardly
/// one would come to its end.
fn walk(rack: Rack, left: Left, walks: u64, steps: usize) {
    let mut installed = 0;
    for seed in 0..walks {
        let mut model = Model::new(rack, left);
        let mut history = Vec::new();
        let mut has_installed = false;
        // A linear congruential generator (Knuth): the same walks each time.
        let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut below = |most: usize| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) as usize % most
        };
        for _ in 0..steps {
            let mut actions = model.actions();
            let goes_on: Vec<Action> =
                actions.iter().copied().filter(|action| matches!(action, Action::Next(_))).collect();
            if !goes_on.is_empty() && below(2) == 0 {
                actions = goes_on;
            }
            let action = actions[below(actions.len())];
            history.push(action);
            if let Err(broken) = model.take(action).and_then(|()| model.check()) {
                panic!("walk {seed}: {}", print::told(rack, &history, &broken));
            }
            has_installed |= model.has_installed();
        }
        installed += usize::from(has_installed);
    }
    println!("{rack:?}: {walks} walks of {steps} steps, {installed} to an installed machine");
    assert!(installed > 0, "nobody installs");
}

fn run(rack: Rack, before: Before, left: Left, most: usize) -> Found {
    #[allow(clippy::disallowed_methods)] // For the line that is printed.
    let began = Instant::now();
    let found = search(rack, before, left, most);
    let took: Duration = began.elapsed();
    println!(
        "{rack:?}, {} steps before, {left:?}: {} states, {} transitions, {}to depth {}, in {:.1} s",
        before.len(),
        found.states,
        found.transitions,
        if found.exhausted { "ALL of them, " } else { "" },
        found.depth,
        took.as_secs_f32()
    );
    found
}

/// Searches through all of the states.
fn exhaust((rack, before, counts): Job) {
    let found = run(rack, before, left(counts), usize::MAX);
    assert!(found.exhausted && found.installed > 20, "{rack:?} {counts:?}: {found:?}");
}

/// Orders, reloads, crashes, strays and pauses.
const fn left([orders, reloads, crashes, strays, pauses]: [u8; 5]) -> Left {
    Left { orders, reloads, crashes, strays, pauses }
}

/// A rack, what has happened before, and what may happen.
type Job = (Rack, Before, [u8; 5]);

const NOTHING: Before = &[];
/// A machine was installed an hour ago, and everybody is armed.
const INSTALLED: Before = {
    use Action::{ArmEverybody, ArmNamed, Next, Start, Wait};
    let go_on = Next(0);
    &[ArmNamed(0), Start(0, 0), go_on, go_on, go_on, go_on, go_on, go_on, Wait(3600), ArmEverybody]
};
/// It was sent its whole image, and what is on its disk does not start.
const DEAD: Before = {
    use Action::{ArmNamed, ComesBad, Next, Start, Wait};
    &[ArmNamed(0), Start(0, 0), Next(0), Next(0), Next(0), ComesBad(0), Start(0, 0), Wait(3600)]
};
/// Of two that call themselves the same one is configured, and armed.
const ONE_IS_LISTED: Before = {
    use Action::{ArmNamed, Reload, Start};
    &[Reload(Listing::Otherwise), Start(1, 0), ArmNamed(1)]
};

/// In two tests, that two processors share.
const SHORT: [&[Job]; 2] = [
    &[
        (Rack::OneMachine, NOTHING, [1, 0, 1, 0, 0]),
        (Rack::OneMachine, NOTHING, [1, 1, 0, 1, 0]),
        (Rack::OwnScript, NOTHING, [1, 0, 1, 0, 0]),
        (Rack::OneMachine, INSTALLED, [1, 0, 0, 0, 0]),
        (Rack::OneMachine, DEAD, [1, 0, 0, 1, 0]),
    ],
    &[
        (Rack::TwoCards, NOTHING, [1, 0, 0, 0, 0]),
        (Rack::OwnMenu, NOTHING, [2, 0, 0, 0, 0]),
        (Rack::OwnLoader, NOTHING, [1, 0, 0, 0, 0]),
        (Rack::OwnProfile, NOTHING, [1, 0, 0, 0, 0]),
        (Rack::TwoCards, INSTALLED, [0, 0, 0, 1, 1]),
        (Rack::SharedIdentifier, ONE_IS_LISTED, [0, 0, 0, 0, 0]),
    ],
];

#[test]
fn every_history_of_few_events_is_searched() {
    SHORT[0].iter().copied().for_each(exhaust);
}

#[test]
fn every_history_of_few_events_is_searched_in_other_racks() {
    SHORT[1].iter().copied().for_each(exhaust);
}

#[test]
fn histories_of_all_kinds_are_searched() {
    for rack in Rack::ALL {
        run(rack, NOTHING, left([2, 1, 1, 1, 1]), 1_000);
    }
}

#[test]
fn long_histories_are_walked() {
    for rack in Rack::ALL {
        walk(rack, left([4, 2, 2, 2, 3]), 25, 40);
    }
}

/// All of these are searched to their ends; the largest come first, so that two threads end together.
const LONG: &[Job] = &[
    (Rack::OneMachine, NOTHING, [2, 1, 1, 1, 0]),
    (Rack::TwoCards, NOTHING, [1, 1, 0, 1, 0]),
    (Rack::TwoCards, NOTHING, [1, 0, 1, 0, 1]),
    (Rack::OneMachine, NOTHING, [2, 0, 1, 0, 0]),
    (Rack::OwnScript, NOTHING, [2, 1, 1, 0, 0]),
    (Rack::OneMachine, NOTHING, [2, 1, 0, 1, 0]),
    (Rack::OwnMenu, NOTHING, [2, 0, 1, 0, 0]),
    (Rack::OwnProfile, NOTHING, [2, 0, 1, 0, 0]),
    (Rack::OwnLoader, NOTHING, [2, 0, 1, 0, 0]),
    (Rack::TwoCards, INSTALLED, [1, 0, 0, 1, 1]),
    (Rack::OneMachine, INSTALLED, [1, 1, 1, 0, 0]),
    (Rack::SharedIdentifier, ONE_IS_LISTED, [1, 0, 0, 0, 0]),
];

/// `make test-promise`
#[test]
#[ignore = "takes minutes; built for speed by `make test-promise`"]
fn the_long_form() {
    let number = |name: &str, otherwise: usize| {
        std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(otherwise)
    };
    let most = number("PROMISE_STATES", 100_000);
    let walks = number("PROMISE_WALKS", 20_000) as u64;
    type Work = Box<dyn Fn() + Send + Sync>;
    let mut jobs: Vec<Work> = Vec::new();
    for job in LONG {
        jobs.push(Box::new(move || exhaust(*job)));
    }
    for rack in Rack::ALL {
        jobs.push(Box::new(move || {
            run(rack, NOTHING, left([2, 1, 1, 1, 1]), most);
        }));
        jobs.push(Box::new(move || walk(rack, left([5, 3, 3, 3, 4]), walks, 60)));
    }
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            job();
        }
    };
    std::thread::scope(|scope| (0..2).for_each(|_| drop(scope.spawn(work))));
}

/// `PROMISE_RACK=2 PROMISE_COUNTS=1,0,1,0,0`: the number of a rack, and what may happen in it; `PROMISE_BEFORE=installed`,
/// `dead` or `listed`: after what.
#[test]
#[ignore = "what somebody asks for"]
fn this_rack() {
    let value = |name: &str| std::env::var(name).unwrap_or_default();
    let numbers: Vec<u8> =
        value("PROMISE_COUNTS").split(',').filter_map(|number| number.parse().ok()).collect();
    let before = match value("PROMISE_BEFORE").as_str() {
        "installed" => INSTALLED,
        "dead" => DEAD,
        "listed" => ONE_IS_LISTED,
        _ => NOTHING,
    };
    let (Ok(rack), Ok(counts)) = (value("PROMISE_RACK").parse::<usize>(), numbers.try_into()) else { return };
    run(Rack::ALL[rack], before, left(counts), value("PROMISE_STATES").parse().unwrap_or(usize::MAX));
}
