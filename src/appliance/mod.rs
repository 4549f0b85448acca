//! Pure composition: events in, changes and effects out.

mod event;
mod view;

pub use event::*;
pub use view::*;
