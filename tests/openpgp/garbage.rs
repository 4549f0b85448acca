//! Whatever bytes come in, the answer is a reason.
