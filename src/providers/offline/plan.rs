//! Decides what to answer. A pure function of the request.

use serde_json::{Value, json};

use super::directive::{self, Directive};
use super::intent::{self, Intent};
use super::{ID, NOTICE, report};
use crate::core::ProviderErrorClass;
use crate::providers::{ModelRequest, ToolSpec};
use crate::session::message::{ChatMessage, StopReason, plain_text};

/// An answer before it is streamed.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Plan {
    /// Reasoning; empty means none.
    pub thinking: String,
    /// Text; empty means none.
    pub text: String,
    /// Tool calls: name and arguments.
    pub calls: Vec<(String, Value)>,
    /// Why the answer ends, if not for the usual reason.
    pub stop: Option<StopReason>,
    /// Fail after the text.
    pub fail: Option<ProviderErrorClass>,
}

impl Plan {
    fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }
}

const HELP: &str = "I can follow lines such as `ls: PATH`, `read: PATH`, `write: PATH <<< TEXT`, `edit: PATH <<< OLD => NEW`, \
    `find: GLOB`, `grep: PATTERN in PATH`, `run: COMMAND`, `tool: NAME {json}`, `say: TEXT`, \
    and short requests such as \"list the files here\", \"read notes.txt\" or \"search for TODO\".";

/// The answer to `request`.
pub(super) fn plan(request: &ModelRequest) -> Plan {
    let messages = &request.messages;
    let last_user = messages.iter().rposition(|message| matches!(**message, ChatMessage::User { .. }));
    let turn = &messages[last_user.unwrap_or(0)..];
    let notice = if introduced(request) { "" } else { NOTICE };
    if let Some(report) = report::results(turn) {
        return Plan::text(paragraphs(&[notice, &report]));
    }
    let message = match turn.first().map(AsRef::as_ref) {
        Some(ChatMessage::User { content }) => plain_text(content),
        _ => String::new(),
    };
    let directives = directive::parse(&message);
    if directives.is_empty() { plain(&message, request, notice) } else { directed(directives, request, notice) }
}

/// Whether an earlier answer of this conversation already carried the notice.
fn introduced(request: &ModelRequest) -> bool {
    request.messages.iter().any(|message| match message.as_ref() {
        ChatMessage::Assistant { content, provider, .. } => {
            provider.as_deref().is_none_or(|provider| provider == ID) && plain_text(content).contains(NOTICE)
        }
        _ => false,
    })
}

fn paragraphs(parts: &[&str]) -> String {
    parts.iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join("\n\n")
}

fn plain(message: &str, request: &ModelRequest, notice: &str) -> Plan {
    let one_line = |words: &str| if notice.is_empty() { words.to_owned() } else { format!("{words} {notice}") };
    match intent::recognise(message) {
        Some(Intent::Greeting) => Plan::text(one_line("Hello!")),
        Some(Intent::Courtesy) => Plan::text(one_line("You are welcome.")),
        Some(Intent::Help) => Plan::text(paragraphs(&[notice, HELP])),
        Some(Intent::Call { tool, arguments }) => {
            if offered(request, tool).is_some() {
                Plan { calls: vec![(tool.to_owned(), arguments)], ..Plan::default() }
            } else {
                Plan::text(paragraphs(&[notice, &not_offered(tool)]))
            }
        }
        None if message.trim().is_empty() => {
            Plan::text(paragraphs(&[notice, "There is no text in your message.", HELP]))
        }
        None => Plan::text(paragraphs(&[notice, "I cannot answer that.", HELP])),
    }
}

fn directed(directives: Vec<Directive>, request: &ModelRequest, notice: &str) -> Plan {
    let mut plan = Plan::default();
    let (mut thoughts, mut said, mut remarks) = (Vec::new(), Vec::new(), Vec::new());
    for directive in directives {
        match directive {
            Directive::Call { tool, arguments } if offered(request, &tool).is_some() => {
                plan.calls.push((tool, arguments));
            }
            Directive::Call { tool, .. } => remarks.push(not_offered(&tool)),
            Directive::Run(command) => match offered(request, "exec") {
                Some(spec) => plan.calls.push(("exec".into(), exec_arguments(spec, &command))),
                None => remarks.push(not_offered("exec")),
            },
            Directive::Think(text) => thoughts.push(text),
            Directive::Say(text) => said.push(text),
            Directive::Stop(reason) => plan.stop = Some(reason),
            Directive::Fail(class) => plan.fail = Some(class),
            Directive::Malformed(why) => remarks.push(why),
        }
    }
    plan.thinking = thoughts.join("\n");
    plan.text = said.into_iter().chain(remarks).collect::<Vec<_>>().join("\n");
    if plan.stop.is_some() || plan.fail.is_some() {
        plan.calls.clear();
    }
    if plan.text.is_empty() && plan.calls.is_empty() && plan.fail.is_none() {
        plan.text = match plan.stop {
            Some(StopReason::Refusal) => "I decline, as directed.".into(),
            Some(_) => "This answer ends early, as directed.".into(),
            None => paragraphs(&[notice, "I have thought about it, as directed."]),
        };
    }
    plan
}

fn offered<'r>(request: &'r ModelRequest, tool: &str) -> Option<&'r ToolSpec> {
    request.tools.iter().find(|spec| spec.name == tool)
}

fn not_offered(tool: &str) -> String {
    format!("The tool `{tool}` is not on offer in this run, so I cannot do that.")
}

/// The command under the name the tool's schema gives it: `command`, else its first required argument.
fn exec_arguments(spec: &ToolSpec, command: &str) -> Value {
    let takes_command = spec.parameters.pointer("/properties/command").is_some();
    let first_required = spec.parameters.pointer("/required/0").and_then(Value::as_str);
    let name = first_required.filter(|_| !takes_command).unwrap_or("command");
    json!({ name: command })
}
