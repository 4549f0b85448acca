//! The options of a DHCP message, as they lie in it.

/// The magic cookie that begins the options (RFC 2131 section 3).
pub(in crate::dhcp) const MAGIC: [u8; 4] = [99, 130, 83, 99];
const PAD: u8 = 0;
const END: u8 = 255;

/// Code and value of each option of one field (RFC 2132 section 2), up to its END or to where it is cut off. Lengths are taken
/// from whoever sent it, and never trusted.
pub(in crate::dhcp) fn options(mut field: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        while let [PAD, rest @ ..] = field {
            field = rest;
        }
        let [code, length, rest @ ..] = field else { return None };
        let (value, rest) = rest.split_at_checked(usize::from(*length)).filter(|_| *code != END)?;
        field = rest;
        Some((*code, value))
    })
    .fuse()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(field: &[u8]) -> Vec<(u8, Vec<u8>)> {
        options(field).map(|(code, value)| (code, value.to_vec())).collect()
    }

    #[test]
    fn options_are_read_up_to_their_end() {
        let two = vec![(53, vec![1]), (54, vec![10, 0, 0, 1])];
        assert_eq!(read(&[53, 1, 1, 54, 4, 10, 0, 0, 1]), two, "without an END");
        assert_eq!(
            read(&[0, 53, 1, 1, 0, 0, 54, 4, 10, 0, 0, 1, 255, 12, 1, b'x']),
            two,
            "nothing after END"
        );
        assert_eq!(read(&[53, 1, 1, 54, 4, 10, 0, 0, 1, 12]), two, "a code without a length");
        assert_eq!(read(&[53, 1, 1, 54, 4, 10, 0, 0, 1, 12, 5, b'x']), two, "a value that is cut off");
        assert_eq!(read(&[12, 0]), [(12, vec![])], "a value of no bytes");
        for nothing in [&[][..], &[0, 0], &[255], &[255, 0], &[53]] {
            assert_eq!(read(nothing), []);
        }
    }

    proptest! {
        #[test]
        fn no_value_reaches_beyond_its_field(field in proptest::collection::vec(any::<u8>(), 0..64)) {
            let taken: usize = options(&field).map(|(_, value)| 2 + value.len()).sum();
            prop_assert!(taken <= field.len());
        }
    }
}
