//! What helps against a failure that the node told itself.

use crate::{ids::Cause, nodes::Failure};

/// Why it failed and what helps, in one sentence; nothing where neither its kind nor its words are known.
pub(in crate::nodes) fn remedy(failure: &Failure) -> Option<&'static str> {
    let cause = failure.cause.or_else(|| cause_of(&failure.reason))?;
    Some(match cause {
        Cause::NoDisk => {
            "its installer was told of a disk that it does not have; set disk for this node, or \"smallest\""
        }
        Cause::WrongDisk => {
            "the disk that is set for it can't be installed on; set disk for this node to a whole disk that is not in use"
        }
        Cause::MarkedDisk => {
            "its disk has what rackberry installed before, and only an order that names the node overwrites that: \
             rackberry arm NODE"
        }
        Cause::DiskTooSmall => "its disk is smaller than the image; set disk for this node to a larger one",
        Cause::DiskError => {
            "its disk does not take what is written: it is failing, write-protected or badly connected"
        }
        Cause::NoConfiguration => "it has no configuration; write one into cloud-configs/ of an asset folder",
        Cause::BadConfiguration => {
            "its installer refuses its configuration, which `rackberry node show --render NODE` prints"
        }
        Cause::NotAllowed => {
            "the time to install was over before it got to its disk, which is untouched; arm it again"
        }
        Cause::NoImage => {
            "its installer asks for an image that is not there; `rackberry assets list` says what is"
        }
        Cause::NoSignature => {
            "its installer wants the image's signature; put the .sig file of the image's maker beside the image"
        }
        Cause::UnknownKey => {
            "its image is signed by a key that its installer does not have; take the image as its maker signed it"
        }
        Cause::BadSignature => "its image is damaged or signed by another key; copy the image again",
        Cause::WrongImage => "the image that it got is not the one that was verified; copy the image again",
        Cause::DamagedImage => "its image can't be unpacked, so it is damaged; copy the image again",
        Cause::Transfer => {
            "the image's transfer broke off: look at its cable and switch port, and at the disk that the image lies on"
        }
        Cause::NoServer => "it did not reach this server: look at its cable and switch port",
        Cause::NoMemory => "its memory is too small for its installer",
        Cause::Stopped => "somebody stopped its installer; `rackberry arm NODE --again` lets it try again",
    })
}

/// What the words of a report without a cause tell: scripts of the user's own pass on what their tools say.
fn cause_of(reason: &str) -> Option<Cause> {
    /// In lower case. Of several, the first counts: a disk that takes no more makes a transfer break, and a transfer
    /// that breaks makes a bad signature.
    const WORDS: &[(&str, Cause)] = &[
        ("there is no disk ", Cause::NoDisk),
        ("no space left on device", Cause::DiskTooSmall),
        ("read-only file system", Cause::DiskError),
        ("input/output error", Cause::DiskError),
        ("no configuration ", Cause::NoConfiguration),
        ("no public key", Cause::UnknownKey),
        ("public key not found", Cause::UnknownKey),
        ("bad signature", Cause::BadSignature),
        ("no valid openpgp data", Cause::NoSignature),
        ("signature unavailable", Cause::NoSignature),
        ("signature not found", Cause::NoSignature),
        ("image url unavailable", Cause::NoImage),
        ("image fetch failed", Cause::NoImage),
        ("is not a full disk", Cause::WrongDisk),
        ("not a block device", Cause::WrongDisk),
        ("is not writable", Cause::WrongDisk),
        ("found busy partitions", Cause::WrongDisk),
        ("gpg signature verification failed", Cause::WrongImage),
        ("gpg verification failure", Cause::WrongImage),
        ("data integrity error", Cause::DamagedImage),
        ("compressed file ends unexpectedly", Cause::DamagedImage),
        ("compressed data is corrupt", Cause::DamagedImage),
        ("not a bzip2 file", Cause::DamagedImage),
        ("file format not recognized", Cause::DamagedImage),
        ("connection refused", Cause::NoServer),
        ("couldn't connect to server", Cause::NoServer),
        ("no route to host", Cause::NoServer),
        ("could not resolve host", Cause::NoServer),
        ("unable to resolve host", Cause::NoServer),
        ("connection reset by peer", Cause::Transfer),
        ("connection closed prematurely", Cause::Transfer),
        ("did not complete", Cause::Transfer),
        ("transfer closed with", Cause::Transfer),
        ("timed out", Cause::Transfer),
        ("cannot allocate memory", Cause::NoMemory),
        ("out of memory", Cause::NoMemory),
    ];
    let reason = reason.to_lowercase();
    WORDS.iter().find(|(words, _)| reason.contains(words)).map(|(_, cause)| *cause)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Stage;

    fn failure(reason: &str, cause: Option<Cause>) -> Failure {
        Failure { stage: Stage::Installing, reason: reason.into(), said: true, cause }
    }

    #[test]
    fn every_cause_has_a_sentence_of_its_own() {
        let sentences: Vec<_> = Cause::ALL.iter().map(|cause| remedy(&failure("", Some(*cause)))).collect();
        for (at, sentence) in sentences.iter().enumerate() {
            assert!(
                sentence.is_some_and(|sentence| !sentences[..at].contains(&Some(sentence))),
                "{sentence:?}"
            );
        }
    }

    #[test]
    fn what_the_machine_says_it_is_counts_more_than_words() {
        let typed = failure("bad signature", Some(Cause::DiskError));
        assert_eq!(remedy(&typed), remedy(&failure("", Some(Cause::DiskError))));
    }

    /// As GnuPG, wget, curl, bzip2, xz, flatcar-install and coreos-installer have it.
    #[test]
    fn words_of_real_tools_are_known() {
        for (words, cause) in [
            ("gpg: BAD signature from \"maker <maker@x>\" [ultimate]", Cause::BadSignature),
            ("gpg: Can't check signature: No public key", Cause::UnknownKey),
            ("gpg: no valid OpenPGP data found.", Cause::NoSignature),
            ("flatcar-install: Image URL unavailable: http://10.10.10.1/1/i.bin.bz2", Cause::NoImage),
            (
                "flatcar-install: Image signature unavailable: http://10.10.10.1/1/i.bin.bz2.sig",
                Cause::NoSignature,
            ),
            ("flatcar-install: Target block device (/dev/sdb) is not a full disk.", Cause::WrongDisk),
            ("1: GPG signature verification failed for flatcar_production_image.bin.bz2", Cause::WrongImage),
            ("Error: --insecure not specified and signature not found", Cause::NoSignature),
            ("dd: error writing '/dev/sda': No space left on device", Cause::DiskTooSmall),
            ("dd: error writing '/dev/sda': Input/output error", Cause::DiskError),
            ("xz: (stdin): Compressed data is corrupt", Cause::DamagedImage),
            ("bunzip2: Data integrity error when decompressing.", Cause::DamagedImage),
            ("wget: can't connect to remote host (10.10.10.1): Connection refused", Cause::NoServer),
            ("curl: (7) Failed to connect to 10.10.10.1 port 80: Connection refused", Cause::NoServer),
            ("wget: connection closed prematurely", Cause::Transfer),
            ("curl: (18) transfer closed with 1024 bytes remaining to read", Cause::Transfer),
        ] {
            assert_eq!(cause_of(words), Some(cause), "{words}");
        }
        assert_eq!(cause_of("no sign of life for 5 minutes"), None);
    }
}
