//! How pictures' bytes are laid out as cameras and programs send them.

/// How a camera encodes its frames, with V4L2's four-character code (linux/videodev2.h) where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Encoding {
    /// `RGB3`: red, green, blue.
    Rgb,
    /// `BGR3`: blue, green, red.
    Bgr,
    /// `YUYV`: two pixels in four bytes: Y, Cb, Y, Cr.
    Yuyv,
    /// `UYVY`: two pixels in four bytes: Cb, Y, Cr, Y.
    Uyvy,
    /// `NV12`: all Y, then Cb and Cr of each two by two pixels.
    Nv12,
    /// `YU12`: all Y, then all Cb, then all Cr, one of each for two by two pixels.
    I420,
    /// All Y, then all Cb, then all Cr, one of each for two pixels of a row.
    I422,
    /// All Y, then all Cb, then all Cr, one of each a pixel.
    I444,
    /// `MJPG`, `JPEG`: a JPEG each.
    Mjpeg,
    /// `GREY`: luma only.
    Grey,
}

impl Encoding {
    /// What V4L2 devices are asked for, in the order of preference: colour before grey, cheap before dear.
    pub const ALL: [(Self, [u8; 4]); 9] = [
        (Self::Rgb, *b"RGB3"),
        (Self::Bgr, *b"BGR3"),
        (Self::Yuyv, *b"YUYV"),
        (Self::Uyvy, *b"UYVY"),
        (Self::Nv12, *b"NV12"),
        (Self::I420, *b"YU12"),
        (Self::Mjpeg, *b"MJPG"),
        (Self::Mjpeg, *b"JPEG"),
        (Self::Grey, *b"GREY"),
    ];

    /// What a program may write as bare frames: rows without padding, Y'CbCr in limited range. The names are those of
    /// the configuration.
    pub const RAW: [(&'static str, Self); 7] = [
        ("rgb", Self::Rgb),
        ("bgr", Self::Bgr),
        ("yuyv", Self::Yuyv),
        ("uyvy", Self::Uyvy),
        ("nv12", Self::Nv12),
        ("i420", Self::I420),
        ("grey", Self::Grey),
    ];

    /// The encoding that V4L2 calls `fourcc`; `None` for one that is not decoded here.
    pub fn from_fourcc(fourcc: [u8; 4]) -> Option<Self> {
        Self::ALL.iter().find(|(_, code)| *code == fourcc).map(|(encoding, _)| *encoding)
    }
}
