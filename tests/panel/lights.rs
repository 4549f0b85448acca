//! What an eye would see of LEDs: flashes and their lengths.

use std::time::Duration;

/// A LED that was lit and then dark for so many milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flash {
    pub lit: u64,
    pub dark: u64,
}

/// What a flash is one of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rhythm {
    /// Seen: 60 ms every 2 s.
    Wink,
    /// Loading, booting, configuring: 1 Hz.
    Slow,
    /// Armed: 2 Hz.
    Fast,
    /// Installing: a part of 2 s.
    Part,
    /// Written: two short ones a second.
    Double,
    /// Ready and safe: 60 ms every 4 s.
    RareWink,
}

/// How late a LED may be; an edge may be this much too late, and the next one not.
const LATE: u64 = 50;

impl Flash {
    fn is_near(self, lit: u64, dark: u64) -> bool {
        self.lit.abs_diff(lit) <= LATE && self.dark.abs_diff(dark) <= LATE
    }

    fn begins_a_pair(self) -> bool {
        self.is_near(80, 80)
    }

    fn ends_a_pair(self) -> bool {
        self.is_near(80, 760)
    }

    /// Which rhythm it is one of, if of any.
    pub fn rhythm(self) -> Option<Rhythm> {
        let both = |lit, dark| self.is_near(lit, dark);
        if both(60, 1940) {
            Some(Rhythm::Wink)
        } else if both(60, 3940) {
            Some(Rhythm::RareWink)
        } else if self.begins_a_pair() || self.ends_a_pair() {
            Some(Rhythm::Double)
        } else if both(500, 500) {
            Some(Rhythm::Slow)
        } else if both(250, 250) {
            Some(Rhythm::Fast)
        } else if (550..=1850).contains(&self.lit) && (self.lit + self.dark).abs_diff(2000) <= LATE {
            Some(Rhythm::Part)
        } else {
            None
        }
    }
}

/// A LED's changes.
#[derive(Debug, Clone, Default)]
pub struct Led {
    /// When it became lit (true) or dark, from the beginning of watching on.
    pub changes: Vec<(Duration, bool)>,
}

impl Led {
    /// Its flashes: those that began and whose darkness ended while it was watched.
    pub fn flashes(&self) -> Vec<Flash> {
        let milliseconds =
            |from: Duration, to: Duration| u64::try_from((to - from).as_millis()).unwrap_or(u64::MAX);
        // The first is no change, but what it was when the watching began.
        let changes = self.changes.iter().skip(1).skip_while(|(_, lit)| !lit);
        let edges: Vec<Duration> = changes.map(|(at, _)| *at).collect();
        let flash = |edges: &[Duration]| Flash {
            lit: milliseconds(edges[0], edges[1]),
            dark: milliseconds(edges[1], edges[2]),
        };
        edges.windows(3).step_by(2).map(flash).collect()
    }

    /// The rhythms that it showed, each for so many flashes, in their order. A flash that is cut off where one
    /// rhythm follows another is none.
    pub fn rhythms(&self) -> Vec<(Rhythm, usize)> {
        let mut rhythms: Vec<(Rhythm, usize)> = Vec::new();
        let flashes = self.flashes();
        // Two short flashes make a double one. One alone is a wink that another rhythm has cut off.
        let ends_a_pair = |at: usize| flashes.get(at).is_some_and(|flash| flash.ends_a_pair());
        let shown =
            flashes.iter().enumerate().filter(|(at, flash)| !flash.begins_a_pair() || ends_a_pair(at + 1));
        for rhythm in shown.filter_map(|(_, flash)| flash.rhythm()) {
            match rhythms.last_mut().filter(|(last, _)| *last == rhythm) {
                Some((_, count)) => *count += 1,
                None => rhythms.push((rhythm, 1)),
            }
        }
        rhythms
    }

    /// Whether it is lit at the end, and since when.
    pub fn last(&self) -> Option<(Duration, bool)> {
        self.changes.last().copied()
    }
}

#[test]
fn flashes_are_told_apart() {
    let at = |changes: &[(u64, bool)]| Led {
        changes: changes.iter().map(|(at, lit)| (Duration::from_millis(*at), *lit)).collect(),
    };
    let led = at(&[(10, false), (100, true), (170, false), (2100, true), (2160, false), (4100, true)]);
    assert_eq!(led.flashes(), [Flash { lit: 70, dark: 1930 }, Flash { lit: 60, dark: 1940 }]);
    assert_eq!(led.rhythms(), [(Rhythm::Wink, 2)]);
    let cut = at(&[(10, true), (30, false), (100, true), (170, false), (2100, true)]);
    assert_eq!(cut.flashes(), [Flash { lit: 70, dark: 1930 }]);
    // A wink that is cut off by what follows after 90 ms, and then double flashes.
    let cut = at(&[
        (10, false),
        (100, true),
        (162, false),
        (251, true),
        (751, false),
        (1251, true),
        (1751, false),
        (2251, true),
    ]);
    assert_eq!(cut.rhythms(), [(Rhythm::Slow, 2)]);
    let double = at(&[
        (10, false),
        (100, true),
        (180, false),
        (260, true),
        (340, false),
        (1100, true),
        (1180, false),
        (1260, true),
        (1340, false),
        (2100, true),
    ]);
    assert_eq!(double.rhythms(), [(Rhythm::Double, 4)]);
    assert_eq!(Flash { lit: 1200, dark: 810 }.rhythm(), Some(Rhythm::Part));
    assert_eq!(Flash { lit: 1200, dark: 600 }.rhythm(), None);
}
