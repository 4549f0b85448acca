//! Ports and the control socket.

use std::{
    fs, io,
    net::SocketAddrV4,
    os::unix::{
        fs::{FileTypeExt, PermissionsExt, chown},
        net::UnixStream,
    },
    path::{Path, PathBuf},
};

use tokio::net::{TcpListener, TcpSocket, UnixListener};

/// Connections that the kernel holds while the server is busy.
const BACKLOG: u32 = 1024;
/// Whoever is in this group may command the service.
const GROUP: &str = "rackberry";

/// Why the server can't listen.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "fields are what the message names")]
pub enum BindError {
    /// Somebody has the port.
    #[error(
        "TCP port {port} is taken, {holder}; stop that, or name other ports in [http] ports",
        port = address.port(),
        holder = holder.as_deref().map_or("by another program (`ss -ltnp` tells which)".into(), |h| format!("by {h}")),
    )]
    Taken {
        /// What was to be listened on.
        address: SocketAddrV4,
        /// The program, where it can be found out.
        holder: Option<String>,
    },
    /// Ports below 1024 are privileged.
    #[error("TCP port {port} needs a privilege; start rackberry by its systemd unit or as root, or name ports from 1024 on in [http] ports", port = .0.port())]
    Privilege(SocketAddrV4),
    /// The interface has no such address (yet).
    #[error("no interface has the address {ip}", ip = .0.ip())]
    NoAddress(SocketAddrV4),
    /// Anything else about a port.
    #[error("can't listen on {address}")]
    Port {
        /// What was to be listened on.
        address: SocketAddrV4,
        source: io::Error,
    },
    /// The folder is missing and can't be made.
    #[error("can't make the control socket's folder {folder}; make it, or name another place with --socket", folder = folder.display())]
    Folder {
        /// Where the socket was to be.
        folder: PathBuf,
        source: io::Error,
    },
    /// No thread for files.
    #[error("can't start the thread that sends files")]
    Thread(#[source] io::Error),
    /// Another service answers.
    #[error("another rackberry answers at {path}; stop it, or name another socket with --socket", path = .0.display())]
    Running(PathBuf),
    /// A file is in the way.
    #[error("{path} is in the way of the control socket and is none itself", path = .0.display())]
    InTheWay(PathBuf),
    /// Anything else about the socket.
    #[error("can't make the control socket {path}", path = path.display())]
    Socket {
        /// Where it was to be.
        path: PathBuf,
        source: io::Error,
    },
}

/// Listens on a port.
pub(super) fn port(address: SocketAddrV4) -> Result<TcpListener, BindError> {
    let listen = || {
        let socket = TcpSocket::new_v4()?;
        // A restart must not wait for the last run's connections to be forgotten.
        socket.set_reuseaddr(true)?;
        socket.bind(address.into())?;
        socket.listen(BACKLOG)
    };
    listen().map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => {
            BindError::Taken { address, holder: super::port_owner::of_port(address.port()) }
        }
        io::ErrorKind::PermissionDenied => BindError::Privilege(address),
        io::ErrorKind::AddrNotAvailable => BindError::NoAddress(address),
        _ => BindError::Port { address, source },
    })
}

/// Listens on the control socket, which nobody but the owner and the group can open (mode 0660). A socket that
/// a dead service left is replaced.
pub(super) fn socket(path: &Path) -> Result<UnixListener, BindError> {
    let failed = |source| BindError::Socket { path: path.to_owned(), source };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder {
        fs::create_dir_all(folder)
            .map_err(|source| BindError::Folder { folder: folder.to_owned(), source })?;
    }
    if fs::symlink_metadata(path).is_ok_and(|meta| !meta.file_type().is_socket()) {
        return Err(BindError::InTheWay(path.to_owned()));
    }
    match UnixStream::connect(path) {
        Ok(_) => return Err(BindError::Running(path.to_owned())),
        // A dead service's socket, or none.
        Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound) => {}
        Err(error) => return Err(failed(error)),
    }
    // Made under another name, so that it has its rights when it appears.
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let listener = UnixListener::bind(&new).map_err(failed)?;
    if let Some(group) = fs::read_to_string("/etc/group").ok().and_then(|groups| group_id(&groups, GROUP))
        && let Err(error) = chown(&new, None, Some(group))
    {
        tracing::debug!(%error, group = GROUP, "can't give the control socket to the group");
    }
    fs::set_permissions(&new, fs::Permissions::from_mode(0o660)).map_err(failed)?;
    fs::rename(&new, path).map_err(failed)?;
    Ok(listener)
}

/// A group's number, from the text of /etc/group.
fn group_id(groups: &str, name: &str) -> Option<u32> {
    let mut entries = groups.lines().map(|line| line.split(':').collect::<Vec<_>>());
    entries.find(|fields| fields.first() == Some(&name))?.get(2)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[tokio::test]
    async fn a_taken_port_is_named() {
        let first = port(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).unwrap();
        let taken = first.local_addr().unwrap().port();
        let error = port(SocketAddrV4::new(Ipv4Addr::LOCALHOST, taken)).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with(&format!("TCP port {taken} is taken, by ")), "{text}");
        assert!(text.contains(&format!("process {}", std::process::id())), "{text}");
    }

    #[tokio::test]
    async fn an_address_of_nobody_is_named() {
        let error = port("192.0.2.1:0".parse().unwrap()).unwrap_err();
        assert_eq!(error.to_string(), "no interface has the address 192.0.2.1");
    }

    #[tokio::test]
    async fn a_stale_socket_is_replaced_a_live_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        let listener = socket(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
        assert!(matches!(socket(&path), Err(BindError::Running(_))));
        drop(listener);
        socket(&path).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn a_file_in_the_way_stays() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "precious").unwrap();
        assert!(matches!(socket(&file), Err(BindError::InTheWay(_))));
        assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
        let error = socket(&file.join("control.sock")).unwrap_err();
        assert!(matches!(&error, BindError::Folder { folder, .. } if *folder == file), "{error}");
    }

    #[tokio::test]
    async fn a_missing_folder_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run/rackberry/control.sock");
        let _listener = socket(&path).unwrap();
        assert!(path.exists());
    }

    #[test]
    fn groups_are_found_by_name() {
        let groups = "root:x:0:\nrackberry-old:x:7:\nrackberry:x:990:pi\n";
        assert_eq!(group_id(groups, "rackberry"), Some(990));
        assert_eq!(group_id(groups, "wheel"), None);
    }
}
