//! The question and its answer, as rtnetlink(7) describes them. Numbers are in the machine's own order.

use std::{io, net::Ipv4Addr};

use rackberry_core::ids::Mac;

const HEADER: usize = size_of::<libc::nlmsghdr>();
/// `struct ndmsg` of linux/neighbour.h.
const NEIGHBOUR: usize = 12;
const DESTINATION: u16 = 1;
const LINK_ADDRESS: u16 = 2;
/// `NUD_REACHABLE`, `NUD_STALE`, `NUD_DELAY`, `NUD_PROBE` and `NUD_PERMANENT`: the kernel sends what goes to that address
/// to this hardware address.
const VALID: u16 = 0x02 | 0x04 | 0x08 | 0x10 | 0x80;
/// `NUD_INCOMPLETE`: it has asked.
const INCOMPLETE: u16 = 0x01;

/// What the table says of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NeighbourEntry {
    /// Whose it is.
    Known(Mac),
    /// The kernel has asked and waits for an answer.
    Asked,
    /// Nothing, or that nobody has answered.
    Unknown,
}

/// RTM_GETNEIGH for one address on one interface.
pub(super) fn question(index: u32, address: Ipv4Addr) -> Vec<u8> {
    let attribute = [8u16.to_ne_bytes(), DESTINATION.to_ne_bytes()].concat();
    let length = (HEADER + NEIGHBOUR + attribute.len() + 4) as u32;
    let mut message = Vec::with_capacity(length as usize);
    message.extend(length.to_ne_bytes());
    message.extend(libc::RTM_GETNEIGH.to_ne_bytes());
    message.extend((libc::NLM_F_REQUEST as u16).to_ne_bytes());
    // Number and sender: there is one question on its socket.
    message.extend([0; 8]);
    message.extend([libc::AF_INET as u8, 0, 0, 0]);
    message.extend(index.to_ne_bytes());
    message.extend([0; 4]);
    message.extend(attribute);
    message.extend(address.octets());
    message
}

/// The entry, or that there is none.
///
/// # Errors
/// The kernel's, and what is no answer.
pub(super) fn answer(message: &[u8]) -> io::Result<NeighbourEntry> {
    let short = || io::Error::from(io::ErrorKind::InvalidData);
    let (header, rest) = message.split_at_checked(HEADER).ok_or_else(short)?;
    match word(header, 4) {
        // NLMSG_ERROR
        2 => {
            let code = rest.first_chunk().map(|code| i32::from_ne_bytes(*code)).ok_or_else(short)?;
            match code.checked_neg() {
                Some(libc::ENOENT) => Ok(NeighbourEntry::Unknown),
                Some(code) => Err(io::Error::from_raw_os_error(code)),
                None => Err(short()),
            }
        }
        libc::RTM_NEWNEIGH => {
            let (neighbour, attributes) = rest.split_at_checked(NEIGHBOUR).ok_or_else(short)?;
            Ok(match word(neighbour, 8) {
                state if state & VALID != 0 => {
                    link_address(attributes).map_or(NeighbourEntry::Unknown, NeighbourEntry::Known)
                }
                state if state & INCOMPLETE != 0 => NeighbourEntry::Asked,
                _ => NeighbourEntry::Unknown,
            })
        }
        _ => Err(short()),
    }
}

/// Attributes: length with these four bytes, kind, value, and padding to four bytes.
fn link_address(mut attributes: &[u8]) -> Option<Mac> {
    loop {
        let length = usize::from(attributes.first_chunk().map(|length| u16::from_ne_bytes(*length))?);
        let value = attributes.get(4..length)?;
        if word(attributes, 2) == LINK_ADDRESS {
            return value.try_into().ok().map(Mac);
        }
        attributes = attributes.get(length.next_multiple_of(4)..)?;
    }
}

fn word(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).and_then(|word| word.try_into().ok()).map_or(0, u16::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MAC: Mac = Mac([0x52, 0x54, 0, 0, 0, 1]);

    fn said(kind: u16, body: &[u8]) -> Vec<u8> {
        let length = (HEADER + body.len()) as u32;
        [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), &[0; 10], body].concat()
    }

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = (4 + value.len()) as u16;
        let mut bytes = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), value].concat();
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn entry(state: u16, attributes: &[Vec<u8>]) -> Vec<u8> {
        let neighbour =
            [&[libc::AF_INET as u8, 0, 0, 0, 3, 0, 0, 0][..], &state.to_ne_bytes(), &[0; 2]].concat();
        said(libc::RTM_NEWNEIGH, &[neighbour, attributes.concat()].concat())
    }

    #[test]
    fn the_question_is_as_the_kernel_wants_it() {
        let question = question(0x0102_0304, Ipv4Addr::new(10, 10, 10, 7));
        assert_eq!(question.len(), 36);
        assert_eq!(question[..4], 36u32.to_ne_bytes());
        assert_eq!(question[20..24], 0x0102_0304u32.to_ne_bytes());
        assert_eq!(question[32..], [10, 10, 10, 7]);
    }

    #[test]
    fn entries_that_are_used_count() {
        let destination = attribute(DESTINATION, &[10, 10, 10, 7]);
        let known = [destination.clone(), attribute(LINK_ADDRESS, &MAC.0), attribute(3, &[0; 16])];
        for state in [0x02, 0x04, 0x08, 0x10, 0x80] {
            assert_eq!(answer(&entry(state, &known)).unwrap(), NeighbourEntry::Known(MAC), "{state}");
        }
        let asked = [destination];
        assert_eq!(answer(&entry(0x01, &asked)).unwrap(), NeighbourEntry::Asked);
        for state in [0, 0x20, 0x40] {
            assert_eq!(
                answer(&entry(state, &known)).unwrap(),
                NeighbourEntry::Unknown,
                "{state}: failed, or no ARP"
            );
        }
        assert_eq!(answer(&entry(0x02, &asked)).unwrap(), NeighbourEntry::Unknown, "without an address");
        let long = [attribute(LINK_ADDRESS, &[7; 20])];
        assert_eq!(answer(&entry(0x02, &long)).unwrap(), NeighbourEntry::Unknown, "no Ethernet");
    }

    #[test]
    fn no_entry_is_no_error_and_errors_are_the_kernels() {
        let error = |code: i32| said(2, &[&(-code).to_ne_bytes()[..], &[0; 16]].concat());
        assert_eq!(answer(&error(libc::ENOENT)).unwrap(), NeighbourEntry::Unknown);
        assert_eq!(answer(&error(libc::EPERM)).unwrap_err().raw_os_error(), Some(libc::EPERM));
        assert!(answer(&[]).is_err());
    }

    proptest! {
        #[test]
        fn any_answer_is_read_without_panic(
            kind in prop::sample::select(vec![2, libc::RTM_NEWNEIGH, 99]),
            state: u16,
            bytes in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            let _ = answer(&said(kind, &bytes));
            let _ = answer(&entry(state, std::slice::from_ref(&bytes)));
            let _ = answer(&bytes);
        }
    }
}
