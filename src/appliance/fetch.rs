//! What TFTP and HTTP clients get, and what a node says of itself.

use std::net::Ipv4Addr;

use crate::{
    appliance::{
        Answer, Appliance, Note, Outcome, Refusal, Report, Requester, TransferId, Via, core::Cargo,
        texts::Order,
    },
    assets::{
        catalog::{FileRole, Standard},
        folder::Found,
    },
    boot::{self, Plan, Transport},
    http::route::{Route, Target},
    ids::{Arch, Loader, Mac, Stage, Time},
    nodes::{Grant, Sign, Step, Verdict},
    profiles::{Profile, Role},
};

impl Appliance {
    /// Answers a request for a file or a rendered text.
    pub(super) fn fetch(
        &mut self,
        from: Requester,
        via: Via,
        head: bool,
        target: Target,
        now: Time,
        out: &mut Outcome,
    ) -> Answer {
        let peer = from.address;
        self.take_up_offer(from, now, out);
        let asker = Asker { peer, node: self.asking(peer, target.grant.as_deref(), now) };
        let answer = match (asker.node, target.grant) {
            (None, Some(_)) => Err(Refusal::Forbidden(format!(
                "{peer} asks by a grant that is over; let the machine boot from the network again"
            ))),
            _ => self.answer(asker, via, head, target.route, now, out),
        };
        answer.unwrap_or_else(|refusal| {
            if let Refusal::Forbidden(reason) | Refusal::Conflict(reason) = &refusal {
                let who = asker.node.map_or_else(|| peer.to_string(), |mac| self.label(mac));
                out.note(Note::Denied { node: who, reason: reason.clone() });
            }
            Answer::Refused(refusal)
        })
    }

    /// Which node asks: the one whose grant is named, or the one that has leased the address.
    fn asking(&self, peer: Ipv4Addr, grant: Option<&str>, now: Time) -> Option<Mac> {
        match grant {
            Some(token) => self.nodes.by_token(token),
            None => self.node_at(peer, now),
        }
    }

    fn answer(
        &mut self,
        asker: Asker,
        via: Via,
        head: bool,
        route: Route,
        now: Time,
        out: &mut Outcome,
    ) -> Result<Answer, Refusal> {
        let node = asker.node;
        match route {
            Route::File(path) => self.file(asker, head, &path, now, out),
            Route::PxelinuxMenu(name) => self.pxelinux_menu(node, &name, now),
            Route::GrubMenu(name) if menu_is_for(node, &name) => Ok(self.menu(node, head, now, Plan::grub)),
            Route::GrubMenu(name) => {
                Err(Refusal::NotFound(format!("grub/{name} is not rendered; see grub/grub.cfg")))
            }
            Route::IpxeScript(mac) => {
                self.only_own(asker, mac)?;
                if !head {
                    // Where iPXE is in the card, its script is the first thing that is fetched.
                    self.remember_offer_style(mac, now, out);
                    let update = self.nodes.saw(mac, Sign::Loader, false, now);
                    self.note(update, out);
                }
                Ok(self.menu(node, head, now, Plan::ipxe))
            }
            Route::InstallScript => {
                let mac = self.pass(asker, "the install script", now)?;
                let answer = self.script(mac, now)?;
                self.saw_config(mac, head, now, out);
                Ok(answer)
            }
            Route::ProfileText(name) => {
                let mac = self.pass(asker, &format!("profile/{name}"), now)?;
                let text = self.granted(mac, |a, order| a.profile_text(order, &name, now))?;
                let text = text.ok_or_else(|| Refusal::NotFound(format!("there is no profile/{name}")))?;
                self.saw_config(mac, head, now, out);
                Ok(plain(text.map_err(Refusal::Conflict)?))
            }
            Route::NodeConfig(mac, kind) => {
                self.only_own(asker, mac)?;
                let mac = self.pass(asker, "its configuration", now)?;
                let config = self.granted(mac, |a, order| a.node_config(order, kind, now))?;
                let config = config.map_err(Refusal::Conflict)?.ok_or_else(|| {
                    let profile = self.catalog.profiles().find(|own| own.name == self.wanted(mac).0);
                    Refusal::NotFound(
                        profile.map_or_else(String::new, |profile| self.no_config(mac, profile)),
                    )
                })?;
                self.saw_config(mac, head, now, out);
                Ok(plain(config.text))
            }
            Route::Api(_) | Route::Health | Route::Metrics | Route::Page => {
                Err(Refusal::NotFound(format!("there is no such file over {via:?}")))
            }
        }
    }

    fn saw_config(&mut self, mac: Mac, head: bool, now: Time, out: &mut Outcome) {
        if !head {
            let update = self.nodes.saw(mac, Sign::Config, false, now);
            self.note(update, out);
        }
    }

