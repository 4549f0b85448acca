//! Composition of all that decides: events in, changes and effects out.
//!
//! Lower modules first; none names a later one (`tests/layers.rs` holds that):
//!
//! - `event`, `arm`, `outcome`, `view_model`, `decision`: what goes in, what comes out, and what is decided in between.
//! - `state`: the parts that own the state.
//! - `policy`: what is decided by the state, and by whom it may be had. Reads only, as do the next three.
//! - `render`: the texts that are made for one node.
//! - `fetch`, `check`, `views`: what clients get; what is wrong with files; what people see.
//! - `core`: [`Appliance`], which owns the parts and asks them in order, event by event.

mod arm;
mod check;
mod core;
mod decision;
mod event;
mod fetch;
mod outcome;
mod policy;
mod render;
mod state;
mod view_model;
mod views;

#[cfg(test)]
#[allow(clippy::fn_params_excessive_bools, clippy::too_many_arguments)] // A history reads as a line a step.
mod tests;

pub use self::core::{Appliance, Stored};
pub use arm::{Arm, ArmBody, Power, Whom};
pub use check::Fates;
pub use event::*;
pub use outcome::*;
pub use view_model::*;
pub use views::{NodeViews, TimedView};
