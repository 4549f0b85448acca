//! Documents with their signature around them (RFC 9580 section 7), as Fedora's CHECKSUM and CoreOS'
//! DIGESTS.asc are.

use super::{
    keyring::{Keyring, Trust},
    verdict::{Bad, Good, Verdict},
    verifier::Verifier,
};

const BEGIN: &str = "-----BEGIN PGP SIGNED MESSAGE-----";
const SIGNATURE: &str = "-----BEGIN PGP SIGNATURE-----";

/// The text of a document that a trusted key signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedText {
    /// What was signed, and nothing that merely stands around it; lines end with a line feed.
    pub text: String,
    /// Who signed it.
    pub good: Good,
}

/// Whether this is such a document at all.
pub fn is_cleartext(document: &[u8]) -> bool {
    String::from_utf8_lossy(document).lines().any(|line| line.trim_end() == BEGIN)
}

/// The signed text of a document, if a key of `keyring` that `trust` includes has signed it.
pub fn verify_cleartext(document: &[u8], keyring: &Keyring, trust: &Trust) -> Result<SignedText, Bad> {
    let (text, signature) = split(document).map_err(|fault| Bad::Malformed(fault.into()))?;
    let mut verifier = Verifier::new(signature.as_bytes(), keyring, trust);
    verifier.update(text.join("\r\n").as_bytes());
    match verifier.finish().verdict {
        Verdict::Good(good) => {
            let text = text.iter().flat_map(|line| [*line, "\n"]).collect();
            Ok(SignedText { text, good })
        }
        Verdict::Bad(bad) => Err(bad),
    }
}

/// The lines as they were signed, without trailing blanks and dashes before dashes (section 7.2), and the
/// armored signature.
fn split(document: &[u8]) -> Result<(Vec<&str>, String), &'static str> {
    let document = str::from_utf8(document).map_err(|_| "the document is not UTF-8")?;
    let mut lines = document.lines();
    if !lines.by_ref().any(|line| line.trim_end() == BEGIN) {
        return Err("the document is not signed");
    }
    // Other headers than Hash must not be there (section 7.1): they would look signed.
    for line in lines.by_ref().map(str::trim_end) {
        match line {
            "" => break,
            _ if line.starts_with("Hash: ") => {}
            _ => return Err("the document has a header that doesn't belong there"),
        }
    }
    let mut text = Vec::new();
    for line in lines.by_ref() {
        let line = line.trim_end_matches([' ', '\t', '\r']);
        match line.strip_prefix("- ") {
            Some(line) => text.push(line),
            None if line == SIGNATURE => {
                let rest: String = lines.flat_map(|line| [line, "\n"]).collect();
                if rest.lines().any(|line| line.trim_end() == BEGIN) {
                    return Err("the file holds several signed documents");
                }
                return Ok((text, format!("{SIGNATURE}\n{rest}")));
            }
            None if line.starts_with('-') => return Err("the document has a line that was not signed so"),
            None => text.push(line),
        }
    }
    Err("the document is cut off before its signature")
}
