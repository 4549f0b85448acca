//! What the SD image does with a USB disk, with the real `rackberry` and the shell that the image has. Mounting is noted
//! instead of done; the disk's files are there already.

use std::fs;

use crate::{
    rig::{Machine, Run, Tools},
    support::{root, service::BINARY},
};

/// A board with disks of these names, which hold these files.
fn board(disks: &[(&str, &[&str])]) -> Machine {
    let mut machine = Machine::new(Tools::Busybox);
    for (name, files) in disks {
        fs::create_dir_all(machine.path(&format!("disks/{name}"))).unwrap();
        for file in *files {
            machine.write(&format!("disks/{name}/{file}"), "x");
        }
    }
    machine.write("kind", "vfat\n");
    for folder in ["run/rackberry-usb", "run/rackberry-setup", "run/media/usb", "run/data/assets"] {
        fs::create_dir_all(machine.path(folder)).unwrap();
    }
    machine.write(
        "run/rackberry-setup/rackberry.toml",
        "[assets]\ndirs = ['/run/data/assets']\nverify = 'unsigned-ok'\n",
    );
    machine.setup = format!("mount --bind {} /run", machine.path("run").display());
    machine
}

fn call(machine: &Machine, order: &str, name: &str) -> Run {
    let text = fs::read_to_string(root().join("image/card/root/usr/lib/rackberry/usb-disk")).unwrap();
    let text = text.replace("=/media/usb", "=/run/media/usb").replace("=/data/assets", "=/run/data/assets");
    let text = text.replace("--config /usr/lib/rackberry/image.toml", "");
    let dir = machine.dir.path().display();
    // Functions come before programs, in busybox's shell too.
    let stubs = format!(
        "rackberry() {{ {BINARY} \"$@\"; }}
         udevadm() {{ cat {dir}/kind; }}
         modprobe() {{ :; }}
         mount() {{
           echo \"mount $*\" >>{dir}/mounts
           [ ! -e {dir}/unreadable ] || {{ echo 'mount: wrong fs type'; return 32; }}
           for last; do :; done
           command cp -r {dir}/disks/${{last##*/}}/. \"$last\"
         }}
         umount() {{ for last; do :; done; rm -rf \"$last\"; echo \"umount $*\" >>{dir}/mounts; }}"
    );
    machine.run(&format!("{stubs}\nset -- {order} {name}\n{text}\necho \"ended with $?\""))
}

/// The folder that is served, below the folder of volumes.
fn served(machine: &Machine) -> Option<String> {
    let link = fs::read_link(machine.path("run/media/usb/rackberry")).ok()?;
    Some(link.strip_prefix("/run/rackberry-usb").unwrap().to_str().unwrap().to_owned())
}

fn notes(machine: &Machine) -> Vec<String> {
    let files = fs::read_dir(machine.path("run/rackberry-usb")).unwrap().flatten().map(|entry| entry.path());
    let notes = files.filter(|path| path.extension().is_some_and(|end| end == "note"));
    notes.map(|path| fs::read_to_string(path).unwrap()).collect()
}

const TREE_OF_2016: &[&str] =
    &["1010.5.0/coreos_production_pxe.vmlinuz", "1010.5.0/coreos_production_image.bin.bz2"];
const IN_FOLDER: &[&str] = &["rackberry/flatcar/4230.2.0/flatcar_production_image.bin.bz2"];

#[test]
fn a_tree_is_served_and_what_is_served_changes_with_the_disks() {
    let machine = board(&[("sda", TREE_OF_2016), ("sdb1", IN_FOLDER), ("sdc", &["photo.jpg"])]);
    let run = call(&machine, "add", "sda");
    assert!(run.said.contains("sda is served\nended with 0"), "{}", run.said);
    assert_eq!(served(&machine).as_deref(), Some("sda"));
    call(&machine, "add", "sdb1");
    assert_eq!(served(&machine).as_deref(), Some("sdb1/rackberry"), "the last one");
    let run = call(&machine, "add", "sdc");
    assert!(run.said.contains("it has neither a folder rackberry nor an operating system"), "{}", run.said);
    assert_eq!(served(&machine).as_deref(), Some("sdb1/rackberry"));
    assert_eq!(notes(&machine).len(), 1, "{:?}", notes(&machine));
    assert!(notes(&machine)[0].starts_with("USB disk sdc: it has neither a folder"), "{:?}", notes(&machine));
    assert!(!machine.path("run/rackberry-usb/sdc").exists(), "it is let go of");
    call(&machine, "remove", "sdc");
    assert_eq!(notes(&machine).len(), 0);
    let run = call(&machine, "remove", "sdb1");
    assert!(run.said.contains("sda is served again"), "{}", run.said);
    assert_eq!(served(&machine).as_deref(), Some("sda"));
    call(&machine, "remove", "sda");
    assert_eq!(served(&machine), None);
    let mounts = fs::read_to_string(machine.path("mounts")).unwrap();
    assert!(
        mounts
            .lines()
            .filter(|line| line.starts_with("mount "))
            .all(|line| line.contains("-o ro,nosuid,nodev,noexec")),
        "{mounts}"
    );
}

#[test]
fn a_disk_that_cannot_be_read_is_named_and_left() {
    let machine = board(&[("sda", TREE_OF_2016)]);
    machine.write("unreadable", "");
    let run = call(&machine, "add", "sda");
    assert!(
        run.said.contains("sda: it cannot be read: mount: wrong fs type")
            && !run.said.contains("ended with 0"),
        "{}",
        run.said
    );
    assert_eq!(
        (served(&machine), notes(&machine)),
        (None, vec!["USB disk sda: it cannot be read: mount: wrong fs type\n".into()])
    );
}

#[test]
fn a_folder_to_serve_from_that_is_not_there_is_no_success() {
    let machine = board(&[("sda", TREE_OF_2016)]);
    fs::remove_dir(machine.path("run/media/usb")).unwrap();
    let run = call(&machine, "add", "sda");
    assert!(!run.said.contains("sda is served") && !run.said.contains("ended with 0"), "{}", run.said);
    assert_eq!(notes(&machine), ["USB disk sda: it cannot be served\n"]);
}

#[test]
fn an_import_says_whether_all_of_it_is_there() {
    let files = [
        "1010.5.0/coreos_production_pxe.vmlinuz",
        "1010.5.0/coreos_production_pxe_image.cpio.gz",
        "1010.5.0/coreos_production_image.bin.bz2",
    ];
    let machine = board(&[("sda", &files)]);
    machine.write("run/rackberry-setup/usb", "import");
    let run = call(&machine, "add", "sda");
    assert!(run.said.contains("sda is imported and may be pulled\nended with 0"), "{}", run.said);
    assert!(
        machine.path("run/data/assets/coreos/1010.5.0/coreos_production_image.bin.bz2").exists(),
        "{}",
        run.said
    );
    assert_eq!((served(&machine), notes(&machine).len()), (None, 0));
    // Nobody vouches for it.
    let machine = board(&[("sda", &files)]);
    machine.write("run/rackberry-setup/usb", "import");
    machine.write(
        "run/rackberry-setup/rackberry.toml",
        "[assets]\ndirs = ['/run/data/assets']\nverify = 'required'\n",
    );
    let run = call(&machine, "add", "sda");
    assert!(
        run.said.contains("it is not imported, or not all of it; it may be pulled")
            && !run.said.contains("ended with 0"),
        "{}",
        run.said
    );
    assert_eq!(notes(&machine), ["USB disk sda: it is not imported, or not all of it; it may be pulled\n"]);
}
