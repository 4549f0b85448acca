//! People's orders: arm, disarm, reinstall, forget, wake.

use crate::{
    appliance::{
        Answer, Appliance, Arm, Change, Command, Note, Power, Reaction, Refusal, Whom,
        policy::{Arming, Waking},
    },
    ids::Source,
    orders::Given,
};

impl Appliance {
    /// Carries out an order.
    pub(super) fn command(&mut self, source: Source, command: Command, out: &mut Reaction) -> Answer {
        if command != Command::Disarm
            && let Err(refusal) = self.condition.require_writable()
        {
            return Answer::Refused(refusal);
        }
        let done = match command {
            Command::Arm(arm) => self.arm(source, &arm, out),
            Command::Disarm => Ok(self.disarm(source, out)),
            Command::Reinstall(node) => self.arm(source, &Arm::install(Whom::Named(vec![node])), out),
            Command::Forget(node) => self.forget(&node, out),
            Command::Wake(node) => Waking::new(self.known(out.now())).one(&node, out),
            Command::AcceptLoss => self.accept_loss(source, out),
        };
        done.map_or_else(Answer::Refused, Answer::Done)
    }

    fn arm(&mut self, source: Source, arm: &Arm, out: &mut Reaction) -> Result<String, Refusal> {
        let now = out.now();
        let plan = Arming::new(self.known(now), self.findings.config_faults()).plan(arm)?;
        let given = self.machines.arm(&plan, source, out);
        let arming = Arming::new(self.known(now), self.findings.config_faults());
        let how = arming.words(given, &plan);
        out.note(Note::Armed { source, how: how.clone() });
        let done = match given {
            Given::New(_) => format!("armed {how}"),
            Given::Same(_) => format!("armed already, and now {how}"),
        };
        Ok(match arm.power {
            Power::AsItIs => done,
            Power::Wake => format!("{done}; {}", Waking::new(self.known(now)).armed(&arm.whom, out)),
        })
    }

    fn disarm(&mut self, source: Source, out: &mut Reaction) -> String {
        let was_armed = self.machines.disarm(out);
        let running = self.machines.nodes().running();
        out.note(Note::Disarmed { source, running });
        match (was_armed, running) {
            (false, 0) => "was not armed".into(),
            (true, 0) => "disarmed".into(),
            (_, running) => format!("disarmed; {running} installs that already write a disk go on"),
        }
    }

    fn forget(&mut self, node: &str, out: &mut Reaction) -> Result<String, Refusal> {
        let known = self.known(out.now());
        let mac = known.find(node)?;
        let label = known.label(mac);
        if known.nodes().get(mac).is_some_and(|node| node.stage().is_running()) {
            return Err(Refusal::Conflict(format!("{label} is being installed; wait, or disarm first")));
        }
        if !self.machines.forget(mac, out) {
            return Err(Refusal::NotFound(format!("nothing is known of {label}")));
        }
        let armed = if self.machines.orders().deadline().is_some() {
            "; the orders that are open now don't mean it"
        } else {
            ""
        };
        Ok(format!("{label} is forgotten{armed}"))
    }

    fn accept_loss(&mut self, source: Source, out: &mut Reaction) -> Result<String, Refusal> {
        self.condition.accept_loss()?;
        out.change([Change::Loss(None)]);
        out.note(Note::LossAccepted { source });
        Ok("everybody means every machine again that is not known to be installed".into())
    }
}
