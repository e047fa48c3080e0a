"""emotiond as an owner of Home Assistant meets it. The tests follow on each other."""

import json
import signal
import subprocess

import pytest
from homeassistant.components.image import DATA_COMPONENT as IMAGES
from homeassistant.exceptions import ServiceValidationError

from house import PORTRAIT, Broker, Emotiond, House, eventually

EMOTIONS = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral", "contempt"]

DIAGNOSTIC, CONFIG = "diagnostic", "config"

# Entity and its category.
ENTITIES = {
    "sensor.living_room_emotion": None,
    "sensor.living_room_confidence": None,
    "sensor.living_room_faces": None,
    "sensor.living_room_person": None,
    "sensor.living_room_frame_rate": DIAGNOSTIC,
    "sensor.living_room_latency": DIAGNOSTIC,
    "binary_sensor.living_room_face_present": None,
    "binary_sensor.living_room_camera_problem": DIAGNOSTIC,
    "event.living_room_changes": None,
    "switch.living_room_detection": None,
    "number.living_room_min_confidence": CONFIG,
    "number.living_room_dwell": CONFIG,
    "button.living_room_restart_camera": CONFIG,
    "image.living_room_last_face": None,
}
# What changes with every message, for those who switch it on.
SELDOM = [
    "sensor.living_room_confidence",
    "sensor.living_room_frame_rate",
    "sensor.living_room_latency",
    *(f"sensor.living_room_score_{name}" for name in EMOTIONS),
]
ENTITIES |= {f"sensor.living_room_score_{name}": None for name in EMOTIONS}
SHOWN = [name for name in ENTITIES if name not in SELDOM]
EMOTION = "sensor.living_room_emotion"
PERSON = "sensor.living_room_person"
SWITCH = "switch.living_room_detection"
LIMIT = "number.living_room_min_confidence"
PROBLEM = "binary_sensor.living_room_camera_problem"
BUTTON = "button.living_room_restart_camera"

FROM_PICTURES = [
    "sensor.living_room_emotion",
    "sensor.living_room_faces",
    "sensor.living_room_person",
    "binary_sensor.living_room_face_present",
]


@pytest.fixture(scope="session")
def broker(tmp_path_factory):
    broker = Broker(tmp_path_factory.mktemp("broker"))
    yield broker
    broker.stop()


@pytest.fixture(scope="session")
def emotiond(tmp_path_factory, broker):
    daemon = Emotiond(tmp_path_factory.mktemp("emotiond"), broker)
    yield daemon
    daemon.stop()


@pytest.fixture(scope="session")
def house(tmp_path_factory, broker):
    house = House(tmp_path_factory.mktemp("house"), broker)
    yield house
    house.stop()


@pytest.fixture(autouse=True)
def no_complaints(house):
    house.warnings.texts.clear()
    yield
    assert house.warnings.texts == []


def test_the_device_appears_with_every_entity(house, emotiond):
    eventually("all entities", lambda: len(house.entities()) >= len(ENTITIES))
    found = {name: entry.entity_category and entry.entity_category.value for name, entry in house.entities().items()}
    assert found == ENTITIES
    off = [name for name, entry in house.entities().items() if entry.disabled_by]
    assert sorted(off) == sorted(SELDOM)
    device = house.device()
    assert (device.name, device.manufacturer) == ("living-room", "emotiond")
    assert device.sw_version


def test_states_are_those_of_the_portrait(house, emotiond):
    house.wait_for(EMOTION, "happy")
    attributes = house.hass.states.get(EMOTION).attributes
    assert "since" in attributes and "scores" not in attributes
    assert attributes["options"][-2:] == ["uncertain", "none"]
    house.wait_for("sensor.living_room_faces", "1")
    house.wait_for("binary_sensor.living_room_face_present", "on")
    house.wait_for(PROBLEM, "off")
    house.wait_for(SWITCH, "on")
    house.wait_for(LIMIT, "0.4")
    house.wait_for("number.living_room_dwell", "0.3")


