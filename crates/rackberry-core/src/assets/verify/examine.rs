//! What is found of a file while its bytes pass by: read from a disk, copied, received from a mirror.

use crate::{
    assets::{
        authentic::{FileVerdict, Finding},
        keys::Keys,
    },
    config::Verify,
};
use release_signature::{
    Bad, Trust, Verdict, Verifier,
    digest::{Algorithm, Digest, Digester},
    is_cleartext,
    sums::{SumVerdict, Sums},
    verify_cleartext,
};

/// Looks at one file while its bytes pass by.
#[derive(Debug)]
pub struct Examiner {
    name: String,
    by: By,
}

#[derive(Debug)]
enum By {
    Signature(Box<Verifier>),
    /// Lists, each with what it is worth where it lists the file's digest; what is said of a file that none lists.
    Lists(Vec<(Sums, FileVerdict)>, FileVerdict, Digester),
    /// Proven to be wrong, whatever the bytes are.
    Wrong(String, Digester),
}

/// The bytes of what vouches for a file.
#[derive(Debug, Clone, Default)]
pub struct ProofBytes<'a> {
    /// A signature of it.
    pub signature: Option<&'a [u8]>,
    /// Lists of digests, each with its signature; none where the list carries its own, or has none.
    pub lists: Vec<(&'a [u8], Option<&'a [u8]>)>,
}

impl Examiner {
    /// For the file called `name`, with what vouches for it. A signature that can be judged is the last word; lists are
    /// asked where there is none, or it proves nothing.
    pub fn new(name: &str, proof: &ProofBytes<'_>, keys: &Keys, trust: &Trust) -> Examiner {
        let of = |by| Examiner { name: name.to_owned(), by };
        let mut otherwise = FileVerdict::Unsigned;
        if let Some(signature) = proof.signature {
            let verifier = Verifier::new(signature, keys.keyring(), trust);
            match verifier.refused().filter(|bad| bad.proves_nothing()) {
                Some(bad) => otherwise = verdict_of(bad, ""),
                None => return of(By::Signature(Box::new(verifier.with_digests(&[Algorithm::Sha256])))),
            }
        }
        let mut lists = Vec::new();
        for (list, signature) in &proof.lists {
            match open_list(name, list, *signature, keys, trust) {
                Ok(listed) => lists.push(listed),
                Err(FileVerdict::Bad(reason)) => {
                    return of(By::Wrong(reason, Digester::new([Algorithm::Sha256])));
                }
                Err(verdict) if otherwise == FileVerdict::Unsigned => otherwise = verdict,
                Err(_) => {}
            }
        }
        let wanted = lists.iter().filter_map(|(sums, _)| sums.algorithm(name)).chain([Algorithm::Sha256]);
        let digester = Digester::new(wanted.collect::<Vec<_>>());
        of(By::Lists(lists, otherwise, digester))
    }

    /// Why the file can't do, whatever it holds: known before a long copy.
    pub fn hopeless(&self, verify: Verify) -> Option<String> {
        let verdict = match &self.by {
            By::Signature(verifier) => verdict_of(verifier.refused()?, ""),
            By::Lists(lists, otherwise, _) => {
                let mut naming = lists.iter().filter(|(sums, _)| sums.algorithm(&self.name).is_some());
                naming.next().map_or(otherwise, |(_, worth)| worth).clone()
            }
            By::Wrong(reason, _) => FileVerdict::Bad(reason.clone()),
        };
        verdict.will_do(verify).err().map(|why| why.to_string())
    }

    /// The file's next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.by {
            By::Signature(verifier) => verifier.update(bytes),
            By::Lists(_, _, digester) | By::Wrong(_, digester) => digester.update(bytes),
        }
    }

    /// The file is at its end.
    pub fn finish(self) -> Finding {
        let (verdict, digests) = match self.by {
            By::Signature(verifier) => {
                let outcome = verifier.finish();
                let verdict = match outcome.verdict {
                    Verdict::Good(good) => FileVerdict::Good(good),
                    Verdict::Bad(bad) => verdict_of(&bad, ""),
                };
                (verdict, outcome.digests)
            }
            By::Lists(lists, otherwise, digester) => {
                let digests = digester.finish();
                (by_lists(&self.name, lists, otherwise, &digests), digests)
            }
            By::Wrong(reason, digester) => (FileVerdict::Bad(reason), digester.finish()),
        };
        let sha256 = digests.into_iter().find(|digest| digest.algorithm() == Algorithm::Sha256);
        Finding { verdict, sha256 }
    }
}

/// What lists say of a file with these digests: one that lists another digest is the last word, then one that a
/// trusted key signed.
fn by_lists(
    name: &str,
    lists: Vec<(Sums, FileVerdict)>,
    otherwise: FileVerdict,
    digests: &[Digest],
) -> FileVerdict {
    let (mut best, mut silence) = (None, None);
    for (sums, worth) in lists {
        match sums.compare(name, digests) {
            SumVerdict::Matches(_) if best.is_none() || matches!(worth, FileVerdict::Good(_)) => {
                best = Some(worth);
            }
            SumVerdict::Matches(_) => {}
            differs @ SumVerdict::Differs { .. } => return FileVerdict::Bad(differs.to_string()),
            silent => silence = silence.or(Some(FileVerdict::Unproven(silent.to_string()))),
        }
    }
    best.unwrap_or(match otherwise {
        FileVerdict::Unsigned => silence.unwrap_or(otherwise),
        otherwise => otherwise,
    })
}

