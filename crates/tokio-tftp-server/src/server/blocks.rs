//! Blocks as they are sent: each behind its header, one after the other, so that one system call reads many from a file
//! to their places and another one sends them.

use std::{io, io::IoSliceMut, ops::RangeInclusive};

use crate::{packet::DATA, server::content::Source, transfer::wire_number};

/// What is read at once if less is asked for. More would not stay in the processor's cache until it is sent.
const AHEAD: usize = 64 * 1024;
/// Opcode and number (RFC 1350 section 5).
const HEADER: usize = 4;

/// A few blocks of a source, ready to be sent.
#[derive(Debug)]
pub(crate) struct Blocks {
    source: Source,
    blksize: u64,
    packets: Vec<u8>,
    /// Numbers of the blocks that are ready.
    first: u64,
    end: u64,
}

impl Blocks {
    pub fn new(source: Source, blksize: u16) -> Blocks {
        Blocks { source, blksize: blksize.max(1).into(), packets: Vec::new(), first: 1, end: 1 }
    }

    /// Bytes of the whole source.
    pub fn total(&self) -> u64 {
        self.source.length()
    }

    /// Bytes of a packet; only the last one is shorter.
    pub fn stride(&self) -> usize {
        self.blksize as usize + HEADER
    }

    /// Makes blocks ready. None before `needed` will be asked for any more.
    pub async fn load(&mut self, range: RangeInclusive<u64>, needed: u64) -> io::Result<()> {
        let (from, to) = range.into_inner();
        if self.first <= from && to < self.end {
            return Ok(());
        }
        let keep = if self.source.can_go_back() { from } else { needed };
        self.forget_before(keep);
        let last = self.source.length() / self.blksize + 1;
        let ahead = self.first + (AHEAD / self.stride()) as u64;
        let end = (to + 1).max(ahead).min(last + 1);
        let old = self.packets.len();
        let room = (end - self.first) as usize * self.stride();
        // The last block is shorter.
        let missing = if end > last { self.blksize - self.source.length() % self.blksize } else { 0 };
        self.packets.resize(room - missing as usize, 0);
        let read = self.fill(old, to, end).await;
        // What could not be read is not there.
        self.packets.truncate((self.end - self.first) as usize * self.stride());
        read
    }

    /// Reads the packets behind the first `old` bytes: those before `end`, and up to `to` at least.
    async fn fill(&mut self, old: usize, to: u64, end: u64) -> io::Result<()> {
        let stride = self.stride();
        let mut offset = (self.end - 1) * self.blksize;
        let enough = (to * self.blksize).min(self.source.length());
        let mut parts = Vec::with_capacity(self.packets.len() / stride + 1);
        for (number, packet) in (self.end..).zip(self.packets[old..].chunks_mut(stride)) {
            let (header, data) = packet.split_at_mut(HEADER);
            header[..2].copy_from_slice(&DATA.to_be_bytes());
            header[2..].copy_from_slice(&wire_number(number).to_be_bytes());
            parts.push(IoSliceMut::new(data));
        }
        let mut rest = &mut parts[..];
        // An empty last block has nothing to be read.
        while offset < enough {
            let read = self.source.read(offset, rest).await?;
            IoSliceMut::advance_slices(&mut rest, read);
            offset += read as u64;
        }
        let is_all = offset == self.source.length();
        self.end = (offset / self.blksize + 1 + u64::from(is_all)).min(end);
        Ok(())
    }

    fn forget_before(&mut self, block: u64) {
        if (self.first..self.end).contains(&block) {
            self.packets.drain(..(block - self.first) as usize * self.stride());
            self.first = block;
        } else {
            self.packets.clear();
            (self.first, self.end) = (block, block);
        }
    }

    /// The packets of blocks that are ready.
    pub fn packets(&self, range: RangeInclusive<u64>) -> &[u8] {
        let (from, to) = range.into_inner();
        let start = from.saturating_sub(self.first) as usize * self.stride();
        let end = (to + 1).saturating_sub(self.first) as usize * self.stride();
        self.packets.get(start..end.min(self.packets.len())).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write as _};

    use proptest::prelude::*;

    use super::*;
    use crate::server::{content::Content, handler::Mode};

    /// The same bytes as a file, as bytes and as what a reader yields.
    fn all(bytes: &[u8]) -> [Content; 3] {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        let reader = Content::reader(Cursor::new(bytes.to_vec()), bytes.len() as u64);
        [file.into(), bytes.to_vec().into(), reader]
    }

    /// What is sent of these blocks.
    fn expected(bytes: &[u8], blksize: usize, (from, to): (u64, u64)) -> Vec<u8> {
        let place = |block: u64| ((block - 1) as usize * blksize).min(bytes.len());
        let packet = |block: u64| {
            let data = &bytes[place(block)..place(block + 1)];
            [&[0, 3], &wire_number(block).to_be_bytes()[..], data].concat()
        };
        (from..=to).flat_map(packet).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

        /// Windows go on, by more or less than their size, or come again.
        #[test]
        fn packets_have_the_bytes_of_their_blocks(
            length in 0usize..300_000,
            blksize in prop::sample::select(vec![8u16, 100, 512, 1468, 8192]),
            window in 1u64..70,
            steps in prop::collection::vec(0u64..70, 1..60),
        ) {
            // Whole blocks, too, so that the last one is empty.
            let length = if length % 3 == 0 { length - length % usize::from(blksize) } else { length };
            let bytes: Vec<u8> = (0..length as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
            let last = length as u64 / u64::from(blksize) + 1;
            let runtime = tokio::runtime::Runtime::new().unwrap();
            for content in all(&bytes) {
                let source = runtime.block_on(Source::open(content, Mode::Octet)).unwrap();
                let mut blocks = Blocks::new(source, blksize);
                let mut first = 1;
                for step in &steps {
                    let to = (first + window - 1).min(last);
                    runtime.block_on(blocks.load(first..=to, first)).unwrap();
                    let packets = blocks.packets(first..=to);
                    prop_assert!(packets == expected(&bytes, blksize.into(), (first, to)), "{first} to {to} of {last}");
                    first = (first + step.min(&window)).min(last);
                }
            }
        }
    }

    /// A client never has the beginning of one content and the end of another.
    #[test]
    fn a_file_that_is_written_to_while_it_is_sent_is_no_source_any_more() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[1; 200_000]).unwrap();
        file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
        let source = runtime.block_on(Source::open(file.try_clone().unwrap().into(), Mode::Octet)).unwrap();
        let mut blocks = Blocks::new(source, 512);
        runtime.block_on(blocks.load(1..=1, 1)).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&file, &[2; 200_000], 0).unwrap();
        let error = runtime.block_on(blocks.load(391..=391, 391)).unwrap_err();
        assert!(error.to_string().contains("written to while it was sent"), "{error}");
    }

    #[test]
    fn a_source_that_is_shorter_than_it_was_is_no_source() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let file = tempfile::tempfile().unwrap();
        file.set_len(5000).unwrap();
        let (short, failing) = (file.try_clone().unwrap(), Content::reader(Cursor::new(vec![0; 4999]), 5000));
        for content in [file.into(), failing] {
            let source = runtime.block_on(Source::open(content, Mode::Octet)).unwrap();
            short.set_len(4999).unwrap();
            let mut blocks = Blocks::new(source, 512);
            let error = runtime.block_on(blocks.load(1..=10, 1)).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        }
    }
}
