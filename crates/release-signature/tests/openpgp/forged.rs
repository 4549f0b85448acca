//! Keys and signatures that GnuPG does not make: an attacker's, and those of the newer standard.

use pgp::{
    composed::{KeyType, SecretKeyParamsBuilder, SignedPublicKey, SignedSecretKey, SubkeyParamsBuilder},
    crypto::hash::HashAlgorithm,
    packet::{
        KeyFlags, Packet, PacketParser, PacketTrait as _, PublicSubkey, Signature, SignatureConfig,
        SignatureType, Subpacket, SubpacketData,
    },
    ser::Serialize as _,
    types::{Duration, KeyDetails, KeyVersion, Password, SigningKey, Timestamp},
};
use release_signature::{Bad, Fingerprint, Issuer, Keyring};

use super::{FILE, bad, fingerprint, good, gpg::Gpg};

/// What a primary key is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Primary {
    Signs,
    OnlyCertifies,
}

/// A key of rPGP's making: its primary key certifies, its subkeys are for what `subkeys` sets.
fn generate(version: KeyVersion, primary: Primary, subkeys: Vec<SubkeyParamsBuilder>) -> SignedSecretKey {
    let kind = if version == KeyVersion::V6 { KeyType::Ed25519 } else { KeyType::Ed25519Legacy };
    let subkeys =
        subkeys.into_iter().map(|mut subkey| subkey.version(version).key_type(kind.clone()).build().unwrap());
    SecretKeyParamsBuilder::default()
        .version(version)
        .key_type(kind.clone())
        .can_certify(true)
        .can_sign(primary == Primary::Signs)
        .primary_user_id("mallory <mallory@example.org>".into())
        .subkeys(subkeys.collect())
        .build()
        .unwrap()
        .generate(rand::thread_rng())
        .unwrap()
}

fn public(key: &SignedSecretKey) -> Vec<u8> {
    SignedPublicKey::from(key.clone()).to_bytes().unwrap()
}

fn name(key: &impl KeyDetails) -> Fingerprint {
    fingerprint(&key.fingerprint().to_string())
}

fn now() -> Subpacket {
    Subpacket::regular(SubpacketData::SignatureCreationTime(Timestamp::now())).unwrap()
}

fn by(key: &impl KeyDetails) -> Subpacket {
    Subpacket::regular(SubpacketData::IssuerFingerprint(key.fingerprint())).unwrap()
}

fn packet(signature: &Signature) -> Vec<u8> {
    let mut bytes = Vec::new();
    signature.to_writer_with_header(&mut bytes).unwrap();
    bytes
}

fn sign(key: &impl SigningKey, hash: HashAlgorithm, subpackets: Vec<Subpacket>) -> Vec<u8> {
    let mut config = match key.version() {
        KeyVersion::V6 => {
            SignatureConfig::v6(rand::thread_rng(), SignatureType::Binary, key.algorithm(), hash).unwrap()
        }
        _ => SignatureConfig::v4(SignatureType::Binary, key.algorithm(), hash),
    };
    config.hashed_subpackets = subpackets;
    packet(&config.sign(key, &Password::empty(), FILE).unwrap())
}

/// The certificate with each of its packets changed, or left out.
fn rewrite(certificate: &[u8], mut change: impl FnMut(Packet) -> Option<Packet>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for packet in PacketParser::new(certificate) {
        if let Some(packet) = change(packet.unwrap()) {
            packet.to_writer(&mut bytes).unwrap();
        }
    }
    bytes
}

fn is_binding(signature: &Signature) -> bool {
    signature.typ() == Some(SignatureType::SubkeyBinding)
}

#[test]
fn a_certificate_that_went_through_these_tests_is_still_good() {
    let gpg = Gpg::new();
    let primary = gpg.key("20150101", "maker", "ed25519", "cert", "0");
    let key = gpg.subkey("20150101", &primary, "ed25519", "sign", "1y");
    let signature = gpg.sign("20150601", &key, &[], FILE);
    good(&signature, FILE, &[&rewrite(&gpg.export(&primary), Some)]);
}

#[test]
fn a_signing_subkey_without_its_back_signature() {
    let gpg = Gpg::new();
    let primary = gpg.key("20150101", "maker", "ed25519", "cert", "0");
    let key = gpg.subkey("20150101", &primary, "ed25519", "sign", "0");
    let signature = gpg.sign("20150601", &key, &[], FILE);
    let whole = gpg.export(&primary);
    let stripped = rewrite(&whole, |packet| match packet {
        Packet::Signature(mut signature) if is_binding(&signature) => {
            let is_back = |s: &Subpacket| matches!(s.data, SubpacketData::EmbeddedSignature(_));
            let at = signature.config().unwrap().unhashed_subpackets().position(is_back);
            signature.unhashed_subpacket_remove(at.expect("a back-signature")).unwrap();
            Some(signature.into())
        }
        other => Some(other),
    });
    let reason = Bad::OneSided { key: fingerprint(&key), primary: fingerprint(&primary) };
    assert_eq!(bad(&signature, FILE, &[&stripped]), reason);
    // Another copy has it.
    good(&signature, FILE, &[&stripped, &whole]);
}

