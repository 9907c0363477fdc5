//! Interpreters: an entry covers a script that is named first, not code in the arguments or on standard input.

use super::Arguments;

const INTERPRETERS: &[&str] = &[
    "python",
    "pypy",
    "ipython",
    "node",
    "nodejs",
    "deno",
    "bun",
    "tsx",
    "ts-node",
    "perl",
    "ruby",
    "irb",
    "jruby",
    "php",
    "lua",
    "luajit",
    "tclsh",
    "wish",
    "rscript",
    "r",
    "julia",
    "osascript",
    "groovy",
    "jshell",
    "ghci",
    "runghc",
    "runhaskell",
    "guile",
    "racket",
    "sbcl",
    "clisp",
    "ecl",
    "ocaml",
    "elixir",
    "iex",
    "erl",
    "escript",
    "scala",
    "kotlin",
    "swift",
    "dart",
    "raku",
    "janet",
    "bb",
    "clojure",
    "qjs",
    "mysqlsh",
    "mongosh",
    "mongo",
    "redis-cli",
];

/// `python -m …` that runs a known tool and no code from the arguments.
const MODULES: &[&str] =
    &["pytest", "unittest", "pip", "venv", "json.tool", "compileall", "py_compile", "mypy", "black", "ruff", "flake8"];

/// First words that take code or another program.
const WORDS: &[&str] = &["eval", "repl", "x", "exec", "run", "console", "inspect", "debug"];

const INLINE: &str = "runs code from its arguments or its input";

/// Whether it is an interpreter.
pub(super) fn is_interpreter(name: &str) -> bool {
    INTERPRETERS.contains(&name)
}

pub(super) fn objection(name: &str, arguments: &Arguments<'_>, strict: bool) -> Option<&'static str> {
    if !strict || !is_interpreter(name) {
        return None;
    }
    let Some(first) = arguments.first() else { return Some(INLINE) };
    let known =
        name == "python" && first == "-m" && arguments.texts().nth(1).is_some_and(|module| MODULES.contains(&module));
    let is_script = !first.starts_with('-')
        && !first.is_empty()
        && !first.starts_with("/dev/")
        && !first.starts_with("/proc/")
        && !first.contains("://")
        && !WORDS.contains(&first)
        && arguments.words.first().is_some_and(|word| !word.expands);
    (!known && !is_script).then_some(INLINE)
}
