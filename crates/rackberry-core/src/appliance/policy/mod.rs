//! What is decided by the state as one event finds it. Nothing here changes anything.

mod arming;
mod boot;
mod gate;
mod known;
mod wake;

pub use arming::Arming;
pub use boot::BootPolicy;
pub use gate::{Gate, KnownRequester};
pub use known::Known;
pub use wake::Waking;

#[cfg(test)]
mod tests;
