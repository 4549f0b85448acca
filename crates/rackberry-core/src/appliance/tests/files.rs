//! What is served to whom: the table of docs/operating.md, asked by a stranger, by a machine with a lease and no grant,
//! and by one that may install.

use super::*;

/// What each of the three gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gets {
    /// It is there, for everybody.
    Open,
    /// Only who may install has it; the others hear why not.
    Granted,
    /// Nobody has it, not even who may install: forbidden.
    Nobody,
    /// There is nothing of that name.
    Nothing,
}
use Gets::{Granted, Nobody, Nothing, Open};

/// A disk of 2016 with more on it than it needs, for two architectures, and everything that a disk gathers.
const TREE: &[(&str, &str)] = &[
    ("1010.5.0/coreos_production_pxe.vmlinuz", ""),
    ("1010.5.0/coreos_production_pxe_image.cpio.gz", ""),
    ("1010.5.0/coreos_production_image.bin.bz2", ""),
    ("1010.5.0/coreos_production_image.bin.bz2.sig", ""),
    ("1010.5.0/coreos_production_packet_image.bin.bz2", ""),
    ("1010.5.0/coreos_production_packet_image.bin.bz2.sig", ""),
    ("1010.5.0/version.txt", "COREOS_VERSION=1010.5.0\n"),
    ("1010.5.0/notes.txt", ""),
    ("1010.5.0/arm64-usr/coreos_production_pxe.vmlinuz", ""),
    ("1010.5.0/arm64-usr/coreos_production_pxe_image.cpio.gz", ""),
    ("1010.5.0/arm64-usr/coreos_production_image.bin.bz2", ""),
    ("1010.5.0/arm64-usr/coreos_production_image.bin.bz2.sig", ""),
    ("1068.6.0/coreos_production_pxe.vmlinuz", ""),
    ("1068.6.0/coreos_production_pxe_image.cpio.gz", ""),
    ("1068.6.0/coreos_production_image.bin.bz2", ""),
    ("1068.6.0/coreos_production_image.bin.bz2.sig", ""),
    ("coreos/current", "1010.5.0\n"),
    ("Cloud-Configs/default.yml", "#cloud-config\nhostname: a\n"),
    ("cloudconfigs/node1.yml", "#cloud-config\n"),
    ("keys/README.txt", ""),
    ("profiles/mine/preseed.cfg", "d-i passwd/root-password password secret\n"),
    ("files/docker.raw", ""),
    ("loaders/undionly.kpxe", ""),
    ("rackberry.toml", ""),
    ("photos/cat.jpg", ""),
];

fn world() -> World {
    let files = TREE.iter().map(|(name, text)| found(name, (!text.is_empty()).then_some(*text)));
    let loaders = Folder::new("loaders".into(), ["pxelinux.0", "ldlinux.c32"].map(|name| found(name, None)));
    let folder = Folder::new("usb".into(), files);
    World::with(settings(), Arc::new(Catalog::new(vec![folder], loaders, Some(&catalog())).all_good()))
}

fn gets(answers: [&Answer; 3]) -> Option<Gets> {
    let is_forbidden = |answer: &Answer| matches!(answer, Answer::Refused(Refusal::Forbidden(_)));
    let is_nothing = |answer: &Answer| matches!(answer, Answer::Refused(Refusal::NotFound(_)));
    let [stranger, leased, granted] = answers;
    match () {
        () if answers.into_iter().all(is_given) => Some(Open),
        () if is_forbidden(stranger) && is_forbidden(leased) && is_given(granted) => Some(Granted),
        () if answers.into_iter().all(is_forbidden) => Some(Nobody),
        () if answers.into_iter().all(is_nothing) => Some(Nothing),
        () => None,
    }
}

