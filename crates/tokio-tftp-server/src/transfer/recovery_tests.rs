//! When something is sent again, and when it is not. A client and a link with stated times.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::options::RequestedOptions;

const US: Duration = Duration::from_micros(1);
const MS: Duration = Duration::from_millis(1);

fn asked(windowsize: u16) -> RequestedOptions {
    RequestedOptions { blksize: Some(512), windowsize: Some(windowsize), ..Default::default() }
}

/// A client that acknowledges each block, or each window, and whatever comes twice.
struct Simulated {
    transfer: Transfer,
    step: Step,
    now: Duration,
    /// ACKs on their way to the server, by the time of their arrival; the number keeps two of the same moment apart.
    acks: BTreeMap<(Duration, u64), u16>,
    window: u64,
    /// In order, from the first one.
    got: u64,
    in_window: u64,
    /// Packets of each block.
    sent: BTreeMap<u64, u64>,
    packets: u64,
}

impl Simulated {
    fn new(blocks: u64, windowsize: u16) -> Simulated {
        Simulated::asking(blocks, asked(windowsize))
    }

    fn asking(blocks: u64, asked: RequestedOptions) -> Simulated {
        // This client does not ask again.
        let limits = Limits { unasked_copies: u32::MAX, ..Limits::default() };
        let total = 512 * (blocks - 1) + 1;
        let negotiated = asked.negotiate(&limits, Some(total));
        let window = negotiated.windowsize.into();
        let (transfer, step) = Transfer::new(total, &negotiated, &limits, Duration::ZERO);
        let (now, acks, sent) = (Duration::ZERO, BTreeMap::new(), BTreeMap::new());
        Simulated { transfer, step, now, acks, window, got: 0, in_window: 0, sent, packets: 0 }
    }

    /// Runs to the end. `trip` says how long block `n` takes from its departure to the arrival of its ACK, when it is sent for the
    /// `k`-th time; none if it gets lost.
    fn run(&mut self, mut trip: impl FnMut(u64, u64) -> Option<Duration>) -> &mut Simulated {
        loop {
            match self.step.clone() {
                Step::OptionAck => self.answer(trip(0, 1), 0),
                Step::Blocks(range) => range.for_each(|block| {
                    self.packets += 1;
                    let copies = self.sent.entry(block).or_default();
                    *copies += 1;
                    let time = trip(block, *copies);
                    self.take(block, time);
                }),
                Step::Wait => {}
                Step::End(end) => {
                    assert_eq!(end, End::Complete);
                    return self;
                }
            }
            let (deadline, next) = (self.transfer.deadline(), self.acks.first_key_value());
            self.step = match next.map(|(key, ack)| (*key, *ack)).filter(|((at, _), _)| *at <= deadline) {
                Some((key, ack)) => {
                    self.acks.remove(&key);
                    self.now = key.0;
                    self.transfer.receive(&Packet::Ack(ack), self.now)
                }
                None => {
                    self.now = deadline;
                    self.transfer.timeout(deadline)
                }
            };
        }
    }

    fn take(&mut self, block: u64, time: Option<Duration>) {
        let Some(time) = time else { return };
        if block == self.got + 1 {
            (self.got, self.in_window) = (block, self.in_window + 1);
            if self.in_window == self.window || block == self.transfer.last {
                self.in_window = 0;
                self.answer(Some(time), wire_number(block));
            }
        } else {
            // A block that came before, or one behind a hole.
            self.in_window = 0;
            self.answer(Some(time), wire_number(self.got));
        }
    }

    fn answer(&mut self, time: Option<Duration>, number: u16) {
        let order = self.acks.len() as u64 + self.packets * 1000;
        self.acks.extend(time.map(|time| ((self.now + time, order), number)));
    }

    fn copies(&self) -> u64 {
        self.packets - self.sent.len() as u64
    }
}

/// From the moment at which it should have arrived, to that at which it does.
#[test]
fn a_lost_block_is_there_in_less_than_three_round_trips() {
    for round_trip in [10 * MS, 25 * MS, 80 * MS] {
        for lost in [5, 20, 100] {
            let mut link = Simulated::new(120, 1);
            link.run(|block, copy| ((block, copy) != (lost, 1)).then_some(round_trip));
            assert_eq!(link.copies(), 1);
            let delay = link.now - round_trip * 121;
            assert!(delay < round_trip * 3, "{delay:?} for block {lost} at {round_trip:?}");
        }
    }
}

#[test]
fn on_a_fast_link_it_is_the_shortest_time() {
    let mut link = Simulated::new(120, 1);
    link.run(|block, copy| ((block, copy) != (50, 1)).then_some(200 * US));
    assert_eq!(link.now, 200 * US * 121 + Limits::default().shortest_timeout);
}

#[test]
fn the_last_blocks_of_a_window_are_missed_as_soon() {
    let mut link = Simulated::new(128, 16);
    // Of the third window, the last two; nothing is behind them that would tell.
    link.run(|block, copy| (copy > 1 || !(47..=48).contains(&block)).then_some(20 * MS));
    // The rest takes one window more than it would have.
    assert!(link.now < 20 * MS * 10 + 60 * MS, "{:?}", link.now);
}

