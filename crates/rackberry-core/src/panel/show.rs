//! Which LED shows what.

use std::{collections::BTreeSet, time::Duration};

use super::{
    Color, Lamp, Light, Panel, PanelFacts, PanelNode, Pattern, Progress, StatusMode, Trouble, button::Held,
};
use crate::ids::{Mac, Stage, Time};

const DARK: Lamp = Lamp { pattern: Pattern::Off, color: Color::White };

impl Panel {
    /// All LEDs at `now`: the status LED, then those of the nodes.
    pub fn lamps(&self, now: Time) -> Vec<Lamp> {
        let mut lamps = vec![self.status(now)];
        lamps.extend((1..=self.leds).map(|led| self.node_led(led, now)));
        lamps
    }

    /// What all LEDs do at `now`, in the same order.
    pub fn lights(&self, now: Time) -> Vec<Light> {
        self.lamps(now).into_iter().map(|lamp| lamp.light(now)).collect()
    }

    fn status(&self, now: Time) -> Lamp {
        let lamp = |pattern, color| Lamp { pattern, color };
        match self.button.held(now) {
            Some(Held::Two) => return lamp(Pattern::Steady, Color::White),
            Some(Held::Ten) => return lamp(Pattern::Blink(120), Color::Red),
            Some(Held::TooLong) => return DARK,
            None => {}
        }
        let trouble = self.facts.troubles.last_key_value().map(|(trouble, _)| *trouble);
        status(self.facts.mode, trouble)
    }

    /// How long a short press shows the nodes' numbers: the longest of them twice.
    pub(super) fn identify_time(&self) -> Duration {
        self.number(self.leds).round() * 2
    }

    fn number(&self, led: u16) -> Pattern {
        Pattern::Pulses(u8::try_from(led).unwrap_or(u8::MAX))
    }

    fn node_led(&self, led: u16, now: Time) -> Lamp {
        if self.identify_until.is_some() {
            return Lamp { pattern: self.number(led), color: Color::White };
        }
        let shown = self.facts.nodes.iter().filter(|node| self.led_of(node) == Some(led));
        shown.max_by_key(|node| self.urgency(node)).map_or(DARK, |node| self.node(node, now))
    }

    fn node(&self, node: &PanelNode, now: Time) -> Lamp {
        match node.stage {
            Stage::Failed if self.silenced.contains(&node.mac) => DARK,
            // Seen while installs were allowed, which they no longer are.
            Stage::Discovered if self.facts.mode != StatusMode::Armed => DARK,
            stage => node_lamp(stage, node.failed_in, self.image(node, now)),
        }
    }

    /// The image as it was when this round began.
    fn image(&self, node: &PanelNode, now: Time) -> (u64, u64) {
        let Some(progress) = self.images.get(&node.mac) else { return node.image };
        if Pattern::part_round(now) > progress.round { progress.now } else { progress.before }
    }

    pub(super) fn note_images(&mut self, now: Time) {
        let round = Pattern::part_round(now);
        let installing = self.facts.nodes.iter().filter(|node| node.stage == Stage::Installing);
        let note = |node: &PanelNode| {
            let before = match self.images.get(&node.mac) {
                Some(known) if known.round == round => known.before,
                Some(known) => known.now,
                None => node.image,
            };
            (node.mac, Progress { round, before, now: node.image })
        };
        self.images = installing.map(note).collect();
    }

    /// Of nodes that share an LED, the worst state shows: a failure, then whoever is furthest behind. A light is
    /// steady only when all of its nodes are installed.
    fn urgency(&self, node: &PanelNode) -> u8 {
        match node.stage {
            Stage::Failed if self.silenced.contains(&node.mac) => 0,
            Stage::Failed => u8::MAX,
            Stage::Idle => 0,
            Stage::Discovered if self.facts.mode != StatusMode::Armed => 0,
            running => u8::MAX - running.number(),
        }
    }

