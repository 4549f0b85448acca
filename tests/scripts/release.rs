//! What a release offers for download.

use std::{fs, process::Command};

use crate::support::root;

#[test]
fn the_list_for_raspberry_pi_imager_says_what_is_true_of_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("rackberry-1.2.3.img");
    fs::write(&image, "abc").unwrap();
    fs::write(folder.path().join("rackberry-1.2.3.img.xz"), "").unwrap();
    let mut list = Command::new(root().join("image/release/os-list"));
    let said = list.arg(&image).args(["https://example.org/files/", "1.2.3", "2026-11-30"]).output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let list: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
    let entry = &list["os_list"][0];
    for (field, value) in [
        ("name", "rackberry 1.2.3".into()),
        ("url", "https://example.org/files/rackberry-1.2.3.img.xz".into()),
        ("icon", "https://example.org/files/rackberry.svg".into()),
        ("release_date", "2026-11-30".into()),
        ("extract_size", serde_json::Value::from(3)),
        ("image_download_size", serde_json::Value::from(0)),
        // FIPS 180-2, appendix B.1, and the digest of nothing.
        ("extract_sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".into()),
        ("image_download_sha256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855".into()),
    ] {
        assert_eq!(entry[field], value, "{field}");
    }
    // Imager would ask for users and passwords, which this card does not have.
    assert!(entry.get("init_format").is_none());
}
