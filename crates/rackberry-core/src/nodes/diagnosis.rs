//! Why a node does not get on: one plain sentence with what helps, from what it was seen to do and not to do.

pub(super) mod remedy;

use std::time::Duration;

use crate::{
    ids::{Arch, Loader, OrderKind, Stage, Time},
    nodes::{BootAttempt, Node, diagnosis::remedy::remedy},
};

/// Silence after one single DISCOVER that is no longer the firmware's pause between two.
const HEARD_ONCE: Duration = Duration::from_secs(20);
/// So many DISCOVERs without anything being fetched: firmware repeats itself two or three times anyway.
const IN_VAIN: u32 = 5;
/// So many starts that ended with the loader: one may be a hasty hand.
const REFUSED: u32 = 2;
/// A loader that has its menu fetches the kernel at once.
const MENU_SILENCE: Duration = Duration::from_secs(60);
/// A kernel and its initrd are up and ask within this, on slow machines with much to unpack.
const BOOT_SILENCE: Duration = Duration::from_secs(120);
/// An installer that takes no more of its image.
const IMAGE_SILENCE: Duration = Duration::from_secs(60);
/// A server's firmware may test its memory for minutes.
const RESTART_SILENCE: Duration = Duration::from_secs(5 * 60);

/// Every silence by which a diagnosis changes.
const SILENCES: [Duration; 5] = [HEARD_ONCE, MENU_SILENCE, BOOT_SILENCE, IMAGE_SILENCE, RESTART_SILENCE];

/// When silence alone changes a node's [`diagnosis`] next, at the earliest.
pub fn diagnosis_changes(node: &Node, now: Time) -> Option<Time> {
    let is_on_its_way = node.unused_grant().is_some() || node.stage().is_running();
    SILENCES.iter().filter(|_| is_on_its_way).map(|silence| node.seen + *silence).filter(|at| now < *at).min()
}

/// What is known of a node's surroundings.
#[derive(Debug, Clone, Copy)]
pub struct Around<'a> {
    /// Another DHCP server that hands out addresses as this one does, in words.
    pub rival: Option<&'a str>,
    /// Why there is no loader for its firmware, if so.
    pub no_loader: Option<&'a str>,
}

/// Why the node is stuck and what helps, in one sentence; nothing where it gets on, or has nothing to get on with.
pub fn diagnosis(node: &Node, attempt: &BootAttempt, around: Around<'_>, now: Time) -> Option<String> {
    if let Some(failure) = node.failure() {
        return remedy(failure).map(str::to_owned);
    }
    let stage = node.stage();
    match node.unused_grant() {
        // A person at the machine takes the time it takes.
        Some(grant) if grant.kind == OrderKind::Live && stage > Stage::Loading => return None,
        None if !stage.is_running() => return None,
        _ => {}
    }
    let silence = now.since(node.seen);
    let sentence = match stage {
        Stage::Discovered if around.no_loader.is_some() => around.no_loader?.to_owned(),
        Stage::Discovered | Stage::Loading if attempt.failed_starts() >= REFUSED && !attempt.has_its_menu() => refusal(node.arch, attempt),
        Stage::Discovered if attempt.asks() >= IN_VAIN => match around.rival {
            Some(rival) => format!("two DHCP servers answer it, and it fetches nothing: take {rival} away"),
            None => "it asks again and again and fetches nothing: the answers don't reach it, or its firmware can't use \
                     them; look at the switch and at the firmware's network settings"
                .into(),
        },
        Stage::Discovered if attempt.asks() == 1 && silence >= HEARD_ONCE => {
            "it was heard once, then fell silent: its switch port may be held by spanning tree for 30 s; set the port to \
             edge (portfast)"
                .into()
        }
        Stage::Loading if attempt.has_its_menu() && silence >= MENU_SILENCE => {
            "it has its menu and fetches no kernel, or only a part of it: its loader can't reach the server, or its memory \
             is too small for kernel and initrd"
                .into()
        }
        Stage::Booting if silence >= BOOT_SILENCE => {
            "it has kernel and initrd and asks for no configuration: its memory is too small, or the system has no driver \
             for this network card, or uses another card"
                .into()
        }
        Stage::Installing if silence >= IMAGE_SILENCE => {
            "it takes no more of its image: its disk does not keep up or fails, or its cable is out".into()
        }
        Stage::Written if silence >= RESTART_SILENCE => {
            "its disk is written and it has not come up: it does not start from that disk; look at its boot order".into()
        }
        _ => return None,
    };
    Some(sentence)
}

