//! Taking a device's retained messages off the broker, so that Home Assistant drops it.

use std::collections::HashSet;
use std::time::Duration;

use rumqttc::{AsyncClient, ConnectionError, Event, EventLoop, Outgoing, Packet, QoS};
use tokio::time::timeout;

use super::connect::MqttError;
use super::topics::{Topic, Topics};
use super::{cause, connect};
use crate::base::chance;
use crate::config;

/// For everything together.
const DEADLINE: Duration = Duration::from_secs(15);

/// The broker sends what it keeps right after the subscription; this long nothing means nothing.
const QUIET: Duration = Duration::from_millis(500);

/// Why a device could not be forgotten.
#[derive(Debug, thiserror::Error)]
pub enum ForgetError {
    #[error(transparent)]
    Mqtt(#[from] MqttError),
    #[error("mqtt.url is empty: there is no broker that could forget {device}")]
    NoBroker { device: String },
    #[error(
        "{device} is online and would announce itself again: stop it first (systemctl stop emotiond), \
         or name another device (--set device.id=ID)"
    )]
    Online { device: String },
    #[error("unable to reach broker {address}: {cause}")]
    Broker { address: String, cause: String },
}

/// Deletes every retained message of the device; answers the topics that were deleted.
///
/// # Errors
/// When the device is online or the broker cannot be reached.
pub fn forget(config: &config::Mqtt) -> Result<Vec<String>, ForgetError> {
    let device = config.device.clone();
    let Some(broker) = &config.broker else { return Err(ForgetError::NoBroker { device }) };
    let topics = Topics::new(config);
    let options = connect::options(config, broker, &format!("emotiond-{device}-{}", chance::run_id()))?;
    let (client, mut connection) = AsyncClient::new(options, 32);
    let failed =
        |cause: String| ForgetError::Broker { address: format!("{}:{}", broker.host, broker.port), cause };
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(MqttError::Thread)?;
    let work = async { timeout(DEADLINE, delete(&client, &mut connection, &topics)).await };
    match runtime.block_on(work) {
        Ok(Ok(Some(deleted))) => Ok(deleted),
        Ok(Ok(None)) => Err(ForgetError::Online { device }),
        Ok(Err(error)) => Err(failed(cause::describe(&error))),
        Err(_) => Err(failed("the broker does not answer".to_owned())),
    }
}

/// `None` when the device is online.
async fn delete(
    client: &AsyncClient,
    connection: &mut EventLoop,
    topics: &Topics,
) -> Result<Option<Vec<String>>, ConnectionError> {
    let names = Topic::RETAINED.map(|topic| topics.name(topic));
    for name in &names {
        // The channel takes all of them.
        let _ = client.try_subscribe(name, QoS::AtLeastOnce);
    }
    let mut kept = HashSet::new();
    let mut subscribed = 0;
    while let Some(event) = next(connection, subscribed == names.len()).await? {
        match event {
            Event::Incoming(Packet::SubAck(_)) => subscribed += 1,
            Event::Incoming(Packet::Publish(message)) if !message.payload.is_empty() => {
                if message.topic == topics.name(Topic::Availability) && message.payload.as_ref() == b"online"
                {
                    return Ok(None);
                }
                kept.insert(message.topic);
            }
            _ => {}
        }
    }
    // Home Assistant would try to read the empty states of entities that it still has.
    let discovery = topics.name(Topic::Discovery);
    let (first, rest): (Vec<_>, Vec<_>) = kept.iter().partition(|name| **name == discovery);
    let mut acknowledged = 0;
    for (names, until) in [(&first, first.len()), (&rest, kept.len())] {
        for name in names {
            let _ = client.try_publish(*name, QoS::AtLeastOnce, true, Vec::new());
        }
        while let Some(event) = next(connection, acknowledged == until).await? {
            acknowledged += usize::from(matches!(event, Event::Incoming(Packet::PubAck(_))));
        }
    }
    let _ = client.try_disconnect();
    while !matches!(connection.poll().await, Ok(Event::Outgoing(Outgoing::Disconnect)) | Err(_)) {}
    let mut kept: Vec<String> = kept.into_iter().collect();
    kept.sort();
    Ok(Some(kept))
}

/// The next event; `None` when it is `quiet` and none came for a while.
async fn next(connection: &mut EventLoop, quiet: bool) -> Result<Option<Event>, ConnectionError> {
    if !quiet {
        return connection.poll().await.map(Some);
    }
    match timeout(QUIET, connection.poll()).await {
        Ok(event) => event.map(Some),
        Err(_) => Ok(None),
    }
}
