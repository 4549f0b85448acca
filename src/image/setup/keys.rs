//! The card's `authorized_keys`: whole lines that are public keys, and what is wrong with others.

/// Kinds of keys that the image's SSH server takes.
const KINDS: &[&str] = &[
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "ssh-rsa",
];
/// A shorter blob than that of any kind.
const SHORTEST: usize = 64;

/// The good lines, each ended, and a fault for each other one of the file of this name.
pub fn keys(name: &str, text: &str) -> (String, Vec<String>) {
    let (mut good, mut faults) = (String::new(), Vec::new());
    for (number, line) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match fault(line) {
            None => {
                good += line;
                good += "\n";
            }
            Some(problem) => faults.push(format!("{name}:{number}: {problem}")),
        }
    }
    (good, faults)
}

/// What keeps a line from being a key. Options before the kind are left to the SSH server.
fn fault(line: &str) -> Option<String> {
    if line.contains("PRIVATE KEY") {
        return Some(
            "this is a private key, which must stay secret; make a new pair, and copy the .pub file here"
                .into(),
        );
    }
    let mut words = line.split_whitespace();
    let Some(kind) = words.by_ref().find(|word| KINDS.contains(word)) else {
        return Some(
            "this is no public SSH key; copy the line of your .pub file, like `ssh-ed25519 AAAA...`".into(),
        );
    };
    let blob = words.next().unwrap_or_default();
    let is_base64 =
        blob.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='));
    if blob.len() < SHORTEST || !is_base64 || !blob.starts_with("AAAA") {
        return Some(format!(
            "the {kind} key is cut short or damaged; copy the whole line of your .pub file"
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ4xYh3dTqBVY4nLBlvMNBNfhY8rJ2sTfCjO2bRmZ0Kq someone@somewhere";

    #[test]
    fn keys_pass_and_everything_else_is_named_by_line() {
        let text = format!(
            "\u{feff}# mine\r\n{KEY}\r\n\r\nhello\r\n  from=\"10.0.0.0/8\" {KEY}\r\nssh-rsa AAAAB3\n"
        );
        let (good, faults) = keys("authorized_keys", &text);
        assert_eq!(good, format!("{KEY}\nfrom=\"10.0.0.0/8\" {KEY}\n"));
        let begins: Vec<&str> = faults.iter().map(|fault| &fault[..18]).collect();
        assert_eq!(begins, ["authorized_keys:4:", "authorized_keys:6:"], "{faults:?}");
    }

    #[test]
    fn a_private_key_is_called_one() {
        let (good, faults) =
            keys("authorized_keys", "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjE\n");
        assert_eq!(good, "");
        assert!(faults[0].contains("must stay secret"), "{faults:?}");
    }

    #[test]
    fn an_empty_file_has_no_keys_and_no_faults() {
        assert_eq!(keys("authorized_keys", "# nobody\n"), (String::new(), Vec::new()));
    }
}
