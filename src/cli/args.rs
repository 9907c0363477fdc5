//! The command tree. Each command's flags are in its own file below `commands`.

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::commands::{
    agent::AgentArgs, agents::AgentsArgs, approvals::ApprovalsArgs, artifacts::ArtifactsArgs,
    completion::CompletionArgs, config::ConfigArgs, doctor::DoctorArgs, fs::FsArgs, gateway::GatewayArgs,
    health::HealthArgs, logs::LogsArgs, models::ModelsArgs, sandbox::SandboxArgs, sessions::SessionsArgs,
    status::StatusArgs,
};

/// A personal AI agent gateway in one binary.
#[derive(Debug, Parser)]
#[command(
    name = "openclaw",
    version,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    max_term_width = 100,
    after_help = "Examples:
  openclaw gateway run                      start the gateway in this terminal
  openclaw agent -m \"list the files here\"   send a message, watch the reply
  openclaw status                           what runs, and what needs attention"
)]
pub(crate) struct Cli {
    /// Flags of every command.
    #[command(flatten)]
    pub(crate) globals: Globals,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags of every command.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Global options")]
#[expect(clippy::struct_excessive_bools, reason = "each is an independent flag of the command line")]
pub(crate) struct Globals {
    /// Keep state in ~/.openclaw-NAME.
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// Keep state in ~/.openclaw-dev and use port 19001.
    #[arg(long, global = true, conflicts_with = "profile")]
    pub(crate) dev: bool,
    /// How much the log says.
    #[arg(long, global = true, value_name = "LEVEL", value_enum, hide_possible_values = true)]
    pub(crate) log_level: Option<LogLevel>,
    /// Print one JSON object on stdout.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Print one JSON object per line, as things happen.
    #[arg(long, global = true, conflicts_with = "json")]
    pub(crate) jsonl: bool,
    /// Say nothing on stderr except errors.
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// No colour, no alignment: lines for scripts and screen readers.
    #[arg(long, global = true)]
    pub(crate) plain: bool,
    /// No colour.
    #[arg(long, global = true)]
    pub(crate) no_color: bool,
    /// Show every column in full, however wide.
    #[arg(long, global = true)]
    pub(crate) wide: bool,
}

/// Levels of the log, quiet to talkative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogLevel {
    /// Nothing.
    Silent,
    /// Errors only (there is no level between them and `error` here).
    Fatal,
    /// Errors.
    Error,
    /// And warnings.
    Warn,
    /// And what happens.
    Info,
    /// And how.
    Debug,
    /// And each step.
    Trace,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Send a message to an agent and print its reply.
    Agent(AgentArgs),
    /// Run the gateway, ask whether it runs, call its methods.
    Gateway(GatewayArgs),
    /// What runs, and what needs attention.
    Status(StatusArgs),
    /// The running gateway's own account of its health.
    Health(HealthArgs),
    /// List, show, export and delete conversations.
    Sessions(SessionsArgs),
    /// The models at hand.
    Models(ModelsArgs),
    /// The configured agents.
    Agents(AgentsArgs),
    /// The virtual files of agents.
    Fs(FsArgs),
    /// Images and trajectories that runs left behind.
    Artifacts(ArtifactsArgs),
    /// What confines commands: explain it, try it out, run something in it.
    Sandbox(SandboxArgs),
    /// What agents may run without being asked, and what waits for a decision.
    #[command(alias = "exec-approvals")]
    Approvals(ApprovalsArgs),
    /// Read, check and edit openclaw.json.
    Config(ConfigArgs),
    /// The gateway's log.
    Logs(LogsArgs),
    /// Check the installation and say what is wrong.
    Doctor(DoctorArgs),
    /// Print a completion script for your shell.
    Completion(CompletionArgs),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_tree_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn help_fits_one_screen() {
        let help = Cli::command().render_help().to_string();
        assert!(help.lines().count() <= 40, "{} lines", help.lines().count());
        insta::assert_snapshot!(help, @r#"
        A personal AI agent gateway in one binary

        Usage: openclaw [OPTIONS] <COMMAND>

        Commands:
          agent       Send a message to an agent and print its reply
          gateway     Run the gateway, ask whether it runs, call its methods
          status      What runs, and what needs attention
          health      The running gateway's own account of its health
          sessions    List, show, export and delete conversations
          models      The models at hand
          agents      The configured agents
          fs          The virtual files of agents
          artifacts   Images and trajectories that runs left behind
          sandbox     What confines commands: explain it, try it out, run something in it
          approvals   What agents may run without being asked, and what waits for a decision
          config      Read, check and edit openclaw.json
          logs        The gateway's log
          doctor      Check the installation and say what is wrong
          completion  Print a completion script for your shell

        Options:
          -h, --help     Print help
          -V, --version  Print version

        Global options:
              --profile <NAME>     Keep state in ~/.openclaw-NAME
              --dev                Keep state in ~/.openclaw-dev and use port 19001
              --log-level <LEVEL>  How much the log says
              --json               Print one JSON object on stdout
              --jsonl              Print one JSON object per line, as things happen
          -q, --quiet              Say nothing on stderr except errors
              --plain              No colour, no alignment: lines for scripts and screen readers
              --no-color           No colour
              --wide               Show every column in full, however wide

        Examples:
          openclaw gateway run                      start the gateway in this terminal
          openclaw agent -m "list the files here"   send a message, watch the reply
          openclaw status                           what runs, and what needs attention
        "#);
    }

    /// The words of every command below `command`, and its own.
    fn all(path: &[String], command: &clap::Command, into: &mut Vec<Vec<String>>) {
        for below in command.get_subcommands() {
            let path: Vec<String> = path.iter().cloned().chain([below.get_name().to_owned()]).collect();
            all(&path, below, into);
        }
        into.push(path.to_vec());
    }

    #[test]
    fn help_of_every_command_fits_one_screen() {
        let mut commands = Vec::new();
        all(&["openclaw".to_owned()], &Cli::command(), &mut commands);
        assert!(commands.len() > 20, "{}", commands.len());
        for words in commands {
            for flag in ["-h", "--help"] {
                let asked = words.iter().map(String::as_str).chain([flag]);
                let help = Cli::try_parse_from(asked).expect_err("help is no command").to_string();
                assert!(help.lines().count() <= 40, "{words:?} {flag}: {} lines\n{help}", help.lines().count());
                assert!(help.lines().all(|line| line.chars().count() <= 100), "{words:?}\n{help}");
            }
        }
    }

    #[test]
    fn flags_hidden_from_the_list_are_named_below_it() {
        let mut root = Cli::command();
        root.build();
        let set = root.find_subcommand("config").and_then(|config| config.find_subcommand("set")).expect("it exists");
        let help = set.clone().render_help().to_string();
        let hidden: Vec<&str> =
            set.get_arguments().filter(|arg| arg.is_hide_set()).filter_map(|arg| arg.get_long()).collect();
        assert!(hidden.len() > 10);
        for flag in hidden {
            assert!(help.contains(&format!("--{flag}")), "{flag} is not in\n{help}");
        }
    }

    #[test]
    fn global_flags_work_before_and_after_the_command() {
        for args in [["openclaw", "--json", "status"], ["openclaw", "status", "--json"]] {
            let cli = Cli::try_parse_from(args).expect("both places are fine");
            assert!(cli.globals.json);
        }
    }
}
