//! A read-only TFTP server library for tokio.
