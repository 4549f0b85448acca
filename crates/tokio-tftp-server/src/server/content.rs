//! The bytes of a transfer: opened, read ahead, and in netascii converted.

use std::{
    fmt,
    fs::File,
    io::{self, IoSliceMut, Read},
    mem,
    os::unix::fs::{FileExt as _, MetadataExt as _},
    sync::Arc,
};

use rustix::io::{Errno, ReadWriteFlags, preadv2};
use tokio::task::spawn_blocking;

use crate::server::handler::Mode;

/// What is read at once where reading may wait for a disk, or a network.
const AHEAD: usize = 256 * 1024;
/// Text is converted in memory; nobody sends larger ones as text on purpose.
const LONGEST_TEXT: u64 = 4 << 20;

/// What a client gets. It is opened before it is given to the server, so what a handler has looked at is what is sent.
///
/// ```
/// # use tokio_tftp_server::Content;
/// # fn all() -> std::io::Result<[Content; 3]> {
/// let file = Content::from(std::fs::File::open("/srv/tftp/lpxelinux.0")?);
/// let bytes = Content::from("set timeout=5\n");
/// let read = Content::reader(std::io::repeat(0), 1 << 20);
/// # Ok([file, bytes, read])
/// # }
/// ```
#[non_exhaustive]
pub enum Content {
    /// An open file, from its beginning. If it is written to while it is sent, the transfer fails: what the client has by then
    /// would not fit what comes. A new file may take its name.
    File(File),
    /// Bytes; clients may share them.
    Bytes(Arc<[u8]>),
    /// Whatever is read, to a length that is known before.
    Reader(Reader),
}

/// Bytes that are read when they are sent, in a thread where that may wait.
pub struct Reader {
    reader: Box<dyn Read + Send>,
    length: u64,
}

impl Content {
    /// What `reader` yields. If it ends before `length`, the transfer fails; what is behind that is not read.
    pub fn reader(reader: impl Read + Send + 'static, length: u64) -> Content {
        Content::Reader(Reader { reader: Box::new(reader), length })
    }
}

impl From<File> for Content {
    fn from(file: File) -> Content {
        Content::File(file)
    }
}

impl From<Arc<[u8]>> for Content {
    fn from(bytes: Arc<[u8]>) -> Content {
        Content::Bytes(bytes)
    }
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Content {
        Content::Bytes(bytes.into())
    }
}

impl From<&[u8]> for Content {
    fn from(bytes: &[u8]) -> Content {
        Content::Bytes(bytes.into())
    }
}

impl From<String> for Content {
    fn from(text: String) -> Content {
        text.into_bytes().into()
    }
}

impl From<&str> for Content {
    fn from(text: &str) -> Content {
        text.as_bytes().into()
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Content::File(file) => f.debug_tuple("File").field(file).finish(),
            Content::Bytes(bytes) => write!(f, "Bytes({} bytes)", bytes.len()),
            Content::Reader(reader) => reader.fmt(f),
        }
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reader({} bytes)", self.length)
    }
}

/// Open content of known length.
#[derive(Debug)]
pub(crate) struct Source {
    length: u64,
    from: Kind,
}

#[derive(Debug)]
enum Kind {
    Bytes(Arc<[u8]>),
    File {
        file: Arc<File>,
        /// By what is seen that it was written to.
        written: Written,
        /// Its end was read: whatever else is read was sent before, in part.
        is_ended: bool,
        /// Whether the file system says whether reading would wait.
        is_prompt: bool,
        ahead: Ahead,
    },
    Reader {
        reader: Option<Reader>,
        ahead: Ahead,
    },
}

/// Length of a file, and when its content changed last (seconds, nanoseconds).
type Written = (u64, i64, i64);

/// Bytes that were read before they are needed.
#[derive(Debug, Default)]
struct Ahead {
    bytes: Vec<u8>,
    offset: u64,
}

impl Source {
    /// Looks at its length, and converts it.
    pub async fn open(content: Content, mode: Mode) -> io::Result<Source> {
        let (length, from) = match content {
            Content::Bytes(bytes) => (bytes.len() as u64, Kind::Bytes(bytes)),
            Content::Reader(reader) => {
                (reader.length, Kind::Reader { reader: Some(reader), ahead: Ahead::default() })
            }
            Content::File(file) => {
                let (file, written) = blocking(move || opened(file)).await?;
                let (file, ahead) = (Arc::new(file), Ahead::default());
                (written.0, Kind::File { file, written, is_ended: false, is_prompt: true, ahead })
            }
        };
        let source = Source { length, from };
        match mode {
            Mode::Octet => Ok(source),
            Mode::Netascii => source.into_text().await,
        }
    }

    async fn into_text(mut self) -> io::Result<Source> {
        if self.length > LONGEST_TEXT {
            return Err(io::Error::other("too long for netascii; use octet (binary) mode"));
        }
        let mut bytes = vec![0; usize::try_from(self.length).unwrap_or_default()];
        let mut filled = 0;
        while filled < bytes.len() {
            let parts = &mut [IoSliceMut::new(&mut bytes[filled..])];
            filled += self.read(filled as u64, parts).await?;
        }
        let text: Arc<[u8]> = to_netascii(&bytes).into();
        Ok(Source { length: text.len() as u64, from: Kind::Bytes(text) })
    }

