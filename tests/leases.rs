//! Real DHCP clients, each with its own idea of what to do when its server is away for longer than a lease: a switched-off
//! Raspberry Pi, say. All must have their old addresses again soon after it is back.

mod support;

use std::{env, fs, path::Path, time::Duration};

use rackberry::service;
use rackberry_core::config;
use support::{Net, Watched, service::config_text, wait_until};

const SOON: Duration = Duration::from_secs(20);
/// Longer than any of them waits between two DISCOVERs in its first minute.
const PATIENCE: Duration = Duration::from_secs(60);
/// The configuration allows two minutes and more; nobody is to wait for that here. `LEASE_SECONDS=120` does.
const LEASE_SECONDS: u64 = 12;

fn lease() -> u64 {
    env::var("LEASE_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(LEASE_SECONDS)
}

/// Is the service, with a lease that is shorter than its configuration allows, when `SERVE` names its configuration.
#[test]
fn service_with_a_short_lease() {
    let Some(file) = env::var_os("SERVE") else { return };
    let text = fs::read_to_string(&file).unwrap();
    let mut settings = config::parse(&[("short".into(), text)]).unwrap();
    settings.dhcp.lease = Duration::from_secs(lease());
    let dir = Path::new(&file).parent().unwrap();
    let options = service::ServiceOptions {
        journal_mark: None,
        config: vec![file.clone().into()],
        state: dir.join("state"),
        panel: service::PanelChoice::None,
        socket: dir.join("control.sock"),
        config_faults: None,
    };
    tokio::runtime::Runtime::new().unwrap().block_on(service::serve(settings, options)).unwrap();
}

fn serve(net: &Net) -> Watched {
    let file = net.write("short.toml", config_text(net, "[dhcp]\nprobe = true\n"));
    let mut command = net.command(env::current_exe().expect("this test"));
    command.args(["--exact", "service_with_a_short_lease", "--nocapture"]).env("SERVE", file);
    let service = Watched::start(command);
    service.wait_for("ready and safe", 0, SOON);
    service
}

/// A client that keeps its lease until somebody ends it, in a namespace of its own; in the script, `DIR` is a folder of its
/// own.
fn client(net: &Net, name: &str, script: &str) -> Watched {
    let dir = net.path(name);
    fs::create_dir_all(&dir).expect("a folder");
    let script = script.replace("DIR", &dir.display().to_string());
    // Where /sys can't be written, clients don't wait for udev.
    let read_only = "mount --bind /sys /sys && mount -o remount,bind,ro /sys";
    let mut command = net.command("ip");
    command.args([
        "netns",
        "exec",
        name,
        "unshare",
        "--mount",
        "sh",
        "-ec",
        &format!("{read_only}\n{script}"),
    ]);
    Watched::start(command)
}

fn dhclient(net: &Net) -> Watched {
    net.write("dhclient/conf", "retry 2;\ntimeout 4;\ninitial-interval 1;\nbackoff-cutoff 4;\n");
    client(
        net,
        "dhclient",
        "touch DIR/leases
         printf '#!/bin/sh\\ncase $reason in\\nBOUND|RENEW|REBIND|REBOOT) ip address replace $new_ip_address/24 dev eth0 ;;\\nEXPIRE|FAIL|STOP|RELEASE) ip address flush dev eth0 ;;\\nesac\\n' >DIR/script
         chmod +x DIR/script
         exec dhclient -v -d -cf DIR/conf -lf DIR/leases -pf DIR/pid -sf DIR/script eth0",
    )
}

fn udhcpc(net: &Net) -> Watched {
    client(
        net,
        "udhcpc",
        "printf '#!/bin/sh\\ncase $1 in\\nbound|renew) ip address replace $ip/24 dev eth0 ;;\\ndeconfig|leasefail) ip address flush dev eth0 ;;\\nesac\\n' >DIR/script
         chmod +x DIR/script
         exec udhcpc -f -i eth0 -t 3 -T 1 -A 2 -p DIR/pid -s DIR/script",
    )
}

fn networkd(net: &Net) -> Watched {
    client(
        net,
        "networkd",
        "mkdir -p /run/systemd/network
         printf '[Match]\\nName=eth0\\n[Network]\\nDHCP=ipv4\\nLinkLocalAddressing=no\\nIPv6AcceptRA=no\\n' >/run/systemd/network/eth0.network
         # It becomes this user, who must be somebody whom this namespace knows.
         printf 'root:x:0:0::/:/bin/sh\\nsystemd-network:x:0:0::/:/bin/sh\\n' >DIR/passwd
         mount --bind DIR/passwd /etc/passwd
         exec env SYSTEMD_LOG_LEVEL=debug SYSTEMD_LOG_TARGET=console /lib/systemd/systemd-networkd",
    )
}

/// Where image/setup unpacks what must not be installed on a developer's machine.
fn unpacked() -> std::path::PathBuf {
    support::root().join("target/clients")
}

fn network_manager(net: &Net) -> Watched {
    net.write(
        "manager/bus.conf",
        "<busconfig><type>system</type><listen>unix:path=/run/nm-bus</listen><policy context='default'>\
         <allow user='*'/><allow own='*'/><allow send_destination='*' eavesdrop='true'/><allow eavesdrop='true'/>\
         </policy></busconfig>",
    );
    net.write(
        "manager/nm.conf",
        format!(
            "[main]\nplugins=keyfile\ndhcp=internal\nno-auto-default=*\ndns=none\nrc-manager=unmanaged\n\
             [keyfile]\npath={}\n[connectivity]\nenabled=false\n",
            net.path("manager/connections").display()
        ),
    );
    let connection = net.write(
        "manager/connections/eth0.nmconnection",
        "[connection]\nid=eth0\nuuid=11111111-1111-1111-1111-111111111111\ntype=ethernet\ninterface-name=eth0\n\
         autoconnect-retries=0\n[ipv4]\nmethod=auto\ndhcp-timeout=2147483647\n[ipv6]\nmethod=disabled\n",
    );
    net.run(&format!("chmod 600 {}", connection.display()));
    client(
        net,
        "manager",
        &"mount -t tmpfs none /var/lib
         mkdir -p /var/lib/NetworkManager /run/NetworkManager
         dbus-daemon --config-file=DIR/bus.conf --nofork --nopidfile &
         while ! [ -S /run/nm-bus ]; do sleep 0.05; done
         export DBUS_SYSTEM_BUS_ADDRESS=unix:path=/run/nm-bus
         export LD_LIBRARY_PATH=$(echo CLIENTS/usr/lib/*-linux-gnu)
         exec CLIENTS/usr/sbin/NetworkManager --debug --config=DIR/nm.conf --config-dir=DIR/none \
           --system-config-dir=DIR/none --intern-config=DIR/intern --state-file=DIR/state --log-level=INFO"
            .replace("CLIENTS", &unpacked().display().to_string()),
    )
}

/// The address that a client's card has.
fn address(net: &Net, client: &str) -> Option<String> {
    let said = net.run(&format!("ip -n {client} -4 -o address show dev eth0"));
    said.split_whitespace().skip_while(|word| *word != "inet").nth(1).map(str::to_owned)
}

#[test]
fn clients_get_their_addresses_back_after_the_service_was_away_for_longer_than_a_lease() {
    let net = Net::new();
    let names = ["dhclient", "udhcpc", "networkd", "manager"];
    for (number, name) in names.iter().enumerate() {
        net.client(name, &format!("02:00:00:00:00:0{}", number + 1));
    }
    let mut service = serve(&net);
    let clients = [dhclient(&net), udhcpc(&net), networkd(&net), network_manager(&net)];
    let all = || names.map(|name| address(&net, name));
    wait_until("all have addresses", PATIENCE, || all().iter().all(Option::is_some));
    let first = all();
    service.kill();
    // udhcpc believes in no lease of less than two minutes: it is told twice to renew it, and gives it up, too.
    let lost = Duration::from_secs(lease()) + SOON;
    wait_until("all have lost them", lost, || {
        if address(&net, "udhcpc").is_some() && lease() < 120 {
            net.run(&format!("kill -USR1 $(cat {})", net.path("udhcpc/pid").display()));
        }
        all().iter().all(Option::is_none)
    });
    // A Raspberry Pi that was off knows nobody's hardware address.
    net.run("ip neigh flush dev br0");
    let _service = serve(&net);
    wait_until("all have them again", PATIENCE, || all() == first);
    drop(clients);
}
