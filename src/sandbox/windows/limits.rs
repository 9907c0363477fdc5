//! The limits of a job, as `SetInformationJobObject` takes them.

use crate::sandbox::{Guarantee, Guarantees, Limits};

/// `JOB_OBJECT_LIMIT_ACTIVE_PROCESS`.
const ACTIVE_PROCESS: u32 = 0x0008;
/// `JOB_OBJECT_LIMIT_JOB_MEMORY`.
const JOB_MEMORY: u32 = 0x0200;
/// `JOB_OBJECT_LIMIT_DIE_ON_UNHANDLED_EXCEPTION`: no dialogue that waits for a person.
const DIE_ON_UNHANDLED_EXCEPTION: u32 = 0x0400;
/// `JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE`.
const KILL_ON_JOB_CLOSE: u32 = 0x2000;

/// What is set for a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobLimits {
    /// `LimitFlags`.
    pub flags: u32,
    /// `ActiveProcessLimit`: the command's processes and the helper.
    pub active_processes: u32,
    /// `JobMemoryLimit`: bytes that all processes may commit together.
    pub job_memory: usize,
}

impl JobLimits {
    /// The limits of a job for a command. No flag lets a process break away.
    pub fn of(limits: &Limits) -> Self {
        Self {
            flags: ACTIVE_PROCESS | JOB_MEMORY | DIE_ON_UNHANDLED_EXCEPTION | KILL_ON_JOB_CLOSE,
            active_processes: u32::try_from(limits.processes).unwrap_or(u32::MAX).saturating_add(1),
            job_memory: usize::try_from(limits.memory_bytes).unwrap_or(usize::MAX),
        }
    }
}

/// What a job gives.
pub fn claims() -> Guarantees {
    Guarantees::of(&[Guarantee::TreeKill, Guarantee::PidsLimit, Guarantee::MemLimit, Guarantee::EnvClean])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::SandboxLevel;

    #[test]
    fn a_job_ends_with_its_handle_and_nothing_breaks_away() {
        /// `JOB_OBJECT_LIMIT_BREAKAWAY_OK` and `JOB_OBJECT_LIMIT_SILENT_BREAKAWAY_OK`.
        const BREAKAWAY: u32 = 0x0800 | 0x1000;
        let limits = JobLimits::of(&Limits { processes: 7, memory_bytes: 1 << 20, ..Limits::default() });
        insta::assert_snapshot!(format!("{:#x}", limits.flags), @r#"
        0x2608
        "#);
        assert_eq!((limits.flags & BREAKAWAY, limits.active_processes, limits.job_memory), (0, 8, 1 << 20));
        assert_eq!(JobLimits::of(&Limits { processes: u64::MAX, ..Limits::default() }).active_processes, u32::MAX);
    }

    #[test]
    fn only_the_level_none_can_be_had() {
        assert!(SandboxLevel::None.required().without(claims()).is_empty());
        assert!(!SandboxLevel::Relaxed.required().without(claims()).is_empty());
        assert!(!SandboxLevel::Strict.required().without(claims()).is_empty());
    }
}