    /// Bytes in all.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Whether bytes can be read more than once.
    pub fn can_go_back(&self) -> bool {
        !matches!(self.from, Kind::Reader { .. })
    }

    /// Reads from `offset` on: at least one byte, and no more than `parts` have room for.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] if there are not as many bytes as there were; that a file was written to; what the
    /// system says.
    pub async fn read(&mut self, offset: u64, parts: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let left = self.length.saturating_sub(offset);
        let read = match &mut self.from {
            Kind::Bytes(bytes) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX);
                copy(bytes.get(start..).unwrap_or_default(), parts)
            }
            Kind::File { file, written, is_ended, is_prompt, ahead } => match ahead.copy(offset, parts) {
                0 => {
                    let read = match at_once(file, is_prompt, offset, parts)? {
                        Some(read) => read,
                        None => {
                            ahead.fill_from_file(Arc::clone(file), offset, left).await?;
                            ahead.copy(offset, parts)
                        }
                    };
                    // A client that lacks the end still can take it as a failure.
                    *is_ended |= read as u64 >= left || ahead.reaches(self.length);
                    if *is_ended {
                        is_as_it_was(file, *written)?;
                    }
                    read
                }
                read => read,
            },
            Kind::Reader { reader, ahead } => match ahead.copy(offset, parts) {
                0 => {
                    ahead.fill_from_reader(reader, offset, left).await?;
                    ahead.copy(offset, parts)
                }
                read => read,
            },
        };
        match read {
            0 => Err(shorter()),
            read => Ok(read),
        }
    }
}

impl Ahead {
    fn reaches(&self, end: u64) -> bool {
        self.offset + self.bytes.len() as u64 == end
    }

    fn copy(&self, offset: u64, parts: &mut [IoSliceMut<'_>]) -> usize {
        let start = offset.checked_sub(self.offset).and_then(|start| usize::try_from(start).ok());
        copy(start.and_then(|start| self.bytes.get(start..)).unwrap_or_default(), parts)
    }

    async fn fill_from_file(&mut self, file: Arc<File>, offset: u64, left: u64) -> io::Result<()> {
        let mut bytes = mem::take(&mut self.bytes);
        bytes.resize(AHEAD.min(usize::try_from(left).unwrap_or(AHEAD)), 0);
        self.bytes = blocking(move || {
            file.read_exact_at(&mut bytes, offset)?;
            Ok(bytes)
        })
        .await?;
        self.offset = offset;
        Ok(())
    }

    async fn fill_from_reader(
        &mut self,
        reader: &mut Option<Reader>,
        offset: u64,
        left: u64,
    ) -> io::Result<()> {
        // What is behind a reader's error is not asked for again; so there is one.
        let mut own = reader.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let mut bytes = mem::take(&mut self.bytes);
        if offset != self.offset + bytes.len() as u64 {
            return Err(io::Error::other("a reader can't go back"));
        }
        bytes.resize(AHEAD.min(usize::try_from(left).unwrap_or(AHEAD)), 0);
        (self.bytes, *reader) = blocking(move || {
            own.reader.read_exact(&mut bytes)?;
            Ok((bytes, Some(own)))
        })
        .await?;
        self.offset = offset;
        Ok(())
    }
}

/// Reads what is in memory. None if that is nothing, or nobody can say: then reading may wait, which must not be here.
fn at_once(
    file: &File,
    is_prompt: &mut bool,
    offset: u64,
    parts: &mut [IoSliceMut<'_>],
) -> io::Result<Option<usize>> {
    while *is_prompt {
        match preadv2(file, parts, offset, ReadWriteFlags::NOWAIT) {
            Ok(read) => return Ok(Some(read)),
            Err(Errno::AGAIN) => return Ok(None),
            Err(Errno::INTR) => {}
            // The file system does not know (FAT), or the kernel (before 4.14).
            Err(Errno::OPNOTSUPP | Errno::INVAL | Errno::NOSYS) => *is_prompt = false,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(None)
}

fn copy(mut from: &[u8], parts: &mut [IoSliceMut<'_>]) -> usize {
    let length = from.len();
    for part in parts {
        let (now, later) = from.split_at(from.len().min(part.len()));
        part[..now.len()].copy_from_slice(now);
        from = later;
    }
    length - from.len()
}

fn opened(file: File) -> io::Result<(File, Written)> {
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "not a file"));
    }
    let written = written_at(&file)?;
    Ok((file, written))
}

/// That of an open file, which no disk is waited for.
fn written_at(file: &File) -> io::Result<Written> {
    let meta = file.metadata()?;
    Ok((meta.len(), meta.mtime(), meta.mtime_nsec()))
}

fn is_as_it_was(file: &File, was: Written) -> io::Result<()> {
    match written_at(file)? {
        now if now == was => Ok(()),
        (length, ..) if length < was.0 => Err(shorter()),
        _ => Err(io::Error::other("it was written to while it was sent")),
    }
}

fn shorter() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "it is shorter than it was")
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
