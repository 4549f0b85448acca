//! Which line of an installer's output says why it failed. The texts are what these installers print with real GnuPG,
//! wget and bzip2, cut to what matters.

use std::process::Command;

use rackberry_core::profiles;

/// flatcar-install ends in one of these, whatever the reason.
const FLATCAR_END: &str = "Error: return code 1 from exit 1
/dev/sda: 8 bytes were erased at offset 0x00000200 (gpt): 45 46 49 20 50 41 52 54
/dev/sda: calling ioctl to re-read partition table: Success";
/// When its pipe to the disk breaks.
const BROKEN: &str = "Cannot write to '-' (Broken pipe).
gpg: Signature made Sat Nov 28 00:35:00 2026 UTC
gpg: BAD signature from \"maker <maker@x>\" [ultimate]
3: Download of flatcar_production_image.bin.bz2 did not complete
141: Cannot expand flatcar_production_image.bin.bz2 to /dev/sda
1: GPG signature verification failed for flatcar_production_image.bin.bz2";
const DAMAGED: &str = "
bzip2: Data integrity error when decompressing.
	Input file = (stdin), output file = (stdout)

It is possible that the compressed file(s) have become corrupted.
You can use the -tvv option to test integrity of such files.

You can use the `bzip2recover' program to attempt to recover
data from undamaged sections of corrupted files.
";
const INSTALLER_END: &str = "\nResetting partition table\nError: install failed\n";

/// What was said, what kind of failure that is, and the line that says it.
type Case = (String, &'static str, &'static str);

#[allow(clippy::too_many_lines, reason = "a table")]
fn of_flatcar_install() -> Vec<Case> {
    let flatcar = |text: &str| {
        format!(
            "Downloading, writing and verifying flatcar_production_image.bin.bz2...\n{text}\n{FLATCAR_END}\n"
        )
    };
    vec![
        (
            flatcar(&format!("{DAMAGED}{BROKEN}")),
            "bad-signature",
            "gpg: BAD signature from \"maker <maker@x>\" [ultimate]",
        ),
        (
            flatcar(
                "gpg: Signature made Sat Nov 28 00:35:00 2026 UTC\ngpg:                using RSA key 1E87\ngpg: Can't check signature: No public key\n2: GPG signature verification failed for flatcar_production_image.bin.bz2",
            ),
            "unknown-key",
            "gpg: Can't check signature: No public key",
        ),
        (
            flatcar(
                "gpg: no valid OpenPGP data found.\ngpg: the signature could not be verified.\nPlease remember that the signature file (.sig or .asc)\nshould be the first file given on the command line.\n3: Download of flatcar_production_image.bin.bz2 did not complete",
            ),
            "no-signature",
            "gpg: no valid OpenPGP data found.",
        ),
        (
            flatcar(
                "/usr/bin/flatcar-install: Image signature unavailable: http://10.10.10.1/1/i.bin.bz2.sig",
            ),
            "no-signature",
            "/usr/bin/flatcar-install: Image signature unavailable: http://10.10.10.1/1/i.bin.bz2.sig",
        ),
        (
            flatcar("/usr/bin/flatcar-install: Image URL unavailable: http://10.10.10.1/1/i.bin.bz2"),
            "no-image",
            "/usr/bin/flatcar-install: Image URL unavailable: http://10.10.10.1/1/i.bin.bz2",
        ),
        (
            flatcar(&format!("dd: error writing '/dev/sda': No space left on device\n{BROKEN}")),
            "disk-too-small",
            "dd: error writing '/dev/sda': No space left on device",
        ),
        (
            flatcar(&format!("dd: writing to '/dev/sda': Operation not permitted\n{BROKEN}")),
            "disk-error",
            "dd: writing to '/dev/sda': Operation not permitted",
        ),
        (
            flatcar(&format!(
                "bunzip2: I/O or other error, bailing out.  Possible reason follows.\nbunzip2: Input/output error\n	Input file = (stdin), output file = (stdout)\n{BROKEN}"
            )),
            "disk-error",
            "bunzip2: Input/output error",
        ),
        (
            flatcar(
                "gpg: BAD signature from \"maker <maker@x>\" [ultimate]\n4: Download of flatcar_production_image.bin.bz2 did not complete\n1: GPG signature verification failed for flatcar_production_image.bin.bz2\n\nbzip2: Compressed file ends unexpectedly;\n	perhaps it is corrupted?  *Possible* reason follows.",
            ),
            "transfer",
            "4: Download of flatcar_production_image.bin.bz2 did not complete",
        ),
        // Busybox's wget ends with 1 whatever happened.
        (
            flatcar(
                "gpg: BAD signature from \"maker <maker@x>\" [ultimate]\n1: Download of flatcar_production_image.bin.bz2 did not complete: wget: connection closed prematurely",
            ),
            "transfer",
            "1: Download of flatcar_production_image.bin.bz2 did not complete: wget: connection closed prematurely",
        ),
        (flatcar("something new went wrong"), "", "something new went wrong"),
    ]
}

fn of_coreos_installer() -> Vec<Case> {
    let coreos = |text: &str| {
        format!(
            "Downloading image from http://10.10.10.1/i.xz\n> Read disk 1.0 GiB/2.0 GiB (50%)\r> Read disk 2.0 GiB/2.0 GiB (100%)\r\n\n{text}\n{INSTALLER_END}"
        )
    };
    vec![
        (
            coreos("gpg: Signature made Sat Nov 28 00:51:49 2026 UTC\ngpg: Can't check signature: No public key\n\nError: GPG verification failure\n"),
            "unknown-key",
            "gpg: Can't check signature: No public key",
        ),
        (
            coreos("Error: decoding and writing image\n\nCaused by:\n    No space left on device (os error 28)\n"),
            "disk-too-small",
            "decoding and writing image: No space left on device (os error 28)",
        ),
        (
            coreos("Error: overwriting disk partition table\n\nCaused by:\n    0: writing new GPT\n    1: deserialization failed\n    2: io error: Operation not permitted (os error 1)\n"),
            "disk-error",
            "overwriting disk partition table: io error: Operation not permitted (os error 1)",
        ),
        (
            coreos("Error: decoding and writing image\n\nCaused by:\n    0: request or response body error\n    1: error reading a body from connection\n    2: end of file before message length reached\n"),
            "transfer",
            "decoding and writing image: end of file before message length reached",
        ),
        (
            coreos("Error: decoding and writing image\n\nCaused by:\n    xz compressed stream is truncated or otherwise corrupt\n"),
            "damaged-image",
            "decoding and writing image: xz compressed stream is truncated or otherwise corrupt",
        ),
        (
            "Failed to fetch signature: fetching signature URL\nError: fetching image URL\n\nCaused by:\n    0: fetching 'http://10.10.10.1/i.xz'\n    1: HTTP status client error (404 Not Found) for url (http://10.10.10.1/i.xz)\n".into(),
            "no-image",
            "fetching image URL: HTTP status client error (404 Not Found) for url (http://10.10.10.1/i.xz)",
        ),
        (
            "Error: fetching image URL\n\nCaused by:\n    0: fetching 'http://10.10.10.1/i.xz'\n    1: error sending request for url (http://10.10.10.1/i.xz)\n    2: client error (Connect)\n    3: tcp connect error\n    4: Connection refused (os error 111)\n".into(),
            "no-server",
            "fetching image URL: Connection refused (os error 111)",
        ),
        (
            coreos("Signature not found; skipping verification as requested\nError: couldn't find any partitions on /dev/sda\n"),
            "",
            "couldn't find any partitions on /dev/sda",
        ),
        (String::new(), "", ""),
    ]
}

/// What ends before anything is written.
fn of_either() -> Vec<Case> {
    vec![
        (
            "/usr/bin/flatcar-install: Target block device (/dev/sdb) is not a full disk.\n".into(),
            "wrong-disk",
            "/usr/bin/flatcar-install: Target block device (/dev/sdb) is not a full disk.",
        ),
        (
            "Error: specified file is not a valid Ignition JSON config or Butane YAML config\n".into(),
            "bad-configuration",
            "specified file is not a valid Ignition JSON config or Butane YAML config",
        ),
        (
            "Error: checking for exclusive access to /dev/sda\n\nCaused by:\n    0: couldn't reread partition table: device is in use\n    1: EBUSY: Device or resource busy\n".into(),
            "wrong-disk",
            "checking for exclusive access to /dev/sda: EBUSY: Device or resource busy",
        ),
        (
            "Failed to fetch signature: fetching signature URL\nError: --insecure not specified and signature not found\n".into(),
            "no-signature",
            "--insecure not specified and signature not found",
        ),
    ]
}

#[test]
fn the_line_that_says_why_is_found_in_every_shell() {
    let dir = tempfile::tempdir().unwrap();
    let part = dir.path().join("why.sh");
    std::fs::write(&part, profiles::part("why.sh").unwrap()).unwrap();
    for (at, (said, cause, words)) in
        of_flatcar_install().into_iter().chain(of_coreos_installer()).chain(of_either()).enumerate()
    {
        let log = dir.path().join(format!("{at}.log"));
        std::fs::write(&log, &said).unwrap();
        let (part, log) = (part.display(), log.display());
        for shell in [&["bash"][..], &["dash"], &["busybox", "sh"]] {
            let line = format!("set -u; . {part}; why {log}; printf '%s|%s' \"$cause\" \"$reason\"");
            let output = Command::new(shell[0]).args(&shell[1..]).args(["-c", &line]).output().unwrap();
            let found = String::from_utf8_lossy(&output.stdout).into_owned();
            assert_eq!(
                found,
                format!("{cause}|{words}"),
                "{shell:?}: {}\n{said}",
                String::from_utf8_lossy(&output.stderr)
            );
            assert!(output.stderr.is_empty(), "{shell:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
}
