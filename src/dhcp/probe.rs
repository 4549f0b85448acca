//! When to probe which address, and what came of it.

use std::{collections::BTreeMap, net::Ipv4Addr, time::Duration};

use crate::{dhcp::ProbeId, ids::Time};

/// Time between probes, and after the last one. A host on the same switch answers within a millisecond; the
/// second probe is for one that has just been woken or whose answer got lost.
const PAUSE: Duration = Duration::from_millis(150);
const PROBES: u8 = 2;

/// The probes that run. Each has its own time: none waits for another.
#[derive(Debug, Default)]
pub(super) struct Probes {
    running: BTreeMap<Ipv4Addr, Running>,
}

#[derive(Debug)]
struct Running {
    id: ProbeId,
    sent: u8,
    next: Time,
}

/// What is due.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Send a probe for this address.
    Send(Ipv4Addr),
    /// Nobody answered.
    Free(ProbeId),
}

impl Probes {
    pub fn start(&mut self, id: ProbeId, address: Ipv4Addr, now: Time) {
        self.running.insert(address, Running { id, sent: 0, next: now });
    }

    /// An address is in use; says whose probe that ends.
    pub fn seen(&mut self, address: Ipv4Addr) -> Option<ProbeId> {
        // Before the first probe was sent, it is no answer.
        self.running.get(&address).filter(|probe| probe.sent > 0)?;
        self.running.remove(&address).map(|probe| probe.id)
    }

    pub fn due(&mut self, now: Time) -> Vec<Due> {
        let mut due = Vec::new();
        self.running.retain(|address, probe| {
            if now < probe.next {
                return true;
            }
            if probe.sent == PROBES {
                due.push(Due::Free(probe.id));
                return false;
            }
            probe.sent += 1;
            probe.next = now + PAUSE;
            due.push(Due::Send(*address));
            true
        });
        due
    }

    pub fn deadline(&self) -> Option<Time> {
        self.running.values().map(|probe| probe.next).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 7);
    const B: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 8);

    #[test]
    fn two_probes_then_free() {
        let mut probes = Probes::default();
        probes.start(ProbeId(1), A, Time(1000));
        assert_eq!(probes.due(Time(1000)), [Due::Send(A)]);
        assert_eq!(probes.due(Time(1149)), []);
        assert_eq!(probes.deadline(), Some(Time(1150)));
        assert_eq!(probes.due(Time(1150)), [Due::Send(A)]);
        assert_eq!(probes.due(Time(1300)), [Due::Free(ProbeId(1))]);
        assert_eq!(probes.deadline(), None);
    }

    #[test]
    fn an_answer_ends_its_own_probe_only() {
        let mut probes = Probes::default();
        probes.start(ProbeId(1), A, Time(0));
        probes.start(ProbeId(2), B, Time(0));
        assert_eq!(probes.seen(A), None, "nothing was asked yet");
        assert_eq!(probes.due(Time(0)).len(), 2);
        assert_eq!(probes.seen(A), Some(ProbeId(1)));
        assert_eq!(probes.seen(A), None);
        probes.due(Time(150));
        assert_eq!(probes.due(Time(300)), [Due::Free(ProbeId(2))]);
    }
}
