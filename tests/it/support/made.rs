//! Photos and films of the kinds that people have, made here of the portrait: no picture is committed.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::Command;

use image::{DynamicImage, ImageFormat, RgbImage, imageops};

use super::program::{portrait, text};

/// What is to be seen in an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// The portrait: its face, happy, where it is in the plain file.
    Portrait,
    /// The portrait, and something is wrong with the file.
    Warned,
    /// Nothing, and this is in the message.
    Refused(&'static str),
}

/// An input.
pub struct Made {
    pub path: PathBuf,
    pub expected: Expected,
    pub film: bool,
}

pub struct Maker<'a> {
    folder: &'a Path,
    plain: PathBuf,
    pub made: Vec<Made>,
}

/// Runs ffmpeg.
pub fn ffmpeg(args: &[&str]) {
    let done = Command::new("ffmpeg").args(["-v", "error", "-nostdin", "-y"]).args(args).status();
    assert!(done.expect("ffmpeg runs").success(), "{args:?}");
}

/// The portrait as a square of `side` pixels.
pub fn square(side: u32) -> RgbImage {
    imageops::thumbnail(&image::open(portrait()).expect("a picture").to_rgb8(), side, side)
}

pub fn encoded(picture: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.into().write_to(&mut bytes, format).expect("encoded");
    bytes.into_inner()
}

/// Exif with nothing but the orientation, as SHORT or LONG, after the JPEG's first marker.
pub fn with_orientation(jpeg: &[u8], orientation: u8, kind: u8) -> Vec<u8> {
    let mut exif =
        b"\xff\xe1\x00\x22Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0".to_vec();
    (exif[22], exif[28]) = (kind, orientation);
    [&jpeg[..2], &exif, &jpeg[2..]].concat()
}

impl<'a> Maker<'a> {
    pub fn new(folder: &'a Path) -> Self {
        let plain = folder.join("plain.png");
        square(256).save(&plain).expect("saved");
        let mut maker = Self { folder, plain, made: Vec::new() };
        maker.add("plain.png", Expected::Portrait, false);
        maker
    }

    fn add(&mut self, name: &str, expected: Expected, film: bool) {
        self.made.push(Made { path: self.folder.join(name), expected, film });
    }

    fn write(&mut self, name: &str, bytes: &[u8], expected: Expected) {
        fs::write(self.folder.join(name), bytes).expect("written");
        self.add(name, expected, false);
    }

    /// A photo that ffmpeg encodes.
    fn photo(&mut self, name: &str, options: &[&str]) {
        let path = self.folder.join(name);
        ffmpeg(&[&["-i", text(&self.plain)], options, &["-frames:v", "1", text(&path)]].concat());
        self.add(name, Expected::Portrait, false);
    }

    /// A film of a second; `filters` may bend it.
    fn film(&mut self, name: &str, filters: &str, options: &[&str]) -> PathBuf {
        let path = self.folder.join(name);
        let input: &[&str] = &["-loop", "1", "-framerate", "25", "-t", "1", "-i", text(&self.plain)];
        ffmpeg(&[input, ["-vf", filters].as_slice(), options, &[text(&path)]].concat());
        self.add(name, Expected::Portrait, true);
        path
    }

