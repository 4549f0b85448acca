//! ASCII armor (RFC 9580 section 6.2).

use base64::{Engine as _, alphabet, engine::GeneralPurposeConfig, engine::general_purpose::GeneralPurpose};

use super::packets::Unreadable;

/// Longer than any certificate or signature file.
const LONGEST: usize = 1 << 20;

/// Padding is often lost in copies, and carries nothing.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent),
);

/// The packets of a file: as they are when it is binary, else those of each armored block of this kind.
///
/// The checksum of an armored block is not looked at, as section 6.1 demands; what counts is signed.
pub(super) fn contents(file: &[u8], kind: &'static str) -> Result<Vec<Vec<u8>>, Unreadable> {
    if file.len() > LONGEST {
        return Err(Unreadable::TooLong);
    }
    match file.iter().find(|byte| !byte.is_ascii_whitespace()) {
        None => Err(Unreadable::Empty),
        // Every packet begins with this bit (section 4.2), no text does.
        Some(_) if file[0] & 0x80 != 0 && !file.starts_with("\u{feff}".as_bytes()) => Ok(vec![file.to_vec()]),
        Some(_) => blocks(&String::from_utf8_lossy(file), kind),
    }
}

fn blocks(text: &str, kind: &'static str) -> Result<Vec<Vec<u8>>, Unreadable> {
    let mut found = Vec::new();
    let mut others = Vec::new();
    let mut lines = text.trim_start_matches('\u{feff}').lines().map(str::trim_end);
    while let Some(line) = lines.next() {
        let Some(name) = boundary(line, "BEGIN") else { continue };
        // The headers end at an empty line.
        let block = lines.by_ref().skip_while(|line| line.contains(':')).skip_while(|line| line.is_empty());
        let mut body = String::new();
        let mut closed = false;
        for line in block {
            if boundary(line, "END") == Some(name) {
                closed = true;
                break;
            }
            if !line.starts_with('=') {
                body.push_str(line);
            }
        }
        match name {
            _ if name == kind && !closed => return Err(Unreadable::Unclosed(kind)),
            _ if name == kind => found.push(BASE64.decode(body).map_err(|_| Unreadable::NotBase64(kind))?),
            "PRIVATE KEY BLOCK" => return Err(Unreadable::SecretKey),
            _ => others.push(name.to_owned()),
        }
    }
    match (found.is_empty(), others.first()) {
        (false, _) => Ok(found),
        (true, Some(other)) => Err(Unreadable::OtherBlock { wanted: kind, found: other.clone() }),
        (true, None) => Err(Unreadable::NoBlock(kind)),
    }
}

/// An armored block. With its checksum, which old programs want (section 6.1.1).
pub(super) fn armored(bytes: &[u8], kind: &str) -> String {
    let text = BASE64.encode(bytes);
    let mut block = format!("-----BEGIN PGP {kind}-----\n\n");
    for line in text.as_bytes().chunks(64) {
        block.extend(line.iter().map(|byte| char::from(*byte)));
        block.push('\n');
    }
    let [_, checksum @ ..] = crc24(bytes).to_be_bytes();
    format!("{block}={}\n-----END PGP {kind}-----\n", BASE64.encode(checksum))
}

fn crc24(bytes: &[u8]) -> u32 {
    let mut crc = 0x00b7_04ce;
    for byte in bytes {
        crc ^= u32::from(*byte) << 16;
        for _ in 0..8 {
            crc <<= 1;
            if crc & 0x0100_0000 != 0 {
                crc ^= 0x0186_4cfb;
            }
        }
    }
    crc & 0x00ff_ffff
}

/// The name in a block's first or last line.
fn boundary<'a>(line: &'a str, word: &str) -> Option<&'a str> {
    line.strip_prefix("-----")?.strip_suffix("-----")?.strip_prefix(word)?.strip_prefix(" PGP ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: &str =
        "-----BEGIN PGP SIGNATURE-----\nVersion: x\n\niQEz\nBAAB\n=abcd\n-----END PGP SIGNATURE-----\n";

    fn signature(file: &str) -> Result<Vec<Vec<u8>>, Unreadable> {
        contents(file.as_bytes(), "SIGNATURE")
    }

    #[test]
    fn blocks_are_found_among_other_text_and_whatever_the_line_ends() {
        let one = vec![vec![0x89, 0x01, 0x33, 0x04, 0x00, 0x01]];
        assert_eq!(signature(BLOCK).unwrap(), one);
        assert_eq!(signature(&BLOCK.replace('\n', "\r\n")).unwrap(), one);
        assert_eq!(signature(&BLOCK.replace("Version: x\n", "")).unwrap(), one, "no headers");
        assert_eq!(signature(&BLOCK.replace("=abcd\n", "")).unwrap(), one, "no checksum");
        assert_eq!(signature(&format!("\u{feff}pub rsa4096\n{BLOCK}bye")).unwrap(), one);
        assert_eq!(signature(&BLOCK.repeat(2)).unwrap().len(), 2);
        assert_eq!(contents(&[0x89, 0], "SIGNATURE").unwrap(), [[0x89, 0]], "binary");
    }

    #[test]
    fn what_is_armored_is_read_again() {
        for len in [0, 1, 2, 47, 48, 49, 1000] {
            let bytes: Vec<u8> = (0..len).map(|at| 0x80 | at as u8).collect();
            let block = armored(&bytes, "SIGNATURE");
            assert_eq!(signature(&block).unwrap(), [bytes]);
        }
        // The check value of section 6.1.1's CRC-24, as catalogues of such codes have it.
        assert_eq!(crc24(b"123456789"), 0x0021_cf02);
    }

    #[test]
    fn what_is_no_block_says_why() {
        let cut = BLOCK.split("=abcd").next().unwrap();
        assert_eq!(signature(cut), Err(Unreadable::Unclosed("SIGNATURE")));
        assert_eq!(signature(""), Err(Unreadable::Empty));
        assert_eq!(signature("<html>404</html>"), Err(Unreadable::NoBlock("SIGNATURE")));
        assert_eq!(signature(&BLOCK.replace("iQEz", "i?z")), Err(Unreadable::NotBase64("SIGNATURE")));
        let other = contents(BLOCK.as_bytes(), "PUBLIC KEY BLOCK").unwrap_err();
        assert_eq!(other.to_string(), "it holds a PGP SIGNATURE, not a PGP PUBLIC KEY BLOCK");
        assert_eq!(contents(&vec![b' '; LONGEST + 1], "SIGNATURE"), Err(Unreadable::TooLong));
    }
}