    /// Gives nodes without a configured LED one that is free, in the order in which they appear; where none is
    /// left, they share the last one.
    pub(super) fn give_leds(&mut self) {
        let PanelFacts { nodes, .. } = &self.facts;
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

    fn led_of(&self, node: &PanelNode) -> Option<u16> {
        node.led.or(self.given.get(&node.mac).copied()).map(|led| led.min(self.leds))
    }
}

/// The status LED of a service in `mode`, with `trouble`.
pub(super) fn status(mode: StatusMode, trouble: Option<Trouble>) -> Lamp {
    let (pattern, color) = match (mode, trouble) {
        // That disks may be overwritten is what people must know first.
        (StatusMode::Armed, _) => (Pattern::Blink(500), Color::Amber),
        (_, Some(trouble)) => (Pattern::Pulses(trouble as u8), Color::Red),
        (StatusMode::Starting, None) => (Pattern::Blink(2000), Color::White),
        (StatusMode::Safe, None) => (Pattern::Wink(4000), Color::Green),
        (StatusMode::Finishing, None) => (Pattern::Steady, Color::Amber),
    };
    Lamp { pattern, color }
}

/// The LED of a node at `stage`, which failed in `failed_in` if it did, and has received so much of its `image`.
pub(super) fn node_lamp(stage: Stage, failed_in: Stage, image: (u64, u64)) -> Lamp {
    let (pattern, color) = match stage {
        Stage::Idle => return DARK,
        Stage::Discovered => (Pattern::Wink(2000), Color::White),
        Stage::Loading | Stage::Booting | Stage::Configuring => (Pattern::Blink(1000), Color::Blue),
        Stage::Installing => (Pattern::part(image.0, image.1), Color::Amber),
        Stage::Written => (Pattern::Double, Color::Cyan),
        Stage::Installed => (Pattern::Steady, Color::Green),
        Stage::Failed => (Pattern::Pulses(failed_in.number().max(1)), Color::Red),
    };
    Lamp { pattern, color }
}

#[cfg(test)]
mod tests {
    use super::{super::*, *};

    fn node(number: u8, led: Option<u16>, stage: Stage) -> PanelNode {
        let (name, reason) = (format!("node{number}"), String::new());
        let mac = Mac([2, 0, 0, 0, 0, number]);
        PanelNode { mac, name, led, stage, failed_in: Stage::Booting, reason, image: (0, 0) }
    }

    fn panel(leds: u16, nodes: Vec<PanelNode>) -> Panel {
        let mut panel = Panel::new(leds, Contact::Released);
        panel.update(PanelFacts { mode: StatusMode::Armed, nodes, ..PanelFacts::default() }, Time(0));
        panel
    }

    fn edge(contact: Contact, at: u64) -> Edge {
        Edge { pressed: contact == Contact::Pressed, at: Time(at), after_loss: false }
    }

    fn press(panel: &mut Panel, from: u64, length: u64) -> Option<PanelOrder> {
        panel.edge(edge(Contact::Pressed, from), Time(from));
        panel.edge(edge(Contact::Released, from + length), Time(from + length));
        panel.tick(Time(from + length + 30))
    }

    #[test]
    fn every_stage_looks_different_by_its_rhythm_alone() {
        let shown: Vec<Pattern> =
            Stage::ALL.map(|stage| panel(1, vec![node(1, None, stage)]).lamps(Time(0))[1].pattern).to_vec();
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
        panel.update(
            PanelFacts {
                mode: StatusMode::Armed,
                nodes: vec![
                    node(1, None, Stage::Loading),
                    node(2, None, Stage::Written),
                    node(5, None, Stage::Installed),
                    node(9, Some(1), Stage::Installed),
                ],
                ..PanelFacts::default()
            },
            Time(0),
        );
        let patterns: Vec<Pattern> = panel.lamps(Time(0)).iter().map(|lamp| lamp.pattern).collect();
        assert_eq!(patterns, [Pattern::Blink(500), Pattern::Steady, Pattern::Steady, Pattern::Blink(1000)]);
    }

