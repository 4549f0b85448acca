//! People's orders: arm, disarm, reinstall, forget, wake.

use std::{collections::BTreeSet, time::Duration};

use crate::{
    appliance::{Answer, Appliance, Change, Command, Note, Outcome, Refusal},
    config::display_duration,
    ids::{Mac, OrderKind, Source, Time},
    nodes::{Life, Node},
    orders::{self, Given, NewOrder, Order, Scope},
};

/// The shortest order.
const SHORTEST: Duration = Duration::from_secs(1);
/// The longest order: nobody remembers an open one for longer.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
/// Somebody who names a node so shortly after it was installed may not know yet that it is.
const JUST: Duration = Duration::from_secs(10 * 60);

/// What `arm` asks for.
struct Arm {
    arm_for: Option<Duration>,
    live: bool,
    all: bool,
    again: bool,
    nodes: Vec<String>,
}

impl Appliance {
    /// Carries out an order.
    pub(super) fn command(
        &mut self,
        source: Source,
        command: Command,
        now: Time,
        out: &mut Outcome,
    ) -> Answer {
        if let Some(reason) = self.unwritable.clone().filter(|_| command != Command::Disarm) {
            return Answer::Refused(Refusal::Unavailable(reason));
        }
        let done = match command {
            Command::Arm { arm_for, live, all, again, wake, nodes } => {
                let done =
                    self.arm(source, &Arm { arm_for, live, all, again, nodes: nodes.clone() }, now, out);
                done.map(|done| match wake {
                    true => format!("{done}; {}", self.wake_armed(&nodes, now, out)),
                    false => done,
                })
            }
            Command::Disarm => Ok(self.disarm(source, now, out)),
            Command::Reinstall(node) => {
                let arm = Arm { arm_for: None, live: false, all: false, again: false, nodes: vec![node] };
                self.arm(source, &arm, now, out)
            }
            Command::Forget(node) => self.forget(&node, out),
            Command::Wake(node) => self.wake(&node, out),
            Command::AcceptLoss => self.accept_loss(source, out),
        };
        done.map_or_else(Answer::Refused, Answer::Done)
    }

    fn arm(&mut self, source: Source, arm: &Arm, now: Time, out: &mut Outcome) -> Result<String, Refusal> {
        let named = arm.nodes.iter().map(|text| self.named(text)).collect::<Result<BTreeSet<Mac>, _>>()?;
        let kind = if arm.live { OrderKind::Live } else { OrderKind::Install };
        let scope = match (named.is_empty(), arm.all) {
            (false, _) => Scope::Named(named),
            (true, false) => Scope::NotInstalled,
            (true, true) => Scope::All,
        };
        let length = arm.arm_for.unwrap_or(self.settings.install.arm_for);
        if length < SHORTEST || length > LONGEST {
            let text =
                format!("arming for {} is not possible; choose from 1s to 1d", display_duration(length));
            return Err(Refusal::Invalid(text));
        }
        self.refuse_after_a_loss(&scope, kind)?;
        self.refuse_unless_ready(&scope)?;
        let is_new =
            arm.again || !self.orders.open(now).any(|order| order.kind == kind && order.scope == scope);
        if is_new && self.orders.is_full() {
            return Err(Refusal::Conflict(format!(
                "{} orders are open already; `rackberry disarm` closes them",
                orders::MOST
            )));
        }
        let just_done = if is_new && !arm.again && kind == OrderKind::Install {
            self.just_done(&scope, now)?
        } else {
            Vec::new()
        };
        let until = now + length;
        let given = self.orders.give(NewOrder { kind, scope, again: arm.again, until, source });
        let (id, is_same) = match given {
            Given::New(id) => {
                out.changes.push(Change::Order(id));
                (id, false)
            }
            Given::Same(id) => (id, true),
        };
        just_done.iter().for_each(|node| self.orders.end_for(id, &self.nodes.cards(*node)));
        let Some(order) = self.orders.get(id, now) else { return Ok("armed".into()) };
        let mut how = format!("for {}: {}", in_words(length), self.order_words(order));
        if !just_done.is_empty() {
            let names: Vec<String> = just_done.iter().map(|node| self.label(*node)).collect();
            how += &format!(
                "; but not {}, installed just now or right now (--again takes them in)",
                names.join(", ")
            );
        }
        how += &self.over_words(order);
        out.note(Note::Armed { source, how: how.clone() });
        Ok(if is_same { format!("armed already, and now {how}") } else { format!("armed {how}") })
    }

