//! What `emotiond classify` is asked for.

use std::num::NonZeroU64;
use std::path::PathBuf;

use crate::cli::model_arg::ModelArg;
use crate::cli::status::UsageError;

const DETAILS: &str = "\
Photos are JPEG, PNG, WebP, BMP, TIFF and the first picture of a GIF, upright as their Exif data say, up to 100 \
megapixels. Films are whatever ffmpeg decodes. Folders are searched with all folders below them, in the order of \
their names; links are followed, names that begin with a dot are left out. A film's faces keep their numbers while \
they are followed and their emotions are smoothed over the film's time, as the daemon does it; a photo's emotion is \
the strongest, or \"uncertain\" below classifier.min_confidence.

Output: a line a face (photos) or a line whenever a face's emotion changes (films); with --json a line of JSON a photo \
or film frame:
  {\"source\":\"a.jpg\",\"frame\":0,\"time_s\":0.0,\"width\":640,\"height\":480,\"faces\":[{\"id\":1,
   \"box\":{\"x\":10.0,\"y\":20.0,\"width\":90.0,\"height\":90.0},\"score\":0.98,\"emotion\":\"happy\",
   \"confidence\":0.93,\"scores\":{\"angry\":0.01,...}}]}
Boxes are in pixels of the upright picture. score is the detector's certainty, confidence the emotion's (smoothed in \
films), scores the calibrated probabilities in this very picture. Messages go to standard error.

A file that cannot be read is named and skipped. A damaged film is read as far as it can be decoded. Files that are \
written appear under their names when they are whole, and never replace others without --force. Interrupted, the \
command leaves no half-written file.

Examples:
  emotiond classify holiday/ --out marked/
  emotiond classify clip.mp4 --json --every 5 >clip.jsonl
  emotiond classify interview.mkv --timeline interview.png --csv interview.csv --out marked/
  curl -s https://example.org/face.jpg | emotiond classify -

Exit status: 0 done, 1 something was skipped or failed, 2 wrong usage, 78 bad configuration or model.";

#[derive(Debug, clap::Args)]
#[command(after_long_help = DETAILS)]
pub struct ClassifyArgs {
    /// Photos, films, folders of them, and - for a photo on standard input
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,

    /// Prints one JSON object a photo or film frame, and nothing else on standard output
    #[arg(long)]
    pub json: bool,

    /// Writes one row a face, and one for a picture without a face
    ///
    /// Columns: source, frame, time_s, picture_width, picture_height, face, x, y, width, height, score, emotion,
    /// confidence and a column for each emotion's probability.
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,

    /// Writes copies with the faces marked: box, emotion, confidence and a bar for each emotion
    ///
    /// Copies keep their names and their place below PATH. Photos keep their format; a.gif becomes a.gif.png.
    /// Films come back as H.264 with their sound, which is copied. MP4, MOV and Matroska stay such; of others, a.webm
    /// becomes a.webm.mkv. Pictures smaller than 256 pixels are enlarged. Originals are never written to.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,

    /// Looks at every N-th frame of a film only; marks in its copy stay until the next look
    #[arg(long, value_name = "N", default_value = "1")]
    pub every: NonZeroU64,

    /// Plots the emotions of a film's faces over time, as PNG; takes one film
    #[arg(long, value_name = "FILE.png")]
    pub timeline: Option<PathBuf>,

    /// Replaces files that are there already
    #[arg(long)]
    pub force: bool,

    #[command(flatten)]
    pub model: ModelArg,
}

impl ClassifyArgs {
    pub fn check(&self, stdin: usize, films: usize) -> Result<(), UsageError> {
        if stdin > 1 {
            return Err(UsageError("standard input (-) holds one photo and can be named once".to_owned()));
        }
        if self.timeline.is_some() && films != 1 {
            return Err(UsageError(format!(
                "--timeline plots one film, and {films} are named (run it for each)"
            )));
        }
        Ok(())
    }
}
