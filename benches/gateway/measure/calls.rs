//! Method calls over WebSockets.

use std::time::{Duration, Instant};

use super::{Bench, run};
use crate::fill::long_key;
use crate::home::Gateway;
use crate::rows::Figures;
use crate::stats::{median, ms, quantile};
use crate::subject::Subject;
use crate::ws::Ws;

/// `health` as fast as it goes, each connection sending its next call after the answer.
pub(crate) fn throughput(bench: &Bench, subject: &Subject) -> Result<Figures, String> {
    let home = bench.home(subject)?;
    let (gateway, _) = home.start()?;
    run(load(&gateway, 32, bench.load_time() / 4))?;
    let (one, _) = run(load(&gateway, 1, bench.load_time()))?;
    let (many, mut times) = run(load(&gateway, 32, bench.load_time()))?;
    gateway.stop()?;
    Ok(vec![("rpc.1", one), ("rpc.32", many), ("rpc.32.p99", quantile(&mut times, 0.99))])
}

async fn load(gateway: &Gateway<'_>, connections: usize, time: Duration) -> Result<(f64, Vec<f64>), String> {
    let mut sockets = Vec::new();
    for _ in 0..connections {
        sockets.push(Ws::connect(gateway.port(), &gateway.token).await?);
    }
    let began = Instant::now();
    let tasks: Vec<_> = sockets
        .into_iter()
        .map(|mut socket| {
            tokio::task::spawn_local(async move {
                let mut times = Vec::new();
                while began.elapsed() < time {
                    let sent = Instant::now();
                    socket.call("health", "{}").await?;
                    times.push(ms(sent.elapsed()));
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

/// Pages of much.
pub(crate) fn lists(bench: &Bench, subject: &Subject) -> Result<Figures, String> {
    let home = bench.large_home(subject)?;
    let (gateway, _) = home.start()?;
    let count = bench.count(60);
    let history = format!(r#"{{"sessionKey":"{}","limit":200}}"#, long_key(5_000));
    let figures = run(async {
        let mut socket = Ws::connect(gateway.port(), &gateway.token).await?;
        let mut figures = Vec::new();
        let calls = [
            ("history", "chat.history", history.as_str(), "\"totalMessages\":5000"),
            ("list", "sessions.list", r#"{"limit":50}"#, "\"totalCount\":10003"),
        ];
        for (row, method, params, proof) in calls {
            let mut times = Vec::new();
            for _ in 0..count {
                let sent = Instant::now();
                let answer = socket.call(method, params).await?;
                times.push(ms(sent.elapsed()));
                if !answer.contains(proof) {
                    return Err(format!("{method} does not say {proof}: {}", &answer[..answer.len().min(300)]));
                }
            }
            figures.push((row, median(&times)));
        }
        Ok(figures)
    })?;
    gateway.stop()?;
    Ok(figures)
}
