//! What `emotiond classify` is asked for.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::when::{Every, film_time};
use crate::cli::model_arg::ModelArg;
use crate::cli::status::UsageError;
use crate::media::film::{FilmOptions, Range};
use crate::vocabulary::emotion::Emotion;

const DETAILS: &str = "\
Photos are JPEG, PNG, WebP, BMP, TIFF and GIF, upright as their Exif data say, up to 100 megapixels; HEIC, AVIF, JPEG XL \
and JPEG 2000 where heif-convert or ffmpeg decode them. Films are whatever ffmpeg decodes, and GIF, WebP and PNG that \
move: each frame once, at its own time. Folders are searched with all folders below them, in the order of their names; \
links are followed, names that begin with a dot are passed over, other files are counted. A film's faces keep their numbers while \
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
written appear under their names when they are whole, never replace others without --force, and never an input. \
Interrupted, the command leaves no half-written file but the table of what was done; with --resume the same command goes \
on there. At the end of several files, standard error says how many there were, and how many faces of each emotion.

Examples:
  emotiond classify holiday/ --out marked/
  emotiond classify holiday/ --only happy --largest --out smiles/
  emotiond classify clip.mp4 --json --every 0.5s --from 1:30 --to 2:00 >clip.jsonl
  emotiond classify interview.mkv --timeline interview.png --csv interview.csv --out marked/
  curl -s https://example.org/face.jpg | emotiond classify -

Exit status: 0 done, 1 something was skipped or failed, 2 wrong usage, 78 bad configuration or model, 130 after Ctrl-C.";

#[derive(Debug, clap::Args)]
#[command(after_long_help = DETAILS)]
pub struct ClassifyArgs {
    /// Photos, films, folders of them, and - for one on standard input
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,

    /// Prints one JSON object a photo or film frame, and nothing else on standard output
    #[arg(long)]
    pub json: bool,

    /// Writes one row a face, and one for a picture without a face
    ///
    /// Columns: source, frame, time_s, picture_width, picture_height, face, x, y, width, height, score, emotion,
    /// confidence and a column for each emotion's probability. - is standard output, which has nothing else then.
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,

    /// Writes copies with the faces marked: box, emotion, confidence and a bar for each emotion
    ///
    /// Copies keep their names and their place below PATH. Photos keep their format; a.gif becomes a.gif.png.
    /// Films come back as H.264, each frame at its time, with their sound, which is copied where MP4, MOV or Matroska
    /// holds it, else encoded as AAC. These stay such; of others, a.webm becomes a.webm.mkv. Pictures smaller than 256 pixels are enlarged. Originals are never written to.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,

    /// Looks at every N-th frame of a film only, or once in each stretch of its time, as 0.5s; marks in its copy stay
    /// until the next look
    #[arg(long, value_name = "N|Ns", default_value = "1")]
    pub every: Every,

    /// Begins a film there: seconds, or as 1:30
    #[arg(long, value_name = "TIME", value_parser = film_time, default_value = "0", hide_default_value = true)]
    pub from: Duration,

    /// Ends a film there
    #[arg(long, value_name = "TIME", value_parser = film_time)]
    pub to: Option<Duration>,

    /// Which of a film's video tracks, from 1 [default: the one that it says]
    #[arg(long, value_name = "N")]
    pub track: Option<usize>,

    /// Tells and marks only faces of these emotions; photos and frames without one are not told, photos not copied
    #[arg(long, value_name = "EMOTION", value_delimiter = ',')]
    pub only: Option<Vec<Emotion>>,

    /// Tells and marks only the largest face
    #[arg(long)]
    pub largest: bool,

    /// Plots the emotions of a film's faces over time, as PNG; takes one film
    #[arg(long, value_name = "FILE.png")]
    pub timeline: Option<PathBuf>,

    /// Writes the emotions of a film's faces as subtitles (WebVTT); takes one film
    #[arg(long, value_name = "FILE.vtt")]
    pub subtitles: Option<PathBuf>,

    /// Replaces files that are there already
    #[arg(long)]
    pub force: bool,

    /// Goes on with the same command after it was interrupted: what --csv and --out have already is not done again
    #[arg(long, conflicts_with = "force")]
    pub resume: bool,

    #[command(flatten)]
    pub model: ModelArg,
}

impl ClassifyArgs {
    /// `pipes`: inputs of which is not known yet what they are.
    pub fn check(&self, stdin: usize, films: usize, pipes: usize) -> Result<(), UsageError> {
        let wrong = |text: String| Err(UsageError(text));
        if stdin > 1 {
            return wrong("standard input (-) holds one photo or film and can be named once".to_owned());
        }
        let one_film = films == 1 || (films == 0 && pipes == 1);
        if self.timeline.is_some() && !one_film {
            return wrong(format!("--timeline plots one film, and {films} are named (run it for each)"));
        }
        if self.subtitles.is_some() && !one_film {
            return wrong(format!("--subtitles are of one film, and {films} are named (run it for each)"));
        }
        if self.json && self.csv_on_stdout() {
            return wrong("--json and --csv - both write to standard output".to_owned());
        }
        if self.resume && (self.out.is_none() && (self.csv.is_none() || self.csv_on_stdout())) {
            return wrong("--resume goes on with what --csv or --out have, and neither is named".to_owned());
        }
        if self.to.is_some_and(|to| to <= self.from) {
            return wrong("--to is not after --from".to_owned());
        }
        Ok(())
    }

    pub fn csv_on_stdout(&self) -> bool {
        self.csv.as_deref() == Some(Path::new("-"))
    }

    pub fn film_options(&self) -> FilmOptions {
        FilmOptions { track: self.track, range: Range { from: self.from, to: self.to } }
    }
}
