//! Pure composition: events in, changes and effects out.

mod assets;
mod commands;
mod core;
mod event;
mod fetch;
mod lookout;
mod offer;
mod outcome;
mod permission;
mod pi;
mod proxy;
mod report;
mod show;
mod texts;
mod view;
mod wake;

#[cfg(test)]
mod tests;

pub use self::core::{Appliance, Stored};
pub use event::*;
pub use outcome::*;
pub use view::*;
