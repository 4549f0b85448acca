//! The script's last report against the real service, which is away when the disk is written.

use std::{fs, time::Duration};

use crate::{
    rig::{Machine, Tools},
    support::{
        Net,
        service::{Service, small_system},
        wait_until,
    },
};

const MAC: &str = "02:00:00:00:00:01";
const SOON: Duration = Duration::from_secs(30);

#[test]
fn a_service_that_restarts_while_a_disk_is_written_hears_of_it() {
    let net = Net::new();
    small_system(&net);
    let mut service = Service::start(&net, &format!("[[node]]\nname = 'a'\nmac = '{MAC}'\n"));
    service.cli(&["arm"]);
    net.client("node", MAC);
    let hook = net.write("hook", "#!/bin/sh\n[ \"$1\" != bound ] || ip address replace $ip/24 dev eth0\n");
    net.run(&format!("chmod +x {}", hook.display()));
    let boot = format!(
        "udhcpc -f -q -n -t 5 -T 1 -i eth0 -V PXEClient:Arch:00000:UNDI:002001 -s {}",
        hook.display()
    );
    net.run_in("node", &boot);
    let script = net.run_in("node", "curl -sS -f http://10.10.10.1/cloud-configs/install.sh");

    let machine = Machine::new(Tools::Bash);
    machine.disk("sda", 8192);
    machine.partition("sda", 1, 2048, 4096);
    machine.write("cmdline", format!("BOOTIF=01-{}\n", MAC.replace(':', "-")));
    // The image is here, and its installer lasts until the service is gone.
    let dir = machine.dir.path().display().to_string();
    machine.program(
        "coreos-install",
        &format!(
            "curl -sS -f -o {dir}/image http://10.10.10.1/1010.5.0/coreos_production_image.bin.bz2 || exit 1
             : >{dir}/installed; while [ ! -e {dir}/go ]; do sleep 0.02; done"
        ),
    );
    let run = std::thread::scope(|scope| {
        let run = scope.spawn(|| {
            let mut command = net.command("ip");
            command.args(["netns", "exec", "node", "unshare", "--mount"]);
            machine.run_by(command, &script)
        });
        wait_until("the image is there", SOON, || machine.path("installed").exists());
        service.process.kill();
        // The first pause lasts until the service is up again.
        machine.write("hold", "");
        machine.write("go", "");
        wait_until("the machine waits", SOON, || machine.path("held").exists());
        service.kill_and_restart();
        fs::remove_file(machine.path("held")).unwrap();
        run.join().unwrap()
    });
    let known = service.node("a");
    assert_eq!(
        (&known["stage"], &known["writes"], &known["granted"]),
        (&"written".into(), &1.into(), &false.into()),
        "{known}\n{}",
        run.said
    );
    assert_eq!(run.steps, ["sleep 1", "reboot -f"], "{}", run.said);
    assert!(run.said.contains("must hear that this machine is written"), "{}", run.said);
}
