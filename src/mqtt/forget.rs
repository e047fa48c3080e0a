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
#[expect(missing_docs, reason = "the messages say it")]
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
    #[error(
        "unable to verify that {} is deleted: broker {address} has acknowledged it but did not do it (may this user write \
         there? check its ACL)",
        topics.join(", ")
    )]
    NotDeleted { address: String, topics: Vec<String> },
    #[error(
        "unable to verify that broker {address} keeps nothing of {device}: it passes on nothing that this user says or may \
         read there (check its ACL)"
    )]
    Unverified { address: String, device: String },
    #[error("unable to reach broker {address}: {cause}")]
    Broker { address: String, cause: String },
}

/// What came of it.
enum Outcome {
    Deleted(Vec<String>),
    Online,
    /// The broker has acknowledged the deletion of these, and passed it on to nobody.
    NotDeleted(Vec<String>),
    Unverified,
}

/// Deletes every retained message of the device; answers the topics that were deleted.
///
/// # Errors
/// When the device is online, the broker cannot be reached, or what it did cannot be seen. MQTT 3.1.1 has no word for
/// what a user may not do: brokers acknowledge it and throw it away. So what is deleted must come back.
pub fn forget(config: &config::Mqtt) -> Result<Vec<String>, ForgetError> {
    let device = config.device.clone();
    let Some(broker) = &config.broker else { return Err(ForgetError::NoBroker { device }) };
    let topics = Topics::new(config);
    let options = connect::options(config, broker, &format!("emotiond-{device}-{}", chance::run_id()))?;
    let (client, mut connection) = AsyncClient::new(options, 32);
    let address = || format!("{}:{}", broker.host, broker.port);
    let failed = |cause: String| ForgetError::Broker { address: address(), cause };
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(MqttError::Thread)?;
    let work = async { timeout(DEADLINE, delete(&client, &mut connection, &topics)).await };
    match runtime.block_on(work) {
        Ok(Ok(Outcome::Deleted(deleted))) => Ok(deleted),
        Ok(Ok(Outcome::Online)) => Err(ForgetError::Online { device }),
        Ok(Ok(Outcome::NotDeleted(topics))) => Err(ForgetError::NotDeleted { address: address(), topics }),
        Ok(Ok(Outcome::Unverified)) => Err(ForgetError::Unverified { address: address(), device }),
        Ok(Err(error)) => Err(failed(cause::describe(&error))),
        Err(_) => Err(failed("the broker does not answer".to_owned())),
    }
}

async fn delete(
    client: &AsyncClient,
    connection: &mut EventLoop,
    topics: &Topics,
) -> Result<Outcome, ConnectionError> {
    let names: Vec<String> =
        Topic::RETAINED.into_iter().chain([Topic::Instance]).map(|topic| topics.name(topic)).collect();
    for name in &names {
        // The channel takes all of them.
        let _ = client.try_subscribe(name, QoS::AtLeastOnce);
    }
    // No claim, so that no device heeds it.
    let (probe, question) = (topics.name(Topic::Instance), b"{}".as_slice());
    let (mut kept, mut heard) = (HashSet::new(), false);
    let mut subscribed = 0;
    while let Some(event) = next(connection, subscribed == names.len()).await? {
        match event {
            Event::Incoming(Packet::SubAck(_)) => {
                subscribed += 1;
                if subscribed == names.len() {
                    let _ = client.try_publish(&probe, QoS::AtLeastOnce, false, question);
                }
            }
            Event::Incoming(Packet::Publish(message)) if message.topic == probe => {
                heard |= !message.retain && message.payload == question;
            }
            Event::Incoming(Packet::Publish(message)) if !message.payload.is_empty() => {
                if message.topic == topics.name(Topic::Availability) && message.payload.as_ref() == b"online"
                {
                    return Ok(Outcome::Online);
                }
                kept.insert(message.topic);
            }
            _ => {}
        }
    }
    if kept.is_empty() && !heard {
        return Ok(Outcome::Unverified);
    }
    // Home Assistant would try to read the empty states of entities that it still has.
    let discovery = topics.name(Topic::Discovery);
    let (first, rest): (Vec<_>, Vec<_>) = kept.iter().partition(|name| **name == discovery);
    let mut deleted = HashSet::new();
    for names in [&first, &rest] {
        deleted.extend(delete_these(client, connection, names).await?);
    }
    let _ = client.try_disconnect();
    while !matches!(connection.poll().await, Ok(Event::Outgoing(Outgoing::Disconnect)) | Err(_)) {}
    let sorted = |mut names: Vec<String>| {
        names.sort();
        names
    };
    let left: Vec<String> = kept.difference(&deleted).cloned().collect();
    Ok(if left.is_empty() {
        Outcome::Deleted(sorted(kept.into_iter().collect()))
    } else {
        Outcome::NotDeleted(sorted(left))
    })
}

/// Deletes what is kept on `names`; those of which the broker passes it on.
async fn delete_these(
    client: &AsyncClient,
    connection: &mut EventLoop,
    names: &[&String],
) -> Result<HashSet<String>, ConnectionError> {
    for name in names {
        let _ = client.try_publish(*name, QoS::AtLeastOnce, true, Vec::new());
    }
    let (mut acknowledged, mut deleted) = (0, HashSet::new());
    while acknowledged < names.len() || deleted.len() < names.len() {
        match next(connection, acknowledged == names.len()).await? {
            Some(Event::Incoming(Packet::PubAck(_))) => acknowledged += 1,
            Some(Event::Incoming(Packet::Publish(message))) if message.payload.is_empty() => {
                deleted.insert(message.topic);
            }
            Some(_) => {}
            None => break,
        }
    }
    Ok(deleted)
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
