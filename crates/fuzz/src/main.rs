//! The search for inputs, by libFuzzer: `FUZZ_TARGET=NAME fuzz FOLDER`.

#![no_main]
#![allow(clippy::expect_used, clippy::disallowed_methods, reason = "a tool for developers")]

use std::sync::OnceLock;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    static TARGET: OnceLock<fuzz::Target> = OnceLock::new();
    let target = TARGET.get_or_init(|| {
        let name = std::env::var("FUZZ_TARGET").expect("FUZZ_TARGET names a target");
        fuzz::target(&name).expect("a target of this name")
    });
    target(data);
});
