//! GnuPG with a home and a date of its own.

use std::{
    io::Write as _,
    process::{Command, Output, Stdio},
};

/// A fresh home: its keys and its agent go with it.
pub struct Gpg {
    home: tempfile::TempDir,
}

impl Gpg {
    pub fn new() -> Gpg {
        // Short, for the agent's socket is in it.
        let home = tempfile::Builder::new().prefix("gpg").tempdir_in("/tmp").expect("a folder");
        Gpg { home }
    }

    pub fn home(&self) -> &std::path::Path {
        self.home.path()
    }

    /// Its output; `day` is its date, as 20160516.
    pub fn run(&self, day: &str, arguments: &[&str], input: &[u8]) -> Vec<u8> {
        let output = self.output(day, arguments, input);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "gpg {arguments:?}: {said}");
        output.stdout
    }

    fn output(&self, day: &str, arguments: &[&str], input: &[u8]) -> Output {
        let mut gpg = Command::new("gpg")
            .arg("--homedir")
            .arg(self.home.path())
            .args(["--batch", "--yes", "--no-tty", "--quiet"])
            .args(["--pinentry-mode", "loopback", "--passphrase", ""])
            .args(["--faked-system-time", &format!("{day}T120000!")])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("gpg of package gnupg");
        gpg.stdin.take().expect("piped").write_all(input).expect("gpg reads");
        gpg.wait_with_output().expect("gpg ends")
    }

    /// A new key of somebody called `name`; the answer is its fingerprint.
    #[allow(clippy::too_many_arguments, reason = "words of gpg, in its order")]
    pub fn key(&self, day: &str, name: &str, algorithm: &str, usage: &str, expires: &str) -> String {
        let user_id = format!("{name} <{name}@example.org>");
        self.run(day, &["--quick-generate-key", &user_id, algorithm, usage, expires], b"");
        self.fingerprints().pop().expect("the new one")
    }

    /// A new subkey; the answer is its fingerprint.
    #[allow(clippy::too_many_arguments, reason = "words of gpg, in its order")]
    pub fn subkey(&self, day: &str, primary: &str, algorithm: &str, usage: &str, expires: &str) -> String {
        let before = self.fingerprints();
        self.run(day, &["--quick-add-key", primary, algorithm, usage, expires], b"");
        self.fingerprints().into_iter().find(|key| !before.contains(key)).expect("the new one")
    }

    /// A detached signature of exactly that key.
    pub fn sign(&self, day: &str, key: &str, options: &[&str], file: &[u8]) -> Vec<u8> {
        let key = format!("{key}!");
        self.run(day, &[&["--local-user", &key], options, &["--detach-sign"]].concat(), file)
    }

    /// The public key, binary.
    pub fn export(&self, key: &str) -> Vec<u8> {
        self.run("20300101", &["--export", key], b"")
    }

    pub fn export_armored(&self, key: &str) -> Vec<u8> {
        self.run("20300101", &["--armor", "--export", key], b"")
    }

    /// Revokes the primary key, or its subkey of that number. GnuPG numbers the reasons 0 none, 1 compromised,
    /// 2 superseded, 3 no longer used.
    pub fn revoke(&self, day: &str, primary: &str, subkey: Option<usize>, reason: u8) {
        let choose = subkey.map(|number| format!("key {number}\n")).unwrap_or_default();
        self.edit(day, primary, &format!("{choose}revkey\ny\n{reason}\n\ny\nsave\n"));
    }

    pub fn edit(&self, day: &str, key: &str, commands: &str) {
        let arguments =
            ["--no-batch", "--expert", "--command-fd", "0", "--status-fd", "2", "--edit-key", key];
        self.run(day, &arguments, commands.as_bytes());
    }

    fn fingerprints(&self) -> Vec<String> {
        let list = self.run("20300101", &["--with-colons", "--list-keys"], b"");
        let list = String::from_utf8(list).expect("text");
        let field = |line: &str| line.split(':').nth(9).expect("a fingerprint").to_owned();
        list.lines().filter(|line| line.starts_with("fpr:")).map(field).collect()
    }
}

impl Drop for Gpg {
    fn drop(&mut self) {
        let _ =
            Command::new("gpgconf").arg("--homedir").arg(self.home.path()).args(["--kill", "all"]).status();
    }
}
