use proptest::prelude::*;

use super::*;
use crate::digest::Digester;

fn digest(algorithm: Algorithm, content: &str) -> Digest {
    let mut digester = Digester::new([algorithm]);
    digester.update(content.as_bytes());
    digester.finish().remove(0)
}

fn hex(algorithm: Algorithm, content: &str) -> String {
    digest(algorithm, content).hex()
}

fn check(sums: &Sums, name: &str, content: &str) -> SumVerdict {
    let mut digester = Digester::new(sums.algorithm(name));
    content.as_bytes().chunks(3).for_each(|piece| digester.update(piece));
    sums.compare(name, &digester.finish())
}

#[test]
fn the_style_of_gnu() {
    let (one, two) = (hex(Algorithm::Sha256, "one"), hex(Algorithm::Sha512, "two"));
    let text = format!(
        "{one}  ./netboot/linux\n{one} *initrd.gz\r\n\n{two}  with two  spaces\n\\{one}  a\\\\b\n{}  F\n",
        one.to_uppercase()
    );
    let sums = Sums::parse(&text).unwrap();
    let names: Vec<&str> = sums.names().collect();
    assert_eq!(names, ["F", "a\\b", "initrd.gz", "netboot/linux", "with two  spaces"]);
    for name in ["netboot/linux", "./netboot/linux", "initrd.gz", "a\\b", "F"] {
        assert!(check(&sums, name, "one").is_good(), "{name}");
    }
    assert!(check(&sums, "with two  spaces", "two").is_good());
    assert_eq!(
        check(&sums, "initrd.gz", "One"),
        SumVerdict::Differs {
            listed: digest(Algorithm::Sha256, "one"),
            found: digest(Algorithm::Sha256, "One")
        }
    );
    assert_eq!(check(&sums, "vmlinuz", "one"), SumVerdict::NotListed { name: "vmlinuz".into() });
}

#[test]
fn a_digest_alone_is_of_the_file_beside_it_and_a_path_means_its_only_file() {
    let one = hex(Algorithm::Sha512, "one");
    let sums = Sums::parse_for("disk.img", &format!(" {one}\n")).unwrap();
    assert!(check(&sums, "disk.img", "one").is_good());
    let text = format!("{one}  ./netboot/amd64/linux\n{one}  amd64/initrd.gz\n{one}  arm64/initrd.gz\n");
    let sums = Sums::parse_for("linux", &text).unwrap();
    assert!(check(&sums, "linux", "one").is_good());
    assert!(matches!(check(&sums, "initrd.gz", "one"), SumVerdict::NotListed { .. }), "which?");
}

/// As Fedora's CHECKSUM.
#[test]
fn the_style_of_bsd() {
    let text = format!(
        "# fedora-coreos-44.raw.xz: 3 bytes\nSHA256 (fedora-coreos-44.raw.xz) = {}\nSHA512 (b (1)) = {}\n",
        hex(Algorithm::Sha256, "one"),
        hex(Algorithm::Sha512, "two")
    );
    let sums = Sums::parse(&text).unwrap();
    assert!(check(&sums, "fedora-coreos-44.raw.xz", "one").is_good());
    assert!(check(&sums, "b (1)", "two").is_good());
    assert!(!check(&sums, "b (1)", "").is_good());
}

/// As CoreOS' DIGESTS, and Gentoo's, whose WHIRLPOOL digests are as long as SHA-512's.
#[test]
fn the_sections_of_coreos() {
    let name = "coreos_production_image.bin.bz2";
    let text = format!(
        "# MD5 HASH\n{}  {name}\n# SHA1 HASH\n{}  {name}\n# SHA512 HASH\n{}  {name}\n# WHIRLPOOL HASH\n{}  {name}\n\
         {}  other\n",
        "0".repeat(32),
        "1".repeat(40),
        hex(Algorithm::Sha512, "image"),
        "2".repeat(128),
        "3".repeat(128),
    );
    let sums = Sums::parse(&text).unwrap();
    assert_eq!(sums.of(name), [digest(Algorithm::Sha512, "image")]);
    assert!(check(&sums, name, "image").is_good());
    let weak = check(&sums, "other", "");
    assert_eq!(weak, SumVerdict::TooWeak { name: "other".into(), listed: vec!["WHIRLPOOL".into()] });
    assert_eq!(weak.to_string(), "the list names other only with WHIRLPOOL, which proves nothing");
}

#[test]
fn digests_that_can_be_forged_prove_nothing() {
    let sums = Sums::parse("900150983cd24fb0d6963f7d28e17f72  abc.iso").unwrap();
    assert_eq!(
        check(&sums, "abc.iso", "abc"),
        SumVerdict::TooWeak { name: "abc.iso".into(), listed: vec!["MD5".into()] }
    );
}

#[test]
fn a_list_that_is_none_says_where() {
    let good = hex(Algorithm::Sha256, "one");
    for (text, fault) in [
        (String::new(), SumsFault::Empty),
        ("# only a comment\n".into(), SumsFault::Empty),
        (format!("{good}  file\n<html>\n"), SumsFault::Line { line: 2 }),
        (good.clone(), SumsFault::Line { line: 1 }),
        (format!("{}  file", &good[1..]), SumsFault::Line { line: 1 }),
        (format!("SHA256 (file) = {}", &good[2..]), SumsFault::Line { line: 1 }),
        (format!("# SHA512 HASH\n{good}  file"), SumsFault::Line { line: 2 }),
    ] {
        assert_eq!(Sums::parse(&text), Err(fault), "{text}");
    }
    let twice = format!("{good}  file\n{good}  ./file\n");
    assert!(Sums::parse(&twice).is_ok(), "the same once more");
    let other = format!("{good}  file\n{}  file\n", hex(Algorithm::Sha256, "two"));
    assert_eq!(
        Sums::parse(&other),
        Err(SumsFault::Contradiction { line: 2, name: "file".into(), algorithm: Algorithm::Sha256 })
    );
}

/// Two digests are listed and the file was made to fit one of them.
#[test]
fn every_digest_that_is_known_must_match() {
    let text = format!("{}  file\n{}  file\n", hex(Algorithm::Sha256, "one"), hex(Algorithm::Sha512, "two"));
    let sums = Sums::parse(&text).unwrap();
    assert_eq!(sums.algorithm("file"), Some(Algorithm::Sha512));
    let found = [digest(Algorithm::Sha256, "one"), digest(Algorithm::Sha512, "one")];
    assert!(matches!(sums.compare("file", &found), SumVerdict::Differs { .. }));
    assert!(matches!(sums.compare("file", &[]), SumVerdict::TooWeak { .. }), "nothing was computed");
}

proptest! {
    #[test]
    fn no_text_is_a_fault_of_this_program(text in "(?s).{0,200}") {
        let _ = Sums::parse(&text);
    }
}
