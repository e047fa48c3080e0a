//! From the film's pictures to those that a player shows.

use super::options::Range;
use super::probe::Probe;
use crate::media::ffmpeg::Ffmpeg;

/// Pixels beyond this ratio are a mistake in the file, not a shape.
const MAX_ASPECT: u32 = 8;

/// The chain of `ffmpeg` filters: times told, range cut out, deinterlaced, tone-mapped, square pixels.
pub fn chain(probe: &Probe, range: &Range) -> String {
    // Before the range is cut out, so that frames keep their numbers.
    let mut chain = vec!["showinfo=checksum=0".to_owned()];
    chain.extend(range.filter());
    if probe.interlaced {
        // One frame for one, and only for those that say that they are interlaced.
        chain.push("bwdif=mode=send_frame:deint=interlaced".to_owned());
    }
    if let Some(transfer) = probe.hdr {
        if Ffmpeg::installed().zscale {
            chain.push(tone_map(transfer));
        } else {
            log::warn!("this ffmpeg cannot tone-map HDR (it lacks zscale): colours will be pale");
        }
    }
    chain.push(square_pixels());
    chain.join(",")
}

/// Hable's curve, as ffmpeg's manual has it for `tonemap`; 100 cd/m² is the white of ordinary pictures.
fn tone_map(transfer: &str) -> String {
    format!(
        "zscale=tin={transfer}:pin=bt2020:min=bt2020nc:t=linear:npl=100,format=gbrpf32le,zscale=p=bt709,\
         tonemap=hable:desat=0,zscale=t=bt709:m=bt709:r=tv,format=yuv420p"
    )
}

/// Enlarges the shorter side of pixels that are not square, so that nothing of the picture is lost.
fn square_pixels() -> String {
    let aspect = format!("if(between(sar,1/{MAX_ASPECT},{MAX_ASPECT}),sar,1)");
    format!("scale=w='max(1,round(iw*max(1,{aspect})))':h='max(1,round(ih/min(1,{aspect})))',setsar=1")
}
