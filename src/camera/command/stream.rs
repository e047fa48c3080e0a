//! Frames in the bytes that a program writes: MJPEG, YUV4MPEG2 or raw. Pure.

use crate::config::CommandFormat;
use crate::media::decode::{Layout, Range};
use crate::media::photo::MAX_PIXELS;
use crate::media::photo::jpeg::{self, JpegError, SOI};
use crate::vocabulary::encoding::Encoding;

/// Longer than any line before a frame that a known program writes.
const MAX_HEADER: usize = 1024;

/// Bytes without the start of a picture after which it is sure that none will come. Before the first
/// one there may be the headers of a multipart message.
const MAX_RUBBISH: usize = 1 << 16;

/// No camera's JPEG is as large.
const MAX_JPEG: usize = 1 << 25;

/// Why a stream cannot be read on.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    #[error("it writes neither MJPEG nor YUV4MPEG2 but {} (name its raw format in camera.format)", shown(.0))]
    Unknown(Vec<u8>),
    #[error("it writes H.264 (have it write MJPEG: rpicam-vid --codec mjpeg, ffmpeg -c:v mjpeg -f mjpeg)")]
    H264,
    #[error("its YUV4MPEG2 header {0:?} is not known (for ffmpeg: -pix_fmt yuv420p -f yuv4mpegpipe)")]
    Header(String),
    #[error("{width}x{height} pixels are beyond the limit of {} megapixels", MAX_PIXELS / 1_000_000)]
    TooLarge { width: u64, height: u64 },
    #[error("between two frames there is {} (does it write text to its output, too?)", shown(.0))]
    OutOfStep(Vec<u8>),
    #[error("a picture does not end within {} bytes", MAX_JPEG)]
    Endless,
}

/// The first bytes as text, with what cannot be printed escaped.
fn shown(bytes: &[u8]) -> String {
    format!("\"{}\"", bytes[..bytes.len().min(16)].escape_ascii())
}

/// What is known of the stream.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Unknown,
    Mjpeg,
    /// Frames of a fixed size, in YUV4MPEG2 each after a line.
    Fixed {
        layout: Layout,
        marked: bool,
        /// A pixel's width over its height.
        aspect: f64,
    },
}

/// One frame's bytes, or what was cut short where one should be.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    Frame(Layout, Vec<u8>),
    Damaged(JpegError),
}

/// Takes bytes as they come, gives frames.
#[derive(Debug)]
pub struct Splitter {
    kind: Kind,
    buffer: Vec<u8>,
    /// Bytes of `buffer` that are done with.
    done: usize,
    /// Bytes in which no picture begins since the last one.
    rubbish: usize,
}

impl Splitter {
    /// `size`: width and height of raw frames.
    pub fn new(format: CommandFormat, (width, height): (u32, u32)) -> Self {
        let kind = match format {
            CommandFormat::Auto => Kind::Unknown,
            CommandFormat::Raw(encoding) => {
                let layout = Layout { encoding, width, height, stride: 0, range: Range::Limited };
                Kind::Fixed { layout, marked: false, aspect: 1.0 }
            }
        };
        Self { kind, buffer: Vec::new(), done: 0, rubbish: 0 }
    }

    /// Adds what was read.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.done);
        self.done = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole frame among what was added.
    ///
    /// # Errors
    /// When what follows cannot be read.
    pub fn next(&mut self) -> Result<Option<Piece>, StreamError> {
        if self.kind == Kind::Unknown && !self.recognise()? {
            return Ok(None);
        }
        match self.kind {
            Kind::Unknown => Ok(None),
            Kind::Mjpeg => self.next_jpeg(),
            Kind::Fixed { layout, marked, .. } => self.next_fixed(layout, marked),
        }
    }

