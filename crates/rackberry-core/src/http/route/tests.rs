use std::path::{Component, Path};

use proptest::prelude::*;

use super::*;

const MAC: Mac = Mac([0x00, 0x25, 0x90, 0xc0, 0xf7, 0x86]);

fn file(path: &str) -> Result<Route, RouteError> {
    Ok(Route::File(path.split('/').map(str::to_owned).collect()))
}

fn parse(path: &str, query: Option<&str>) -> Result<Route, RouteError> {
    super::parse(path, query).map(|target| target.route)
}

fn tree(name: &str) -> Result<Route, RouteError> {
    super::tree(name).map(|target| target.route)
}

fn url(target: &str) -> Result<Route, RouteError> {
    match target.split_once('?') {
        Some((path, query)) => parse(path, Some(query)),
        None => parse(target, None),
    }
}

fn config(kind: Option<ConfigKind>) -> Route {
    Route::NodeConfig(MAC, kind)
}

fn other(path: &[&str]) -> Route {
    Route::ConfigFile(path.iter().map(|segment| (*segment).to_owned()).collect())
}

#[test]
fn every_documented_url_means_what_it_should() {
    for (target, route) in [
        ("/", Route::Page),
        ("/healthz", Route::Health),
        ("/metrics", Route::Metrics),
        ("/cloud-configs/00:25:90:c0:f7:86.yml", config(Some(ConfigKind::CloudConfig))),
        ("/cloud-configs/00%3a25%3A90:c0:f7:86.yml", config(Some(ConfigKind::CloudConfig))),
        ("/cloud-configs/002590C0F786.yaml", config(Some(ConfigKind::CloudConfig))),
        ("/cloud-configs/00:25:90:c0:f7:86.ign", config(Some(ConfigKind::Ignition))),
        ("/cloud-config/00-25-90-C0-F7-86", config(None)),
        ("/cloud-config/0025.90c0.f786", config(None)),
        ("/cloud-configs/0025.90c0.f786.ign", config(Some(ConfigKind::Ignition))),
        ("/static/cloud-configs/0025.90c0.f786.yml", config(Some(ConfigKind::CloudConfig))),
        ("/cloud-configs/01-00-25-90-c0-f7-86.YML", config(Some(ConfigKind::CloudConfig))),
        ("/Cloud-Configs./01:00:25:90:C0:F7:86", config(None)),
        ("/cloud-configs/pxe.yml", other(&["pxe.yml"])),
        ("/cloud-configs/Node1.yml", other(&["Node1.yml"])),
        ("/static/cloud-config/certs/ca.pem", other(&["certs", "ca.pem"])),
        ("/CLOUD-CONFIGS/post.sh", other(&["post.sh"])),
        ("/cloud-configs/00:25:90:c0:f7:86.exe", other(&["00:25:90:c0:f7:86.exe"])),
        ("/Cloud-Config/Install.SH", Route::InstallScript),
        ("/profile/install.sh", Route::InstallScript),
        ("/profile/live.ign", Route::ProfileText("live.ign".into())),
        ("/profile/scripts/run.sh", other(&["scripts", "run.sh"])),
        ("/cloud-configs/install.sh", Route::InstallScript),
        ("/static/cloud-config/install.sh", Route::InstallScript),
        ("/static/cloud-configs/install.sh", Route::InstallScript),
        ("/ignition?mac=00:25:90:c0:f7:86", config(Some(ConfigKind::Ignition))),
        ("/ignition?uuid=4c4c4544&mac=00%3A25%3A90%3Ac0%3Af7%3A86", config(Some(ConfigKind::Ignition))),
        ("/boot.ipxe?mac=00-25-90-c0-f7-86&arch=x86_64", Route::IpxeScript(MAC)),
        ("/pxelinux.cfg/01-00-25-90-c0-f7-86", Route::PxelinuxMenu("01-00-25-90-c0-f7-86".into())),
        ("/bios/pxelinux.cfg/default", Route::PxelinuxMenu("default".into())),
        ("/grub/grub.cfg", Route::GrubMenu("grub.cfg".into())),
        ("/debian-installer/amd64/grub/grub.cfg", Route::GrubMenu("grub.cfg".into())),
        ("/grub/grub.cfg-01-00-25-90-c0-f7-86", Route::GrubMenu("grub.cfg-01-00-25-90-c0-f7-86".into())),
        ("/api/v1/openapi.json", Route::Api(Api::OpenApi)),
        ("/api/v1/status", Route::Api(Api::Status)),
        ("/api/v1/nodes", Route::Api(Api::Nodes)),
        ("/api/v1/nodes/node1", Route::Api(Api::Node("node1".into()))),
        ("/api/v1/nodes/node1/render", Route::Api(Api::Render("node1".into()))),
        ("/api/v1/nodes/node1/wake", Route::Api(Api::Wake("node1".into()))),
        ("/api/v1/packets", Route::Api(Api::Packets(None))),
        ("/api/v1/nodes/node1/packets", Route::Api(Api::Packets(Some("node1".into())))),
        ("/api/v1/assets", Route::Api(Api::Assets)),
        ("/api/v1/events", Route::Api(Api::Events)),
        ("/api/v1/arm", Route::Api(Api::Arm)),
        ("/api/v1/disarm", Route::Api(Api::Disarm)),
        ("/api/v1/nodes/00:25:90:c0:f7:86/report", Route::Api(Api::Report(MAC))),
        ("/api/v1/nodes/node1/reinstall", Route::Api(Api::Reinstall("node1".into()))),
        ("/api/v1/nodes/00:25:90:c0:f7:86/forget", Route::Api(Api::Forget("00:25:90:c0:f7:86".into()))),
    ] {
        assert_eq!(url(target), Ok(route), "{target}");
    }
}