/// The list, and what it says of a file that has the digest that it lists.
///
/// # Errors
/// What is said of the file, where the list can't be read or is not what its signer signed.
fn open_list(
    name: &str,
    list: &[u8],
    signature: Option<&[u8]>,
    keys: &Keys,
    trust: &Trust,
) -> Result<(Sums, FileVerdict), FileVerdict> {
    const OF: &str = "the list that it is in: ";
    let unsigned = || {
        FileVerdict::Unproven(format!("{OF}nobody has signed it; put its signature beside it, as LIST.sig"))
    };
    // Beside the list may lie the same list with its signature around it.
    let (list, signature) = match signature {
        Some(whole) if is_cleartext(whole) => (whole, None),
        signature => (list, signature),
    };
    let (text, worth) = match signature {
        None if is_cleartext(list) => match verify_cleartext(list, keys.keyring(), trust) {
            Ok(signed) => (signed.text, FileVerdict::Good(signed.good)),
            Err(bad) if bad.proves_nothing() => (text_of(list), verdict_of(&bad, OF)),
            Err(bad) => return Err(verdict_of(&bad, OF)),
        },
        None => (text_of(list), unsigned()),
        Some(signature) => {
            let mut verifier = Verifier::new(signature, keys.keyring(), trust);
            verifier.update(list);
            match verifier.finish().verdict {
                Verdict::Good(good) => (text_of(list), FileVerdict::Good(good)),
                Verdict::Bad(bad) if bad.proves_nothing() => (text_of(list), verdict_of(&bad, OF)),
                Verdict::Bad(bad) => return Err(verdict_of(&bad, OF)),
            }
        }
    };
    let sums = Sums::parse_for(name, &text).map_err(|fault| FileVerdict::Unproven(format!("{OF}{fault}")))?;
    Ok((sums, worth))
}

fn text_of(list: &[u8]) -> String {
    String::from_utf8_lossy(list).into_owned()
}

fn verdict_of(bad: &Bad, of: &str) -> FileVerdict {
    let reason = format!("{of}{bad}");
    if bad.proves_nothing() { FileVerdict::Unproven(reason) } else { FileVerdict::Bad(reason) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const FILE: &[u8] = b"an image";

    fn hex(bytes: &[u8]) -> String {
        let mut digester = Digester::new([Algorithm::Sha256]);
        digester.update(bytes);
        digester.finish()[0].hex()
    }

    fn examined(proof: &ProofBytes<'_>, file: &[u8]) -> (Option<String>, FileVerdict) {
        let keys = Keys::new(BTreeMap::new());
        let mut examiner = Examiner::new("i.img", proof, &keys, &Trust::none());
        let hopeless = examiner.hopeless(Verify::UnsignedOk);
        examiner.update(file);
        (hopeless, examiner.finish().verdict)
    }

    /// A key that nobody here has: GnuPG's own signature of a line of text, by a key that was thrown away.
    const BY_NOBODY: &str = include_str!("../../../../../tests/data/by-nobody.asc");

    #[test]
    fn nobody_vouches_and_vouched_for_and_wrong_are_told_apart() {
        let (right, wrong) = (format!("{}  i.img\n", hex(FILE)), format!("{}  i.img\n", hex(b"another")));
        let other = format!("{}  other.img\n", hex(FILE));
        let alone = hex(FILE);
        let unproven = |verdict: &FileVerdict| matches!(verdict, FileVerdict::Unproven(_));
        let bad = |verdict: &FileVerdict| matches!(verdict, FileVerdict::Bad(_));
        let unsigned = |verdict: &FileVerdict| *verdict == FileVerdict::Unsigned;
        type Is<'a> = &'a dyn Fn(&FileVerdict) -> bool;
        type Case<'a> = (&'a str, Option<&'a [u8]>, &'a [&'a str], Is<'a>);
        let signature = BY_NOBODY.as_bytes();
        let cases: [Case<'_>; 12] = [
            ("nothing", None, &[], &unsigned),
            ("a list", None, &[&right], &unproven),
            ("a list of this file alone", None, &[&alone], &unproven),
            ("a list of another file", None, &[&other], &unproven),
            ("no list at all", None, &["<html>"], &unproven),
            ("another digest", None, &[&wrong], &bad),
            ("one of two lists", None, &[&right, &wrong], &bad),
            ("one of two lists, the other way", None, &[&wrong, &right], &bad),
            ("no signature at all", Some(b"404"), &[], &bad),
            ("a signature by nobody", Some(signature), &[], &unproven),
            ("a signature by nobody, and a list", Some(signature), &[&right], &unproven),
            ("a signature by nobody, and another digest", Some(signature), &[&wrong], &bad),
        ];
        for (what, signature, lists, is) in cases {
            let lists = lists.iter().map(|list| (list.as_bytes(), None)).collect();
            let (hopeless, verdict) = examined(&ProofBytes { signature, lists }, FILE);
            assert!(is(&verdict), "{what}: {verdict:?}");
            assert!(hopeless.is_none() || bad(&verdict), "{what}: {hopeless:?}");
        }
        // A list that is signed by nobody counts as one that is not signed; one whose signature is none does not count.
        let by = |signature: &'static [u8]| ProofBytes {
            signature: None,
            lists: vec![(Box::leak(right.clone().into_boxed_str()).as_bytes(), Some(signature))],
        };
        assert!(unproven(&examined(&by(signature), FILE).1));
        assert!(bad(&examined(&by(signature), b"another").1));
        assert!(bad(&examined(&by(b"404"), FILE).1));
    }
}
