//! Probabilities over time: averaging, hysteresis and dwell, so that a talking mouth does not
//! flicker between labels. Pure; the clock is handed in.

use std::time::{Duration, Instant};

use crate::config::Smoothing;
use crate::vocabulary::emotion::{Emotion, Scores, State};

/// The smoothed emotion of one face.
#[derive(Clone, Debug)]
pub struct Smoother {
    settings: Smoothing,
    min_confidence: f32,
    average: Scores,
    updated: Instant,
    state: State,
    /// Another state that leads, and since when.
    pending: Option<(State, Instant)>,
    /// Whether `state` still is the first one, which may be corrected without a dwell.
    settling_until: Instant,
}

impl Smoother {
    /// Starts with a face's first probabilities.
    pub fn new(settings: &Smoothing, min_confidence: f32, scores: &Scores, now: Instant) -> Self {
        let mut smoother = Self {
            settings: settings.clone(),
            min_confidence,
            average: *scores,
            updated: now,
            state: State::None,
            pending: None,
            settling_until: now + settings.dwell / 2,
        };
        smoother.state = smoother.strongest();
        smoother
    }

    /// Other settings from now on; what was seen is not forgotten.
    pub fn configure(&mut self, settings: &Smoothing, min_confidence: f32) {
        self.settings = settings.clone();
        self.min_confidence = min_confidence;
    }

    /// Takes the probabilities of the next frame.
    pub fn update(&mut self, scores: &Scores, now: Instant) {
        let elapsed = now.saturating_duration_since(self.updated);
        self.updated = now;
        let weight = weight(elapsed, self.settings.window);
        self.average = Scores::from_pairs(scores.iter().map(|(emotion, score)| {
            let before = self.average.get(emotion).unwrap_or(score);
            (emotion, before + weight * (score - before))
        }));
        self.decide(now);
    }

    /// The label that stands now.
    pub fn state(&self) -> State {
        self.state
    }

    /// Smoothed probability of the label; of the strongest emotion while uncertain.
    pub fn confidence(&self) -> f32 {
        match self.state {
            State::Emotion(emotion) => self.average.get(emotion).unwrap_or(0.0),
            State::Uncertain | State::None => self.average.top().map_or(0.0, |(_, score)| score),
        }
    }

    fn strongest(&self) -> State {
        match self.average.top() {
            Some((emotion, score)) if score >= self.min_confidence => State::Emotion(emotion),
            _ => State::Uncertain,
        }
    }

    fn decide(&mut self, now: Instant) {
        let candidate = self.challenger();
        if candidate == self.state {
            self.pending = None;
            return;
        }
        if now < self.settling_until {
            self.state = candidate;
            return;
        }
        let since = match self.pending {
            Some((pending, since)) if pending == candidate => since,
            _ => {
                self.pending = Some((candidate, now));
                now
            }
        };
        if now.saturating_duration_since(since) >= self.settings.dwell {
            self.state = candidate;
            self.pending = None;
        }
    }

    /// The state that should stand if time did not matter: the current one unless another leads by
    /// the margin, or it has fallen clearly below the confidence that made it.
    fn challenger(&self) -> State {
        let strongest = self.strongest();
        let State::Emotion(current) = self.state else { return strongest };
        let score = |emotion: Emotion| self.average.get(emotion).unwrap_or(0.0);
        let margin = self.settings.margin;
        let keeps = match strongest {
            State::Emotion(emotion) => score(emotion) < score(current) + margin,
            State::Uncertain | State::None => score(current) >= self.min_confidence - margin,
        };
        if keeps { self.state } else { strongest }
    }
}

/// Weight of the newest value in an exponential average with time constant `window`, for values
/// that come at any intervals: 1 - exp(-elapsed / window).
fn weight(elapsed: Duration, window: Duration) -> f32 {
    if window.is_zero() { 1.0 } else { 1.0 - (-elapsed.as_secs_f32() / window.as_secs_f32()).exp() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Duration = Duration::from_millis(40);

    fn settings() -> Smoothing {
        Smoothing {
            window: Duration::from_millis(400),
            margin: 0.1,
            dwell: Duration::from_millis(400),
            hold: Duration::ZERO,
        }
    }

    fn scores(happy: f32, sad: f32) -> Scores {
        Scores::from_pairs([
            (Emotion::Happy, happy),
            (Emotion::Sad, sad),
            (Emotion::Neutral, 1.0 - happy - sad),
        ])
    }

    /// Labels after each of the given probabilities, a frame apart.
    fn run(frames: &[Scores]) -> Vec<State> {
        let start = Instant::now();
        let mut smoother = Smoother::new(&settings(), 0.4, &frames[0], start);
        let mut states = vec![smoother.state()];
        for (n, scores) in frames.iter().enumerate().skip(1) {
            smoother.update(scores, start + FRAME * n as u32);
            states.push(smoother.state());
        }
        states
    }

    #[test]
    fn a_talking_mouth_does_not_flicker() {
        // Two labels that win every other pair of frames.
        let frames: Vec<Scores> =
            (0..100).map(|n| if n / 2 % 2 == 0 { scores(0.7, 0.2) } else { scores(0.2, 0.7) }).collect();
        assert!(run(&frames).iter().all(|state| *state == State::Emotion(Emotion::Happy)));
    }

    #[test]
    fn a_real_change_comes_after_the_dwell_and_once() {
        let mut frames = vec![scores(0.9, 0.05); 50];
        frames.extend(vec![scores(0.05, 0.9); 50]);
        let states = run(&frames);
        let changes: Vec<usize> = (1..states.len()).filter(|n| states[*n] != states[n - 1]).collect();
        let [change] = changes[..] else { panic!("{changes:?}") };
        // The average crosses the margin about 0.75 windows after the change, the dwell follows.
        assert!((50 + 10..=50 + 25).contains(&change), "{change}");
        assert_eq!(states[99], State::Emotion(Emotion::Sad));
    }

    #[test]
    fn an_unclear_face_is_uncertain_and_hysteresis_holds() {
        assert!(run(&vec![scores(0.34, 0.33); 20]).iter().all(|state| *state == State::Uncertain));
        // Just below the confidence that made it, a label stays; far below, it goes.
        let mut frames = vec![scores(0.6, 0.1); 20];
        frames.extend(vec![scores(0.36, 0.31); 100]);
        assert_eq!(run(&frames).last(), Some(&State::Emotion(Emotion::Happy)));
        frames.extend(vec![scores(0.25, 0.38); 100]);
        assert_eq!(run(&frames).last(), Some(&State::Uncertain));
    }

    #[test]
    fn the_average_does_not_depend_on_the_frame_rate() {
        let start = Instant::now();
        let at = |step_ms: u64| {
            let mut smoother = Smoother::new(&settings(), 0.4, &scores(1.0, 0.0), start);
            for ms in (step_ms..=600).step_by(step_ms as usize) {
                smoother.update(&scores(0.0, 1.0), start + Duration::from_millis(ms));
            }
            smoother.average.get(Emotion::Sad).expect("known")
        };
        assert!((at(20) - at(200)).abs() < 1e-3, "{} {}", at(20), at(200));
    }
}
