mod two;

use std::net::SocketAddrV4;

use proptest::prelude::*;

use super::*;
use crate::dhcp::Sender;

const OWN: Ipv4Addr = Ipv4Addr::new(10, 10, 10, 1);
const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 10, 10, 254);
const MAC: Mac = Mac([2, 0, 0, 0, 0, 0xfe]);
const CLIENT: Mac = Mac([2, 0, 0, 0, 0, 7]);
/// The interface's own.
const HERE: Mac = Mac([2, 0, 0, 0, 0, 0x50]);
const THREE_MINUTES: u64 = 180_000;

fn started(mode: Mode) -> RogueDetection {
    let mut detection = RogueDetection::new(mode, OWN);
    assert_eq!(detection.linked(HERE, Time(0)).actions.is_empty(), mode == Mode::Proxy);
    detection
}

fn answer() -> ServerReply {
    let from = Sender { mac: MAC, address: SocketAddrV4::new(ROUTER, 67) };
    ServerReply { server: ROUTER, from, client: MAC, xid: 1, is_answer: true }
}

/// What it says to a machine.
fn offer(xid: u32) -> ServerReply {
    ServerReply { client: CLIENT, xid, is_answer: false, ..answer() }
}

fn asks_to_verify(out: &DhcpOutcome, address: Ipv4Addr) -> bool {
    out.actions.contains(&Action::Verify(address))
}

/// Lets time pass; returns when questions were asked.
fn run(detection: &mut RogueDetection, from: u64, to: u64) -> Vec<u64> {
    let mut asked = Vec::new();
    let mut now = Time(from);
    while let Some(next) = detection.deadline().filter(|next| *next <= Time(to)) {
        now = next.max(now);
        let out = detection.tick(now);
        asked.extend(out.actions.contains(&Action::Seek).then_some(now.0));
    }
    asked
}

#[test]
fn nobody_is_answered_before_five_seconds_of_silence() {
    let mut detection = RogueDetection::new(Mode::Auto, OWN);
    assert_eq!(
        (detection.serving_mode(), detection.deadline()),
        (ServingMode::Looking, None),
        "no interface yet"
    );
    assert_eq!(detection.linked(HERE, Time(0)).actions, [Action::Seek]);
    assert_eq!(run(&mut detection, 0, 4999), [1500, 3000, 4500]);
    assert_eq!(detection.serving_mode(), ServingMode::Looking);
    run(&mut detection, 4999, 5000);
    assert_eq!(detection.serving_mode(), ServingMode::Full);
    assert_eq!(run(&mut detection, 5000, 60_000), [6000, 26_000, 46_000]);
}

#[test]
fn an_answer_of_another_server_stops_offers_until_three_minutes_of_silence() {
    let mut detection = started(Mode::Auto);
    let out = detection.heard(&answer(), Time(3000));
    let stands_down = Notice::OtherServer { address: ROUTER, mac: MAC, stands_down: true };
    assert_eq!(out.notices, [stands_down]);
    assert_eq!(detection.serving_mode(), ServingMode::Proxy, "at once");
    assert_eq!(detection.heard(&answer(), Time(60_000)).notices, [], "said once");
    run(&mut detection, 3000, 239_999);
    assert_eq!(detection.serving_mode(), ServingMode::Proxy);
    let out = detection.tick(Time(240_000));
    let gone = Notice::OtherServerGone { address: ROUTER, mac: MAC, resumes: true };
    assert_eq!((out.notices, detection.serving_mode()), (vec![gone], ServingMode::Full));
    assert_eq!(detection.trouble(), None);
}

