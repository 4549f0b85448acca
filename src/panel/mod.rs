//! stub
pub mod drive;
