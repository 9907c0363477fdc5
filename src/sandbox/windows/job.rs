//! The helper process: puts itself into a job and runs the command there.

use std::process::{Command, ExitStatus};

use win32job::{ExtendedLimitInfo, Job};

use super::limits::JobLimits;
use crate::sandbox::{CommandSpec, Limits, SandboxError};

/// Runs `command` to its end in a job with `limits`. The calling process becomes part of that job, and everything in it ends when the
/// process does: call it in a process that does nothing else.
pub fn run(limits: &Limits, command: &CommandSpec) -> Result<ExitStatus, SandboxError> {
    let setup = |stage: &str, message: &dyn std::fmt::Display| SandboxError::Setup {
        stage: stage.to_owned(),
        message: message.to_string(),
    };
    let limits = JobLimits::of(limits);
    let mut info = ExtendedLimitInfo::new();
    info.0.BasicLimitInformation.LimitFlags = limits.flags;
    info.0.BasicLimitInformation.ActiveProcessLimit = limits.active_processes;
    info.0.JobMemoryLimit = limits.job_memory;
    let job = Job::create_with_limit_info(&mut info).map_err(|error| setup("making a job object", &error))?;
    job.assign_current_process().map_err(|error| setup("entering the job object", &error))?;
    let Some((program, arguments)) = command.argv.split_first() else {
        return Err(SandboxError::Spec { what: "the command is empty".to_owned(), hint: "name a program".to_owned() });
    };
    let start = |error: std::io::Error| SandboxError::Start {
        program: program.to_string_lossy().into_owned(),
        not_found: error.kind() == std::io::ErrorKind::NotFound,
        message: error.to_string(),
    };
    let mut process = Command::new(program);
    process.args(arguments).env_clear().envs(command.env.iter().map(|(name, value)| (name, value)));
    if !command.cwd.as_os_str().is_empty() {
        process.current_dir(&command.cwd);
    }
    let mut child = process.spawn().map_err(start)?;
    let status = child.wait().map_err(|error| setup("waiting for the command", &error))?;
    // The handle is leaked on purpose: closing it would end this process before it can pass the status on. The system closes it at its end.
    std::mem::forget(job);
    Ok(status)
}
