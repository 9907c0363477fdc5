//! The gateway's bearer token on disk: made once, readable by its owner only.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{ErrorKind as IoKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use data_encoding::BASE64URL_NOPAD;
use ring::rand::{SecureRandom, SystemRandom};

use super::StatePaths;
use crate::core::{Error, ErrorKind, Result};
use crate::secrets::Secret;

/// Random bytes of a generated token.
const TOKEN_BYTES: usize = 32;
/// Shortest text accepted from an existing file.
const SHORTEST: usize = 16;
/// Longest text read from an existing file.
const LONGEST: u64 = 4096;

/// The token in `<state>/gateway-token`; generates one (32 random bytes, base64url, mode 0600) when there is none.
///
/// Two processes that start together get the same token: the file appears complete or not at all.
/// `State` errors when the file cannot be read, written, or holds something else than a token.
pub fn load_or_create(paths: &StatePaths) -> Result<Secret> {
    let path = paths.gateway_token();
    if let Some(secret) = read_file(&path)? {
        return Ok(secret);
    }
    let directory = paths.state_dir();
    DirBuilder::new().recursive(true).mode(0o700).create(&directory).map_err(|error| failure(&directory, error))?;
    create(&path)?;
    read_file(&path)?.ok_or_else(|| {
        Error::new(ErrorKind::State, format!("the gateway token {} vanished while it was being made", path.display()))
            .hint("start again; if it happens twice, something deletes files in the state directory")
    })
}

/// The token in `<state>/gateway-token`; `None` when there is none.
pub fn read(paths: &StatePaths) -> Result<Option<Secret>> {
    read_file(&paths.gateway_token())
}

fn read_file(path: &Path) -> Result<Option<Secret>> {
    let flags = nix::fcntl::OFlag::O_NOFOLLOW | nix::fcntl::OFlag::O_NONBLOCK;
    let file = match OpenOptions::new().read(true).custom_flags(flags.bits()).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == IoKind::NotFound => return Ok(None),
        Err(error) => return Err(failure(path, error)),
    };
    let metadata = file.metadata().map_err(|error| failure(path, error))?;
    if !metadata.is_file() {
        return Err(malformed(path, "it is not a regular file"));
    }
    if metadata.permissions().mode() & 0o077 != 0 {
        tracing::warn!(path = %path.display(), "the gateway token was readable by others; its mode is set to 0600");
        file.set_permissions(fs::Permissions::from_mode(0o600)).map_err(|error| failure(path, error))?;
    }
    let mut text = String::new();
    file.take(LONGEST).read_to_string(&mut text).map_err(|error| failure(path, error))?;
    let token = text.trim();
    if token.len() < SHORTEST || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(malformed(path, "it must hold at least 16 visible ASCII characters on one line"));
    }
    Ok(Some(Secret::new(token)))
}

/// Writes a temporary sibling and links it into place, so that nobody sees half a token and an existing one wins.
fn create(path: &Path) -> Result<()> {
    let random = SystemRandom::new();
    let mut bytes = [0_u8; TOKEN_BYTES];
    let mut suffix = [0_u8; 8];
    random
        .fill(&mut bytes)
        .and_then(|()| random.fill(&mut suffix))
        .map_err(|error| Error::internal("the system's random source does not answer").why(error.to_string()))?;
    let temporary = path.with_extension(format!("{}.tmp", BASE64URL_NOPAD.encode(&suffix)));
    let written = write_private(&temporary, BASE64URL_NOPAD.encode(&bytes).as_bytes());
    let placed = written.and_then(|()| match fs::hard_link(&temporary, path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == IoKind::AlreadyExists => Ok(()),
        // Some file systems have no hard links.
        Err(_) => fs::rename(&temporary, path),
    });
    match fs::remove_file(&temporary) {
        Ok(()) => {}
        Err(error) if error.kind() == IoKind::NotFound => {}
        Err(error) => tracing::warn!(path = %temporary.display(), %error, "a temporary token file stays behind"),
    }
    placed.map_err(|error| failure(path, error))
}

fn write_private(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(content)?;
    file.write_all(b"\n")?;
    file.sync_all()
}

fn failure(path: &Path, error: std::io::Error) -> Error {
    Error::new(ErrorKind::State, format!("the gateway token {} cannot be used", path.display()))
        .hint("check that the state directory exists, is yours and is writable")
        .source(error)
}

fn malformed(path: &Path, why: &str) -> Error {
    Error::new(ErrorKind::State, format!("{} does not hold a gateway token", path.display()))
        .why(why)
        .hint("delete the file; the next start makes a fresh token")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths() -> (tempfile::TempDir, StatePaths) {
        let root = tempfile::tempdir().unwrap();
        let paths = StatePaths::new(root.path());
        (root, paths)
    }

    #[test]
    fn makes_one_token_and_keeps_it() {
        let (_root, paths) = paths();
        let first = load_or_create(&paths).unwrap();
        assert_eq!(BASE64URL_NOPAD.decode(first.expose().as_bytes()).unwrap().len(), TOKEN_BYTES);
        assert_eq!(load_or_create(&paths).unwrap(), first);
        let mode = fs::metadata(paths.gateway_token()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(paths.state_dir()).unwrap().count(), 1, "no temporary file stays");
    }

    #[test]
    fn tightens_the_mode_of_a_token_others_can_read() {
        let (_root, paths) = paths();
        load_or_create(&paths).unwrap();
        fs::set_permissions(paths.gateway_token(), fs::Permissions::from_mode(0o644)).unwrap();
        load_or_create(&paths).unwrap();
        assert_eq!(fs::metadata(paths.gateway_token()).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn refuses_links_and_rubbish() {
        let (root, paths) = paths();
        fs::create_dir_all(paths.state_dir()).unwrap();
        fs::write(paths.gateway_token(), "short\n").unwrap();
        assert_eq!(load_or_create(&paths).unwrap_err().kind(), ErrorKind::State);
        fs::remove_file(paths.gateway_token()).unwrap();
        fs::write(root.path().join("elsewhere"), "0123456789abcdef0123456789").unwrap();
        std::os::unix::fs::symlink(root.path().join("elsewhere"), paths.gateway_token()).unwrap();
        assert_eq!(load_or_create(&paths).unwrap_err().kind(), ErrorKind::State);
    }

    #[test]
    fn many_starters_agree() {
        let (_root, paths) = paths();
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let paths = paths.clone();
                std::thread::spawn(move || load_or_create(&paths).unwrap())
            })
            .collect();
        let tokens: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        assert!(tokens.windows(2).all(|pair| pair[0] == pair[1]));
    }
}