    fn file(
        &mut self,
        asker: Asker,
        head: bool,
        path: &[String],
        now: Time,
        out: &mut Outcome,
    ) -> Result<Answer, Refusal> {
        let catalog = self.catalog.clone();
        let grant = asker.node.and_then(|mac| self.nodes.get(mac)?.grant.clone());
        // Configurations have a gate of their own; the tree must not be a way around it.
        let is_private = path.iter().any(|segment| segment.starts_with("cloud-config") || segment == "keys");
        let own = self.pi_path(asker.node, path);
        let asked = path;
        let path = own.as_deref().unwrap_or(path);
        let install = &self.settings.install;
        let standard = match &grant {
            Some(Grant { profile, version, arch, .. }) => Standard { profile, version, arch: Some(arch) },
            None => Standard { profile: &install.profile, version: &install.version, arch: None },
        };
        let located = if is_private { None } else { catalog.locate(path, standard) };
        let located = located.ok_or_else(|| Refusal::NotFound(format!("there is no {}", asked.join("/"))))?;
        let cargo = match located.role {
            Some(FileRole::Loader) if boot::is_loader(&path.join("/")) => Some(Cargo::Loader),
            Some(FileRole::Of(Role::Kernel)) => Some(Cargo::Kernel),
            Some(FileRole::Of(Role::Initrd)) => Some(Cargo::Initrd),
            Some(FileRole::Of(Role::Rootfs)) => Some(Cargo::Rootfs),
            Some(FileRole::Of(Role::Image)) => Some(Cargo::Image),
            Some(FileRole::Loader) | None => None,
        };
        if cargo == Some(Cargo::Image) {
            let mac = self.pass(asker, "an image", now)?;
            // What was verified and granted is this version; another one is another decision.
            if let (Some(grant), Some(version)) = (&grant, located.version)
                && (&version.profile.name, &version.name) != (&grant.profile, &grant.version)
            {
                return Err(Refusal::Forbidden(format!(
                    "{} may install {} {}, not {} {}",
                    self.label(mac),
                    grant.profile,
                    grant.version,
                    version.profile.name,
                    version.name
                )));
            }
            if !head {
                let sign = Sign::Image { total: Some(located.found.len) };
                let update = self.nodes.saw(mac, sign, false, now);
                self.note(update, out);
            }
        }
        let tracked = asker.node.filter(|_| !head).zip(cargo);
        if let Some((mac, Cargo::Kernel)) = tracked {
            self.remember_loader(mac, now, out);
        }
        let transfer = tracked.map(|(mac, cargo)| self.begin_transfer(mac, cargo));
        Ok(file(located.found, transfer))
    }

    /// The gate for what only an installing node may have.
    fn pass(&self, asker: Asker, what: &str, now: Time) -> Result<Mac, Refusal> {
        let Asker { peer, node } = asker;
        let forbidden = |why: &str| Err(Refusal::Forbidden(format!("{peer} may not have {what} now: {why}")));
        let Some(mac) = node else { return forbidden("no machine holds a lease of this address") };
        match self.nodes.get(mac).map(|node| node.may_fetch_install(self.arming.open(now))) {
            Some(Verdict::Yes) => Ok(mac),
            Some(Verdict::No(why)) => forbidden(&format!("{}: {why}", self.label(mac))),
            None => forbidden("this machine has never asked for a network boot"),
        }
    }

