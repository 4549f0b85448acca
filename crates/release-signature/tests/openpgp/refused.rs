//! Signatures that don't count, and why.

use release_signature::{Bad, Keyring, Trust};

use super::{FILE, bad, fingerprint, good, gpg::Gpg, keyring, outcome_by};

#[test]
fn an_altered_or_shortened_file() {
    let gpg = Gpg::new();
    let key = gpg.key("20150101", "maker", "ed25519", "sign", "0");
    let signature = gpg.sign("20160101", &key, &[], FILE);
    let public = gpg.export(&key);
    let mut altered = FILE.to_vec();
    altered[3] ^= 1;
    let longer = [FILE, b"\n"].concat();
    for file in [&altered[..], &FILE[..FILE.len() - 1], b"", &longer] {
        assert_eq!(bad(&signature, file, &[&public]), Bad::DoesNotMatch { key: fingerprint(&key) });
    }
}

#[test]
fn a_damaged_signature_at_every_byte() {
    let gpg = Gpg::new();
    let key = gpg.key("20150101", "maker", "ed25519", "sign", "0");
    let public = gpg.export(&key);
    for form in [&[][..], &["--armor"]] {
        let signature = gpg.sign("20160101", &key, form, FILE);
        for cut in 0..signature.len() - form.len() {
            let reason = bad(&signature[..cut], FILE, &[&public]);
            assert!(matches!(reason, Bad::Malformed(_)), "cut at {cut}: {reason}");
        }
    }
    // Bytes outside of what is signed may change: the frame's spelling of a length, the hint at the issuer.
    let signature = gpg.sign("20160101", &key, &[], FILE);
    let harmless: Vec<usize> = (0..signature.len())
        .filter(|at| {
            let mut changed = signature.clone();
            changed[*at] ^= 0x10;
            super::outcome(&changed, FILE, &[&public]).verdict.is_good()
        })
        .collect();
    assert!(harmless.len() < 12, "{harmless:?} of {}", signature.len());
}

#[test]
fn an_unknown_key_and_one_that_is_not_trusted() {
    let gpg = Gpg::new();
    let key = gpg.key("20150101", "maker", "ed25519", "cert", "0");
    let signing = gpg.subkey("20150101", &key, "ed25519", "sign", "0");
    let other = gpg.key("20150101", "other", "ed25519", "sign", "0");
    let signature = gpg.sign("20160101", &signing, &[], FILE);
    let reason = bad(&signature, FILE, &[&gpg.export(&other)]);
    assert!(reason.to_string().contains(&signing), "{reason}");
    assert!(matches!(reason, Bad::UnknownKey { .. }));

    let keyring = keyring(&[&gpg.export(&key), &gpg.export(&other)]);
    let verdict = |trust: &Trust| outcome_by(&signature, FILE, &keyring, trust).verdict;
    let reason = verdict(&Trust::none().and([fingerprint(&other)])).to_string();
    assert_eq!(
        reason,
        format!("it is signed by maker <maker@example.org> with key {key}, which is not trusted for this")
    );
    assert!(verdict(&Trust::none().and([fingerprint(&key)])).is_good());
    assert!(!verdict(&Trust::none().and([fingerprint(&signing)])).is_good(), "trust is in primary keys");
}

#[test]
fn a_key_whose_time_was_over_or_had_not_come() {
    let gpg = Gpg::new();
    let primary = gpg.key("20150101", "maker", "ed25519", "cert", "0");
    let key = gpg.subkey("20150601", &primary, "ed25519", "sign", "1y");
    let old = gpg.export(&primary);
    let before = gpg.sign("20150531", &key, &["--ignore-time-conflict", "--ignore-valid-from"], FILE);
    gpg.run("20151201", &["--quick-set-expire", &primary, "0", &key], b"");
    let last_day = gpg.sign("20160530", &key, &[], FILE);
    let day_after = gpg.sign("20160601", &key, &[], FILE);
    good(&last_day, FILE, &[&old]);
    assert_eq!(
        bad(&day_after, FILE, &[&old]).to_string(),
        format!(
            "it was signed on 2016-06-01 by key {key}, which had expired on 2016-05-31; if its owner has extended it \
             since, get a newer copy of the key"
        )
    );
    assert_eq!(
        bad(&before, FILE, &[&old]).to_string(),
        format!("it is dated 2015-05-31, before its key {key} was made on 2015-06-01")
    );
}