    pub fn photos(&mut self) {
        use Expected::{Portrait, Refused, Warned};
        let plain = square(256);
        let turned = |orientation: u8| -> RgbImage {
            match orientation {
                2 => imageops::flip_horizontal(&plain),
                3 => imageops::rotate180(&plain),
                4 => imageops::flip_vertical(&plain),
                5 => imageops::flip_horizontal(&imageops::rotate90(&plain)),
                6 => imageops::rotate270(&plain),
                7 => imageops::flip_horizontal(&imageops::rotate270(&plain)),
                8 => imageops::rotate90(&plain),
                _ => plain.clone(),
            }
        };
        for orientation in 1..=8 {
            let jpeg = encoded(turned(orientation), ImageFormat::Jpeg);
            let name = format!("orientation-{orientation}.jpg");
            self.write(&name, &with_orientation(&jpeg, orientation, 3), Portrait);
        }
        let jpeg = encoded(turned(6), ImageFormat::Jpeg);
        self.write("orientation-as-long.jpg", &with_orientation(&jpeg, 6, 4), Portrait);
        let jpeg = encoded(plain.clone(), ImageFormat::Jpeg);
        self.write("other-name.jfif", &jpeg, Portrait);
        self.write("grey.jpg", &encoded(imageops::grayscale(&plain), ImageFormat::Jpeg), Portrait);
        self.write("cut.jpg", &jpeg[..jpeg.len() / 2], Refused("cut short"));
        let frame = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).expect("a frame header");
        let changed = |at: usize, value: u8| {
            let mut bytes = jpeg.clone();
            bytes[frame + at] = value;
            bytes
        };
        self.write("arithmetic.jpg", &changed(1, 0xc9), Refused("arithmetically coded"));
        self.write("twelve-bits.jpg", &changed(4, 12), Refused("12 bits"));
        let deep = DynamicImage::ImageRgb8(plain.clone());
        self.write("sixteen-bits.png", &encoded(deep.to_rgb16(), ImageFormat::Png), Portrait);
        self.write("transparent.png", &encoded(deep.to_rgba8(), ImageFormat::Png), Portrait);
        let png = encoded(plain.clone(), ImageFormat::Png);
        self.write("no-end.png", &png[..png.len() - 12], Warned);
        self.write("cut.png", &png[..png.len() / 2], Refused("cut short"));
        for (name, format) in [
            ("lossless.webp", ImageFormat::WebP),
            ("plain.bmp", ImageFormat::Bmp),
            ("plain.tiff", ImageFormat::Tiff),
            ("plain.gif", ImageFormat::Gif),
        ] {
            self.write(name, &encoded(plain.clone(), format), Portrait);
        }
        self.photo("lossy.webp", &["-c:v", "libwebp"]);
        self.photo("palette.png", &["-pix_fmt", "pal8"]);
        self.photo("four-four-four.jpg", &["-pix_fmt", "yuvj444p"]);
        self.photo("lzw.tif", &["-compression_algo", "lzw"]);
        self.photo("phone.avif", &[]);
        self.photo("photo.jxl", &[]);
        self.photo("scan.jp2", &[]);
    }

    /// Photos that are none, or not quite.
    pub fn broken_photos(&mut self) {
        use Expected::{Refused, Warned};
        let gif = encoded(square(256), ImageFormat::Gif);
        self.write("no-end.gif", &gif[..gif.len() - 1], Warned);
        let nothing = [b"GIF89a\0\0\x10\0\0\0\0,\0\0\0\0\0\0\x10\0\0\x02\x02D\x01\0;".as_slice()].concat();
        self.write("no-width.gif", &nothing, Refused("unable to decode"));
        self.write("empty.jpg", b"", Refused("the file is empty"));
        self.write("text.jpg", b"dear diary", Refused("it is no JPEG"));
        self.write("phone.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", Refused("HEIC"));
    }

    pub fn films(&mut self) {
        let x264 = ["-c:v", "libx264", "-pix_fmt", "yuv420p"];
        let h264 = |more: &[&'static str]| [x264.as_slice(), more].concat();
        let plain = self.film("plain.mp4", "null", &x264);
        for (name, options) in [
            ("a.mkv", h264(&[])),
            ("b.mov", h264(&[])),
            ("c.m4v", h264(&[])),
            ("d.3g2", h264(&[])),
            ("e.flv", h264(&[])),
            ("f.ts", h264(&[])),
            ("g.avi", vec!["-c:v", "mpeg4"]),
            ("h.webm", vec!["-c:v", "libvpx"]),
            ("i.vob", vec!["-c:v", "mpeg2video"]),
            ("j.mxf", vec!["-c:v", "mpeg2video"]),
            ("k.y4m", vec!["-pix_fmt", "yuv420p"]),
            ("l.mjpeg", vec!["-pix_fmt", "yuvj420p"]),
            ("m.wmv", vec!["-c:v", "wmv2"]),
            ("n.ogv", vec!["-c:v", "libtheora"]),
            ("moving.gif", vec![]),
            ("moving.webp", vec!["-c:v", "libwebp_anim"]),
            ("moving.apng", vec!["-f", "apng"]),
        ] {
            self.film(name, "null", &options);
        }
        self.film("tape.dv", "scale=720:576,setsar=16/15", &["-target", "pal-dv"]);
        self.film("wide-pixels.mp4", "scale=128:256,setsar=2/1", &x264);
        self.film("tall-pixels.mp4", "scale=256:128,setsar=1/2", &x264);
        self.film("interlaced.ts", "interlace", &h264(&["-flags", "+ilme+ildct"]));
        self.film(
            "uneven.mkv",
            "setpts='(N*N/100)/TB/25'",
            &h264(&["-fps_mode", "passthrough", "-enc_time_base", "1:1000"]),
        );
        self.film("late.mkv", "setpts=PTS+3/TB", &h264(&["-fps_mode", "passthrough"]));
        self.film("ten-bits.mkv", "null", &["-c:v", "ffv1", "-pix_fmt", "yuv422p10le"]);
        let hdr = "zscale=tin=bt709:min=bt709:pin=bt709:rin=tv:t=smpte2084:m=bt2020nc:p=bt2020:npl=100,format=yuv420p10le";
        let tags = ["-color_primaries", "bt2020", "-color_trc", "smpte2084", "-colorspace", "bt2020nc"];
        self.film(
            "hdr.mkv",
            &format!("format=yuv420p,{hdr}"),
            &[&["-c:v", "ffv1"], tags.as_slice()].concat(),
        );
        // Upright only after the quarter turn that the file asks for.
        self.turned_film(&plain);
        self.film_without_its_start();
        self.two_tracks(&plain);
        let other = self.film("second-size.ts", "scale=320:320", &["-c:v", "mpeg2video"]);
        let first = self.film("first-size.ts", "null", &["-c:v", "mpeg2video"]);
        let both = [fs::read(first).expect("reads"), fs::read(other).expect("reads")].concat();
        fs::write(self.folder.join("two-sizes.ts"), both).expect("written");
        self.add("two-sizes.ts", Expected::Portrait, true);
        let mp4 = fs::read(&plain).expect("reads");
        fs::write(self.folder.join("cut.mp4"), &mp4[..mp4.len() / 2]).expect("written");
        self.add("cut.mp4", Expected::Refused("neither a photo nor a film"), true);
    }

    fn turned_film(&mut self, plain: &Path) {
        let (side, path) = (self.folder.join("side.mp4"), self.folder.join("turned.mp4"));
        ffmpeg(&["-i", text(plain), "-vf", "transpose=2", "-c:v", "libx264", text(&side)]);
        ffmpeg(&["-i", text(&side), "-c", "copy", "-metadata:s:v:0", "rotate=270", text(&path)]);
        self.add("turned.mp4", Expected::Portrait, true);
    }

    /// A recording that begins within a group of pictures.
    fn film_without_its_start(&mut self) {
        let whole = self.film("whole.ts", "null", &["-c:v", "libx264", "-g", "12", "-bf", "0"]);
        let bytes = fs::read(whole).expect("reads");
        let packets = bytes.len() / 188;
        fs::write(self.folder.join("late-entry.ts"), &bytes[packets / 4 * 188..]).expect("written");
        self.add("late-entry.ts", Expected::Portrait, true);
    }

    fn two_tracks(&mut self, plain: &Path) {
        let path = self.folder.join("two-tracks.mkv");
        let test = ["-f", "lavfi", "-t", "1", "-i", "testsrc=s=320x240", "-i", text(plain)];
        let maps = ["-map", "0:v", "-map", "1:v", "-disposition:v:0", "0", "-disposition:v:1", "default"];
        ffmpeg(&[test.as_slice(), &maps, &["-c:v", "libx264", text(&path)]].concat());
        self.add("two-tracks.mkv", Expected::Portrait, true);
    }
}