    /// The machine that a person names. A card that is a machine's only by what its firmware says is named for itself:
    /// whoever means that card may mean another machine.
    fn named(&self, text: &str) -> Result<Mac, Refusal> {
        let key = self.find(text)?;
        if let Ok(card) = text.parse::<Mac>()
            && card != key
            && !self.nodes.lists(key, card)
        {
            if !self.nodes.is_listed(key) {
                return Ok(card);
            }
            return Err(Refusal::Conflict(format!(
                "{card} is taken for another card of {0}, because both call themselves by the same machine identifier; name \
                 {0} if that is so, else list both as [[node]]",
                self.label(key)
            )));
        }
        Ok(key)
    }

    /// Without its state this service does not know which machines it has installed.
    fn refuse_after_a_loss(&self, scope: &Scope, kind: OrderKind) -> Result<(), Refusal> {
        match &self.loss {
            Some(loss) if *scope == Scope::NotInstalled && kind == OrderKind::Install => {
                Err(Refusal::Conflict(format!(
                    "can't arm everybody: {loss}; name the nodes, or use --all, or say `rackberry accept-loss` if no machine \
                 here was installed by this service"
                )))
            }
            _ => Ok(()),
        }
    }

    /// Nodes that an order means anew although an earlier one's install of them runs, or is just done. Named ones are
    /// refused, so that somebody sees; of all others they are left out.
    fn just_done(&self, scope: &Scope, now: Time) -> Result<Vec<Mac>, Refusal> {
        let runs = |node: &Node| match &node.life {
            Life::Overwriting { .. } => true,
            Life::Granted { approach, .. } => approach.is_own,
            Life::Resting | Life::Failed(_) => false,
        };
        let is_done = |node: &Node| {
            let Some(last) = &node.last else { return false };
            let is_open = self.orders.get(last.order, now).is_some();
            node.disk.system().is_some_and(|system| is_open || now.since(system.at) < JUST)
        };
        let is_meant = |node: &&Node| match scope {
            // Who is done is not meant anyway.
            Scope::NotInstalled => runs(node),
            Scope::All => runs(node) || is_done(node),
            Scope::Named(nodes) => nodes.contains(&node.mac) && (runs(node) || is_done(node)),
        };
        let nodes: Vec<&Node> = self.nodes.known().filter(is_meant).collect();
        if let (Scope::Named(_), Some(first)) = (scope, nodes.first()) {
            let what = if runs(first) { "is being installed" } else { "was installed just now" };
            return Err(Refusal::Conflict(format!(
                "{0} {what}; `rackberry arm {0} --again` installs it once more after that",
                self.label(first.mac)
            )));
        }
        Ok(nodes.into_iter().map(|node| node.mac).collect())
    }

    /// For whom an order is, and what it lets them do.
    pub(super) fn order_words(&self, order: &Order) -> String {
        let unsure: Vec<String> = self.nodes.unsure().map(|mac| self.label(mac)).collect();
        let installed = self.nodes.installed();
        let whom = match &order.scope {
            Scope::Named(nodes) => nodes.iter().map(|mac| self.label(*mac)).collect::<Vec<_>>().join(", "),
            Scope::All => "every node, installed ones too".into(),
            Scope::NotInstalled => {
                let mut whom = String::from("every node");
                if installed > 0 {
                    whom += &format!(
                        " but the {installed} installed already (name them, or use --all, to reinstall)"
                    );
                }
                if !unsure.is_empty() {
                    whom += &format!(
                        "; nor {}, whose last install ended nobody knows how (name it to install it again)",
                        unsure.join(", ")
                    );
                }
                whom
            }
        };
        let live = if order.kind == OrderKind::Live { ", to RAM only" } else { "" };
        format!("{whom}{live}")
    }

    /// Which of the nodes that an order names it does nothing for any more.
    fn over_words(&self, order: &Order) -> String {
        let Scope::Named(nodes) = &order.scope else { return String::new() };
        let tries = self.settings.install.tries;
        let is_over = |mac: &&Mac| {
            let cards = self.nodes.cards(**mac);
            let is_tried = order.kind == OrderKind::Install && order.starts_of(&cards) >= tries;
            let is_done = order.is_over_for(&cards)
                && !self.nodes.get(**mac).is_some_and(|node| node.stage().is_running());
            is_tried || is_done
        };
        let names: Vec<String> = nodes.iter().filter(is_over).map(|mac| self.label(*mac)).collect();
        match names.is_empty() {
            true => String::new(),
            false => format!("; {} had its chance already (--again gives another one)", names.join(", ")),
        }
    }