/// A device that was just moved here names the server that it had elsewhere.
#[test]
fn a_claim_that_is_wrong_changes_nothing_and_is_told_of() {
    for presence in [Presence::Absent, Presence::Refuses(MAC)] {
        let mut detection = started(Mode::Auto);
        run(&mut detection, 0, 100_000);
        let out = detection.named(ROUTER, CLIENT, 1, Time(107_000));
        assert_eq!(out.actions, [Action::Seek, Action::Verify(ROUTER)]);
        assert_eq!(detection.serving_mode(), ServingMode::Full, "service goes on meanwhile");
        let out = detection.verified(ROUTER, presence, Time(107_300));
        assert_eq!(out.notices, [Notice::NoSuchServer { address: ROUTER, by: CLIENT, presence }]);
        assert_eq!((detection.serving_mode(), detection.trouble()), (ServingMode::Full, None));
        for xid in 2..50 {
            let now = Time(107_300 + u64::from(xid) * 1000);
            assert!(
                !asks_to_verify(&detection.named(ROUTER, CLIENT, xid, now), ROUTER),
                "known not to be there"
            );
        }
        assert!(
            asks_to_verify(&detection.named(ROUTER, CLIENT, 99, Time(168_000)), ROUTER),
            "a minute later"
        );
    }
}

#[test]
fn who_is_there_and_answers_no_question_counts_by_the_conversations_that_tell_of_it() {
    let mut detection = started(Mode::Auto);
    run(&mut detection, 0, 100_000);
    let mut now = 107_000;
    for conversation in 1..=12u32 {
        let out = detection.named(ROUTER, CLIENT, conversation, Time(now));
        assert!(asks_to_verify(&out, ROUTER));
        let again = detection.named(ROUTER, CLIENT, conversation, Time(now + 10));
        assert!(!asks_to_verify(&again, ROUTER), "a repeated packet is no other conversation");
        let out = detection.verified(ROUTER, Presence::There(MAC), Time(now + 300));
        let notice = Notice::OtherServer { address: ROUTER, mac: MAC, stands_down: true };
        assert_eq!(out.notices.contains(&notice), conversation == 1, "told once");
        assert!(!asks_to_verify(&detection.named(ROUTER, CLIENT, conversation, Time(now + 400)), ROUTER));
        let lasts = THREE_MINUTES * u64::from(conversation.min(10));
        run(&mut detection, now, now + 300 + lasts - 1);
        assert_eq!(detection.serving_mode(), ServingMode::Proxy, "{conversation}");
        now += lasts - 10_000;
    }
    run(&mut detection, now, now + 20_000);
    assert_eq!(detection.serving_mode(), ServingMode::Full);
    // Old packets are no news, however many there are of them.
    for conversation in 1..=12u32 {
        assert!(!asks_to_verify(&detection.named(ROUTER, CLIENT, conversation, Time(now + 30_000)), ROUTER));
    }
    assert_eq!(detection.serving_mode(), ServingMode::Full);
}

#[test]
fn who_was_there_and_is_found_gone_is_gone_at_once() {
    let mut detection = started(Mode::Auto);
    run(&mut detection, 0, 100_000);
    detection.named(ROUTER, CLIENT, 1, Time(107_000));
    detection.verified(ROUTER, Presence::There(MAC), Time(107_300));
    assert_eq!(detection.serving_mode(), ServingMode::Proxy);
    detection.named(ROUTER, CLIENT, 2, Time(117_000));
    let out = detection.verified(ROUTER, Presence::Absent, Time(117_300));
    assert!(out.notices.contains(&Notice::OtherServerGone { address: ROUTER, mac: MAC, resumes: true }));
    assert_eq!(detection.serving_mode(), ServingMode::Full);
}

/// A server's own word is waited for, as briefly as it takes to verify it; made-up ones can't make that longer.
#[test]
fn a_servers_word_to_a_machine_is_verified_while_nobody_is_answered() {
    let mut detection = started(Mode::Auto);
    run(&mut detection, 0, 100_000);
    assert!(asks_to_verify(&detection.heard(&offer(1), Time(107_000)), ROUTER));
    assert_eq!(detection.serving_mode(), ServingMode::Looking);
    detection.verified(ROUTER, Presence::There(CLIENT), Time(107_300));
    assert_eq!(
        detection.serving_mode(),
        ServingMode::Full,
        "that address is another machine's than the word's"
    );
    // The same from others, again and again: nobody waits for it sooner than a minute after.
    for number in 2..60u8 {
        let server = Ipv4Addr::new(10, 10, 10, number);
        let from = Sender { mac: MAC, address: SocketAddrV4::new(server, 67) };
        let now = Time(107_300 + u64::from(number) * 700);
        detection.heard(&ServerReply { server, from, ..offer(1) }, now);
        assert_eq!(detection.serving_mode(), ServingMode::Full, "{number}");
    }
    // Nobody says what came of it (the interface went away): it counts for nothing.
    detection.heard(&offer(3), Time(200_000));
    assert_eq!(detection.serving_mode(), ServingMode::Looking);
    run(&mut detection, 200_000, 202_000);
    assert_eq!(detection.serving_mode(), ServingMode::Full);
    detection.heard(&offer(4), Time(300_000));
    detection.verified(ROUTER, Presence::There(MAC), Time(300_300));
    assert_eq!(detection.serving_mode(), ServingMode::Proxy, "it is there");
}

