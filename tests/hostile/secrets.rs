//! Secrets as markers, through a whole install; then everything is searched for them that should not have them.

use std::{fs, path::Path};

use super::*;
use support::service::small_system;

const CONFIG: &str = "MARKER-CLOUD-CONFIG";
const PASSWORD: &str = "MARKER-PASSWORD";
const TOKEN: &str = "MARKER-API-TOKEN";
const VARIABLE: &str = "MARKER-VARIABLE";
const KEY: &str = "MARKER-PRIVATE-KEY";
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

#[test]
fn secrets_are_given_to_their_node_and_shown_nowhere() {
    let net = Net::new();
    small_system(&net);
    net.write(
        "assets/cloud-configs/n1.yml.j2",
        format!(
            "#cloud-config\nhostname: n1\n# {CONFIG} {{{{ node.vars.password }}}} {{{{ node.vars.other }}}}\n"
        ),
    );
    net.write(
        "assets/cloud-configs/n2.yml.j2",
        format!("#cloud-config\nhostname: n2 {CONFIG} {{{{ node.vars.missing.{VARIABLE} }}}}\n"),
    );
    net.write(
        "assets/keys/private.asc",
        format!("-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n{KEY}\n-----END PGP PRIVATE KEY BLOCK-----\n"),
    );
    net.write("token", format!("{TOKEN}\n"));
    let text = format!(
        "{NO_PROBE}[http]\ntoken_file = '{}'\n[[node]]\nname = 'n1'\nmac = '{ONE}'\nvars = {{ password = '{PASSWORD}', other = '{VARIABLE}' }}\n\
         [[node]]\nname = 'n2'\nmac = '02:00:00:00:00:02'\n",
        net.path("token").display()
    );
    let service = Service::start(&net, &text);
    service.cli(&["arm", "n1"]);
    net.client("c1", ONE);
    let said = net.run_in("c1", &format!("{UDHCPC} -V PXEClient:Arch:00000:UNDI:002001"));
    let address =
        said.split("lease of ").nth(1).and_then(|rest| rest.split_whitespace().next()).expect("a lease");
    net.run_in("c1", &format!("ip address add {address}/24 dev eth0"));
    let menu = net.run_in("c1", "curl -sS tftp://10.10.10.1/pxelinux.cfg/01-02-00-00-00-00-01");
    let grant = menu.split("/g/").nth(1).and_then(|rest| rest.split('/').next()).expect("a grant").to_owned();
    let base = format!("http://10.10.10.1/g/{grant}");
    // Its own configuration has them: the markers are planted.
    let own = net.run_in("c1", &format!("curl -s {base}/cloud-configs/{ONE}.yml"));
    assert!([CONFIG, PASSWORD, VARIABLE].iter().all(|secret| own.contains(secret)), "{own}");
    // The rest of the flow: script, image, reports, a failure, wrong tokens, a broken template, a reload.
    for path in ["cloud-configs/install.sh", "coreos/1010.5.0/coreos_production_image.bin.bz2"] {
        net.run_in("c1", &format!("curl -s -o /dev/null {base}/{path}"));
    }
    let report = |stage: &str, ok: bool| {
        net.run_in(
            "c1",
            &format!(
                "curl -s --data '{{\"stage\":\"{stage}\",\"ok\":{ok}}}' {base}/api/v1/nodes/{ONE}/report"
            ),
        )
    };
    report("written", true);
    report("installed", true);
    net.run_in(
        "c1",
        &format!("curl -s -X POST -H 'Authorization: Bearer {TOKEN}' http://10.10.10.1/api/v1/disarm"),
    );
    net.run_in(
        "c1",
        &format!("curl -s -X POST -H 'Authorization: Bearer {TOKEN}x' http://10.10.10.1/api/v1/disarm"),
    );
    let _ = service.try_cli(&["arm", "n2"]);
    let _ = service.try_cli(&["node", "show", "n2"]);
    service.reload(&text);
    service.wait_for("the new configuration is in force", SOON);
    // What anybody on the network reads, what people see here, what is kept, and what is sent to maintainers.
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
        "keys/private.asc",
        "cloud-configs/n1.yml.j2",
    ] {
        let got = net.run_in("c1", &format!("curl -s -m 5 http://10.10.10.1/{path} || true"));
        assert_none(path, got.as_bytes(), if path.starts_with("cloud-configs/") { &[] } else { &ALL });
    }
    let log = service.log().join("\n");
    assert_none("the log", log.as_bytes(), &ALL);
    assert_none("the log", log.as_bytes(), &[&grant]);
    for view in [&["status"][..], &["nodes"], &["node", "show", "n1"], &["nodes", "--json"], &["assets"]] {
        assert_none(&view.join(" "), &service.try_cli(view).stdout, &ALL);
    }
    for (name, bytes) in contents(&net.path("state")) {
        assert_none(&name, &bytes, &ALL);
    }
    let (archive, config) = (net.path("report.tar"), net.path("rackberry.toml"));
    service.cli(&[
        "report",
        "save",
        archive.to_str().expect("text"),
        "--config",
        config.to_str().expect("text"),
    ]);
    assert_none("the report", &fs::read(archive).expect("a report"), &ALL);
    // A machine that is not n1 gets none of it.
    net.client("c2", "02:00:00:00:00:02");
    net.run_in("c2", "ip address add 10.10.10.79/24 dev eth0");
    for path in [
        &format!("cloud-configs/{ONE}.yml")[..],
        "cloud-configs/n1.yml",
        "cloud-configs/n1.yml.j2",
        "profile/install.sh",
    ] {
        let got = net.run_in(
            "c2",
            &format!("curl -s http://10.10.10.1/{path}; curl -s -m 5 tftp://10.10.10.1/{path} || true"),
        );
        assert_none(path, got.as_bytes(), &ALL);
    }
}
