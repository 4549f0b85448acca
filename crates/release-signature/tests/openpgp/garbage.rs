//! Whatever bytes come in, the answer is a reason, never a panic and never yes.

use std::sync::LazyLock;

use proptest::prelude::*;
use release_signature::{Keyring, Trust, Verifier, verify_cleartext};

use super::{FILE, gpg::Gpg, keyring};

const FEDORA: &[u8] = include_bytes!("../../../../profiles/keys/fedora-coreos.asc");
const CHECKSUM: &[u8] = include_bytes!("../data/Fedora-Cloud-44-1.7-aarch64-CHECKSUM");

static KEYRING: LazyLock<Keyring> = LazyLock::new(|| keyring(&[&SIGNED.public]));
static OF_FEDORA: LazyLock<Keyring> = LazyLock::new(|| keyring(&[FEDORA]));

struct Signed {
    public: Vec<u8>,
    armored: Vec<u8>,
    signature: Vec<u8>,
}

static SIGNED: LazyLock<Signed> = LazyLock::new(|| {
    let gpg = Gpg::new();
    let primary = gpg.key("20150101", "maker", "ed25519", "cert", "0");
    let key = gpg.subkey("20150101", &primary, "ed25519", "sign", "1y");
    Signed {
        signature: gpg.sign("20150601", &key, &[], FILE),
        armored: gpg.export_armored(&primary),
        public: gpg.export(&primary),
    }
});

fn is_good(signature: &[u8], file: &[u8], keyring: &Keyring) -> bool {
    let mut verifier = Verifier::new(signature, keyring, &Trust::none().and_all_of(keyring));
    verifier.update(file);
    verifier.finish().verdict.is_good()
}

/// Some bytes replaced, taken out or put in.
fn damage(bytes: &[u8], at: usize, gone: usize, new: &[u8]) -> Vec<u8> {
    let at = at % (bytes.len() + 1);
    let end = (at + gone).min(bytes.len());
    [&bytes[..at], new, &bytes[end..]].concat()
}

fn harm() -> impl Strategy<Value = (usize, usize, Vec<u8>)> {
    (any::<usize>(), 0..9usize, prop::collection::vec(any::<u8>(), 0..9))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn random_signatures(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(!is_good(&bytes, FILE, &KEYRING));
    }

    #[test]
    fn signatures_that_begin_well(bytes in prop::collection::vec(any::<u8>(), 0..200), kind in 0..2u8) {
        let begin = [0x88, bytes.len() as u8 + 5, 4, kind, 22, 8, 0];
        prop_assert!(!is_good(&[&begin[..], &bytes].concat(), FILE, &KEYRING));
    }

    /// Damage to what is signed is always seen; to the rest it may be harmless.
    #[test]
    fn damaged_signatures((at, gone, new) in harm()) {
        let damaged = damage(&SIGNED.signature, at, gone, &new);
        is_good(&damaged, FILE, &KEYRING);
        prop_assert!(!is_good(&damaged, b"another file", &KEYRING));
    }

    #[test]
    fn random_keys(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = Keyring::new().add("random", &bytes);
    }

    #[test]
    fn damaged_keys((at, gone, new) in harm(), is_armored: bool) {
        let whole = if is_armored { &SIGNED.armored } else { &SIGNED.public };
        let mut keyring = Keyring::new();
        let _ = keyring.add("damaged", &damage(whole, at, gone, &new));
        prop_assert!(!is_good(&SIGNED.signature, b"another file", &keyring));
    }

    #[test]
    fn damaged_documents((at, gone, new) in harm()) {
        let trust = Trust::none().and_all_of(&OF_FEDORA);
        if let Ok(signed) = verify_cleartext(&damage(CHECKSUM, at, gone, &new), &OF_FEDORA, &trust) {
            let whole = verify_cleartext(CHECKSUM, &OF_FEDORA, &trust).expect("the document as it is");
            prop_assert_eq!(signed.text, whole.text, "what comes out is what was signed");
        }
    }
}
