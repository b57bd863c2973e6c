//! MySQL packets: a three-byte length, a sequence number, a payload; payloads of 16 MB and more go in several packets.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// The longest payload of one packet; a packet this long is followed by another.
pub(super) const LONGEST: usize = 0x00ff_ffff;

pub(super) const COM_QUIT: u8 = 0x01;
pub(super) const COM_QUERY: u8 = 0x03;
pub(super) const COM_CHANGE_USER: u8 = 0x11;
pub(super) const COM_STMT_PREPARE: u8 = 0x16;
pub(super) const COM_STMT_CLOSE: u8 = 0x19;
pub(super) const COM_RESET_CONNECTION: u8 = 0x1f;

/// Length and sequence number of a packet header.
pub(super) fn header(bytes: [u8; 4]) -> (usize, u8) {
    let [a, b, c, sequence] = bytes;
    (usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16, sequence)
}

/// Appends `payload` to `out` as one packet or as many as it needs, numbered from `sequence`.
/// Gives the number of the packet that would come next.
pub(super) fn frame(out: &mut Vec<u8>, mut sequence: u8, payload: &[u8]) -> u8 {
    let mut rest = payload;
    loop {
        let (part, after) = rest.split_at(rest.len().min(LONGEST));
        #[expect(clippy::cast_possible_truncation, reason = "a part is at most three bytes long")]
        let length = (part.len() as u32).to_le_bytes();
        out.extend_from_slice(&[length[0], length[1], length[2], sequence]);
        out.extend_from_slice(part);
        sequence = sequence.wrapping_add(1);
        // A payload of exactly 16 MB ends with an empty packet.
        if part.len() < LONGEST {
            return sequence;
        }
        rest = after;
    }
}

/// One packet on its own, as in the handshake: reads not a byte more than it. Gives its sequence number and payload.
pub(super) async fn read<R: AsyncRead + Unpin + ?Sized>(from: &mut R, longest: usize) -> io::Result<(u8, Vec<u8>)> {
    let mut head = [0; 4];
    from.read_exact(&mut head).await?;
    let (length, sequence) = header(head);
    if length > longest {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a packet of {length} bytes, out of place")));
    }
    let mut payload = vec![0; length];
    from.read_exact(&mut payload).await?;
    Ok((sequence, payload))
}

/// An error as a client sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SqlError {
    pub(crate) code: u16,
    pub(crate) state: &'static str,
    pub(crate) message: String,
}

impl SqlError {
    pub(crate) fn new(code: u16, state: &'static str, message: impl Into<String>) -> Self {
        SqlError { code, state, message: message.into() }
    }

    /// The payload of the ERR packet.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = vec![0xff];
        out.extend_from_slice(&self.code.to_le_bytes());
        out.push(b'#');
        out.extend_from_slice(self.state.as_bytes());
        out.extend_from_slice(self.message.as_bytes());
        out
    }
}

/// The message of an ERR packet's payload, without code and state.
pub(super) fn error_message(payload: &[u8]) -> String {
    let text = payload.get(3..).unwrap_or_default();
    let text = if text.first() == Some(&b'#') { text.get(6..).unwrap_or_default() } else { text };
    String::from_utf8_lossy(text).into_owned()
}

/// The fields of an OK packet that are of use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Done {
    pub(super) affected: u64,
    pub(super) status: u16,
    pub(super) warnings: u16,
    pub(super) info: String,
}

impl Done {
    /// Reads the payload of an OK packet. Both engines give `info` a length, agreed on or not.
    pub(super) fn decode(payload: &[u8]) -> io::Result<Self> {
        let mut reader = Reader(payload.get(1..).unwrap_or_default());
        let affected = reader.integer()?;
        reader.integer()?;
        let status = reader.u16()?;
        let warnings = reader.u16()?;
        let info = if reader.0.is_empty() { reader.0 } else { reader.text()? };
        Ok(Done { affected, status, warnings, info: String::from_utf8_lossy(info).into_owned() })
    }

    /// The payload of the OK packet.
    pub(super) fn encode(&self) -> Vec<u8> {
        const SESSION_STATE_CHANGED: u16 = 0x4000;
        let mut out = vec![0];
        put_integer(&mut out, self.affected);
        put_integer(&mut out, 0);
        out.extend_from_slice(&(self.status & !SESSION_STATE_CHANGED).to_le_bytes());
        out.extend_from_slice(&self.warnings.to_le_bytes());
        put_integer(&mut out, self.info.len() as u64);
        out.extend_from_slice(self.info.as_bytes());
        out
    }
}

