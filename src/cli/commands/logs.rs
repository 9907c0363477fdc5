//! `openclaw logs`: from the running gateway, else from the file.

use std::sync::mpsc;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::cli::client::{ConnectArgs, RpcClient, Target};
use crate::cli::context::Context;
use crate::cli::error::Outcome;
use crate::cli::output::{Format, Meaning, absolute, clean, clock_time};
use crate::core::{ErrorKind, Result};
use crate::fs;

/// Flags of `logs`.
#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// Keep printing lines as they are written.
    #[arg(short, long)]
    follow: bool,
    /// Most lines at the start.
    #[arg(long, value_name = "N", default_value_t = 200)]
    limit: usize,
    /// Most bytes to read at once.
    #[arg(long, value_name = "N", default_value_t = 250_000)]
    max_bytes: u64,
    /// Milliseconds between two looks with --follow.
    #[arg(long, value_name = "MS", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(50..))]
    interval: u64,
    /// Times in UTC.
    #[arg(long, conflicts_with = "local_time")]
    utc: bool,
    /// Times of this machine's zone (the default).
    #[arg(long)]
    local_time: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

/// Where lines come from.
enum Source {
    Gateway(RpcClient),
    File(std::path::PathBuf),
}

impl Source {
    fn is_gateway(&self) -> bool {
        matches!(self, Self::Gateway(_))
    }

    /// The gateway's address or the file's path.
    fn name(&self) -> String {
        match self {
            Self::Gateway(client) => client.target().url(),
            Self::File(path) => path.display().to_string(),
        }
    }
}

/// Some lines, and where to go on.
struct Chunk {
    cursor: u64,
    lines: Vec<String>,
    reset: bool,
}

/// Prints log lines: one object with `--json`, one line each with `--jsonl` and, because it has no end, with `--follow`.
pub(crate) fn run(context: &Context, args: &LogsArgs) -> Outcome {
    let config = context.config().ok(); // dropped: the log explains a broken configuration, so it must stay readable
    let target = Target::resolve(context, &args.connect, config.as_ref())?;
    let explicit = target.explicit;
    let client = RpcClient::new(target, args.connect.patience(), &context.out);
    let mut source = Source::Gateway(client);
    let first = match read(&source, None, args) {
        Err(error) if error.kind() == ErrorKind::Unreachable && !explicit => {
            let path = context.log_file(config.as_ref());
            context.out.note(&format!("no gateway is running: reading {}", path.display()));
            source = Source::File(path);
            read(&source, None, args)
        }
        other => other,
    };
    let mut chunk = first?;
    if !args.follow {
        if context.out.format() == Format::Json {
            let lines: Vec<Value> = chunk.lines.iter().map(|line| object(line)).collect();
            return context.out.json(&json!({
                "ok": true, "source": source.name(), "cursor": chunk.cursor, "count": lines.len(), "lines": lines,
            }));
        }
        if chunk.lines.is_empty() {
            context.out.note("the log is empty");
        }
        return print(context, args, &chunk.lines);
    }
    print(context, args, &chunk.lines)?;
    let (_keep, never) = mpsc::channel::<()>();
    loop {
        if never.recv_timeout(Duration::from_millis(args.interval)) == Ok(()) {
            return Ok(());
        }
        chunk = match read(&source, Some(chunk.cursor), args) {
            // The file goes on where the gateway stopped answering; its last words are there.
            Err(error) if error.kind() == ErrorKind::Unreachable && !explicit && source.is_gateway() => {
                let path = context.log_file(config.as_ref());
                context.out.note(&format!("the gateway has stopped: reading {}", path.display()));
                source = Source::File(path);
                read(&source, Some(chunk.cursor), args)?
            }
            other => other?,
        };
        if chunk.reset {
            context.out.note("the log was rotated");
        }
        print(context, args, &chunk.lines)?;
    }
}

fn read(source: &Source, cursor: Option<u64>, args: &LogsArgs) -> Result<Chunk> {
    match source {
        Source::Gateway(client) => {
            let mut params = json!({ "limit": args.limit, "maxBytes": args.max_bytes });
            if let Some(cursor) = cursor {
                params["cursor"] = cursor.into();
            }
            let answer = client.call("logs.tail", &params)?;
            let lines = answer["lines"].as_array().map_or(&[][..], Vec::as_slice);
            Ok(Chunk {
                cursor: answer["cursor"].as_u64().unwrap_or_default(),
                lines: lines.iter().filter_map(Value::as_str).map(ToOwned::to_owned).collect(),
                reset: answer["reset"].as_bool().unwrap_or_default(),
            })
        }
        Source::File(path) => {
            let tail = fs::tail(path, cursor, args.limit, args.max_bytes)?;
            Ok(Chunk { cursor: tail.cursor, lines: tail.lines, reset: tail.reset })
        }
    }
}

fn print(context: &Context, args: &LogsArgs, lines: &[String]) -> Outcome {
    for line in lines {
        if !context.out.is_text() {
            context.out.json_line(&object(line))?;
        } else if let Some(entry) = parsed(line) {
            let paint = |meaning, text: &str| context.out.paint(meaning, text);
            context.out.line(&human(&entry, args.utc, args.follow, paint))?;
        } else {
            context.out.line(&clean(line))?;
        }
    }
    Ok(())
}

/// The line's object; `None` for a line of another form.
fn parsed(line: &str) -> Option<Value> {
    serde_json::from_str(line).ok().filter(Value::is_object) // dropped: the line is shown as it is
}

/// The line as an object, whatever its form.
fn object(line: &str) -> Value {
    parsed(line).unwrap_or_else(|| json!({ "type": "raw", "raw": line }))
}

/// `13:18:31 warn  gateway  message  key=value`.
fn human(entry: &Value, utc: bool, short: bool, paint: impl Fn(Meaning, &str) -> String) -> String {
    let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
    let at = text("time").parse::<Timestamp>().map(Timestamp::as_millisecond);
    let time = match at {
        Ok(at) if short => clock_time(at, utc),
        Ok(at) => absolute(at, utc),
        Err(_unparsed) => text("time").to_owned(), // dropped: an unknown form is shown as it is
    };
    let level = format!("{:<5}", text("level").to_lowercase());
    let level = match level.trim_end() {
        "error" | "fatal" => paint(Meaning::Error, &level),
        "warn" => paint(Meaning::Warn, &level),
        "debug" | "trace" => paint(Meaning::Dim, &level),
        _ => level,
    };
    let mut line = format!("{} {level} {}", paint(Meaning::Dim, &clean(&time)), clean(text("subsystem")));
    line.push_str("  ");
    line.push_str(&clean(text("message")).replace('\n', " "));
    if let Some(fields) = entry.as_object() {
        for (name, value) in fields {
            if matches!(name.as_str(), "time" | "level" | "subsystem" | "message") {
                continue;
            }
            let value = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
            line.push_str(&paint(Meaning::Dim, &clean(&format!("  {name}={value}")).replace('\n', " ")));
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_reads_well_and_cannot_steer_the_terminal() {
        let entry = json!({
            "time": "2026-11-20T13:18:31.250Z", "level": "WARN", "subsystem": "gateway",
            "message": "slow\u{1b}[2J client", "connection": 7, "peer": "127.0.0.1",
        });
        let line = human(&entry, true, false, |_, text| text.to_owned());
        assert_eq!(line, "2026-11-20 13:18:31Z warn  gateway  slow\u{fffd}[2J client  connection=7  peer=127.0.0.1");
    }
}
