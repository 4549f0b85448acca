//! The confinement that the service ships in, made from its unit: what `systemd/rackberry.service` takes away from it is
//! taken away from it in the tests, too.
//!
//! The mounts and capabilities are bubblewrap's work, the filter of system calls is compiled from the groups that
//! `systemd-analyze` lists. Each setting of the unit is either carried out or named in [`NOT_HERE`] with the reason, so that
//! a new one is not passed over.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Command,
    sync::OnceLock,
};

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

use super::{Net, root, service::BINARY};

/// Settings that concern a process as systemd starts it, or that an ordinary user can't have; each with the reason.
const NOT_HERE: [(&str, &str); 30] = [
    ("Type", "how it says that it is ready; tests/notify.rs hears that"),
    ("ExecStart", "the test's own"),
    ("Restart", "the test's own"),
    ("RestartSec", "the test's own"),
    ("TimeoutStartSec", "the test's own"),
    ("TimeoutStopSec", "the test's own"),
    ("WatchdogSec", "tests/notify.rs hears that"),
    ("OOMScoreAdjust", "of the whole machine"),
    ("User", "another user needs root; without capabilities a test's user has no more rights than that one"),
    ("Group", "as User="),
    ("RuntimeDirectory", "the folder `run` of the test"),
    ("RuntimeDirectoryMode", "no second user is there"),
    ("StateDirectory", "the folder `state` of the test"),
    ("StateDirectoryMode", "no second user is there"),
    ("IPAddressDeny", "needs a control group of its own"),
    ("IPAddressAllow", "needs a control group of its own"),
    ("MemoryMax", "needs a control group of its own"),
    ("TasksMax", "needs a control group of its own"),
    ("DeviceAllow", "needs a control group of its own; other devices are not there"),
    ("ProtectHome", "the binary under test may lie there"),
    ("ProtectClock", "it has neither the capability nor the device"),
    ("ProtectControlGroups", "all of the file system is read-only"),
    ("ProtectHostname", "it has not the capability"),
    ("ProtectKernelLogs", "it has neither the capability nor the device"),
    ("ProtectKernelModules", "it has not the capability"),
    ("ProtectKernelTunables", "all of the file system is read-only"),
    ("PrivateIPC", "it has no way to another one's"),
    ("RemoveIPC", "of users that systemd makes"),
    ("RestrictSUIDSGID", "without capabilities such a file gives nobody more rights"),
    ("KeyringMode", "of sessions that systemd makes"),
];

/// `rackberry` as its unit confines it: it may write into `state` and `run` of the test's folder, and nowhere else.
pub fn service(net: &Net) -> Command {
    let mut command = confined(net);
    command.arg(BINARY);
    command
}

/// Any program in this confinement; it is to be added.
pub fn confined(net: &Net) -> Command {
    let unit = Unit::shipped();
    for (name, program) in ["calls.bpf", "namespaces.bpf"].iter().zip(unit.filters()) {
        net.write(name, bytes(program));
    }
    for folder in ["state", "run", "proc"] {
        fs::create_dir_all(net.path(folder)).expect("a folder");
    }
    let mut command = net.command("unshare");
    // What is plugged in and mounted later shows inside, as beneath PrivateMounts=.
    command.args(["--mount", "--propagation", "slave", "--pid", "--fork", "--kill-child=KILL", "--"]);
    command.args(["sh", "-c", &unit.script(), "confined"]).arg(net.dir.path());
    command.arg(Path::new(BINARY).parent().expect("a folder")).arg(root());
    command
}

/// The settings of a unit's service.
struct Unit(BTreeMap<String, Vec<String>>);

