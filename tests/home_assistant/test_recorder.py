"""What a day before the camera leaves in the recorder's database."""

import json
import random
import sqlite3

import pytest
from homeassistant.components import recorder
from homeassistant.helpers import recorder as recorder_helper
from homeassistant.setup import async_setup_component

from house import Broker, House, announced, eventually

# A person at a desk: how often the label changes, and how often the person goes away and comes back.
CHANGES, ABSENCES = 480, 20
STATE_EVERY, STATS_EVERY, DAY = 5, 10, 24 * 3600

MOST_ROWS = 2000

EMOTIONS = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral", "contempt"]


@pytest.fixture
def house(tmp_path):
    broker = Broker(tmp_path)
    house = House(tmp_path, broker)

    async def record():
        recorder_helper.async_initialize_recorder(house.hass)
        url = f"sqlite:///{tmp_path / 'recorder.db'}"
        assert await async_setup_component(house.hass, "recorder", {"recorder": {"db_url": url, "commit_interval": 0}})
        await house.hass.async_block_till_done()

    house.run(record())
    yield house
    house.stop()
    broker.stop()


def day(seed):
    """The messages of a day in order: topic below the device's and payload, as the daemon writes them."""
    chance = random.Random(seed)
    marks = sorted(chance.sample(range(DAY), CHANGES))
    away = sorted(chance.sample(range(DAY), ABSENCES))
    label, faces, since, events = "neutral", 1, 0, 0
    for second in range(0, DAY, STATE_EVERY):
        while marks and marks[0] <= second:
            marks.pop(0)
            label, since, events = chance.choice(EMOTIONS[:4] + ["neutral", "uncertain"]), second, events + 1
            yield "event", {"id": f"t-{events}", "event_type": "emotion_changed", "to": label, "time": str(second)}
        while away and away[0] <= second:
            away.pop(0)
            faces, events = 1 - faces, events + 1
            kind = "face_appeared" if faces else "face_left"
            yield "event", {"id": f"t-{events}", "event_type": kind, "time": str(second)}
        scores = {name: round(chance.random(), 4) for name in EMOTIONS}
        yield "state", {
            "time": str(second),
            "emotion": label if faces else "none",
            "confidence": round(chance.random(), 4) if faces else 0,
            "scores": scores if faces else {},
            "faces": faces,
            "primary": None,
            "others": [],
            "since": str(since),
        }
        if second % STATS_EVERY == 0:
            yield "stats", {"fps": round(25 + chance.random(), 1), "latency_ms": {"p95": round(20 * chance.random(), 1)}}


def test_a_day_is_few_rows(house, tmp_path):
    broker = house.broker
    say = broker.client.publish
    with announced(tmp_path, broker, "desk") as config:
        say("homeassistant/device/desk/config", config, qos=1, retain=True)
    for topic in ("availability", "camera/availability"):
        say(f"emotiond/desk/{topic}", "online", qos=1, retain=True)
    eventually("the device", lambda: house.hass.states.get("sensor.desk_emotion"))
    for topic, message in day(7):
        say(f"emotiond/desk/{topic}", json.dumps(message), qos=1).wait_for_publish()
    last = house.hass.states.get

    def caught_up():
        state = last("sensor.desk_faces")
        return state and state.state not in ("unknown", "unavailable") and broker.client.want_write() is False

    eventually("Home Assistant has caught up", caught_up)
    house.run(recorder.get_instance(house.hass).async_block_till_done())
    database = sqlite3.connect(tmp_path / "recorder.db")
    rows = dict(
        database.execute(
            "select states_meta.entity_id, count(*) from states join states_meta using (metadata_id)"
            " where states_meta.entity_id like '%.desk_%' group by states_meta.entity_id"
        ).fetchall()
    )
    print(sum(rows.values()), rows)
    # Each change of the label is there, or nothing was recorded.
    assert rows["sensor.desk_emotion"] > CHANGES / 2, rows
    assert sum(rows.values()) <= MOST_ROWS, rows
