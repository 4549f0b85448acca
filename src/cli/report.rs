//! `rackberry report save`: one archive for a bug report.

use std::{
    fs::OpenOptions,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context as _;

use super::control;
use crate::http::client;

/// Lines of the service's log.
const LOG_LINES: &str = "3000";
/// Block length of a tar archive, in bytes.
const BLOCK: usize = 512;
/// What stands for a value that is left out.
const LEFT_OUT: &str = "(left out)";

/// Asks the service for everything that tells of its state and writes it to `file`, a tar archive that only its owner
/// can read; `config` are configuration files to be added, without what may be secret in them.
pub async fn save(socket: &Path, file: &Path, config: &[PathBuf]) -> anyhow::Result<()> {
    let mut archive = Vec::new();
    for (name, path) in [("status", "status"), ("nodes", "nodes"), ("assets", "assets")] {
        let value = control::get(socket, &format!("/api/v1/{path}")).await?;
        add(&mut archive, &format!("{name}.json"), &serde_json::to_vec_pretty(&value)?);
    }
    add(&mut archive, "packets.pcap", &client::fetch(socket, "/api/v1/packets").await?);
    for (number, path) in config.iter().enumerate() {
        let text = std::fs::read_to_string(path).with_context(|| format!("can't read {}", path.display()))?;
        add(&mut archive, &format!("config-{number}.toml"), without_secrets(&text).as_bytes());
    }
    let mut journal = Command::new("journalctl");
    journal.args(["--unit", "rackberry", "--lines", LOG_LINES, "--no-pager", "--quiet"]);
    // On a machine without systemd the log is where its service manager puts it.
    if let Ok(log) = journal.output()
        && !log.stdout.is_empty()
    {
        add(&mut archive, "log.txt", &log.stdout);
    }
    archive.resize(archive.len() + 2 * BLOCK, 0);
    let failed = || format!("can't write {}", file.display());
    let mut options = OpenOptions::new();
    let mut out = options.write(true).create_new(true).mode(0o600).open(file).with_context(failed)?;
    out.write_all(&archive).with_context(failed)?;
    println!("written to {}: look through it before you give it away", file.display());
    Ok(())
}

/// Adds a file (POSIX ustar).
fn add(archive: &mut Vec<u8>, name: &str, content: &[u8]) {
    let mut header = [0; BLOCK];
    let mut field = |at: usize, value: &[u8]| header[at..at + value.len()].copy_from_slice(value);
    field(0, format!("rackberry-report/{name}").as_bytes());
    field(100, b"0000644\0");
    field(108, b"0000000\0");
    field(116, b"0000000\0");
    field(124, format!("{:011o}\0", content.len()).as_bytes());
    field(136, b"00000000000\0");
    // The sum is taken with blanks in its own place.
    field(148, b"        ");
    field(156, b"0");
    field(257, b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    archive.extend_from_slice(&header);
    archive.extend_from_slice(content);
    archive.resize(archive.len().next_multiple_of(BLOCK), 0);
}

/// A configuration without the nodes' variables, which people put passwords and keys into.
fn without_secrets(text: &str) -> String {
    let Ok(mut table) = text.parse::<toml::Table>() else {
        return format!("# {LEFT_OUT}: it is no TOML\n");
    };
    let nodes = table.get_mut("node").and_then(toml::Value::as_array_mut);
    for node in nodes.into_iter().flatten().filter_map(toml::Value::as_table_mut) {
        if let Some(vars) = node.get_mut("vars") {
            *vars = LEFT_OUT.into();
        }
    }
    table.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_of_nodes_are_left_out() {
        let text = "[network]\nmode = 'full'\n[[node]]\nname = 'one'\nvars = { password = 'hunter2', deep = { key = 'k3y' } }\n";
        let told = without_secrets(text);
        assert!(!told.contains("hunter2") && !told.contains("k3y"), "{told}");
        assert!(told.contains("mode = \"full\"") && told.contains("name = \"one\""), "{told}");
        assert!(!without_secrets("password = hunter2").contains("hunter2"), "nor where it can't be read");
    }
}
