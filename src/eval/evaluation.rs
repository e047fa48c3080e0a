//! One evaluation: which samples and labels count, what the models answered, what that amounts to.

use std::collections::BTreeSet;
use std::time::Duration;

use super::bootstrap::{self, Intervals};
use super::compare::{self, McNemar};
use super::corrupt::Corruption;
use super::dataset::{Dataset, Sample};
use super::measure::{self, Look, Nets};
use super::metrics::{Outcome, Tally};
use crate::nets::engine::EngineError;
use crate::vocabulary::emotion::Emotion;

/// What a model is measured on.
#[derive(Debug)]
pub struct Task {
    pub data: Dataset,
    /// The labels that data, models and the user all know; samples of others do not count.
    pub labels: Vec<Emotion>,
    /// Samples that do not count because of their label.
    pub left_out: usize,
    /// What was left out and why, for people.
    pub notes: Vec<String>,
}

/// Fewer than two labels are shared, so that there is nothing to tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("data, model and --labels share fewer than two labels")]
pub struct NothingToTell;

impl Task {
    /// `asked`: the only labels wanted; `models`: name and labels of each.
    pub fn new(
        mut data: Dataset,
        asked: Option<&[Emotion]>,
        models: &[(&str, &[Emotion])],
    ) -> Result<Self, NothingToTell> {
        let mut notes = std::mem::take(&mut data.notes);
        let sides: Vec<(&str, BTreeSet<Emotion>)> = std::iter::once(("the data", data.labels.clone()))
            .chain(models.iter().map(|(name, labels)| (*name, labels.iter().copied().collect())))
            .collect();
        let asked: BTreeSet<Emotion> = match asked {
            Some(labels) => labels.iter().copied().collect(),
            None => sides.iter().flat_map(|(_, labels)| labels.iter().copied()).collect(),
        };
        for (side, known) in &sides {
            let unknown: Vec<&str> = asked.difference(known).map(|label| label.name()).collect();
            if !unknown.is_empty() {
                notes.push(format!("left out, because {side} does not know it: {}", unknown.join(", ")));
            }
        }
        let labels: Vec<Emotion> =
            asked.into_iter().filter(|label| sides.iter().all(|(_, known)| known.contains(label))).collect();
        if labels.len() < 2 {
            return Err(NothingToTell);
        }
        let left_out =
            data.unknown + data.samples.iter().filter(|sample| !labels.contains(&sample.label)).count();
        Ok(Self { data, labels, left_out, notes })
    }

    /// The samples that count.
    pub fn samples(&self) -> Vec<&Sample> {
        self.data.samples.iter().filter(|sample| self.labels.contains(&sample.label)).collect()
    }

    /// Asks the models, about spoilt pictures where a `corruption` is given.
    pub fn run(
        &self,
        workers: &mut [Nets],
        corruption: Option<Corruption>,
        done: &(dyn Fn() + Sync),
    ) -> Result<Evaluation, EngineError> {
        let samples = self.samples();
        let models = workers.first().map_or(0, |nets| nets.classifiers.len());
        let mut evaluation = Evaluation {
            unreadable: self.data.unreadable.clone(),
            outcomes: vec![Vec::with_capacity(samples.len()); models],
            counted: Vec::with_capacity(samples.len()),
            without_face: Vec::new(),
            several_faces: 0,
            detecting: Duration::ZERO,
            classifying: Duration::ZERO,
        };
        let looks = measure::looks(workers, &samples, corruption, done)?;
        for (number, (sample, look)) in samples.iter().zip(looks).enumerate() {
            match look {
                Ok(look) => {
                    evaluation.counted.push(number);
                    evaluation.add(&self.labels, sample, &look);
                }
                Err(error) => evaluation.unreadable.push(error.to_string()),
            }
        }
        Ok(evaluation)
    }
}

/// What the models answered.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// A model each, the samples in the order of the data.
    pub outcomes: Vec<Vec<Outcome>>,
    /// Which of the task's samples they are of.
    pub counted: Vec<usize>,
    /// Pictures in which no face was found.
    pub without_face: Vec<String>,
    /// Pictures with several faces, of which the largest was taken.
    pub several_faces: usize,
    /// What was skipped because it could not be read, a message each.
    pub unreadable: Vec<String>,
    /// Time of all detections, and of all the first model's classifications.
    pub detecting: Duration,
    pub classifying: Duration,
}

impl Evaluation {
    fn add(&mut self, labels: &[Emotion], sample: &Sample, look: &Look) {
        for (model, outcomes) in self.outcomes.iter_mut().enumerate() {
            outcomes.push(Outcome::of(labels, sample.label, look.scores.get(model)));
        }
        if look.faces == 0 {
            self.without_face.push(sample.picture.name());
        }
        self.several_faces += usize::from(look.faces > 1);
        self.detecting += look.detecting;
        self.classifying += look.classifying;
    }

    /// Number of samples that count.
    pub fn samples(&self) -> usize {
        self.outcomes.first().map_or(0, Vec::len)
    }

    /// What was counted of model `model` with `classes` labels.
    pub fn tally(&self, classes: usize, model: usize) -> Tally {
        Tally::of(classes, &self.outcomes[model])
    }

    /// 95 % intervals of the first model's figures.
    pub fn intervals(&self, labels: &[Emotion]) -> Intervals {
        bootstrap::intervals(labels, &self.outcomes[0])
    }

    /// Whether the two models differ; `None` when there is one.
    pub fn mcnemar(&self) -> Option<McNemar> {
        let [first, second] = &self.outcomes[..] else { return None };
        Some(compare::mcnemar(first, second))
    }

    /// Mean milliseconds to find and to classify a face.
    pub fn ms_per_face(&self) -> (f64, f64) {
        let mean = |time: Duration, count: usize| time.as_secs_f64() * 1e3 / count.max(1) as f64;
        let samples = self.samples();
        (mean(self.detecting, samples), mean(self.classifying, samples - self.without_face.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::dataset::Picture;
    use crate::eval::folders;
    use Emotion::{Angry, Contempt, Happy, Neutral, Sad};

    fn data() -> Dataset {
        let mut data = Dataset::new(folders::FORMAT);
        for label in [Angry, Happy, Contempt, Contempt] {
            data.labels.insert(label);
            data.samples.push(Sample::new(label, Picture::File("x.png".into())));
        }
        data
    }

    #[test]
    fn labels_that_only_one_side_knows_are_left_out_and_said() {
        let (first, second) = ([Happy, Sad, Angry, Contempt], [Angry, Happy, Sad, Neutral]);
        let task = Task::new(data(), None, &[("the model", &first), ("the other", &second)]);
        let task = task.expect("two labels");
        assert_eq!(task.labels, [Angry, Happy]);
        assert_eq!((task.samples().len(), task.left_out), (2, 2));
        assert_eq!(
            task.notes,
            [
                "left out, because the data does not know it: sad, neutral",
                "left out, because the model does not know it: neutral",
                "left out, because the other does not know it: contempt",
            ]
        );
        let asked =
            Task::new(data(), Some(&[Angry, Contempt]), &[("the model", &first)]).expect("two labels");
        assert_eq!((asked.samples().len(), asked.left_out, asked.notes.len()), (3, 1, 0));
        assert_eq!(Task::new(data(), Some(&[Angry]), &[("the model", &first)]).err(), Some(NothingToTell));
    }
}