impl Unit {
    fn shipped() -> &'static Unit {
        static SHIPPED: OnceLock<Unit> = OnceLock::new();
        SHIPPED.get_or_init(|| {
            let text = fs::read_to_string(root().join("systemd/rackberry.service")).expect("the unit");
            let service = text.split("[Service]").nth(1).and_then(|rest| rest.split("[Install]").next());
            let mut unit = Unit(BTreeMap::new());
            let lines = service.expect("a service").lines();
            for (key, value) in
                lines.filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='))
            {
                unit.0.entry(key.to_owned()).or_default().push(value.to_owned());
            }
            unit
        })
    }

    /// The words of a setting, of all lines that it has.
    fn words(&self, key: &str) -> impl Iterator<Item = &str> {
        self.0.get(key).into_iter().flatten().flat_map(|value| value.split_whitespace())
    }

    fn is(&self, key: &str, value: &str) -> bool {
        self.words(key).eq([value])
    }

    /// The shell line that builds the confinement; its arguments are the test's folder, that of the binary, the
    /// repository, and the program with its own.
    fn script(&self) -> String {
        let mut known: BTreeSet<&str> = NOT_HERE.iter().map(|(key, _)| *key).collect();
        known.extend([
            "RestrictAddressFamilies",
            "SystemCallFilter",
            "SystemCallArchitectures",
            "RestrictNamespaces",
        ]);
        known.extend(["MemoryDenyWriteExecute", "LockPersonality", "RestrictRealtime"]);
        let mut wrap = String::from("bwrap --ro-bind / /");
        let mut carry_out = |key: &'static str, expected: &str, what: &str| {
            known.insert(key);
            assert!(
                self.is(key, expected),
                "{key} of the unit is another one: mend tests/support/confined.rs"
            );
            wrap.push_str(what);
        };
        carry_out("ProtectSystem", "strict", "");
        carry_out("PrivateMounts", "yes", "");
        // bubblewrap always does.
        carry_out("NoNewPrivileges", "yes", "");
        carry_out("PrivateDevices", "yes", " --dev /dev");
        carry_out("PrivateTmp", "yes", " --tmpfs /tmp --tmpfs /var/tmp");
        carry_out("ProtectProc", "invisible", " --bind \"$dir/proc\" /proc");
        carry_out("ProcSubset", "pid", "");
        carry_out("UMask", "0077", "");
        known.extend([
            "BindPaths",
            "AmbientCapabilities",
            "CapabilityBoundingSet",
            "LimitNOFILE",
            "SystemCallErrorNumber",
        ]);
        for path in self.words("BindPaths") {
            let path = path.trim_start_matches('-');
            wrap.push_str(&format!(" --dev-bind-try {path} {path}"));
        }
        wrap.push_str(" --ro-bind \"$bin\" \"$bin\" --ro-bind \"$top\" \"$top\" --ro-bind \"$dir\" \"$dir\"");
        wrap.push_str(
            " --bind \"$dir/state\" \"$dir/state\" --bind \"$dir/run\" \"$dir/run\" --cap-drop ALL",
        );
        for capability in self.words("AmbientCapabilities") {
            wrap.push_str(&format!(" --cap-add {capability}"));
        }
        wrap.push_str(" --add-seccomp-fd 8 --add-seccomp-fd 9");
        let unknown: Vec<&String> = self.0.keys().filter(|key| !known.contains(key.as_str())).collect();
        assert!(unknown.is_empty(), "tests/support/confined.rs does not carry out {unknown:?} of the unit");
        let files = self.words("LimitNOFILE").next().expect("a number");
        format!(
            "umask 077 && dir=$1 bin=$2 top=$3 && shift 3 && mount -t proc -o subset=pid,hidepid=invisible proc \"$dir/proc\" && \
             exec prlimit --nofile={files} {wrap} -- \"$@\" 8<\"$dir/calls.bpf\" 9<\"$dir/namespaces.bpf\""
        )
    }

    /// What may be called, and what libraries must believe not to exist.
    fn filters(&self) -> &'static [BpfProgram; 2] {
        static FILTERS: OnceLock<[BpfProgram; 2]> = OnceLock::new();
        FILTERS.get_or_init(|| {
            assert!(self.is("SystemCallErrorNumber", "EPERM") && self.is("RestrictNamespaces", "yes"));
            let refused = SeccompAction::Errno(libc::EPERM.cast_unsigned());
            let calls = compile(self.calls(), refused, SeccompAction::Allow);
            // Who may not make namespaces must not get around the look at clone's flags.
            let clone3 = BTreeMap::from([(numbers()["clone3"], Vec::new())]);
            let missing = SeccompAction::Errno(libc::ENOSYS.cast_unsigned());
            [calls, compile(clone3, SeccompAction::Allow, missing)]
        })
    }

    /// The calls that are allowed, with what their arguments must be.
    fn calls(&self) -> BTreeMap<i64, Vec<SeccompRule>> {
        let mut names = BTreeSet::new();
        for set in self.0.get("SystemCallFilter").into_iter().flatten() {
            // The first line allows, those with a ~ take away from that.
            let (taken, sets) = set.strip_prefix('~').map_or((false, set.as_str()), |rest| (true, rest));
            let of_sets: BTreeSet<String> = sets.split_whitespace().flat_map(members).collect();
            match taken {
                true => names.retain(|name| !of_sets.contains(name)),
                false => names.extend(of_sets),
            }
        }
        // For the programs that a test starts inside, and for what any library may ask for: systemd allows it always.
        names.extend(members("@default"));
        let mut calls: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
        for name in &names {
            calls.extend(numbers().get(name.as_str()).map(|number| (*number, Vec::new())));
        }
        // What is not allowed at all stays so.
        let mut restrict = |name: &str, rules: Vec<SeccompRule>| {
            calls.entry(numbers()[name]).and_modify(|known| *known = rules);
        };
        let families = self.words("RestrictAddressFamilies").map(|family| match family {
            "AF_UNIX" => libc::AF_UNIX,
            "AF_INET" => libc::AF_INET,
            "AF_NETLINK" => libc::AF_NETLINK,
            "AF_PACKET" => libc::AF_PACKET,
            other => panic!("tests/support/confined.rs does not know {other}"),
        });
        restrict("socket", families.map(|family| rule(0, SeccompCmpOp::Eq, family)).collect());
        assert!(self.is("MemoryDenyWriteExecute", "yes") && self.is("RestrictRealtime", "yes"));
        let without = |bit: i32| SeccompCmpOp::MaskedEq(bit.cast_unsigned().into());
        restrict("mmap", vec![rule(2, without(libc::PROT_EXEC), 0), rule(2, without(libc::PROT_WRITE), 0)]);
        restrict("mprotect", vec![rule(2, without(libc::PROT_EXEC), 0)]);
        restrict("pkey_mprotect", vec![rule(2, without(libc::PROT_EXEC), 0)]);
        let namespaces = libc::CLONE_NEWCGROUP
            | libc::CLONE_NEWIPC
            | libc::CLONE_NEWNET
            | libc::CLONE_NEWNS
            | libc::CLONE_NEWPID
            | libc::CLONE_NEWUSER
            | libc::CLONE_NEWUTS;
        restrict("clone", vec![rule(0, without(namespaces), 0)]);
        restrict("unshare", vec![rule(0, without(namespaces), 0)]);
        assert!(self.is("LockPersonality", "yes"));
        // The present one may be asked for.
        restrict("personality", vec![rule(0, SeccompCmpOp::Eq, -1), rule(0, SeccompCmpOp::Eq, 0)]);
        calls
    }
}

