//! The keys that come with the profiles.
