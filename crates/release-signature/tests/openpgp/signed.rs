//! Signatures that count.

use release_signature::{
    Bad, Timestamp, Trust, Verdict, Verifier,
    digest::{Algorithm, Digest},
};

use super::{FILE, bad, fingerprint, good, gpg::Gpg, keyring, outcome, outcome_by};

#[test]
fn by_every_kind_of_key_that_people_use() {
    let gpg = Gpg::new();
    let primary = gpg.key("20150101", "maker", "rsa2048", "cert,sign", "0");
    let mut keys = vec![primary.clone()];
    for algorithm in ["rsa3072", "ed25519", "nistp256/ecdsa", "nistp384/ecdsa"] {
        keys.push(gpg.subkey("20150601", &primary, algorithm, "sign", "0"));
    }
    let public = gpg.export(&primary);
    for key in keys {
        let signature = gpg.sign("20160530", &key, &[], FILE);
        let good = good(&signature, FILE, &[&public]);
        assert_eq!((good.primary, good.key), (fingerprint(&primary), fingerprint(&key)));
        assert_eq!(good.user_id, "maker <maker@example.org>");
        assert_eq!(good.made.to_string(), "2016-05-30");
        assert_eq!((good.key_expires, good.key_retired, good.signature_expires), (None, None, None));
    }
}

#[test]
fn by_an_ed25519_primary_key_armored_or_not_over_every_digest() {
    let gpg = Gpg::new();
    let key = gpg.key("20150101", "maker", "ed25519", "cert,sign", "0");
    for public in [gpg.export(&key), gpg.export_armored(&key)] {
        for digest in ["SHA256", "SHA384", "SHA512"] {
            for form in [&["--digest-algo", digest][..], &["--digest-algo", digest, "--armor"]] {
                let signature = gpg.sign("20160530", &key, form, FILE);
                assert_eq!(good(&signature, FILE, &[&public]).key, fingerprint(&key), "{form:?}");
            }
        }
    }
}

/// The case of CoreOS 1010.5.0: the subkey of 2016 expired in 2017, and the image is as good as ever.
#[test]
fn by_a_subkey_that_has_expired_since_which_is_said() {
    let gpg = Gpg::new();
    let primary = gpg.key("20130906", "coreos", "ed25519", "cert", "0");
    let key = gpg.subkey("20160516", &primary, "ed25519", "sign", "1y");
    let signature = gpg.sign("20160530", &key, &[], FILE);
    let good = good(&signature, FILE, &[&gpg.export(&primary)]);
    assert_eq!(good.key_expires.unwrap().to_string(), "2017-05-16");
    assert!(
        good.to_string().ends_with(&format!("with key {key}, which was valid until 2017-05-16")),
        "{good}"
    );
    let end = good.key_expires.unwrap();
    assert!(good.key_expired_by(end));
    assert!(!good.key_expired_by(Timestamp(end.0 - 1)));
}

#[test]
fn by_a_key_that_was_superseded_or_retired_since_which_is_said() {
    for (reason, subkey) in [(2, Some(1)), (3, Some(1)), (2, None), (3, None)] {
        let gpg = Gpg::new();
        let primary = gpg.key("20150101", "maker", "ed25519", "cert", "0");
        let key = gpg.subkey("20150101", &primary, "ed25519", "sign", "0");
        let before = gpg.sign("20160530", &key, &[], FILE);
        gpg.revoke("20160601", &primary, subkey, reason);
        let good = good(&before, FILE, &[&gpg.export(&primary)]);
        assert_eq!(good.key_retired.unwrap().to_string(), "2016-06-01");
        assert!(good.to_string().ends_with(", retired on 2016-06-01"), "{good}");
    }
}

/// An owner that renewed a key says that it was not over.
#[test]
fn by_a_key_that_was_renewed_whichever_copy_came_first() {
    let gpg = Gpg::new();
    let primary = gpg.key("20150101", "maker", "ed25519", "cert", "0");
    let key = gpg.subkey("20150101", &primary, "ed25519", "sign", "1y");
    let old = gpg.export(&primary);
    gpg.run("20151201", &["--quick-set-expire", &primary, "5y", &key], b"");
    let signature = gpg.sign("20170101", &key, &[], FILE);
    let new = gpg.export(&primary);
    assert!(matches!(bad(&signature, FILE, &[&old]), Bad::AfterExpiry { .. }));
    for copies in [[&old[..], &new], [&new, &old]] {
        assert_eq!(good(&signature, FILE, &copies).key_expires.unwrap().to_string(), "2020-11-29");
    }
}

/// Mirrors and old installers have copies without the newest subkey, or without a user ID's newest statement.
#[test]
fn copies_of_a_key_are_merged() {
    let gpg = Gpg::new();
    let primary = gpg.key("20150101", "maker", "ed25519", "cert", "0");
    let first = gpg.subkey("20150101", &primary, "ed25519", "sign", "1y");
    let old = gpg.export(&primary);
    let second = gpg.subkey("20160101", &primary, "ed25519", "sign", "1y");
    let only_second =
        gpg.run("20160101", &["--export-filter", &format!("drop-subkey=fpr={first}"), "--export"], b"");
    let by_first = gpg.sign("20150601", &first, &[], FILE);
    let by_second = gpg.sign("20160601", &second, &[], FILE);
    assert!(matches!(bad(&by_second, FILE, &[&old]), Bad::UnknownKey { .. }));
    assert!(matches!(bad(&by_first, FILE, &[&only_second]), Bad::UnknownKey { .. }));
    for signature in [by_first, by_second] {
        good(&signature, FILE, &[&old, &only_second]);
        good(&signature, FILE, &[&[&only_second[..], &old].concat()]);
    }
    assert_eq!(keyring(&[&old, &only_second]).keys().next().unwrap().signing.len(), 2);
}

