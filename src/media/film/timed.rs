//! Frames with times on their way into `ffmpeg`: raw pictures in Matroska (RFC 9559), a cluster each.

use std::io::{self, Write};
use std::time::Duration;

/// A size that is not known before the end (RFC 8794, 6.2).
const UNKNOWN_SIZE: u64 = (1 << 56) - 1;

/// Writes RGB frames of one size.
#[derive(Debug)]
pub struct TimedFrames<W> {
    output: W,
    bytes: usize,
    duration: Vec<u8>,
}

impl<W: Write> TimedFrames<W> {
    /// Begins the stream. Each frame is said to be shown for `duration`; the next one ends it, of the last one it is
    /// true.
    pub fn begin(mut output: W, width: u32, height: u32, duration: Duration) -> io::Result<Self> {
        let header = [text(0x4282, b"matroska"), number(0x4287, 4), number(0x4285, 2)].concat();
        output.write_all(&element(0x1a45_dfa3, &header))?;
        output.write_all(&0x1853_8067_u32.to_be_bytes())?;
        output.write_all(&size(UNKNOWN_SIZE))?;
        // A tick is 1,000 ns.
        let info = [number(0x002a_d7b1, 1000), text(0x4d80, b"emotiond"), text(0x5741, b"emotiond")].concat();
        output.write_all(&element(0x1549_a966, &info))?;
        let video =
            [number(0xb0, width.into()), number(0xba, height.into()), text(0x002e_b524, b"RGB\x18")].concat();
        let track = [number(0xd7, 1), number(0x73c5, 1), number(0x83, 1), text(0x86, b"V_UNCOMPRESSED")];
        let track = [track.concat(), element(0xe0, &video)].concat();
        output.write_all(&element(0x1654_ae6b, &element(0xae, &track)))?;
        let duration = number(0x9b, duration.as_micros().try_into().unwrap_or(u64::MAX));
        Ok(Self { output, bytes: width as usize * height as usize * 3, duration })
    }

    /// # Panics
    /// When `rgb` has another size: a defect of the caller.
    pub fn write(&mut self, time: Duration, rgb: &[u8]) -> io::Result<()> {
        assert_eq!(rgb.len(), self.bytes, "a frame of another size");
        let timestamp = number(0xe7, time.as_micros().try_into().unwrap_or(u64::MAX));
        // Track 1, no time of its own within the cluster.
        let block = [0x81, 0, 0, 0];
        let head = [&[0xa1], size((block.len() + rgb.len()) as u64).as_slice(), &block].concat();
        let group = (head.len() + rgb.len() + self.duration.len()) as u64;
        let head = [timestamp.as_slice(), &[0xa0], &size(group), &head].concat();
        self.output.write_all(&0x1f43_b675_u32.to_be_bytes())?;
        self.output.write_all(&size((head.len() + rgb.len() + self.duration.len()) as u64))?;
        self.output.write_all(&head)?;
        self.output.write_all(rgb)?;
        self.output.write_all(&self.duration)
    }
}

/// An element with its identifier, whose leading zeros are not part of it.
fn element(id: u32, content: &[u8]) -> Vec<u8> {
    let id = id.to_be_bytes().into_iter().skip_while(|byte| *byte == 0);
    id.chain(size(content.len() as u64)).chain(content.iter().copied()).collect()
}

fn text(id: u32, content: &[u8]) -> Vec<u8> {
    element(id, content)
}

fn number(id: u32, value: u64) -> Vec<u8> {
    element(id, &value.to_be_bytes())
}

/// In eight bytes, the first of which says that it is eight.
fn size(length: u64) -> [u8; 8] {
    (length | 1 << 56).to_be_bytes()
}
