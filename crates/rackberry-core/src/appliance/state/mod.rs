//! The parts that own the state. Each keeps its fields to itself, and none knows of another one that is not named in what
//! it is asked.

mod condition;
mod denials;
mod machines;
mod network;
mod refusals;
mod report_rate;
mod setup;
mod transfers;
mod write_budget;

pub use condition::Condition;
pub use denials::Denials;
pub use machines::{Handed, Leads, Machines, ReportedInstall};
pub use network::NetworkState;
pub use setup::Setup;
pub use transfers::{FileKind, NodeTransfer, Transfers};
pub use write_budget::{WriteBudget, Writer};