/// Appends a length-encoded integer.
pub(super) fn put_integer(out: &mut Vec<u8>, value: u64) {
    let bytes = value.to_le_bytes();
    match value {
        0..=250 => out.push(bytes[0]),
        251..=0xffff => {
            out.push(0xfc);
            out.extend_from_slice(&bytes[..2]);
        }
        0x1_0000..=0xff_ffff => {
            out.push(0xfd);
            out.extend_from_slice(&bytes[..3]);
        }
        _ => {
            out.push(0xfe);
            out.extend_from_slice(&bytes);
        }
    }
}

/// Reads a payload from its front.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn take(&mut self, length: usize) -> io::Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or_else(short)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn u8(&mut self) -> io::Result<u8> {
        Ok(self.take(1)?[0])
    }

    pub(super) fn u16(&mut self) -> io::Result<u16> {
        let bytes = self.take(2)?;
        Ok(u16::from_le_bytes([bytes[0], bytes[1]]))
    }

    pub(super) fn u32(&mut self) -> io::Result<u32> {
        let bytes = self.take(4)?;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    /// Up to a zero byte, or to the end where the last one is left out.
    pub(super) fn zero_ended(&mut self) -> &'a [u8] {
        let end = self.0.iter().position(|byte| *byte == 0).unwrap_or(self.0.len());
        let text = &self.0[..end];
        self.0 = self.0.get(end + 1..).unwrap_or_default();
        text
    }

    /// A length-encoded integer.
    pub(super) fn integer(&mut self) -> io::Result<u64> {
        let width = match self.u8()? {
            0xfc => 2,
            0xfd => 3,
            0xfe => 8,
            0xfb | 0xff => return Err(short()),
            small => return Ok(u64::from(small)),
        };
        let mut bytes = [0; 8];
        bytes[..width].copy_from_slice(self.take(width)?);
        Ok(u64::from_le_bytes(bytes))
    }

    /// A length-encoded string.
    pub(super) fn text(&mut self) -> io::Result<&'a [u8]> {
        let length = usize::try_from(self.integer()?).map_err(io::Error::other)?;
        self.take(length)
    }

    /// A length-encoded string of a row, where NULL has a mark of its own.
    pub(super) fn nullable(&mut self) -> io::Result<Option<&'a [u8]>> {
        if self.0.first() == Some(&0xfb) {
            self.0 = &self.0[1..];
            return Ok(None);
        }
        self.text().map(Some)
    }
}

fn short() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a packet that is too short")
}

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn a_payload_of_16_megabytes_goes_in_two_packets_and_the_second_may_be_empty() {
        for (length, packets) in [(0, 1), (5, 1), (LONGEST - 1, 1), (LONGEST, 2), (LONGEST + 1, 2), (2 * LONGEST, 3)] {
            let mut out = Vec::new();
            let next = frame(&mut out, 254, &vec![7; length]);
            assert_eq!(next, 254u8.wrapping_add(packets), "{length}");
            assert_eq!(out.len(), length + 4 * usize::from(packets));
        }
    }

    #[test]
    fn an_ok_packet_reads_back_as_it_was_written() {
        for affected in [0, 250, 251, 65_536, 1 << 40] {
            let done = Done { affected, status: 2, warnings: 3, info: "Records: 3".into() };
            assert_eq!(Done::decode(&done.encode()).unwrap(), done);
        }
        assert!(Done::decode(&[0]).is_err());
    }

    #[tokio::test]
    async fn a_packet_that_is_longer_than_expected_is_refused_before_it_is_read() {
        let mut bytes: &[u8] = &[0xff, 0xff, 0xff, 0, 1, 2];
        assert!(read(&mut bytes, 1024).await.is_err());
        let mut bytes: &[u8] = &[2, 0, 0, 9, 1, 2, 3];
        assert_eq!(read(&mut bytes, 1024).await.unwrap(), (9, vec![1, 2]));
        assert_eq!(bytes, [3]);
    }

    #[test]
    fn an_error_keeps_its_code_state_and_message() {
        let payload = SqlError::new(1045, "28000", "Access denied").encode();
        assert_eq!(&payload[..9], b"\xff\x15\x04#28000");
        assert_eq!(error_message(&payload), "Access denied");
    }
}