/// Flash is erased, an address is asked for: what comes twice of that is little, and told by the client, which makes it less.
#[test]
fn firmware_that_pauses_is_not_flooded() {
    let mut link = Simulated::new(640, 1);
    link.run(|block, _| Some(if block % 64 == 63 { 50 * MS } else { 300 * US }));
    assert!(link.copies() <= 3, "{} copies", link.copies());
}

/// Karn's algorithm: the time that counts is not measured from copies, and grows until it is long enough.
#[test]
fn a_client_that_becomes_slower_does_not_get_everything_twice() {
    for slow in [15 * MS, 40 * MS, 200 * MS] {
        let mut link = Simulated::new(400, 1);
        link.run(|block, _| Some(if block < 100 { 300 * US } else { slow }));
        assert!(link.copies() <= 6, "{} copies at {slow:?}", link.copies());
    }
}

#[test]
fn the_time_that_the_client_asks_for_is_kept() {
    let mut link = Simulated::asking(50, RequestedOptions { timeout: Some(3), ..asked(1) });
    link.run(|block, copy| ((block, copy) != (40, 1)).then_some(MS));
    assert_eq!(link.now, MS * 51 + 3000 * MS);
}

/// RFC 1123 section 4.2.3.1.
#[test]
fn no_number_of_repeated_acks_makes_a_block() {
    let (mut transfer, _) = Transfer::new(
        512 * 100,
        &asked(1).negotiate(&Limits::default(), None),
        &Limits::default(),
        Duration::ZERO,
    );
    transfer.receive(&Packet::Ack(0), MS);
    assert_eq!(transfer.receive(&Packet::Ack(1), 2 * MS), Step::Blocks(2..=2));
    let deadline = transfer.deadline();
    for at in 0..1000 {
        assert_eq!(transfer.receive(&Packet::Ack(1), 2 * MS + at * 5 * US), Step::Wait);
    }
    assert_eq!(transfer.deadline(), deadline, "nor do they put anything off");
}

/// In a window the first of them may mean a hole, so it brings the window once; silence, or time, brings it again.
#[test]
fn a_storm_of_repeated_acks_brings_a_window_once() {
    let (mut transfer, _) = Transfer::new(
        512 * 1000,
        &asked(64).negotiate(&Limits::default(), None),
        &Limits::default(),
        Duration::ZERO,
    );
    transfer.receive(&Packet::Ack(0), MS);
    assert_eq!(transfer.receive(&Packet::Ack(64), 2 * MS), Step::Blocks(65..=128));
    assert_eq!(transfer.receive(&Packet::Ack(64), 2 * MS), Step::Blocks(65..=128));
    for at in 0..1000 {
        assert_eq!(transfer.receive(&Packet::Ack(64), 2 * MS + at * 9 * US), Step::Wait);
    }
    assert!(transfer.deadline() <= 12 * MS, "the storm puts nothing off: {:?}", transfer.deadline());
}

/// A whole window comes twice because its ACK was late. Each copy is acknowledged; that must not bring the next one twice, too, and so on.
#[test]
fn copies_of_a_window_have_no_descendants() {
    let mut link = Simulated::new(64 * 50, 64);
    // As slow as that once, when the time of a retransmission is still that of a fast link.
    link.run(|block, _| Some(if block == 128 { 30 * MS } else { MS }));
    assert!(link.copies() <= 3 * 64, "{} copies", link.copies());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever the link's time is, as long as it stays within a range: next to nothing is sent twice.
    #[test]
    fn nothing_is_lost_and_nothing_is_sent_twice(
        base in 50u64..200_000,
        jitter in prop::collection::vec(0u64..100, 40),
        windowsize in prop::sample::select(vec![1u16, 4, 64]),
    ) {
        let mut link = Simulated::new(800, windowsize);
        let window = u64::from(windowsize);
        link.run(|block, _| {
            // Up to twice as long; the blocks of a window come together.
            let more = jitter[(block.saturating_sub(1) / window) as usize % jitter.len()];
            Some(Duration::from_micros(base + base * more / 100))
        });
        prop_assert!(link.copies() <= 800 / 20 + 2 * window, "{} copies", link.copies());
    }

    /// One loss costs one window again, and no more than a few round trips or the shortest time.
    #[test]
    fn one_loss_is_cheap(
        lost in 20u64..700,
        trip in 100u64..50_000,
        windowsize in prop::sample::select(vec![1u16, 4, 64]),
    ) {
        let trip = Duration::from_micros(trip);
        let mut whole = Simulated::new(800, windowsize);
        let clean = whole.run(|_, _| Some(trip)).now;
        let mut link = Simulated::new(800, windowsize);
        link.run(|block, copy| ((block, copy) != (lost, 1)).then_some(trip));
        prop_assert!(link.copies() <= 2 * u64::from(windowsize), "{} copies", link.copies());
        let delay = link.now - clean;
        let bound = (trip * 4).max(Limits::default().shortest_timeout + trip * 2);
        prop_assert!(delay <= bound, "{delay:?} at {trip:?}");
    }
}
