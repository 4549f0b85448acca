//! The state as text for people.

use std::fmt::Write as _;

use super::paint::{Paint, bar, seconds};
use rackberry_core::{
    appliance::{AssetsView, LeadsTo, NodeView, RenderView, StatusView, VersionState},
    dhcp::ServingMode,
    ids::{OrderKind, Stage},
};

/// Characters of a progress bar.
const BAR: usize = 20;

/// `rackberry status`
pub fn status(status: &StatusView, paint: Paint) -> String {
    let mut text = format!("{}  rackberry {}\n", mode(status, paint), status.version);
    let mut row = |name: &str, value: &str| text += &format!("{name:<9} {value}\n");
    for order in &status.orders {
        let what = if order.kind == OrderKind::Live { "boots to RAM" } else { "installs" };
        let left = seconds(order.seconds);
        row("order", &format!("{}: {what} {}, {left} more, by {}", order.id.0, order.nodes, order.source));
    }
    row("network", &format!("{} {}, {}", status.interface, status.address, status.url));
    let addresses = match status.dhcp {
        ServingMode::Looking => "looking for another DHCP server before any is handed out".into(),
        ServingMode::Full => format!("handed out here, {} leases", status.leases),
        ServingMode::Proxy => "not handed out here: another DHCP server's business".into(),
    };
    row("addresses", &addresses);
    match &status.ready {
        Ok(system) => row("installs", system),
        Err(why) => row("installs", &paint.warning(&format!("nothing: {why}"))),
    }
    if !status.panel.is_empty() {
        row("panel", &status.panel);
    }
    let counts: Vec<String> =
        status.counts.iter().map(|(stage, count)| paint.stage(*stage, &format!("{count} {stage}"))).collect();
    row("nodes", &if counts.is_empty() { "none yet".into() } else { counts.join(", ") });
    for warning in &status.warnings {
        row(&paint.warning(&format!("{:<9}", "warning")), warning);
    }
    text
}

/// The mode in one line.
pub fn mode(status: &StatusView, paint: Paint) -> String {
    let running: usize =
        status.counts.iter().filter(|(stage, _)| stage.is_running()).map(|(_, count)| count).sum();
    match status.armed_seconds {
        Some(left) => {
            let what = if status.live { "ARMED to boot to RAM" } else { "ARMED" };
            paint.strong(&format!("{what} for {} more", seconds(left)))
        }
        None if running > 0 => format!("disarmed; {running} running installs finish"),
        None => "safe: nobody installs until somebody arms".into(),
    }
}

/// `rackberry nodes`
pub fn nodes(nodes: &[NodeView], paint: Paint) -> String {
    if nodes.is_empty() {
        return "no nodes yet: none is configured, and none has asked for a network boot\n".into();
    }
    let width = nodes.iter().map(|node| name(node).chars().count()).max().unwrap_or(0).max(4);
    let heading = format!("{:<width$}  {:<17}  {:<15}  STAGE", "NODE", "MAC", "ADDRESS");
    let mut text = paint.faint(&heading) + "\n";
    for node in nodes {
        let address = node.address.map_or("-".into(), |address| address.to_string());
        let _ = writeln!(text, "{:<width$}  {}  {address:<15}  {}", name(node), node.mac, stage(node, paint));
        if let Some(why) = &node.diagnosis {
            let _ = writeln!(text, "{:<width$}  {}", "", paint.warning(why));
        }
    }
    text
}

/// Name, or a dash: the address stands beside it.
fn name(node: &NodeView) -> &str {
    node.name.as_deref().unwrap_or("-")
}