/// Why a node starts over when it has its loader.
fn refusal(arch: Option<Arch>, attempt: &BootAttempt) -> String {
    let uefi = arch.is_some_and(|arch| !matches!(arch, Arch::Bios | Arch::RaspberryPi | Arch::UbootArm64));
    let why = match (uefi, attempt.refused().contains(&Loader::Shim)) {
        (true, true) => {
            "Secure Boot refuses the signed one, too, because it trusts other keys; switch Secure Boot off"
        }
        (true, false) => {
            "Secure Boot refuses what is not signed; switch HTTP boot on in its firmware, or Secure Boot off"
        }
        (false, _) => "it does not run there, or does not reach this server; set loader for this node",
    };
    format!("it fetches its loader and starts over: {why}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        ids::{self, Mac},
        nodes::{Approach, BootStep, Disk, Failure, Grant, Installed, Life},
        orders::OrderId,
    };

    const ALONE: Around<'_> = Around { rival: None, no_loader: None };

    fn grant(kind: OrderKind) -> Grant {
        Grant {
            order: OrderId(1),
            kind,
            card: Mac([2, 0, 0, 0, 0, 1]),
            overwrites_marked: false,
            profile: "coreos".into(),
            version: "1".into(),
            arch: "x86_64".into(),
            token: "12ab".into(),
            silence: Duration::from_secs(600),
            made: Time(0),
        }
    }

    fn node_by(kind: OrderKind, stage: Stage, arch: Arch) -> Node {
        let mut node = Node::new(Mac([2, 0, 0, 0, 0, 1]), Time(0));
        node.arch = Some(arch);
        let system = Installed { profile: "coreos".into(), version: "1".into(), at: Time(0) };
        match stage {
            Stage::Installing => node.life = Life::Overwriting { grant: grant(kind), image: None },
            Stage::Written => node.life = Life::Resting { disk: Disk::Written { system, said: true } },
            Stage::Installed => node.life = Life::Resting { disk: Disk::Running { system, said: true } },
            stage => {
                let approach = Approach::restored(stage, (false, false));
                let disk = Disk::Untouched;
                node.life = Life::Granted { grant: grant(kind), approach, before: None, disk };
            }
        }
        node
    }

    fn node(stage: Stage, arch: Arch) -> Node {
        node_by(OrderKind::Install, stage, arch)
    }

    fn after(steps: &[BootStep]) -> BootAttempt {
        let mut attempt = BootAttempt::default();
        steps.iter().for_each(|step| attempt.take(*step));
        attempt
    }

    /// The same; each DISCOVER is answered by the next loader.
    fn after_telling(loaders: &[ids::Loader], steps: &[BootStep]) -> BootAttempt {
        let (mut attempt, mut loaders) = (BootAttempt::default(), loaders.iter());
        for step in steps {
            attempt.take(*step);
            if *step == BootStep::Asked {
                attempt.offer_loader(loaders.next().copied());
            }
        }
        attempt
    }

    #[track_caller]
    fn says(node: &Node, steps: &[BootStep], around: Around<'_>, seconds: u64, words: Option<&str>) {
        let said = diagnosis(node, &after(steps), around, Time(seconds * 1000));
        match words {
            Some(words) => assert!(said.as_ref().is_some_and(|said| said.contains(words)), "{said:?}"),
            None => assert_eq!(said, None),
        }
    }

    #[test]
    fn each_way_of_being_stuck_has_its_sentence() {
        use BootStep::{Asked, Kernel, Loader};
        const MENU: BootStep = BootStep::Menu { kernel: true };
        const TO_DISK: BootStep = BootStep::Menu { kernel: false };
        let asking = node(Stage::Discovered, Arch::EfiX64);
        says(&asking, &[Asked], ALONE, 19, None);
        says(&asking, &[Asked], ALONE, 20, Some("spanning tree"));
        says(&asking, &[Asked; 4], ALONE, 60, None);
        says(&asking, &[Asked; 5], ALONE, 1, Some("again and again"));
        let rival = Around { rival: Some("10.10.10.254 (02:00:00:00:00:fe)"), ..ALONE };
        says(&asking, &[Asked; 5], rival, 1, Some("take 10.10.10.254 (02:00:00:00:00:fe) away"));
        says(&asking, &[Asked, Loader, Asked], ALONE, 1, None);
        says(&asking, &[Asked, Loader, Asked, Loader, Asked], ALONE, 1, Some("Secure Boot"));
        let signed_too = &[Asked, Loader, Asked, Loader, Asked];
        let attempt = after_telling(&[ids::Loader::Grub, ids::Loader::Shim], signed_too);
        let said = diagnosis(&asking, &attempt, ALONE, Time(1));
        assert!(said.as_ref().is_some_and(|said| said.contains("other keys")), "{said:?}");
        says(&asking, &[Asked, Loader, TO_DISK, Asked, Loader, TO_DISK, Asked], ALONE, 1, None);
        says(&asking, &[Asked, Loader, MENU, Kernel, Asked, Loader, MENU, Kernel, Asked], ALONE, 1, None);
        let bios = node(Stage::Discovered, Arch::Bios);
        says(&bios, &[Asked, Loader, MENU, Asked, Loader, MENU, Asked], ALONE, 1, Some("set loader"));
        let no_loader = Around { no_loader: Some("there is no loader for it"), ..ALONE };
        says(&bios, &[Asked], no_loader, 0, Some("no loader for it"));
        let stages = [
            (Stage::Loading, 60, "no kernel"),
            (Stage::Booting, 120, "memory is too small"),
            (Stage::Installing, 60, "no more of its image"),
            (Stage::Written, 300, "boot order"),
        ];
        for (stage, patience, words) in stages {
            let node = node(stage, Arch::Bios);
            says(&node, &[Asked, Loader, MENU], ALONE, patience - 1, None);
            says(&node, &[Asked, Loader, MENU], ALONE, patience, Some(words));
        }
    }

    #[test]
    fn a_person_who_installs_by_hand_is_not_stuck() {
        says(&node(Stage::Booting, Arch::Bios), &[], ALONE, 3600, Some("memory"));
        says(&node_by(OrderKind::Live, Stage::Booting, Arch::Bios), &[], ALONE, 3600, None);
    }

    #[test]
    fn a_failure_that_is_known_has_its_remedy() {
        let mut failed = node(Stage::Idle, Arch::Bios);
        for (reason, words) in [
            ("there is no disk /dev/sda; this machine has: /dev/vda", Some("set disk for this node")),
            ("no sign of life for 5 minutes", None),
        ] {
            let failure =
                Failure { stage: Stage::Configuring, reason: reason.into(), said: true, cause: None };
            failed.life = Life::Failed { failure, disk: Disk::Untouched };
            says(&failed, &[], ALONE, 0, words);
        }
    }

    proptest! {
        /// Nobody is called stuck who may not install, nor who has just been heard of in a stage of its install.
        #[test]
        fn a_node_that_makes_progress_has_no_diagnosis(
            steps in proptest::collection::vec(prop_oneof![Just(BootStep::Asked), Just(BootStep::Loader), Just(BootStep::Kernel), any::<bool>().prop_map(|kernel| BootStep::Menu { kernel })], 0..20),
            number in 3usize..7, seconds in 0u64..100_000,
        ) {
            let mut node = node(Stage::ALL[number], Arch::Bios);
            node.seen = Time(seconds * 1000);
            prop_assert_eq!(diagnosis(&node, &after(&steps), ALONE, Time(seconds * 1000 + 999)), None);
            node.life = Life::Resting { disk: node.disk().clone() };
            if node.stage() != Stage::Written {
                prop_assert_eq!(diagnosis(&node, &after(&steps), ALONE, Time(u64::MAX)), None);
            }
        }
    }
}