#[test]
fn a_stranger_a_machine_with_a_lease_and_one_that_may_install_get_what_the_table_says() {
    for (path, wanted) in [
        ("/pxelinux.0", Open),
        ("/undionly.kpxe", Open),
        ("/1010.5.0/coreos_production_pxe.vmlinuz", Open),
        ("/coreos/1010.5.0/coreos_production_pxe_image.cpio.gz", Open),
        ("/1068.6.0/coreos_production_pxe.vmlinuz", Open),
        ("/1010.5.0/coreos_production_image.bin.bz2.sig", Open),
        ("/1010.5.0/coreos_production_packet_image.bin.bz2.sig", Open),
        ("/1010.5.0/version.txt", Open),
        ("/files/docker.raw", Open),
        ("/FILES./Docker.RAW", Open),
        ("/1010.5.0/coreos_production_image.bin.bz2", Granted),
        ("/CoreOS/1010.5.0/CoreOS_production_image.bin.BZ2", Granted),
        ("/static/current/coreos_production_image.bin.bz2", Granted),
        ("/1010.5.0/coreos_production_packet_image.bin.bz2", Granted),
        ("/cloud-configs/install.sh", Granted),
        // Another processor's, and another version's, than was granted.
        ("/1010.5.0/arm64-usr/coreos_production_image.bin.bz2", Nobody),
        ("/1068.6.0/coreos_production_image.bin.bz2", Nobody),
        ("/1010.5.0/notes.txt", Nothing),
        ("/cloudconfigs/node1.yml", Nothing),
        ("/keys/README.txt", Nothing),
        ("/KEYS/README.txt", Nothing),
        ("/profiles/mine/preseed.cfg", Nothing),
        ("/loaders/undionly.kpxe", Nothing),
        ("/rackberry.toml", Nothing),
        ("/photos/cat.jpg", Nothing),
        ("/coreos/current", Nothing),
    ] {
        // Each path by itself: who takes an image has begun to install.
        let mut world = world();
        world.start(TWO, false);
        let answers = [world.get_from(Ipv4Addr::new(10, 10, 10, 77), path), world.get(TWO, path)];
        world.arm(false, &["one"]);
        world.start(ONE, true);
        let granted = world.get(ONE, path);
        assert_eq!(
            gets([&answers[0], &answers[1], &granted]),
            Some(wanted),
            "{path}: {answers:?} {granted:?}"
        );
        let is_image = wanted == Granted && path.to_lowercase().contains("bz2");
        assert_eq!(world.node(ONE).writes, u32::from(is_image), "{path}");
        assert_eq!(world.node(TWO).writes, 0, "{path}");
        // Over TFTP it is the same tree.
        let target = route::tree(&path[1..]);
        let by_tftp = target.map(|target| {
            let from = at(Ipv4Addr::new(10, 10, 10, 77));
            world.ask(Ask::Fetch { from, via: Via::Tftp, extent: Extent::Whole, target })
        });
        assert_eq!(by_tftp.is_ok_and(|answer| is_given(&answer)), wanted == Open, "{path}");
    }
}

/// An image for other hardware spends the grant as the usual one does.
#[test]
fn every_image_of_the_granted_version_spends_the_grant() {
    let mut world = world();
    world.arm(false, &["one"]);
    world.start(ONE, true);
    let path = "/1010.5.0/coreos_production_packet_image.bin.bz2";
    let target = route::parse(path, None).unwrap();
    let head =
        world.ask(Ask::Fetch { from: at(address(ONE)), via: Via::Http, extent: Extent::HeadersOnly, target });
    assert!(is_given(&head));
    assert_eq!(world.node(ONE).writes, 0, "headers alone begin nothing");
    assert!(is_given(&world.get(ONE, path)));
    assert_eq!((world.node(ONE).writes, world.node(ONE).stage), (1, Stage::Installing));
    world.start(ONE, true);
    assert!(!world.menu_installs(ONE), "its grant is spent");
    assert!(!is_given(&world.get(ONE, path)));
}

