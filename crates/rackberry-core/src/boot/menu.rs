//! The menus that loaders fetch, rendered.

/// How a pxelinux fetches kernel and initrd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// As it fetched its menu.
    Tftp,
    /// By HTTP, which lpxelinux speaks.
    Http,
}

/// What a node boots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// To the machine's own disk.
    Disk {
        /// One clause for the screen: why not the installer.
        why: String,
    },
    /// A kernel from here.
    Kernel(Kernel),
}

/// A kernel to boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kernel {
    /// For the screen: what this is.
    pub title: String,
    /// `ADDRESS` or `ADDRESS:PORT` of the HTTP server.
    pub server: String,
    /// The kernel's path below the root of TFTP and HTTP, without a leading slash.
    pub kernel: String,
    /// URL of the initrd.
    pub initrd: String,
    /// The node's address in BOOTIF's form.
    pub bootif: String,
    /// Kernel arguments, without `initrd=` and `BOOTIF=`.
    pub arguments: String,
}

impl Plan {
    /// pxelinux.cfg/NAME (syslinux 6, U-Boot's `pxe`).
    pub fn pxelinux(&self, transport: Transport) -> String {
        match self {
            Plan::Disk { why } => format!(
                "DEFAULT disk\nPROMPT 0\nSAY rackberry: booting the local disk ({why})\n\
                 LABEL disk\n  LOCALBOOT 0\n"
            ),
            Plan::Kernel(Kernel { title, server, kernel, initrd, bootif, arguments }) => {
                let root = match transport {
                    Transport::Tftp => String::new(),
                    Transport::Http => format!("http://{server}/"),
                };
                format!(
                    "DEFAULT install\nPROMPT 0\nSAY rackberry: {title}\n\
                     LABEL install\n  KERNEL {root}{kernel}\n  INITRD {root}{initrd}\n  \
                     APPEND BOOTIF={bootif} {arguments}\n"
                )
            }
        }
    }

    /// grub/grub.cfg. The local disk is the first one with a loader in the place that firmware looks at;
    /// GRUB's own `exit` leaves EDK2 at a blank screen (measured), so the loader is started from here.
    pub fn grub(&self) -> String {
        match self {
            Plan::Disk { why } => format!(
                "echo 'rackberry: booting the local disk ({})'\n{}",
                quotable(why),
                include_str!("disk.grub")
            ),
            Plan::Kernel(Kernel { title, server, kernel, initrd, bootif, arguments }) => format!(
                "echo 'rackberry: {}'\n\
                 linux (http,{server})/{kernel} initrd=initrd BOOTIF={bootif} {arguments}\n\
                 initrd (http,{server})/{initrd}\nboot\n",
                quotable(title)
            ),
        }
    }

    /// The plan as an iPXE script (`boot.ipxe`).
    pub fn ipxe(&self) -> String {
        match self {
            // Under UEFI, `exit` leaves EDK2 at a blank screen (measured); a GRUB from here starts the disk.
            Plan::Disk { why } => format!(
                "#!ipxe\necho rackberry: booting the local disk ({why})\n\
                 iseq ${{platform}} efi || exit\n\
                 iseq ${{buildarch}} arm64 && chain diskaa64.efi || chain diskx64.efi\n"
            ),
            Plan::Kernel(Kernel { title, server, kernel, initrd, bootif, arguments }) => format!(
                "#!ipxe\necho rackberry: {title}\n\
                 kernel http://{server}/{kernel} initrd=initrd BOOTIF={bootif} {arguments}\n\
                 initrd --name initrd http://{server}/{initrd}\nboot\n"
            ),
        }
    }
}

/// Text that fits between GRUB's single quotes.
fn quotable(text: &str) -> String {
    text.chars().map(|c| if c == '\'' || c.is_control() { ' ' } else { c }).collect()
}
