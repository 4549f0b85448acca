//! The demo with light stand-ins, as a person starts it.

use std::process::Command;

#[test]
fn a_simulated_rack_installs_itself() {
    let root = env!("CARGO_MANIFEST_DIR");
    let mut demo = Command::new("timeout");
    demo.args(["240", env!("CARGO_BIN_EXE_rackberry"), "demo", "--simulated", "--nodes", "6"]);
    for (option, folder) in [("--assets", "target/demo/assets"), ("--loaders", "target/loaders")] {
        demo.arg(option).arg(format!("{root}/{folder}"));
    }
    let said = demo.current_dir(root).output().expect("timeout of coreutils");
    let text = [said.stdout, said.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    assert!(said.status.success() && text.contains("All are installed"), "{}: {text}", said.status);
}
