//! What the SD image asks of rackberry around the service: `rackberry image ...`, run by its units.
//!
//! Decisions and texts are pure and stand in files of their own; `setup`, `publish` and `console` read and write
//! for them. Whatever is wrong with the card, the appliance starts, can be reached, and says what it is.

mod card;
mod console;
mod login;
mod mark;
mod prove;
mod publish;
mod report;
mod setup;
mod usb;

pub use console::console;
pub use login::login;
pub use mark::copy as mark;
pub use prove::prove;
pub use publish::report;
pub use setup::setup;
pub use usb::tree;

use std::path::PathBuf;

/// The image's root: `/`, or a folder that stands for it in tests.
#[derive(Debug, Clone)]
pub struct Root(pub PathBuf);

impl Root {
    fn at(&self, path: &str) -> PathBuf {
        self.0.join(path)
    }

    /// The boot loaders that the image brings.
    pub fn loaders(&self) -> PathBuf {
        self.at("usr/lib/rackberry/loaders")
    }

    /// The FAT partition that people edit.
    pub fn card(&self, name: &str) -> PathBuf {
        self.at("card").join(name)
    }

    /// A file of the data partition.
    pub fn data(&self, name: &str) -> PathBuf {
        self.at("data").join(name)
    }

    /// What is made anew at each start.
    pub fn run(&self, name: &str) -> PathBuf {
        self.at("run").join(name)
    }

    /// A file that `setup` has left about the card.
    pub fn found(&self, name: &str) -> PathBuf {
        self.run("rackberry-setup").join(name)
    }
}
