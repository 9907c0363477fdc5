//! The items of an object or a list as ranges of text.

use super::super::json5::{Kind, Node};

/// One member or element.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item {
    /// First byte of the key or, in a list, of the value.
    pub(super) start: usize,
    /// One past the last byte of the value.
    pub(super) end: usize,
}

/// The items in order.
pub(super) fn items(node: &Node) -> Vec<Item> {
    match &node.kind {
        Kind::Object(members) => {
            members.iter().map(|member| Item { start: member.key_span.start, end: member.value.span.end }).collect()
        }
        Kind::Array(elements) => {
            elements.iter().map(|element| Item { start: element.span.start, end: element.span.end }).collect()
        }
        _ => Vec::new(),
    }
}
