//! Orders to install: whether one can be given, and what is said of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::{
    appliance::{Arm, Refusal, Whom, decision::ArmPlan, policy::Known},
    config::display_duration,
    ids::{Mac, OrderKind},
    nodes::{Life, Node},
    orders::{self, Given, Order, Repeat, Scope},
};

/// The shortest order.
const SHORTEST: Duration = Duration::from_secs(1);
/// The longest order: nobody remembers an open one for longer.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
/// Somebody who names a node so shortly after it was installed may not know yet that it is.
const JUST: Duration = Duration::from_secs(10 * 60);

/// Judges orders by what is known.
#[derive(Debug, Clone, Copy)]
pub struct Arming<'a> {
    known: Known<'a>,
    /// What is wrong with configured nodes' configurations, or missing.
    config_faults: &'a BTreeMap<Mac, String>,
}

impl<'a> Arming<'a> {
    /// By what is known.
    pub fn new(known: Known<'a>, config_faults: &'a BTreeMap<Mac, String>) -> Arming<'a> {
        Arming { known, config_faults }
    }

    /// What an order does.
    ///
    /// # Errors
    /// A [`Refusal`] says why it can't be given.
    pub fn plan(&self, arm: &Arm) -> Result<ArmPlan, Refusal> {
        let scope = match &arm.whom {
            Whom::Named(names) => {
                Scope::Named(names.iter().map(|text| self.named(text)).collect::<Result<_, _>>()?)
            }
            Whom::NotInstalled => Scope::NotInstalled,
            Whom::All => Scope::All,
        };
        let length = arm.length.unwrap_or(self.known.settings().install.arm_for);
        if length < SHORTEST || length > LONGEST {
            let text =
                format!("arming for {} is not possible; choose from 1s to 1d", display_duration(length));
            return Err(Refusal::Invalid(text));
        }
        self.refuse_after_a_loss(&scope, arm.kind)?;
        self.refuse_unless_ready(&scope)?;
        let orders = self.known.machines.orders();
        let is_same = |order: &Order| order.kind == arm.kind && order.scope == scope;
        let is_new = arm.repeat == Repeat::Again || !orders.open(self.known.now).any(is_same);
        if is_new && orders.is_full() {
            return Err(Refusal::Conflict(format!(
                "{} orders are open already; `rackberry disarm` closes them",
                orders::MOST
            )));
        }
        let just_done = match (arm.repeat, arm.kind) {
            (Repeat::Same, OrderKind::Install) if is_new => self.just_done(&scope)?,
            _ => Vec::new(),
        };
        Ok(ArmPlan { kind: arm.kind, scope, repeat: arm.repeat, length, just_done })
    }

    /// The machine that a person names. A card that is a machine's only by what its firmware says is named for itself:
    /// whoever means that card may mean another machine.
    fn named(&self, text: &str) -> Result<Mac, Refusal> {
        let (key, nodes) = (self.known.find(text)?, self.known.nodes());
        if let Ok(card) = text.parse::<Mac>()
            && card != key
            && !nodes.lists(key, card)
        {
            if !nodes.is_listed(key) {
                return Ok(card);
            }
            return Err(Refusal::Conflict(format!(
                "{card} is taken for another card of {0}, because both call themselves by the same machine identifier; name \
                 {0} if that is so, else list both as [[node]]",
                self.known.label(key)
            )));
        }
        Ok(key)
    }

    /// Without its state this service does not know which machines it has installed.
    fn refuse_after_a_loss(&self, scope: &Scope, kind: OrderKind) -> Result<(), Refusal> {
        match self.known.condition.loss() {
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
    fn just_done(&self, scope: &Scope) -> Result<Vec<Mac>, Refusal> {
        let (now, orders) = (self.known.now, self.known.machines.orders());
        let runs = |node: &Node| match &node.life {
            Life::RunsOwn { .. } | Life::Overwriting { .. } => true,
            Life::Granted { .. } | Life::Resting { .. } | Life::Failed { .. } => false,
        };
        let is_done = |node: &Node| {
            let Some(last) = &node.last else { return false };
            let is_open = orders.get(last.order, now).is_some();
            node.disk().system().is_some_and(|system| is_open || now.since(system.at) < JUST)
        };
        let is_meant = |node: &&Node| match scope {
            // Who is done is not meant anyway.
            Scope::NotInstalled => runs(node),
            Scope::All => runs(node) || is_done(node),
            Scope::Named(nodes) => nodes.contains(&node.mac) && (runs(node) || is_done(node)),
        };
        let nodes: Vec<&Node> = self.known.nodes().known().filter(is_meant).collect();
        if let (Scope::Named(_), Some(first)) = (scope, nodes.first()) {
            let what = if runs(first) { "is being installed" } else { "was installed just now" };
            return Err(Refusal::Conflict(format!(
                "{0} {what}; `rackberry arm {0} --again` installs it once more after that",
                self.known.label(first.mac)
            )));
        }
        Ok(nodes.into_iter().map(|node| node.mac).collect())
    }

    /// Arming without a complete operating system would only strand the nodes, as would a configuration that
    /// can't be made.
    fn refuse_unless_ready(&self, scope: &Scope) -> Result<(), Refusal> {
        let Known { setup, machines, .. } = self.known;
        let nodes = machines.nodes();
        let mut faults = BTreeSet::new();
        let named = matches!(scope, Scope::Named(_));
        if !named {
            faults.extend(setup.default_version().err().map(|e| e.to_string()));
        }
        let meant = nodes.all().filter(|(mac, node)| match scope {
            Scope::Named(named) => named.contains(mac),
            Scope::All => nodes.is_listed(*mac),
            Scope::NotInstalled => nodes.is_listed(*mac) && !node.is_some_and(|node| node.disk().is_ours()),
        });
        for (mac, _) in meant {
            let label = self.known.label(mac);
            faults.extend(self.known.wanted_files(mac).err().map(|e| e.to_string()));
            faults.extend(self.config_faults.get(&mac).map(|fault| format!("{label}: {fault}")));
            if named && !self.known.is_allowed(mac) {
                faults.insert(format!(
                    "{label} is not in the configuration, and install.unknown_nodes is \"ignore\""
                ));
            }
        }
        if !named && setup.settings().nodes.is_empty() && !self.known.is_allowed(Mac([0; 6])) {
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

    /// How long an order that was given lasts, and for whom it is.
    pub fn words(&self, given: Given, plan: &ArmPlan) -> String {
        let length = in_words(plan.length);
        // It was given just now, and lasts for a second at least.
        let Some(order) = self.known.machines.orders().get(given.id(), self.known.now) else {
            return format!("for {length}");
        };
        let labels =
            |nodes: &[Mac]| nodes.iter().map(|mac| self.known.label(*mac)).collect::<Vec<_>>().join(", ");
        let mut words = format!("for {length}: {}", self.known.order_words(order));
        if !plan.just_done.is_empty() {
            words += &format!(
                "; but not {}, installed just now or right now (--again takes them in)",
                labels(&plan.just_done)
            );
        }
        let over = self.nodes_that_it_is_over_for(order);
        if !over.is_empty() {
            words += &format!("; {} had its chance already (--again gives another one)", labels(&over));
        }
        words
    }

    /// Which of the nodes that an order names it does nothing for any more.
    fn nodes_that_it_is_over_for(&self, order: &Order) -> Vec<Mac> {
        let Scope::Named(named) = &order.scope else { return Vec::new() };
        let (nodes, tries) = (self.known.nodes(), self.known.settings().install.tries);
        let is_over = |mac: &Mac| {
            let cards = nodes.cards(*mac);
            let is_tried = order.kind == OrderKind::Install && order.starts_of(&cards) >= tries;
            let is_done =
                order.is_over_for(&cards) && !nodes.get(*mac).is_some_and(|node| node.stage().is_running());
            is_tried || is_done
        };
        named.iter().copied().filter(is_over).collect()
    }
}

/// `30m`, `1h 5m`, `90s`.
fn in_words(length: Duration) -> String {
    let seconds = length.as_secs();
    let parts = [(seconds / 3600, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let words: Vec<String> =
        parts.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n}{unit}")).collect();
    if words.is_empty() { "0s".into() } else { words.join(" ") }
}
