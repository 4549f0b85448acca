//! Orders: arm, disarm, reinstall, forget, wake.

use std::{collections::BTreeSet, time::Duration};

use crate::{
    appliance::{Answer, Appliance, Change, Command, Note, Outcome, Refusal},
    arm::{Everybody, Scope, Window},
    config::display_duration,
    ids::{Mac, Source, Time},
};

/// The shortest arming.
const SHORTEST: Duration = Duration::from_secs(1);
/// The longest arming: nobody remembers an open one for longer.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

impl Appliance {
    /// Carries out an order.
    pub(super) fn command(
        &mut self,
        source: Source,
        command: Command,
        now: Time,
        out: &mut Outcome,
    ) -> Answer {
        let done = match command {
            Command::Arm { arm_for, live, all, wake, nodes } => {
                let done = self.arm(source, arm_for, live, all, &nodes, now, out);
                done.map(|done| match wake {
                    true => format!("{done}; {}", self.wake_armed(&nodes, now, out)),
                    false => done,
                })
            }
            Command::Disarm => Ok(self.disarm(source, now, out)),
            Command::Reinstall(node) => self.arm(source, None, false, false, &[node], now, out),
            Command::Forget(node) => self.forget(&node, out),
            Command::Wake(node) => self.wake(&node, out),
        };
        done.map_or_else(Answer::Refused, Answer::Done)
    }

    #[allow(clippy::too_many_arguments)] // The order's own parts.
    fn arm(
        &mut self,
        source: Source,
        arm_for: Option<Duration>,
        live: bool,
        all: bool,
        nodes: &[String],
        now: Time,
        out: &mut Outcome,
    ) -> Result<String, Refusal> {
        let named = nodes.iter().map(|text| self.find(text)).collect::<Result<BTreeSet<Mac>, _>>()?;
        self.refuse_unless_ready(&named, all)?;
        let length = arm_for.unwrap_or(self.settings.install.arm_for);
        if length < SHORTEST || length > LONGEST {
            let text =
                format!("arming for {} is not possible; choose from 1s to 1d", display_duration(length));
            return Err(Refusal::Invalid(text));
        }
        if let Some(window) = self.arming.window(now).filter(|window| window.live != live) {
            let how = if window.live { "with --live" } else { "without --live" };
            return Err(Refusal::Conflict(format!("already armed {how}; disarm first")));
        }
        let until = now + length;
        if self.arming.window(now).is_some() && !named.is_empty() {
            self.arming.add(named.iter().copied(), until);
        } else {
            let everybody = match (named.is_empty(), all) {
                (false, _) => Everybody::Nobody,
                (true, false) => Everybody::NotInstalled,
                (true, true) => Everybody::All,
            };
            let scope = Scope { everybody, named: named.clone() };
            self.open_window(Window { id: self.last_arming + 1, until, live, source, scope }, now, out);
        }
        for mac in &named {
            let update = self.nodes.change(*mac, now, |node| node.last_arming = None);
            self.note(update, out);
        }
        let how = self.how_armed(length, live, all, &named);
        out.note(Note::Armed { source, how: how.clone() });
        Ok(format!("armed {how}"))
    }

    fn open_window(&mut self, window: Window, now: Time, out: &mut Outcome) {
        self.last_arming = window.id;
        out.changes.push(Change::Arming(window.id));
        let updates =
            self.nodes.replace_arming(window.id, |mac, installed| window.scope.admits(mac, installed), now);
        self.arming.arm(window);
        for update in updates {
            self.note(update, out);
        }
    }

    fn how_armed(&self, length: Duration, live: bool, all: bool, named: &BTreeSet<Mac>) -> String {
        let installed =
            self.nodes.all().filter(|(_, node)| node.is_some_and(|node| node.installed.is_some())).count();
        let whom = match (named.is_empty(), all, installed) {
            (false, ..) => named.iter().map(|mac| self.label(*mac)).collect::<Vec<_>>().join(", "),
            (true, true, _) => "every node, installed ones too".into(),
            (true, false, 0) => "every node".into(),
            (true, false, n) => {
                format!("every node but the {n} installed already (name them, or use --all, to reinstall)")
            }
        };
        let live = if live { ", to RAM only" } else { "" };
        format!("for {}: {whom}{live}", in_words(length))
    }

    /// Arming without a complete operating system would only strand the nodes, as would a configuration that
    /// can't be made.
    fn refuse_unless_ready(&self, named: &BTreeSet<Mac>, all: bool) -> Result<(), Refusal> {
        let mut faults = BTreeSet::new();
        if named.is_empty() {
            faults.extend(self.default_version().err().map(|e| e.to_string()));
        }
        let listed = self.nodes.all().filter(|(mac, node)| {
            let installed = node.is_some_and(|node| node.installed.is_some());
            if named.is_empty() {
                self.nodes.is_listed(*mac) && (all || !installed)
            } else {
                named.contains(mac)
            }
        });
        for (mac, _) in listed {
            let label = self.label(mac);
            faults.extend(self.wanted_files(mac).err().map(|e| e.to_string()));
            faults.extend(self.config_faults.get(&mac).map(|fault| format!("{label}: {fault}")));
        }
        if faults.is_empty() {
            return Ok(());
        }
        Err(Refusal::Conflict(format!("can't arm: {}", faults.into_iter().collect::<Vec<_>>().join("; "))))
    }

    fn disarm(&mut self, source: Source, now: Time, out: &mut Outcome) -> String {
        let was_armed = self.arming.disarm();
        for update in self.nodes.withdraw(true, now) {
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
        if self.nodes.get(mac).is_some_and(|node| node.stage.is_running()) {
            return Err(Refusal::Conflict(format!("{label} is being installed; wait, or disarm first")));
        }
        self.trails.forget(mac);
        if !self.nodes.forget(mac) {
            return Err(Refusal::NotFound(format!("nothing is known of {label}")));
        }
        out.changes.push(Change::NoNode(mac));
        Ok(format!("{label} is forgotten"))
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
