//! What a node says of itself.

use crate::{
    appliance::{Answer, Appliance, MachineFacts, Outcome, Refusal, Report, Requester},
    ids::{Mac, Stage, Time, lines, one_line},
    nodes::{Grant, NodeEvent, Stranger, Word},
};

impl Appliance {
    /// Takes a node's report; only its own grant, or the machine that holds its address, may speak for it.
    pub(super) fn report(
        &mut self,
        from: Requester,
        token: Option<&str>,
        mac: Mac,
        report: Report,
        now: Time,
        out: &mut Outcome,
    ) -> Answer {
        if let Some(reason) = self.unwritable.clone() {
            return Answer::Refused(Refusal::Unavailable(reason));
        }
        match self.take_report(from, token, mac, report, now, out) {
            Ok(()) => Answer::Done("noted".into()),
            Err(refusal) => Answer::Refused(refusal),
        }
    }

    fn take_report(
        &mut self,
        from: Requester,
        token: Option<&str>,
        mac: Mac,
        report: Report,
        now: Time,
        out: &mut Outcome,
    ) -> Result<(), Refusal> {
        let asker = self.asker(from, token, now, out);
        self.require_same_node(asker, mac)?;
        let mac = self.nodes.key(mac);
        if !self.report_rate.takes(mac, now) {
            return Err(Refusal::Unavailable(format!(
                "{} reports too often; wait a minute",
                self.label(mac)
            )));
        }
        let grant = self.nodes.get(mac).and_then(|node| node.grant());
        let is_late = token.is_some_and(|token| grant.is_none_or(|grant| grant.token != token));
        let order = grant.filter(|_| !is_late).map(|grant: &Grant| grant.order);
        // What a script of somebody's own writes, and when, nobody here knows: its words don't make up for starts.
        let is_built_in = grant
            .is_some_and(|grant| self.catalog.profile(&grant.profile).is_some_and(|own| own.is_built_in));
        if let Some(order) = order.filter(|_| is_built_in) {
            self.orders.heard(order, &self.nodes.cards(mac));
            self.nodes.changed().note(mac);
        }
        let Report { stage, ok, message, log, cause, machine } = report;
        let message = one_line(&message);
        if let Some(MachineFacts { uuid, macs, serial: _ }) = machine.filter(|_| !is_late) {
            let uuid = uuid.and_then(|uuid| uuid.parse().ok());
            let recognized = self.nodes.learn_cards(mac, uuid, &macs, now);
            self.learned(recognized, out);
        }
        match (ok, stage) {
            (true, Stage::Installing) if is_late => {
                return Err(Refusal::Forbidden(format!(
                    "{} asks for its disk by a grant that is over",
                    self.label(mac)
                )));
            }
            // An installer without an image says that it begins, and must not begin if it may not.
            (true, Stage::Installing) => {
                self.pass(asker, "its disk", now)?;
                self.overwrites(mac, NodeEvent::Overwrites { image: None }, now, out);
            }
            (true, stage) => self.says(mac, word(stage), is_late, now, out),
            (false, stage) => {
                // A machine that has failed by its own word does not try for ever.
                if let Some(order) = order {
                    self.orders.end_for(order, &self.nodes.cards(mac));
                }
                self.says(mac, Word::GaveUp { stage, reason: message, cause }, is_late, now, out);
            }
        }
        // A log is of an install.
        if !log.is_empty() && (order.is_some() || is_late) {
            let update = self.nodes.change(mac, now, |node| node.keep_log(&lines(&log)));
            self.note(update, out);
        }
        Ok(())
    }

    fn says(&mut self, mac: Mac, word: Word, is_late: bool, now: Time, out: &mut Outcome) {
        // That a machine runs from its disk is worth knowing of machines that nothing else is known of, too.
        let stranger = if word == Word::Up { Stranger::BecomesNode } else { Stranger::Stays };
        let written = word == Word::Written;
        let event = if is_late { NodeEvent::SaidLate(word) } else { NodeEvent::Said(word) };
        if written {
            self.overwrites(mac, event, now, out)
        } else {
            let update = self.nodes.apply(mac, event, stranger, now);
            self.note(update, out);
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