    #[test]
    fn a_short_press_shows_numbers_and_silences_failures_until_the_next_one() {
        let mut panel = panel(2, vec![node(1, None, Stage::Failed)]);
        assert_eq!(panel.lamps(Time(0))[1].pattern, Pattern::Pulses(3));
        assert_eq!(press(&mut panel, 1000, 200), None);
        assert_eq!(panel.lamps(Time(2000))[2].pattern, Pattern::Pulses(2));
        panel.tick(Time(1230 + 5_500));
        assert_eq!(panel.lamps(Time(20_000))[1].pattern, Pattern::Off);
        let again = |stage| PanelFacts {
            mode: StatusMode::Safe,
            nodes: vec![node(1, None, stage)],
            ..PanelFacts::default()
        };
        panel.update(again(Stage::Loading), Time(0));
        panel.update(again(Stage::Failed), Time(0));
        assert_eq!(panel.lamps(Time(20_000))[1].pattern, Pattern::Pulses(3));
    }

    #[test]
    fn two_seconds_arm_and_disarm() {
        let mut panel = panel(1, Vec::new());
        panel.update(PanelFacts { mode: StatusMode::Safe, ..PanelFacts::default() }, Time(0));
        assert_eq!(press(&mut panel, 0, 2500), Some(PanelOrder::Arm));
        panel.update(PanelFacts { mode: StatusMode::Armed, ..PanelFacts::default() }, Time(0));
        assert_eq!(press(&mut panel, 10_000, 2500), Some(PanelOrder::Disarm));
        assert_eq!(press(&mut panel, 20_000, 12_000), Some(PanelOrder::ShutDown));
        panel.update(PanelFacts::default(), Time(0));
        assert_eq!(press(&mut panel, 60_000, 2500), None, "while it starts, the button means nothing");
    }

    #[test]
    fn the_status_led_answers_the_button_and_shows_arming_before_trouble() {
        let mut panel = panel(1, Vec::new());
        let with = |mode, troubles: &[Trouble]| PanelFacts {
            mode,
            troubles: troubles.iter().map(|trouble| (*trouble, String::new())).collect(),
            ..PanelFacts::default()
        };
        panel.update(with(StatusMode::Armed, &[Trouble::Assets]), Time(0));
        assert_eq!(panel.lamps(Time(0))[0].pattern, Pattern::Blink(500));
        for trouble in Trouble::ALL {
            for mode in [StatusMode::Starting, StatusMode::Safe, StatusMode::Finishing] {
                panel.update(with(mode, &[trouble]), Time(0));
                assert_eq!(panel.lamps(Time(0))[0].pattern, Pattern::Pulses(trouble as u8));
            }
        }
        panel.update(with(StatusMode::Safe, &[Trouble::Disk, Trouble::Assets, Trouble::Network]), Time(0));
        assert_eq!(panel.lamps(Time(0))[0].pattern, Pattern::Pulses(6));
        panel.edge(edge(Contact::Pressed, 0), Time(0));
        assert_eq!(panel.lamps(Time(2000))[0].pattern, Pattern::Steady);
        assert_eq!(panel.lamps(Time(10_000))[0].pattern, Pattern::Blink(120));
        assert_eq!(panel.lamps(Time(20_000))[0], DARK);
    }

    #[test]
    fn an_idle_panel_sleeps() {
        let mut panel = panel(8, vec![node(1, None, Stage::Idle)]);
        panel.update(PanelFacts { mode: StatusMode::Safe, ..panel.facts().clone() }, Time(0));
        assert_eq!(panel.deadline(Time(100)), Some(Time(4000)));
        panel.update(PanelFacts { mode: StatusMode::Finishing, ..PanelFacts::default() }, Time(0));
        assert_eq!(panel.deadline(Time(100)), None);
    }

