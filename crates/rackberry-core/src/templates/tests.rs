use std::collections::BTreeMap;

use super::*;

fn context() -> Context {
    let node = |name: &str, address: &str| NodeFacts {
        name: name.into(),
        mac: "00:25:90:c0:f7:86".into(),
        macs: vec!["00:25:90:c0:f7:86".into()],
        address: Some(address.into()),
        arch: "x86_64".into(),
        vars: toml::from_str("role = 'master'").unwrap(),
    };
    Context {
        node: node("node1", "10.10.10.11"),
        nodes: vec![node("node1", "10.10.10.11"), node("node2", "10.10.10.12")],
        vars: toml::from_str("discovery = 'http://e/1'").unwrap(),
        ssh_keys: vec!["ssh-ed25519 AAAA me".into()],
        server_url: "http://10.10.10.1".into(),
        base_url: "http://10.10.10.1/g/1234".into(),
        profile: "coreos".into(),
        version: "1010.5.0".into(),
        disk: "/dev/sda".into(),
        console: None,
        files: BTreeMap::from([("kernel", None)]),
        verified: true,
        hands_keys: false,
        config_kind: None,
        config: String::new(),
        answers: BTreeMap::new(),
        command: "it's".into(),
        overwrite_marked: "",
    }
}

fn made(text: &str) -> Result<String, TemplateError> {
    let find = |name: &str| match name {
        "part.yml" => Some(Piece::Template("one\n{{ node.nmae }}\n".into())),
        "marked.yml" => Some(Piece::Template("{# template #}\n  - {{ node.name }}\n".into())),
        "plain.sh" => Some(Piece::Plain("${#A[@]} {{ version }} \"\\n\" %}\n".into())),
        _ => None,
    };
    render("a.yml", text, find, &context())
}

#[test]
fn templates_name_the_node_and_the_others() {
    let text = "hostname: {{ node.name }}\nrole: {{ node.vars.role }}\ncluster: {% for n in nodes %}{{ n.name }}=http://{{ n.address }}:2380{{ ',' if not loop.last }}{% endfor %}\n{{ vars.discovery }} {{ ssh_keys[0] }}\n";
    assert_eq!(
        made(text).unwrap(),
        "hostname: node1\nrole: master\ncluster: node1=http://10.10.10.11:2380,node2=http://10.10.10.12:2380\nhttp://e/1 ssh-ed25519 AAAA me\n"
    );
    assert_eq!(made("'{{ command | quoted }}'{{ node | tojson }}").unwrap().find("'it'\\''s'{"), Some(0));
}

#[test]
fn what_is_not_there_is_an_error_with_its_line() {
    let error = made("one\ntwo {{ node.vars.roll }}\n").unwrap_err();
    assert_eq!((error.name.as_str(), error.line), ("a.yml", Some(2)));
    assert_eq!(error.to_string(), "a.yml:2: \"node.vars.roll\" is not defined");
    let error = made("{% if %}").unwrap_err();
    assert_eq!(error.line, Some(1), "{error}");
    let error = made("x\n{% include 'part.yml' %}").unwrap_err();
    assert_eq!(error.to_string(), "part.yml:2: \"node.nmae\" is not defined");
    let error = made("{% include 'nothing.yml' %}").unwrap_err();
    assert!(error.to_string().contains("nothing.yml"), "{error}");
}

/// Other programs' texts have braces, too.
#[test]
fn what_is_no_template_is_included_as_it_is() {
    assert_eq!(made("x\n{% include 'plain.sh' %}y").unwrap(), "x\n${#A[@]} {{ version }} \"\\n\" %}\ny");
}

#[test]
fn the_line_that_says_that_it_is_a_template_is_no_line_of_it() {
    assert_eq!(
        made("{# template #}\n#cloud-config\nname: {{ node.name }}\n").unwrap(),
        "#cloud-config\nname: node1\n"
    );
    assert_eq!(made("{# template #}\r\n\r\n#x\r\n").unwrap(), "\r\n#x\r\n");
    assert_eq!(made("{# template #}").unwrap(), "");
    assert_eq!(made("a:\n{% include 'marked.yml' %}").unwrap(), "a:\n  - node1\n");
    assert_eq!(made("{# template #}\n{{ node.nmae }}").unwrap_err().line, Some(2));
}

#[test]
fn a_plain_text_stays_as_it_is() {
    let text = "#cloud-config\n# $private_ipv4 & <b>\nhostname: é\n\n";
    assert_eq!(made(text).unwrap(), text);
}