    /// What the pictures are, for people; `None` before the first.
    pub fn name(&self) -> Option<&'static str> {
        match self.kind {
            Kind::Unknown => None,
            Kind::Mjpeg => Some("MJPEG"),
            Kind::Fixed { marked: true, .. } => Some("YUV4MPEG2"),
            Kind::Fixed { marked: false, .. } => Some("raw"),
        }
    }

    /// Width over height of the frames' pixels.
    pub fn aspect(&self) -> f64 {
        match self.kind {
            Kind::Fixed { aspect, .. } => aspect,
            Kind::Unknown | Kind::Mjpeg => 1.0,
        }
    }

    /// Why there are no pictures, when there is something else.
    pub fn unknown(&self) -> Option<StreamError> {
        let rest = self.rest();
        let unknown = self.kind == Kind::Unknown && !rest.is_empty();
        unknown.then(|| StreamError::Unknown(rest[..rest.len().min(16)].to_vec()))
    }

    fn rest(&self) -> &[u8] {
        &self.buffer[self.done..]
    }

    /// Whether it is known by now what the stream is.
    fn recognise(&mut self) -> Result<bool, StreamError> {
        const Y4M: &[u8] = b"YUV4MPEG2 ";
        let rest = self.rest();
        let common = rest.len().min(Y4M.len());
        if common > 0 && rest[..common] == Y4M[..common] {
            let Some(line) = line(rest) else {
                return if rest.len() > MAX_HEADER { Err(header(rest)) } else { Ok(false) };
            };
            let (layout, aspect) = y4m_layout(line)?;
            self.done += line.len() + 1;
            self.kind = Kind::Fixed { layout, marked: true, aspect };
            return Ok(true);
        }
        // A start code and the sequence parameter set (ITU-T H.264, 7.3.1 and annex B).
        if rest.len() >= 5 && (rest.starts_with(&[0, 0, 0, 1, 0x67]) || rest.starts_with(&[0, 0, 0, 1, 0x27]))
        {
            return Err(StreamError::H264);
        }
        match picture_start(rest) {
            Some(_) => {
                self.kind = Kind::Mjpeg;
                Ok(true)
            }
            None if rest.len() > MAX_RUBBISH => Err(StreamError::Unknown(rest[..16].to_vec())),
            None => Ok(false),
        }
    }

    fn next_jpeg(&mut self) -> Result<Option<Piece>, StreamError> {
        let Some(start) = picture_start(self.rest()) else {
            // The last two may be the start of a start.
            let rest = self.rest();
            let passed = rest.len().saturating_sub(2);
            if self.rubbish + passed > MAX_RUBBISH {
                return Err(StreamError::Unknown(rest[..rest.len().min(16)].to_vec()));
            }
            self.rubbish += passed;
            self.done += passed;
            return Ok(None);
        };
        self.done += start;
        self.rubbish = 0;
        let rest = self.rest();
        match jpeg::length(rest) {
            Ok(length) => {
                let bytes = without_header(&rest[..length]).to_vec();
                self.done += length;
                let layout =
                    Layout { encoding: Encoding::Mjpeg, width: 0, height: 0, stride: 0, range: Range::Full };
                Ok(Some(Piece::Frame(layout, bytes)))
            }
            Err(JpegError::Truncated) if rest.len() > MAX_JPEG => Err(StreamError::Endless),
            Err(JpegError::Truncated) => Ok(None),
            Err(error) => {
                self.done += SOI.len();
                Ok(Some(Piece::Damaged(error)))
            }
        }
    }

    fn next_fixed(&mut self, layout: Layout, marked: bool) -> Result<Option<Piece>, StreamError> {
        let rest = self.rest();
        let mut start = 0;
        if marked {
            const FRAME: &[u8] = b"FRAME";
            let common = rest.len().min(FRAME.len());
            if rest[..common] != FRAME[..common] {
                return Err(StreamError::OutOfStep(rest[..rest.len().min(16)].to_vec()));
            }
            start = match line(rest) {
                Some(line) => line.len() + 1,
                None if rest.len() > MAX_HEADER => return Err(header(rest)),
                None => return Ok(None),
            };
        }
        let Some(frame) = rest.get(start..start + layout.frame_bytes()) else { return Ok(None) };
        let piece = Piece::Frame(layout, frame.to_vec());
        self.done += start + layout.frame_bytes();
        Ok(Some(piece))
    }
}

/// Without the header of a multipart message's next part, which stands at the end of a picture that has no end marker:
/// it would be taken for data.
fn without_header(picture: &[u8]) -> &[u8] {
    if !picture.ends_with(b"\r\n\r\n") {
        return picture;
    }
    let from = picture.len().saturating_sub(MAX_HEADER);
    let boundary = picture[from..].windows(4).rposition(|four| four == b"\r\n--");
    boundary.map_or(picture, |at| &picture[..from + at])
}

/// Where a JPEG begins: its start marker and that of the first segment.
fn picture_start(bytes: &[u8]) -> Option<usize> {
    bytes.windows(3).position(|three| three == [SOI[0], SOI[1], 0xff])
}