/// What nobody has looked at, or what is wrong, is not handed out, whatever its name is.
#[test]
fn an_image_that_is_not_verified_is_not_handed_out() {
    let files = TREE.iter().map(|(name, text)| found(name, (!text.is_empty()).then_some(*text)));
    let folder = Folder::new("usb".into(), files);
    let whole = Catalog::new(vec![folder], Folder::default(), Some(&catalog())).all_good();
    // The image for other hardware came later, and has not been read.
    let folder = Folder::new(
        "usb".into(),
        TREE.iter().map(|(name, text)| {
            let found = found(name, (!text.is_empty()).then_some(*text));
            let len = if name.ends_with("packet_image.bin.bz2") { 2000 } else { found.len };
            Found { len, ..found }
        }),
    );
    let later = Catalog::new(vec![folder], Folder::default(), Some(&whole));
    let mut world = World::with(settings(), Arc::new(later));
    world.arm(false, &["one"]);
    world.start(ONE, true);
    let answer = world.get(ONE, "/1010.5.0/coreos_production_packet_image.bin.bz2");
    let Answer::Refused(Refusal::Conflict(why)) = answer else { panic!("{answer:?}") };
    assert!(why.contains("being verified"), "{why}");
    assert_eq!(world.node(ONE).writes, 0);
    assert!(is_given(&world.get(ONE, "/1010.5.0/coreos_production_image.bin.bz2")));
}

/// What people of 2016 had in that folder beside configurations: `pxe.yml`, scripts, certificates.
const BESIDE: [(&str, &str); 13] = [
    ("pxe.yml", "#cloud-config\nhostname: {{ node.name }}\n"),
    ("post.sh", "#!/bin/bash\necho ${#A[@]} %}\n"),
    ("certs/ca.pem", ""),
    ("one.yml", "#cloud-config\nhostname: mine\n"),
    ("TWO.yml", "#cloud-config\nhostname: theirs\n"),
    ("two.key", ""),
    ("two/secret.pem", ""),
    ("525400000002.pem", ""),
    ("01-52-54-00-00-00-02.txt", ""),
    ("525400000001.pem", ""),
    ("motd.j2.txt", "{{ node.name }} of {{ nodes | length }}\n"),
    ("marked.sh", "{# template #}\n#!/bin/sh\necho {{ node.name }}\n"),
    ("broken.sh.j2", "{{ nobody }}\n"),
];

#[test]
fn the_other_files_of_cloud_configs_are_for_nodes_that_may_install_and_never_another_ones_own() {
    let configs = BESIDE
        .map(|(name, text)| found(&format!("cloud-configs/{name}"), (!text.is_empty()).then_some(text)));
    let system = TREE[..6].iter().map(|(name, _)| found(name, None));
    let folder = Folder::new("usb".into(), configs.into_iter().chain(system));
    let loaders = Folder::new("loaders".into(), [found("pxelinux.0", None)]);
    let catalog = Arc::new(Catalog::new(vec![folder], loaders, Some(&catalog())).all_good());
    let mut world = World::with(settings(), catalog);
    world.start(TWO, false);
    let stranger = Ipv4Addr::new(10, 10, 10, 77);
    let forbidden = |answer: &Answer| matches!(answer, Answer::Refused(Refusal::Forbidden(_)));
    for (name, _) in BESIDE {
        let path = format!("/cloud-configs/{}", name.replace(".j2", ""));
        assert!(forbidden(&world.get_from(stranger, &path)) && forbidden(&world.get(TWO, &path)), "{path}");
    }
    world.arm(false, &["one"]);
    world.start(ONE, true);
    for (path, wanted) in [
        ("pxe.yml", Some("")),
        ("PXE.YML", Some("")),
        ("post.sh", Some("")),
        ("certs/ca.pem", Some("")),
        ("one.yml", Some("")),
        ("525400000001.pem", Some("")),
        ("motd.txt", Some("one of 2\n")),
        ("marked.sh", Some("#!/bin/sh\necho one\n")),
        ("two.yml", None),
        ("two.key", None),
        ("two/secret.pem", None),
        ("525400000002.pem", None),
        ("01-52-54-00-00-00-02.txt", None),
    ] {
        let answer = world.get(ONE, &format!("/cloud-configs/{path}"));
        match (wanted, &answer) {
            // As it is: the file itself.
            (Some(""), Answer::File { .. }) => {}
            (Some(text), Answer::Text { body, .. }) => assert_eq!(body, text, "{path}"),
            (None, answer) if forbidden(answer) => {}
            _ => panic!("{path}: {answer:?}"),
        }
    }
    for path in ["motd.j2.txt", "broken.sh.j2", "nothing.yml"] {
        let answer = world.get(ONE, &format!("/cloud-configs/{path}"));
        assert!(matches!(answer, Answer::Refused(Refusal::NotFound(_))), "{path}: {answer:?}");
    }
    let Answer::Refused(Refusal::Conflict(why)) = world.get(ONE, "/cloud-configs/broken.sh") else {
        panic!()
    };
    assert_eq!(why, "cloud-configs/broken.sh.j2:1: \"nobody\" is not defined");
    assert_eq!(world.node(ONE).writes, 0);
}

