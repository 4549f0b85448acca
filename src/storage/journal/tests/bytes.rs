//! How much is written. A card wears out by it.

use std::{
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::*;
use disk::{StateFolder, Store};
use keeper::Keeper;
use rackberry_core::dhcp::{Lease, LeaseChange};

/// A folder that counts.
#[derive(Debug, Clone)]
struct Counted {
    disk: disk::DiskFolder,
    counts: Counts,
}

#[derive(Debug)]
struct CountedFile(std::fs::File, Counts);

#[derive(Debug, Clone, Default)]
struct Counts {
    bytes: Arc<AtomicU64>,
    /// Blocks of 4 KiB, as file systems write them.
    blocks: Arc<AtomicU64>,
    most: Arc<AtomicU64>,
}

impl Counts {
    fn take(&self) -> (u64, u64) {
        (self.bytes.swap(0, Ordering::Relaxed), self.blocks.swap(0, Ordering::Relaxed))
    }
}

impl StateFolder for Counted {
    type File = CountedFile;

    fn path(&self) -> &Path {
        self.disk.path()
    }
    fn open(&self, name: &str) -> io::Result<CountedFile> {
        self.disk.open(name).map(|file| CountedFile(file, self.counts.clone()))
    }
    fn create(&self, name: &str) -> io::Result<CountedFile> {
        self.disk.create(name).map(|file| CountedFile(file, self.counts.clone()))
    }
    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        self.disk.read(name)
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }
    fn sync(&self) -> io::Result<()> {
        self.disk.sync()
    }
}

impl Store for CountedFile {
    fn read(&self, len: u64) -> io::Result<Vec<u8>> {
        Store::read(&self.0, len)
    }
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        let len = bytes.len() as u64;
        self.1.bytes.fetch_add(len, Ordering::Relaxed);
        self.1.blocks.fetch_add((at + len).div_ceil(4096) - at / 4096, Ordering::Relaxed);
        self.0.write_at(bytes, at)
    }
    /// Nobody cuts the power here.
    fn sync(&self) -> io::Result<()> {
        let size = std::os::unix::fs::MetadataExt::size(&self.0.metadata()?);
        self.1.most.fetch_max(size, Ordering::Relaxed);
        Ok(())
    }
}

fn counted(folder: &Path) -> (Keeper<Counted>, Counts) {
    let counts = Counts::default();
    let disk = disk::DiskFolder::lock(folder).unwrap().unwrap();
    let (keeper, ..) = Keeper::open(Counted { disk, counts: counts.clone() }, None, 7).unwrap();
    counts.take();
    (keeper, counts)
}

fn lease(number: u32) -> Change {
    let [_, _, high, low] = number.to_be_bytes();
    let mac = Mac([2, 0, 0, 0, high, low]);
    let lease = Lease { mac, address: Ipv4Addr::new(10, 10, high, low), until: Time(1_764_500_000_000) };
    Change::Lease(LeaseChange::Put(lease))
}

/// One at a time, each with its own commit, the rewriting of the file included.
#[test]
fn a_lease_writes_little_more_than_itself() {
    let folder = tempfile::tempdir().unwrap();
    let (mut keeper, counts) = counted(folder.path());
    let exchanges = 20_000;
    for number in 0..exchanges {
        keeper.commit(&[lease(number % 1400)], Time(1_764_400_000_000)).unwrap();
        keeper.log().settle();
    }
    let (bytes, blocks) = counts.take();
    let (each, blocks_each) = (bytes / u64::from(exchanges), blocks as f64 / f64::from(exchanges));
    println!("a lease: {each} bytes, {blocks_each:.2} blocks of 4 KiB");
    assert!(each < 300, "{each} bytes a lease");
    assert!(blocks_each < 1.2, "{blocks_each} blocks a lease");
    let most = counts.most.load(Ordering::Relaxed);
    println!("the file had {most} bytes at most");
    assert!(most < 1 << 20, "{most} bytes");
}
