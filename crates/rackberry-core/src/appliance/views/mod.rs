//! What people and programs see of the state.

mod assets;
mod kept;
mod model;
mod node;
mod status;

pub use assets::AssetsViewer;
pub use kept::{KeptViews, NodeViews, TimedView};
pub use model::*;
pub use node::NodeViewer;
pub use status::StatusViewer;
