//! `openclaw completion`.

use clap::{Args, CommandFactory as _, ValueEnum};
use clap_complete::Shell;

use crate::cli::args::Cli;
use crate::cli::context::Context;
use crate::cli::error::Outcome;
use crate::core::Error;

/// Flags of `completion`.
#[derive(Debug, Args)]
pub(crate) struct CompletionArgs {
    /// bash, zsh, fish, elvish or powershell [default: the one of $SHELL].
    #[arg(short, long, value_enum, hide_possible_values = true)]
    shell: Option<Shell>,
}

/// Prints the script.
pub(crate) fn run(context: &Context, args: &CompletionArgs) -> Outcome {
    let shell = match args.shell {
        Some(shell) => shell,
        None => detect(context)?,
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "openclaw", &mut script);
    context.out.raw(&String::from_utf8_lossy(&script))
}

fn detect(context: &Context) -> Result<Shell, Error> {
    let path = context.env("SHELL").unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default();
    Shell::from_str(name, true).map_err(|_unknown| {
        Error::user("cannot tell which shell this is")
            .why(format!("SHELL is '{path}'"))
            .hint("openclaw completion --shell bash    (or zsh, fish, elvish, powershell)")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_gets_a_script_with_our_commands() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::Elvish, Shell::PowerShell] {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "openclaw", &mut script);
            let script = String::from_utf8(script).expect("scripts are text");
            assert!(script.contains("sessions") && script.contains("gateway"), "{shell}");
        }
    }
}
