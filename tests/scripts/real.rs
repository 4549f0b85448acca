//! An installer of real programs (wget, GnuPG, bzip2) between the script and a server, and how it fails.

use std::{fs, path::Path, process::Command};

use serde_json::json;

use crate::{
    install::{failure, script},
    rig::{Appliance, Machine, Reply, Run, Tools},
    support::signer::Signer,
};

/// What flatcar-install does with the programs that it calls, and how it ends: one pipe to the disk and to GnuPG, and a
/// last line that is about itself.
const INSTALLER: &str = r#"
set -e -o pipefail
trap 'echo "Error: return code $? from $BASH_COMMAND" >&2; rm -rf "$work"' EXIT
disk=$1 image=$2 key=$3 work=$(mktemp -d)
for url in "$image" "$image.sig"; do
  if ! wget --tries=1 --spider --quiet "$url"; then
    [ "$url" = "$image" ] && what=URL || what=signature
    echo "$0: Image $what unavailable: $url" >&2
    exit 1
  fi
done
export GNUPGHOME=$work/gnupg
mkdir -m 700 "$GNUPGHOME"
gpg --batch --quiet --import <"$key"
wget --tries=1 --no-verbose -O "$work/sig" "$image.sig"
if ! wget --tries=1 --no-verbose -O - "$image" | tee >(bzip2 -cd >&3) | gpg --batch --verify "$work/sig" -; then
  ended=("${PIPESTATUS[@]}")
  [ ${ended[0]} -eq 0 ] || echo "${ended[0]}: Download of image.bz2 did not complete" >&2
  [ ${ended[1]} -eq 0 ] || echo "${ended[1]}: Cannot expand image.bz2 to $disk" >&2
  [ ${ended[2]} -eq 0 ] || echo "${ended[2]}: GPG signature verification failed for image.bz2" >&2
  exit 1
fi 3> >(dd bs=1M conv=notrunc of="$disk" status=none)
rm -rf "$work"
trap - EXIT
"#;

/// The files that a server has, by the ends of their paths.
type Files = Vec<(&'static str, Vec<u8>)>;

fn appliance(files: Files, cut: Option<usize>) -> Appliance {
    Appliance::start(move |_, asked| {
        let file = files.iter().find(|(end, _)| asked.path.ends_with(end));
        match (file, cut) {
            (Some((end, bytes)), Some(at)) if *end == "image.bz2" => {
                Reply::Cut(bytes[..at].to_vec(), bytes.len())
            }
            (Some((_, bytes)), _) => Reply::Status(200, bytes.clone()),
            (None, _) if asked.path.contains("image.bz2") => Reply::Status(404, Vec::new()),
            (None, _) => Reply::Status(200, b"{}".to_vec()),
        }
    })
}

/// Lets the script install by those programs.
fn install_by(appliance: &Appliance, disk: &str, key: &Path) -> Run {
    let machine = Machine::new(Tools::Bash);
    machine.disk(disk, 16384);
    machine.write("bin/real-installer.bash", INSTALLER);
    machine.program("real-installer", "exec bash ${0%/*}/real-installer.bash \"$@\"");
    let key = machine.write("key.asc", fs::read(key).unwrap());
    let command = format!("real-installer \"$disk\" {}/image.bz2 {}", appliance.url(), key.display());
    machine.run(&script(&appliance.url(), |context| {
        context.disk = format!("/dev/{disk}");
        context.command = command;
    }))
}

#[test]
fn what_real_tools_say_becomes_the_reason_and_its_cause() {
    let dir = tempfile::tempdir().unwrap();
    let image = dir.path().join("image");
    let noise: Vec<u8> = (0..750_000u32).flat_map(|at| at.wrapping_mul(0x9E37_79B9).to_le_bytes()).collect();
    fs::write(&image, noise).unwrap();
    assert!(Command::new("bzip2").arg("-1").arg(&image).status().unwrap().success());
    let packed = dir.path().join("image.bz2");
    let (maker, other) =
        (Signer::new("maker", "20160401", "never"), Signer::new("other", "20160401", "never"));
    let (key, signature) = (dir.path().join("key.asc"), dir.path().join("image.bz2.sig"));
    maker.publish(&key);
    other.sign("20160501", &packed);
    let strange = fs::read(&signature).unwrap();
    maker.sign("20160501", &packed);
    let (good, good_signature) = (fs::read(&packed).unwrap(), fs::read(&signature).unwrap());
    let mut changed = good.clone();
    changed[2_000_000] ^= 1;

    let files = |image: &[u8], signature: &[u8]| {
        vec![("image.bz2.sig", signature.to_vec()), ("image.bz2", image.to_vec())]
    };
    let cases = [
        ("sda", files(&changed, &good_signature), None, "bad-signature", "gpg: BAD signature from \"maker\""),
        ("sda", files(&good, &strange), None, "unknown-key", "gpg: Can't check signature: No public key"),
        ("sda", files(&good, b"<html>"), None, "no-signature", "gpg: no valid OpenPGP data found."),
        (
            "sda",
            vec![("image.bz2", good.clone())],
            None,
            "no-signature",
            "Image signature unavailable: http://127.0.0.1:",
        ),
        ("sda", Vec::new(), None, "no-image", "Image URL unavailable: http://127.0.0.1:"),
        (
            "sda",
            files(&good, &good_signature),
            Some(1_000_000),
            "transfer",
            "4: Download of image.bz2 did not complete",
        ),
        (
            "full",
            files(&good, &good_signature),
            None,
            "disk-too-small",
            "dd: error writing '/dev/full': No space left on device",
        ),
    ];
    for (disk, files, cut, cause, words) in cases {
        let appliance = appliance(files, cut);
        let run = install_by(&appliance, disk, &key);
        let (stage, known, message) = failure(&appliance, &run);
        assert_eq!((stage.as_str(), known), ("installing", json!(cause)), "{message}\n{}", run.said);
        assert!(
            message.contains(words) && message.ends_with("(real-installer ended with 1)"),
            "{message}\n{}",
            run.said
        );
    }
}
