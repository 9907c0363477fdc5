use proptest::prelude::*;

use super::{event, says, set, soup, user};
use crate::core::EventId;
use crate::session::projection::project;
use crate::session::tree::Tree;

fn ids<'a>(events: impl IntoIterator<Item = &'a std::sync::Arc<crate::session::Event>>) -> String {
    events.into_iter().map(|event| event.id.as_str()).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_tree_with_branches() {
    let state = project([
        event("r", "", 1, user("root")),
        event("b", "r", 3, says("two")),
        event("a", "r", 2, says("one")),
        event("p", "r", 4, set("tip", "r")),
        event("l", "a", 5, set("label", "x")),
        event("m", "a", 6, user("more")),
        event("o", "gone", 0, user("its parent is missing")),
    ]);
    let tree = Tree::new(&state);
    assert_eq!(ids(tree.roots()), "o r");
    assert_eq!(ids(tree.children(&"r".into())), "a b p");
    assert_eq!(ids(tree.leaves()), "o b p l m");
    assert_eq!(ids(tree.branch_points()), "r", "a label is no branch");
    assert_eq!(ids(tree.path(&"m".into())), "r a m");
    assert_eq!(tree.parent(&"m".into()).map(|event| event.id.as_str()), Some("a"));
    assert_eq!(
        [tree.depth(&"o".into()), tree.depth(&"m".into()), tree.depth(&"gone".into())],
        [Some(0), Some(2), None]
    );
    assert_eq!(ids(&state.events()), "o r a b p l m");
    assert!(tree.children(&"gone".into()).is_empty() && tree.path(&"?".into()).is_empty());
}

proptest! {
    #[test]
    fn the_parts_agree(events in soup::events()) {
        let state = project(events);
        let tree = Tree::new(&state);
        let all = state.events();
        let roots = tree.roots();
        let mut counted = roots.len();
        for event in &all {
            let children = tree.children(&event.id);
            counted += children.len();
            for child in &children {
                prop_assert_eq!(tree.parent(&child.id).map(|event| &event.id), Some(&event.id));
                prop_assert_eq!(tree.depth(&child.id), tree.depth(&event.id).map(|depth| depth + 1));
            }
            prop_assert!(children.windows(2).all(|pair| pair[0].order() < pair[1].order()));
            prop_assert_eq!(children.is_empty(), tree.leaves().iter().any(|leaf| leaf.id == event.id));
            let path = tree.path(&event.id);
            prop_assert_eq!(Some(path.len()), tree.depth(&event.id).map(|depth| depth + 1));
            prop_assert!(roots.iter().any(|root| root.id == path[0].id));
        }
        prop_assert_eq!(counted, all.len());
        if let Some(tip) = state.tip() {
            prop_assert_eq!(ids(tree.path(tip)), ids(&state.path()));
        }
        prop_assert_eq!(tree.depth(&EventId::from("unknown")), None);
    }
}
