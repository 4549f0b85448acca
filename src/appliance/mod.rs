//! Pure composition: events in, changes and effects out.

mod event;

pub use event::*;
