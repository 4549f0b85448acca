//! From the button's edges to what the person meant.

use std::time::Duration;

use crate::ids::Time;

/// What a press means, by its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gesture {
    /// Under a second.
    Short,
    /// Two seconds.
    Two,
    /// Ten seconds.
    Ten,
}

/// How far a press is that goes on, for the LED that answers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// Long enough to mean [`Gesture::Two`] when it is released now.
    Two,
    /// [`Gesture::Ten`].
    Ten,
    /// Too long for a finger: it means nothing any more.
    TooLong,
}

/// A contact bounces for less than this, and a finger is not faster. All that bounces within this time is one glitch.
const SETTLE: Duration = Duration::from_millis(30);
const SHORT: Duration = Duration::from_secs(1);
const TWO: Duration = Duration::from_secs(2);
const TEN: Duration = Duration::from_secs(10);
const STUCK: Duration = Duration::from_secs(20);
/// More interruptions than this in one press are noise on the line.
const MOST_GLITCHES: u8 = 3;
/// How long a line that was noisy or stuck must be quiet before it counts again.
const QUIET: Duration = Duration::from_millis(500);

/// The button: edges and time in, gestures out. What a press means is decided when it is released, so that a
/// line which sticks never means anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Button {
    state: State,
    /// The time of the last edge.
    last: Time,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Up,
    Down(Down),
    /// Up, but perhaps only for a moment.
    Releasing {
        down: Down,
        released: Time,
    },
    /// Nothing counts until the line is quiet; the time says since when it is up.
    Ignored {
        up: Option<Time>,
    },
}

/// A change of the button's line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// Whether the button is down from now on.
    pub pressed: bool,
    /// When it happened, which may be a while ago.
    pub at: Time,
    /// Edges before this one were lost: whatever press they were part of can't be trusted.
    pub after_loss: bool,
}

/// A press that meant something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Press {
    /// What it meant.
    pub gesture: Gesture,
    /// When it ended.
    pub released: Time,
}

/// A press that goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Down {
    since: Time,
    /// How often it was interrupted.
    glitches: u8,
    /// When the last interruption began; contacts that bounce while they close are none.
    last: Time,
}

impl Down {
    /// The press after a gap that was too short for a finger, if this is not one too many.
    fn interrupted(self, at: Time) -> State {
        if at.since(self.last) < SETTLE {
            State::Down(self)
        } else if self.glitches < MOST_GLITCHES {
            State::Down(Down { glitches: self.glitches + 1, last: at, ..self })
        } else {
            State::Ignored { up: None }
        }
    }
}

/// Where a button is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contact {
    /// Up.
    Released,
    /// Down.
    Pressed,
}

impl From<bool> for Contact {
    /// Whether it is pressed.
    fn from(is_pressed: bool) -> Contact {
        if is_pressed { Contact::Pressed } else { Contact::Released }
    }
}

impl Button {
    /// A button that is pressed when the service starts is held or stuck: that press never counts.
    pub fn new(at_start: Contact) -> Button {
        let state = match at_start {
            Contact::Pressed => State::Ignored { up: None },
            Contact::Released => State::Up,
        };
        Button { state, last: Time::default() }
    }

    /// The line changed; what was meant by the press before, if that is settled only now. Edges may come late
    /// and several at once, but in their order: their own times count.
    pub fn edge(&mut self, edge: Edge) -> Option<Press> {
        let Edge { pressed, at, after_loss } = edge;
        if after_loss || at < self.last {
            self.last = self.last.max(at);
            self.state = State::Ignored { up: (!pressed).then_some(at) };
            return None;
        }
        self.last = at;
        let settled = self.tick(at);
        self.state = match (self.state, pressed) {
            (State::Up, true) => State::Down(Down { since: at, glitches: 0, last: at }),
            (State::Down(down), false) => State::Releasing { down, released: at },
            (State::Releasing { down, .. }, true) => down.interrupted(at),
            // Twice down: in between it was up for so short a time that nobody saw it.
            (State::Down(down), true) => down.interrupted(at),
            (State::Ignored { .. }, true) => State::Ignored { up: None },
            (State::Ignored { .. }, false) => State::Ignored { up: Some(at) },
            (same @ (State::Up | State::Releasing { .. }), false) => same,
        };
        settled
    }

    /// What time alone brings about: call it at [`Button::deadline`], after all edges that came before.
    pub fn tick(&mut self, now: Time) -> Option<Press> {
        match self.state {
            State::Releasing { down, released } if now >= released + SETTLE => {
                self.state = State::Up;
                gesture(released.since(down.since)).map(|gesture| Press { gesture, released })
            }
            State::Ignored { up: Some(up) } if now >= up + QUIET => {
                self.state = State::Up;
                None
            }
            _ => None,
        }
    }

    /// When [`Button::tick`] or [`Button::held`] has something new.
    pub fn deadline(&self, now: Time) -> Option<Time> {
        match self.state {
            State::Up | State::Ignored { up: None } => None,
            State::Releasing { released, .. } => Some(released + SETTLE),
            State::Ignored { up: Some(up) } => Some(up + QUIET),
            State::Down(Down { since, .. }) => {
                [TWO, TEN, STUCK].into_iter().map(|held| since + held).find(|time| *time > now)
            }
        }
    }

    /// How far the press is that goes on.
    pub fn held(&self, now: Time) -> Option<Held> {
        let (State::Down(down) | State::Releasing { down, .. }) = self.state else { return None };
        let length = now.since(down.since);
        [(STUCK, Held::TooLong), (TEN, Held::Ten), (TWO, Held::Two)]
            .into_iter()
            .find_map(|(from, held)| (length >= from).then_some(held))
    }
}

fn gesture(length: Duration) -> Option<Gesture> {
    if length < SETTLE {
        None
    } else if length < SHORT {
        Some(Gesture::Short)
    } else if length < TWO {
        // Neither quick nor held: the person thought better of it.
        None
    } else if length < TEN {
        Some(Gesture::Two)
    } else if length < STUCK {
        Some(Gesture::Ten)
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
