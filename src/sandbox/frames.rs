//! The wire between the gateway and a sandbox: length-prefixed frames over one Unix socket pair.
//!
//! `u32` little-endian length of the payload, `u8` kind, payload. Readers take exactly one frame and nothing behind it, because the outer
//! stage reads the first frame of a connection and the supervisor the others.

use std::io::{self, Read, Write};

/// The longest payload. A longer one is a broken peer.
pub const MAX_PAYLOAD: usize = 1 << 20;
/// Length and kind.
pub const HEADER: usize = 5;

macro_rules! kinds {
    ($($(#[$doc:meta])+ $variant:ident = $number:literal,)+) => {
        /// What a frame is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        pub enum FrameKind {
            $($(#[$doc])+ $variant = $number,)+
        }

        impl FrameKind {
            /// The kind with that number.
            pub fn parse(number: u8) -> Option<Self> {
                match number {
                    $($number => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }
    };
}

kinds! {
    /// To the outer stage: JSON `StageSetup`.
    Stage = 1,
    /// To the supervisor: JSON `SupervisorSetup`.
    Setup = 2,
    /// To the supervisor: a file or directory of the projection.
    Entry = 3,
    /// To the supervisor: content of the last entry.
    Data = 4,
    /// To the supervisor: the projection is whole.
    Projected = 5,
    /// To the supervisor: bytes for the command's standard input.
    Stdin = 6,
    /// To the supervisor: standard input ends behind what was sent.
    StdinEof = 7,
    /// To the supervisor: one byte, the number of a signal for every process of the command.
    Signal = 8,
    /// To the supervisor: end everything at once.
    Kill = 9,
    /// To the gateway: JSON `StageFailure`.
    Failed = 32,
    /// To the gateway: JSON `Ready`.
    Ready = 33,
    /// To the gateway: JSON `Started`.
    Started = 34,
    /// To the gateway: JSON `StartFailed`.
    StartFailed = 35,
    /// To the gateway: JSON `Exit`.
    Exited = 36,
    /// To the gateway: a file or directory that is new or changed.
    Change = 37,
    /// To the gateway: content of the last change.
    ChangeData = 38,
    /// To the gateway: a path that is gone.
    Delete = 39,
    /// To the gateway: a path that cannot be brought back.
    Reject = 40,
    /// To the gateway: JSON counts; the changes are whole.
    End = 41,
    /// To the gateway: `u32` little-endian, bytes of standard input that left the supervisor's buffer.
    StdinTaken = 42,
    /// To the gateway: the command reads its standard input no more.
    StdinClosed = 43,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// What it is.
    pub kind: FrameKind,
    /// Its content.
    pub payload: Vec<u8>,
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

/// Length of the payload and kind.
fn parse_header(header: [u8; HEADER]) -> io::Result<(usize, FrameKind)> {
    let [a, b, c, d, number] = header;
    let length = u32::from_le_bytes([a, b, c, d]) as usize;
    if length > MAX_PAYLOAD {
        return Err(invalid(format!("a frame of {length} bytes was announced; the most is {MAX_PAYLOAD}")));
    }
    let kind = FrameKind::parse(number).ok_or_else(|| invalid(format!("a frame of the unknown kind {number} came")))?;
    Ok((length, kind))
}

/// The bytes of a frame.
pub fn encode(kind: FrameKind, payload: &[u8]) -> io::Result<Vec<u8>> {
    let length = u32::try_from(payload.len()).ok().filter(|_| payload.len() <= MAX_PAYLOAD);
    let Some(length) = length else {
        return Err(invalid(format!("a frame of {} bytes cannot be sent; the most is {MAX_PAYLOAD}", payload.len())));
    };
    let mut bytes = Vec::with_capacity(HEADER + payload.len());
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.push(kind as u8);
    bytes.extend_from_slice(payload);
    Ok(bytes)
}

/// The bytes of a frame whose payload is JSON.
pub fn encode_json(kind: FrameKind, value: &impl serde::Serialize) -> io::Result<Vec<u8>> {
    encode(kind, &serde_json::to_vec(value)?)
}

/// Sends one frame in one write.
pub fn write_frame(writer: &mut impl Write, kind: FrameKind, payload: &[u8]) -> io::Result<()> {
    writer.write_all(&encode(kind, payload)?)
}

/// Sends one frame whose payload is JSON.
pub fn write_json(writer: &mut impl Write, kind: FrameKind, value: &impl serde::Serialize) -> io::Result<()> {
    writer.write_all(&encode_json(kind, value)?)
}

/// Takes exactly one frame. `None` when the peer closed the connection between two frames.
pub fn read_frame(reader: &mut impl Read) -> io::Result<Option<Frame>> {
    let mut header = [0; HEADER];
    let mut filled = 0;
    while filled < HEADER {
        match reader.read(&mut header[filled..]) {
            Ok(0) if filled == 0 => return Ok(None),
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let (length, kind) = parse_header(header)?;
    let mut payload = vec![0; length];
    reader.read_exact(&mut payload)?;
    Ok(Some(Frame { kind, payload }))
}

/// Takes one frame of that kind, with JSON in it.
pub fn read_json<T: serde::de::DeserializeOwned>(reader: &mut impl Read, kind: FrameKind) -> io::Result<T> {
    let frame = read_frame(reader)?.ok_or(io::ErrorKind::UnexpectedEof)?;
    if frame.kind != kind {
        return Err(invalid(format!("a frame {:?} came where {kind:?} belongs", frame.kind)));
    }
    frame.json()
}

impl Frame {
    /// The payload as JSON.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> io::Result<T> {
        serde_json::from_slice(&self.payload).map_err(|error| invalid(format!("frame {:?}: {error}", self.kind)))
    }
}

/// Puts frames together from whatever pieces arrive: for readers that must not block.
#[derive(Debug, Default)]
pub struct FrameDecoder {
    buffer: Vec<u8>,
    /// Bytes at the front that were handed out.
    taken: usize,
}

impl FrameDecoder {
    /// Adds bytes that arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.taken > 0 {
            self.buffer.drain(..self.taken);
            self.taken = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole frame.
    pub fn frame(&mut self) -> io::Result<Option<Frame>> {
        let rest = &self.buffer[self.taken..];
        let Some(header) = rest.first_chunk::<HEADER>() else { return Ok(None) };
        let (length, kind) = parse_header(*header)?;
        let Some(payload) = rest.get(HEADER..HEADER + length) else { return Ok(None) };
        let frame = Frame { kind, payload: payload.to_vec() };
        self.taken += HEADER + length;
        if self.taken == self.buffer.len() {
            self.buffer.clear();
            self.taken = 0;
        }
        Ok(Some(frame))
    }

    /// Whether a part of a frame is waiting for its rest.
    pub fn is_torn(&self) -> bool {
        self.taken < self.buffer.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn readers_take_one_frame_and_nothing_behind_it() {
        let mut wire = encode(FrameKind::Stage, b"one").unwrap();
        wire.extend(encode(FrameKind::Setup, b"").unwrap());
        let mut reader = wire.as_slice();
        let first = read_frame(&mut reader).unwrap().unwrap();
        assert_eq!((first.kind, first.payload.as_slice()), (FrameKind::Stage, b"one".as_slice()));
        assert_eq!(reader.len(), HEADER, "the second frame is still there");
        assert_eq!(read_frame(&mut reader).unwrap().unwrap().kind, FrameKind::Setup);
        assert!(read_frame(&mut reader).unwrap().is_none());
    }

    #[test]
    fn broken_peers_are_told_from_an_end() {
        let torn = |bytes: &[u8]| read_frame(&mut &bytes[..]).unwrap_err().kind();
        assert_eq!(torn(&[1, 0]), io::ErrorKind::UnexpectedEof);
        assert_eq!(torn(&[1, 0, 0, 0, 6]), io::ErrorKind::UnexpectedEof);
        assert_eq!(torn(&[0, 0, 0, 0, 200]), io::ErrorKind::InvalidData);
        assert_eq!(torn(&[1, 0, 16, 0, 6]), io::ErrorKind::InvalidData);
        assert!(encode(FrameKind::Data, &vec![0; MAX_PAYLOAD + 1]).is_err());
        assert!(encode(FrameKind::Data, &vec![0; MAX_PAYLOAD]).is_ok());
    }

    proptest! {
        #[test]
        fn pieces_of_any_size_make_the_same_frames(
            payloads in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..12),
            sizes in proptest::collection::vec(1_usize..64, 1..40),
        ) {
            let wire: Vec<u8> =
                payloads.iter().flat_map(|payload| encode(FrameKind::Stdin, payload).unwrap()).collect();
            let mut decoder = FrameDecoder::default();
            let mut got = Vec::new();
            let mut rest = wire.as_slice();
            let mut sizes = sizes.into_iter().cycle();
            while !rest.is_empty() {
                let (piece, behind) = rest.split_at(sizes.next().unwrap().min(rest.len()));
                decoder.push(piece);
                while let Some(frame) = decoder.frame().unwrap() {
                    got.push(frame.payload);
                }
                rest = behind;
            }
            prop_assert_eq!(got, payloads);
            prop_assert!(!decoder.is_torn());
        }
    }
}
