//! OpenPGP verification, with keys and signatures that GnuPG makes, with ones that GnuPG refuses to make, and
//! with the keys that operating systems' publishers gave out.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "they run gpg, and may panic, their helpers too"
)]

mod documents;
mod forged;
mod garbage;
mod gpg;
mod published;
mod refused;
mod signed;

use release_signature::{Bad, Fingerprint, Good, Keyring, Outcome, Trust, Verdict, Verifier};

/// What is signed in most tests.
const FILE: &[u8] = b"an image\nof two lines\n";

/// A keyring of these files.
fn keyring(files: &[&[u8]]) -> Keyring {
    let mut keyring = Keyring::new();
    for (number, file) in files.iter().enumerate() {
        keyring.add(&format!("{number}.asc"), file).expect("a key file");
    }
    keyring
}

/// Checks a file, in pieces, by keys that are all trusted.
fn outcome(signature: &[u8], file: &[u8], keys: &[&[u8]]) -> Outcome {
    let keyring = keyring(keys);
    outcome_by(signature, file, &keyring, &Trust::none().and_all_of(&keyring))
}

fn outcome_by(signature: &[u8], file: &[u8], keyring: &Keyring, trust: &Trust) -> Outcome {
    let mut verifier = Verifier::new(signature, keyring, trust);
    let refused = verifier.refused().cloned();
    file.chunks(7).for_each(|piece| verifier.update(piece));
    let outcome = verifier.finish();
    if let Some(refused) = refused {
        assert_eq!(outcome.verdict, Verdict::Bad(refused), "what was known before stays true");
    }
    assert_eq!(outcome.len, file.len() as u64);
    outcome
}

fn good(signature: &[u8], file: &[u8], keys: &[&[u8]]) -> Good {
    match outcome(signature, file, keys).verdict {
        Verdict::Good(good) => good,
        Verdict::Bad(bad) => panic!("bad: {bad}"),
    }
}

fn bad(signature: &[u8], file: &[u8], keys: &[&[u8]]) -> Bad {
    match outcome(signature, file, keys).verdict {
        Verdict::Bad(bad) => bad,
        Verdict::Good(good) => panic!("good: {good}"),
    }
}

fn fingerprint(text: &str) -> Fingerprint {
    text.parse().expect("a fingerprint")
}
