//! Blocks as they are sent: each behind its header, one after the other, so that one system call reads many from a file
//! to their places and another one sends them.

use std::{io, io::IoSliceMut, ops::RangeInclusive};

use crate::{content::Source, packet::DATA, transfer::wire_number};

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
