//! Files that people, installers and makers of systems write.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use rackberry_core::{
    assets::{
        catalog::Catalog,
        folder::{Content, Folder, Found, Stamp},
        locate::Standard,
        menus,
        text::{plain_text_of, text_of},
    },
    config::{self, Ink},
    panel::board,
    profiles::{self, ConfigKind},
    templates::{self, Context, NodeFacts, Piece},
};
use release_signature::{Keyring, Trust, Verifier, sums::Sums, verify_cleartext};

use crate::{conversation, piece};

/// `rackberry.toml`: it is taken, or each fault has a place.
pub(crate) fn configuration(data: &[u8]) {
    let Ok(text) = text_of(data) else { return };
    match config::parse(&[(PathBuf::from("rackberry.toml"), text.to_owned())]) {
        Ok(settings) => {
            let _ = settings.warnings();
            assert!(settings.network.contains(settings.network.address));
        }
        Err(faults) => assert!(!faults.render(Ink::Plain).is_empty()),
    }
}

/// A board's description.
pub(crate) fn board(data: &[u8]) {
    let Ok(text) = text_of(data) else { return };
    match board::parse(Path::new("mine.toml"), text) {
        Ok(board) => drop(board::wiring::svg(&board)),
        Err(faults) => assert!(!faults.render(Ink::Plain).is_empty()),
    }
}

/// A template of somebody's own, which includes another one.
pub(crate) fn template(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let node = NodeFacts {
        name: "node1".into(),
        mac: "02:00:00:00:00:01".into(),
        macs: vec!["02:00:00:00:00:01".into()],
        address: None,
        arch: "x86_64".into(),
        vars: Default::default(),
    };
    let context = Context {
        nodes: vec![node.clone()],
        node,
        vars: Default::default(),
        ssh_keys: vec!["ssh-ed25519 AAAA".into()],
        server_url: "http://10.10.10.1".into(),
        base_url: "http://10.10.10.1/g/7".into(),
        profile: "coreos".into(),
        version: "1010.5.0".into(),
        disk: "/dev/sda".into(),
        console: None,
        files: BTreeMap::new(),
        verified: true,
        hands_keys: false,
        config_kind: None,
        config: String::new(),
        answers: BTreeMap::new(),
        command: String::new(),
        overwrite_marked: "",
    };
    let own: Arc<str> = text.into();
    let find = move |name: &str| (name == "me").then(|| Piece::Template(own.clone()));
    let _ = templates::render("mine.yml", text, find, &context);
}

/// What is handed to installers: each kind, checked.
pub(crate) fn installer_configuration(data: &[u8]) {
    let Ok(text) = plain_text_of(data) else { return };
    for kind in [ConfigKind::CloudConfig, ConfigKind::Ignition, ConfigKind::Preseed] {
        let (short, large) = (templates::check(kind, &text), templates::check_large(kind, &text));
        let _ = (short, large);
    }
    let _ = templates::answers(&text);
}

/// Keys, a signature, and the file that it is of.
pub(crate) fn signature(mut data: &[u8]) {
    let data = &mut data;
    let mut keyring = Keyring::new();
    let _ = keyring.add("theirs", piece(data));
    let trust = Trust::none().and_all_of(&keyring);
    let signature = piece(data);
    let mut verifier = Verifier::new(signature, &keyring, &trust);
    verifier.update(data);
    let outcome = verifier.finish();
    assert!(!outcome.verdict.is_good() || keyring.keys().next().is_some(), "nobody's key has signed it");
    let _ = verify_cleartext(signature, &keyring, &trust);
}

/// A list of digests.
pub(crate) fn digest_list(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for name in ["SHA256SUMS", "image.bin.bz2.DIGESTS", "MD5SUMS"] {
        if let Ok(sums) = Sums::parse_for(name, text) {
            for file in sums.names() {
                assert!(!sums.of(file).is_empty() || sums.algorithm(file).is_none());
            }
        }
    }
}

/// Files and folders of any name in an asset folder: nothing but what is on the list is found by a path.
pub(crate) fn asset_names(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut found = Vec::new();
    for line in text.lines().take(200) {
        let (name, content) = line.split_once('\t').unwrap_or((line, ""));
        let name: Vec<String> = name.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        if name.is_empty() || name.len() > 6 {
            continue;
        }
        let content = if content.is_empty() { Content::Unread } else { Content::Text(content.into()) };
        let path = PathBuf::from("/assets").join(name.join("/"));
        found.push(Found { name, path, len: 1000, stamp: Stamp::default(), content });
    }
    let names: Vec<Vec<String>> = found.iter().map(|found| found.name.clone()).collect();
    let (folders, loaders) = (vec![Folder::new("/assets".into(), found)], Folder::new("/loaders".into(), []));
    let catalog = Catalog::new(folders, loaders, Some(conversation::catalog()));
    for name in &names {
        let standard = Standard { profile: "coreos", version: "current", arch: None };
        if let Some(located) = catalog.locate(name, standard) {
            assert!(located.found.path.starts_with("/assets"));
        }
        let _ = catalog.version_text(name, standard);
        let _ = catalog.configs().at(name);
    }
    for reference in menus::references(text) {
        let _ = (reference.is_elsewhere(), reference.paths());
    }
    let (pattern, name) = text.split_once('\n').unwrap_or((text, ""));
    let _ = profiles::matches(pattern, name);
}
