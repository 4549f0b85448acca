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
    /// Which rhythm it is one of, if of any.
    pub fn rhythm(self) -> Option<Rhythm> {
        let near = |a: u64, b: u64| a.abs_diff(b) <= LATE;
        let both = |lit, dark| near(self.lit, lit) && near(self.dark, dark);
        if both(60, 1940) {
            Some(Rhythm::Wink)
        } else if both(60, 3940) {
            Some(Rhythm::RareWink)
        } else if both(80, 80) || both(80, 760) {
            Some(Rhythm::Double)
        } else if both(500, 500) {
            Some(Rhythm::Slow)
        } else if both(250, 250) {
            Some(Rhythm::Fast)
        } else if (550..=1850).contains(&self.lit) && near(self.lit + self.dark, 2000) {
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
        for rhythm in self.flashes().into_iter().filter_map(Flash::rhythm) {
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
    assert_eq!(Flash { lit: 1200, dark: 810 }.rhythm(), Some(Rhythm::Part));
    assert_eq!(Flash { lit: 1200, dark: 600 }.rhythm(), None);
}
