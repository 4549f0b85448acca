//! The names that pxelinux asks for by itself, until one is there.

use crate::ids::Mac;

/// Whether pxelinux, or a loader that looks for menus as it does, asks for this name in `pxelinux.cfg/`: its machine's
/// UUID, hardware address, network address in hexadecimal digits, each time one digit less, and `default`. U-Boot adds
/// its board's kind to the last one. Everything else is a file that somebody's own menu names.
pub(super) fn asks_for(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let is_hex = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_uuid = || {
        let lengths: Vec<usize> = name.split('-').map(str::len).collect();
        lengths == [8, 4, 4, 4, 12] && name.split('-').all(is_hex)
    };
    let is_board = |rest: &str| {
        rest.starts_with('-')
            && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    let is_mac = || {
        let rest =
            name.split_once('-').filter(|(kind, _)| kind.len() == 2 && is_hex(kind)).map(|(_, rest)| rest);
        rest.is_some_and(|rest| rest.len() == 17 && rest.contains('-') && rest.parse::<Mac>().is_ok())
    };
    let is_default = || name.strip_prefix("default").is_some_and(|rest| rest.is_empty() || is_board(rest));
    (name.len() <= 8 && is_hex(&name)) || is_default() || is_uuid() || is_mac()
}

#[cfg(test)]
mod tests {
    use super::asks_for;

    #[test]
    fn what_pxelinux_asks_for_is_known_from_what_menus_name() {
        for name in [
            "b8945908-d6a6-41a9-611d-74a6ab80b83d",
            "01-88-99-aa-bb-cc-dd",
            "01-88-99-AA-BB-CC-DD",
            "20-88-99-aa-bb-cc-dd",
            "C0A8025B",
            "C0A8025",
            "C",
            "default",
            "default-arm-bcm283x-rpi",
            "default-arm",
        ] {
            assert!(asks_for(name), "{name}");
        }
        for name in [
            "rack.cfg",
            "default.cfg",
            "default-menu.cfg",
            "menu",
            "graphics.conf",
            "C0A8025B1",
            "01-88-99-aa-bb-cc",
            "88-99-aa-bb-cc-dd",
            "b8945908-d6a6-41a9-611d-74a6ab80b83d.cfg",
            "",
        ] {
            assert!(!asks_for(name), "{name}");
        }
    }
}
