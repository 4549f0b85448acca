//! Checking a file against its detached signature while its bytes pass by: read from a disk, received from a
//! mirror, or copied.

use super::{
    armor,
    keyring::{Keyring, Trust},
    packets::{self, types},
    signature::{FileSignature, Prospect, hasher},
    verdict::{Bad, Verdict},
};
use crate::digest::{Algorithm, Digest, Digester, Hasher};

/// No release is signed by more keys than this.
const MOST_SIGNATURES: usize = 16;

/// Checks one file. It holds everything that it needs: keys may change meanwhile. Its size does not grow with
/// the file's.
#[derive(Debug, Clone)]
pub struct Verifier {
    signatures: Vec<Judged>,
    streams: Vec<Stream>,
    digester: Digester,
    wanted: Vec<Algorithm>,
}

/// One of the signatures of a file.
#[derive(Debug, Clone)]
enum Judged {
    Already(Bad),
    ByTheFile { signature: Box<FileSignature>, prospects: Vec<Prospect>, stream: usize },
}

/// The hash of the file for one or several signatures.
#[derive(Debug, Clone)]
struct Stream {
    like: (pgp::crypto::hash::HashAlgorithm, bool, Vec<u8>),
    state: Hasher,
    text: Option<TextEnds>,
}

/// What a [`Verifier`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Good if one of the signatures is.
    pub verdict: Verdict,
    /// Digests of the file: those that were asked for, and those that came up anyway; one at least.
    pub digests: Vec<Digest>,
    /// The file's length in bytes.
    pub len: u64,
}

impl Verifier {
    /// A check against the signatures in a file, binary or armored, by keys of `keyring` that `trust` includes.
    pub fn new(signature: &[u8], keyring: &Keyring, trust: &Trust) -> Verifier {
        let mut verifier = Verifier {
            signatures: Vec::new(),
            streams: Vec::new(),
            digester: Digester::new([]),
            wanted: Vec::new(),
        };
        if let Err(bad) = verifier.read(signature, keyring, trust) {
            verifier.signatures = vec![Judged::Already(bad)];
            verifier.streams.clear();
        }
        verifier.share_out(&[]);
        verifier
    }

    /// Computes these digests of the file, too. Those that a signature needs anyway cost nothing.
    pub fn with_digests(mut self, algorithms: &[Algorithm]) -> Verifier {
        self.share_out(algorithms);
        self
    }

    /// Why none of the signatures can be good, whatever the file holds: known before a long download.
    pub fn refused(&self) -> Option<&Bad> {
        let reason = |judged: &'_ Judged| match judged {
            Judged::Already(bad) => Some(bad.weight()),
            Judged::ByTheFile { .. } => None,
        };
        let worst = self.signatures.iter().map(reason).collect::<Option<Vec<u8>>>()?.into_iter().max();
        self.signatures.iter().find_map(|judged| match judged {
            Judged::Already(bad) if Some(bad.weight()) == worst => Some(bad),
            _ => None,
        })
    }

    /// The file's next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.digester.update(bytes);
        for stream in &mut self.streams {
            match &mut stream.text {
                Some(ends) => ends.update(bytes, &mut stream.state),
                None => stream.state.update(bytes),
            }
        }
    }

    /// The file is at its end.
    pub fn finish(self) -> Outcome {
        let len = self.digester.seen();
        let shared = self.streams.iter().filter_map(Stream::file_digest).collect::<Vec<_>>();
        let digests = self.digester.finish().into_iter().chain(shared).collect();
        let mut worst = no_signature();
        for judged in self.signatures {
            let bad = match judged {
                Judged::Already(bad) => bad,
                Judged::ByTheFile { signature, prospects, stream } => {
                    match signature.check(self.streams[stream].state.clone(), &prospects) {
                        Ok(good) => return Outcome { verdict: Verdict::Good(good), digests, len },
                        Err(bad) => bad,
                    }
                }
            };
            if bad.weight() >= worst.weight() {
                worst = bad;
            }
        }
        Outcome { verdict: Verdict::Bad(worst), digests, len }
    }

    fn read(&mut self, file: &[u8], keyring: &Keyring, trust: &Trust) -> Result<(), Bad> {
        let unreadable = |fault: packets::Unreadable| Bad::Malformed(fault.to_string());
        for block in armor::contents(file, "SIGNATURE").map_err(unreadable)? {
            let packets = match packets::split(&block) {
                // Data follows in pieces, as it does in messages and in nothing else.
                Err(_) if matches!(block.first(), Some(0xa0..=0xa3 | 0xc8)) => {
                    return Err(not_a_signature(types::COMPRESSED));
                }
                packets => packets.map_err(unreadable)?,
            };
            for packet in packets {
                match packet.kind {
                    types::SIGNATURE => {}
                    types::MARKER | types::PADDING => continue,
                    other => return Err(not_a_signature(other)),
                }
                if self.signatures.len() == MOST_SIGNATURES {
                    return Err(Bad::Malformed(format!("it holds more than {MOST_SIGNATURES} signatures")));
                }
                let judged = FileSignature::parse(&packet)
                    .and_then(|signature| self.judge(signature, keyring, trust))
                    .unwrap_or_else(Judged::Already);
                self.signatures.push(judged);
            }
        }
        if self.signatures.is_empty() { Err(no_signature()) } else { Ok(()) }
    }

    fn judge(&mut self, signature: FileSignature, keyring: &Keyring, trust: &Trust) -> Result<Judged, Bad> {
        let prospects = signature.prospects(keyring, trust)?;
        let like = (signature.hash, signature.is_text, signature.salt.clone());
        let known = self.streams.iter().position(|stream| stream.like == like);
        let stream = match known {
            Some(number) => number,
            None => {
                let mut state = hasher(signature.hash)?;
                state.update(&signature.salt);
                let text = signature.is_text.then(TextEnds::default);
                self.streams.push(Stream { like, state, text });
                self.streams.len() - 1
            }
        };
        Ok(Judged::ByTheFile { signature: Box::new(signature), prospects, stream })
    }

    /// Leaves to the digester what no signature computes anyway.
    fn share_out(&mut self, wanted: &[Algorithm]) {
        let shared: Vec<Algorithm> =
            self.streams.iter().filter_map(Stream::file_digest).map(|digest| digest.algorithm()).collect();
        self.wanted.extend(wanted);
        let mut own: Vec<Algorithm> = self.wanted.iter().copied().filter(|a| !shared.contains(a)).collect();
        if own.is_empty() && shared.is_empty() {
            own.push(Algorithm::Sha256);
        }
        self.digester = Digester::new(own);
    }
}