/// Every file in cloud-configs/ has a fate, and `check` says which.
#[test]
fn each_file_in_cloud_configs_is_told_of() {
    let text = |name: &str, text: &str| found(&format!("cloud-configs/{name}"), Some(text));
    let plain = "#cloud-config\nhostname: a\n";
    let files = [
        text("one.yml", plain),
        text("52-54-00-00-00-02.YML", plain),
        text("525400000002.yml", plain),
        text("default.yml", plain),
        text("coreos.yml.j2", "{{ node.name }}"),
        text("52-54-00-00-00-03.yml", plain),
        text("pxe.yml", plain),
        text("two.ign", "{\"ignition\":{\"version\":\"2.0.0\"}}"),
        text("two.cfg", "d-i a/b string c\n"),
        text("one.yml.txt", plain),
        text("52_54_00_00_00_01.yml", plain),
        text("old.yml", "#cloud-config\nhostname: {{ node.name }}\n"),
        text("install.sh", "#!/bin/sh\n"),
        text("post.sh", "#!/bin/sh\n"),
    ];
    let folder = Folder::new("usb".into(), files);
    let catalog = Arc::new(Catalog::new(vec![folder], Folder::default(), Some(&catalog())));
    let fates = World::with(settings(), catalog).appliance.config_fates();
    let said = |list: &[String], path: &str, words: &str| {
        let line = list.iter().find(|line| line.starts_with(&format!("cloud-configs/{path}: ")));
        assert!(line.is_some_and(|line| line.contains(words)), "{path}: {words}: {list:#?}");
    };
    for (path, words) in [
        ("one.yml", "the configuration of one, as it is"),
        ("52-54-00-00-00-02.YML", "the configuration of two, as it is"),
        ("default.yml", "for machines without a configuration of their own, as it is"),
        ("coreos.yml.j2", "for machines without a configuration of their own, a template"),
        ("52-54-00-00-00-03.yml", "which no [[node]] names"),
        ("pxe.yml", "belongs to nobody: no node and no profile is called pxe"),
        ("two.ign", "is not used: two has another configuration that comes first"),
        ("two.cfg", "is not used: two installs coreos, which takes no preseed"),
        ("install.sh", "the install script"),
        ("post.sh", "given to nodes that may install and ask for it, as it is"),
    ] {
        said(&fates.notes, path, words);
    }
    for (path, words) in [
        ("525400000002.yml", "is passed over, because 52-54-00-00-00-02.YML has the same meaning"),
        ("one.yml.txt", "was it meant to be one.yml?"),
        ("52_54_00_00_00_01.yml", "was it meant to be 52-54-00-00-00-01.yml?"),
    ] {
        said(&fates.faults, path, words);
    }
    said(&fates.warnings, "old.yml", "line 2 looks like a template's");
    assert_eq!(fates.notes.len() + fates.faults.len(), 14, "{fates:#?}");
}

