//! When to probe which address, and what came of it.

use std::{collections::BTreeMap, net::Ipv4Addr, time::Duration};

use crate::{
    dhcp::ProbeId,
    ids::{Mac, Time},
};

/// Time between probes, and after the last one. A host on the same switch answers within a millisecond; the
/// second probe is for one that has just been woken or whose answer got lost.
const PAUSE: Duration = Duration::from_millis(150);
const PROBES: u8 = 2;
/// Hosts that may answer for one address; more are as good as these.
const ANSWERS: usize = 8;

/// Why an address is probed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// A client is to be offered the address.
    Offer(ProbeId),
    /// Because it is said to be another DHCP server's.
    Server,
}

/// The probes that run. Each has its own time: none waits for another.
#[derive(Debug, Default)]
pub struct Probes {
    running: BTreeMap<(Ipv4Addr, Purpose), Running>,
}

#[derive(Debug)]
struct Running {
    sent: u8,
    next: Time,
    answers: Vec<Mac>,
}

/// What a probe wants done now.
#[derive(Debug, PartialEq, Eq)]
pub enum Due {
    /// Send a probe for this address.
    Send(Ipv4Addr),
    /// The probe is over.
    Over(Ipv4Addr, Purpose),
}

impl Probes {
    /// Begins to ask whether an address is in use.
    pub fn start(&mut self, purpose: Purpose, address: Ipv4Addr, now: Time) {
        let probe = Running { sent: 0, next: now, answers: Vec::new() };
        self.running.insert((address, purpose), probe);
    }

    /// Somebody uses an address: what that is an answer to. The probe goes on, because that may be the very machine which
    /// the address is for, and another one may use it, too; each is told of once.
    pub fn seen(&mut self, address: Ipv4Addr, by: Mac) -> Vec<Purpose> {
        let asked = self.running.iter_mut().filter(|((probed, _), _)| *probed == address);
        // Before the first probe was sent, it is no answer.
        let news = asked.filter(|(_, probe)| probe.sent > 0 && !probe.answers.contains(&by));
        news.filter_map(|((_, purpose), probe)| {
            (probe.answers.len() < ANSWERS).then(|| probe.answers.push(by)).map(|()| *purpose)
        })
        .collect()
    }

    /// Ends a probe before its time.
    pub fn end(&mut self, address: Ipv4Addr, purpose: Purpose) {
        self.running.remove(&(address, purpose));
    }

    /// What is to be done now: questions to send, and addresses that nobody answered for.
    pub fn due(&mut self, now: Time) -> Vec<Due> {
        let mut due = Vec::new();
        self.running.retain(|(address, purpose), probe| {
            if now < probe.next {
                return true;
            }
            if probe.sent == PROBES {
                due.push(Due::Over(*address, *purpose));
                return false;
            }
            probe.sent += 1;
            probe.next = now + PAUSE;
            due.push(Due::Send(*address));
            true
        });
        due
    }

    /// When [`Probes::due`] has work next.
    pub fn deadline(&self) -> Option<Time> {
        self.running.values().map(|probe| probe.next).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 7);
    const B: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 8);
    const ONE: Purpose = Purpose::Offer(ProbeId(1));
    const TWO: Purpose = Purpose::Offer(ProbeId(2));
    const HOST: Mac = Mac([2, 0, 0, 0, 0, 7]);
    const OTHER: Mac = Mac([2, 0, 0, 0, 0, 8]);

    #[test]
    fn two_probes_then_it_is_over() {
        let mut probes = Probes::default();
        probes.start(ONE, A, Time(1000));
        assert_eq!(probes.due(Time(1000)), [Due::Send(A)]);
        assert_eq!(probes.due(Time(1149)), []);
        assert_eq!(probes.deadline(), Some(Time(1150)));
        assert_eq!(probes.due(Time(1150)), [Due::Send(A)]);
        assert_eq!(probes.due(Time(1300)), [Due::Over(A, ONE)]);
        assert_eq!(probes.deadline(), None);
    }

    #[test]
    fn every_host_that_answers_is_told_of_once() {
        let mut probes = Probes::default();
        probes.start(ONE, A, Time(0));
        probes.start(TWO, B, Time(0));
        assert_eq!(probes.seen(A, HOST), [], "nothing was asked yet");
        assert_eq!(probes.due(Time(0)).len(), 2);
        assert_eq!(probes.seen(A, HOST), [ONE]);
        assert_eq!(probes.seen(A, HOST), []);
        assert_eq!(probes.seen(A, OTHER), [ONE], "another one uses it, too");
        probes.due(Time(150));
        assert_eq!(probes.due(Time(300)), [Due::Over(A, ONE), Due::Over(B, TWO)]);
    }

    #[test]
    fn an_address_is_probed_for_several_purposes_at_once() {
        let mut probes = Probes::default();
        probes.start(ONE, A, Time(0));
        probes.start(Purpose::Server, A, Time(100));
        probes.due(Time(100));
        assert_eq!(probes.seen(A, HOST), [ONE, Purpose::Server]);
        probes.end(A, Purpose::Server);
        probes.due(Time(250));
        assert_eq!(probes.due(Time(400)), [Due::Over(A, ONE)]);
    }
}
