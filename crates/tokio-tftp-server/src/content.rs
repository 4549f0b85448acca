//! The bytes of a transfer: opened, read ahead, and in netascii converted.

use std::{fs::File, io, os::unix::fs::FileExt as _, path::Path, sync::Arc};

use tokio::task::spawn_blocking;

use crate::handler::{Content, Mode};

/// What is read at once. A window of the largest kind fits, and a card's slow reads don't stall the runtime.
const AHEAD: usize = 256 * 1024;
/// Text is converted in memory; nobody sends larger ones as text on purpose.
const LONGEST_TEXT: u64 = 4 << 20;

/// Open content of known length.
#[derive(Debug)]
pub(crate) struct Source {
    length: u64,
    file: Option<Arc<File>>,
    /// Bytes from `offset` on.
    buffer: Vec<u8>,
    offset: u64,
}

impl Source {
    /// Opens it.
    pub async fn open(content: Content, mode: Mode) -> io::Result<Source> {
        match (content, mode) {
            (Content::Bytes(bytes), Mode::Octet) => Ok(Source::of_bytes(bytes)),
            (Content::Bytes(bytes), Mode::Netascii) => Ok(Source::of_bytes(to_netascii(&bytes))),
            (Content::File(path), Mode::Octet) => {
                let (file, length) = blocking(move || open(&path)).await?;
                Ok(Source { length, file: Some(Arc::new(file)), buffer: Vec::new(), offset: 0 })
            }
            (Content::File(path), Mode::Netascii) => {
                blocking(move || {
                    let (file, length) = open(&path)?;
                    if length > LONGEST_TEXT {
                        return Err(io::Error::other("too long for netascii; use octet (binary) mode"));
                    }
                    let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
                    file.read_exact_at(&mut bytes, 0)?;
                    Ok(Source::of_bytes(to_netascii(&bytes)))
                })
                .await
            }
        }
    }

    fn of_bytes(bytes: Vec<u8>) -> Source {
        Source { length: bytes.len() as u64, file: None, buffer: bytes, offset: 0 }
    }

    /// Bytes in all.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Makes the bytes from `offset` on, `length` of them, ready for [`Source::bytes`].
    pub async fn load(&mut self, offset: u64, length: usize) -> io::Result<()> {
        let end = offset + length as u64;
        let is_loaded = offset >= self.offset && end <= self.offset + self.buffer.len() as u64;
        let Some(file) = self.file.clone().filter(|_| !is_loaded) else { return Ok(()) };
        let left = usize::try_from(self.length.saturating_sub(offset)).unwrap_or(usize::MAX);
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.resize(AHEAD.max(length).min(left), 0);
        self.buffer = blocking(move || {
            file.read_exact_at(&mut buffer, offset)?;
            Ok(buffer)
        })
        .await?;
        self.offset = offset;
        Ok(())
    }

    /// Loaded bytes.
    pub fn bytes(&self, offset: u64, length: usize) -> &[u8] {
        let start = usize::try_from(offset.saturating_sub(self.offset)).unwrap_or(usize::MAX);
        self.buffer.get(start..start.saturating_add(length)).unwrap_or_default()
    }
}

fn open(path: &Path) -> io::Result<(File, u64)> {
    let file = File::open(path)?;
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "not a file"));
    }
    Ok((file, meta.len()))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    spawn_blocking(work).await.map_err(io::Error::other)?
}

/// RFC 764: a line ends with CR LF, a bare CR is followed by NUL.
fn to_netascii(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes.len() + bytes.len() / 16);
    for byte in bytes {
        match byte {
            b'\n' => text.extend_from_slice(b"\r\n"),
            b'\r' => text.extend_from_slice(b"\r\0"),
            other => text.push(*other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_has_the_networks_line_ends() {
        assert_eq!(to_netascii(b"a\nb\rc\r\n"), b"a\r\nb\r\0c\r\0\r\n");
    }
}
