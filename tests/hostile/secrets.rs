//! Secrets as markers, through a whole install; then everything is searched for them that should not have them.

use std::{fs, path::Path};

use super::*;
use support::service::small_system;

const CONFIG: &str = "MARKER-CLOUD-CONFIG";
const PASSWORD: &str = "MARKER-PASSWORD";
const TOKEN: &str = "MARKER-API-TOKEN";
const VARIABLE: &str = "MARKER-VARIABLE";
const KEY: &str = "MARKER-PRIVATE-KEY";
const TWO: &str = "02:00:00:00:00:02";
const ALL: [&str; 5] = [CONFIG, PASSWORD, TOKEN, VARIABLE, KEY];

/// All that is in a folder, with names.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            all.extend(contents(&path));
        } else if let Ok(bytes) = fs::read(&path) {
            all.push((path.display().to_string(), bytes));
        }
    }
    all
}

fn assert_none(what: &str, bytes: &[u8], secrets: &[&str]) {
    for secret in secrets {
        let is_there = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!is_there, "{secret} is in {what}");
    }
}

/// Plants them; the configuration.
fn planted(net: &Net) -> String {
    small_system(net);
    let own = format!("# {CONFIG} {{{{ node.vars.password }}}} {{{{ node.vars.other }}}}\n");
    net.write("assets/cloud-configs/n1.yml.j2", format!("#cloud-config\nhostname: n1\n{own}"));
    let broken = format!("hostname: n2 {CONFIG} {{{{ node.vars.missing.{VARIABLE} }}}}\n");
    net.write("assets/cloud-configs/n2.yml.j2", format!("#cloud-config\n{broken}"));
    let key =
        format!("-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n{KEY}\n-----END PGP PRIVATE KEY BLOCK-----\n");
    net.write("assets/keys/private.asc", key);
    let token = net.write("token", format!("{TOKEN}\n"));
    let vars = format!("vars = {{ password = '{PASSWORD}', other = '{VARIABLE}' }}");
    format!(
        "{NO_PROBE}[http]\ntoken_file = '{}'\n[[node]]\nname = 'n1'\nmac = '{ONE}'\n{vars}\n[[node]]\nname = 'n2'\nmac = '{TWO}'\n",
        token.display()
    )
}

/// An install by the network, with all that may go wrong beside it; the grant that it had.
fn through_an_install(service: &Service<'_>, text: &str) -> String {
    let net = service.net;
    service.cli(&["arm", "n1"]);
    net.client("c1", ONE);
    let said = net.run_in("c1", &format!("{UDHCPC} -V PXEClient:Arch:00000:UNDI:002001"));
    let address = said.split("lease of ").nth(1).and_then(|rest| rest.split_whitespace().next());
    net.run_in("c1", &format!("ip address add {}/24 dev eth0", address.expect("a lease")));
    let menu = net.run_in("c1", "curl -sS tftp://10.10.10.1/pxelinux.cfg/01-02-00-00-00-00-01");
    let grant = menu.split("/g/").nth(1).and_then(|rest| rest.split('/').next()).expect("a grant").to_owned();
    let base = format!("http://10.10.10.1/g/{grant}");
    // The markers are planted: its own configuration has them.
    let own = net.run_in("c1", &format!("curl -s {base}/cloud-configs/{ONE}.yml"));
    assert!([CONFIG, PASSWORD, VARIABLE].iter().all(|secret| own.contains(secret)), "{own}");
    for path in ["cloud-configs/install.sh", "coreos/1010.5.0/coreos_production_image.bin.bz2"] {
        net.run_in("c1", &format!("curl -s -o /dev/null {base}/{path}"));
    }
    for stage in ["written", "installed"] {
        let report = format!("{{\"stage\":\"{stage}\",\"ok\":true}}");
        net.run_in("c1", &format!("curl -s --data '{report}' {base}/api/v1/nodes/{ONE}/report"));
    }
    for token in [TOKEN.to_owned(), format!("{TOKEN}x")] {
        let bearer = format!("Authorization: Bearer {token}");
        net.run_in("c1", &format!("curl -s -X POST -H '{bearer}' http://10.10.10.1/api/v1/disarm"));
    }
    let _ = service.try_cli(&["arm", "n2"]);
    service.reload(text);
    service.wait_for("the new configuration is in force", SOON);
    grant
}

#[test]
fn secrets_are_given_to_their_node_and_shown_nowhere() {
    let net = Net::new();
    let text = planted(&net);
    let service = Service::start(&net, &text);
    let grant = through_an_install(&service, &text);
    // What anybody on the network reads.
    net.client("c2", TWO);
    net.run_in("c2", "ip address add 10.10.10.79/24 dev eth0");
    let config = format!("cloud-configs/{ONE}.yml");
    for path in [
        "",
        "api/v1/status",
        "api/v1/nodes",
        "api/v1/nodes/n1",
        "api/v1/nodes/n2",
        "api/v1/assets",
        "metrics",
        "api/v1/nodes/n1/render",
        "api/v1/packets",
        "cloud-configs/n1.yml",
        "cloud-configs/n1.yml.j2",
        "keys/private.asc",
        "profile/install.sh",
        &config,
    ] {
        let got = net.run_in("c2", &format!("curl -s -m 5 http://10.10.10.1/{path} || true"));
        assert_none(path, got.as_bytes(), &ALL);
        let got = net.run_in("c2", &format!("curl -s -m 5 tftp://10.10.10.1/{path} || true"));
        assert_none(path, got.as_bytes(), &ALL);
    }
    // What people see here, what is kept, and what is sent to maintainers.
    let log = service.log().join("\n");
    assert_none("the log", log.as_bytes(), &ALL);
    assert_none("the log", log.as_bytes(), &[&grant]);
    for view in
        [&["status"][..], &["nodes"], &["node", "show", "n1"], &["node", "show", "n2"], &["nodes", "--json"]]
    {
        assert_none(&view.join(" "), &service.try_cli(view).stdout, &ALL);
    }
    for (name, bytes) in contents(&net.path("state")) {
        assert_none(&name, &bytes, &ALL);
    }
    let (archive, config) = (net.path("report.tar"), net.path("rackberry.toml"));
    let arguments =
        ["report", "save", archive.to_str().expect("text"), "--config", config.to_str().expect("text")];
    service.cli(&arguments);
    assert_none("the report", &fs::read(archive).expect("a report"), &ALL);
}
