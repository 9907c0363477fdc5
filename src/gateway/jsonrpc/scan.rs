//! A look at the bytes before any parser recurses into them.

/// Byte offset at which the nesting of `[` and `{` passes `limit`; text inside strings does not count.
pub(super) fn too_deep(text: &str, limit: usize) -> Option<usize> {
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut escaped = false;
    for (offset, byte) in text.bytes().enumerate() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'[' | b'{' => {
                depth += 1;
                if depth > limit {
                    return Some(offset);
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::too_deep;

    #[test]
    fn counts_brackets_outside_strings() {
        assert_eq!(too_deep("[[[]]]", 3), None);
        assert_eq!(too_deep("[[[]]]", 2), Some(2));
        assert_eq!(too_deep(r#"["[[[[\"[[[["]"#, 1), None);
        assert_eq!(too_deep(r#"[{"a":[{}]},[]]"#, 4), None);
        assert_eq!(too_deep(r#"[{"a":[{}]},[]]"#, 3), Some(7));
        assert_eq!(too_deep("]]]][", 1), None);
    }
}
