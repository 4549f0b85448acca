//! Which LED shows what.

use std::collections::BTreeSet;

use super::{Color, Facts, Lamp, Mode, NodeFacts, Panel, Pattern, button::Held};
use crate::ids::{Mac, Stage, Time};

const DARK: Lamp = Lamp { pattern: Pattern::Off, color: Color::White };

impl Panel {
    /// All LEDs at `now`: the status LED, then those of the nodes.
    pub fn lamps(&self, now: Time) -> Vec<Lamp> {
        let mut lamps = vec![self.status(now)];
        lamps.extend((1..=self.leds).map(|led| self.node_led(led)));
        lamps
    }

    fn status(&self, now: Time) -> Lamp {
        let lamp = |pattern, color| Lamp { pattern, color };
        match self.button.held(now) {
            Some(Held::Two) => return lamp(Pattern::Steady, Color::White),
            Some(Held::Ten) => return lamp(Pattern::Blink(120), Color::Red),
            Some(Held::TooLong) => return DARK,
            None => {}
        }
        match (self.facts.mode, self.facts.trouble) {
            // That disks may be overwritten is what people must know first.
            (Mode::Armed, _) => lamp(Pattern::Blink(500), Color::Amber),
            (_, Some(trouble)) => lamp(Pattern::Pulses(trouble as u8), Color::Red),
            (Mode::Starting, None) => lamp(Pattern::Blink(2000), Color::White),
            (Mode::Safe, None) => lamp(Pattern::Wink(4000), Color::Green),
            (Mode::Finishing, None) => lamp(Pattern::Steady, Color::Amber),
        }
    }

    fn node_led(&self, led: u16) -> Lamp {
        if self.identify_until.is_some() {
            let pulses = u8::try_from(led).unwrap_or(u8::MAX);
            return Lamp { pattern: Pattern::Pulses(pulses), color: Color::White };
        }
        let shown = self.facts.nodes.iter().filter(|node| self.led_of(node) == Some(led));
        shown.max_by_key(|node| self.urgency(node)).map_or(DARK, |node| self.node(node))
    }

    fn node(&self, node: &NodeFacts) -> Lamp {
        let (pattern, color) = match node.stage {
            Stage::Idle => return DARK,
            Stage::Discovered => (Pattern::Wink(2000), Color::White),
            Stage::Loading | Stage::Booting | Stage::Configuring => (Pattern::Blink(1000), Color::Blue),
            Stage::Installing => (Pattern::part(node.image.0, node.image.1), Color::Amber),
            Stage::Written => (Pattern::Double, Color::Cyan),
            Stage::Installed => (Pattern::Steady, Color::Green),
            Stage::Failed if self.silenced.contains(&node.mac) => return DARK,
            Stage::Failed => (Pattern::Pulses(node.failed_in.number().max(1)), Color::Red),
        };
        Lamp { pattern, color }
    }

    /// Of nodes that share an LED, the worst state shows: a failure, then whoever is furthest behind. A light is
    /// steady only when all of its nodes are installed.
    fn urgency(&self, node: &NodeFacts) -> u8 {
        match node.stage {
            Stage::Failed if self.silenced.contains(&node.mac) => 0,
            Stage::Failed => u8::MAX,
            Stage::Idle => 0,
            running => u8::MAX - running.number(),
        }
    }

    /// Gives nodes without a configured LED one that is free, in the order in which they appear; where none is
    /// left, they share the last one.
    pub(super) fn give_leds(&mut self) {
        let Facts { nodes, .. } = &self.facts;
        let known: BTreeSet<Mac> = nodes.iter().map(|node| node.mac).collect();
        self.given.retain(|mac, _| known.contains(mac));
        let mut taken: BTreeSet<u16> = nodes.iter().filter_map(|node| node.led).collect();
        taken.extend(self.given.values());
        for node in nodes.iter().filter(|node| node.led.is_none()) {
            if !self.given.contains_key(&node.mac) {
                let free = (1..=self.leds).find(|led| !taken.contains(led)).unwrap_or(self.leds);
                taken.insert(free);
                self.given.insert(node.mac, free);
            }
        }
    }

    fn led_of(&self, node: &NodeFacts) -> Option<u16> {
        node.led.or(self.given.get(&node.mac).copied()).map(|led| led.min(self.leds))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::*, *};

    fn node(number: u8, led: Option<u16>, stage: Stage) -> NodeFacts {
        NodeFacts { mac: Mac([2, 0, 0, 0, 0, number]), led, stage, failed_in: Stage::Booting, image: (0, 0) }
    }

