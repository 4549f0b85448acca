//! Each machine's last DHCP packets, both ways, for whoever has to find out why it does not boot.

use std::collections::{BTreeMap, VecDeque};

use crate::ids::{Mac, Time};

/// Packets kept of one machine: some five starts.
const EACH: usize = 40;
/// Machines that packets are kept of; the one that was silent longest gives way. All together some 5 MB at most.
const MACHINES: usize = 256;
/// Longer frames are cut off; what matters stands at the beginning.
const LONGEST: usize = 600;
/// The file's magic number, with times in microseconds (draft-ietf-opsawg-pcap section 4).
const PCAP: u32 = 0xa1b2_c3d4;
/// LINKTYPE_ETHERNET of the same.
const ETHERNET: u32 = 1;

/// Keeps machines' last DHCP packets.
#[derive(Debug, Default)]
pub struct Recorder {
    machines: BTreeMap<Mac, VecDeque<Record>>,
}

#[derive(Debug)]
struct Record {
    at: Time,
    /// Length on the wire, in bytes.
    length: usize,
    frame: Vec<u8>,
}

impl Recorder {
    /// Keeps an Ethernet frame from or to the machine with this hardware address.
    pub fn keep(&mut self, mac: Mac, at: Time, mut frame: Vec<u8>) {
        let length = frame.len();
        frame.truncate(LONGEST);
        if !self.machines.contains_key(&mac) && self.machines.len() == MACHINES {
            let last = |records: &VecDeque<Record>| records.back().map(|record| record.at);
            let silent = self.machines.iter().min_by_key(|(_, records)| last(records)).map(|(mac, _)| *mac);
            silent.and_then(|mac| self.machines.remove(&mac));
        }
        let records = self.machines.entry(mac).or_default();
        if records.len() == EACH {
            records.pop_front();
        }
        records.push_back(Record { at, length, frame });
    }

    /// The packets of these machines, or of all, in the order of their times, as a file that tcpdump and Wireshark read.
    pub fn pcap(&self, macs: Option<&[Mac]>) -> Vec<u8> {
        let wanted = self.machines.iter().filter(|(mac, _)| macs.is_none_or(|macs| macs.contains(mac)));
        let mut records: Vec<&Record> = wanted.flat_map(|(_, records)| records).collect();
        records.sort_by_key(|record| record.at);
        let mut file = Vec::new();
        // Magic, version 2.4, two fields that are always zero, longest frame, link type.
        let snap = LONGEST as u32;
        for word in [PCAP, 2 | 4 << 16, 0, 0, snap, ETHERNET] {
            file.extend_from_slice(&word.to_le_bytes());
        }
        for Record { at, length, frame } in records {
            let word = |n: u64| u32::try_from(n).unwrap_or(u32::MAX).to_le_bytes();
            for field in [at.0 / 1000, at.0 % 1000 * 1000, frame.len() as u64, *length as u64] {
                file.extend_from_slice(&word(field));
            }
            file.extend_from_slice(frame);
        }
        file
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mac(number: u16) -> Mac {
        let [a, b] = number.to_be_bytes();
        Mac([2, 0, 0, 0, a, b])
    }

    /// Times in milliseconds, and frames, of a file.
    fn read(file: &[u8]) -> Vec<(u64, Vec<u8>)> {
        let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
        assert_eq!((word(0), word(4), word(20)), (PCAP, 0x0004_0002, ETHERNET));
        let (mut records, mut at) = (Vec::new(), 24);
        while at < file.len() {
            let length = word(at + 8) as usize;
            let time = u64::from(word(at)) * 1000 + u64::from(word(at + 4)) / 1000;
            records.push((time, file[at + 16..at + 16 + length].to_vec()));
            at += 16 + length;
        }
        records
    }

    #[test]
    fn a_long_frame_is_cut_off_and_says_so() {
        let mut recorder = Recorder::default();
        recorder.keep(mac(1), Time(1_700_000_000_123), vec![7; 1400]);
        let file = recorder.pcap(None);
        assert_eq!(read(&file), [(1_700_000_000_123, vec![7; LONGEST])]);
        assert_eq!(file[24 + 12..24 + 16], 1400u32.to_le_bytes());
    }

    #[test]
    fn the_machine_that_was_silent_longest_gives_way() {
        let mut recorder = Recorder::default();
        for number in 0..MACHINES as u16 {
            recorder.keep(mac(number), Time(u64::from(number)), vec![1]);
        }
        recorder.keep(mac(0), Time(1000), vec![2]);
        recorder.keep(mac(9999), Time(1001), vec![3]);
        assert_eq!(read(&recorder.pcap(Some(&[mac(1)]))), []);
        assert_eq!(read(&recorder.pcap(Some(&[mac(0), mac(9999)]))).len(), 3);
    }

    proptest! {
        /// What comes out is what went in last, in order, and never more than its bound.
        #[test]
        fn the_last_packets_of_each_come_out_in_order(packets in proptest::collection::vec((0u16..5, 0u64..4), 0..400)) {
            let mut recorder = Recorder::default();
            let (mut now, mut model) = (0, BTreeMap::<u16, Vec<(u64, Vec<u8>)>>::new());
            for (number, (machine, wait)) in packets.into_iter().enumerate() {
                now += wait;
                let frame = number.to_le_bytes().to_vec();
                recorder.keep(mac(machine), Time(now), frame.clone());
                model.entry(machine).or_default().push((now, frame));
            }
            for (machine, sent) in &model {
                let last = &sent[sent.len().saturating_sub(EACH)..];
                prop_assert_eq!(read(&recorder.pcap(Some(&[mac(*machine)]))), last);
            }
            let times: Vec<u64> = read(&recorder.pcap(None)).into_iter().map(|(time, _)| time).collect();
            prop_assert!(times.is_sorted());
        }
    }
}
