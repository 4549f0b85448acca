//! The network: sockets for DHCP, TFTP and HTTP, and what the kernel knows of links and neighbours.

pub mod dhcp;
pub mod http;
pub mod http_client;
pub mod link;
pub mod neighbours;
pub mod tftp;
