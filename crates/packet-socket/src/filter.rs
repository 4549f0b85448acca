//! Filters for the kernel (its own BPF, as tcpdump makes): without them, every frame of every image transfer would be
//! copied to this process.

use socket2::SockFilter;

use super::Frames;

/// Where the kernel's own fields are (linux/filter.h): `SKF_AD_OFF`, with the field's number added.
const PACKET_TYPE: u32 = (-0x1000_i32 + 4) as u32;
const INTERFACE: u32 = (-0x1000_i32 + 8) as u32;
/// `PACKET_BROADCAST` of linux/if_packet.h; only `PACKET_HOST`, 0, is less.
const TO_EVERYBODY: u32 = 1;
/// Offsets in a frame.
const IP: u32 = 14;
const FRAGMENT: u32 = 20;
const PROTOCOL: u32 = 23;

/// Which frames a socket receives, on the interface with this number.
///
/// The interface is asked for, because a socket gets what comes to VLAN interfaces upon its own, too, without its tag.
pub(super) fn of(frames: Frames, index: u32) -> Vec<SockFilter> {
    let mut program = Program::default();
    match frames {
        Frames::All => {}
        Frames::Arp => program.field(INTERFACE, index),
        Frames::DhcpReplies => {
            program.field(INTERFACE, index);
            program.datagram();
            program.port(0, &[67]);
        }
        Frames::DhcpRequests => {
            program.field(INTERFACE, index);
            // The kernel gives frames of VLANs without an interface the mark of frames to others.
            program.at_most(PACKET_TYPE, TO_EVERYBODY);
            program.datagram();
            program.port(2, &[67, 4011]);
        }
    }
    program.ended()
}

/// Drops everything: for sockets that only send, and are open so that the kernel does not tell clients that nobody listens.
pub(super) fn nothing() -> [SockFilter; 1] {
    [give(0)]
}

#[derive(Default)]
struct Program(Vec<Line>);

enum Line {
    Do(SockFilter),
    /// Goes on if the comparison comes out so, else drops the frame.
    Must(u32, u32, bool),
    /// Takes the frame if the comparison holds.
    Enough(u32, u32),
}

impl Program {
    fn load(&mut self, width: u32, mode: u32, at: u32) {
        self.0.push(Line::Do(SockFilter::new((libc::BPF_LD | width | mode) as u16, 0, 0, at)));
    }

    fn field(&mut self, field: u32, value: u32) {
        self.load(libc::BPF_W, libc::BPF_ABS, field);
        self.0.push(Line::Must(libc::BPF_JEQ, value, true));
    }

    fn at_most(&mut self, field: u32, value: u32) {
        self.load(libc::BPF_W, libc::BPF_ABS, field);
        self.0.push(Line::Must(libc::BPF_JGT, value, false));
    }

    /// A whole UDP datagram in IPv4. A fragment has no ports, or not all of its message.
    fn datagram(&mut self) {
        self.load(libc::BPF_B, libc::BPF_ABS, PROTOCOL);
        self.0.push(Line::Must(libc::BPF_JEQ, libc::IPPROTO_UDP as u32, true));
        self.load(libc::BPF_H, libc::BPF_ABS, FRAGMENT);
        self.0.push(Line::Must(libc::BPF_JSET, 0x3fff, false));
        let header = SockFilter::new((libc::BPF_LDX | libc::BPF_B | libc::BPF_MSH) as u16, 0, 0, IP);
        self.0.push(Line::Do(header));
    }

    /// One of these ports; the source port lies at 0, the destination port at 2.
    fn port(&mut self, at: u32, ports: &[u32]) {
        self.load(libc::BPF_H, libc::BPF_IND, IP + at);
        self.0.extend(ports.iter().map(|port| Line::Enough(libc::BPF_JEQ, *port)));
        self.0.push(Line::Must(libc::BPF_JEQ, u32::MAX, true));
    }

    fn ended(self) -> Vec<SockFilter> {
        let length = self.0.len();
        let jump = |comparison, value, then: usize, or: usize| {
            let code = (libc::BPF_JMP | comparison | libc::BPF_K) as u16;
            // Programs are shorter than a jump is far.
            SockFilter::new(code, then as u8, or as u8, value)
        };
        let lines = self.0.into_iter().enumerate();
        let code = lines.map(|(at, line)| {
            let (taken, dropped) = (length - at - 1, length - at);
            match line {
                Line::Do(instruction) => instruction,
                Line::Must(comparison, value, true) => jump(comparison, value, 0, dropped),
                Line::Must(comparison, value, false) => jump(comparison, value, dropped, 0),
                Line::Enough(comparison, value) => jump(comparison, value, taken, 0),
            }
        });
        code.chain([give(u32::from(u16::MAX)), give(0)]).collect()
    }
}

/// Ends with so many bytes of the frame.
fn give(bytes: u32) -> SockFilter {
    SockFilter::new((libc::BPF_RET | libc::BPF_K) as u16, 0, 0, bytes)
}
