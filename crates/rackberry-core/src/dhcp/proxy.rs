//! PXE beside another DHCP server (proxyDHCP, PXE specification 2.1): that server gives the address, this one says
//! what to boot, in an OFFER without an address and on port 4011.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddrV4},
};

use dhcproto::v4::MessageType;

use crate::{
    dhcp::{Action, Boot, Client, Destination, Packet, server::reply},
    ids::{Arch, Mac, OfferStyle},
};

/// So many DISCOVERs without anything being fetched, and the other style is tried. Firmware repeats a DISCOVER two or
/// three times where the other server takes its seconds, so fewer would tell nothing.
const PATIENCE: u8 = 4;
/// More machines than this are not kept apart: invented addresses must not fill the memory.
const MOST: usize = 4096;

/// What was tried with whom.
#[derive(Debug, Clone, Default)]
pub struct Proxy {
    attempts: BTreeMap<Mac, Attempt>,
}

/// The machine that asks, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProxyClient {
    /// The hardware address that names its node.
    pub node: Mac,
    /// The style that has once led it to its loader.
    pub worked: Option<OfferStyle>,
}

#[derive(Debug, Clone, Copy)]
struct Attempt {
    style: OfferStyle,
    discovers: u8,
}

impl Proxy {
    /// Answers a network boot client's DISCOVER with what it is to boot. Nothing for a client that is to boot nothing from
    /// here, or does not say that it understands such an offer.
    pub fn offer(
        &mut self,
        packet: &Packet,
        machine: ProxyClient,
        boot: &Boot,
        own: Ipv4Addr,
    ) -> Option<Action> {
        let ProxyClient { node, worked } = machine;
        let client = Client::of(packet);
        let asks = (client.is_pxe() && !client.is_uboot()) || client.is_http();
        if packet.kind() != MessageType::Discover || !asks || *boot == Boot::None {
            return None;
        }
        let style = self.style(&client, node, worked);
        Some(Action::Send(reply::proxy_offer(packet, boot, style, own)))
    }

    /// Answers a REQUEST on port 4011, which `peer` sent. The answer goes back to where it came from: EDK2 sends it
    /// from port 4011, iPXE from 68.
    pub fn answer(packet: &Packet, peer: SocketAddrV4, boot: &Boot, own: Ipv4Addr) -> Option<Action> {
        let wanted = packet.kind() == MessageType::Request && Client::of(packet).is_pxe();
        // A client that means another boot server is that one's.
        let ours = packet.server().is_none_or(|server| server == own);
        if !wanted || !ours || *boot == Boot::None {
            return None;
        }
        let to = Destination::BootServerPort(peer);
        Some(Action::Send(reply::proxy_ack(packet, boot, to, own)))
    }

    /// A machine has fetched its loader: the style that it was last answered in, which works.
    pub fn progressed(&mut self, mac: Mac) -> Option<OfferStyle> {
        self.attempts.remove(&mac).map(|attempt| attempt.style)
    }

    fn style(&mut self, client: &Client, node: Mac, worked: Option<OfferStyle>) -> OfferStyle {
        // iPXE takes a file wherever it finds one, and what works with it says nothing of the firmware that loaded it.
        // HTTP Boot and the Raspberry Pi know no port 4011.
        if client.is_ipxe() || client.is_http() || client.arch == Some(Arch::RaspberryPi) {
            return OfferStyle::Direct;
        }
        let first = worked.unwrap_or_else(|| usual(client));
        if !self.attempts.contains_key(&node) && self.attempts.len() >= MOST {
            return first;
        }
        let attempt = self.attempts.entry(node).or_insert(Attempt { style: first, discovers: 0 });
        if attempt.discovers == PATIENCE {
            *attempt = Attempt { style: attempt.style.other(), discovers: 0 };
        }
        attempt.discovers += 1;
        attempt.style
    }
}

/// What is tried first. EDK2, the base of most UEFI firmware, asks port 4011 (measured); old BIOS ROMs want to be told
/// not to look any further.
fn usual(client: &Client) -> OfferStyle {
    match client.arch {
        Some(Arch::Bios) | None => OfferStyle::Direct,
        Some(_) => OfferStyle::RoundTrip,
    }
}