#[test]
fn a_grant_stands_before_what_it_is_for() {
    for (target, route) in [
        ("/g/12ab/1010.5.0/a.bz2", file("1010.5.0/a.bz2").unwrap()),
        ("//g//12ab//static/cloud-configs/install.sh", Route::InstallScript),
        ("/g/12ab/cloud-config/002590C0F786", config(None)),
        ("/g/12ab/api/v1/nodes/00:25:90:c0:f7:86/report", Route::Api(Api::Report(MAC))),
    ] {
        let grant = Some("12ab".to_owned());
        assert_eq!(super::parse(target, None), Ok(Target { grant, route }), "{target}");
    }
    let kernel = Target { grant: Some("12ab".into()), route: file("coreos/1/k").unwrap() };
    assert_eq!(super::tree("g/12ab/coreos/1/k"), Ok(kernel));
    for target in ["/g/12ab/", "/g/12ab/api/v1/arm", "/g/12ab/metrics", "/g/12ab/healthz"] {
        assert!(matches!(url(target), Err(RouteError::NotFound(_))), "{target}: {:?}", url(target));
    }
    assert_eq!(url("/g"), file("g"));
    assert_eq!(url("/g/12ab"), file("g/12ab"));
}

#[test]
fn files_lose_static_and_superfluous_slashes() {
    let image = "1010.5.0/coreos_production_image.bin.bz2";
    for target in ["/1010.5.0/", "//1010.5.0//", "/static/1010.5.0/", "/./1010.5.0/%2e/", "1010.5.0/"] {
        assert_eq!(url(&format!("{target}coreos_production_image.bin.bz2")), file(image), "{target}");
    }
    assert_eq!(url("/static/current/version.txt"), file("current/version.txt"));
    assert_eq!(url("/coreos/current/a%20b%25"), file("coreos/current/a b%"));
    assert_eq!(url("/static"), file("static"));
    // Own menus' files, wherever the loader believes to be.
    assert_eq!(url("/pxelinux.cfg/rack.cfg"), file("pxelinux.cfg/rack.cfg"));
    assert_eq!(url("/bios/PXELINUX.CFG/menus/rack.cfg"), file("PXELINUX.CFG/menus/rack.cfg"));
    assert_eq!(url("/pxelinux.cfg/C0A8025B"), Ok(Route::PxelinuxMenu("c0a8025b".into())));
    assert_eq!(url("/pxelinux.cfg/default.cfg"), file("pxelinux.cfg/default.cfg"));
    assert_eq!(url("/grub/x86_64-efi/command.lst"), file("grub/x86_64-efi/command.lst"));
}

#[test]
fn what_can_not_be_there_is_not_found() {
    for target in [
        "/static/",
        "/1010.5.0/",
        "/1010.5.0/file/",
        "/api",
        "/api/v2/status",
        "/api/v1",
        "/api/v1/nodes/node1/report",
        "/api/v1/nodes/node1/explode",
    ] {
        assert!(matches!(url(target), Err(RouteError::NotFound(_))), "{target}: {:?}", url(target));
    }
    for target in
        ["/ignition", "/ignition?mac=", "/ignition?mac=x", "/boot.ipxe?mac=002590c0f786&mac=002590c0f787"]
    {
        assert!(matches!(url(target), Err(RouteError::BadQuery(_))), "{target}: {:?}", url(target));
    }
}

#[test]
fn path_tricks_are_refused() {
    for (target, error) in [
        ("/../etc/passwd", RouteError::Escapes),
        ("/a/..", RouteError::Escapes),
        ("/%2e%2e/etc/passwd", RouteError::Escapes),
        ("/.%2E/etc/passwd", RouteError::Escapes),
        ("/..%2fetc/passwd", RouteError::BadCharacter('/')),
        ("/..%5cetc/passwd", RouteError::BadCharacter('\\')),
        ("/..\\etc", RouteError::BadCharacter('\\')),
        ("/a%00b", RouteError::BadCharacter('\0')),
        ("/a%0d%0aSet-Cookie:x", RouteError::BadCharacter('\r')),
        ("/a%7f", RouteError::BadCharacter('\u{7f}')),
        ("/a%c2%85", RouteError::BadCharacter('\u{85}')),
        ("/a%ff", RouteError::NotUtf8),
        ("/a%c0%ae%c0%ae/", RouteError::NotUtf8),
        ("/a%", RouteError::BadEscape),
        ("/a%4", RouteError::BadEscape),
        ("/a%+4", RouteError::BadEscape),
        ("/a%4x", RouteError::BadEscape),
    ] {
        assert_eq!(url(target), Err(error), "{target}");
    }
    // Decoded once: a name that has an escape in it, and no dots.
    assert_eq!(url("/%252e%252e/x"), file("%2e%2e/x"));
    assert_eq!(url(&"/a".repeat(600)), Err(RouteError::TooLong));
    assert_eq!(url(&format!("/{}", "a".repeat(256))), Err(RouteError::TooLong));
    assert_eq!(url(&format!("/ignition?{}", "a".repeat(1025))), Err(RouteError::TooLong));
}

