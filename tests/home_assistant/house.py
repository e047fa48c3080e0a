"""Home Assistant, a broker and emotiond, each the real one, on this machine's loopback."""

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import paho.mqtt.client as paho
from homeassistant import bootstrap, config_entries, loader
from homeassistant.auth import auth_manager_from_config
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry, entity_registry
from homeassistant.setup import async_setup_component

PORTRAIT = Path(__file__).parents[2] / "third_party" / "portrait.png"

# Longest wait for anything that must happen.
DEADLINE = 60


def eventually(what, condition):
    """Waits until `condition` answers something true, and answers that."""
    end = time.monotonic() + DEADLINE
    while not (answer := condition()):
        assert time.monotonic() < end, f"{what}: not within {DEADLINE} s"
        time.sleep(0.05)
    return answer


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Warnings(logging.Handler):
    """What Home Assistant's MQTT integration complains of."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.texts = []

    def emit(self, record):
        self.texts.append(record.getMessage())


class Broker:
    def __init__(self, folder):
        self.port = free_port()
        config = folder / "mosquitto.conf"
        config.write_text(f"user root\nlistener {self.port} 127.0.0.1\nallow_anonymous true\n")
        program = shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin")
        self.process = subprocess.Popen([program, "-c", config], stderr=subprocess.DEVNULL)
        eventually("the broker listens", self.listens)
        self.messages = []
        self.client = paho.Client(paho.CallbackAPIVersion.VERSION2)
        self.client.on_message = lambda _client, _data, message: self.messages.append(message)
        self.client.connect("127.0.0.1", self.port)
        self.client.subscribe("#", 1)
        self.client.loop_start()

    def listens(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self):
        self.client.loop_stop()
        self.process.kill()
        self.process.wait()


class Emotiond:
    """The daemon; its camera is a photo that can be taken away."""

    def __init__(self, folder, broker):
        self.folder = folder
        self.photo = folder / "photo.png"
        self.log = folder / "emotiond.log"
        self.settings = [
            f"camera.source=replay:{self.photo}",
            f"mqtt.url=mqtt://127.0.0.1:{broker.port}",
            "mqtt.face_image=true",
            "device.id=living-room",
            f"device.state_dir={folder / 'state'}",
            "display.driver=none",
            "people.enabled=true",
        ]
        self.show_face()
        self.start()

    def command(self, *words):
        overrides = [part for setting in self.settings for part in ("--set", setting)]
        return [os.environ["EMOTIOND"], *words, *overrides]

    def start(self):
        with self.log.open("a") as log:
            self.process = subprocess.Popen(self.command("run"), stderr=log, stdout=subprocess.DEVNULL)

    def end(self, how):
        self.process.send_signal(how)
        self.process.wait(DEADLINE)

    def kept(self):
        return self.folder / "state" / "settings.json"

    def show_face(self):
        shutil.copy(PORTRAIT, self.photo)

    def stop(self):
        if self.process.poll() is None:
            self.end(signal.SIGTERM)


@contextlib.contextmanager
def announced(folder, broker, name):
    """What a daemon of this name announces itself with; it is gone afterwards."""
    config = [
        f"mqtt.url=mqtt://127.0.0.1:{broker.port}",
        f"device.id={name}",
        f"device.state_dir={folder / 'state'}",
        "camera.source=/nowhere",
        "display.driver=none",
        "web.listen=",
    ]
    overrides = [part for setting in config for part in ("--set", setting)]
    process = subprocess.Popen([os.environ["EMOTIOND"], "run", *overrides], stderr=subprocess.DEVNULL)
    topic = f"homeassistant/device/{name}/config"
    try:
        yield eventually(
            "the announcement",
            lambda: next((message.payload for message in broker.messages if message.topic == topic), None),
        )
    finally:
        process.terminate()
        process.wait(DEADLINE)


class House:
    """Home Assistant on an event loop of its own thread; its methods wait."""

    def __init__(self, folder, broker):
        self.folder, self.broker = folder, broker
        (folder / "configuration.yaml").touch()
        self.warnings = Warnings()
        logging.getLogger("homeassistant.components.mqtt").addHandler(self.warnings)
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self.hass = self.run(self.boot())
        flow = self.run(self.join_broker())
        assert flow["type"] == "create_entry", flow
        self.run(self.hass.async_start())

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(DEADLINE)

    async def boot(self):
        """What `hass` does before its integrations, without the graphical ones."""
        hass = HomeAssistant(str(self.folder))
        loader.async_setup(hass)
        hass.config.skip_pip = True
        hass.config_entries = config_entries.ConfigEntries(hass, {})
        await bootstrap.async_load_base_functionality(hass)
        hass.auth = await auth_manager_from_config(hass, [], [])
        http = {"http": {"server_host": "127.0.0.1", "server_port": free_port()}}
        for component in ("homeassistant", "http", "mqtt"):
            assert await async_setup_component(hass, component, http), component
        await hass.async_block_till_done()
        return hass

    async def join_broker(self):
        """The dialogue that people go through."""
        manager = self.hass.config_entries.flow
        flow = await manager.async_init("mqtt", context={"source": config_entries.SOURCE_USER})
        return await manager.async_configure(
            flow["flow_id"], {"broker": "127.0.0.1", "port": self.broker.port}
        )

    def stop(self):
        self.run(self.hass.async_stop(force=True))

    def restart(self):
        self.stop()
        self.hass = self.run(self.boot())
        self.run(self.hass.async_start())

    def state(self, entity):
        state = self.hass.states.get(entity)
        return state and state.state

    def wait_for(self, entity, value):
        eventually(f"{entity} is {value} (is {self.state(entity)})", lambda: self.state(entity) == value)

    def wait_for_event(self, entity, **attributes):
        def happened():
            return attributes.items() <= self.hass.states.get(entity).attributes.items()

        eventually(f"{entity} tells {attributes}", happened)

    def call(self, domain, service, entity, **data):
        data["entity_id"] = entity
        self.run(self.hass.services.async_call(domain, service, data, blocking=True))

    def switch_on(self, entities):
        """As people do who want an entity that is off by default; the integration is loaded again."""
        registry = entity_registry.async_get(self.hass)

        async def enable():
            for entity in entities:
                registry.async_update_entity(entity, disabled_by=None)
            for entry in self.hass.config_entries.async_entries("mqtt"):
                await self.hass.config_entries.async_reload(entry.entry_id)
            await self.hass.async_block_till_done()

        self.run(enable())

    def device(self):
        registry = device_registry.async_get(self.hass)
        return registry.async_get_device(identifiers={("mqtt", "emotiond-living-room")})

    def entities(self):
        registry = entity_registry.async_get(self.hass)
        device = self.device()
        entries = entity_registry.async_entries_for_device(registry, device.id, True) if device else []
        return {entry.entity_id: entry for entry in entries}