/// What comes from a server beyond a relay agent has the relay's addresses: that one is looked for.
#[test]
fn beyond_a_relay_agent_the_relay_agent_is_verified() {
    let mut detection = started(Mode::Auto);
    run(&mut detection, 0, 100_000);
    let relay = Ipv4Addr::new(10, 10, 10, 250);
    let from = Sender { mac: MAC, address: SocketAddrV4::new(relay, 67) };
    let server = Ipv4Addr::new(192, 168, 7, 1);
    let out = detection.heard(&ServerReply { server, from, ..offer(1) }, Time(107_000));
    assert!(asks_to_verify(&out, relay));
    detection.verified(relay, Presence::There(MAC), Time(107_300));
    assert!(detection.trouble().expect("it is there").contains("192.168.7.1"));
}

#[test]
fn a_machine_that_comes_up_causes_a_question_but_a_thousand_cause_few() {
    let mut detection = started(Mode::Auto);
    run(&mut detection, 0, 7000);
    let asked: usize = (12_000..17_000).map(|now| detection.asked(Time(now)).actions.len()).sum();
    assert_eq!(asked, 1);
}

#[test]
fn in_mode_full_it_warns_and_goes_on() {
    let mut detection = started(Mode::Full);
    assert_eq!(detection.serving_mode(), ServingMode::Full, "without a look");
    let out = detection.heard(&answer(), Time(10));
    let goes_on = Notice::OtherServer { address: ROUTER, mac: MAC, stands_down: false };
    assert_eq!((out.notices, detection.serving_mode()), (vec![goes_on], ServingMode::Full));
    assert!(detection.trouble().unwrap().contains("10.10.10.254 (02:00:00:00:00:fe)"));
}

#[test]
fn in_mode_proxy_another_server_is_no_trouble_and_nothing_is_asked() {
    let mut detection = started(Mode::Proxy);
    assert_eq!(detection.heard(&answer(), Time(10)), DhcpOutcome::default());
    assert_eq!(detection.named(ROUTER, CLIENT, 1, Time(10)), DhcpOutcome::default());
    assert_eq!(
        (detection.serving_mode(), detection.trouble(), detection.deadline()),
        (ServingMode::Proxy, None, None)
    );
}

#[test]
fn another_network_is_looked_at_anew() {
    let mut detection = started(Mode::Auto);
    detection.heard(&answer(), Time(100));
    detection.linked(HERE, Time(200));
    assert_eq!((detection.serving_mode(), detection.trouble()), (ServingMode::Looking, None));
    run(&mut detection, 200, 5200);
    assert_eq!(detection.serving_mode(), ServingMode::Full);
}

#[derive(Debug, Clone)]
enum Event {
    Answer,
    Offer(u32),
    Named(u32),
    Own,
    Verified(bool),
    Asked,
    Linked,
    Tick,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        1 => Just(Event::Answer),
        2 => (0u32..6).prop_map(Event::Offer),
        2 => (0u32..6).prop_map(Event::Named),
        1 => Just(Event::Own),
        4 => any::<bool>().prop_map(Event::Verified),
        4 => Just(Event::Asked),
        1 => Just(Event::Linked),
        6 => Just(Event::Tick),
    ]
}