/// Mallory, who is trusted for something, claims that he made what the maker signed.
#[test]
fn a_subkey_that_somebody_else_adopted() {
    let gpg = Gpg::new();
    let primary = gpg.key("20150101", "maker", "ed25519", "cert", "0");
    let key = gpg.subkey("20150101", &primary, "ed25519", "sign", "0");
    let signature = gpg.sign("20300101", &key, &[], FILE);
    let mut theirs: Option<PublicSubkey> = None;
    let mut back: Option<Subpacket> = None;
    rewrite(&gpg.export(&primary), |packet| {
        match &packet {
            Packet::PublicSubkey(key) => theirs = Some(key.clone()),
            Packet::Signature(s) if is_binding(s) => {
                let embedded = s.embedded_signature().unwrap().clone();
                back =
                    Some(Subpacket::regular(SubpacketData::EmbeddedSignature(Box::new(embedded))).unwrap());
            }
            _ => {}
        }
        None
    });
    let (theirs, back) = (theirs.unwrap(), back.unwrap());
    let mallory = generate(KeyVersion::V4, Primary::Signs, vec![]);
    let mut flags = KeyFlags::default();
    flags.set_sign(true);
    for subpackets in [vec![], vec![back]] {
        let mut config = SignatureConfig::v4(
            SignatureType::SubkeyBinding,
            mallory.primary_key.algorithm(),
            HashAlgorithm::Sha256,
        );
        config.hashed_subpackets = vec![
            now(),
            by(&mallory.primary_key),
            Subpacket::regular(SubpacketData::KeyFlags(flags.clone())).unwrap(),
        ];
        config.hashed_subpackets.extend(subpackets);
        let mallory_public = mallory.primary_key.public_key();
        let binding = config
            .sign_subkey_binding(&mallory.primary_key, &mallory_public, &Password::empty(), &theirs)
            .unwrap();
        let mut certificate = public(&mallory);
        theirs.to_writer_with_header(&mut certificate).unwrap();
        certificate.extend(packet(&binding));
        let reason = Bad::OneSided { key: fingerprint(&key), primary: name(&mallory.primary_key) };
        assert_eq!(bad(&signature, FILE, &[&certificate]), reason);
    }
}

#[test]
fn a_subkey_that_was_put_beside_a_trusted_key() {
    let gpg = Gpg::new();
    let maker = gpg.key("20150101", "maker", "ed25519", "cert", "0");
    let mallory = gpg.key("20150101", "mallory", "ed25519", "cert", "0");
    let key = gpg.subkey("20150101", &mallory, "ed25519", "sign", "0");
    let signature = gpg.sign("20160101", &key, &[], FILE);
    let mut subkey_began = false;
    let smuggled = rewrite(&gpg.export(&mallory), |packet| {
        subkey_began |= matches!(packet, Packet::PublicSubkey(_));
        subkey_began.then_some(packet)
    });
    let certificate = [gpg.export(&maker), smuggled].concat();
    let reason = Bad::Unbound { key: fingerprint(&key), primary: fingerprint(&maker) };
    assert_eq!(bad(&signature, FILE, &[&certificate]), reason);
}

#[test]
fn a_key_that_is_for_something_else() {
    let mut authenticates = SubkeyParamsBuilder::default();
    authenticates.can_authenticate(true);
    let key = generate(KeyVersion::V4, Primary::OnlyCertifies, vec![authenticates]);
    let subkey = &key.secret_subkeys[0].key;
    let by_primary = sign(&key.primary_key, HashAlgorithm::Sha256, vec![now(), by(&key.primary_key)]);
    let by_subkey = sign(subkey, HashAlgorithm::Sha256, vec![now(), by(subkey)]);
    assert_eq!(bad(&by_primary, FILE, &[&public(&key)]), Bad::NotForSigning { key: name(&key.primary_key) });
    assert_eq!(bad(&by_subkey, FILE, &[&public(&key)]), Bad::NotForSigning { key: name(subkey) });
}

/// What is not hashed, anyone can write.
#[test]
fn a_longer_life_that_was_not_signed() {
    let gpg = Gpg::new();
    let primary = gpg.key("20150101", "maker", "ed25519", "cert", "0");
    let key = gpg.subkey("20150101", &primary, "ed25519", "sign", "1y");
    let old = gpg.export(&primary);
    gpg.run("20150601", &["--quick-set-expire", &primary, "0", &key], b"");
    let late = gpg.sign("20160601", &key, &[], FILE);
    let prolonged = rewrite(&old, |packet| match packet {
        Packet::Signature(mut signature) if is_binding(&signature) => {
            let never = SubpacketData::KeyExpirationTime(Duration::from_secs(0));
            signature.unhashed_subpacket_insert(0, Subpacket::regular(never).unwrap()).unwrap();
            Some(signature.into())
        }
        other => Some(other),
    });
    assert!(matches!(bad(&late, FILE, &[&prolonged]), Bad::AfterExpiry { .. }));
}

