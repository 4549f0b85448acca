//! Whether addresses may be handed out: not while another server of the network does.
//!
//! Two servers that don't know of each other give one address to two machines, and firmware that gets two offers
//! takes either. So, in mode `auto`, the network is looked at before the first offer and for as long as the service
//! runs: a DISCOVER of the service's own shows every server that would answer anybody, and the REQUESTs that
//! machines broadcast name the server they have chosen.

use std::{collections::BTreeMap, fmt, net::Ipv4Addr, time::Duration};

use crate::{
    config::Mode,
    dhcp::{Action, Notice, Outcome, Overheard},
    ids::{Mac, Time},
};

/// How long the first look lasts. dnsmasq pings an address for 3 s before it offers it; ISC's server for 1 s.
const LOOK: Duration = Duration::from_secs(5);
/// Time between the questions of the first look: any of them may get lost.
const ASK_AGAIN: Duration = Duration::from_millis(1500);
/// Time between questions after it.
const WATCH: Duration = Duration::from_secs(20);
/// A machine that comes up causes a question of its own, unless the last one is more recent than this.
const RECENT: Duration = Duration::from_secs(5);
/// A server that answers questions is gone when it has answered none for this long: some nine of them.
const GONE: Duration = Duration::from_secs(3 * 60);
/// Of a server that answers no question of ours (it may know its machines by their addresses) only machines that
/// come up give a sign, and they are rare.
const SILENT_GONE: Duration = Duration::from_secs(30 * 60);
/// More servers than this are not kept apart: whoever invents them must not fill the memory.
const MOST: usize = 16;

/// What the service does on its network.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// Looks whether another server is there, and answers nobody until it knows.
    #[default]
    Looking,
    /// Hands out addresses.
    Full,
    /// Hands out none: another server does.
    Proxy,
}

/// Another server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Other {
    mac: Option<Mac>,
    /// Whether it has answered a question of this service's.
    answers: bool,
    seen: Time,
}

/// The lookout for other servers.
#[derive(Debug, Clone)]
pub struct Interlock {
    mode: Mode,
    own: Ipv4Addr,
    /// When the first look ends; absent before the interface is there.
    look_ends: Option<Time>,
    is_looking: bool,
    last_question: Option<Time>,
    next_question: Option<Time>,
    others: BTreeMap<Ipv4Addr, Other>,
}

impl Interlock {
    /// A lookout of the server whose address is `own`. It begins when the interface is there.
    pub fn new(mode: Mode, own: Ipv4Addr) -> Interlock {
        Interlock {
            mode,
            own,
            look_ends: None,
            is_looking: mode == Mode::Auto,
            last_question: None,
            next_question: None,
            others: BTreeMap::new(),
        }
    }

    /// What the service may do now.
    pub fn standing(&self) -> Standing {
        match self.mode {
            Mode::Full => Standing::Full,
            Mode::Proxy => Standing::Proxy,
            Mode::Auto if !self.others.is_empty() => Standing::Proxy,
            Mode::Auto if self.is_looking => Standing::Looking,
            Mode::Auto => Standing::Full,
        }
    }

    /// The other servers in words, where they are somebody's trouble.
    pub fn trouble(&self) -> Option<String> {
        if self.others.is_empty() || self.mode == Mode::Proxy {
            return None;
        }
        let names = self.names();
        let what = match self.mode {
            Mode::Full => "machines may get an address of either (network.mode is \"full\")",
            _ => "this service hands out no addresses while it is there",
        };
        Some(format!("another DHCP server answers in this network: {names}; {what}"))
    }

    /// The other servers, where they hand out addresses beside this one.
    pub fn rivals(&self) -> Option<String> {
        (self.standing() == Standing::Full && !self.others.is_empty()).then(|| self.names())
    }

    fn names(&self) -> String {
        let names: Vec<String> =
            self.others.iter().map(|(address, other)| named(*address, other.mac).to_string()).collect();
        names.join(", ")
    }

