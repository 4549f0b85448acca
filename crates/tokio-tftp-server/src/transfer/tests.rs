use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;
use crate::options::RequestedOptions;

const MS: Duration = Duration::from_millis(1);

fn begin(total: u64, blksize: u16, windowsize: u16) -> (Transfer, Step) {
    let options =
        RequestedOptions { blksize: Some(blksize), windowsize: Some(windowsize), ..Default::default() };
    // Patient enough that a bad link's bad luck ends no test.
    let limits =
        Limits { patience: Duration::from_secs(3600), unasked_copies: u32::MAX, ..Limits::default() };
    Transfer::new(total, &options.negotiate(&limits, Some(total)), &limits, Duration::ZERO)
}

fn plain(total: u64) -> (Transfer, Step) {
    let limits = Limits { unasked_copies: u32::MAX, ..Limits::default() };
    Transfer::new(
        total,
        &RequestedOptions::default().negotiate(&limits, Some(total)),
        &limits,
        Duration::ZERO,
    )
}

#[test]
fn lock_step() {
    let (mut transfer, step) = plain(1024);
    assert_eq!(step, Step::Blocks(1..=1));
    assert_eq!(transfer.receive(&Packet::Ack(1), MS), Step::Blocks(2..=2));
    assert_eq!(transfer.receive(&Packet::Ack(1), MS), Step::Wait, "no sorcerer's apprentice");
    assert_eq!(transfer.receive(&Packet::Ack(2), MS), Step::Blocks(3..=3));
    assert_eq!(transfer.place(3), (1024, 0), "a multiple of the block size ends with an empty block");
    assert_eq!(transfer.receive(&Packet::Ack(9), MS), Step::Wait, "never sent");
    assert_eq!(transfer.receive(&Packet::Ack(3), MS), Step::End(End::Complete));
}

#[test]
fn options_wait_for_their_ack() {
    let (mut transfer, step) = begin(10, 512, 4);
    assert_eq!(step, Step::OptionAck);
    assert_eq!(transfer.receive(&Packet::Ack(1), MS), Step::Wait);
    assert_eq!(transfer.receive(&Packet::Ack(0), MS), Step::Blocks(1..=1));
}

#[test]
fn a_probe_is_no_failure() {
    let error = Packet::Error { code: ErrorCode::OptionNegotiation, message: "User aborted".into() };
    assert_eq!(begin(10, 512, 1).0.receive(&error, MS), Step::End(End::Probe));
    let (mut transfer, _) = plain(10);
    assert!(matches!(transfer.receive(&error, MS), Step::End(End::Aborted { .. })));
}

#[test]
fn a_hole_in_the_window_is_filled_from_there() {
    let (mut transfer, _) = begin(512 * 20, 512, 4);
    assert_eq!(transfer.receive(&Packet::Ack(0), MS), Step::Blocks(1..=4));
    assert_eq!(transfer.receive(&Packet::Ack(2), MS), Step::Blocks(3..=6), "block 3 was lost");
    // Copies of blocks bring ACKs that say nothing new: no copies of copies.
    assert_eq!(transfer.receive(&Packet::Ack(2), MS), Step::Wait);
    assert_eq!(transfer.receive(&Packet::Ack(4), MS), Step::Blocks(7..=8), "these were never sent");
    assert_eq!(transfer.receive(&Packet::Ack(4), MS), Step::Wait);
    assert_eq!(transfer.receive(&Packet::Ack(8), MS), Step::Blocks(9..=12));
}

#[test]
fn the_first_block_of_a_window_may_be_the_hole() {
    let (mut transfer, _) = begin(512 * 20, 512, 4);
    transfer.receive(&Packet::Ack(0), MS);
    assert_eq!(transfer.receive(&Packet::Ack(4), MS), Step::Blocks(5..=8));
    assert_eq!(transfer.receive(&Packet::Ack(4), MS), Step::Blocks(5..=8), "5 was lost, 6 came");
}

#[test]
fn a_second_hole_is_filled_after_a_moment() {
    let (mut transfer, _) = begin(512 * 20, 512, 4);
    transfer.receive(&Packet::Ack(0), MS);
    assert_eq!(transfer.receive(&Packet::Ack(2), MS), Step::Blocks(3..=6));
    assert_eq!(transfer.receive(&Packet::Ack(4), 2 * MS), Step::Blocks(7..=8));
    assert_eq!(transfer.receive(&Packet::Ack(4), 3 * MS), Step::Wait, "7 came, and not 5");
    assert_eq!(transfer.deadline(), 12 * MS, "no later than a retransmission");
    assert_eq!(transfer.timeout(12 * MS), Step::Blocks(5..=8));
    assert_eq!(transfer.deadline(), 22 * MS, "and that was no time-out");
}

#[test]
fn silence_is_answered_with_patience_and_back_off() {
    let (mut transfer, _) = plain(10_000);
    let mut sent_at = Vec::new();
    loop {
        let now = transfer.deadline();
        match transfer.timeout(now) {
            Step::Blocks(_) => sent_at.push(now.as_millis()),
            Step::End(end) => {
                assert_eq!(end, End::TimedOut);
                break;
            }
            step => panic!("{step:?}"),
        }
    }
    assert_eq!(sent_at, [500, 1500, 3500, 7500, 15500, 23500]);
    // Progress begins anew.
    let (mut transfer, _) = plain(10_000);
    transfer.timeout(500 * MS);
    transfer.receive(&Packet::Ack(1), 600 * MS);
    assert_eq!(transfer.deadline(), 1100 * MS);
}

