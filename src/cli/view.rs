use crate::appliance::*;
pub fn status(s: &StatusView) -> String {
    format!("{s:?}\n")
}
pub fn nodes(s: &[NodeView]) -> String {
    format!("{s:?}\n")
}
pub fn node(s: &NodeView) -> String {
    format!("{s:?}\n")
}