#[test]
fn one_of_several_is_enough() {
    let (ours, theirs) = (Gpg::new(), Gpg::new());
    let key = ours.key("20150101", "maker", "ed25519", "sign", "0");
    let other = theirs.key("20150101", "other", "ed25519", "sign", "0");
    let public = ours.export(&key);
    for form in [&[][..], &["--armor"]] {
        let one = theirs.sign("20160101", &other, form, FILE);
        let two = ours.sign("20160102", &key, form, FILE);
        let damaged = ours.sign("20160102", &key, form, b"something else");
        for signatures in [[&one[..], &two, &damaged], [&two, &damaged, &one], [&damaged, &one, &two]] {
            assert_eq!(good(&signatures.concat(), FILE, &[&public]).key, fingerprint(&key));
        }
        let without = bad(&[&one[..], &damaged].concat(), FILE, &[&public]);
        assert_eq!(without, Bad::DoesNotMatch { key: fingerprint(&key) }, "says what matters most");
        assert!(matches!(bad(&two.repeat(17), FILE, &[&public]), Bad::Malformed(_)), "too many");
    }
}

/// `gpg --textmode`: the file's line ends don't count.
#[test]
fn over_text_whatever_its_line_ends() {
    let gpg = Gpg::new();
    let key = gpg.key("20150101", "maker", "ed25519", "sign", "0");
    let public = gpg.export(&key);
    let signature = gpg.sign("20160101", &key, &["--textmode"], FILE);
    let dos = b"an image\r\nof two lines\r\n";
    for file in [FILE, dos] {
        let outcome = outcome(&signature, file, &[&public]);
        assert!(outcome.verdict.is_good());
        let [digest] = &outcome.digests[..] else { panic!("{:?}", outcome.digests) };
        assert_eq!(*digest, Digest::from_hex(Algorithm::Sha256, &sum(file)).unwrap(), "of the file as it is");
    }
    assert!(matches!(bad(&signature, b"an image\nof two lines", &[&public]), Bad::DoesNotMatch { .. }));
    let binary = gpg.sign("20160101", &key, &[], FILE);
    assert!(matches!(bad(&binary, dos, &[&public]), Bad::DoesNotMatch { .. }));
}

#[test]
fn digests_come_along_and_the_same_hash_runs_once() {
    let gpg = Gpg::new();
    let key = gpg.key("20150101", "maker", "ed25519", "sign", "0");
    let keyring = keyring(&[&gpg.export(&key)]);
    let trust = Trust::none().and([fingerprint(&key)]);
    for (signed, wanted, expected) in [
        ("SHA256", &[][..], &[Algorithm::Sha256][..]),
        ("SHA512", &[], &[Algorithm::Sha512]),
        ("SHA384", &[], &[Algorithm::Sha256]),
        ("SHA512", &[Algorithm::Sha256], &[Algorithm::Sha256, Algorithm::Sha512]),
        ("SHA256", &[Algorithm::Sha256, Algorithm::Sha256], &[Algorithm::Sha256]),
    ] {
        let signature = gpg.sign("20160101", &key, &["--digest-algo", signed], FILE);
        let mut verifier = Verifier::new(&signature, &keyring, &trust).with_digests(wanted);
        verifier.update(FILE);
        let outcome = verifier.finish();
        assert!(outcome.verdict.is_good());
        let found: Vec<Algorithm> = outcome.digests.iter().map(Digest::algorithm).collect();
        assert_eq!(found, expected, "signed over {signed}, wanted {wanted:?}");
        for digest in outcome.digests.iter().filter(|digest| digest.algorithm() == Algorithm::Sha256) {
            assert_eq!(digest.hex(), sum(FILE));
        }
    }
    let outcome = outcome_by(b"no signature", FILE, &keyring, &trust);
    assert_eq!(
        outcome.digests,
        [Digest::from_hex(Algorithm::Sha256, &sum(FILE)).unwrap()],
        "even without one"
    );
}

#[test]
fn verdicts_can_be_kept() {
    let gpg = Gpg::new();
    let key = gpg.key("20150101", "maker", "ed25519", "sign", "0");
    let signature = gpg.sign("20160101", &key, &["--default-sig-expire", "1y"], FILE);
    let public = gpg.export(&key);
    for verdict in
        [outcome(&signature, FILE, &[&public]).verdict, outcome(&signature, b"", &[&public]).verdict]
    {
        let kept = serde_json::to_string(&verdict).unwrap();
        assert_eq!(serde_json::from_str::<Verdict>(&kept).unwrap(), verdict, "{kept}");
    }
    let good = good(&signature, FILE, &[&public]);
    assert_eq!(good.signature_expires.unwrap().to_string(), "2016-12-31");
    assert!(good.to_string().ends_with("; the signer meant it to count until 2016-12-31"));
}

/// What sha256sum says.
fn sum(file: &[u8]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    std::fs::write(&path, file).unwrap();
    let output = std::process::Command::new("sha256sum").arg(path).output().unwrap();
    String::from_utf8(output.stdout).unwrap()[..64].to_owned()
}
