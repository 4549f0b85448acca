//! What TFTP and HTTP clients get: an answer, and what it shows their nodes to do. Nothing is changed here.

use crate::{
    appliance::{
        Answer, Extent, Refusal, Via,
        policy::{Gate, Known, KnownRequester},
        render::Renderer,
        state::{FileKind, Handed, Leads},
    },
    assets::locate::{FileRole, Located, Standard},
    boot::{self, Plan, Transport},
    http::route::Route,
    ids::{Arch, Loader, Mac, OrderKind},
    nodes::Node,
    profiles::{ConfigKind, Role},
};

/// One request, judged by what is known.
#[derive(Debug)]
pub struct Fetch<'a> {
    known: Known<'a>,
    gate: Gate<'a>,
    renderer: Renderer<'a>,
    who: KnownRequester,
    handed: Vec<Handed>,
    file: Option<FileKind>,
}

/// What becomes of a request.
#[derive(Debug)]
pub struct Fetched {
    /// The answer, whose transfer has no number yet.
    pub answer: Result<Answer, Refusal>,
    /// What its node is seen to do by it, in order.
    pub handed: Vec<Handed>,
    /// What the file is to the node, if its transfer moves that on.
    pub file: Option<FileKind>,
}

impl<'a> Fetch<'a> {
    /// A request of this requester.
    pub fn new(known: Known<'a>, who: KnownRequester) -> Fetch<'a> {
        let (gate, renderer) = (Gate::new(known), Renderer::new(known));
        Fetch { known, gate, renderer, who, handed: Vec::new(), file: None }
    }

    /// Answers it; by the grant that it names, where it names one. Who asks for headers only has been handed nothing.
    pub fn answer(mut self, token: Option<&str>, route: Route, extent: Extent, via: Via) -> Fetched {
        let answer = self.gate.require_grant(self.who, token).and_then(|()| self.route(route, via));
        match extent {
            Extent::Whole => Fetched { answer, handed: self.handed, file: self.file },
            Extent::HeadersOnly => Fetched { answer, handed: Vec::new(), file: None },
        }
    }

    fn route(&mut self, route: Route, via: Via) -> Result<Answer, Refusal> {
        match route {
            Route::File(path) => self.tree_file(&path),
            Route::PxelinuxMenu(name) => self.pxelinux_menu(&name),
            Route::GrubMenu(name) if self.menu_is_for_node(&name) => Ok(self.menu(Plan::grub)),
            Route::GrubMenu(name) => {
                Err(Refusal::NotFound(format!("grub/{name} is not rendered; see grub/grub.cfg")))
            }
            Route::IpxeScript(mac) => {
                self.gate.require_same_node(self.who, mac)?;
                // Where iPXE is in the card, its script is the first thing that is fetched.
                self.handed.push(Handed::IpxeScript);
                Ok(self.menu(Plan::ipxe))
            }
            Route::InstallScript => self.install_script(),
            Route::ProfileText(name) => self.profile_text(name),
            Route::ConfigFile(path) => {
                let mac = self.gate.authorize(self.who, &format!("cloud-configs/{}", path.join("/")))?;
                let answer = self.config_file(mac, &path)?;
                self.handed.push(Handed::Config);
                Ok(answer)
            }
            Route::NodeConfig(mac, kind) => self.node_config(mac, kind),
            Route::Api(_) | Route::Health | Route::Metrics | Route::Page => {
                Err(Refusal::NotFound(format!("there is no such file over {via:?}")))
            }
        }
    }

    /// A file of the tree.
    fn tree_file(&mut self, asked: &[String]) -> Result<Answer, Refusal> {
        let catalog = self.known.setup.catalog();
        let own = self.pi_path(asked);
        let path = own.as_deref().unwrap_or(asked);
        let standard = match self.gate.grant(self.who) {
            Some(grant) => {
                Standard { profile: &grant.profile, version: &grant.version, arch: Some(&grant.arch) }
            }
            None => self.known.setup.standard(),
        };
        let located = catalog.locate(path, standard);
        if let (None, Some(text)) = (&located, catalog.version_text(path, standard)) {
            return Ok(Answer::plain(text));
        }
        let located = located.ok_or_else(|| Refusal::NotFound(format!("there is no {}", asked.join("/"))))?;
        self.gate.allow_file(self.who, &located)?;
        self.hand_out_file(&located, path);
        Ok(Answer::file(located.found))
    }

    fn hand_out_file(&mut self, located: &Located<'_>, path: &[String]) {
        if self.who.node.is_none() {
            return;
        }
        self.file = match located.role {
            Some(FileRole::Loader) if boot::is_loader(&path.join("/")) => Some(FileKind::Loader),
            Some(FileRole::Of(Role::Kernel)) => Some(FileKind::Kernel),
            Some(FileRole::Of(Role::Initrd)) => Some(FileKind::Initrd),
            Some(FileRole::Of(Role::Rootfs)) => Some(FileKind::Rootfs),
            Some(FileRole::Of(Role::Image)) => Some(FileKind::Image),
            Some(FileRole::Loader) | None => None,
        };
        match self.file {
            Some(FileKind::Image) => self.handed.push(Handed::Image(located.found.len)),
            Some(FileKind::Kernel) => self.handed.push(Handed::Kernel),
            _ => {}
        }
        let is_own =
            located.role == Some(FileRole::Loader) && self.known.setup.catalog().own_loader(path).is_some();
        if is_own {
            self.handed.push(Handed::OwnLoader);
        }
    }

    /// Where the file lies that a Raspberry Pi means, if it may have it: only while it is to install. Anything else is
    /// looked for as it is asked for. Their boot ROMs and bootloaders ask for files by names of their own: they load their
    /// firmware, that loads U-Boot, and U-Boot asks again, as on any other arm64 machine.
    fn pi_path(&self, path: &[String]) -> Option<Vec<String>> {
        let node = self.known.nodes().get(self.who.node?)?;
        if !node.is_raspberry_pi() || node.grant().is_none() {
            return None;
        }
        let catalog = self.known.setup.catalog();
        let below = |path: &[String]| [&[PI_FOLDER.to_owned()], path].concat();
        if let [folder, rest @ ..] = path
            && !rest.is_empty()
            && (is_serial(folder) || is_dashed_mac(folder))
        {
            // Files for one machine only are not mixed with those for all.
            let is_own = catalog.has_own_loaders(&below(std::slice::from_ref(folder)));
            let place = below(if is_own { path } else { rest });
            return (is_own || catalog.loader(&place).is_some()).then_some(place);
        }
        Some(below(path)).filter(|place| catalog.loader(place).is_some())
    }

    /// The install script: somebody's own, which takes the place of the profile's, or that.
    fn install_script(&mut self) -> Result<Answer, Refusal> {
        let mac = self.gate.authorize(self.who, "the install script")?;
        let name = ["install.sh".to_owned()];
        let answer = if self.known.setup.catalog().configs().at(&name).is_some() {
            let own = self.config_file(mac, &name)?;
            self.handed.push(Handed::OwnMenuOrScript);
            own
        } else {
            let plan = self.renderer.granted_plan(mac)?;
            let body = self.renderer.install_script(&plan)?;
            Answer::Text { body, media: "text/x-shellscript; charset=utf-8", transfer: None }
        };
        self.handed.push(Handed::Config);
        Ok(answer)
    }

    /// A text that a node's profile makes for it, or a file that such a text names beside itself.
    fn profile_text(&mut self, name: String) -> Result<Answer, Refusal> {
        let mac = self.gate.authorize(self.who, &format!("profile/{name}"))?;
        let plan = self.renderer.granted_plan(mac)?;
        let answer = match self.renderer.profile_text(&plan, &name)? {
            Some(text) => Answer::plain(text),
            None => self.config_file(mac, &[name])?,
        };
        self.handed.push(Handed::Config);
        Ok(answer)
    }

    fn node_config(&mut self, mac: Mac, kind: Option<ConfigKind>) -> Result<Answer, Refusal> {
        self.gate.require_same_node(self.who, mac)?;
        let mac = self.gate.authorize(self.who, "its configuration")?;
        let plan = self.renderer.granted_plan(mac)?;
        let config = self.renderer.node_config(&plan, kind)?.ok_or_else(|| {
            let wanted = self.known.wanted(mac).0;
            let profile = self.known.setup.catalog().profiles().find(|own| own.name == wanted);
            let words = profile.map(|profile| self.renderer.no_config(mac, profile));
            Refusal::NotFound(words.unwrap_or_default())
        })?;
        self.handed.push(Handed::Config);
        Ok(config.text.answer())
    }

    /// Another file of cloud-configs/, for a node that may install: what belongs to no other node.
    fn config_file(&self, mac: Mac, path: &[String]) -> Result<Answer, Refusal> {
        self.gate.allow_config_file(mac, path)?;
        let file = self.known.setup.catalog().configs().at(path);
        let file =
            file.ok_or_else(|| Refusal::NotFound(format!("there is no cloud-configs/{}", path.join("/"))))?;
        if !file.is_template {
            return Ok(Answer::file(&file.found));
        }
        let plan = self.renderer.granted_plan(mac)?;
        Ok(Answer::plain(self.renderer.config_file(&plan, file, file.name.kind)?))
    }

    /// pxelinux asks for its UUID's menu, then its address's, then others: the first question gets the answer.
    fn pxelinux_menu(&mut self, name: &str) -> Result<Answer, Refusal> {
        if !self.menu_is_for_node(name) {
            return Err(Refusal::NotFound(format!("pxelinux.cfg/{name} is another machine's")));
        }
        let plan = self.plan_for_menu();
        let known = self.who.node.and_then(|mac| self.known.nodes().get(mac));
        // U-Boot has no menu item that goes on to the disk; without a menu it does.
        let arch = known.and_then(|node| node.arch);
        let is_uboot = matches!(arch, Some(Arch::UbootArm64 | Arch::RaspberryPi));
        if matches!(plan, Plan::Disk { .. }) && is_uboot {
            return Err(Refusal::NotFound("a menu: this machine boots its disk".into()));
        }
        // What somebody's own menu starts is not known here: it does not stand for a live system.
        let grant = known.and_then(Node::grant).filter(|grant| grant.kind == OrderKind::Install);
        let own =
            self.who.node.zip(grant).filter(|_| matches!(plan, Plan::Kernel(_))).and_then(|(node, grant)| {
                let mac = self.known.has_files_of(node, grant);
                let address = self.known.network.address_of(mac, self.known.now);
                self.known.setup.catalog().pxelinux_menu_at(mac, address)
            });
        if let Some(own) = own {
            self.handed.push(Handed::OwnMenuOrScript);
            return Ok(Answer::file(own));
        }
        let told = self.who.node.and_then(|mac| self.known.machines.attempts(mac).offered_loader());
        let transport = if told == Some(Loader::Lpxelinux) { Transport::Http } else { Transport::Tftp };
        Ok(Answer::plain(plan.pxelinux(transport)))
    }

    fn menu(&mut self, write: fn(&Plan) -> String) -> Answer {
        Answer::plain(write(&self.plan_for_menu()))
    }

    /// What a node boots, which its loader asks for now.
    fn plan_for_menu(&mut self) -> Plan {
        let plan = self.renderer.menu(self.who.node.and_then(|mac| self.known.nodes().get(mac)));
        if self.who.node.is_some() {
            let leads = match plan {
                Plan::Kernel(_) => Leads::ToKernel,
                Plan::Disk { .. } => Leads::ToDisk,
            };
            self.handed.push(Handed::Menu(leads));
        }
        plan
    }

    /// Whether a menu's file name can mean the node that asks: its own address, or a name that isn't one machine's
    /// address at all (a UUID, `default`, an IP address in hex, `grub.cfg`).
    fn menu_is_for_node(&self, name: &str) -> bool {
        let name = name.strip_prefix("grub.cfg-").unwrap_or(name);
        Mac::from_bootif(name).map_or(true, |mac| self.who.node == Some(self.known.nodes().key(mac)))
    }
}

/// Where the files of Raspberry Pis lie among the loaders.
const PI_FOLDER: &str = "raspberry-pi";

/// Whether a folder is called by the lower half of a serial number, as the firmware writes it.
fn is_serial(folder: &str) -> bool {
    folder.len() == 8 && folder.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether a folder is called by a hardware address (`TFTP_PREFIX=2`).
fn is_dashed_mac(folder: &str) -> bool {
    folder.parse().is_ok_and(|mac: Mac| mac.dashed() == folder)
}