#[cfg(test)]
mod tests {
    use dhcproto::{
        Decodable, Decoder, Encodable, Encoder,
        v4::{DhcpOption, Message, OptionCode},
    };
    use proptest::prelude::*;

    use super::*;

    const OWN: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
    const MAC: Mac = Mac([0x52, 0x54, 0, 0x77, 0, 1]);
    const BIOS: &str = "PXEClient:Arch:00000:UNDI:002001";
    const UEFI: &str = "PXEClient:Arch:00007:UNDI:003000";

    fn packet(kind: MessageType, class: &str, more: &[DhcpOption]) -> Packet {
        let none = Ipv4Addr::UNSPECIFIED;
        let mut message = Message::new_with_id(7, none, none, none, none, &MAC.0);
        let options = message.opts_mut();
        options.insert(DhcpOption::MessageType(kind));
        options.insert(DhcpOption::ClassIdentifier(class.as_bytes().to_vec()));
        options.insert(DhcpOption::ClientMachineIdentifier(vec![7; 17]));
        more.iter().cloned().for_each(|option| drop(options.insert(option)));
        let mut bytes = Vec::new();
        message.encode(&mut Encoder::new(&mut bytes)).unwrap();
        Packet::decode(&bytes).unwrap()
    }

    fn boot(file: &str) -> Boot {
        Boot::Load { server: OWN, file: file.into() }
    }

    fn said(action: Option<Action>) -> (Destination, Message) {
        let Some(Action::Send(reply)) = action else { panic!("nothing was sent") };
        (reply.to, Message::decode(&mut Decoder::new(&reply.payload)).unwrap())
    }

    /// The header's field, up to the zero that ends it.
    fn file_of(message: &Message) -> Option<String> {
        let name = message.fname()?;
        Some(String::from_utf8_lossy(name).trim_end_matches('\0').to_owned()).filter(|name| !name.is_empty())
    }

    /// As the facts page says of each style, and no address in either.
    #[test]
    fn each_offer_style_has_the_options_that_its_clients_need() {
        for (class, file, discovery) in [(BIOS, Some("x"), true), (UEFI, None, false)] {
            let discover = packet(MessageType::Discover, class, &[]);
            let (to, offer) = said(Proxy::default().offer(
                &discover,
                ProxyClient { node: MAC, worked: None },
                &boot("x"),
                OWN,
            ));
            assert_eq!(to, Destination::Broadcast, "the client has no address yet");
            assert_eq!((offer.yiaddr(), offer.siaddr()), (Ipv4Addr::UNSPECIFIED, OWN));
            assert_eq!(file_of(&offer).as_deref(), file);
            let options = offer.opts();
            assert_eq!(options.msg_type(), Some(MessageType::Offer));
            for code in [OptionCode::AddressLeaseTime, OptionCode::SubnetMask, OptionCode::Router] {
                assert!(!options.contains(code), "{code:?} is the other server's business");
            }
            let class = DhcpOption::ClassIdentifier(b"PXEClient".to_vec());
            assert_eq!(options.get(OptionCode::ClassIdentifier), Some(&class));
            let id = DhcpOption::ClientMachineIdentifier(vec![7; 17]);
            assert_eq!(options.get(OptionCode::ClientMachineIdentifier), Some(&id));
            let control = DhcpOption::VendorExtensions(vec![6, 1, 8, 255]);
            assert_eq!(options.get(OptionCode::VendorExtensions), discovery.then_some(&control));
        }
    }

    #[test]
    fn port_4011_answers_whence_it_was_asked() {
        for port in [68, 4011] {
            let peer = SocketAddrV4::new([10, 77, 0, 180].into(), port);
            let request = packet(MessageType::Request, UEFI, &[]);
            let (to, ack) = said(Proxy::answer(&request, peer, &boot("snponly.efi"), OWN));
            assert_eq!(to, Destination::BootServerPort(peer));
            assert_eq!(ack.opts().msg_type(), Some(MessageType::Ack));
            assert_eq!((ack.siaddr(), file_of(&ack).as_deref()), (OWN, Some("snponly.efi")));
        }
        let peer = SocketAddrV4::new([10, 77, 0, 180].into(), 4011);
        let elsewhere = [DhcpOption::ServerIdentifier([10, 77, 0, 9].into())];
        let request = packet(MessageType::Request, UEFI, &elsewhere);
        assert_eq!(Proxy::answer(&request, peer, &boot("x"), OWN), None, "another boot server's");
        assert_eq!(Proxy::answer(&packet(MessageType::Request, UEFI, &[]), peer, &Boot::None, OWN), None);
    }

