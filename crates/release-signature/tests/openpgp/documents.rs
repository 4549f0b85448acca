//! Documents that carry their signature, and the lists of digests in them.

use release_signature::{
    Bad, SignedText, Trust, digest::Digester, is_cleartext, sums::Sums, verify_cleartext,
};

use super::{FILE, fingerprint, gpg::Gpg, keyring};

/// Dashes, blanks at line ends, a line of dashes as armor has it.
const TEXT: &str = "- list\n-----BEGIN PGP SIGNATURE-----\ntwo  \t\n\nFrom here\n# \u{e4}\n";

struct Signer {
    gpg: Gpg,
    key: String,
}

impl Signer {
    fn new() -> Signer {
        let gpg = Gpg::new();
        let key = gpg.key("20150101", "maker", "ed25519", "sign", "0");
        Signer { gpg, key }
    }

    fn document(&self, text: &str) -> String {
        let document = self.gpg.run("20160101", &["--clear-sign"], text.as_bytes());
        String::from_utf8(document).unwrap()
    }

    fn verify(&self, document: &str) -> Result<SignedText, Bad> {
        let keyring = keyring(&[&self.gpg.export(&self.key)]);
        verify_cleartext(document.as_bytes(), &keyring, &Trust::none().and_all_of(&keyring))
    }
}

#[test]
fn what_was_signed_comes_out() {
    let signer = Signer::new();
    let document = signer.document(TEXT);
    assert!(is_cleartext(document.as_bytes()) && !is_cleartext(TEXT.as_bytes()));
    let signed = signer.verify(&document).unwrap();
    assert_eq!(signed.text, TEXT.replace("  \t\n", "\n"), "blanks at line ends are not signed");
    assert_eq!(signed.good.key, fingerprint(&signer.key));
    assert_eq!(
        signer.verify(&document.replace('\n', "\r\n")).unwrap(),
        signed,
        "line ends of another system"
    );
    assert_eq!(signer.verify(&document.replace("two", "two   ")).unwrap(), signed, "still two and blanks");
    for text in ["", "no line end", "\n\n"] {
        let signed = signer.verify(&signer.document(text)).unwrap();
        assert_eq!(signed.text.trim_end(), text.trim_end(), "{text:?}");
    }
}

impl Signer {
    fn does_not_match(&self) -> Bad {
        Bad::DoesNotMatch { key: fingerprint(&self.key) }
    }
}

#[test]
fn what_was_altered_or_added_does_not() {
    let signer = Signer::new();
    let document = signer.document(TEXT);
    for (from, to) in [("From here", "From there"), ("- - list", "- list"), ("# ", ""), ("two", "two\n")] {
        assert_eq!(
            signer.verify(&document.replacen(from, to, 1)).unwrap_err(),
            signer.does_not_match(),
            "{to:?}"
        );
    }
    // What stands around the document is not part of it.
    let framed = format!("all files are fine\n{document}trust me\n");
    assert_eq!(signer.verify(&framed).unwrap(), signer.verify(&document).unwrap());
    let malformed = |document: &str| match signer.verify(document).unwrap_err() {
        Bad::Malformed(reason) => reason,
        other => panic!("{other}"),
    };
    let begin = "-----BEGIN PGP SIGNED MESSAGE-----\n";
    assert_eq!(
        malformed(&document.replace(begin, &format!("{begin}Comment: all files are fine\n"))),
        "the document has a header that doesn't belong there"
    );
    assert_eq!(malformed(&document.repeat(2)), "the file holds several signed documents");
    assert_eq!(malformed(TEXT), "the document is not signed");
    let (cut, _) = document.split_once("\n-----BEGIN PGP SIGNATURE").unwrap();
    assert_eq!(malformed(cut), "the document is cut off before its signature");
    assert_eq!(
        malformed(&document.replace("- - list", "-list")),
        "the document has a line that was not signed so"
    );
    assert_eq!(malformed(&document[..document.len() - 30]), "its PGP SIGNATURE is cut off");
}

/// As Fedora has it: a document in BSD's style; as CoreOS has it: with sections. By any key, over any digest.
#[test]
fn a_signed_list_leads_to_a_verified_file() {
    let signer = Signer::new();
    let output = std::process::Command::new("sh")
        .args([
            "-c",
            "printf 'an image\nof two lines\n' >image.xz && sha512sum image.xz && sha256sum --tag image.xz",
        ])
        .current_dir(signer.gpg.home())
        .output()
        .unwrap();
    let sums = String::from_utf8(output.stdout).unwrap();
    let (gnu, bsd) = sums.split_once('\n').unwrap();
    for list in [format!("# image.xz: 22 bytes\n{bsd}"), format!("# SHA512 HASH\n{gnu}\n")] {
        let signed = signer.verify(&signer.document(&list)).unwrap();
        let sums = Sums::parse(&signed.text).unwrap();
        for (file, is_good) in [(FILE, true), (&FILE[1..], false)] {
            let mut digester = Digester::new(sums.algorithm("image.xz"));
            digester.update(file);
            assert_eq!(sums.compare("image.xz", &digester.finish()).is_good(), is_good, "{list}");
        }
    }
}

#[test]
fn a_document_signed_over_sha1_proves_nothing() {
    let signer = Signer::new();
    let document = signer.gpg.run("20160101", &["--digest-algo", "SHA1", "--clear-sign"], TEXT.as_bytes());
    let reason = signer.verify(&String::from_utf8(document).unwrap()).unwrap_err();
    assert_eq!(reason, Bad::WeakDigest("SHA1".into()));
}