    /// The interface is there, or is there again and may be in another network now: what was known counts no more.
    pub fn linked(&mut self, now: Time) -> Outcome {
        self.others.clear();
        self.is_looking = self.mode == Mode::Auto;
        self.look_ends = Some(now + LOOK);
        self.last_question = None;
        self.next_question = (self.mode != Mode::Proxy).then_some(now);
        self.tick(now)
    }

    /// Another server's OFFER or ACK was heard.
    pub fn heard(&mut self, heard: &Overheard, now: Time) -> Outcome {
        self.saw(heard.server, Some(heard.mac), heard.is_answer, now)
    }

    /// A machine's REQUEST named the server it has chosen (option 54).
    pub fn named(&mut self, server: Ipv4Addr, now: Time) -> Outcome {
        let mut out = self.saw(server, None, false, now);
        // Its answer tells its hardware address, and that it is no relic of a machine's own.
        self.ask_unless_recent(now, &mut out);
        out
    }

    /// A machine asks for an address: before it has one from here and one from another server, look again.
    pub fn asked(&mut self, now: Time) -> Outcome {
        let mut out = Outcome::default();
        self.ask_unless_recent(now, &mut out);
        out
    }

    /// Asks when it is time to, and forgets servers that are gone.
    pub fn tick(&mut self, now: Time) -> Outcome {
        let mut out = Outcome::default();
        if self.next_question.is_some_and(|next| next <= now) {
            self.ask(now, &mut out);
        }
        if self.is_looking && self.look_ends.is_some_and(|end| end <= now) {
            self.is_looking = false;
        }
        let gone: Vec<(Ipv4Addr, Other)> = self
            .others
            .iter()
            .filter(|(_, other)| other.gone_at() <= now)
            .map(|(address, other)| (*address, *other))
            .collect();
        for (address, other) in gone {
            self.others.remove(&address);
            let resumes = self.mode == Mode::Auto && self.others.is_empty();
            out.notices.push(Notice::OtherServerGone { address, mac: other.mac, resumes });
        }
        out
    }

    /// When [`Interlock::tick`] has work next.
    pub fn deadline(&self) -> Option<Time> {
        let look = self.look_ends.filter(|_| self.is_looking);
        let gone = self.others.values().map(Other::gone_at);
        [self.next_question, look].into_iter().flatten().chain(gone).min()
    }

    fn saw(&mut self, server: Ipv4Addr, mac: Option<Mac>, answers: bool, now: Time) -> Outcome {
        let mut out = Outcome::default();
        // In mode proxy another server is what is expected.
        if server == self.own || server.is_unspecified() || self.mode == Mode::Proxy {
            return out;
        }
        let known = self.others.get(&server).copied();
        if known.is_none() && self.others.len() >= MOST {
            return out;
        }
        let before = known.unwrap_or(Other { mac: None, answers: false, seen: now });
        let other = Other { mac: mac.or(before.mac), answers: answers || before.answers, seen: now };
        self.others.insert(server, other);
        if known.is_none() || before.mac != other.mac {
            let stands_down = self.mode == Mode::Auto;
            out.notices.push(Notice::OtherServer { address: server, mac: other.mac, stands_down });
        }
        out
    }

    fn ask_unless_recent(&mut self, now: Time, out: &mut Outcome) {
        let is_recent = self.last_question.is_some_and(|last| now.since(last) < RECENT);
        // Without an interface, and in mode proxy, there is nothing to ask.
        if self.next_question.is_some() && !is_recent {
            self.ask(now, out);
        }
    }

    fn ask(&mut self, now: Time, out: &mut Outcome) {
        self.last_question = Some(now);
        self.next_question = Some(now + if self.is_looking { ASK_AGAIN } else { WATCH });
        out.actions.push(Action::Seek);
    }
}

impl Other {
    fn gone_at(&self) -> Time {
        self.seen + if self.answers { GONE } else { SILENT_GONE }
    }
}

