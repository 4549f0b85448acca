//! The servers, each in a network of its own, all with the same files.

use std::{path::Path, process::Command, time::Duration};

use crate::support::{self, HERE, Net, Watched};

const PATIENCE: Duration = Duration::from_secs(20);

pub struct Server {
    pub name: String,
    pub net: Net,
    process: Watched,
}

impl Server {
    /// Its process.
    pub fn id(&self) -> u32 {
        self.process.pid().as_raw_nonzero().get().unsigned_abs()
    }

    fn start(name: &str, net: Net, command: Command) -> Server {
        let process = Watched::start(command);
        let url = format!("http://{HERE}/{}", super::SMALL);
        support::wait_until(&format!("{name} serves {url}"), PATIENCE, || {
            let mut curl = net.command("curl");
            curl.args(["-q", "-sf", "-o", "/dev/null", &url]).status().expect("curl").success()
        });
        Server { name: name.into(), net, process }
    }
}

/// All of them; `own` and `other` are builds of rackberry.
pub fn all(folder: &Path, own: &Path, other: Option<&Path>) -> Vec<Server> {
    let mut servers = vec![nginx(folder), lighttpd(folder)];
    servers.extend(other.map(|binary| rackberry("rackberry, other", binary, folder)));
    servers.push(rackberry("rackberry", own, folder));
    servers
}

fn rackberry(name: &str, binary: &Path, folder: &Path) -> Server {
    let net = Net::new();
    let loaders = net.path("loaders");
    std::fs::create_dir(&loaders).expect("a folder");
    let text = format!(
        "[network]\ninterface = 'br0'\nmode = 'full'\n[assets]\ndirs = ['{}']\nloaders = '{}'\nverify = 'unsigned-ok'\n",
        folder.display(),
        loaders.display(),
    );
    let config = net.write("rackberry.toml", text);
    let mut command = net.command(binary);
    command.arg("--socket").arg(net.path("control.sock")).args(["serve", "--panel", "none", "--config"]);
    command.arg(config).arg("--state").arg(net.path("state"));
    Server::start(name, net, command)
}

/// A program of `image/setup bench`, with the libraries that came with it.
fn peer(net: &Net, program: &str) -> Command {
    let root = support::root().join("target/peers");
    let path = root.join("usr/sbin").join(program);
    assert!(path.exists(), "{} is missing; run: image/setup bench", path.display());
    // Neither as root, who would change to a user that does not exist here.
    net.run("echo 0 >/proc/sys/net/ipv4/ip_unprivileged_port_start");
    let mut command = net.command("unshare");
    let libraries = format!("{}/usr/lib/{}-linux-gnu", root.display(), std::env::consts::ARCH);
    command
        .args(["--user", "--map-user=1000", "--map-group=1000"])
        .arg(path)
        .env("LD_LIBRARY_PATH", libraries);
    command
}

/// As Debian configures it, with as many workers as there are processors, and no log.
fn nginx(folder: &Path) -> Server {
    let net = Net::new();
    let dir = net.dir.path().display().to_string();
    let config = format!(
        "daemon off; worker_processes auto; pid {dir}/nginx.pid; error_log {dir}/error.log;
         events {{ worker_connections 768; }}
         http {{
           sendfile on; tcp_nopush on; access_log off; keepalive_requests 1000000;
           client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/fastcgi;
           uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;
           server {{ listen {HERE}:80; root {}; }}
         }}",
        folder.display(),
    );
    let config = net.write("nginx.conf", config);
    let mut command = peer(&net, "nginx");
    command.arg("-p").arg(net.dir.path()).arg("-e").arg(net.path("error.log")).arg("-c").arg(config);
    Server::start("nginx", net, command)
}

/// As Debian configures it.
fn lighttpd(folder: &Path) -> Server {
    let net = Net::new();
    let config = format!(
        "server.document-root = \"{}\"\nserver.bind = \"{HERE}\"\nserver.port = 80\nserver.max-keep-alive-requests = 65000\n\
         server.upload-dirs = ( \"{}\" )\n",
        folder.display(),
        net.dir.path().display(),
    );
    let config = net.write("lighttpd.conf", config);
    let mut command = peer(&net, "lighttpd");
    command
        .arg("-m")
        .arg(support::root().join("target/peers/usr/lib/lighttpd"))
        .arg("-D")
        .arg("-f")
        .arg(config);
    Server::start("lighttpd", net, command)
}
