//! Real firmware: QEMU machines on cables to the bridge.