/// Whatever the subkey's own time: the primary key's ends it, too.
#[test]
fn a_primary_key_whose_time_was_over() {
    let gpg = Gpg::new();
    let primary = gpg.key("20150101", "maker", "ed25519", "cert", "1y");
    let key = gpg.subkey("20150101", &primary, "ed25519", "sign", "0");
    let old = gpg.export(&primary);
    let within = gpg.sign("20150601", &key, &[], FILE);
    assert_eq!(good(&within, FILE, &[&old]).key_expires.unwrap().to_string(), "2016-01-01");
    gpg.run("20151201", &["--quick-set-expire", &primary, "0"], b"");
    let after = gpg.sign("20160601", &key, &[], FILE);
    assert!(
        matches!(bad(&after, FILE, &[&old]), Bad::AfterExpiry { key, .. } if key == fingerprint(&primary))
    );
    good(&after, FILE, &[&gpg.export(&primary)]);
}

#[test]
fn a_key_that_was_compromised_whenever_it_signed() {
    // 0: no reason is given, so the worst is assumed.
    for (reason, subkey, word) in
        [(1, Some(1), "compromised"), (0, Some(1), "no reason given"), (1, None, "compromised")]
    {
        let gpg = Gpg::new();
        let primary = gpg.key("20150101", "maker", "ed25519", "cert", "0");
        let key = gpg.subkey("20150101", &primary, "ed25519", "sign", "0");
        let signature = gpg.sign("20150601", &key, &[], FILE);
        let before = gpg.export(&primary);
        gpg.revoke("20160516", &primary, subkey, reason);
        let after = gpg.export(&primary);
        good(&signature, FILE, &[&before]);
        let revoked = if subkey.is_some() { &key } else { &primary };
        let said =
            format!("its key {revoked} was revoked on 2016-05-16 ({word}), so its signatures prove nothing");
        assert_eq!(bad(&signature, FILE, &[&after]).to_string(), said);
        assert_eq!(bad(&signature, FILE, &[&after, &before]).to_string(), said, "an old copy can't undo it");
    }
}

#[test]
fn a_key_that_was_superseded_before() {
    let gpg = Gpg::new();
    let primary = gpg.key("20150101", "maker", "ed25519", "cert", "0");
    let key = gpg.subkey("20150101", &primary, "ed25519", "sign", "0");
    let after = gpg.sign("20160602", &key, &[], FILE);
    gpg.revoke("20160601", &primary, Some(1), 2);
    assert_eq!(
        bad(&after, FILE, &[&gpg.export(&primary)]).to_string(),
        format!("it was signed on 2016-06-02 by key {key}, which was revoked on 2016-06-01 (superseded)")
    );
}

#[test]
fn what_is_too_weak() {
    let gpg = Gpg::new();
    let key = gpg.key("20150101", "maker", "rsa2048", "sign", "0");
    let public = gpg.export(&key);
    for (digest, name) in [("SHA1", "SHA1"), ("RIPEMD160", "RIPEMD160"), ("MD5", "MD5")] {
        let options = ["--allow-weak-digest-algos", "--digest-algo", digest];
        let signature = gpg.sign("20160101", &key, &options, FILE);
        assert_eq!(bad(&signature, FILE, &[&public]), Bad::WeakDigest(name.into()));
    }
    for (algorithm, what) in [("rsa1024", "RSA of 1024 bits"), ("dsa2048", "DSA")] {
        let gpg = Gpg::new();
        let weak = gpg.key("20150101", "maker", algorithm, "cert,sign", "0");
        let strong = gpg.subkey("20150101", &weak, "ed25519", "sign", "0");
        let public = gpg.export(&weak);
        for key in [&weak, &strong] {
            let signature = gpg.sign("20160101", key, &["--digest-algo", "SHA256"], FILE);
            let reason = Bad::WeakKey { key: fingerprint(&weak), what: what.into() };
            assert_eq!(bad(&signature, FILE, &[&public]), reason, "what a weak key vouches for is weak");
        }
    }
}

