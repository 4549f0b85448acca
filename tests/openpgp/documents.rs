//! Documents that carry their signature, and the lists of digests in them.
