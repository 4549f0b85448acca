//! A folder as a handler: every file below it, and nothing else.

use std::{fs::File, io, os::fd::OwnedFd, path::Path, sync::Arc};

use rustix::{
    fs::{Mode, OFlags, ResolveFlags, open, openat, openat2},
    io::Errno,
};
use tokio::task::spawn_blocking;

use crate::{
    packet::ErrorCode,
    server::content::Content,
    server::handler::{Event, Handler, Refusal, Request},
};

/// Serves the files of a folder and of the folders in it, to everybody, read-only.
///
/// A name is looked up by the kernel below the opened folder (`openat2` with `RESOLVE_BENEATH`), so neither `..` nor a link, not even one
/// that is put there in this moment, leads out of it. Links within the folder are followed; kernels before 5.6 know no such
/// lookup, and there no link is. A slash at a name's beginning means the folder, and a backslash is a slash, as Windows' loaders write it.
///
/// ```no_run
/// # use tokio_tftp_server::{Directory, Options, Server};
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let server = Server::bind(Options::new(([0, 0, 0, 0], 69).into()))?;
/// server.run(Directory::open("/srv/tftp")?, std::future::pending()).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Directory {
    root: Arc<OwnedFd>,
}

impl Directory {
    /// Opens a folder, whatever becomes of its path later.
    ///
    /// # Errors
    /// If it can't be opened, or is none.
    pub fn open(folder: impl AsRef<Path>) -> io::Result<Directory> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Directory { root: Arc::new(open(folder.as_ref(), flags, Mode::empty())?) })
    }

    /// Opens a file below it by the name that a client wrote.
    ///
    /// # Errors
    /// In the system's words, if there is no such file, or it can't be read, or something else has that name.
    pub fn file(&self, name: &str) -> io::Result<File> {
        let name = name.replace('\\', "/");
        let file = File::from(below(&self.root, name.trim_start_matches('/'))?);
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "not a file"));
        }
        Ok(file)
    }
}

/// A named pipe must not be waited for.
const READ: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

fn below(root: &OwnedFd, name: &str) -> Result<OwnedFd, Errno> {
    let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    for _ in 0..3 {
        match openat2(root, name, READ, Mode::empty(), beneath) {
            // Something was renamed meanwhile, so that the kernel can't tell.
            Err(Errno::AGAIN | Errno::INTR) => {}
            // The kernel does not know it, or a filter of system calls does not.
            Err(Errno::NOSYS | Errno::PERM) => return step_by_step(root, name),
            found => return found,
        }
    }
    Err(Errno::AGAIN)
}

fn step_by_step(root: &OwnedFd, name: &str) -> Result<OwnedFd, Errno> {
    let mut parts: Vec<&str> = name.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    if parts.contains(&"..") {
        return Err(Errno::XDEV);
    }
    let last = parts.pop().ok_or(Errno::NOENT)?;
    let mut folder: Option<OwnedFd> = None;
    for part in parts {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        folder = Some(openat(folder.as_ref().unwrap_or(root), part, flags, Mode::empty())?);
    }
    openat(folder.as_ref().unwrap_or(root), last, READ | OFlags::NOFOLLOW, Mode::empty())
}

impl Handler for Directory {
    type Transfer = String;

    async fn open(&self, request: &Request) -> Result<(Content, String), Refusal> {
        let (own, name) = (self.clone(), request.file.clone());
        match spawn_blocking(move || own.file(&name)).await.map_err(io::Error::other)? {
            Ok(file) => Ok((file.into(), format!("{} to {}", request.file, request.peer))),
            Err(error) => Err(match Errno::from_io_error(&error) {
                // It leads out of the folder, or in a circle.
                Some(Errno::XDEV | Errno::LOOP) => {
                    Refusal::new(ErrorCode::AccessViolation, "not in the served folder")
                }
                Some(Errno::NOTDIR | Errno::NAMETOOLONG) => {
                    Refusal::new(ErrorCode::FileNotFound, error.to_string())
                }
                _ => error.into(),
            }),
        }
    }

    async fn event(&self, transfer: &mut String, event: Event) {
        match event {
            Event::Ended(end) => tracing::info!(transfer, ?end, "ended"),
            event => tracing::debug!(transfer, ?event, "runs"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    type Way = fn(&OwnedFd, &str) -> Result<OwnedFd, Errno>;

    /// Both ways to look up a name, and whether they follow links.
    const WAYS: [(Way, bool); 2] = [(below, true), (step_by_step, false)];

    #[test]
    fn nothing_leads_out_of_the_folder() {
        let outside = tempfile::tempdir().unwrap();
        let root = outside.path().join("root");
        std::fs::create_dir_all(root.join("sub/deep")).unwrap();
        std::fs::write(outside.path().join("secret"), "secret").unwrap();
        std::fs::write(root.join("sub/file"), "file").unwrap();
        symlink("../secret", root.join("up")).unwrap();
        symlink(outside.path().join("secret"), root.join("absolute")).unwrap();
        symlink(outside.path(), root.join("folder")).unwrap();
        symlink("/proc/self/root", root.join("magic")).unwrap();
        symlink("circle", root.join("circle")).unwrap();
        symlink("sub/file", root.join("inside")).unwrap();
        let opened = Directory::open(&root).unwrap();
        for (way, follows) in WAYS {
            let leads = |name: &str| way(&opened.root, name).is_ok();
            for name in ["sub/file", "./sub//file", "sub/./file"] {
                assert!(leads(name), "{name}");
            }
            assert_eq!(leads("inside"), follows);
            for name in [
                "../secret",
                "sub/../../secret",
                "sub/deep/../../../secret",
                "..",
                "up",
                "absolute",
                "folder/secret",
                "folder/root/sub/file",
                "magic/etc/passwd",
                "circle",
                "",
                "nothing",
                "sub/file/more",
            ] {
                assert!(!leads(name), "{name}");
            }
        }
    }

    #[test]
    fn names_are_written_as_clients_write_them() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("boot")).unwrap();
        std::fs::write(root.path().join("boot/bcd"), "bcd").unwrap();
        let opened = Directory::open(root.path()).unwrap();
        for name in ["boot/bcd", "/boot/bcd", "///boot/bcd", r"\boot\bcd", r"boot\bcd"] {
            assert!(opened.file(name).is_ok(), "{name}");
        }
        for name in ["boot", "boot/", "/", ""] {
            assert!(opened.file(name).is_err(), "{name}");
        }
        assert!(Directory::open(root.path().join("boot/bcd")).is_err());
    }

    #[test]
    fn a_named_pipe_is_no_file_and_nobody_waits_for_it() {
        let root = tempfile::tempdir().unwrap();
        let pipe = root.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let error = Directory::open(root.path()).unwrap().file("pipe").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
