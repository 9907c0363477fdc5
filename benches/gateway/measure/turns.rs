//! Turns: what the gateway adds to the model server's own time.

use std::time::{Duration, Instant};

use super::{Bench, run};
use crate::home::Gateway;
use crate::process::{memory, ticks};
use crate::rows::Figures;
use crate::stats::{median, ms, quantile};
use crate::subject::Subject;
use crate::ws::Ws;

/// Turns before those that count.
const WARM_UP: usize = 20;
/// Turns after which a loaded session gives way to a fresh one, so that a faster gateway is not punished by longer pasts.
const SESSION_TURNS: usize = 20;
/// Turns that disk space is measured over.
const DISK_TURNS: usize = 500;
/// Microseconds of a clock tick.
const TICK: f64 = 10_000.0;

/// What a client saw of a turn, in milliseconds from sending.
pub(crate) struct Turn {
    pub(crate) sent: Instant,
    pub(crate) ack: f64,
    /// When the first text came.
    pub(crate) first: Option<Instant>,
    pub(crate) last: Instant,
}

/// One turn: sends and waits for the end.
pub(crate) async fn turn(socket: &mut Ws, session: &str, text: &str) -> Result<Turn, String> {
    let key = uuid::Uuid::now_v7();
    let params = format!(r#"{{"sessionKey":"{session}","message":"{text}","idempotencyKey":"{key}"}}"#);
    let sent = Instant::now();
    socket.send("chat.send", &params).await?;
    let (mut ack, mut first, mut ended) = (None, None, None);
    loop {
        let frame = socket.next().await?;
        let now = Instant::now();
        if frame.contains("\"method\":\"chat\"") {
            if frame.contains("\"state\":\"delta\"") {
                first.get_or_insert(now);
            } else if frame.contains("\"state\":\"final\"") {
                ended = Some(now);
            } else {
                return Err(format!("a turn ended badly: {frame}"));
            }
        } else if frame.contains("\"error\":{\"code\"") {
            return Err(format!("chat.send: {frame}"));
        } else if frame.contains("\"status\":\"started\"") {
            ack = Some(ms(now - sent));
        }
        if let (Some(ack), Some(last)) = (ack, ended) {
            return Ok(Turn { sent, ack, first, last });
        }
    }
}

/// Turns one after the other on one session. The model server answers at once; nothing is subtracted.
pub(crate) fn overhead(bench: &Bench, subject: &Subject) -> Result<Figures, String> {
    let home = bench.home(subject)?;
    let (gateway, _) = home.start()?;
    let provider = &bench.provider;
    let (mut all, mut ack, mut request, mut end) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    run(async {
        let mut socket = Ws::connect(gateway.port(), &gateway.token).await?;
        for at in 0..WARM_UP + bench.count(200) {
            let turn = turn(&mut socket, "agent:main:bench", "hello").await?;
            if at >= WARM_UP {
                all.push(ms(turn.last - turn.sent));
                ack.push(turn.ack);
                request.push(ms(provider.request().saturating_duration_since(turn.sent)));
                end.push(ms(turn.last.saturating_duration_since(provider.last())));
            }
        }
        Ok(())
    })?;
    let (rss, _) = memory(gateway.pid());
    gateway.stop()?;
    Ok(vec![
        ("turn.p50", median(&all)),
        ("turn.p99", quantile(&mut all, 0.99)),
        ("turn.ack", median(&ack)),
        ("turn.request", median(&request)),
        ("turn.final", median(&end)),
        ("turn.rss", rss),
    ])
}

/// From the write of the model server's first text to the client's read of it. The rest of the answer comes 5 ms later.
pub(crate) fn first_delta(bench: &Bench, subject: &Subject) -> Result<Figures, String> {
    let home = bench.home(subject)?;
    bench.provider.pause_after_first(Duration::from_millis(5));
    let (gateway, _) = home.start()?;
    let mut times = Vec::new();
    run(async {
        let mut socket = Ws::connect(gateway.port(), &gateway.token).await?;
        for at in 0..WARM_UP + bench.count(100) {
            let turn = turn(&mut socket, "agent:main:bench", "hello").await?;
            let first = turn.first.ok_or("a turn had no delta")?;
            if at >= WARM_UP {
                times.push(ms(first.saturating_duration_since(bench.provider.first())));
            }
        }
        Ok(())
    })?;
    gateway.stop()?;
    Ok(vec![("delta.p50", median(&times)), ("delta.p99", quantile(&mut times, 0.99))])
}

/// Many sessions at once, one connection each.
pub(crate) fn throughput(bench: &Bench, subject: &Subject) -> Result<Figures, String> {
    let home = bench.home(subject)?;
    let (gateway, _) = home.start()?;
    run(load(&gateway, 8, bench.load_time() / 4))?;
    let before = ticks(gateway.pid());
    let (eight, times) = run(load(&gateway, 8, bench.load_time()))?;
    let cpu = (ticks(gateway.pid()) - before) * TICK / times.len().max(1) as f64;
    let (many, times) = run(load(&gateway, 32, bench.load_time()))?;
    gateway.stop()?;
    Ok(vec![("turns.8", eight), ("turns.8.cpu", cpu), ("turns.32", many), ("turns.32.p50", median(&times))])
}

/// `sessions` at a time, each on a connection of its own.
async fn load(gateway: &Gateway<'_>, sessions: usize, time: Duration) -> Result<(f64, Vec<f64>), String> {
    let mut sockets = Vec::new();
    for _ in 0..sessions {
        sockets.push(Ws::connect(gateway.port(), &gateway.token).await?);
    }
    let began = Instant::now();
    let tasks: Vec<_> = sockets
        .into_iter()
        .enumerate()
        .map(|(at, mut socket)| {
            tokio::task::spawn_local(async move {
                let mut times = Vec::new();
                while began.elapsed() < time {
                    let session = format!("agent:main:load-{at}-{}", times.len() / SESSION_TURNS);
                    let turn = turn(&mut socket, &session, "hello").await?;
                    times.push(ms(turn.last - turn.sent));
                }
                Ok::<_, String>(times)
            })
        })
        .collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.map_err(|error| error.to_string())??);
    }
    Ok((times.len() as f64 / began.elapsed().as_secs_f64(), times))
}

/// What the state directory grows by per turn, measured between two clean stops; and what a greeting sends to a model.
pub(crate) fn disk(bench: &Bench, subject: &Subject) -> Result<Figures, String> {
    let home = bench.home(subject)?;
    let turns = |count: usize| -> Result<u64, String> {
        let (gateway, _) = home.start()?;
        let bytes = run(async {
            let mut socket = Ws::connect(gateway.port(), &gateway.token).await?;
            turn(&mut socket, "agent:main:first", "hello").await?;
            let bytes = bench.provider.body_bytes();
            for _ in 1..count {
                turn(&mut socket, "agent:main:bench", "Please say ok, this is a short message of sixty bytes.").await?;
            }
            Ok(bytes)
        })?;
        gateway.stop()?;
        Ok(bytes)
    };
    let prompt = turns(10)?;
    let (before, logs_before) = home.bytes();
    turns(DISK_TURNS)?;
    let (after, logs_after) = home.bytes();
    let each = |after: u64, before: u64| after.saturating_sub(before) as f64 / DISK_TURNS as f64;
    Ok(vec![("disk", each(after, before)), ("disk.log", each(logs_after, logs_before)), ("prompt", prompt as f64)])
}
