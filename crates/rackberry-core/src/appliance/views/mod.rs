//! What people and programs see of the state.

mod assets;
mod kept;
mod node;
mod status;

pub use assets::AssetsViewer;
pub use kept::{KeptViews, NodeViews, TimedView};
pub use node::NodeViewer;
pub use status::StatusViewer;
