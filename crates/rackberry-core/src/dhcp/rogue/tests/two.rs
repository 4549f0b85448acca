//! Two services of this kind on one network.

use super::*;

/// Two of a kind, each with what it hears of the other; `lower` has the lower hardware address.
struct Two {
    lower: RogueDetection,
    higher: RogueDetection,
}

const PEER: Mac = Mac([2, 0, 0, 0, 0, 0x60]);
const PEERS: Ipv4Addr = Ipv4Addr::new(10, 10, 10, 2);

#[allow(clippy::fn_params_excessive_bools)] // Which of the two.
impl Two {
    fn new() -> Two {
        Two { lower: RogueDetection::new(Mode::Auto, OWN), higher: RogueDetection::new(Mode::Auto, PEERS) }
    }

    /// Carries what one does to the other: questions, and their answers where that one hands out addresses.
    fn carry(&mut self, from_lower: bool, out: &DhcpOutcome, now: Time) {
        if !out.actions.contains(&Action::Seek) {
            return;
        }
        let (asker, asked, mac) = match from_lower {
            true => (&mut self.lower, &mut self.higher, HERE),
            false => (&mut self.higher, &mut self.lower, PEER),
        };
        asked.peer_asks(mac, now);
        let other = if from_lower { PEER } else { HERE };
        // A machine that asks causes a question, which leaves before the answer.
        let is_asked = asked.asked(now).actions.contains(&Action::Seek);
        if is_asked {
            asker.peer_asks(other, now);
        }
        let says = |asked: &RogueDetection, server, mac| {
            let from = Sender { mac, address: SocketAddrV4::new(server, 67) };
            let answers = asked.serving_mode() == ServingMode::Full;
            answers.then_some(ServerReply { server, from, client: mac, xid: 1, is_answer: true })
        };
        let (own, others) =
            if from_lower { ((OWN, HERE), (PEERS, PEER)) } else { ((PEERS, PEER), (OWN, HERE)) };
        let back = says(asker, own.0, own.1).filter(|_| is_asked);
        let there = says(asked, others.0, others.1);
        there.into_iter().for_each(|answer| drop(asker.heard(&answer, now)));
        back.into_iter().for_each(|answer| drop(asked.heard(&answer, now)));
    }

    fn link(&mut self, is_lower: bool, now: u64) {
        let out = match is_lower {
            true => self.lower.linked(HERE, Time(now)),
            false => self.higher.linked(PEER, Time(now)),
        };
        self.carry(is_lower, &out, Time(now));
    }

    /// Lets time pass, in steps; returns for how many both, and nobody, handed out addresses.
    fn run(&mut self, from: u64, to: u64) -> (u64, u64) {
        let (mut both, mut nobody) = (0, 0);
        for now in (from..to).step_by(10) {
            for is_lower in [true, false] {
                let out = if is_lower { self.lower.tick(Time(now)) } else { self.higher.tick(Time(now)) };
                self.carry(is_lower, &out, Time(now));
            }
            let full = [&self.lower, &self.higher].map(|one| one.serving_mode() == ServingMode::Full);
            both += 10 * u64::from(full == [true, true]);
            nobody += 10 * u64::from(full == [false, false]);
        }
        (both, nobody)
    }
}

#[test]
fn of_two_of_a_kind_that_start_together_the_lower_hardware_address_hands_out() {
    for late in [0, 10, 700, 1490, 2500, 4900] {
        for first in [true, false] {
            let mut two = Two::new();
            two.link(first, 0);
            let before = two.run(0, late);
            two.link(!first, late);
            let (both, nobody) = two.run(late, 600_000);
            assert_eq!(both, 0, "{late} {first}");
            assert!(nobody + before.1 <= 16_000, "{late} {first}: {nobody}");
            let stands_by = [two.lower.stands_by(), two.higher.stands_by()];
            assert_eq!(stands_by.iter().filter(|stands_by| **stands_by).count(), 1, "{late} {first}");
        }
    }
}

#[test]
fn who_hands_out_goes_on_when_another_one_comes_and_is_replaced_when_it_goes() {
    for first in [true, false] {
        let mut two = Two::new();
        two.link(first, 0);
        two.run(0, 60_000);
        two.link(!first, 60_000);
        assert_eq!(two.run(60_000, 300_000), (0, 0), "never both, never nobody");
        let (serving, waiting) = if first { (&two.lower, &two.higher) } else { (&two.higher, &two.lower) };
        assert_eq!((serving.serving_mode(), waiting.stands_by()), (ServingMode::Full, true));
        assert!(waiting.trouble().unwrap().contains("another rackberry"), "{:?}", waiting.trouble());
        // It is switched off: the other one hears nothing more of it.
        let waiting = if first { &mut two.higher } else { &mut two.lower };
        run(waiting, 300_000, 460_000);
        assert_ne!(waiting.serving_mode(), ServingMode::Full);
        run(waiting, 460_000, 481_000);
        assert_eq!(waiting.serving_mode(), ServingMode::Full);
    }
}

/// A cable between two switches.
#[test]
fn two_that_both_hand_out_when_they_meet_agree_within_one_question() {
    let mut two = Two::new();
    two.lower.linked(HERE, Time(0));
    two.higher.linked(PEER, Time(0));
    run(&mut two.lower, 0, 100_000);
    run(&mut two.higher, 0, 100_000);
    let (both, nobody) = two.run(100_000, 300_000);
    assert!(both <= 20_000 && nobody == 0, "{both} {nobody}");
    assert_eq!(two.lower.serving_mode(), ServingMode::Full);
    assert!(two.higher.stands_by());
}

#[test]
fn two_that_were_never_configured_have_the_same_address_and_one_stands_by() {
    let mut detection = started(Mode::Auto);
    run(&mut detection, 0, 10_000);
    let low = Mac([2, 0, 0, 0, 0, 1]);
    detection.peer_asks(low, Time(10_000));
    let from = Sender { mac: low, address: SocketAddrV4::new(OWN, 67) };
    detection.heard(&ServerReply { server: OWN, from, ..answer() }, Time(10_100));
    assert!(detection.stands_by());
}

/// Whoever only says that it is one of a kind stops nobody, and keeps nobody from starting for more than ten seconds.
#[test]
fn questions_alone_stop_nobody() {
    let mut detection = started(Mode::Auto);
    for now in (0..10_000).step_by(100) {
        detection.peer_asks(Mac([2, 0, 0, 0, 1, (now / 100) as u8]), Time(now));
        detection.peer_asks(Mac([0, 0, 0, 0, 0, 1]), Time(now));
        run(&mut detection, now, now + 100);
    }
    assert_eq!(detection.serving_mode(), ServingMode::Full);
    // Another kind of server counts as ever, be its address as high as it likes.
    detection.heard(&answer(), Time(20_000));
    assert_eq!((detection.serving_mode(), detection.stands_by()), (ServingMode::Proxy, false));
}