/// A call is allowed with this argument.
fn rule(argument: u8, is: SeccompCmpOp, value: i32) -> SeccompRule {
    let value = u64::from(value.cast_unsigned());
    let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, is, value).expect("a condition");
    SeccompRule::new(vec![condition]).expect("a rule")
}

fn compile(
    calls: BTreeMap<i64, Vec<SeccompRule>>,
    otherwise: SeccompAction,
    matched: SeccompAction,
) -> BpfProgram {
    let arch = std::env::consts::ARCH.try_into().expect("a processor that systemd filters for");
    let filter = SeccompFilter::new(calls, otherwise, matched, arch).expect("a filter");
    filter.try_into().expect("a program")
}

/// As the kernel takes it (struct sock_filter).
fn bytes(program: &BpfProgram) -> Vec<u8> {
    let lines = program.iter().flat_map(|line| {
        let [a, b] = line.code.to_ne_bytes();
        [a, b, line.jt, line.jf].into_iter().chain(line.k.to_ne_bytes())
    });
    lines.collect()
}

/// The system calls of one of systemd's groups, and of those in it; or the call itself.
fn members(name: &str) -> BTreeSet<String> {
    if !name.starts_with('@') {
        return BTreeSet::from([name.to_owned()]);
    }
    let listed =
        Command::new("systemd-analyze").args(["syscall-filter", name]).output().expect("systemd-analyze");
    assert!(listed.status.success(), "systemd-analyze knows no {name}");
    let text = String::from_utf8(listed.stdout).expect("text");
    let lines =
        text.lines().filter_map(|line| line.strip_prefix("    ")).filter(|line| !line.starts_with('#'));
    lines.flat_map(members).collect()
}

/// The numbers of this processor's system calls, from the kernel's headers.
fn numbers() -> &'static BTreeMap<String, i64> {
    static NUMBERS: OnceLock<BTreeMap<String, i64>> = OnceLock::new();
    NUMBERS.get_or_init(|| {
        let header = match std::env::consts::ARCH {
            "x86_64" => "/usr/include/x86_64-linux-gnu/asm/unistd_64.h",
            _ => "/usr/include/asm-generic/unistd.h",
        };
        let text = fs::read_to_string(header).expect("the kernel's headers: linux-libc-dev");
        let entries = text.lines().filter_map(|line| {
            let rest =
                line.strip_prefix("#define __NR_").or_else(|| line.strip_prefix("#define __NR3264_"))?;
            let (name, number) = rest.split_once(' ')?;
            Some((name.to_owned(), number.trim().parse().ok()?))
        });
        entries.collect()
    })
}
