//! The vocabulary: values that every floor uses and that mean the same everywhere.

mod arch;
mod bucket;
mod cause;
mod changed;
mod deadlines;
mod loader;
mod mac;
mod machine_id;
mod name;
mod offer_style;
mod order_kind;
mod others_text;
mod source;
mod stage;
mod time;
mod told;

pub use arch::Arch;
pub use bucket::{Bucket, Rate};
pub use cause::Cause;
pub use changed::Changed;
pub use deadlines::Deadlines;
pub use loader::Loader;
pub use mac::{Mac, MacError};
pub use machine_id::{MachineId, MachineIdError};
pub use name::folded;
pub use offer_style::OfferStyle;
pub use order_kind::OrderKind;
pub use others_text::{is_unshowable, lines, one_line, quotable};
pub use source::Source;
pub use stage::Stage;
pub use time::Time;
pub use told::Told;
