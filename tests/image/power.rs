//! Power that is cut at moments drawn from a seed. `make test-power` runs these.

use rack_lab::machine::Firmware;

use crate::{
    BIOS, open_board,
    support::{
        self, Net,
        board::{Board, Moments, usb_disk},
        machine::Node,
        root,
        service::BINARY,
    },
};

/// Cuts a phase gets; there are three phases.
const CUTS: u64 = 10;
/// A start takes so long on an emulated board, and half as long again; cuts fall into this time.
const SPAN: u64 = 60;

#[test]
#[ignore = "takes the SD image, and ten minutes: make test-power"]
fn power_may_be_cut_at_the_first_start() {
    let net = Net::new();
    let mut board = open_board(&net, "serve");
    let mut moments = Moments::new();
    for _ in 0..CUTS {
        board.switch_on(None);
        moments.wait(SPAN);
        board.cut();
    }
    board.switch_on(None);
    is_well(&board);
    assert!(board.ssh("root", "df -m /data").contains(" 6"), "the data partition fills the card");
    board.ssh("root", "test -s /data/machine-id -a -s /data/ssh/ssh_host_ed25519_key.pub");
}

#[test]
#[ignore = "takes the SD image, and ten minutes: make test-power"]
fn power_may_be_cut_while_a_usb_disk_is_imported() {
    let net = Net::new();
    let mut board = open_board(&net, "import");
    let mut moments = Moments::new();
    let usb = usb_disk(&net);
    board.switch_on(None);
    is_well(&board);
    let identity = board.ssh("root", "cat /data/ssh/ssh_host_ed25519_key.pub /data/machine-id");
    board.cut();
    for _ in 0..CUTS {
        board.switch_on(Some(&usb));
        board.wait_for("importing", 0);
        moments.wait(SPAN / 3);
        board.cut();
        board.switch_on(None);
        is_well(&board);
        assert_eq!(board.ssh("root", "cat /data/ssh/ssh_host_ed25519_key.pub /data/machine-id"), identity);
        // Whatever has its name is whole; then once more from the start.
        let sums =
            board.ssh("root", "cd /data/assets && find coreos -type f -name '*_*' | xargs -r sha256sum");
        for line in sums.lines() {
            let (sum, file) = line.split_once("  ").expect("a sum and a name");
            assert_eq!(sum, sum_of(&net, file), "{file} is not whole");
        }
        board.ssh("root", "rm -rf /data/assets/coreos && sync");
        board.cut();
    }
    board.switch_on(Some(&usb));
    board.wait_for("sda is imported", 0);
    board.wait_login();
    assert!(board.ssh("rackberry", "status").contains("coreos 1010.5.0"));
}

#[test]
#[ignore = "takes the SD image, and ten minutes: make test-power"]
fn power_may_be_cut_while_a_machine_installs() {
    let net = Net::new();
    let mut board = open_board(&net, "serve");
    let mut moments = Moments::new();
    let usb = usb_disk(&net);
    let mut node = Node::plug(&net, BINARY, "bare", BIOS, Firmware::Bios);
    let mut writes = 0;
    board.switch_on(Some(&usb));
    is_well(&board);
    for _ in 0..CUTS {
        arm(&board);
        node.switch_on();
        moments.wait(SPAN);
        writes = writes.max(writes_of(&board));
        board.cut();
        board.switch_on(Some(&usb));
        is_well(&board);
        let kept = writes_of(&board);
        assert!(kept >= writes, "{kept} installs are known after the cut, {writes} before it");
        assert!(!board.ssh("rackberry", "status").contains("ARMED"), "a start disarms");
        writes = kept;
    }
    arm(&board);
    node.switch_on();
    node.wait_up(1);
}

/// Arms the node, as soon as there is something to install.
fn arm(board: &Board) {
    support::wait_until("the system on the USB disk is found", support::board::START, || {
        board.try_ssh("rackberry", "arm --again bare").status.success()
    });
}

/// It serves, people can log in, and no file system is damaged or left out.
fn is_well(board: &Board) {
    board.wait_served();
    board.wait_login();
    let faults = board.ssh(
        "root",
        "cat /run/rackberry-boot/faults 2>/dev/null || true; grep -c ' /data ext4 rw' /proc/mounts",
    );
    assert_eq!(faults.trim(), "1");
}

fn writes_of(board: &Board) -> u64 {
    let node = board.try_ssh("rackberry", "node show --json bare");
    let known: serde_json::Value = serde_json::from_slice(&node.stdout).unwrap_or_default();
    known["writes"].as_u64().unwrap_or(0)
}

fn sum_of(net: &Net, file: &str) -> String {
    let path = root().join("target/demo/assets").join(file);
    let said = net.run(&format!("sha256sum {}", path.display()));
    said.split_whitespace().next().expect("a sum").to_owned()
}