    #[test]
    fn a_node_seen_while_armed_is_dark_once_nobody_may_install() {
        let mut panel = panel(1, vec![node(1, None, Stage::Discovered)]);
        assert_eq!(panel.lamps(Time(0))[1].pattern, Pattern::Wink(2000));
        panel.update(PanelFacts { mode: StatusMode::Safe, ..panel.facts().clone() }, Time(0));
        assert_eq!(panel.lamps(Time(0))[1].pattern, Pattern::Off);
    }

    #[test]
    fn a_transfer_gets_brighter_as_it_goes_on() {
        let at = |sent| node_lamp(Stage::Installing, Stage::Idle, (sent, 100)).light(Time(0));
        assert_eq!((at(40).color, at(40).level, at(80).level), (Color::Amber, 102, 204));
        assert!(at(0).is_lit() && at(100).is_lit());
        let dark = node_lamp(Stage::Installing, Stage::Idle, (50, 100)).light(Time(1000));
        assert!(!dark.is_lit());
    }

    #[test]
    fn a_press_that_is_heard_of_too_late_orders_nothing() {
        let mut panel = panel(1, Vec::new());
        panel.update(PanelFacts { mode: StatusMode::Safe, ..PanelFacts::default() }, Time(0));
        panel.edge(edge(Contact::Pressed, 1000), Time(60_000));
        panel.edge(edge(Contact::Released, 3500), Time(60_000));
        assert_eq!(panel.tick(Time(60_000)), None);
        assert_eq!(press(&mut panel, 61_000, 2500), Some(PanelOrder::Arm));
    }

    #[test]
    fn a_button_that_is_down_when_the_hardware_comes_back_means_nothing() {
        let mut panel = panel(1, Vec::new());
        panel.update(PanelFacts { mode: StatusMode::Safe, ..PanelFacts::default() }, Time(0));
        panel.edge(edge(Contact::Pressed, 1000), Time(1000));
        panel.attach(Contact::Pressed);
        panel.edge(edge(Contact::Released, 3500), Time(3500));
        assert_eq!(panel.tick(Time(3600)), None);
    }

    #[test]
    fn progress_shows_from_the_next_round_on() {
        let at = |sent| {
            let mut node = node(1, None, Stage::Installing);
            node.image = (sent, 100);
            PanelFacts { mode: StatusMode::Armed, nodes: vec![node], ..PanelFacts::default() }
        };
        let mut panel = Panel::new(1, Contact::Released);
        let shown = |panel: &Panel, now| panel.lamps(Time(now))[1].pattern;
        panel.update(at(40), Time(4_000));
        assert_eq!(shown(&panel, 4_000), Pattern::Part(40));
        panel.update(at(50), Time(4_900));
        panel.update(at(60), Time(5_000));
        assert_eq!(shown(&panel, 5_100), Pattern::Part(40), "dark since 4.8 s, and no second flash");
        assert_eq!(shown(&panel, 6_000), Pattern::Part(60));
        panel.update(at(70), Time(7_000));
        assert_eq!((shown(&panel, 7_000), shown(&panel, 8_000)), (Pattern::Part(60), Pattern::Part(70)));
    }

    proptest::proptest! {
        /// However an image comes in, its LED goes on once and off once every two seconds.
        #[test]
        fn a_transfer_never_flickers(steps in proptest::collection::vec((1u64..400, 0u64..5), 1..80)) {
            let mut panel = Panel::new(1, Contact::Released);
            let (mut now, mut sent, mut changes) = (Time(20_000), 0, 0);
            let mut lit = true;
            for (pause, more) in steps {
                sent += more;
                let mut node = node(1, None, Stage::Installing);
                node.image = (sent, 100);
                panel.update(PanelFacts { mode: StatusMode::Armed, nodes: vec![node], ..PanelFacts::default() }, now);
                for _ in 0..pause {
                    let next = panel.lamps(now)[1].light(now).is_lit();
                    changes += u64::from(next != lit);
                    lit = next;
                    now = now + Duration::from_millis(1);
                }
            }
            let rounds = (now.0 - 20_000).div_ceil(2000);
            proptest::prop_assert!(changes <= rounds * 2, "{} changes in {} rounds", changes, rounds);
        }
    }
}
