//! Signatures by GnuPG.

use std::{fs, path::Path, process::Command};

/// Somebody with a key, made and used at stated days.
pub struct Signer {
    home: tempfile::TempDir,
}

impl Signer {
    /// A key of 3072 bits, made on `day` (20160501), which expires after `lasts` (`never`, `2y`).
    pub fn new(name: &str, day: &str, lasts: &str) -> Signer {
        let signer = Signer { home: tempfile::tempdir().expect("it works") };
        signer.gpg(day, &["--passphrase", "", "--quick-generate-key", name, "rsa3072", "sign", lasts]);
        signer
    }

    /// Runs gpg with this key, at noon of a day; what it wrote.
    pub fn gpg(&self, day: &str, arguments: &[&str]) -> Vec<u8> {
        let output = Command::new("gpg")
            .arg("--homedir")
            .arg(self.home.path())
            .args([
                "--batch",
                "--quiet",
                "--no-tty",
                "--yes",
                "--faked-system-time",
                &format!("{day}T120000"),
            ])
            .args(arguments)
            .output()
            .expect("gpg");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    /// Writes the public key, armored.
    pub fn publish(&self, to: &Path) {
        fs::create_dir_all(to.parent().expect("it works")).expect("it works");
        fs::write(to, self.gpg("20160501", &["--armor", "--export"])).expect("it works");
    }

    /// The fingerprint of its key.
    pub fn fingerprint(&self) -> String {
        let keys = self.gpg("20160501", &["--list-keys", "--with-colons"]);
        let keys = String::from_utf8(keys).expect("text");
        let line = keys.lines().find_map(|line| line.strip_prefix("fpr:")).expect("a key");
        line.trim_matches(':').to_owned()
    }

    /// A profile whose installer has this key built in.
    pub fn pinned(&self, profile: &str) -> String {
        let start = profile.find("fingerprints = [").expect("pinned keys");
        let end = start + profile[start..].find(']').expect("their end");
        format!("{}fingerprints = [\"{}\"{}", &profile[..start], self.fingerprint(), &profile[end..])
    }

    /// Signs `file` on `day`; beside it, as `.sig`.
    pub fn sign(&self, day: &str, file: &Path) {
        let signature = format!("{}.sig", file.display());
        self.gpg(day, &["--detach-sign", "--output", &signature, &file.display().to_string()]);
    }
}

impl Drop for Signer {
    fn drop(&mut self) {
        let _ =
            Command::new("gpgconf").arg("--homedir").arg(self.home.path()).args(["--kill", "all"]).output();
    }
}