/// The bytes before the first line feed.
fn line(bytes: &[u8]) -> Option<&[u8]> {
    let end = bytes.iter().take(MAX_HEADER).position(|byte| *byte == b'\n')?;
    Some(&bytes[..end])
}

fn header(bytes: &[u8]) -> StreamError {
    StreamError::Header(String::from_utf8_lossy(&bytes[..bytes.len().min(64)]).into_owned())
}

/// What a YUV4MPEG2 stream's first line says: words of a letter and a value (yuv4mpeg(5), mjpegtools).
/// Also the width of a pixel over its height.
fn y4m_layout(line: &[u8]) -> Result<(Layout, f64), StreamError> {
    let unknown = || header(line);
    let text = str::from_utf8(line).map_err(|_| unknown())?;
    let (mut width, mut height, mut encoding, mut range) = (0_u64, 0_u64, Encoding::I420, Range::Limited);
    let mut aspect = 1.0;
    for word in text.split_ascii_whitespace().skip(1) {
        let (tag, value) = word.split_at_checked(1).ok_or_else(unknown)?;
        match (tag, value) {
            ("W", _) => width = value.parse().map_err(|_| unknown())?,
            ("H", _) => height = value.parse().map_err(|_| unknown())?,
            // Where in its pixels the chroma was sampled is no matter.
            ("C", "420" | "420jpeg" | "420mpeg2" | "420paldv") => encoding = Encoding::I420,
            ("C", "422") => encoding = Encoding::I422,
            ("C", "444") => encoding = Encoding::I444,
            ("C", "mono") => encoding = Encoding::Grey,
            ("C", _) => return Err(unknown()),
            // 0:0 where it is not known.
            ("A", _) => {
                let (across, up) = value.split_once(':').ok_or_else(unknown)?;
                let ratio = across.parse::<f64>().ok().zip(up.parse::<f64>().ok()).ok_or_else(unknown)?;
                aspect = if ratio.0 > 0.0 && ratio.1 > 0.0 { ratio.0 / ratio.1 } else { 1.0 };
            }
            ("X", "COLORRANGE=FULL") => range = Range::Full,
            _ => {}
        }
    }
    if width.saturating_mul(height) > MAX_PIXELS {
        return Err(StreamError::TooLarge { width, height });
    }
    match (u32::try_from(width), u32::try_from(height)) {
        (Ok(width @ 1..), Ok(height @ 1..)) => {
            Ok((Layout { encoding, width, height, stride: 0, range }, aspect))
        }
        _ => Err(unknown()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::decode;

    fn jpeg(level: u8) -> Vec<u8> {
        let picture =
            image::RgbImage::from_fn(24, 16, |x, y| image::Rgb([level, (x * 9) as u8, (y * 9) as u8]));
        let mut bytes = Vec::new();
        image::codecs::jpeg::JpegEncoder::new(&mut bytes).encode_image(&picture).expect("encoded");
        bytes
    }

    /// All pieces when the bytes come in parts of `size`, and how it ended.
    fn split(format: CommandFormat, bytes: &[u8], size: usize) -> (Vec<Piece>, Result<(), StreamError>) {
        let mut splitter = Splitter::new(format, (4, 2));
        let mut pieces = Vec::new();
        for part in bytes.chunks(size) {
            splitter.push(part);
            loop {
                match splitter.next() {
                    Ok(Some(piece)) => pieces.push(piece),
                    Ok(None) => break,
                    Err(error) => return (pieces, Err(error)),
                }
            }
        }
        (pieces, Ok(()))
    }

    #[test]
    fn jpegs_among_headers_and_losses() {
        let (one, two, three) = (jpeg(10), jpeg(90), jpeg(200));
        let lost = &two[..two.len() - 40];
        let stream =
            [b"--frame\r\nContent-Type: image/jpeg\r\n\r\n", &*one, b"\r\n--frame\r\n\r\n", lost, &three];
        for size in [1, 7, 4096] {
            let (pieces, end) = split(CommandFormat::Auto, &stream.concat(), size);
            assert_eq!(end, Ok(()));
            let [Piece::Frame(_, first), Piece::Frame(layout, cut), Piece::Frame(_, last)] = &pieces[..]
            else {
                panic!("{pieces:?}");
            };
            assert_eq!((first, last), (&one, &three));
            assert!(decode::decode(layout, cut).is_err(), "blocks are missing");
        }
    }

    #[test]
    fn jpegs_without_their_end_markers() {
        let (one, two) = (jpeg(10), jpeg(90));
        let unmarked = |jpeg: &[u8]| jpeg[..jpeg.len() - 2].to_vec();
        let header = b"\r\n--frame\r\nContent-Type: image/jpeg\r\n\r\n".as_slice();
        for between in [b"".as_slice(), header] {
            let stream = [&unmarked(&one), between, &unmarked(&two), between, &one].concat();
            let (pieces, end) = split(CommandFormat::Auto, &stream, 64);
            assert_eq!((pieces.len(), end), (3, Ok(())));
            for (piece, whole) in pieces.iter().zip([&one, &two, &one]) {
                let Piece::Frame(layout, bytes) = piece else { panic!("{piece:?}") };
                let decoded = decode::decode(layout, bytes).expect("whole").data;
                assert_eq!(decoded, decode::decode(layout, whole).expect("whole").data);
            }
            let cut = [&one[..one.len() - 20], between, &two].concat();
            let (pieces, _) = split(CommandFormat::Auto, &cut, 64);
            let Piece::Frame(layout, bytes) = &pieces[0] else { panic!("{pieces:?}") };
            assert!(decode::decode(layout, bytes).is_err(), "a header is no data");
        }
    }

    #[test]
    fn yuv4mpeg2_says_what_it_is() {
        let frame: Vec<u8> = (0..12).collect();
        let head = b"YUV4MPEG2 W4 H2 F30:1 Ip A1:1 C420jpeg XYSCSS=420JPEG XCOLORRANGE=FULL\n";
        let stream = [head, b"FRAME\n".as_slice(), &frame, b"FRAME Ip\n", &frame, b"FRAME\n"].concat();
        for size in [1, 5, 4096] {
            let (pieces, end) = split(CommandFormat::Auto, &stream, size);
            let layout =
                Layout { encoding: Encoding::I420, width: 4, height: 2, stride: 0, range: Range::Full };
            assert_eq!(end, Ok(()));
            assert_eq!(pieces, [Piece::Frame(layout, frame.clone()), Piece::Frame(layout, frame.clone())]);
            assert_eq!(
                y4m_layout(b"YUV4MPEG2 W4 H2 A64:45"),
                Ok((Layout { range: Range::Limited, ..layout }, 64.0 / 45.0))
            );
        }
        let broken = [&stream[..head.len() + 6 + 12], b"progress: 1 %"].concat();
        let (pieces, end) = split(CommandFormat::Auto, &broken, 4096);
        assert_eq!((pieces.len(), end), (1, Err(StreamError::OutOfStep(b"progress: 1 %".to_vec()))));
        for (head, word) in [
            ("YUV4MPEG2 W4 H2 C420p10\n", "-pix_fmt yuv420p"),
            ("YUV4MPEG2 W4\n", "not known"),
            ("YUV4MPEG2 W400000 H200000\n", "megapixels"),
            ("YUV4MPEG2 W18446744073709551615 H18446744073709551615\n", "megapixels"),
        ] {
            let error = split(CommandFormat::Auto, head.as_bytes(), 4096).1.expect_err(head).to_string();
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn raw_frames_are_counted_off() {
        let bytes: Vec<u8> = (0..60).collect();
        let (pieces, end) = split(CommandFormat::Raw(Encoding::Rgb), &bytes, 11);
        let frames: Vec<u8> = pieces
            .iter()
            .map(|piece| match piece {
                Piece::Frame(layout, frame) => {
                    assert_eq!((layout.encoding, frame.len()), (Encoding::Rgb, 24));
                    frame[0]
                }
                Piece::Damaged(reason) => panic!("{reason}"),
            })
            .collect();
        assert_eq!((frames, end), (vec![0, 24], Ok(())));
    }

    #[test]
    fn what_holds_no_pictures_is_told() {
        let text = b"Usage: camera [OPTIONS]\n".repeat(4000);
        let error = split(CommandFormat::Auto, &text, 4096).1.expect_err("text").to_string();
        assert!(error.contains("Usage: camera [O") && error.contains("camera.format"), "{error}");
        let h264 = [0, 0, 0, 1, 0x67, 0x42, 0, 0x1f];
        assert_eq!(split(CommandFormat::Auto, &h264, 3).1, Err(StreamError::H264));
        let after = [jpeg(1), text].concat();
        let (pieces, end) = split(CommandFormat::Auto, &after, 4096);
        assert!(matches!(end, Err(StreamError::Unknown(_))) && pieces.len() == 1);
    }
}