def test_what_is_switched_on_is_told(house, emotiond):
    house.switch_on(SELDOM)
    for entity in SELDOM:
        eventually(entity, lambda: house.state(entity) not in (None, "unknown", "unavailable"))
    assert 50 < float(house.state("sensor.living_room_confidence")) <= 100
    assert 50 < float(house.state("sensor.living_room_score_happy")) <= 100
    assert float(house.state("sensor.living_room_frame_rate")) > 0


def test_a_person_gets_a_name_once_enrolled(house, emotiond):
    house.wait_for(PERSON, "unknown")
    subprocess.run(emotiond.command("people", "add", "eileen", PORTRAIT), capture_output=True, check=True)
    house.wait_for(PERSON, "eileen")
    house.wait_for_event("event.living_room_changes", event_type="person_recognised", person="eileen")


def test_the_switch_closes_the_camera_and_stays_usable(house, emotiond):
    house.call("switch", "turn_off", SWITCH)
    house.wait_for(SWITCH, "off")
    for entity in FROM_PICTURES:
        house.wait_for(entity, "unavailable")
    assert house.state(PROBLEM) == "off"
    house.call("switch", "turn_on", SWITCH)
    house.wait_for(SWITCH, "on")
    house.wait_for(EMOTION, "happy")


def test_the_last_face_is_a_picture(house, emotiond):
    eventually("a picture", lambda: house.state("image.living_room_last_face") != "unknown")
    entity = house.hass.data[IMAGES].get_entity("image.living_room_last_face")
    assert house.run(entity.async_image()).startswith(b"\xff\xd8")


def test_a_number_is_obeyed_kept_and_bounded(house, emotiond):
    house.call("number", "set_value", LIMIT, value=1)
    house.wait_for(LIMIT, "1.0")
    with pytest.raises(ServiceValidationError):
        house.call("number", "set_value", LIMIT, value=2)
    emotiond.end(signal.SIGTERM)
    house.wait_for(LIMIT, "unavailable")
    assert json.loads(emotiond.kept().read_text())["min_confidence"] == 1
    emotiond.start()
    house.wait_for(LIMIT, "1.0")
    house.call("number", "set_value", LIMIT, value=0.4)
    house.wait_for(EMOTION, "happy")


def test_a_lost_camera_is_a_problem_and_the_button_restarts_it(house, emotiond):
    emotiond.photo.unlink()
    house.call("button", "press", BUTTON)
    house.wait_for(PROBLEM, "on")
    house.wait_for_event("event.living_room_changes", event_type="camera_lost")
    house.wait_for(EMOTION, "unavailable")
    assert "photo.png" in house.hass.states.get(PROBLEM).attributes["error"]
    assert house.state(SWITCH) == "on"
    emotiond.show_face()
    house.call("button", "press", BUTTON)
    house.wait_for(PROBLEM, "off")
    house.wait_for(EMOTION, "happy")


def test_a_killed_daemon_is_unavailable_until_it_is_back(house, emotiond):
    emotiond.end(signal.SIGKILL)
    for entity in ENTITIES:
        house.wait_for(entity, "unavailable")
    emotiond.start()
    house.wait_for(EMOTION, "happy")
    house.wait_for(SWITCH, "on")


def test_everything_is_right_after_home_assistant_restarts(house, emotiond, broker):
    broker.messages.clear()
    house.restart()
    house.wait_for(EMOTION, "happy")
    house.wait_for(SWITCH, "on")
    house.wait_for(LIMIT, "0.4")

    def told_again():
        topics = [message.topic for message in broker.messages if not message.retain]
        config = "homeassistant/device/living-room/config"
        return config in topics and "emotiond/living-room/enabled" in topics[topics.index(config) :]

    eventually("the device announces itself again, and its states", told_again)


def test_a_device_is_forgotten_on_request(house, emotiond):
    def forget():
        return subprocess.run(emotiond.command("mqtt", "forget"), capture_output=True, text=True, check=False)

    refused = forget()
    assert refused.returncode == 1 and "living-room is online" in refused.stderr, refused
    emotiond.end(signal.SIGTERM)
    done = forget()
    assert done.returncode == 0 and "forgotten: homeassistant/device/living-room/config" in done.stdout, done
    eventually("the device is gone", lambda: not house.device())
    assert [entity for entity in ENTITIES if house.state(entity)] == []
    assert "knows nothing of living-room" in forget().stdout
