//! `inbound_dedupe`: a message that a channel delivers twice is answered once.

use rusqlite::params;

use super::error::Doing;
use super::tx::WriteTx;
use crate::core::{Result, RunId};

/// What identifies a message on a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InboundMessage<'a> {
    /// Channel kind, for example `telegram`.
    pub channel: &'a str,
    /// Account on that channel.
    pub account: &'a str,
    /// Chat, group or thread.
    pub chat: &'a str,
    /// The channel's id of the message.
    pub message_id: &'a str,
}

impl WriteTx<'_> {
    /// Claims a message, in the same transaction as what is done with it. False: it was seen before. `at` is Unix
    /// milliseconds.
    pub fn claim_inbound(&self, message: InboundMessage<'_>, at: i64, run: Option<&RunId>) -> Result<bool> {
        let action = "record an incoming message";
        let inserted = self
            .prepare(
                "INSERT INTO inbound_dedupe (channel, account, chat, message_id, seen_at, run_id) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
                action,
            )?
            .execute(params![
                message.channel,
                message.account,
                message.chat,
                message.message_id,
                at,
                run.map(RunId::as_str)
            ])
            .doing(action)?;
        Ok(inserted > 0)
    }

    /// Forgets messages seen before `at`, Unix milliseconds; how many.
    pub fn forget_inbound_before(&self, at: i64) -> Result<usize> {
        let action = "forget old incoming messages";
        Ok(self.prepare("DELETE FROM inbound_dedupe WHERE seen_at < ?1", action)?.execute([at]).doing(action)?)
    }
}
