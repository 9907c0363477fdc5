//! What a command has done to a projected tree.

use serde::{Deserialize, Serialize};

/// One step. In the order of [`ChangeSet::changes`] each is possible on an ordinary file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The path is gone. Everything below it has its own step before this one.
    Delete {
        /// Relative, `/`-separated.
        path: String,
    },
    /// A directory that is new or has another mode.
    Directory {
        /// Relative, `/`-separated.
        path: String,
        /// Permission bits, `0o000..=0o777`.
        mode: u32,
    },
    /// A file that is new, or has another content or mode.
    File {
        /// Relative, `/`-separated.
        path: String,
        /// Permission bits, `0o000..=0o777`.
        mode: u32,
        /// The whole content.
        data: Vec<u8>,
    },
}

impl Change {
    /// The path that it is about.
    pub fn path(&self) -> &str {
        match self {
            Self::Delete { path } | Self::Directory { path, .. } | Self::File { path, .. } => path,
        }
    }
}

/// Everything that a command has done, whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChangeSet {
    /// Deletions, deepest first; then directories and files, each after the directory that holds it. A path that became something else
    /// is deleted first.
    pub changes: Vec<Change>,
    /// What was not brought back as it was, at most [`super::ProjectionLimits::rejects`] of them.
    pub rejected: Vec<Rejected>,
    /// How many there were.
    pub rejected_total: u64,
}

/// A path that was not brought back as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    /// For people: what is not UTF-8 in it is replaced.
    pub path: String,
    /// Why.
    pub reason: RejectReason,
}

impl std::fmt::Display for Rejected {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:?}: {}", self.path, self.reason)
    }
}

macro_rules! reasons {
    ($($(#[$doc:meta])+ $variant:ident = $number:literal, $text:literal;)+) => {
        /// Why a path was not brought back as it was. Unless the reason [is stored](RejectReason::is_stored), the tree keeps what it
        /// had there before.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[repr(u8)]
        pub enum RejectReason {
            $($(#[$doc])+ $variant = $number,)+
        }

        impl RejectReason {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// For people.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            pub(super) fn from_number(number: u8) -> Option<Self> {
                match number {
                    $($number => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }
    };
}

reasons! {
    /// Links are not kept.
    SymbolicLink = 1, "a symbolic link is not kept";
    /// More than one name for one file: each name got its own copy.
    HardLink = 2, "a file with several names was stored as copies";
    /// A FIFO.
    Fifo = 3, "a FIFO is not kept";
    /// A socket.
    Socket = 4, "a socket is not kept";
    /// A block or character device.
    Device = 5, "a device is not kept";
    /// The name cannot be written as text.
    NotUtf8 = 6, "the name is not UTF-8";
    /// Longer than 4096 bytes.
    PathTooLong = 7, "the path is longer than 4096 bytes";
    /// Below more directories than are taken.
    TooDeep = 8, "it is below too many directories";
    /// Larger than a file may be.
    TooLarge = 9, "the file is larger than a file may be";
    /// Another file system is mounted there.
    OtherFileSystem = 10, "it is on another file system";
    /// Set-user-id, set-group-id and sticky bits are dropped; the rest was stored.
    SpecialBits = 11, "stored without its set-user-id, set-group-id or sticky bit";
}

impl RejectReason {
    /// Whether the path was brought back all the same, in another form.
    pub fn is_stored(self) -> bool {
        matches!(self, Self::HardLink | Self::SpecialBits)
    }
}

impl std::fmt::Display for RejectReason {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}