/// A node's stage and what there is to say of it.
pub fn stage(node: &NodeView, paint: Paint) -> String {
    let named = paint.stage(node.stage, &format!("{:<11}", node.stage));
    let since = paint.faint(&format!("for {}", seconds(node.stage_seconds)));
    let more = match (node.stage, &node.image, &node.failure, &node.installed) {
        (Stage::Installing, Some(image), ..) => {
            let percent = (image.sent * 100).checked_div(image.total).unwrap_or(0);
            format!("{} {percent:>3} %", bar(image.sent, image.total, BAR))
        }
        (Stage::Failed, _, Some(failure), _) => format!("while {}: {}", failure.stage, failure.reason),
        (Stage::Installed, _, _, Some(system)) => format!("{} {}", system.profile, system.version),
        (Stage::Idle, ..) => match node.seen_seconds {
            None => "never seen".into(),
            Some(_) => node.arch.map(|arch| arch.to_string()).unwrap_or_default(),
        },
        _ => since.clone(),
    };
    let next = match (node.next_boot.leads_to, node.stage) {
        // Those say it by their stage.
        (_, stage) if stage.is_running() => "",
        (LeadsTo::Install, _) if node.next_boot.overwrites.is_some() => {
            &paint.warning("; its next network boot OVERWRITES it")
        }
        (LeadsTo::Install, _) => "; installs at its next network boot",
        (LeadsTo::Live, _) => "; boots to RAM at its next network boot",
        (LeadsTo::Refused, _) => "; is not led into its installer",
        (LeadsTo::Disk, _) => "",
    };
    format!("{named} {more}{next}")
}

/// `rackberry node show`
pub fn node(node: &NodeView, paint: Paint) -> String {
    let mut text = String::new();
    let mut row = |name: &str, value: String| text += &format!("{name:<10} {value}\n");
    row(
        "node",
        format!(
            "{} {}",
            paint.strong(node.name.as_deref().unwrap_or("(not in the configuration)")),
            node.mac
        ),
    );
    row("stage", stage(node, paint));
    if let Some(why) = &node.diagnosis {
        row("stuck", paint.warning(why));
    }
    row("since", format!("{} ago", seconds(node.stage_seconds)));
    row("address", node.address.map_or("none".into(), |address| address.to_string()));
    row("firmware", node.arch.map_or("not known yet".into(), |arch| arch.to_string()));
    row("last seen", node.seen_seconds.map_or("never".into(), |ago| format!("{} ago", seconds(ago))));
    let next = &node.next_boot;
    row(
        "next boot",
        match next.leads_to {
            LeadsTo::Install | LeadsTo::Refused => paint.warning(&next.words),
            LeadsTo::Live | LeadsTo::Disk => next.words.clone(),
        },
    );
    row(
        "written",
        match node.writes {
            0 => "never, by this service".into(),
            1 => "once".into(),
            times => format!("{times} times"),
        },
    );
    if let Some(system) = &node.installed {
        row("on disk", format!("{} {}", system.profile, system.version));
    }
    if let Some(style) = node.offer_style {
        row("told by", format!("{style}, beside another DHCP server"));
    }
    if let Some(loader) = node.loader {
        row("loader", loader.to_string());
    }
    if let Some(led) = node.led {
        row("LED", led.to_string());
    }
    if !node.log.is_empty() {
        text += "its log:\n";
        for line in node.log.lines() {
            let _ = writeln!(text, "  {line}");
        }
    }
    text
}

