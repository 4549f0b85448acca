//! What TFTP and HTTP clients get.

use crate::{
    appliance::{
        Answer, Appliance, Note, Outcome, Refusal, Requester, TransferId, Via, core::Cargo,
        permission::Asker, texts::InstallPlan,
    },
    assets::{
        folder::Found,
        locate::{Access, FileRole, Standard},
    },
    boot::{self, Plan, Transport},
    http::route::{Route, Target},
    ids::{Arch, Loader, Mac, OrderKind, Time},
    nodes::{Grant, Node, NodeEvent, Step, Verdict},
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
        let token = target.grant.as_deref();
        let asker = self.asker(from, token, now, out);
        let holds = |token: &str| {
            let grant = asker.node.and_then(|mac| self.nodes.get(mac)?.grant());
            grant.is_some_and(|grant| grant.token == token)
        };
        let answer = match token {
            Some(token) if !holds(token) => Err(Refusal::Forbidden(format!(
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
            Route::PxelinuxMenu(name) => self.pxelinux_menu(asker, &name, head, now, out),
            Route::GrubMenu(name) if self.menu_is_for(node, &name) => {
                Ok(self.menu(asker, head, Plan::grub, now, out))
            }
            Route::GrubMenu(name) => {
                Err(Refusal::NotFound(format!("grub/{name} is not rendered; see grub/grub.cfg")))
            }
            Route::IpxeScript(mac) => {
                self.require_same_node(asker, mac)?;
                if !head {
                    // Where iPXE is in the card, its script is the first thing that is fetched.
                    self.remember_offer_style(mac, now, out);
                    let update = self.nodes.apply(mac, NodeEvent::Loader, false, now);
                    self.note(update, out);
                }
                Ok(self.menu(asker, head, Plan::ipxe, now, out))
            }
            Route::InstallScript => {
                let mac = self.pass(asker, "the install script", now)?;
                let (answer, is_own) = self.script(mac, now)?;
                if is_own && !head {
                    self.overwrites(mac, NodeEvent::HasOwn, now, out);
                }
                self.asks_for_config(mac, head, now, out);
                Ok(answer)
            }
            Route::ProfileText(name) => self.profile_answer(asker, head, name, now, out),
            Route::ConfigFile(path) => self.config_answer(asker, head, &path, now, out),
            Route::NodeConfig(mac, kind) => {
                self.require_same_node(asker, mac)?;
                let mac = self.pass(asker, "its configuration", now)?;
                let config = self.granted(mac, |a, order| a.node_config(order, kind, now))?;
                let config = config.map_err(Refusal::Conflict)?.ok_or_else(|| {
                    let profile = self.catalog.profiles().find(|own| own.name == self.wanted(mac).0);
                    Refusal::NotFound(
                        profile.map_or_else(String::new, |profile| self.no_config(mac, profile)),
                    )
                })?;
                self.asks_for_config(mac, head, now, out);
                Ok(config.text.answer())
            }
            Route::Api(_) | Route::Health | Route::Metrics | Route::Page => {
                Err(Refusal::NotFound(format!("there is no such file over {via:?}")))
            }
        }
    }

    pub(super) fn asks_for_config(&mut self, mac: Mac, head: bool, now: Time, out: &mut Outcome) {
        if !head {
            let update = self.nodes.apply(mac, NodeEvent::Config, false, now);
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
        let grant = asker.node.and_then(|mac| self.nodes.get(mac)?.grant().cloned());
        let own = self.pi_path(asker.node, path);
        let asked = path;
        let path = own.as_deref().unwrap_or(path);
        let install = &self.settings.install;
        let standard = match &grant {
            Some(Grant { profile, version, arch, .. }) => Standard { profile, version, arch: Some(arch) },
            None => Standard { profile: &install.profile, version: &install.version, arch: None },
        };
        let located = catalog.locate(path, standard);
        if let (None, Some(text)) = (&located, catalog.version_text(path, standard)) {
            return Ok(plain(text));
        }
        let located = located.ok_or_else(|| Refusal::NotFound(format!("there is no {}", asked.join("/"))))?;
        self.allow(asker, &located, grant.as_ref(), now)?;
        let cargo = match located.role {
            Some(FileRole::Loader) if boot::is_loader(&path.join("/")) => Some(Cargo::Loader),
            Some(FileRole::Of(Role::Kernel)) => Some(Cargo::Kernel),
            Some(FileRole::Of(Role::Initrd)) => Some(Cargo::Initrd),
            Some(FileRole::Of(Role::Rootfs)) => Some(Cargo::Rootfs),
            Some(FileRole::Of(Role::Image)) => Some(Cargo::Image),
            Some(FileRole::Loader) | None => None,
        };
        if let (Access::Spends, Some(mac), false) = (located.access, asker.node, head) {
            self.overwrites(mac, NodeEvent::Overwrites { image: Some(located.found.len) }, now, out);
        }
        // A loader that somebody put there need not ask for its menu, whatever it writes.
        let is_own = located.role == Some(FileRole::Loader) && self.catalog.own_loader(path).is_some();
        if let Some(mac) = asker.node.filter(|_| is_own && !head) {
            self.counts_as_led(mac, now, out);
        }
        let tracked = asker.node.filter(|_| !head).zip(cargo);
        if let Some((mac, Cargo::Kernel)) = tracked {
            self.remember_loader(mac, now, out);
        }
        let transfer = tracked.map(|(mac, cargo)| self.begin_transfer(mac, asker.card, cargo, now));
        Ok(file(located.found, transfer))
    }

    /// What `make` makes of the node's grant.
    pub(super) fn granted<T>(
        &self,
        mac: Mac,
        make: impl FnOnce(&Self, &InstallPlan<'_>) -> T,
    ) -> Result<T, Refusal> {
        let grant = self.nodes.get(mac).and_then(Node::grant);
        let grant = grant.ok_or_else(|| Refusal::Forbidden(format!("{} has no grant", self.label(mac))))?;
        let order = self.order(mac, grant).map_err(Refusal::Conflict)?;
        Ok(make(self, &order))
    }

    /// The install script, and whether it is one that somebody here wrote.
    fn script(&self, mac: Mac, now: Time) -> Result<(Answer, bool), Refusal> {
        if let Some(own) = self.own_script(mac, now)? {
            return Ok((own, true));
        }
        let body = self.granted(mac, |a, order| a.install_script(order, now))?.map_err(Refusal::Conflict)?;
        Ok((Answer::Text { body, media: "text/x-shellscript; charset=utf-8", transfer: None }, false))
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
    fn pxelinux_menu(
        &mut self,
        asker: Asker,
        name: &str,
        head: bool,
        now: Time,
        out: &mut Outcome,
    ) -> Result<Answer, Refusal> {
        let node = asker.node;
        if !self.menu_is_for(node, name) {
            return Err(Refusal::NotFound(format!("pxelinux.cfg/{name} is another machine's")));
        }
        let plan = self.plan_for_menu(asker, head, now, out);
        let known = node.and_then(|mac| self.nodes.get(mac));
        // U-Boot has no menu item that goes on to the disk; without a menu it does.
        let arch = known.and_then(|node| node.arch);
        let is_uboot = matches!(arch, Some(Arch::UbootArm64 | Arch::RaspberryPi));
        if matches!(plan, Plan::Disk { .. }) && is_uboot {
            return Err(Refusal::NotFound("a menu: this machine boots its disk".into()));
        }
        let address = node.and_then(|mac| self.dhcp.address_of(mac, now));
        // What somebody's own menu starts is not known here: it does not stand for a live system.
        let installs = known.and_then(Node::grant).is_some_and(|grant| grant.kind == OrderKind::Install);
        let own =
            node.and_then(|mac| self.catalog.pxelinux_menu_at(mac, address)).filter(|_| installs).cloned();
        let told = node.and_then(|mac| self.trails.of(mac).told());
        let transport = if told == Some(Loader::Lpxelinux) { Transport::Http } else { Transport::Tftp };
        match (plan, own, node) {
            (Plan::Kernel(_), Some(own), Some(mac)) => {
                if !head {
                    self.overwrites(mac, NodeEvent::HasOwn, now, out);
                }
                Ok(file(&own, None))
            }
            (plan, ..) => Ok(plain(plan.pxelinux(transport))),
        }
    }

    fn menu(
        &mut self,
        asker: Asker,
        head: bool,
        render: fn(&Plan) -> String,
        now: Time,
        out: &mut Outcome,
    ) -> Answer {
        plain(render(&self.plan_for_menu(asker, head, now, out)))
    }

    /// What a node boots, which its loader asks for now. Who asks for headers only has no menu yet.
    fn plan_for_menu(&mut self, asker: Asker, head: bool, now: Time, out: &mut Outcome) -> Plan {
        let node = asker.node.and_then(|mac| self.nodes.get(mac));
        let plan = self.plan(node, now);
        let Some(mac) = asker.node.filter(|_| !head) else { return plan };
        let leads = matches!(plan, Plan::Kernel(_));
        self.trails.take(mac, Step::Menu { kernel: leads });
        if leads {
            self.counts_as_led(mac, now, out);
        }
        plan
    }

    /// A node goes into the installer, once for each start.
    fn counts_as_led(&mut self, mac: Mac, now: Time, out: &mut Outcome) {
        let may = |node: &&Node| !node.is_led && self.may_be_led(node, now) == Verdict::Yes;
        let grant = self.nodes.get(mac).filter(may).and_then(Node::grant);
        let Some((order, kind)) = grant.map(|grant| (grant.order, grant.kind)) else { return };
        if kind == OrderKind::Install {
            self.orders.started(order, &self.nodes.cards(mac));
        }
        let update = self.nodes.apply(mac, NodeEvent::Led, false, now);
        self.note(update, out);
    }

    /// Whether a menu's file name can mean this node: its own address, or a name that isn't one machine's
    /// address at all (a UUID, `default`, an IP address in hex, `grub.cfg`).
    fn menu_is_for(&self, node: Option<Mac>, name: &str) -> bool {
        let name = name.strip_prefix("grub.cfg-").unwrap_or(name);
        Mac::from_bootif(name).map_or(true, |mac| node == Some(self.nodes.key(mac)))
    }
}

pub(super) fn file(found: &Found, transfer: Option<TransferId>) -> Answer {
    Answer::File { path: found.path.clone(), state: Some((found.len, found.stamp)), transfer }
}

pub(super) fn plain(body: String) -> Answer {
    Answer::Text { body, media: "text/plain; charset=utf-8", transfer: None }
}
