//! Unified diffs for clients.

use std::time::Duration;

use similar::{ChangeTag, TextDiff};

use super::support::cut;

/// Bytes of a diff that are kept; clients that want more read the file.
const MAX_DIFF: usize = 32 * 1024;
/// After that the comparison settles for a longer diff.
const DEADLINE: Duration = Duration::from_millis(200);

/// A change in the form `diff -u` prints it.
pub(super) struct Diff {
    pub(super) text: String,
    pub(super) added: usize,
    pub(super) removed: usize,
}

/// Compares by lines, with three lines of context.
pub(super) fn unified(path: &str, before: &str, after: &str) -> Diff {
    let diff = TextDiff::configure().timeout(DEADLINE).diff_lines(before, after);
    let (mut added, mut removed) = (0, 0);
    for change in diff.iter_all_changes() {
        match change.tag() {
            ChangeTag::Insert => added += 1,
            ChangeTag::Delete => removed += 1,
            ChangeTag::Equal => {}
        }
    }
    let text = diff.unified_diff().context_radius(3).header(&format!("a/{path}"), &format!("b/{path}")).to_string();
    Diff { text: cut(&text, MAX_DIFF).into_owned(), added, removed }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_like_diff_u() {
        let diff = unified("x.txt", "a\nb\nc\nd\ne\nf\n", "a\nb\nc\nD\ne\nf\ng\n");
        assert_eq!((diff.added, diff.removed), (2, 1));
        insta::assert_snapshot!(diff.text, @r"
        --- a/x.txt
        +++ b/x.txt
        @@ -1,6 +1,7 @@
         a
         b
         c
        -d
        +D
         e
         f
        +g
        ");
    }
}