/// A detached signature is nothing but signature packets (RFC 9580 section 10.4).
fn not_a_signature(kind: u8) -> Bad {
    Bad::Malformed(match kind {
        types::PUBLIC_KEY => "it is a public key".into(),
        types::SECRET_KEY => packets::Unreadable::SecretKey.to_string(),
        types::ONE_PASS | types::COMPRESSED => "it is a signed message, not a signature beside a file".into(),
        _ => packets::Unreadable::Misplaced("a signature").to_string(),
    })
}

fn no_signature() -> Bad {
    Bad::Malformed("it holds none".into())
}

impl Stream {
    /// A digest of the file, if nothing else went into the hash.
    fn file_digest(&self) -> Option<Digest> {
        let (_, is_text, salt) = &self.like;
        if *is_text || !salt.is_empty() { None } else { self.state.file_digest() }
    }
}

/// Hashes text with each line's end as CR LF (RFC 9580 section 5.2.1.2).
#[derive(Debug, Clone, Default)]
struct TextEnds {
    after_cr: bool,
}

impl TextEnds {
    fn update(&mut self, bytes: &[u8], state: &mut Hasher) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (line, end) = match piece.split_last() {
                Some((b'\n', line)) => (line, true),
                _ => (piece, false),
            };
            if let Some(last) = line.last() {
                self.after_cr = *last == b'\r';
            }
            state.update(line);
            if end {
                state.update(if self.after_cr { b"\n" } else { b"\r\n" });
                self.after_cr = false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// However a text is cut into pieces, and whatever its line ends, its hash is one.
    #[test]
    fn line_ends_are_one_for_text_signatures() {
        let hash = |text: &str, piece: usize| {
            let mut state = Hasher::of(Algorithm::Sha256);
            let mut ends = TextEnds::default();
            text.as_bytes().chunks(piece).for_each(|bytes| ends.update(bytes, &mut state));
            state.finish()
        };
        let mut plain = Hasher::of(Algorithm::Sha256);
        plain.update(b"one\r\ntwo\r\n\r\nthree\rfour\r\nend");
        let plain = plain.finish();
        for piece in 1..12 {
            assert_eq!(hash("one\ntwo\n\nthree\rfour\nend", piece), plain, "LF, by {piece}");
            assert_eq!(hash("one\r\ntwo\r\n\r\nthree\rfour\r\nend", piece), plain, "CR LF, by {piece}");
        }
        assert_ne!(hash("one\ntwo\n\nthree\rfour\nend\n", 5), plain);
    }
}
