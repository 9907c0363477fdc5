//! Laws of the format.

use proptest::prelude::*;

use super::apply::apply;
use super::seek::Budget;
use super::*;

/// A patch that turns one list of lines into another: what is different in the middle, with the lines around it.
fn between(before: &[String], after: &[String], around: usize) -> String {
    let start = before.iter().zip(after).take_while(|(left, right)| left == right).count();
    let room = before.len().min(after.len()) - start;
    let end = before.iter().rev().zip(after.iter().rev()).take(room).take_while(|(left, right)| left == right).count();
    let mut body = String::new();
    let mut push = |sign: char, lines: &[String]| {
        for line in lines {
            body.push(sign);
            body.push_str(line);
            body.push('\n');
        }
    };
    push(' ', &before[start.saturating_sub(around)..start]);
    push('-', &before[start..before.len() - end]);
    push('+', &after[start..after.len() - end]);
    push(' ', &before[before.len() - end..(before.len() - end + around).min(before.len())]);
    format!("*** Begin Patch\n*** Update File: f\n@@\n{body}*** End Patch\n")
}

fn chunks(patch: &str) -> Vec<Chunk> {
    match parse(patch).unwrap().sections.swap_remove(0).action {
        Action::Update { chunks, .. } => chunks,
        other => unreachable!("{other:?}"),
    }
}

proptest! {
    #[test]
    fn a_patch_between_two_files_makes_one_of_the_other(
        before in prop::collection::vec("[a-d]{0,2}x", 1..12), insert in prop::collection::vec("[a-d ]{0,4}", 0..4),
        at in 0_usize..12, remove in 0_usize..4, crlf: bool,
    ) {
        // Lines that differ from each other: which of several equal places is meant is the reader's guess.
        let before: Vec<String> = before.iter().enumerate().map(|(number, line)| format!("{number} {line}")).collect();
        let at = at.min(before.len() - 1);
        let mut after = before.clone();
        after.splice(at..(at + remove).min(before.len()), insert);
        prop_assume!(before != after);
        let ending = if crlf { "\r\n" } else { "\n" };
        let join = |lines: &[String]| lines.iter().fold(String::new(), |text, line| text + line + ending);
        let patch = between(&before, &after, 3);
        prop_assert_eq!(apply(&join(&before), &chunks(&patch), &Budget::default()), Ok(join(&after)));
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "(\\PC|[\n\r*@+ -]){0,60}") {
        for patch in [text.clone(), format!("*** Begin Patch\n{text}\n*** End Patch"), format!("*** Begin Patch\n*** Update File: f\n{text}\n*** End Patch")] {
            if let Ok(patch) = parse(&patch) {
                prop_assert!(!patch.sections.is_empty());
            }
        }
    }

    #[test]
    fn what_is_added_is_the_content(lines in prop::collection::vec("\\PC{0,8}", 0..6)) {
        let body = lines.iter().fold(String::new(), |text, line| text + "+" + line + "\n");
        let patch = parse(&format!("*** Begin Patch\n*** Add File: a b\n{body}*** End Patch")).unwrap();
        let content = lines.iter().fold(String::new(), |text, line| text + line + "\n");
        prop_assert_eq!(&patch.sections[0].action, &Action::Add { content });
        prop_assert_eq!(&patch.sections[0].path, "a b");
    }
}

#[test]
fn chunks_are_read_as_they_are_written() {
    let patch = parse(
        "*** Begin Patch\n*** Update File: a\n*** Move to: b\n@@ class X\n@@\tdef y\n keep\n\n-gone\n+come\n*** End of File\n*** Delete File: c\n*** End Patch",
    )
    .unwrap();
    let lines = vec![
        ChunkLine::Keep("keep".into()),
        ChunkLine::Keep(String::new()),
        ChunkLine::Remove("gone".into()),
        ChunkLine::Add("come".into()),
    ];
    let chunk = Chunk {
        line: 4,
        contexts: vec!["class X".into(), "\tdef y".into()],
        numbered: false,
        lines,
        end_of_file: true,
    };
    let update = Action::Update { move_to: Some("b".into()), chunks: vec![chunk] };
    assert_eq!(
        patch.sections,
        [
            Section { path: "a".into(), line: 2, action: update },
            Section { path: "c".into(), line: 11, action: Action::Delete },
        ]
    );
}
