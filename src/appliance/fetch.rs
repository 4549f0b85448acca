//! What TFTP and HTTP clients get, and what a node says of itself.

use std::net::Ipv4Addr;

use crate::{
    appliance::{Answer, Appliance, Note, Outcome, Refusal, Report, Via, core::Cargo},
    boot::{self, Plan},
    http::route::Route,
    ids::{Mac, Stage, Time},
    nodes::{Node, Sign, Verdict},
    profiles::Role,
};

const PLAIN: &str = "text/plain; charset=utf-8";

impl Appliance {
    /// Answers a request for a file or a rendered text.
    pub(super) fn fetch(
        &mut self,
        peer: Ipv4Addr,
        via: Via,
        head: bool,
        route: Route,
        now: Time,
        out: &mut Outcome,
    ) -> Answer {
        let node = self.node_at(peer, now);
        let answer = match route {
            Route::File(path) => self.file(node, peer, head, &path, now, out),
            Route::PxelinuxMenu(name) => self.pxelinux_menu(node, &name, now),
            Route::GrubMenu(name) if menu_is_for(node, &name) => self.menu(node, now, Plan::grub),
            Route::GrubMenu(name) => {
                Err(not_found(format!("grub/{name} is not rendered; see grub/grub.cfg")))
            }
            Route::IpxeScript(mac) => {
                self.only_own(node, peer, mac).and_then(|()| self.menu(node, now, Plan::ipxe))
            }
            Route::InstallScript => {
                self.gated(node, peer, "the install script", head, now, out, |a, node| a.install_script(node))
            }
            Route::NodeConfig(mac) | Route::Ignition(mac) => self.only_own(node, peer, mac).and_then(|()| {
                self.gated(node, peer, "its configuration", head, now, out, |a, node| a.node_config(node))
            }),
            Route::Api(_) | Route::Health | Route::Metrics | Route::Page => {
                Err(not_found(format!("there is no such file over {via:?}")))
            }
        };
        answer.unwrap_or_else(|refusal| {
            if let Refusal::Forbidden(reason) = &refusal {
                let who = node.map_or_else(|| peer.to_string(), |mac| self.label(mac));
                out.note(Note::Denied { node: who, reason: reason.clone() });
            }
            Answer::Refused(refusal)
        })
    }

    fn file(
        &mut self,
        node: Option<Mac>,
        peer: Ipv4Addr,
        head: bool,
        path: &[String],
        now: Time,
        out: &mut Outcome,
    ) -> Result<Answer, Refusal> {
        let catalog = self.catalog.clone();
        let name = path.join("/");
        if let Some(loader) = catalog.loader(&name) {
            let starts = boot::LOADERS.contains(&name.as_str());
            let transfer =
                node.filter(|_| starts && !head).map(|mac| self.begin_transfer(mac, Cargo::Loader));
            return Ok(Answer::File { path: loader.to_owned(), transfer });
        }
        // Configurations have a gate of their own; the tree must not be a way around it.
        let is_config = path.iter().any(|segment| segment.starts_with("cloud-config") || segment == "keys");
        let located = if is_config { None } else { catalog.locate(path, &self.settings.install.profile) };
        let (found, role) = located.ok_or_else(|| not_found(format!("there is no {name}")))?;
        let cargo = match role {
            Role::Kernel => Some(Cargo::Kernel),
            Role::Initrd => Some(Cargo::Initrd),
            Role::Image => Some(Cargo::Image),
            Role::Other => None,
        };
        if role == Role::Image {
            let mac = self.pass(node, peer, "an image", now)?;
            if !head {
                let update = self.nodes.saw(mac, Sign::Image { total: found.len }, false, now);
                self.note(update, out);
            }
        }
        let tracked = node.filter(|_| !head).zip(cargo);
        let transfer = tracked.map(|(mac, cargo)| self.begin_transfer(mac, cargo));
        Ok(Answer::File { path: found.path.clone(), transfer })
    }

    /// The gate for what only an installing node may have.
    fn pass(&self, node: Option<Mac>, peer: Ipv4Addr, what: &str, now: Time) -> Result<Mac, Refusal> {
        let forbidden = |why: &str| Err(Refusal::Forbidden(format!("{peer} may not have {what} now: {why}")));
        let Some(mac) = node else { return forbidden("no machine holds a lease of this address") };
        match self.nodes.get(mac).map(|node| node.may_fetch_install(self.arming.open(now))) {
            Some(Verdict::Yes) => Ok(mac),
            Some(Verdict::No(why)) => forbidden(&format!("{}: {why}", self.label(mac))),
            None => forbidden("this machine has never asked for a network boot"),
        }
    }