    /// What `make` makes of the node's grant.
    fn granted<T>(&self, mac: Mac, make: impl FnOnce(&Self, &Order<'_>) -> T) -> Result<T, Refusal> {
        let grant = self.nodes.get(mac).and_then(|node| node.grant.as_ref());
        let grant = grant.ok_or_else(|| Refusal::Forbidden(format!("{} has no grant", self.label(mac))))?;
        let order = self.order(mac, grant).map_err(Refusal::Conflict)?;
        Ok(make(self, &order))
    }

    /// A node gets its own configuration, nobody else's.
    fn only_own(&self, asker: Asker, mac: Mac) -> Result<(), Refusal> {
        if asker.node == Some(self.nodes.primary(mac)) {
            return Ok(());
        }
        let peer = asker.peer;
        Err(Refusal::Forbidden(format!("{peer} is not {mac}: it holds no lease of that machine")))
    }

    fn script(&self, mac: Mac, now: Time) -> Result<Answer, Refusal> {
        if let Some(own) = self.catalog.file(&["cloud-configs", "install.sh"]) {
            return Ok(file(own, None));
        }
        let body = self.granted(mac, |a, order| a.install_script(order, now))?.map_err(Refusal::Conflict)?;
        Ok(Answer::Text { body, media: "text/x-shellscript; charset=utf-8", transfer: None })
    }

    /// Where a node's configuration would be looked for.
    pub(super) fn no_config(&self, mac: Mac, profile: &Profile) -> String {
        let extension = profile.configs.first().map_or("yml", |kind| kind.extensions()[0]);
        let name = self.nodes.name(mac).map(|name| format!(", {name}.{extension}")).unwrap_or_default();
        format!(
            "no configuration for {}: put {mac}.{extension}{name}, {}.{extension} or default.{extension} into \
             cloud-configs/ of an asset folder",
            self.label(mac),
            profile.name,
        )
    }

    /// pxelinux asks for its UUID's menu, then its address's, then others: the first question gets the answer.
    fn pxelinux_menu(&mut self, node: Option<Mac>, name: &str, now: Time) -> Result<Answer, Refusal> {
        if !menu_is_for(node, name) {
            return Err(Refusal::NotFound(format!("pxelinux.cfg/{name} is another machine's")));
        }
        let plan = self.plan_for_menu(node, now);
        let known = node.and_then(|mac| self.nodes.get(mac));
        // U-Boot has no menu item that goes on to the disk; without a menu it does.
        let arch = known.and_then(|node| node.arch);
        let is_uboot = matches!(arch, Some(Arch::UbootArm64 | Arch::RaspberryPi));
        if matches!(plan, Plan::Disk { .. }) && is_uboot {
            return Err(Refusal::NotFound("a menu: this machine boots its disk".into()));
        }
        let own = node.and_then(|mac| self.catalog.pxelinux_menu(mac));
        let told = node.and_then(|mac| self.trails.of(mac).told());
        let transport = if told == Some(Loader::Lpxelinux) { Transport::Http } else { Transport::Tftp };
        match (plan, own) {
            (Plan::Kernel(_), Some(own)) => Ok(file(own, None)),
            (plan, _) => Ok(plain(plan.pxelinux(transport))),
        }
    }

    fn menu(&mut self, node: Option<Mac>, head: bool, now: Time, render: fn(&Plan) -> String) -> Answer {
        // Who asks for headers only has no menu yet.
        let plan = if head {
            self.plan(node.and_then(|mac| self.nodes.get(mac)), now)
        } else {
            self.plan_for_menu(node, now)
        };
        plain(render(&plan))
    }

    /// What a node boots, which its loader asks for now.
    fn plan_for_menu(&mut self, node: Option<Mac>, now: Time) -> Plan {
        let plan = self.plan(node.and_then(|mac| self.nodes.get(mac)), now);
        if let Some(mac) = node {
            self.trails.take(mac, Step::Menu { kernel: matches!(plan, Plan::Kernel(_)) });
        }
        plan
    }

    /// Takes a node's report; only its own grant or its own lease's address may speak for it.
    pub(super) fn report(
        &mut self,
        from: Requester,
        grant: Option<&str>,
        mac: Mac,
        report: Report,
        now: Time,
        out: &mut Outcome,
    ) -> Answer {
        let peer = from.address;
        let asker = Asker { peer, node: self.asking(peer, grant, now) };
        // An installer without an image says that it begins, and must not begin if it may not.
        let begins = report.ok && report.stage == Stage::Installing;
        let leave = self
            .only_own(asker, mac)
            .and_then(|()| if begins { self.pass(asker, "its disk", now).map(drop) } else { Ok(()) });
        if let Err(refusal) = leave {
            return Answer::Refused(refusal);
        }
        let sign = match (report.ok, report.stage) {
            (false, stage) => Sign::GaveUp { stage, reason: report.message.clone() },
            (true, Stage::Configuring) => Sign::Config,
            (true, Stage::Installing) => Sign::Image { total: None },
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

/// Who asks.
#[derive(Debug, Clone, Copy)]
struct Asker {
    peer: Ipv4Addr,
    node: Option<Mac>,
}

fn file(found: &Found, transfer: Option<TransferId>) -> Answer {
    Answer::File { path: found.path.clone(), state: Some((found.len, found.stamp)), transfer }
}

fn plain(body: String) -> Answer {
    Answer::Text { body, media: "text/plain; charset=utf-8", transfer: None }
}

/// Whether a menu's file name can mean this node: its own address, or a name that isn't one machine's
/// address at all (a UUID, `default`, an IP address in hex, `grub.cfg`).
fn menu_is_for(node: Option<Mac>, name: &str) -> bool {
    let name = name.strip_prefix("grub.cfg-").unwrap_or(name);
    Mac::from_bootif(name).map_or(true, |mac| node == Some(mac))
}
