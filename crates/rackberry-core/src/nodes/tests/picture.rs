//! The picture of a node's life in docs/architecture.md, made of what the code does: every event is applied to every state
//! that events can lead to. `BLESS=1 cargo test -p rackberry-core nodes_life` draws it anew.

use std::{
    collections::{BTreeMap, HashSet},
    fmt::Write as _,
    path::PathBuf,
};

use super::*;
use crate::nodes::Image;

const BEGIN: &str = "<!-- life: made by crates/rackberry-core/src/nodes/tests/picture.rs; BLESS=1 cargo test -p rackberry-core nodes_life draws it anew -->\n";
const END: &str = "<!-- life: end -->\n";

const ORDER_OVER: &str = "order over";

/// How the picture calls what happens.
type Words = &'static str;
/// What happens to a node.
type Happens = fn(&mut Node);

/// What may happen to a node, and how the picture calls it.
fn happenings() -> Vec<(Words, Happens)> {
    const NOW: Time = Time(5000);
    vec![
        ("an order at its start", |node| {
            // As the registry does: whose disk is written gets no other permission, and a start comes first.
            node.apply(BOOT, NOW);
            if !matches!(node.life, Life::Overwriting { .. }) {
                node.give(grant(2, OrderKind::Install, A), NOW);
            }
        }),
        ("network boot", |node| node.apply(BOOT, NOW)),
        ("loader fetched", |node| node.apply(NodeEvent::Loader, NOW)),
        ("menu fetched", |node| node.apply(NodeEvent::Led, NOW)),
        ("its own menu or script", |node| node.apply(NodeEvent::HasOwn, NOW)),
        ("kernel fetched", |node| node.apply(NodeEvent::Kernel, NOW)),
        ("initrd fetched", |node| node.apply(NodeEvent::Initrd, NOW)),
        ("script or configuration asked for", |node| node.apply(NodeEvent::Config, NOW)),
        ("image asked for", |node| node.apply(IMAGE, NOW)),
        ("its disk is written", |node| node.apply(NodeEvent::Overwrites { image: None }, NOW)),
        ("image sent", |node| node.apply(part(0, 40), NOW)),
        ("image sent", |node| node.apply(part(40, 100), NOW)),
        ("system asks for an address", |node| node.apply(NodeEvent::SystemUp, NOW)),
        ("says written", |node| node.apply(NodeEvent::Said(Word::Written), NOW)),
        ("says up", |node| node.apply(NodeEvent::Said(Word::Up), NOW)),
        ("says configuring", |node| node.apply(NodeEvent::Said(Word::Configuring), NOW)),
        ("says it failed", |node| node.apply(NodeEvent::Said(gave_up(Stage::Installing)), NOW)),
        ("says it failed", |node| node.apply(NodeEvent::Said(gave_up(Stage::Configuring)), NOW)),
        ("says written, late", |node| node.apply(NodeEvent::SaidLate(Word::Written), NOW)),
        ("says up, late", |node| node.apply(NodeEvent::SaidLate(Word::Up), NOW)),
        ("says it failed, late", |node| node.apply(NodeEvent::SaidLate(gave_up(Stage::Installing)), NOW)),
        ("silence", |node| node.time_out(NOW)),
        (ORDER_OVER, |node| node.withdraw(NOW)),
        ("the service was away", |node| {
            if let Life::Overwriting { image: Some(image), .. } = &mut node.life {
                Image::was_away(image);
            }
        }),
    ]
}

/// A state without its times, names and counts.
fn plain(node: &Node) -> Node {
    let mut plain = node.clone();
    plain.forget_times();
    plain.writes = plain.writes.min(1);
    let words = plain.failure().map(|failure| (failure.said, failure.stage));
    if let Life::Failed { failure, .. } = &mut plain.life {
        failure.reason = format!("{words:?}");
    }
    plain
}

/// Every state that events can lead to, and every step between two of them with the words for it.
fn states() -> (Vec<Node>, Vec<(Stage, Stage, Words)>) {
    let mut states = vec![plain(&Node::new(A, at(0)))];
    let (mut known, mut steps) = (HashSet::from([states[0].clone()]), Vec::new());
    let mut next = 0;
    while let Some(node) = states.get(next).cloned() {
        next += 1;
        for (words, happens) in happenings() {
            let mut after = node.clone();
            happens(&mut after);
            let after = plain(&after);
            steps.push((node.stage(), after.stage(), words));
            if known.insert(after.clone()) {
                states.push(after);
            }
        }
    }
    (states, steps)
}

fn picture() -> String {
    let (states, steps) = states();
    let mut changes: BTreeMap<(Stage, Stage), Vec<Words>> = BTreeMap::new();
    for (from, to, words) in steps.into_iter().filter(|(from, to, _)| from != to) {
        let by = changes.entry((from, to)).or_default();
        if !by.contains(&words) {
            by.push(words);
        }
    }
    let mut text = String::from("```mermaid\nstateDiagram-v2\n    [*] --> idle\n");
    // What fails or is taken back, and how, is in the table: arrows from everywhere would hide the rest.
    for ((from, to), by) in changes.iter().filter(|((from, to), _)| *to != Stage::Failed && from < to) {
        let by: Vec<&str> = by.iter().copied().filter(|words| *words != ORDER_OVER).collect();
        if !by.is_empty() {
            let _ = writeln!(text, "    {from} --> {to}: {}", by.join("<br>"));
        }
    }
    text += "    note left of failed: from any stage, the table says by what\n";
    for ((_, to), by) in changes.iter().filter(|((from, _), _)| *from == Stage::Failed) {
        let _ = writeln!(text, "    failed --> {to}: {}", by.join("<br>"));
    }
    text += "```\n\n";
    let _ = writeln!(
        text,
        "All changes of stage, found by applying every event to each of the {} states that events can lead to:\n",
        states.len()
    );
    text += "| from | to | by |\n|---|---|---|\n";
    for ((from, to), by) in &changes {
        let _ = writeln!(text, "| {from} | {to} | {} |", by.join("; "));
    }
    text
}

#[test]
fn the_picture_of_a_nodes_life_is_what_the_code_does() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/architecture.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("the picture's begin");
    let (_, after) = rest.split_once(END).expect("the picture's end");
    let drawn = format!("{before}{BEGIN}\n{}\n{END}{after}", picture());
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &drawn).unwrap();
        return;
    }
    // The whole text would hide the one line that says what to do.
    assert!(
        text == drawn,
        "docs/architecture.md is old: run BLESS=1 cargo test -p rackberry-core nodes_life"
    );
}

/// A disk may hold a system only if something wrote one: what the states make impossible needs no guard.
#[test]
fn no_state_is_at_odds_with_itself() {
    for node in states().0 {
        let is_writing = matches!(node.life, Life::RunsOwn { .. } | Life::Overwriting { .. });
        assert!(!is_writing || node.writes > 0, "{node:?}");
        assert!(
            !matches!(node.disk(), Disk::Sent(_) | Disk::Partial) || node.failure().is_some(),
            "{node:?}"
        );
        let text = serde_json::to_vec(&node).unwrap();
        assert_eq!(
            Node::from(serde_json::from_slice::<StoredNode>(&text).unwrap()),
            node,
            "kept and read back"
        );
    }
}
