//! Operating systems, as data: which files each needs and how its kernel is started.

/// One operating system family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Its name in configuration, URLs and asset folders.
    pub name: &'static str,
    /// The kernel's file name.
    pub kernel: &'static str,
    /// The initrd's file name.
    pub initrd: &'static str,
    /// The disk image's file name. `NAME.sig` lies beside each file.
    pub image: &'static str,
    /// Kernel arguments of every start.
    pub arguments: &'static str,
    /// Kernel argument that names the script to run, with `{}` for its URL.
    pub script_argument: &'static str,
    /// The key of the version's name in `version.txt`.
    pub version_key: &'static str,
}

/// CoreOS Container Linux as of 2016, and the demo system in its layout.
pub const COREOS: Profile = Profile {
    name: "coreos",
    kernel: "coreos_production_pxe.vmlinuz",
    initrd: "coreos_production_pxe_image.cpio.gz",
    image: "coreos_production_image.bin.bz2",
    arguments: "coreos.autologin",
    script_argument: "cloud-config-url={}",
    version_key: "COREOS_VERSION",
};

/// Every profile that is built in.
pub const BUILT_IN: &[Profile] = &[COREOS];

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The kernel.
    Kernel,
    /// The initrd.
    Initrd,
    /// The image that goes onto the disk.
    Image,
    /// Anything else: signatures, version files.
    Other,
}

/// The profile of that name.
pub fn find(name: &str) -> Option<&'static Profile> {
    BUILT_IN.iter().find(|profile| profile.name == name)
}

impl Profile {
    /// What the file called `name` is for.
    pub fn role(&self, name: &str) -> Role {
        match name {
            _ if name == self.kernel => Role::Kernel,
            _ if name == self.initrd => Role::Initrd,
            _ if name == self.image => Role::Image,
            _ => Role::Other,
        }
    }

    /// The files that a complete version has.
    pub fn needed(&self) -> [String; 4] {
        [self.kernel.into(), self.initrd.into(), self.image.into(), format!("{}.sig", self.image)]
    }

    /// The kernel's arguments for a start that runs the script at `script`, or leaves the machine to a person.
    pub fn kernel_arguments(&self, script: Option<&str>) -> String {
        match script {
            Some(url) => format!("{} {}", self.arguments, self.script_argument.replace("{}", url)),
            None => self.arguments.to_owned(),
        }
    }
}

/// The install script of the 2016 way, for one node.
pub fn install_script(server: &str, disk: &str, version: &str) -> String {
    include_str!("../../profiles/coreos/install.sh")
        .replace("@SERVER@", server)
        .replace("@DISK@", disk)
        .replace("@VERSION@", version)
}
