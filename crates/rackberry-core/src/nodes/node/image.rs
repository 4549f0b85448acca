//! How much of an image a machine has been sent.

use serde::{Deserialize, Serialize};

/// More pieces than this are not kept apart: what does not fit is taken for not sent.
const MOST: usize = 256;

/// An image on its way to one machine, in one install.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Image {
    /// Its length in bytes.
    total: u64,
    /// The parts that were sent, first byte and the byte after the last one; in order, and none touches the next.
    sent: Vec<(u64, u64)>,
    /// The service was away meanwhile: more may have been sent than is known.
    was_away: bool,
}

/// The image's transfer, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ImageProgress {
    /// Bytes sent.
    pub sent: u64,
    /// Bytes in all.
    pub total: u64,
}

impl Image {
    /// An image of this many bytes, of which none is sent.
    pub fn new(total: u64) -> Image {
        Image { total, sent: Vec::new(), was_away: false }
    }

    /// Its length in bytes.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Takes note that the bytes from `start` to before `end` are sent.
    pub fn add(&mut self, start: u64, end: u64) {
        let (start, end) = (start.min(self.total), end.min(self.total));
        if start >= end {
            return;
        }
        let from = self.sent.partition_point(|part| part.1 < start);
        let to = self.sent.partition_point(|part| part.0 <= end);
        let touched = &self.sent[from..to];
        let start = touched.first().map_or(start, |part| part.0.min(start));
        let end = touched.last().map_or(end, |part| part.1.max(end));
        if from == to && self.sent.len() == MOST {
            return;
        }
        self.sent.splice(from..to, [(start, end)]);
    }

    /// Whether all of its bytes are sent.
    pub fn is_whole(&self) -> bool {
        self.total > 0 && self.sent == [(0, self.total)]
    }

    /// Notes that the service was away, and may have sent more than it knows.
    pub fn was_away(&mut self) {
        self.was_away = !self.is_whole();
    }

    /// Whether some of its bytes are known not to be sent.
    pub fn is_incomplete(&self) -> bool {
        !self.is_whole() && !self.was_away
    }

    /// How many of its bytes are sent.
    pub fn progress(&self) -> ImageProgress {
        ImageProgress { sent: self.sent.iter().map(|part| part.1 - part.0).sum(), total: self.total }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_last_byte_alone_is_not_the_image() {
        let mut image = Image::new(100);
        image.add(99, 100);
        assert!(!image.is_whole());
        image.add(0, 50);
        assert_eq!(image.progress(), ImageProgress { sent: 51, total: 100 });
        image.add(40, 99);
        assert!(image.is_whole());
        assert!(!Image::new(0).is_whole(), "nothing is no image");
    }

    proptest! {
        /// As a table of all bytes says.
        #[test]
        fn parts_of_an_image_add_up(parts in proptest::collection::vec((0u64..60, 0u64..60), 0..30)) {
            let (mut image, mut bytes) = (Image::new(50), [false; 50]);
            for (start, end) in parts {
                image.add(start, end);
                bytes.iter_mut().take(end.min(50) as usize).skip(start as usize).for_each(|byte| *byte = true);
                prop_assert_eq!(image.progress().sent, bytes.iter().filter(|byte| **byte).count() as u64);
                prop_assert_eq!(image.is_whole(), bytes.iter().all(|byte| *byte));
                prop_assert!(image.sent.windows(2).all(|pair| pair[0].1 < pair[1].0));
            }
        }

        /// However many pieces there are, the memory that they take is bounded, and nothing is counted that was not sent.
        #[test]
        fn the_number_of_pieces_of_an_image_is_bounded(step in 2u64..9) {
            let mut image = Image::new(10_000);
            for piece in 0..1000 {
                image.add(piece * step, piece * step + 1);
            }
            prop_assert!(image.sent.len() <= MOST && image.progress().sent <= 1000);
        }
    }
}