/// A machine whose menu is somebody's own, and includes others.
fn with_menus() -> World {
    let menu = "UI menu.c32\nINCLUDE pxelinux.cfg/rack.cfg\nMENU BACKGROUND splash.png\nINCLUDE gone.cfg\nLABEL x\n\
        KERNEL coreos_production_pxe.vmlinuz\nAPPEND initrd=tools/extra.gz cloud-config-url=http://10.10.10.1:8080/cloud-configs/pxe.yml\n";
    let more = [
        found("pxelinux.cfg/default", Some(menu)),
        found("pxelinux.cfg/0A0A0A0C", Some("LABEL two\nKERNEL tools/memtest\n")),
        found("pxelinux.cfg/rack.cfg", Some("LABEL y\nKERNEL tools/memtest\n")),
        found("menu.c32", None),
        found("libutil.c32", None),
        found("splash.png", None),
        found("tools/memtest", None),
        found("tools/extra.gz", None),
        found("tools/private", None),
        found("cloud-configs/default.yml", Some("#cloud-config\nhostname: a\n")),
    ];
    let system = TREE[..6].iter().map(|(name, _)| found(name, None));
    let folder = Folder::new("usb".into(), more.into_iter().chain(system));
    let loaders = Folder::new("loaders".into(), ["pxelinux.0", "ldlinux.c32"].map(|name| found(name, None)));
    let catalog = Arc::new(Catalog::new(vec![folder], loaders, Some(&catalog())).all_good());
    World::with(settings(), catalog)
}

/// The requests of PXELINUX 6.04 for a menu of somebody's own that includes others: first by the names that it makes up,
/// then by those that the menu names.
#[test]
fn a_menu_of_ones_own_comes_with_its_modules_and_includes() {
    let mut world = with_menus();
    let own =
        |answer: &Answer, name: &str| matches!(answer, Answer::File { path, .. } if path.ends_with(name));
    let menus = [
        "564d1b5e-9a4f-6c0a-1f6e-2b1b8a1f0d3c",
        "01-52-54-00-00-00-01",
        "0A0A0A0B",
        "0A0A0A",
        "0",
        "default",
    ];
    let theirs = [
        "ldlinux.c32",
        "menu.c32",
        "libutil.c32",
        "pxelinux.cfg/rack.cfg",
        "splash.png",
        "tools/memtest",
        "tools/extra.gz",
    ];
    // Disarmed: a menu that leads to the disk, and none of its files.
    world.start(ONE, true);
    for name in menus {
        let answer = world.get(ONE, &format!("/pxelinux.cfg/{name}"));
        assert!(
            matches!(&answer, Answer::Text { body, .. } if body.contains("LOCALBOOT")),
            "{name}: {answer:?}"
        );
    }
    for name in &theirs[1..] {
        assert!(
            matches!(world.get(ONE, &format!("/{name}")), Answer::Refused(Refusal::Forbidden(_))),
            "{name}"
        );
    }
    world.arm(false, &[]);
    world.start(ONE, true);
    for name in menus {
        assert!(own(&world.get(ONE, &format!("/pxelinux.cfg/{name}")), "pxelinux.cfg/default"), "{name}");
    }
    for name in theirs {
        assert!(own(&world.get(ONE, &format!("/{name}")), name), "{name}");
    }
    for name in ["pxelinux.cfg/gone.cfg", "pxelinux.cfg/other/rack.cfg", "gone.cfg", "tools/private"] {
        assert!(
            matches!(world.get(ONE, &format!("/{name}")), Answer::Refused(Refusal::NotFound(_))),
            "{name}"
        );
    }
    // The other machine has a menu by its network address.
    world.start(TWO, true);
    assert!(own(&world.get(TWO, "/pxelinux.cfg/default"), "pxelinux.cfg/0A0A0A0C"));
}

#[test]
fn what_a_menu_names_in_vain_is_said() {
    let said = with_menus().appliance.config_fates().faults;
    assert_eq!(
        said,
        [
            "pxelinux.cfg/default:4: INCLUDE gone.cfg: there is no such file in the asset folders",
            "pxelinux.cfg/default:7: APPEND cloud-config-url= http://10.10.10.1:8080/cloud-configs/pxe.yml: there is no such \
             file in the asset folders",
        ]
    );
}