/// Nobody but its owner revokes a key.
#[test]
fn a_revocation_by_somebody_else() {
    let maker = generate(KeyVersion::V4, Primary::Signs, vec![]);
    let mallory = generate(KeyVersion::V4, Primary::Signs, vec![]);
    let signature = sign(&maker.primary_key, HashAlgorithm::Sha512, vec![now(), by(&maker.primary_key)]);
    let certificate = |revoker: &SignedSecretKey| {
        let revoked = maker.primary_key.public_key();
        let mut config =
            SignatureConfig::v4(SignatureType::KeyRevocation, revoked.algorithm(), HashAlgorithm::Sha256);
        config.hashed_subpackets = vec![now(), by(&maker.primary_key)];
        let revocation = config.sign_key(&revoker.primary_key, &Password::empty(), &revoked).unwrap();
        // Its place is behind the primary key.
        let mut begin = Vec::new();
        revoked.to_writer_with_header(&mut begin).unwrap();
        let whole = public(&maker);
        let rest = whole.strip_prefix(&begin[..]).expect("a certificate begins with its primary key");
        [&begin[..], &packet(&revocation), rest].concat()
    };
    good(&signature, FILE, &[&certificate(&mallory)]);
    assert!(matches!(bad(&signature, FILE, &[&certificate(&maker)]), Bad::Compromised { .. }));
}

/// RFC 9580's keys, which hash a salt before the file.
#[test]
fn a_version_6_key() {
    let mut signs = SubkeyParamsBuilder::default();
    signs.can_sign(true);
    let key = generate(KeyVersion::V6, Primary::Signs, vec![signs]);
    let subkey = &key.secret_subkeys[0].key;
    for signature in [
        sign(&key.primary_key, HashAlgorithm::Sha512, vec![now(), by(&key.primary_key)]),
        sign(subkey, HashAlgorithm::Sha256, vec![now(), by(subkey)]),
    ] {
        assert_eq!(good(&signature, FILE, &[&public(&key)]).primary, name(&key.primary_key));
        assert!(matches!(bad(&signature, b"other", &[&public(&key)]), Bad::DoesNotMatch { .. }));
    }
}

#[test]
fn a_signature_of_a_strange_kind() {
    let key = generate(KeyVersion::V4, Primary::Signs, vec![]);
    let certificate = public(&key);
    let reason = |signature: &[u8]| bad(signature, FILE, &[&certificate]);
    let undated = sign(&key.primary_key, HashAlgorithm::Sha256, vec![by(&key.primary_key)]);
    assert_eq!(reason(&undated), Bad::Malformed("it has no date".into()));
    let nameless = sign(&key.primary_key, HashAlgorithm::Sha256, vec![now()]);
    assert_eq!(reason(&nameless), Bad::UnknownKey { issuer: Issuer::Unnamed });
    let unknown = Subpacket::critical(SubpacketData::Experimental(101, vec![1].into())).unwrap();
    let demanding = sign(&key.primary_key, HashAlgorithm::Sha256, vec![now(), by(&key.primary_key), unknown]);
    assert_eq!(reason(&demanding), Bad::Unsupported("a demand of type 101".into()));

    // The certificate's own statement on its user ID is a good signature, but of no file.
    let mut statement = Vec::new();
    rewrite(&certificate, |packet| {
        if let Packet::Signature(signature) = &packet {
            statement = self::packet(signature);
        }
        None
    });
    assert_eq!(reason(&statement), Bad::Unsupported("a signature of type 19".into()));

    // Version 3: five hashed octets, then the key ID, both algorithms, and a number.
    let mut old = vec![0x88, 22, 3, 5, 0, 0x57, 0x3a, 0x2e, 0x1e];
    old.extend(key.primary_key.legacy_key_id().as_ref());
    old.extend([1, 8, 0xab, 0xcd, 0, 8, 0xff]);
    assert_eq!(reason(&old), Bad::Unsupported("a signature of version 3".into()));
}

/// SHA-1 will do for an owner's statements on a key of his own (CoreOS' are such), MD5 won't.
#[test]
fn self_signatures_over_old_digests() {
    let gpg = Gpg::new();
    for (digest, counts) in [("SHA1", true), ("MD5", false)] {
        let weak = ["--allow-weak-digest-algos", "--cert-digest-algo", digest];
        let user_id = format!("{digest} <{digest}@example.org>");
        gpg.run(
            "20130906",
            &[&weak[..], &["--quick-generate-key", &user_id, "rsa2048", "sign", "0"]].concat(),
            b"",
        );
        let certificate = gpg.export(&user_id);
        assert_eq!(Keyring::new().add("key", &certificate).is_ok(), counts, "{digest}");
    }
}