proptest! {
    /// Whatever happens in whatever order: addresses are handed out only after a whole look at the network as it is now,
    /// and never within three minutes of an answer to a question; what others say stops that for a moment each minute at most,
    /// unless somebody is there, and no longer than three minutes for each conversation; and questions stay few.
    #[test]
    fn auto_hands_out_only_after_silence(events in proptest::collection::vec((event(), 0u64..20_000), 1..120)) {
        let mut detection = RogueDetection::new(Mode::Auto, OWN);
        let (mut now, mut linked, mut answered) = (Time(0), None, None::<Time>);
        // When somebody was found there, and when a server's word began to be waited for.
        let (mut found, mut paused) = (None::<Time>, None::<Time>);
        let mut questions = 0;
        for (event, wait) in events {
            let until = now + Duration::from_millis(wait);
            while let Some(next) = detection.deadline().filter(|next| *next <= until) {
                now = now.max(next);
                questions += detection.tick(now).actions.len();
                // A tick at its deadline makes the deadline later, so time goes on.
                prop_assert!(detection.deadline().is_none_or(|later| later > now));
            }
            now = until;
            let out = match event {
                Event::Answer => { answered = Some(now); detection.heard(&answer(), now) }
                Event::Offer(xid) => detection.heard(&offer(xid), now),
                Event::Named(xid) => detection.named(ROUTER, CLIENT, xid, now),
                Event::Own => detection.named(OWN, CLIENT, 1, now),
                Event::Verified(is_there) => {
                    let presence = if is_there { found = Some(now); Presence::There(MAC) } else { Presence::Absent };
                    detection.verified(ROUTER, presence, now)
                }
                Event::Asked => detection.asked(now),
                Event::Linked => { (linked, answered, found, paused) = (Some(now), None, None, None); detection.linked(HERE, now) }
                Event::Tick => detection.tick(now),
            };
            questions += out.actions.iter().filter(|action| **action == Action::Seek).count();
            let is_look = linked.is_some_and(|since| now.since(since) < LOOK);
            if detection.last_pause != paused {
                prop_assert!(paused.is_none_or(|last| now.since(last) >= PAUSE_AGAIN), "paused again too soon");
                paused = detection.last_pause;
            }
            match detection.serving_mode() {
                ServingMode::Full => {
                    prop_assert!(linked.is_some() && !is_look);
                    prop_assert!(answered.is_none_or(|last| now.since(last) >= GONE));
                }
                ServingMode::Looking => {
                    let waits = paused.is_some_and(|since| now.since(since) < Duration::from_secs(2));
                    prop_assert!(linked.is_none() || is_look || waits, "silent without a reason");
                }
                ServingMode::Proxy => {
                    let by_answer = answered.is_some_and(|last| now.since(last) < GONE);
                    let by_others = found.is_some_and(|last| now.since(last) < GONE * CONVERSATIONS);
                    prop_assert!(by_answer || by_others, "it stands down without a reason");
                }
            }
        }
        let most = 2 + 5 * 120 + now.0 / 1500;
        prop_assert!(questions as u64 <= most);
    }

    /// However often packets of one conversation are sent again, they stop the service for three minutes at most.
    #[test]
    fn packets_that_are_sent_again_do_not_add_up(times in proptest::collection::vec(1u64..60_000, 1..60), words in any::<bool>()) {
        let mut detection = started(Mode::Auto);
        run(&mut detection, 0, 10_000);
        let (mut now, mut stopped) = (Time(10_000), 0);
        for wait in times {
            let next = now + Duration::from_millis(wait);
            let mut at = now;
            while at < next {
                let end = detection.deadline().map_or(next, |deadline| deadline.clamp(at, next));
                stopped += if detection.serving_mode() == ServingMode::Full { 0 } else { end.since(at).as_millis() };
                detection.tick(end);
                at = if end > at { end } else { at + Duration::from_millis(1) };
            }
            now = next;
            let out = if words { detection.heard(&offer(1), now) } else { detection.named(ROUTER, CLIENT, 1, now) };
            if asks_to_verify(&out, ROUTER) {
                detection.verified(ROUTER, Presence::There(MAC), now);
            }
        }
        prop_assert!(stopped <= u128::from(THREE_MINUTES), "{stopped}");
    }
}
