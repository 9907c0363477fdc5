//! Deep merge of included parts.

use super::json5::{Kind, Member, Node};

/// Keys that a merge drops, as OpenClaw does: in its language they reach the prototype of every object.
const DROPPED: &[&str] = &["__proto__", "prototype", "constructor"];

/// `over` laid over `base`: objects merge, lists are joined, everything else is replaced.
pub(super) fn merge(base: Node, over: Node) -> Node {
    let kind = match (base.kind, over.kind) {
        (Kind::Object(mut members), Kind::Object(additions)) => {
            members.retain(|member| !DROPPED.contains(&member.key.as_str()));
            for addition in additions {
                if !DROPPED.contains(&addition.key.as_str()) {
                    lay(&mut members, addition);
                }
            }
            Kind::Object(members)
        }
        (Kind::Array(mut elements), Kind::Array(additions)) => {
            elements.extend(additions);
            Kind::Array(elements)
        }
        (_, kind) => kind,
    };
    Node { span: over.span, kind }
}

fn lay(members: &mut Vec<Member>, addition: Member) {
    match members.iter().rposition(|member| member.key == addition.key) {
        Some(at) => {
            let before = members.remove(at);
            let value = merge(before.value, addition.value);
            members.insert(at, Member { key: addition.key, key_span: addition.key_span, value });
        }
        None => members.push(addition),
    }
}