#[test]
fn tftp_names_are_the_same_tree() {
    assert_eq!(tree("pxelinux.0"), file("pxelinux.0"));
    assert_eq!(tree("/pxelinux.0"), file("pxelinux.0"));
    assert_eq!(tree("//1010.5.0//kernel"), file("1010.5.0/kernel"));
    assert_eq!(tree("\\boot\\x64\\wdsnbp.com"), file("boot/x64/wdsnbp.com"));
    assert_eq!(tree("100%.img"), file("100%.img"));
    assert_eq!(tree("%2e%2e/x"), file("%2e%2e/x"));
    assert_eq!(tree("pxelinux.cfg/default"), Ok(Route::PxelinuxMenu("default".into())));
    assert_eq!(tree("grub/grub.cfg"), Ok(Route::GrubMenu("grub.cfg".into())));
    assert_eq!(tree("boot.ipxe?mac=002590c0f786"), Ok(Route::IpxeScript(MAC)));
    assert_eq!(tree("..\\..\\etc\\passwd"), Err(RouteError::Escapes));
    assert_eq!(tree("a/../b"), Err(RouteError::Escapes));
    for name in ["", "/", "api/v1/status", "healthz", "metrics", "a/", "a\\"] {
        assert!(matches!(tree(name), Err(RouteError::NotFound(_))), "{name}");
    }
}

fn stays_inside(route: &Route) -> bool {
    let names: &[String] = match route {
        Route::File(segments) | Route::ConfigFile(segments) => segments,
        Route::PxelinuxMenu(name) | Route::GrubMenu(name) => std::slice::from_ref(name),
        Route::Api(
            Api::Packets(Some(node))
            | Api::Node(node)
            | Api::Render(node)
            | Api::Reinstall(node)
            | Api::Wake(node)
            | Api::Forget(node),
        ) => std::slice::from_ref(node),
        _ => return true,
    };
    let path: std::path::PathBuf = names.iter().collect();
    !names.is_empty()
        && names.iter().all(|name| {
            (1..=LONGEST_SEGMENT).contains(&name.len())
                && !name.chars().any(|c| c.is_control() || c == '/' || c == '\\')
                && Path::new(name).components().eq([Component::Normal(name.as_ref())])
        })
        && path.components().all(|part| matches!(part, Component::Normal(_)))
        && Path::new("/root").join(&path).starts_with("/root")
}

proptest! {
    #[test]
    fn no_segment_ever_escapes(
        parts in prop::collection::vec(
            prop::sample::select(vec![
                "/", "/", ".", "..", "%2e", "%2E", "%2f", "%5c", "\\", "%", "%25", "%00", "a", "static",
                "pxelinux.cfg", "grub", "grub.cfg", "api/v1/nodes", "é", "%c3%a9", "%ff", "//", " ", "\n",
            ]),
            0..12,
        ),
        query in prop::option::of(".{0,20}"),
    ) {
        let path = parts.concat();
        if let Ok(route) = parse(&path, query.as_deref()) {
            prop_assert!(stays_inside(&route), "{path:?}: {route:?}");
        }
        if let Ok(route) = tree(&path) {
            prop_assert!(stays_inside(&route), "{path:?}: {route:?}");
        }
    }

    #[test]
    fn any_text_is_parsed_without_panic(path in ".{0,64}", query in prop::option::of(".{0,64}")) {
        for route in [parse(&path, query.as_deref()), tree(&path)].into_iter().flatten() {
            prop_assert!(stays_inside(&route), "{path:?}: {route:?}");
        }
    }

    #[test]
    fn encoded_names_come_back(names in prop::collection::vec("[a-zA-Z0-9 %+~é._-]{1,20}", 1..4)) {
        prop_assume!(names.iter().all(|name| name != "." && name != ".." && name != "static"));
        let encode = |name: &String| name.bytes().map(|b| format!("%{b:02X}")).collect::<String>();
        let path: String = names.iter().map(|name| format!("/x{}", encode(name))).collect();
        let plain: Vec<String> = names.iter().map(|name| format!("x{name}")).collect();
        prop_assert_eq!(parse(&path, None), Ok(Route::File(plain)));
    }
}