#[test]
fn what_is_not_supported() {
    let gpg = Gpg::new();
    let key = gpg.key("20150101", "maker", "ed25519", "cert,sign", "0");
    let subkey = gpg.subkey("20150101", &key, "brainpoolP256r1/ecdsa", "sign", "0");
    let signature = gpg.sign("20160101", &subkey, &[], FILE);
    let reason = bad(&signature, FILE, &[&gpg.export(&key)]);
    assert_eq!(reason, Bad::Unsupported("a key of the curve brainpoolP256r1".into()));

    let notation = ["--sig-notation", "!must-be-understood@example.org=yes"];
    let signature = gpg.sign("20160101", &key, &notation, FILE);
    let reason = bad(&signature, FILE, &[&gpg.export(&key)]);
    assert_eq!(reason, Bad::Unsupported("a demand of type 20".into()));
    let harmless = gpg.sign("20160101", &key, &["--sig-notation", "remark@example.org=yes"], FILE);
    good(&harmless, FILE, &[&gpg.export(&key)]);
}

#[test]
fn a_message_with_its_signature_inside() {
    let gpg = Gpg::new();
    let key = gpg.key("20150101", "maker", "ed25519", "sign", "0");
    let public = gpg.export(&key);
    for options in [&["--compress-algo", "none"][..], &["--compress-algo", "zip"]] {
        let message = gpg.run("20160101", &[options, &["--sign"]].concat(), FILE);
        let reason = bad(&message, FILE, &[&public]).to_string();
        assert!(reason.ends_with("it is a signed message, not a signature beside a file"), "{reason}");
    }
    let swapped = bad(&public, FILE, &[&public]).to_string();
    assert_eq!(swapped, "the signature can't be read: it is a public key");
}

#[test]
fn key_files_that_are_none_say_so() {
    let gpg = Gpg::new();
    let key = gpg.key("20150101", "maker", "ed25519", "cert", "0");
    gpg.subkey("20150101", &key, "ed25519", "sign", "0");
    let public = gpg.export(&key);
    let secret = gpg.run("20160101", &["--export-secret-keys", &key], b"");
    let armored_secret = gpg.run("20160101", &["--armor", "--export-secret-keys", &key], b"");
    let fault = |file: &[u8]| {
        let mut keyring = Keyring::new();
        let fault = keyring.add("keys/maker.asc", file).unwrap_err().to_string();
        assert_eq!(keyring.keys().count(), 0, "a file with a fault adds nothing");
        fault.strip_prefix("key file keys/maker.asc: ").unwrap().to_owned()
    };
    assert_eq!(fault(b""), "it is empty");
    assert_eq!(fault(b"<html>Not Found</html>"), "it holds no PGP PUBLIC KEY BLOCK");
    for secret in [&secret, &armored_secret, &[gpg.export_armored(&key), armored_secret.clone()].concat()] {
        assert_eq!(
            fault(secret),
            "it holds a secret key; export the public key, and keep this one off the server"
        );
    }
    let exotic = gpg.key("20150101", "exotic", "brainpoolP256r1", "sign", "0");
    assert_eq!(
        fault(&gpg.export(&exotic)),
        format!("key {exotic} is of the curve brainpoolP256r1, which is not supported here")
    );
    let signature = gpg.sign("20160101", &exotic, &[], FILE);
    assert_eq!(fault(&signature), "it begins with a packet that has no place in a public key");
    assert_eq!(fault(&public[..public.len() - 1]), "it is cut off");
    let armored = gpg.export_armored(&key);
    assert_eq!(fault(&armored[..armored.len() - 20]), "its PGP PUBLIC KEY BLOCK is cut off");
    // The primary key packet alone: its owner has said nothing.
    let bare = 2 + usize::from(public[1]);
    assert_eq!(
        fault(&public[..bare]),
        format!("key {key} is signed by nobody, not even by itself; export it anew")
    );
    assert_eq!(keyring(&[&public]).keys().next().unwrap().user_ids, ["maker <maker@example.org>"]);
}
