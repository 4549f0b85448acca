use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What kind of failure ended an install, as the machine itself says it (`cause` of a report). One word in install
/// scripts, API and docs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// The machine has no such disk, or none at all.
    NoDisk,
    /// The target is no whole disk, is in use, or can't be written.
    WrongDisk,
    /// The disk carries rackberry's mark, and the permission is not for such disks.
    MarkedDisk,
    /// The disk is smaller than the image.
    DiskTooSmall,
    /// The disk does not take what is written.
    DiskError,
    /// The machine gets no configuration.
    NoConfiguration,
    /// The installer refuses the configuration.
    BadConfiguration,
    /// The appliance gives no leave.
    NotAllowed,
    /// The image is not where the installer asks for it.
    NoImage,
    /// The image's signature is not where the installer asks for it, or is none.
    NoSignature,
    /// The image is signed by a key that the installer does not have.
    UnknownKey,
    /// The signature is another file's, or the image was changed.
    BadSignature,
    /// The image is not the one that it should be, as its digest or its signature says.
    WrongImage,
    /// The image can't be unpacked.
    DamagedImage,
    /// The transfer broke off.
    Transfer,
    /// The server does not answer.
    NoServer,
    /// The machine's memory is too small.
    NoMemory,
    /// The install was told to stop.
    Stopped,
}

impl Cause {
    /// Every cause that an installer may report.
    pub const ALL: [Cause; 18] = [
        Self::NoDisk,
        Self::WrongDisk,
        Self::MarkedDisk,
        Self::DiskTooSmall,
        Self::DiskError,
        Self::NoConfiguration,
        Self::BadConfiguration,
        Self::NotAllowed,
        Self::NoImage,
        Self::NoSignature,
        Self::UnknownKey,
        Self::BadSignature,
        Self::WrongImage,
        Self::DamagedImage,
        Self::Transfer,
        Self::NoServer,
        Self::NoMemory,
        Self::Stopped,
    ];
}
