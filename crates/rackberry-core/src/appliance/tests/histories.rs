//! Histories that happen at a rack, each of which once led to a disk that was overwritten unasked or twice, to a machine
//! that was forgotten, or to a failure that was shown as a success.

use super::*;
use crate::{
    appliance::{LeadsTo, tests::world::*},
    ids::{Cause, OrderKind},
    orders::Repeat,
};

mod evidence;
mod loss;
mod machines;
mod orders;
mod speakers;

/// Not in the configuration.
const THREE: Mac = Mac([0x52, 0x54, 0, 0, 0, 3]);
const FOUR: Mac = Mac([0x52, 0x54, 0, 0, 0, 4]);
const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

fn named(nodes: &[&str], length: u64) -> Arm {
    Arm { length: Some(Duration::from_secs(length)), ..Arm::install(whom(false, nodes)) }
}

fn order(nodes: &[&str], length: u64) -> Command {
    Command::Arm(named(nodes, length))
}

fn live(nodes: &[&str]) -> Command {
    Command::Arm(Arm { kind: OrderKind::Live, ..named(nodes, 600) })
}

fn again(nodes: &[&str]) -> Command {
    Command::Arm(Arm { repeat: Repeat::Again, ..named(nodes, 600) })
}

fn is_done(answer: &Answer) -> bool {
    matches!(answer, Answer::Done(_))
}

fn is_conflict(answer: &Answer) -> bool {
    matches!(answer, Answer::Refused(Refusal::Conflict(_)))
}

/// Whether a start of the machine by this card leads into the installer; and what every view said of it before.
fn is_led(world: &mut World, mac: Mac, machine: Option<u8>) -> bool {
    let file = world.start_as(mac, true, machine);
    file.is_some() && world.menu_installs(mac)
}

/// A machine that is not in the configuration, installed.
fn install_by(world: &mut World, mac: Mac, machine: u8) {
    assert!(is_led(world, mac, Some(machine)));
    world.install_until_the_image(mac);
    assert!(is_given(&world.fetch(mac, IMAGE)));
    assert!(is_done(&world.report(mac, Stage::Written, true)));
    world.start_as(mac, true, Some(machine));
    world.start(mac, false);
    assert_eq!(world.node(mac).stage, Stage::Installed);
}

fn listed(text: &str) -> Arc<config::Settings> {
    let text =
        format!("[network]\nmode = 'full'\n[dhcp]\nprobe = false\n[assets]\nverify = 'unsigned-ok'\n{text}");
    Arc::new(config::parse(&[("test".into(), text)]).unwrap())
}

impl World {
    fn reload(&mut self, text: &str) {
        let outcome = self.appliance.reconfigure(listed(text), self.now);
        self.take(outcome);
    }
}
