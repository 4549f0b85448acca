//! A compiled device tree, as far as it takes to ask what a device needs (Devicetree Specification 0.4, chapter 5).

use std::collections::BTreeMap;

const BEGIN_NODE: u32 = 1;
const END_NODE: u32 = 2;
const PROPERTY: u32 = 3;
const END: u32 = 9;

/// Properties that name other nodes: what they are called, and how many numbers follow each name (a property of the
/// named node says so, or there are none).
const NAMES: [(&str, Option<&str>); 12] = [
    ("clocks", Some("#clock-cells")),
    ("resets", Some("#reset-cells")),
    ("power-domains", Some("#power-domain-cells")),
    ("dmas", Some("#dma-cells")),
    ("mboxes", Some("#mbox-cells")),
    ("phys", Some("#phy-cells")),
    ("interrupts-extended", Some("#interrupt-cells")),
    ("msi-parent", Some("#msi-cells")),
    ("gpios", Some("#gpio-cells")),
    ("gpio", Some("#gpio-cells")),
    ("mmc-pwrseq", None),
    ("firmware", None),
];

/// A node.
#[derive(Debug, Default)]
pub struct Node {
    /// Its path.
    pub path: String,
    parent: Option<usize>,
    properties: BTreeMap<String, Vec<u8>>,
}

impl Node {
    /// Its name, with the unit's address.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// Whether it has a property of this name.
    pub fn has(&self, name: &str) -> bool {
        self.properties.contains_key(name)
    }

    /// What drivers it may have, the best one first.
    pub fn compatible(&self) -> Vec<&str> {
        self.text("compatible").split('\0').filter(|one| !one.is_empty()).collect()
    }

    fn text(&self, name: &str) -> &str {
        self.properties.get(name).and_then(|value| std::str::from_utf8(value).ok()).unwrap_or_default()
    }

    fn is_on(&self) -> bool {
        matches!(self.text("status").trim_end_matches('\0'), "" | "okay" | "ok")
    }

    fn number(&self, name: &str) -> Option<u32> {
        self.properties.get(name).and_then(|value| numbers(value).next())
    }
}

/// Big-endian numbers of 32 bits.
fn numbers(bytes: &[u8]) -> impl Iterator<Item = u32> {
    bytes.as_chunks::<4>().0.iter().map(|cell| u32::from_be_bytes(*cell))
}

/// All nodes; the root is the first.
#[derive(Debug)]
pub struct Tree(Vec<Node>);

impl Tree {
    /// Reads a file's content.
    pub fn read(bytes: &[u8]) -> Tree {
        let word = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        let text = |at: usize| {
            let end = at + bytes[at..].iter().position(|byte| *byte == 0).expect("an end");
            String::from_utf8(bytes[at..end].to_vec()).expect("text")
        };
        assert_eq!(word(0), 0xd00d_feed, "a device tree");
        let (mut at, strings) = (word(8) as usize, word(12) as usize);
        let (mut nodes, mut open) = (Vec::<Node>::new(), Vec::new());
        loop {
            let token = word(at);
            at += 4;
            match token {
                BEGIN_NODE => {
                    let name = text(at);
                    at = (at + name.len() + 4) & !3;
                    let parent: Option<usize> = open.last().copied();
                    let path =
                        parent.map_or(String::new(), |parent| format!("{}/{name}", nodes[parent].path));
                    open.push(nodes.len());
                    nodes.push(Node { path, parent, properties: BTreeMap::new() });
                }
                PROPERTY => {
                    let (length, name) = (word(at) as usize, text(strings + word(at + 4) as usize));
                    let node = *open.last().expect("a node");
                    nodes[node].properties.insert(name, bytes[at + 8..at + 8 + length].to_vec());
                    at = (at + 8 + length + 3) & !3;
                }
                END_NODE => drop(open.pop()),
                END => return Tree(nodes),
                _ => {}
            }
        }
    }

    /// What the board is called.
    pub fn model(&self) -> &str {
        self.0[0].text("model").trim_end_matches('\0')
    }

    /// The nodes that are switched on, with everything above them.
    pub fn devices(&self) -> impl Iterator<Item = &Node> {
        let is_on = |node: &&Node| {
            let above = std::iter::successors(Some(*node), |node| node.parent.map(|parent| &self.0[parent]));
            above.into_iter().all(Node::is_on)
        };
        self.0.iter().filter(is_on)
    }

    /// Nodes right below one.
    pub fn below<'a>(&'a self, node: &'a Node) -> impl Iterator<Item = &'a Node> {
        self.0.iter().filter(|other| other.parent.is_some_and(|parent| self.0[parent].path == node.path))
    }

    /// The device that this one is a part of: the next one above that takes a driver.
    pub fn above<'a>(&'a self, node: &'a Node) -> Option<&'a Node> {
        node.parent.and_then(|parent| self.with_driver(&self.0[parent]))
    }

    /// The devices that this one names, because it does not work without them. Each is a node that takes a driver.
    pub fn needs<'a>(&'a self, node: &'a Node) -> Vec<&'a Node> {
        let mut all: Vec<&Node> = Vec::new();
        if node.has("interrupts") {
            all.extend(self.interrupt_parent(node));
        }
        for (name, value) in &node.properties {
            let cells: Vec<u32> = numbers(value).collect();
            let known = NAMES.iter().find(|(known, _)| {
                name == known || *known == "gpios" && (name.ends_with("-gpios") || name.ends_with("-gpio"))
            });
            match known {
                Some((_, count)) => all.extend(self.named(&cells, *count)),
                None if name.ends_with("-supply")
                    || name.starts_with("pinctrl-") && name != "pinctrl-names" =>
                {
                    all.extend(self.named(&cells, None));
                }
                None => {}
            }
        }
        all.into_iter()
            .filter_map(|node| self.with_driver(node))
            .filter(|other| other.path != node.path)
            .collect()
    }

    fn named(&self, cells: &[u32], count: Option<&str>) -> Vec<&Node> {
        let (mut found, mut rest) = (Vec::new(), cells);
        while let Some((handle, after)) = rest.split_first() {
            // A place that is left empty has no numbers behind it.
            let node = self.0.iter().find(|node| node.number("phandle") == Some(*handle));
            let more = node.zip(count).and_then(|(node, count)| node.number(count)).unwrap_or(0);
            rest = after.get(more as usize..).unwrap_or_default();
            found.extend(node);
        }
        found
    }

    fn interrupt_parent<'a>(&'a self, node: &'a Node) -> Option<&'a Node> {
        let mut above = std::iter::successors(Some(node), |node| node.parent.map(|parent| &self.0[parent]));
        above.find_map(|above| match above.number("interrupt-parent") {
            Some(handle) => self.0.iter().find(|node| node.number("phandle") == Some(handle)),
            None => Some(above).filter(|above| above.has("interrupt-controller") && above.path != node.path),
        })
    }

    /// The node itself or the nearest one above that takes a driver; none is the board itself.
    fn with_driver<'a>(&'a self, node: &'a Node) -> Option<&'a Node> {
        let mut above = std::iter::successors(Some(node), |node| node.parent.map(|parent| &self.0[parent]));
        above.find(|node| node.has("compatible") && node.parent.is_some())
    }
}