/// Whoever stands in the request may have sent none.
#[test]
fn who_has_not_answered_gets_one_packet_for_each_request() {
    let limits = Limits::default();
    for options in
        [RequestedOptions::default(), RequestedOptions { blksize: Some(512), ..Default::default() }]
    {
        let negotiated = options.negotiate(&limits, Some(10_000));
        let (mut transfer, first) = Transfer::new(10_000, &negotiated, &limits, Duration::ZERO);
        assert_eq!(transfer.timeout(transfer.deadline()), Step::Wait);
        assert_eq!(transfer.deadline(), limits.patience);
        assert_eq!(transfer.repeated(7000 * MS), first, "it has asked again");
        assert_eq!(transfer.timeout(7500 * MS), Step::Wait);
        assert_eq!(transfer.timeout(transfer.deadline()), Step::End(End::TimedOut));
        assert_eq!(transfer.deadline(), 7000 * MS + limits.patience);
        // Once it has answered, all is as ever.
        let (mut transfer, first) = Transfer::new(10_000, &negotiated, &limits, Duration::ZERO);
        transfer.receive(&Packet::Ack(u16::from(first != Step::OptionAck)), MS);
        assert!(matches!(transfer.timeout(transfer.deadline()), Step::Blocks(_)));
    }
}

#[test]
fn a_request_that_comes_again_is_answered_again_unless_it_has_crossed_its_answer() {
    for options in [true, false] {
        let (mut transfer, first) = if options { begin(10_000, 512, 4) } else { plain(10_000) };
        assert_eq!(transfer.repeated(99 * MS), Step::Wait, "they have crossed");
        assert_eq!(transfer.repeated(100 * MS), first);
        // Long silences follow each other; a repetition ends them.
        for _ in 0..4 {
            transfer.timeout(transfer.deadline());
        }
        let (late, now) = (transfer.deadline(), transfer.deadline() - 200 * MS);
        assert!(late > 7000 * MS);
        assert_eq!(transfer.repeated(now), first);
        assert_eq!(transfer.deadline(), now + 500 * MS, "patience begins anew");
        transfer.receive(&Packet::Ack(u16::from(!options)), now);
        assert!(transfer.is_heard());
        assert_eq!(transfer.repeated(now + 9000 * MS), Step::Wait, "it has been answered");
    }
}

#[test]
fn numbers_go_on_after_65535() {
    let total = 512 * 70_000 + 1;
    let (mut transfer, _) = begin(total, 512, 64);
    let mut wire = 0u16;
    loop {
        let step = transfer.receive(&Packet::Ack(wire), MS);
        match &step {
            Step::Blocks(blocks) => wire = wire_number(*blocks.end()),
            Step::End(End::Complete) => break,
            other => panic!("{other:?} after {}", transfer.acknowledged()),
        }
    }
    assert_eq!(transfer.acknowledged(), total);
}

/// A receiver by the book (RFC 7440 section 4): in order only, one ACK a window or hole.
struct Receiver {
    window: u64,
    got: u64,
    since_ack: u64,
    bytes: u64,
    done: bool,
}

impl Receiver {
    /// Takes a block; the ACK it sends, if any.
    fn take(&mut self, wire: u16, length: usize, blksize: u64) -> Option<u16> {
        if wire != (self.got + 1) as u16 {
            return (self.window > 1 || wire == self.got as u16).then_some(self.got as u16);
        }
        self.got += 1;
        self.since_ack += 1;
        self.bytes += length as u64;
        self.done |= (length as u64) < blksize;
        if self.done || self.since_ack == self.window {
            self.since_ack = 0;
            return Some(self.got as u16);
        }
        None
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    /// A link that loses, doubles and swaps packets as its seed says: the file arrives whole, in bounded packets.
    #[test]
    fn a_bad_link_is_survived(seed: u64, total in 0u64..200_000, blksize in 64u16..1468, window in 1u16..17, loss in 0u32..20) {
        let mut random = seed | 1;
        let mut chance = |percent: u32| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % 100 < u64::from(percent)
        };
        let (mut transfer, mut step) = begin(total, blksize, window);
        let mut receiver = Receiver { window: window.into(), got: 0, since_ack: 0, bytes: 0, done: false };
        let (mut now, mut packets) = (Duration::ZERO, 0u64);
        let mut acks: VecDeque<u16> = VecDeque::new();
        let blocks = total / u64::from(blksize) + 1;
        loop {
            match step.clone() {
                Step::OptionAck => if !chance(loss) { acks.push_back(0) },
                Step::Blocks(range) => {
                    let mut flight: Vec<u64> = Vec::new();
                    for block in range {
                        packets += 1;
                        if chance(loss) { continue; }
                        flight.push(block);
                        if chance(loss) { flight.push(block); }
                    }
                    for i in 1..flight.len() {
                        if chance(loss) { flight.swap(i - 1, i); }
                    }
                    for block in flight {
                        let (_, length) = transfer.place(block);
                        if let Some(ack) = receiver.take(wire_number(block), length, blksize.into()) && !chance(loss) {
                            acks.push_back(ack);
                        }
                    }
                }
                Step::Wait => {}
                Step::End(end) => {
                    // The last ACK may be lost for ever; everything else may not.
                    prop_assert!(end == End::Complete || receiver.done, "{end:?} at {} of {total}", receiver.bytes);
                    break;
                }
            }
            now += MS;
            step = match acks.pop_front() {
                Some(ack) => transfer.receive(&Packet::Ack(ack), now),
                None => {
                    now = transfer.deadline();
                    transfer.timeout(now)
                }
            };
        }
        prop_assert_eq!(receiver.bytes, total);
        prop_assert!(packets < 30 * u64::from(window) + blocks * 8, "{packets} packets for {blocks} blocks");
    }
}
