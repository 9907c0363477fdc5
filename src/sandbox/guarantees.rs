//! What a sandbox promises, one bit each.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! guarantees {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// One promise about a sandboxed command.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Guarantee {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Guarantee {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name in reports and configuration.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What it means, in a sentence.
            pub fn summary(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+).trim_ascii_start(),)+ }
            }
        }
    };
}

guarantees! {
    /// Files outside of the granted directories cannot be changed.
    FsWriteConfined = "fs_write_confined",
    /// Files outside of the granted directories cannot be read.
    FsReadConfined = "fs_read_confined",
    /// Names, modes, times and attributes of files outside cannot be seen or changed.
    MetadataConfined = "metadata_confined",
    /// No connection of any kind leaves the command.
    NetDenied = "net_denied",
    /// No Unix socket of the host, by path or abstract name, can be connected to.
    UnixSocketsDenied = "unix_sockets_denied",
    /// Processes outside cannot be seen.
    PidsHidden = "pids_hidden",
    /// Processes outside cannot be signalled or traced.
    SignalsConfined = "signals_confined",
    /// No program gains rights when it is started.
    NoNewPrivs = "no_new_privs",
    /// All capability sets are empty.
    CapsEmpty = "caps_empty",
    /// A filter refuses dangerous system calls.
    Seccomp = "seccomp",
    /// A Landlock domain repeats the file rules inside of the other layers.
    Landlock = "landlock",
    /// Only the variables that were given are in the environment, and no other file descriptors are open.
    EnvClean = "env_clean",
    /// When the command ends, everything that it started ends.
    TreeKill = "tree_kill",
    /// The number of processes is bounded.
    PidsLimit = "pids_limit",
    /// Memory is bounded.
    MemLimit = "mem_limit",
    /// The size of a file that is written is bounded.
    FsizeLimit = "fsize_limit",
}

impl Guarantee {
    /// The guarantee with that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|guarantee| guarantee.as_str() == name)
    }
}

/// A set of [`Guarantee`]s. In JSON a list of names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Guarantees(u32);

impl Guarantees {
    /// None.
    pub const EMPTY: Self = Self(0);
    /// All.
    pub const ALL: Self = Self((1 << Guarantee::ALL.len()) - 1);

    /// These.
    pub fn of(list: &[Guarantee]) -> Self {
        list.iter().copied().collect()
    }

    /// Whether that one is in it.
    pub fn contains(self, guarantee: Guarantee) -> bool {
        self.0 & (1 << guarantee as u32) != 0
    }

    /// Adds one.
    pub fn insert(&mut self, guarantee: Guarantee) {
        self.0 |= 1 << guarantee as u32;
    }

    /// Takes one away.
    pub fn remove(&mut self, guarantee: Guarantee) {
        self.0 &= !(1 << guarantee as u32);
    }

    /// Those in both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Those in either.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those of `self` that are not in `other`.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// In a fixed order.
    pub fn iter(self) -> impl Iterator<Item = Guarantee> {
        Guarantee::ALL.iter().copied().filter(move |guarantee| self.contains(*guarantee))
    }
}

impl FromIterator<Guarantee> for Guarantees {
    fn from_iter<I: IntoIterator<Item = Guarantee>>(list: I) -> Self {
        let mut set = Self::EMPTY;
        for guarantee in list {
            set.insert(guarantee);
        }
        set
    }
}

impl std::fmt::Display for Guarantees {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.iter().map(Guarantee::as_str).collect();
        formatter.write_str(&names.join(", "))
    }
}

impl Serialize for Guarantees {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(Guarantee::as_str))
    }
}

impl<'de> Deserialize<'de> for Guarantees {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let names = Vec::<String>::deserialize(deserializer)?;
        names
            .iter()
            .map(|name| Guarantee::parse(name).ok_or_else(|| D::Error::custom(format!("unknown guarantee {name:?}"))))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::level::SandboxLevel;
    use super::*;

    #[test]
    fn sets_behave_and_survive_json() {
        let relaxed = SandboxLevel::Relaxed.required();
        assert!(relaxed.without(SandboxLevel::Strict.required()).is_empty());
        assert!(!relaxed.contains(Guarantee::NetDenied) && Guarantees::ALL.contains(Guarantee::FsizeLimit));
        let json = serde_json::to_string(&relaxed).unwrap();
        assert_eq!(serde_json::from_str::<Guarantees>(&json).unwrap(), relaxed);
        assert!(serde_json::from_str::<Guarantees>("[\"magic\"]").is_err());
        assert_eq!(Guarantees::ALL.iter().count(), Guarantee::ALL.len());
    }
}
