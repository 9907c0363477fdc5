//! Row keys of the event log: `transcript << 32 | seq`.

use rusqlite::types::{ToSqlOutput, Value};
use uuid::Uuid;

/// Largest seq.
pub(super) const MAX_SEQ: i64 = 0xFFFF_FFFF;

/// Number of a transcript in the `transcripts` table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Transcript(pub(super) i64);

impl Transcript {
    /// Key of an event. `seq` is clamped to what a key can hold, so that open-ended ranges stay in the transcript.
    pub(super) fn at(self, seq: i64) -> i64 {
        (self.0 << 32) | seq.clamp(0, MAX_SEQ)
    }

    /// Transcript and seq of a key.
    pub(super) fn split(position: i64) -> (Self, i64) {
        (Self(position >> 32), position & MAX_SEQ)
    }
}

/// Stored form of an event id: 16 bytes for a UUID in its usual form, text otherwise. One form per id, so that
/// equality of stored forms is equality of ids.
pub(super) fn compact_id(id: &str) -> ToSqlOutput<'_> {
    match Uuid::try_parse(id) {
        Ok(uuid) if is_canonical(id, &uuid) => ToSqlOutput::Owned(Value::Blob(uuid.as_bytes().to_vec())),
        _ => ToSqlOutput::from(id),
    }
}

fn is_canonical(id: &str, uuid: &Uuid) -> bool {
    uuid.hyphenated().encode_lower(&mut Uuid::encode_buffer()) == id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_one_transcript_are_one_range() {
        let transcript = Transcript(7);
        assert_eq!(Transcript::split(transcript.at(1)), (transcript, 1));
        assert_eq!(Transcript::split(transcript.at(MAX_SEQ)), (transcript, MAX_SEQ));
        assert!(transcript.at(i64::MAX) < Transcript(8).at(0));
        assert_eq!(transcript.at(-5), transcript.at(0));
    }

    #[test]
    fn only_the_usual_form_of_a_uuid_is_compacted() {
        let id = "0192f3a4-5b6c-7d8e-9f00-112233445566";
        let is_blob = |id: &str| matches!(compact_id(id), ToSqlOutput::Owned(Value::Blob(_)));
        assert!(is_blob(id));
        assert!(!is_blob(&id.to_uppercase()));
        assert!(!is_blob(&id.replace('-', "")));
        assert!(!is_blob("msg_1"));
        assert!(!is_blob(""));
    }
}
