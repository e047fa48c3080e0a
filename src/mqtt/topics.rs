//! The topics of one device: their names, and how each is published.

use rumqttc::QoS;

use crate::config;

/// Every topic. The retained ones are published in this order after each connect, so one that must
/// come first there stands first here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    Discovery,
    Availability,
    CameraAvailability,
    CameraState,
    Enabled,
    Settings,
    Emotion,
    State,
    Event,
    Stats,
    Error,
    FaceImage,
    /// Who publishes here, so that two devices with one id find out.
    Instance,
    /// Stands for any topic that a rule names.
    Rule,
    /// Commands; every topic but these and Home Assistant's is ours to publish.
    EnabledSet,
    SettingsSet,
    CameraRestart,
    /// Home Assistant says here that it has started.
    HomeAssistantStatus,
}

impl Topic {
    /// What somebody wants of the device.
    pub const COMMANDS: [Self; 3] = [Self::EnabledSet, Self::SettingsSet, Self::CameraRestart];

    /// What the broker keeps of a device that is gone.
    pub const RETAINED: [Self; 8] = [
        Self::Discovery,
        Self::Availability,
        Self::CameraAvailability,
        Self::CameraState,
        Self::Enabled,
        Self::Settings,
        Self::Emotion,
        Self::State,
    ];

    const fn suffix(self) -> &'static str {
        match self {
            Self::Availability => "availability",
            Self::CameraAvailability => "camera/availability",
            Self::CameraState => "camera/state",
            Self::Enabled => "enabled",
            Self::Settings => "settings",
            Self::Emotion => "emotion",
            Self::State => "state",
            Self::Event => "event",
            Self::Stats => "stats",
            Self::Error => "error",
            Self::FaceImage => "face/image",
            Self::Instance => "instance",
            Self::Rule => "rule",
            Self::EnabledSet => "enabled/set",
            Self::SettingsSet => "settings/set",
            Self::CameraRestart => "camera/restart",
            Self::Discovery => "config",
            Self::HomeAssistantStatus => "status",
        }
    }

    /// Whether the broker keeps the last message for those that subscribe later.
    pub fn retained(self) -> bool {
        Self::RETAINED.contains(&self)
    }

    pub const fn qos(self) -> QoS {
        match self {
            Self::Stats | Self::FaceImage => QoS::AtMostOnce,
            _ => QoS::AtLeastOnce,
        }
    }
}

/// The names of the topics of one device.
#[derive(Clone, Debug)]
pub struct Topics {
    base: String,
    device: String,
    discovery_prefix: String,
}

impl Topics {
    pub fn new(config: &config::Mqtt) -> Self {
        Self {
            base: config.base_topic.clone(),
            device: config.device.clone(),
            discovery_prefix: config.discovery_prefix.clone(),
        }
    }

    pub fn name(&self, topic: Topic) -> String {
        let (prefix, suffix) = (&self.discovery_prefix, topic.suffix());
        match topic {
            Topic::Discovery => format!("{prefix}/device/{}/{suffix}", self.device),
            Topic::HomeAssistantStatus => format!("{prefix}/{suffix}"),
            _ => format!("{}/{suffix}", self.base),
        }
    }

    /// Which of `among` is called `name`.
    pub fn find(&self, name: &str, among: &[Topic]) -> Option<Topic> {
        among.iter().copied().find(|topic| self.name(*topic) == name)
    }
}
