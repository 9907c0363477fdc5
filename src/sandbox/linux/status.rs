//! Reading back what the kernel holds against a process: `/proc/self/status`.

use std::io::{Read, Seek};

/// The lines of `/proc/self/status` that matter here.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Status {
    /// Inheritable, permitted, effective and ambient capabilities, in one.
    pub capabilities: u64,
    /// The bounding set.
    pub bounding: u64,
    /// `NoNewPrivs`.
    pub no_new_privs: bool,
    /// `Seccomp`: 2 = a filter is in force.
    pub seccomp: u32,
}

impl Status {
    /// From the text of the file. `None` when a line is missing.
    pub fn parse(text: &str) -> Option<Self> {
        let field =
            |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim);
        let hex = |name: &str| field(name).and_then(|value| u64::from_str_radix(value, 16).ok());
        Some(Self {
            capabilities: hex("CapInh")? | hex("CapPrm")? | hex("CapEff")? | hex("CapAmb")?,
            bounding: hex("CapBnd")?,
            no_new_privs: field("NoNewPrivs")? == "1",
            seccomp: field("Seccomp")?.parse().ok()?,
        })
    }

    /// From the open file, which tells what is true when it is read, not when it was opened.
    pub fn read(file: &mut std::fs::File) -> std::io::Result<Self> {
        let mut text = String::new();
        file.rewind()?;
        file.read_to_string(&mut text)?;
        Self::parse(&text).ok_or_else(|| {
            std::io::Error::new(std::io::ErrorKind::InvalidData, "/proc/self/status has other lines than known")
        })
    }

    /// Whether no capability is held or can be gained. The bounding set matters only to a process that may gain privileges.
    pub fn powerless(&self) -> bool {
        self.capabilities == 0 && (self.bounding == 0 || self.no_new_privs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_status_is_understood() {
        let mut file = std::fs::File::open("/proc/self/status").unwrap();
        let status = Status::read(&mut file).unwrap();
        assert_eq!(Status::read(&mut file).unwrap(), status);
        assert_eq!(Status::parse("CapInh:\t0\n"), None);
        let bare = "CapInh:\t0\nCapPrm:\t0\nCapEff:\t0\nCapBnd:\tff\nCapAmb:\t0\nNoNewPrivs:\t0\nSeccomp:\t2\n";
        let status = Status::parse(bare).unwrap();
        assert!(!status.powerless() && status.seccomp == 2);
        assert!(Status { no_new_privs: true, ..status }.powerless());
    }
}
