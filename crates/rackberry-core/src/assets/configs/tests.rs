use proptest::prelude::*;

use super::*;

const MAC: Mac = Mac([0x00, 0x25, 0x90, 0xc0, 0xf7, 0x86]);

fn found(name: &str) -> Found {
    let name: Vec<String> = format!("cloud-configs/{name}").split('/').map(str::to_owned).collect();
    Found { path: name.join("/").into(), name, ..Found::default() }
}

fn configs(names: &[&str]) -> Configs {
    let found: Vec<Found> = names.iter().map(|name| found(name)).collect();
    Configs::new([found.iter().collect()])
}

#[test]
fn a_machines_file_is_known_by_every_spelling_of_its_address() {
    for stem in [
        "00:25:90:c0:f7:86",
        "00-25-90-C0-F7-86",
        "00-25-90-c0-f7-86",
        "002590c0f786",
        "002590C0F786",
        "0025.90c0.f786",
        "01-00-25-90-c0-f7-86",
        "01:00:25:90:C0:F7:86",
    ] {
        for (extension, kind) in [
            ("yml", ConfigKind::CloudConfig),
            ("YML", ConfigKind::CloudConfig),
            ("yaml", ConfigKind::CloudConfig),
            ("ign", ConfigKind::Ignition),
            ("json", ConfigKind::Ignition),
            ("preseed", ConfigKind::Preseed),
            ("Cfg", ConfigKind::Preseed),
        ] {
            for (before, after) in [("", ""), (".j2", ""), ("", ".j2"), ("", ".J2")] {
                let name = format!("{stem}{before}.{extension}{after}");
                let read = ConfigName::parse(&name);
                assert_eq!(read.whose(), Some(Whose::Machine(MAC)), "{name}");
                assert_eq!(read.kind, Some(kind), "{name}");
                assert_eq!(read.is_template, before != after, "{name}");
                assert_eq!(read.served, format!("{stem}.{extension}"));
                assert_eq!(read.meant(), None, "{name}");
            }
        }
    }
    let own = ConfigName::parse("Node1.YML");
    assert_eq!(own.whose(), Some(Whose::Named("node1".into())));
    assert_eq!(ConfigName::parse("node1.rack.lan.yml").whose(), Some(Whose::Named("node1.rack.lan".into())));
    for name in ["install.sh", "post.sh", "README", ".yml", "notes.txt", "j2", "x.j2", "pxe.tar.gz"] {
        let read = ConfigName::parse(name);
        assert_eq!((read.whose(), read.meant()), (None, None), "{name}");
    }
}

#[test]
fn nearly_right_names_are_known_for_what_they_were_meant_to_be() {
    for (name, meant) in [
        ("node1.yml.txt", "node1.yml"),
        ("00-25-90-c0-f7-86.yml.TXT", "00-25-90-c0-f7-86.yml"),
        ("default.ign.txt", "default.ign"),
        ("00_25_90_c0_f7_86.yml", "00-25-90-c0-f7-86.yml"),
        ("00 25 90 c0 f7 86.yml", "00-25-90-c0-f7-86.yml"),
        ("00\u{f03a}25\u{f03a}90\u{f03a}c0\u{f03a}f7\u{f03a}86.ign", "00-25-90-c0-f7-86.ign"),
        ("0025-90c0-f786.yaml", "00-25-90-c0-f7-86.yaml"),
        ("00-25-90-c0-f7-86", "00-25-90-c0-f7-86.yml"),
        ("00:25:90:c0:f7:86.txt", "00-25-90-c0-f7-86.yml"),
        ("00_25_90_c0_f7_86.yml.txt", "00-25-90-c0-f7-86.yml"),
    ] {
        assert_eq!(ConfigName::parse(name).meant().as_deref(), Some(meant), "{name}");
    }
    assert_eq!(ConfigName::parse("decade.yml").meant(), None);
}

#[test]
fn of_several_for_the_same_machine_one_counts() {
    let own = Whose::Machine(MAC);
    let all = configs(&[
        "002590c0f786.yml",
        "00-25-90-c0-f7-86.yml",
        "default.yml",
        "default.yml.j2",
        "a/default.yml",
    ]);
    let counts = all.of(&own, ConfigKind::CloudConfig).unwrap();
    assert_eq!(counts.path(), "00-25-90-c0-f7-86.yml");
    let passed_over: Vec<String> =
        all.all().iter().filter(|file| all.instead_of(file).is_some()).map(ConfigFile::path).collect();
    assert_eq!(passed_over, ["002590c0f786.yml", "default.yml"]);
    let default = Whose::Named("default".into());
    assert_eq!(all.of(&default, ConfigKind::CloudConfig).unwrap().path(), "default.yml.j2");
    assert_eq!(all.at(&["a", "DEFAULT.yml"]).unwrap().path(), "a/default.yml");
    assert_eq!(all.at(&["default.yml"]).unwrap().path(), "default.yml.j2");
    assert!(all.at(&["default.yml.j2"]).is_none(), "a template is nobody's file");
    // The first asset folder's counts.
    let [first, second] = [vec![found("default.yml")], vec![found("default.yaml.j2"), found("default.ign")]];
    let both = Configs::new([first.iter().collect(), second.iter().collect()]);
    assert_eq!(both.of(&default, ConfigKind::CloudConfig).unwrap().path(), "default.yml");
    assert_eq!(both.of(&default, ConfigKind::Ignition).unwrap().path(), "default.ign");
}

#[test]
fn a_first_line_makes_a_template_too() {
    let text =
        |text: &str| Found { content: crate::assets::folder::Content::Text(text.into()), ..found("a.yml") };
    for (content, is) in [
        ("{# template #}\n#cloud-config\n", true),
        ("{# template #}  \r\n#cloud-config\n", true),
        ("#cloud-config\n{# template #}\n", false),
        ("{# a template #}\n", false),
    ] {
        assert_eq!(ConfigFile::new(&text(content), 0).is_template, is, "{content}");
    }
}

proptest! {
    /// However a machine's address is spelled, its file is found, and nobody else's.
    #[test]
    fn files_are_found_by_address(bytes: [u8; 6], spelling in 0..6usize, capitals: bool, other: [u8; 6]) {
        let mac = Mac(bytes);
        let plain = mac.to_string();
        let spelled = match spelling {
            0 => plain,
            1 => mac.dashed(),
            2 => mac.bootif(),
            3 => plain.replace(':', ""),
            4 => format!("01:{plain}"),
            _ => { let d = plain.replace(':', ""); format!("{}.{}.{}", &d[..4], &d[4..8], &d[8..]) }
        };
        let spelled = if capitals { spelled.to_uppercase() } else { spelled };
        let all = configs(&[&format!("{spelled}.yml")]);
        prop_assert!(all.of(&Whose::Machine(mac), ConfigKind::CloudConfig).is_some(), "{}", spelled);
        prop_assert_eq!(all.of(&Whose::Machine(Mac(other)), ConfigKind::CloudConfig).is_some(), bytes == other);
    }

    #[test]
    fn any_name_is_read(name in ".{0,40}") {
        let read = ConfigName::parse(&name);
        let _ = (read.whose(), read.meant());
    }
}
