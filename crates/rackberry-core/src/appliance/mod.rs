//! Pure composition: events in, changes and effects out.

mod assets;
mod commands;
mod configs;
mod core;
mod event;
mod fates;
mod fetch;
mod files;
mod lookout;
mod menus;
mod offer;
mod outcome;
mod permission;
mod pi;
mod proxy;
mod report;
mod report_rate;
mod show;
mod texts;
mod view;
mod views;
mod wake;

#[cfg(test)]
mod tests;

pub use self::core::{Appliance, Stored};
pub use event::*;
pub use fates::Fates;
pub use outcome::*;
pub use view::*;
pub use views::{NodeViews, TimedView};
