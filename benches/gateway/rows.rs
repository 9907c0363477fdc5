//! The table: what is measured, in which unit, within which budget (ARCHITECTURE §8).

use crate::measure::{self, Bench};
use crate::subject::Subject;

/// What one run of a group gives: figures by row.
pub(crate) type Figures = Vec<(&'static str, f64)>;

/// What is measured together.
pub(crate) struct Group {
    /// For `--only`.
    pub(crate) name: &'static str,
    /// Other programs can be measured the same way.
    pub(crate) peers: bool,
    /// Measures the library in this process, so another binary makes no difference.
    pub(crate) library: bool,
    /// The figure does not vary.
    pub(crate) exact: bool,
    pub(crate) run: fn(&Bench, &Subject) -> Result<Figures, String>,
}

impl Group {
    const fn ours(name: &'static str, run: fn(&Bench, &Subject) -> Result<Figures, String>) -> Self {
        Self { name, peers: false, library: false, exact: false, run }
    }

    const fn all(name: &'static str, run: fn(&Bench, &Subject) -> Result<Figures, String>) -> Self {
        Self { peers: true, ..Self::ours(name, run) }
    }
}

/// All groups, in the order of the table.
pub(crate) const GROUPS: &[Group] = &[
    Group { exact: true, ..Group::all("size", measure::program::size) },
    Group::all("version", measure::program::version),
    Group::all("status", measure::program::status),
    Group::all("ready", measure::start::ready),
    Group::ours("ready-data", measure::start::ready_with_data),
    Group::all("idle", measure::start::idle),
    Group::all("health", measure::health::health),
    Group::ours("turn", measure::turns::overhead),
    Group::ours("delta", measure::turns::first_delta),
    Group::ours("turns", measure::turns::throughput),
    Group::ours("rpc", measure::calls::throughput),
    Group::ours("lists", measure::calls::lists),
    Group { exact: true, ..Group::ours("disk", measure::turns::disk) },
    Group::ours("long", measure::long::overhead),
    Group { library: true, ..Group::ours("append", measure::append::append) },
];

/// How a figure is printed.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Unit {
    Ms,
    Us,
    MegaBytes,
    Bytes,
    PerSecond,
    Ticks,
    Times,
}

/// One line.
pub(crate) struct Row {
    pub(crate) id: &'static str,
    pub(crate) what: &'static str,
    pub(crate) unit: Unit,
    /// Most, or for rates least; `None` for lines that only explain.
    pub(crate) budget: Option<f64>,
}

const fn row(id: &'static str, what: &'static str, unit: Unit, budget: f64) -> Row {
    Row { id, what, unit, budget: Some(budget) }
}

const fn note(id: &'static str, what: &'static str, unit: Unit) -> Row {
    Row { id, what, unit, budget: None }
}

/// All lines.
pub(crate) const ROWS: &[Row] = &[
    row("size", "binary with dashboard", Unit::MegaBytes, 18.0),
    row("version", "openclaw --version", Unit::Ms, 2.0),
    note("version.spawn", "  of it: starting any process (/bin/true)", Unit::Ms),
    row("status", "status against a running gateway", Unit::Ms, 6.0),
    row("ready.empty", "gateway spawn → ready, no database yet", Unit::Ms, 15.0),
    row("ready.existing", "gateway spawn → ready, existing database", Unit::Ms, 15.0),
    row("ready.10000", "gateway spawn → ready, 10,000 sessions", Unit::Ms, 15.0),
    note("ready.ratio", "  10,000 sessions ÷ existing database", Unit::Times),
    row("idle.rss", "idle RSS", Unit::MegaBytes, 12.0),
    row("idle.ticks", "idle CPU, ticks over 5 s", Unit::Ticks, 0.0),
    note("idle.threads", "  threads when idle", Unit::Ticks),
    row("health.rate", "/health at c=32, requests", Unit::PerSecond, 40_000.0),
    row("health.p99", "/health at c=32, p99", Unit::Ms, 5.0),
    note("health.rss", "  RSS after it", Unit::MegaBytes),
    row("turn.p50", "turn overhead inline (chat.send → final), p50", Unit::Ms, 4.0),
    note("turn.p99", "  p99", Unit::Ms),
    note("turn.ack", "  of it: chat.send → answer (stored)", Unit::Ms),
    note("turn.request", "  of it: chat.send → the model server has the request", Unit::Ms),
    note("turn.final", "  of it: model server's last byte → final", Unit::Ms),
    note("turn.rss", "  RSS after it", Unit::MegaBytes),
    row("delta.p50", "model server's first byte → client's first delta, p50", Unit::Ms, 1.0),
    note("delta.p99", "  p99", Unit::Ms),
    row("turns.8", "turns at 8 sessions, instant model server", Unit::PerSecond, 400.0),
    note("turns.8.cpu", "  CPU time of the gateway per turn", Unit::Us),
    row("turns.32", "turns at 32 sessions", Unit::PerSecond, 400.0),
    note("turns.32.p50", "  turn at 32 sessions, p50", Unit::Ms),
    row("rpc.1", "RPC (health) over one WebSocket, one at a time", Unit::PerSecond, 8_000.0),
    row("rpc.32", "RPC (health) over 32 WebSockets", Unit::PerSecond, 30_000.0),
    note("rpc.32.p99", "  p99", Unit::Ms),
    row("history", "chat.history 200 of 5,000, p50", Unit::Ms, 4.0),
    row("list", "sessions.list 50 of 10,000, p50", Unit::Ms, 3.0),
    row("disk", "disk per short turn", Unit::Bytes, 2_048.0),
    note("disk.log", "  of it: log", Unit::Bytes),
    row("prompt", "prompt for a greeting", Unit::Bytes, 12_000.0),
    note("long.10", "turn overhead with 10 messages of history, p50", Unit::Ms),
    note("long.1000", "  1,000 messages", Unit::Ms),
    note("long.5000", "  5,000 messages", Unit::Ms),
    note("long.first", "  5,000 messages, first turn after the start", Unit::Ms),
    note("long.bytes", "  a bare client writing and exchanging 5,000 messages", Unit::Ms),
    row("long.ratio", "  5,000 ÷ 10 messages, each less its bare client", Unit::Times, 2.0),
    row("append.rate", "event append, one caller", Unit::PerSecond, 8_000.0),
    row("append.p50", "event append, answer p50", Unit::Ms, 0.1),
];
