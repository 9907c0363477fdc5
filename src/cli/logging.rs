//! The gateway's log: JSON lines in a file, and lines for people on stderr when asked.

use std::fmt::{self, Write as _};

use jiff::Timestamp;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context as LayerContext, Layer, SubscriberExt as _};

use crate::config::LoadedConfig;
use crate::core::{Error, ErrorKind, Result, now_ms, redact};
use crate::fs::{LogFile, LogOptions};

use super::args::LogLevel;
use super::context::Context;
use super::output::{Meaning, Output, clean, clock_time};

/// Starts logging for the life of the process.
pub(super) fn start(context: &Context, config: &LoadedConfig, verbose: bool) -> Result<()> {
    let level = context.globals.log_level.map_or_else(|| named(&config.view.log_level), filter);
    let file = LogFile::open(&context.log_file(Some(config)), LogOptions::default())?;
    let people = verbose.then(|| context.out.clone());
    let subscriber = tracing_subscriber::registry().with(Lines { file, people }.with_filter(level));
    tracing::subscriber::set_global_default(subscriber)
        .map_err(|error| Error::new(ErrorKind::Internal, "the log was started twice").source(error))
}

fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Silent => LevelFilter::OFF,
        LogLevel::Fatal | LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}

/// The level of the configuration; unknown names were warned about there and mean `info`.
fn named(name: &str) -> LevelFilter {
    match name {
        "silent" => LevelFilter::OFF,
        "fatal" | "error" => LevelFilter::ERROR,
        "warn" => LevelFilter::WARN,
        "debug" => LevelFilter::DEBUG,
        "trace" => LevelFilter::TRACE,
        _ => LevelFilter::INFO,
    }
}

/// Writes each event as one line.
struct Lines {
    file: LogFile,
    people: Option<Output>,
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _context: LayerContext<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let now = now_ms();
        let (level, target) = (*event.metadata().level(), event.metadata().target());
        let line = json_line(now, level, target, &fields);
        if let Err(error) = self.file.append(&redact::text(&line)) {
            // The log itself fails (full disk): stderr is the only place left.
            super::output::say(&format!("cannot write the log: {error}"));
        }
        if let Some(out) = &self.people {
            super::output::say(&human_line(now, level, target, &fields, |meaning, text| out.paint_err(meaning, text)));
        }
    }
}

/// The fields of one event; the message apart.
#[derive(Default)]
struct Fields {
    message: String,
    others: Map<String, Value>,
}

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        if field.name() == "message" {
            self.message = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
        } else {
            self.others.insert(field.name().to_owned(), value);
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

/// `openclaw::gateway::http` is the subsystem `gateway/http`.
fn subsystem(target: &str) -> String {
    target.strip_prefix("openclaw::").unwrap_or(target).replace("::", "/")
}

fn json_line(now: i64, level: Level, target: &str, fields: &Fields) -> String {
    let time = Timestamp::from_millisecond(now).map_or_else(|_| now.to_string(), |time| format!("{time:.3}"));
    let mut object = Map::new();
    object.insert("time".into(), time.into());
    object.insert("level".into(), level_name(level).into());
    object.insert("subsystem".into(), subsystem(target).into());
    object.insert("message".into(), fields.message.as_str().into());
    for (name, value) in &fields.others {
        // A field must not take the place of one of the four above.
        let name = if object.contains_key(name) { format!("{name}_") } else { name.clone() };
        object.insert(name, value.clone());
    }
    Value::Object(object).to_string()
}

fn human_line(
    now: i64,
    level: Level,
    target: &str,
    fields: &Fields,
    paint: impl Fn(Meaning, &str) -> String,
) -> String {
    let meaning = match level {
        Level::ERROR => Meaning::Error,
        Level::WARN => Meaning::Warn,
        _ => Meaning::Dim,
    };
    let mut text = format!("{}  {}", subsystem(target), fields.message);
    for (name, value) in &fields.others {
        let value = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
        // Writing to a String cannot fail.
        write!(text, "  {name}={value}").unwrap_or_default();
    }
    let text = clean(&redact::text(&text)).replace('\n', " ");
    format!("{} {} {text}", clock_time(now, false), paint(meaning, &format!("{:<5}", level_name(level))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fields() -> Fields {
        let mut others = Map::new();
        others.insert("port".into(), json!(18789));
        others.insert("level".into(), json!("odd"));
        Fields { message: "ready\nnow".into(), others }
    }

    #[test]
    fn a_line_is_one_json_object() {
        let line = json_line(1_000, Level::INFO, "openclaw::gateway::http", &fields());
        assert!(!line.contains('\n'));
        let value: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(
            value,
            json!({"time": "1970-01-01T00:00:01.000Z", "level": "info", "subsystem": "gateway/http",
                   "message": "ready\nnow", "port": 18789, "level_": "odd"})
        );
    }

    #[test]
    fn people_get_one_line_too() {
        let line = human_line(1_000, Level::WARN, "openclaw::gateway", &fields(), |_, text| text.to_owned());
        assert!(line.ends_with("warn  gateway  ready now  port=18789  level=odd"), "{line}");
    }

    #[test]
    fn levels_have_names() {
        assert_eq!(named("warn"), LevelFilter::WARN);
        assert_eq!(named("loud"), LevelFilter::INFO);
        assert_eq!(filter(LogLevel::Silent), LevelFilter::OFF);
    }
}
