//! The topics under the base topic: their names, and how each is published.

use rumqttc::QoS;

/// Every topic. The retained ones are published in this order after each connect, so one that must
/// come first there stands first here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    Availability,
    CameraAvailability,
    Enabled,
    Emotion,
    State,
    Event,
    Stats,
    Error,
    /// Stands for any topic that a rule names.
    Rule,
    /// A command; every other topic is ours to publish.
    EnabledSet,
}

impl Topic {
    const fn suffix(self) -> &'static str {
        match self {
            Self::Availability => "availability",
            Self::CameraAvailability => "camera/availability",
            Self::Enabled => "enabled",
            Self::Emotion => "emotion",
            Self::State => "state",
            Self::Event => "event",
            Self::Stats => "stats",
            Self::Error => "error",
            Self::Rule => "rule",
            Self::EnabledSet => "enabled/set",
        }
    }

    /// Whether the broker keeps the last message for those that subscribe later.
    pub const fn retained(self) -> bool {
        match self {
            Self::Availability | Self::CameraAvailability | Self::Enabled | Self::Emotion | Self::State => {
                true
            }
            Self::Event | Self::Stats | Self::Error | Self::Rule | Self::EnabledSet => false,
        }
    }

    pub const fn qos(self) -> QoS {
        match self {
            Self::Stats => QoS::AtMostOnce,
            _ => QoS::AtLeastOnce,
        }
    }
}

/// The names of the topics of one device.
#[derive(Clone, Debug)]
pub struct Topics {
    base: String,
}

impl Topics {
    /// `base`: without a slash at the end, such as `emotiond/kitchen`.
    pub fn new(base: &str) -> Self {
        Self { base: base.to_owned() }
    }

    pub fn name(&self, topic: Topic) -> String {
        format!("{}/{}", self.base, topic.suffix())
    }
}
