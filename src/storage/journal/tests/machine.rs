//! A file system that loses its power: what was not synced is gone, there, or there in part.

use std::{
    collections::BTreeMap,
    io,
    path::Path,
    sync::{Arc, Mutex},
};

use super::super::disk::{StateFolder, Store};

/// What a disk writes as a whole.
const SECTOR: usize = 512;

/// The bytes of a file, and what was written since they were synced.
#[derive(Debug, Clone, Default)]
struct Inode {
    durable: Vec<u8>,
    pending: Vec<(usize, Vec<u8>)>,
}

#[derive(Debug, Clone)]
enum Named {
    To(String, usize),
    Gone(String),
}

#[derive(Debug, Clone, Default)]
struct State {
    inodes: Vec<Inode>,
    durable: BTreeMap<String, usize>,
    /// What happened to names since the folder was synced, in order.
    pending: Vec<Named>,
    /// So many operations until the power fails; then none succeeds.
    power: usize,
    done: usize,
}

/// A computer with one folder.
#[derive(Debug, Clone, Default)]
pub struct Machine(Arc<Mutex<State>>);

/// An open file of it.
#[derive(Debug)]
pub struct Open(Machine, usize);

fn put(bytes: &mut Vec<u8>, at: usize, piece: &[u8]) {
    bytes.resize(bytes.len().max(at + piece.len()), 0);
    bytes[at..at + piece.len()].copy_from_slice(piece);
}

impl State {
    /// Everything as it looks while the power is there.
    fn bytes(&self, inode: usize) -> Vec<u8> {
        let mut bytes = self.inodes[inode].durable.clone();
        self.inodes[inode].pending.iter().for_each(|(at, piece)| put(&mut bytes, *at, piece));
        bytes
    }

    fn names(&self, survives: impl Fn(usize) -> bool) -> BTreeMap<String, usize> {
        let mut names = self.durable.clone();
        for (_, change) in self.pending.iter().enumerate().filter(|(at, _)| survives(*at)) {
            match change {
                Named::To(name, inode) => drop(names.insert(name.clone(), *inode)),
                Named::Gone(name) => drop(names.remove(name)),
            }
        }
        names
    }

    fn inode(&self, name: &str) -> io::Result<usize> {
        let names = self.names(|_| true);
        names.get(name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn work(&mut self) -> io::Result<()> {
        self.done += 1;
        if self.done > self.power {
            return Err(io::Error::other("there is no power"));
        }
        Ok(())
    }
}

impl Machine {
    /// Its power fails after so many operations.
    pub fn with_power(power: usize) -> Machine {
        Machine(Arc::new(Mutex::new(State { power, ..State::default() })))
    }

    /// How many operations were begun.
    pub fn done(&self) -> usize {
        self.0.lock().unwrap().done
    }

    /// Its power fails after so many operations from now on; never, without a number.
    pub fn set_power(&self, more: Option<usize>) {
        let mut state = self.0.lock().unwrap();
        state.power = more.map_or(usize::MAX, |more| state.done + more);
    }

    /// Whether it has power for ever.
    pub fn has_power(&self) -> bool {
        self.0.lock().unwrap().power == usize::MAX
    }

    /// The longest of the writes that were not synced, without the zeros at its end; and whether a name was not synced.
    pub fn pending(&self) -> (usize, bool) {
        let state = self.0.lock().unwrap();
        let pieces = state.inodes.iter().flat_map(|inode| &inode.pending);
        let lengths = pieces.map(|(_, piece)| piece.iter().rposition(|byte| *byte != 0).unwrap_or(0) + 1);
        (lengths.max().unwrap_or(0), !state.pending.is_empty())
    }

    /// What is there when the power is back. `draw` decides what became of that which was not synced: of names a number of
    /// the first changes, or any of them (a rename is two: FAT may lose one); of each write all sectors, none, the first ones,
    /// or any, whatever became of those before it.
    pub fn restarted(&self, draw: &mut impl FnMut(usize) -> usize) -> Machine {
        let state = self.0.lock().unwrap();
        let all = state.pending.len();
        let survivors: Vec<bool> = match draw(all + 2) {
            first if first <= all => (0..all).map(|at| at < first).collect(),
            _ => (0..all).map(|_| draw(2) == 0).collect(),
        };
        let names = state.names(|at| survivors[at]);
        let mut inodes = Vec::new();
        for inode in &state.inodes {
            let mut bytes = inode.durable.clone();
            for (at, piece) in &inode.pending {
                survive(&mut bytes, *at, piece, draw);
            }
            inodes.push(Inode { durable: bytes, pending: Vec::new() });
        }
        let state = State { inodes, durable: names, power: usize::MAX, ..State::default() };
        Machine(Arc::new(Mutex::new(state)))
    }
}

fn survive(bytes: &mut Vec<u8>, at: usize, piece: &[u8], draw: &mut impl FnMut(usize) -> usize) {
    match draw(4) {
        0 => {}
        1 => put(bytes, at, piece),
        // At any byte.
        2 => put(bytes, at, &piece[..draw(piece.len() + 1)]),
        _ => {
            let mut from = at;
            while from < at + piece.len() {
                let to = ((from / SECTOR + 1) * SECTOR).min(at + piece.len());
                if draw(2) == 0 {
                    put(bytes, from, &piece[from - at..to - at]);
                }
                from = to;
            }
        }
    }
}

impl StateFolder for Machine {
    type File = Open;

    fn path(&self) -> &Path {
        Path::new("/nowhere at all")
    }
    fn open(&self, name: &str) -> io::Result<Open> {
        let mut state = self.0.lock().unwrap();
        state.work()?;
        Ok(Open(self.clone(), state.inode(name)?))
    }
    fn create(&self, name: &str) -> io::Result<Open> {
        let mut state = self.0.lock().unwrap();
        state.work()?;
        state.inodes.push(Inode::default());
        let inode = state.inodes.len() - 1;
        state.pending.push(Named::To(name.to_owned(), inode));
        Ok(Open(self.clone(), inode))
    }
    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let state = self.0.lock().unwrap();
        Ok(state.bytes(state.inode(name)?))
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.work()?;
        let inode = state.inode(from)?;
        state.pending.extend([Named::To(to.to_owned(), inode), Named::Gone(from.to_owned())]);
        Ok(())
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.work()?;
        state.inode(name)?;
        state.pending.push(Named::Gone(name.to_owned()));
        Ok(())
    }
    fn sync(&self) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.work()?;
        state.durable = state.names(|_| true);
        state.pending.clear();
        Ok(())
    }
}

impl Store for Open {
    fn read(&self, len: u64) -> io::Result<Vec<u8>> {
        let bytes = self.0.0.lock().unwrap().bytes(self.1);
        bytes
            .get(..usize::try_from(len).unwrap())
            .map(<[u8]>::to_vec)
            .ok_or(io::ErrorKind::UnexpectedEof.into())
    }
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        let mut state = self.0.0.lock().unwrap();
        // The power may fail in the middle of it.
        let worked = state.work();
        let is_last = state.done == state.power.saturating_add(1);
        if worked.is_ok() || is_last {
            state.inodes[self.1].pending.push((usize::try_from(at).unwrap(), bytes.to_vec()));
        }
        worked
    }
    fn sync(&self) -> io::Result<()> {
        let mut state = self.0.0.lock().unwrap();
        state.work()?;
        let bytes = state.bytes(self.1);
        state.inodes[self.1] = Inode { durable: bytes, pending: Vec::new() };
        Ok(())
    }
}