    #[test]
    fn a_client_that_is_to_boot_nothing_gets_no_proxy_offer() {
        let mut proxy = Proxy::default();
        assert_eq!(
            proxy.offer(
                &packet(MessageType::Discover, BIOS, &[]),
                ProxyClient { node: MAC, worked: None },
                &Boot::None,
                OWN
            ),
            None
        );
        assert_eq!(
            proxy.offer(
                &packet(MessageType::Discover, "udhcp", &[]),
                ProxyClient { node: MAC, worked: None },
                &boot("x"),
                OWN
            ),
            None
        );
        for class in ["U-Boot.armv8", "PXEClient:Arch:0000b:UNDI:003000"] {
            let arch = [DhcpOption::ClientSystemArchitecture(11.into())];
            let discover = packet(MessageType::Discover, class, &arch);
            assert_eq!(
                proxy.offer(&discover, ProxyClient { node: MAC, worked: None }, &boot("x"), OWN),
                None,
                "{class}"
            );
        }
        assert_eq!(
            proxy.offer(
                &packet(MessageType::Request, BIOS, &[]),
                ProxyClient { node: MAC, worked: None },
                &boot("x"),
                OWN
            ),
            None
        );
    }

    #[test]
    fn a_client_without_progress_gets_the_other_offer_style_and_what_worked_comes_first() {
        let mut proxy = Proxy::default();
        let discover = packet(MessageType::Discover, UEFI, &[]);
        let direct = |proxy: &mut Proxy, worked| {
            let (_, offer) = said(proxy.offer(&discover, ProxyClient { node: MAC, worked }, &boot("x"), OWN));
            offer.opts().contains(OptionCode::VendorExtensions)
        };
        let tries: Vec<bool> = (0..9).map(|_| direct(&mut proxy, None)).collect();
        assert_eq!(tries, [false, false, false, false, true, true, true, true, false]);
        assert_eq!(proxy.progressed(MAC), Some(OfferStyle::RoundTrip));
        assert_eq!(proxy.progressed(MAC), None);
        assert!(direct(&mut proxy, Some(OfferStyle::Direct)), "what is remembered comes first");
    }

    #[test]
    fn ipxe_takes_the_file_at_once() {
        for user_class in [&b"iPXE"[..], b"\x04iPXE"] {
            let more = [DhcpOption::UserClass(user_class.to_vec())];
            let discover = packet(MessageType::Discover, UEFI, &more);
            let mut proxy = Proxy::default();
            for _ in 0..9 {
                let worked = Some(OfferStyle::RoundTrip);
                let (_, offer) =
                    said(proxy.offer(&discover, ProxyClient { node: MAC, worked }, &boot("http://x/"), OWN));
                assert_eq!(file_of(&offer).as_deref(), Some("http://x/"));
            }
            assert_eq!(proxy.progressed(MAC), None, "it says nothing of the machine's firmware");
        }
    }

    proptest! {
        /// However a machine's progress falls, each style has its turn within twice the patience.
        #[test]
        fn no_offer_style_is_kept_for_ever(worked in any::<bool>(), progress in proptest::collection::vec(any::<bool>(), 1..40)) {
            let mut proxy = Proxy::default();
            let discover = packet(MessageType::Discover, UEFI, &[]);
            let worked = worked.then_some(OfferStyle::Direct);
            let (mut same, mut last) = (0, None);
            for progressed in progress {
                if progressed {
                    proxy.progressed(MAC);
                    (same, last) = (0, None);
                }
                let (_, offer) = said(proxy.offer(&discover, ProxyClient { node: MAC, worked }, &boot("x"), OWN));
                let style = offer.opts().contains(OptionCode::VendorExtensions);
                same = if last == Some(style) { same + 1 } else { 1 };
                last = Some(style);
                prop_assert!(same <= PATIENCE);
            }
        }
    }
}
