//! Turns on sessions with a long past.

use serde::Serialize;

use super::turns::turn;
use super::{Bench, run};
use crate::fill::{LONG, long_key, text};
use crate::http::post_time;
use crate::rows::Figures;
use crate::stats::{median, ms};
use crate::subject::Subject;
use crate::ws::Ws;

/// The three lengths in turns, after one turn each that loads the session.
///
/// What the bytes cost by themselves is measured beside them: a bare client writes the same messages as JSON, posts
/// them to the same model server and reads the same answer.
pub(crate) fn overhead(bench: &Bench, subject: &Subject) -> Result<Figures, String> {
    let home = bench.large_home(subject)?;
    let (gateway, _) = home.start()?;
    let provider = &bench.provider;
    let mut turns = vec![Vec::new(); LONG.len()];
    let mut bytes = vec![Vec::new(); LONG.len()];
    let bodies: Vec<Vec<Message>> = LONG.iter().map(|count| messages(*count)).collect();
    let mut first = 0.0;
    run(async {
        let mut socket = Ws::connect(gateway.port(), &gateway.token).await?;
        for round in 0..=bench.count(40) {
            for (at, messages) in LONG.into_iter().enumerate() {
                let turn = turn(&mut socket, &long_key(messages), "hello").await?;
                let whole = ms(turn.last - turn.sent);
                if round == 0 {
                    first = whole;
                } else {
                    turns[at].push(whole);
                    bytes[at].push(post_time(provider.port, &bodies[at]).await?);
                }
            }
        }
        Ok(())
    })?;
    gateway.stop()?;
    let net = |at: usize| median(&turns[at]) - median(&bytes[at]);
    Ok(vec![
        ("long.10", median(&turns[0])),
        ("long.1000", median(&turns[1])),
        ("long.5000", median(&turns[2])),
        ("long.first", first),
        ("long.bytes", median(&bytes[2])),
        ("long.ratio", net(2) / net(0)),
    ])
}

#[derive(Serialize)]
struct Message {
    role: &'static str,
    content: String,
}

fn messages(count: usize) -> Vec<Message> {
    (0..count).map(|n| Message { role: if n % 2 == 0 { "user" } else { "assistant" }, content: text(n) }).collect()
}