    fn panel(leds: u16, nodes: Vec<NodeFacts>) -> Panel {
        let mut panel = Panel::new(leds, false);
        panel.update(Facts { mode: Mode::Safe, trouble: None, nodes });
        panel
    }

    fn press(panel: &mut Panel, from: u64, length: u64) -> Option<Order> {
        panel.edge(true, Time(from));
        panel.edge(false, Time(from + length));
        panel.tick(Time(from + length + 30))
    }

    #[test]
    fn every_stage_looks_different() {
        let shown: Vec<Lamp> =
            Stage::ALL.map(|stage| panel(1, vec![node(1, None, stage)]).lamps(Time(0))[1]).to_vec();
        let (mut seen, same) = (Vec::new(), [Stage::Booting, Stage::Configuring]);
        for (stage, lamp) in Stage::ALL.into_iter().zip(shown) {
            assert!(same.contains(&stage) || !seen.contains(&lamp), "{stage} looks like another: {lamp:?}");
            seen.push(lamp);
        }
    }

    #[test]
    fn nodes_keep_their_leds_and_share_the_last() {
        let mut panel = panel(3, vec![node(5, None, Stage::Installed), node(9, Some(1), Stage::Installed)]);
        // Number 1 is taken by configuration; a later node with a lower address pushes nobody away.
        panel.update(Facts {
            mode: Mode::Armed,
            trouble: None,
            nodes: vec![
                node(1, None, Stage::Loading),
                node(2, None, Stage::Written),
                node(5, None, Stage::Installed),
                node(9, Some(1), Stage::Installed),
            ],
        });
        let patterns: Vec<Pattern> = panel.lamps(Time(0)).iter().map(|lamp| lamp.pattern).collect();
        assert_eq!(patterns, [Pattern::Blink(500), Pattern::Steady, Pattern::Steady, Pattern::Blink(1000)]);
    }

    #[test]
    fn a_short_press_shows_numbers_and_silences_failures_until_the_next_one() {
        let mut panel = panel(2, vec![node(1, None, Stage::Failed)]);
        assert_eq!(panel.lamps(Time(0))[1].pattern, Pattern::Pulses(3));
        assert_eq!(press(&mut panel, 1000, 200), None);
        assert_eq!(panel.lamps(Time(2000))[2].pattern, Pattern::Pulses(2));
        panel.tick(Time(1230 + 12_000));
        assert_eq!(panel.lamps(Time(20_000))[1].pattern, Pattern::Off);
        let again = |stage| Facts { mode: Mode::Safe, trouble: None, nodes: vec![node(1, None, stage)] };
        panel.update(again(Stage::Loading));
        panel.update(again(Stage::Failed));
        assert_eq!(panel.lamps(Time(20_000))[1].pattern, Pattern::Pulses(3));
    }

    #[test]
    fn two_seconds_arm_and_disarm() {
        let mut panel = panel(1, Vec::new());
        assert_eq!(press(&mut panel, 0, 2500), Some(Order::Arm));
        panel.update(Facts { mode: Mode::Armed, ..Facts::default() });
        assert_eq!(press(&mut panel, 10_000, 2500), Some(Order::Disarm));
        assert_eq!(press(&mut panel, 20_000, 12_000), Some(Order::ShutDown));
        panel.update(Facts::default());
        assert_eq!(press(&mut panel, 60_000, 2500), None, "while it starts, the button means nothing");
    }

    #[test]
    fn the_status_led_answers_the_button_and_shows_arming_before_trouble() {
        let mut panel = panel(1, Vec::new());
        panel.update(Facts { mode: Mode::Armed, trouble: Some(Trouble::Assets), nodes: Vec::new() });
        assert_eq!(panel.lamps(Time(0))[0].pattern, Pattern::Blink(500));
        panel.update(Facts { mode: Mode::Safe, trouble: Some(Trouble::Assets), nodes: Vec::new() });
        assert_eq!(panel.lamps(Time(0))[0].pattern, Pattern::Pulses(3));
        panel.edge(true, Time(0));
        assert_eq!(panel.lamps(Time(2000))[0].pattern, Pattern::Steady);
        assert_eq!(panel.lamps(Time(10_000))[0].pattern, Pattern::Blink(120));
        assert_eq!(panel.lamps(Time(20_000))[0], DARK);
    }

    #[test]
    fn an_idle_panel_sleeps() {
        let mut panel = panel(8, vec![node(1, None, Stage::Idle)]);
        assert_eq!(panel.deadline(Time(100)), Some(Time(4000)));
        panel.update(Facts { mode: Mode::Finishing, ..Facts::default() });
        assert_eq!(panel.deadline(Time(100)), None);
    }
}
