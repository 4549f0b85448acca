//! The keys that come with the profiles, and a document that was released with one of them.

use std::collections::BTreeSet;

use release_signature::{Bad, Keyring, Trust, sums::Sums, verify_cleartext};

use super::{fingerprint, gpg::Gpg, keyring};

const COREOS: &[u8] = include_bytes!("../../../../profiles/keys/coreos.asc");
const FLATCAR: &[u8] = include_bytes!("../../../../profiles/keys/flatcar.asc");
const FEDORA: &[u8] = include_bytes!("../../../../profiles/keys/fedora-coreos.asc");
const CHECKSUM: &str = include_str!("../data/Fedora-Cloud-44-1.7-aarch64-CHECKSUM");

/// The signing keys, by the ends of their fingerprints, and the ends of their times.
fn signing(keyring: &Keyring, primary: &str) -> Vec<String> {
    let key = keyring.keys().find(|key| key.fingerprint == fingerprint(primary)).expect("the pinned key");
    let entry = |(key, end): &(_, Option<_>)| {
        let key: &release_signature::Fingerprint = key;
        let end: &Option<release_signature::Timestamp> = end;
        format!("{} {}", &key.to_string()[32..], end.map_or("for ever".into(), |end| end.to_string()))
    };
    key.signing.iter().map(entry).collect()
}

/// As coreos-install and mantle list them, less the subkey of 2015-11-20, which was compromised.
#[test]
fn coreos() {
    const PRIMARY: &str = "04127D0BFABEC8871FFB2CCE50E0885593D2DCB4";
    let keyring = keyring(&[COREOS]);
    let keys: Vec<_> = keyring.keys().collect();
    assert_eq!(keys.len(), 1);
    assert_eq!(keys[0].user_ids, ["CoreOS Buildbot (Offical Builds) <buildbot@coreos.com>"]);
    assert_eq!((keys[0].made.to_string(), keys[0].expires), ("2013-09-06".into(), None));
    assert_eq!(
        signing(&keyring, PRIMARY),
        [
            "93D2DCB4 for ever",
            "74E7E361 2014-09-06",
            "E5676EFC 2015-09-08",
            "1CB5FA26 2017-08-30",
            "2E16137F 2017-05-16",
            "EF4B4ED9 2018-06-01",
            "0638EB2F 2019-06-01",
            "67B3CA0E 2021-06-01",
        ]
    );
}

/// As flatcar-install lists them, less the two of early 2018, which were compromised.
#[test]
fn flatcar() {
    const PRIMARY: &str = "F88CFEDEFF29A5B4D9523864E25D9AED0593B34A";
    let keyring = keyring(&[FLATCAR]);
    assert_eq!(keyring.keys().count(), 1);
    assert_eq!(
        signing(&keyring, PRIMARY),
        [
            "0593B34A for ever",
            "896E394F 2019-09-26",
            "AF9CF1AF 2020-09-29",
            "FCBEAB91 2021-08-28",
            "250D4A42 2022-08-10",
            "267EC954 2023-08-11",
            "8837E271 2025-03-06",
            "1EF52974 2027-03-08",
        ]
    );
}

#[test]
fn fedora() {
    let keyring = keyring(&[FEDORA]);
    let keys: Vec<_> = keyring.keys().map(|key| (key.fingerprint.to_string(), key.user_ids)).collect();
    let key = |fingerprint: &str, release: u8| {
        let id = format!("Fedora ({release}) <fedora-{release}-primary@fedoraproject.org>");
        (fingerprint.to_owned(), vec![id])
    };
    assert_eq!(
        keys,
        [
            key("36F612DCF27F7D1A48A835E4DBFCF71C6D9F90A6", 44),
            key("4F50A6114CD5C6976A7F1179655A4B02F577861E", 45),
            key("D924B10D3E810DABDD8B56B596E7E91491211FCE", 46),
        ]
    );
}

/// Fedora's own list of its cloud images' digests, of 2026-04-24.
#[test]
fn a_released_document() {
    let keyring = keyring(&[COREOS, FLATCAR, FEDORA]);
    let trust = |primary: &str| Trust::none().and([fingerprint(primary)]);
    let release_44 = trust("36F612DCF27F7D1A48A835E4DBFCF71C6D9F90A6");
    let signed = verify_cleartext(CHECKSUM.as_bytes(), &keyring, &release_44).unwrap();
    assert_eq!(signed.good.made.to_string(), "2026-04-24");
    assert_eq!(signed.good.user_id, "Fedora (44) <fedora-44-primary@fedoraproject.org>");
    let sums = Sums::parse(&signed.text).unwrap();
    assert_eq!(sums.names().count(), 6);
    assert_eq!(
        sums.of("Fedora-Cloud-Base-Generic-44-1.7.aarch64.qcow2")[0].hex(),
        "55c60a3b80d3616a08705afd0459e75fe9f03c54aba7a46e4002a41a72fa0d5b"
    );

    let release_45 = trust("4F50A6114CD5C6976A7F1179655A4B02F577861E");
    let reason = verify_cleartext(CHECKSUM.as_bytes(), &keyring, &release_45).unwrap_err();
    assert!(matches!(reason, Bad::Untrusted { .. }), "{reason}");
    let altered = CHECKSUM.replacen("55c60a3b", "55c60a3c", 1);
    let reason = verify_cleartext(altered.as_bytes(), &keyring, &release_44).unwrap_err();
    assert!(matches!(reason, Bad::DoesNotMatch { .. }), "{reason}");
}

/// What an installer is handed is what its own GnuPG takes: every key and subkey of the copies that are here.
#[test]
fn what_is_handed_on_is_taken_by_gnupg() {
    let list = |file: &[u8]| {
        let gpg = Gpg::new();
        gpg.run("20300101", &["--import"], file);
        let keys = gpg.run("20300101", &["--with-colons", "--check-sigs"], b"");
        let keys = String::from_utf8(keys).unwrap();
        let bad = keys.lines().filter(|line| line.starts_with("sig:-") || line.starts_with("sig:?")).count();
        let fingerprints: BTreeSet<String> =
            keys.lines().filter(|line| line.starts_with("fpr:")).map(str::to_owned).collect();
        (bad, fingerprints)
    };
    for (file, primary) in [
        (COREOS, "04127D0BFABEC8871FFB2CCE50E0885593D2DCB4"),
        (FLATCAR, "F88CFEDEFF29A5B4D9523864E25D9AED0593B34A"),
    ] {
        let primary = BTreeSet::from([fingerprint(primary)]);
        // Twice the same copy is one.
        let handed = keyring(&[file, FEDORA, file]).export(&primary);
        assert_eq!(handed.matches("BEGIN PGP PUBLIC KEY BLOCK").count(), 1);
        let (bad, keys) = list(handed.as_bytes());
        assert_eq!((bad, &keys), (0, &list(file).1));
        assert!(keys.len() > 3, "{keys:?}");
    }
}