    /// Arming without a complete operating system would only strand the nodes, as would a configuration that
    /// can't be made.
    fn refuse_unless_ready(&self, scope: &Scope) -> Result<(), Refusal> {
        let mut faults = BTreeSet::new();
        let named = matches!(scope, Scope::Named(_));
        if !named {
            faults.extend(self.default_version().err().map(|e| e.to_string()));
        }
        let meant = self.nodes.all().filter(|(mac, node)| match scope {
            Scope::Named(nodes) => nodes.contains(mac),
            Scope::All => self.nodes.is_listed(*mac),
            Scope::NotInstalled => {
                self.nodes.is_listed(*mac) && !node.is_some_and(|node| node.disk.is_ours())
            }
        });
        for (mac, _) in meant {
            let label = self.label(mac);
            faults.extend(self.wanted_files(mac).err().map(|e| e.to_string()));
            faults.extend(self.config_faults.get(&mac).map(|fault| format!("{label}: {fault}")));
            if named && !self.is_allowed(mac) {
                faults.insert(format!(
                    "{label} is not in the configuration, and install.unknown_nodes is \"ignore\""
                ));
            }
        }
        if !named && self.settings.nodes.is_empty() && !self.is_allowed(Mac([0; 6])) {
            faults.insert(
                "nobody may install: install.unknown_nodes is \"ignore\", and no [[node]] is configured"
                    .into(),
            );
        }
        if faults.is_empty() {
            return Ok(());
        }
        Err(Refusal::Conflict(format!("can't arm: {}", faults.into_iter().collect::<Vec<_>>().join("; "))))
    }

    fn disarm(&mut self, source: Source, now: Time, out: &mut Outcome) -> String {
        let was_armed = self.orders.open(now).next().is_some();
        self.orders.close_all();
        for update in self.nodes.withdraw_closed(&self.orders, now) {
            self.note(update, out);
        }
        let running = self.running();
        out.note(Note::Disarmed { source, running });
        match (was_armed, running) {
            (false, 0) => "was not armed".into(),
            (true, 0) => "disarmed".into(),
            (_, running) => format!("disarmed; {running} installs that already write a disk go on"),
        }
    }

    fn forget(&mut self, node: &str, out: &mut Outcome) -> Result<String, Refusal> {
        let mac = self.find(node)?;
        let label = self.label(mac);
        if self.nodes.get(mac).is_some_and(|node| node.stage().is_running()) {
            return Err(Refusal::Conflict(format!("{label} is being installed; wait, or disarm first")));
        }
        let cards = self.nodes.cards(mac);
        self.boot_attempts.forget(mac);
        if !self.nodes.forget(mac) {
            return Err(Refusal::NotFound(format!("nothing is known of {label}")));
        }
        out.changes.push(Change::NoNode(mac));
        // Who forgets a node does not mean that an order which is open already should overwrite it.
        self.orders.use_up(&cards);
        let armed = if self.orders.deadline().is_some() {
            "; the orders that are open now don't mean it"
        } else {
            ""
        };
        Ok(format!("{label} is forgotten{armed}"))
    }

    fn accept_loss(&mut self, source: Source, out: &mut Outcome) -> Result<String, Refusal> {
        if self.loss.take().is_none() {
            return Err(Refusal::Conflict("no state was lost".into()));
        }
        out.changes.push(Change::Loss(None));
        out.note(Note::LossAccepted { source });
        Ok("everybody means every machine again that is not known to be installed".into())
    }

    pub(super) fn find(&self, text: &str) -> Result<Mac, Refusal> {
        self.nodes.find(text).ok_or_else(|| {
            Refusal::NotFound(format!(
                "{text:?} is neither a node's name nor a MAC address; `rackberry nodes` lists them"
            ))
        })
    }
}

/// `30m`, `1h 5m`, `90s`.
pub fn in_words(length: Duration) -> String {
    let seconds = length.as_secs();
    let parts = [(seconds / 3600, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let words: Vec<String> =
        parts.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n}{unit}")).collect();
    if words.is_empty() { "0s".into() } else { words.join(" ") }
}