/// `rackberry assets list`
pub fn assets(assets: &AssetsView, paint: Paint) -> String {
    let mut text = String::new();
    if assets.versions.is_empty() {
        let dirs: Vec<String> = assets.dirs.iter().map(|dir| dir.display().to_string()).collect();
        let _ = writeln!(text, "no operating system in {}", dirs.join(" or "));
    } else {
        let heading =
            format!("{:<14}  {:<22}  {:<8}  {:>9}  STATE", "PROFILE", "VERSION", "MACHINES", "SIZE");
        text = paint.faint(&heading) + "\n";
    }
    for version in &assets.versions {
        let name = format!("{}{}", version.version, if version.is_current { " (current)" } else { "" });
        let state = match version.state {
            VersionState::Authentic => paint.stage(Stage::Installed, &format!("authentic, {}", version.note)),
            VersionState::Verifying => format!("being verified: {}", version.note),
            VersionState::NotAuthentic => {
                paint.stage(Stage::Failed, &format!("NOT AUTHENTIC: {}", version.note))
            }
            VersionState::NotInstallable => paint.stage(Stage::Failed, &version.note),
            VersionState::Incomplete => paint.warning(&format!("incomplete: {}", version.note)),
        };
        let size = format!("{} MB", version.bytes / 1_000_000);
        let _ =
            writeln!(text, "{:<14}  {name:<22}  {:<8}  {size:>9}  {state}", version.profile, version.arch);
    }
    if !assets.must_be_authentic {
        text +=
            &paint.warning("what nobody vouches for may be installed: assets.verify is \"unsigned-ok\"\n");
    }
    for key in &assets.own_keys {
        let _ = writeln!(text, "own key {key}");
    }
    for fault in &assets.faults {
        let _ = writeln!(text, "{}", paint.warning(fault));
    }
    text
}

/// `rackberry node show --render`
pub fn render(view: &RenderView, paint: Paint) -> String {
    let mut text = String::new();
    let mut part = |title: &str, body: &str| {
        let end = if body.is_empty() || body.ends_with('\n') { "" } else { "\n" };
        let _ = writeln!(text, "{}\n{body}{end}", paint.strong(&format!("--- {title}")));
    };
    part(&format!("kernel arguments of {}", view.system), &view.arguments);
    for (name, body) in &view.texts {
        part(name, body);
    }
    if let Some(script) = &view.script {
        part("install script", script);
    }
    match &view.config {
        Some((kind, body)) => part(&format!("its configuration ({kind})"), body),
        None => part("its configuration: none", ""),
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use rackberry_core::{
        appliance::NextBoot,
        ids::Mac,
        nodes::{Failure, ImageProgress},
    };

    fn sample(stage: Stage) -> NodeView {
        NodeView {
            mac: Mac([0, 0x25, 0x90, 0xc0, 0xf7, 0x86]),
            macs: Vec::new(),
            name: Some("node1".into()),
            led: None,
            stage,
            stage_seconds: 75,
            seen_seconds: Some(1),
            arch: None,
            address: Some([10, 10, 10, 11].into()),
            granted: false,
            next_boot: NextBoot::default(),
            image: Some(ImageProgress { sent: 50, total: 200 }),
            failure: Some(Failure {
                stage: Stage::Booting,
                reason: "it fell silent".into(),
                said: false,
                cause: None,
            }),
            installed: None,
            writes: 1,
            offer_style: None,
            loader: None,
            diagnosis: None,
            log: "first\nlast".into(),
        }
    }

    #[test]
    fn a_stuck_node_says_why_below_its_line() {
        let stuck =
            NodeView { diagnosis: Some("two DHCP servers answer it".into()), ..sample(Stage::Discovered) };
        let text = nodes(&[stuck.clone(), sample(Stage::Failed)], Paint::PLAIN);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!((lines.len(), lines[2]), (4, "       two DHCP servers answer it"), "{text}");
        assert!(node(&stuck, Paint::PLAIN).contains("stuck      two DHCP servers answer it\n"));
    }

    #[test]
    fn a_table_of_nodes_is_plain_on_a_pipe() {
        let text = nodes(&[sample(Stage::Installing), sample(Stage::Failed)], Paint::PLAIN);
        assert_eq!(
            text,
            "NODE   MAC                ADDRESS          STAGE\n\
             node1  00:25:90:c0:f7:86  10.10.10.11      installing  █████░░░░░░░░░░░░░░░  25 %\n\
             node1  00:25:90:c0:f7:86  10.10.10.11      failed      while booting: it fell silent\n"
        );
    }

    #[test]
    fn one_node_is_shown_with_its_log() {
        let text = node(&sample(Stage::Written), Paint::PLAIN);
        assert!(
            text.contains("written    once\n") && text.ends_with("its log:\n  first\n  last\n"),
            "{text}"
        );
    }
}
