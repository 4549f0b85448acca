//! Digests of files, computed while their bytes pass by.

use std::fmt;

use sha2::{Digest as _, Sha256, Sha384, Sha512};

/// A digest that can stand for a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// SHA-256 (FIPS 180-4)
    Sha256,
    /// SHA-512 (FIPS 180-4)
    Sha512,
}

impl Algorithm {
    /// Its size in bytes.
    fn size(self) -> usize {
        match self {
            Algorithm::Sha256 => 32,
            Algorithm::Sha512 => 64,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Algorithm::Sha256 => "SHA256",
            Algorithm::Sha512 => "SHA512",
        })
    }
}

/// The digest of one file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest {
    algorithm: Algorithm,
    value: Vec<u8>,
}

impl Digest {
    /// The digest of that algorithm with that value in hexadecimal digits; none if that isn't one.
    pub fn from_hex(algorithm: Algorithm, hex: &str) -> Option<Digest> {
        let value = bytes_of_hex(hex)?;
        (value.len() == algorithm.size()).then_some(Digest { algorithm, value })
    }

    /// How it was computed.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Its value in lower case hexadecimal digits.
    pub fn hex(&self) -> String {
        self.value.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// `SHA256:` and the value.
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm, self.hex())
    }
}

/// A text is not a digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a digest; one looks like SHA256: and 64 hexadecimal digits")]
pub struct NotADigest(String);

impl TryFrom<String> for Digest {
    type Error = NotADigest;

    fn try_from(text: String) -> Result<Digest, NotADigest> {
        let digest = match text.split_once(':') {
            Some(("SHA256", hex)) => Digest::from_hex(Algorithm::Sha256, hex),
            Some(("SHA512", hex)) => Digest::from_hex(Algorithm::Sha512, hex),
            _ => None,
        };
        digest.ok_or(NotADigest(text))
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> String {
        digest.to_string()
    }
}

/// Several digests of one stream of bytes, in one pass.
#[derive(Debug, Clone)]
pub struct Digester {
    states: Vec<(Algorithm, Hasher)>,
    len: u64,
}

impl Digester {
    /// Begins to compute these digests, of bytes that come piece by piece.
    pub fn new(algorithms: impl IntoIterator<Item = Algorithm>) -> Digester {
        let mut digester = Digester { states: Vec::new(), len: 0 };
        for algorithm in algorithms {
            if digester.states.iter().all(|(known, _)| *known != algorithm) {
                digester.states.push((algorithm, Hasher::of(algorithm)));
            }
        }
        digester
    }

    /// The file's next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.len += bytes.len() as u64;
        for (_, state) in &mut self.states {
            state.update(bytes);
        }
    }

    /// How many bytes there were so far.
    pub fn seen(&self) -> u64 {
        self.len
    }

    /// The file is at its end.
    pub fn finish(self) -> Vec<Digest> {
        let digest = |(algorithm, state): (Algorithm, Hasher)| Digest { algorithm, value: state.finish() };
        self.states.into_iter().map(digest).collect()
    }
}

/// One running hash.
#[derive(Debug, Clone)]
pub(super) enum Hasher {
    Sha256(Sha256),
    Sha384(Sha384),
    Sha512(Sha512),
}

impl Hasher {
    pub(super) fn of(algorithm: Algorithm) -> Hasher {
        match algorithm {
            Algorithm::Sha256 => Hasher::Sha256(Sha256::new()),
            Algorithm::Sha512 => Hasher::Sha512(Sha512::new()),
        }
    }

    pub(super) fn sha384() -> Hasher {
        Hasher::Sha384(Sha384::new())
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        match self {
            Hasher::Sha256(state) => state.update(bytes),
            Hasher::Sha384(state) => state.update(bytes),
            Hasher::Sha512(state) => state.update(bytes),
        }
    }

    pub(super) fn finish(self) -> Vec<u8> {
        match self {
            Hasher::Sha256(state) => state.finalize().to_vec(),
            Hasher::Sha384(state) => state.finalize().to_vec(),
            Hasher::Sha512(state) => state.finalize().to_vec(),
        }
    }

    /// What it says of the file when it has seen nothing but the file.
    pub(super) fn file_digest(&self) -> Option<Digest> {
        let algorithm = match self {
            Hasher::Sha256(_) => Algorithm::Sha256,
            Hasher::Sha512(_) => Algorithm::Sha512,
            Hasher::Sha384(_) => return None,
        };
        Some(Digest { algorithm, value: self.clone().finish() })
    }
}

/// The bytes that these hexadecimal digits name.
pub(super) fn bytes_of_hex(hex: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = hex.chars().map(|c| c.to_digit(16).map(|digit| digit as u8)).collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    Some(digits.chunks(2).map(|pair| (pair[0] << 4) | pair[1]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS 180-4's example.
    #[test]
    fn the_standards_own_example_comes_out() {
        let mut digester = Digester::new([Algorithm::Sha256, Algorithm::Sha512, Algorithm::Sha256]);
        digester.update(b"a");
        digester.update(b"bc");
        assert_eq!(digester.seen(), 3);
        let hex: Vec<String> = digester.finish().iter().map(Digest::hex).collect();
        assert_eq!(
            hex,
            [
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
                "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
                 2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
            ]
        );
    }

    #[test]
    fn digests_are_read_and_written() {
        let digest = Digest::from_hex(Algorithm::Sha256, &"aB".repeat(32)).unwrap();
        assert_eq!(digest.to_string(), format!("SHA256:{}", "ab".repeat(32)));
        let json = serde_json::to_string(&digest).unwrap();
        assert_eq!(serde_json::from_str::<Digest>(&json).unwrap(), digest);
        for wrong in ["", "ab", "zz", "SHA1:ab"] {
            assert_eq!(Digest::from_hex(Algorithm::Sha256, wrong), None);
            assert!(Digest::try_from(wrong.to_owned()).is_err());
        }
        assert_eq!(Digest::from_hex(Algorithm::Sha512, &"ab".repeat(32)), None, "too short");
    }
}