    #[allow(clippy::too_many_arguments)] // One place for the order of gate, rendering and bookkeeping.
    fn gated(
        &mut self,
        node: Option<Mac>,
        peer: Ipv4Addr,
        what: &str,
        head: bool,
        now: Time,
        out: &mut Outcome,
        make: impl FnOnce(&Self, &Node) -> Result<Answer, Refusal>,
    ) -> Result<Answer, Refusal> {
        let mac = self.pass(node, peer, what, now)?;
        let node = self.nodes.get(mac).ok_or_else(|| not_found(format!("there is no node {mac}")))?;
        let answer = make(self, node)?;
        if !head {
            let update = self.nodes.saw(mac, Sign::Config, false, now);
            self.note(update, out);
        }
        Ok(answer)
    }

    /// A node gets its own configuration, nobody else's.
    fn only_own(&self, node: Option<Mac>, peer: Ipv4Addr, mac: Mac) -> Result<(), Refusal> {
        if node == Some(self.nodes.primary(mac)) {
            return Ok(());
        }
        Err(Refusal::Forbidden(format!("{peer} is not {mac}: it holds no lease of that machine")))
    }

    fn install_script(&self, node: &Node) -> Result<Answer, Refusal> {
        if let Some(own) = self.catalog.file(&["cloud-configs", "install.sh"]) {
            return Ok(Answer::File { path: own.path.clone(), transfer: None });
        }
        let version = node.grant.as_ref().map(|grant| grant.version.as_str()).unwrap_or_default();
        let disk = self.node_settings(node.mac).and_then(|own| own.disk.as_deref());
        let disk = disk.unwrap_or(&self.settings.install.disk);
        let body = crate::profiles::install_script(&self.base_url(), disk, version);
        Ok(Answer::Text { body, media: "text/x-shellscript; charset=utf-8", transfer: None })
    }

    fn node_config(&self, node: &Node) -> Result<Answer, Refusal> {
        let name = self.nodes.name(node.mac);
        let found = self.catalog.node_config(node.mac, name).ok_or_else(|| {
            let named = name.map(|name| format!(", cloud-configs/{name}.yml")).unwrap_or_default();
            not_found(format!(
                "no configuration for {}: put cloud-configs/{}.yml{named} or cloud-configs/default.yml into an asset folder",
                self.label(node.mac),
                node.mac
            ))
        })?;
        Ok(Answer::File { path: found.path.clone(), transfer: None })
    }

    /// pxelinux asks for its UUID's menu, then its address's, then others: the first question gets the answer.
    fn pxelinux_menu(&self, node: Option<Mac>, name: &str, now: Time) -> Result<Answer, Refusal> {
        if !menu_is_for(node, name) {
            return Err(not_found(format!("pxelinux.cfg/{name} is another machine's")));
        }
        let plan = self.plan(node.and_then(|mac| self.nodes.get(mac)), now);
        let own = node.and_then(|mac| self.catalog.pxelinux_menu(mac));
        match (plan, own) {
            (Plan::Kernel(_), Some(own)) => Ok(Answer::File { path: own.path.clone(), transfer: None }),
            (plan, _) => Ok(Answer::Text { body: plan.pxelinux(), media: PLAIN, transfer: None }),
        }
    }

    fn menu(&self, node: Option<Mac>, now: Time, render: fn(&Plan) -> String) -> Result<Answer, Refusal> {
        let plan = self.plan(node.and_then(|mac| self.nodes.get(mac)), now);
        Ok(Answer::Text { body: render(&plan), media: PLAIN, transfer: None })
    }

    /// Takes a node's report; only its own lease's address may speak for it.
    pub(super) fn report(
        &mut self,
        peer: Ipv4Addr,
        mac: Mac,
        report: Report,
        now: Time,
        out: &mut Outcome,
    ) -> Answer {
        let node = self.node_at(peer, now);
        if let Err(refusal) = self.only_own(node, peer, mac) {
            return Answer::Refused(refusal);
        }
        let sign = match (report.ok, report.stage) {
            (false, stage) => Sign::GaveUp { stage, reason: report.message.clone() },
            (true, Stage::Configuring) => Sign::Config,
            (true, Stage::Written) => Sign::Wrote,
            (true, Stage::Installed) => Sign::Up,
            (true, _) => Sign::Alive,
        };
        let mut update = self.nodes.saw(mac, sign, false, now);
        if !report.log.is_empty() {
            let kept = self.nodes.change(mac, now, |node| node.keep_log(&report.log));
            update.changed = kept.changed.or(update.changed);
        }
        self.note(update, out);
        Answer::Done("noted".into())
    }
}

/// Whether a menu's file name can mean this node: its own address, or a name that isn't one machine's
/// address at all (a UUID, `default`, an IP address in hex, `grub.cfg`).
fn menu_is_for(node: Option<Mac>, name: &str) -> bool {
    let name = name.strip_prefix("grub.cfg-").unwrap_or(name);
    Mac::from_bootif(name).map_or(true, |mac| node == Some(mac))
}

fn not_found(text: String) -> Refusal {
    Refusal::NotFound(text)
}
