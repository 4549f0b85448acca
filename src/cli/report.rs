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
use crate::net::http_client as client;

/// Lines of the service's log.
const LOG_LINES: &str = "3000";
/// What stands for a value that is left out.
const LEFT_OUT: &str = "(left out)";

/// Asks the service for everything that tells of its state and writes it to `file`, a tar archive that only its owner
/// can read; `config` are configuration files to be added, without what may be secret in them.
pub async fn save(socket: &Path, file: &Path, config: &[PathBuf]) -> anyhow::Result<()> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, path) in [("status", "status"), ("nodes", "nodes"), ("assets", "assets")] {
        let value = control::get(socket, &format!("/api/v1/{path}")).await?;
        add(&mut archive, &format!("{name}.json"), &serde_json::to_vec_pretty(&value)?)?;
    }
    add(&mut archive, "packets.pcap", &client::fetch(socket, "/api/v1/packets").await?)?;
    for (number, path) in config.iter().enumerate() {
        let text = std::fs::read_to_string(path).with_context(|| format!("can't read {}", path.display()))?;
        add(&mut archive, &format!("config-{number}.toml"), without_secrets(&text).as_bytes())?;
    }
    let mut journal = Command::new("journalctl");
    journal.args(["--unit", "rackberry", "--lines", LOG_LINES, "--no-pager", "--quiet"]);
    // On a machine without systemd the log is where its service manager puts it.
    if let Ok(log) = journal.output()
        && !log.stdout.is_empty()
    {
        add(&mut archive, "log.txt", &log.stdout)?;
    }
    let archive = archive.into_inner()?;
    let failed = || format!("can't write {}", file.display());
    let mut options = OpenOptions::new();
    let mut out = options.write(true).create_new(true).mode(0o600).open(file).with_context(failed)?;
    out.write_all(&archive).with_context(failed)?;
    println!("written to {}: look through it before you give it away", file.display());
    Ok(())
}

fn add(archive: &mut tar::Builder<Vec<u8>>, name: &str, content: &[u8]) -> anyhow::Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_size(content.len() as u64);
    header.set_mode(0o600);
    Ok(archive.append_data(&mut header, format!("rackberry-report/{name}"), content)?)
}

/// A configuration without anybody's variables, which people put passwords and keys into.
fn without_secrets(text: &str) -> String {
    let Ok(mut table) = text.parse::<toml::Table>() else {
        return format!("# {LEFT_OUT}: it is no TOML\n");
    };
    let (mut install, mut nodes) = (table.remove("install"), table.remove("node"));
    let nodes_in = nodes.iter_mut().filter_map(toml::Value::as_array_mut).flatten();
    for part in install.iter_mut().chain(nodes_in).filter_map(toml::Value::as_table_mut) {
        if let Some(vars) = part.get_mut("vars") {
            *vars = LEFT_OUT.into();
        }
    }
    table.extend(install.map(|install| ("install".to_owned(), install)));
    table.extend(nodes.map(|nodes| ("node".to_owned(), nodes)));
    table.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_left_out() {
        let text = "[network]\nmode = 'full'\n[install]\nvars = { token = 'c1uster' }\n[[node]]\nname = 'one'\nvars = { password = 'hunter2', deep = { key = 'k3y' } }\n";
        let told = without_secrets(text);
        assert!(!told.contains("hunter2") && !told.contains("k3y") && !told.contains("c1uster"), "{told}");
        assert!(told.contains("mode = \"full\"") && told.contains("name = \"one\""), "{told}");
        assert!(!without_secrets("password = hunter2").contains("hunter2"), "nor where it can't be read");
    }
}
