//! What machines say of themselves.

use crate::{
    appliance::{MachineFacts, Reaction, Report, state::Machines},
    ids::{Mac, Stage, Time, lines, one_line},
    nodes::{NodeEvent, Unknown, Word},
    orders::OrderId,
};

/// Which install a report is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportedInstall {
    /// The one that runs, by this order.
    Present(OrderId),
    /// The last one: the grant that it goes by is over.
    Ended,
    /// None that is known.
    None,
}

impl Machines {
    /// Whether one more report of a machine is taken now.
    pub fn takes_report(&mut self, node: Mac, now: Time) -> bool {
        self.report_rate.takes(node, now)
    }

    /// Which install a report of a node is of that names this grant.
    pub fn reported_install(&self, node: Mac, token: Option<&str>) -> ReportedInstall {
        let grant = self.nodes.get(node).and_then(|node| node.grant());
        match (token, grant) {
            (Some(token), Some(grant)) if grant.token != token => ReportedInstall::Ended,
            (Some(_), None) => ReportedInstall::Ended,
            (_, Some(grant)) => ReportedInstall::Present(grant.order),
            (None, None) => ReportedInstall::None,
        }
    }

    /// The installer of a machine was heard of.
    pub fn installer_was_heard(&mut self, node: Mac, order: OrderId) {
        self.orders.heard(order, &self.nodes.cards(node));
        self.nodes.changed().note(node);
    }

    /// Which cards a machine says that it has, and what it is called.
    pub fn learn_machine(&mut self, node: Mac, machine: &MachineFacts, out: &mut Reaction) {
        let uuid = machine.uuid.as_deref().and_then(|uuid| uuid.parse().ok());
        let recognized = self.nodes.learn_cards(node, uuid, &machine.macs, out.now());
        self.learned(recognized, out);
    }

    /// What a machine says of its install, or of its system; an installer that asks for its disk has leave.
    pub fn said(&mut self, node: Mac, report: Report, install: ReportedInstall, out: &mut Reaction) {
        let Report { stage, ok, message, log, cause, machine: _ } = report;
        match (ok, stage) {
            (true, Stage::Installing) => self.overwrites(node, NodeEvent::Overwrites { image: None }, out),
            (true, stage) => self.says(node, word(stage), install, out),
            (false, stage) => {
                // A machine that has failed by its own word does not try for ever.
                if let ReportedInstall::Present(order) = install {
                    self.orders.end_for(order, &self.nodes.cards(node));
                }
                let gave_up = Word::GaveUp { stage, reason: one_line(&message), cause };
                self.says(node, gave_up, install, out);
            }
        }
        // A log is of an install.
        if !log.is_empty() && install != ReportedInstall::None {
            let update = self.nodes.change(node, out.now(), |node| node.keep_log(&lines(&log)));
            self.updated(update, out);
        }
    }

    fn says(&mut self, node: Mac, word: Word, install: ReportedInstall, out: &mut Reaction) {
        // That a machine runs from its disk is worth knowing of machines that nothing else is known of, too.
        let unknown = if word == Word::Up { Unknown::Recorded } else { Unknown::Ignored };
        let is_written = word == Word::Written;
        let event = match install {
            ReportedInstall::Ended => NodeEvent::SaidLate(word),
            ReportedInstall::Present(_) | ReportedInstall::None => NodeEvent::Said(word),
        };
        if is_written {
            self.overwrites(node, event, out);
        } else {
            self.apply_to(node, event, unknown, out);
        }
    }
}

fn word(stage: Stage) -> Word {
    match stage {
        Stage::Configuring => Word::Configuring,
        Stage::Written => Word::Written,
        Stage::Installed => Word::Up,
        _ => Word::GoesOn,
    }
}
