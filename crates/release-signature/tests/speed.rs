//! Verifying goes at the speed of one core's digest, in memory that does not grow with the file. A program of
//! its own, so that no other test is measured with it.
#![allow(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "it runs gpg and measures time, and a test may panic"
)]

use std::{
    fs,
    io::{Read as _, Write as _},
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use release_signature::{Keyring, Outcome, Trust, Verifier};

const SIZE: usize = 192 << 20;
const PIECE: usize = 256 << 10;

#[test]
fn as_fast_as_the_digest_alone_and_no_bigger_for_a_big_file() {
    let dir = tempfile::Builder::new().prefix("gpg").tempdir_in("/tmp").unwrap();
    let file = dir.path().join("image");
    write_image(&file);
    let gpg = |arguments: &[&str]| {
        let gpg = Command::new("gpg")
            .arg("--homedir")
            .arg(dir.path())
            .args(["--batch", "--yes", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""])
            .args(arguments)
            .output()
            .expect("gpg of package gnupg");
        assert!(gpg.status.success(), "{}", String::from_utf8_lossy(&gpg.stderr));
        gpg.stdout
    };
    gpg(&["--quick-generate-key", "maker <maker@example.org>", "ed25519", "sign", "0"]);
    let mut keyring = Keyring::new();
    keyring.add("maker", &gpg(&["--export"])).unwrap();
    let trust = Trust::none().and_all_of(&keyring);

    let mut report = Vec::new();
    for (digest, program) in [("SHA256", "sha256sum"), ("SHA512", "sha512sum")] {
        let name = file.to_str().unwrap();
        let signature = gpg(&["--digest-algo", digest, "--output", "-", "--detach-sign", name]);
        let before = peak_memory();
        let mut ours = Duration::MAX;
        let mut theirs = Duration::MAX;
        // The best of several: other programs run on this machine, too.
        for _ in 0..3 {
            let (outcome, time) = verify(&file, Verifier::new(&signature, &keyring, &trust));
            assert!(outcome.verdict.is_good(), "{}", outcome.verdict);
            assert_eq!(outcome.len, SIZE as u64);
            ours = ours.min(time);
            let began = Instant::now();
            let said = Command::new(program).arg(&file).output().expect("coreutils").stdout;
            theirs = theirs.min(began.elapsed());
            let theirs = String::from_utf8(said).unwrap();
            assert!(theirs.starts_with(&outcome.digests[0].hex()), "both saw the same file");
        }
        let grown = peak_memory() - before;
        let speed = |time: Duration| (SIZE >> 20) as f64 / time.as_secs_f64();
        report.push(format!("{digest}: {:.0} MB/s, {program}: {:.0} MB/s", speed(ours), speed(theirs)));
        assert!(grown < 4 << 20, "{digest}: {grown} bytes more memory for {SIZE} bytes");
        assert!(ours < theirs * 3 / 2, "{report:?}");
    }
    println!("{}", report.join("; "));
    let _ = Command::new("gpgconf").arg("--homedir").arg(dir.path()).args(["--kill", "all"]).status();
}

fn write_image(path: &Path) {
    let mut file = fs::File::create(path).unwrap();
    let piece: Vec<u8> = (0..PIECE as u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for _ in 0..SIZE / PIECE {
        file.write_all(&piece).unwrap();
    }
}

fn verify(path: &Path, mut verifier: Verifier) -> (Outcome, Duration) {
    let began = Instant::now();
    let mut file = fs::File::open(path).unwrap();
    let mut piece = vec![0; PIECE];
    loop {
        match file.read(&mut piece).unwrap() {
            0 => break,
            len => verifier.update(&piece[..len]),
        }
    }
    (verifier.finish(), began.elapsed())
}

/// The most memory that this process ever had, in bytes.
fn peak_memory() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("a line");
    let kilobytes: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kilobytes << 10
}