/// `10.10.10.254 (00:25:90:c0:f7:86)`
pub(super) fn named(address: Ipv4Addr, mac: Option<Mac>) -> impl fmt::Display {
    match mac {
        Some(mac) => format!("{address} ({mac})"),
        None => format!("{address} (named by a machine, not heard itself yet)"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OWN: Ipv4Addr = Ipv4Addr::new(10, 10, 10, 1);
    const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 10, 10, 254);
    const MAC: Mac = Mac([2, 0, 0, 0, 0, 0xfe]);

    fn started(mode: Mode) -> Interlock {
        let mut interlock = Interlock::new(mode, OWN);
        assert_eq!(interlock.linked(Time(0)).actions.is_empty(), mode == Mode::Proxy);
        interlock
    }

    fn answer() -> Overheard {
        Overheard { server: ROUTER, mac: MAC, client: MAC, is_answer: true }
    }

    /// Lets time pass; returns when questions were asked.
    fn run(interlock: &mut Interlock, from: u64, to: u64) -> Vec<u64> {
        let mut asked = Vec::new();
        let mut now = Time(from);
        while let Some(next) = interlock.deadline().filter(|next| *next <= Time(to)) {
            now = next.max(now);
            let out = interlock.tick(now);
            asked.extend(out.actions.contains(&Action::Seek).then_some(now.0));
        }
        asked
    }

    #[test]
    fn nobody_is_answered_before_five_seconds_of_silence() {
        let mut interlock = Interlock::new(Mode::Auto, OWN);
        assert_eq!(
            (interlock.standing(), interlock.deadline()),
            (Standing::Looking, None),
            "no interface yet"
        );
        assert_eq!(interlock.linked(Time(0)).actions, [Action::Seek]);
        assert_eq!(run(&mut interlock, 0, 4999), [1500, 3000, 4500]);
        assert_eq!(interlock.standing(), Standing::Looking);
        run(&mut interlock, 4999, 5000);
        assert_eq!(interlock.standing(), Standing::Full);
        assert_eq!(run(&mut interlock, 5000, 60_000), [6000, 26_000, 46_000]);
    }

    #[test]
    fn an_answer_stands_it_down_until_three_minutes_of_silence() {
        let mut interlock = started(Mode::Auto);
        let out = interlock.heard(&answer(), Time(3000));
        let stands_down = Notice::OtherServer { address: ROUTER, mac: Some(MAC), stands_down: true };
        assert_eq!(out.notices, [stands_down]);
        assert_eq!(interlock.standing(), Standing::Proxy, "at once");
        assert_eq!(interlock.heard(&answer(), Time(60_000)).notices, [], "said once");
        run(&mut interlock, 3000, 239_999);
        assert_eq!(interlock.standing(), Standing::Proxy);
        let out = interlock.tick(Time(240_000));
        let gone = Notice::OtherServerGone { address: ROUTER, mac: Some(MAC), resumes: true };
        assert_eq!((out.notices, interlock.standing()), (vec![gone], Standing::Full));
        assert_eq!(interlock.trouble(), None);
    }

    #[test]
    fn a_server_that_only_machines_know_of_counts_for_half_an_hour() {
        let mut interlock = started(Mode::Auto);
        run(&mut interlock, 0, 100_000);
        let out = interlock.named(ROUTER, Time(107_000));
        assert_eq!(out.actions, [Action::Seek], "and is asked at once");
        assert_eq!(interlock.standing(), Standing::Proxy);
        assert!(interlock.trouble().unwrap().contains("10.10.10.254 (named by a machine"));
        run(&mut interlock, 107_000, 107_000 + 30 * 60_000 - 1);
        assert_eq!(interlock.standing(), Standing::Proxy);
        run(&mut interlock, 0, 107_000 + 30 * 60_000);
        assert_eq!(interlock.standing(), Standing::Full);
    }

    #[test]
    fn a_machine_that_comes_up_causes_a_question_but_a_thousand_cause_few() {
        let mut interlock = started(Mode::Auto);
        run(&mut interlock, 0, 7000);
        let asked: usize = (12_000..17_000).map(|now| interlock.asked(Time(now)).actions.len()).sum();
        assert_eq!(asked, 1);
    }

    #[test]
    fn in_mode_full_it_warns_and_goes_on() {
        let mut interlock = started(Mode::Full);
        assert_eq!(interlock.standing(), Standing::Full, "without a look");
        let out = interlock.heard(&answer(), Time(10));
        let goes_on = Notice::OtherServer { address: ROUTER, mac: Some(MAC), stands_down: false };
        assert_eq!((out.notices, interlock.standing()), (vec![goes_on], Standing::Full));
        assert!(interlock.trouble().unwrap().contains("10.10.10.254 (02:00:00:00:00:fe)"));
    }

    #[test]
    fn in_mode_proxy_another_server_is_no_trouble_and_nothing_is_asked() {
        let mut interlock = started(Mode::Proxy);
        assert_eq!(interlock.heard(&answer(), Time(10)), Outcome::default());
        assert_eq!(interlock.named(ROUTER, Time(10)), Outcome::default());
        assert_eq!(
            (interlock.standing(), interlock.trouble(), interlock.deadline()),
            (Standing::Proxy, None, None)
        );
    }

    #[test]
    fn another_network_is_looked_at_anew() {
        let mut interlock = started(Mode::Auto);
        interlock.heard(&answer(), Time(100));
        interlock.linked(Time(200));
        assert_eq!((interlock.standing(), interlock.trouble()), (Standing::Looking, None));
        run(&mut interlock, 200, 5200);
        assert_eq!(interlock.standing(), Standing::Full);
    }

    #[derive(Debug, Clone)]
    enum Event {
        Heard,
        Named,
        Own,
        Asked,
        Linked,
        Tick,
    }

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            1 => Just(Event::Heard),
            1 => Just(Event::Named),
            1 => Just(Event::Own),
            4 => Just(Event::Asked),
            1 => Just(Event::Linked),
            8 => Just(Event::Tick),
        ]
    }

    proptest! {
        /// Whatever happens in whatever order: addresses are handed out only after a whole look at the network as
        /// it is now, and never while a sign of another server is younger than its time; and questions stay few.
        #[test]
        fn auto_hands_out_only_after_silence(events in proptest::collection::vec((event(), 0u64..20_000), 1..120)) {
            let mut interlock = Interlock::new(Mode::Auto, OWN);
            let (mut now, mut linked, mut sign) = (Time(0), None, None::<Time>);
            let mut questions = 0;
            for (event, wait) in events {
                let until = now + Duration::from_millis(wait);
                while let Some(next) = interlock.deadline().filter(|next| *next <= until) {
                    now = now.max(next);
                    questions += interlock.tick(now).actions.len();
                    // A tick at its deadline makes the deadline later, so time goes on.
                    prop_assert!(interlock.deadline().is_none_or(|later| later > now));
                }
                now = until;
                let out = match event {
                    Event::Heard => { sign = Some(now); interlock.heard(&answer(), now) }
                    Event::Named => { sign = Some(now); interlock.named(ROUTER, now) }
                    Event::Own => interlock.named(OWN, now),
                    Event::Asked => interlock.asked(now),
                    Event::Linked => { (linked, sign) = (Some(now), None); interlock.linked(now) }
                    Event::Tick => interlock.tick(now),
                };
                questions += out.actions.len();
                if interlock.standing() == Standing::Full {
                    prop_assert!(linked.is_some_and(|since| now.since(since) >= LOOK));
                    prop_assert!(sign.is_none_or(|sign| now.since(sign) >= GONE));
                } else if let Some(since) = linked {
                    let reason = sign.is_some_and(|sign| now.since(sign) < SILENT_GONE);
                    prop_assert!(reason || now.since(since) < LOOK, "silent without a reason");
                }
            }
            let most = 2 + 5 * 120 + now.0 / 1500;
            prop_assert!(questions as u64 <= most);
        }
    }
}
