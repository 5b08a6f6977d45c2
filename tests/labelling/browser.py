"""A headless Chromium, spoken to in the W3C WebDriver protocol."""

import base64
import json
import re
import shutil
import subprocess
import time
import urllib.request
from contextlib import contextmanager

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
KEYS = {"Backspace": "\ue003", "Shift": "\ue008", "PageDown": "\ue00f", "End": "\ue010"}
KEYS |= {"Home": "\ue011", "ArrowLeft": "\ue012", "ArrowUp": "\ue013"}
KEYS |= {"ArrowRight": "\ue014", "ArrowDown": "\ue015"}
needs_browser = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="no chromium with its chromedriver is installed"
)


class Browser:
    """One window."""

    def __init__(self, driver, size):
        self.driver = driver
        arguments = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        options = {"binary": CHROMIUM, "args": [*arguments, f"--window-size={size}"]}
        asked = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        self.session = ""
        made = self._call("POST", "", {"capabilities": {"alwaysMatch": asked}})
        self.session = f"/{made['sessionId']}"

    def _call(self, method, path, content=None):
        body = None if content is None else json.dumps(content).encode()
        url = f"{self.driver}/session{self.session}{path}"
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
        request.method = method
        with urllib.request.urlopen(request, timeout=60) as reply:
            return json.load(reply)["value"]

    def open(self, address):
        self._call("POST", "/url", {"url": address})

    def js(self, script):
        """The value of a script's return statement."""
        return self._call("POST", "/execute/sync", {"script": script, "args": []})

    def press(self, *names, held=None):
        """Keys, one after the other, by their character or name."""
        keys = [KEYS.get(name, name) for name in names]
        actions = [{"type": kind, "value": k} for k in keys for kind in ("keyDown", "keyUp")]
        if held:
            down, up = ({"type": kind, "value": KEYS[held]} for kind in ("keyDown", "keyUp"))
            actions = [down, *actions, up]
        self._call(
            "POST", "/actions", {"actions": [{"type": "key", "id": "k", "actions": actions}]}
        )

    def until(self, condition, seconds=20):
        """Wait until a JavaScript expression holds."""
        end = time.monotonic() + seconds
        while not self.js(f"return Boolean({condition})"):
            assert time.monotonic() < end, (
                f"never: {condition}\n{self.js('return document.body.innerText')}"
            )
            time.sleep(0.05)

    def screenshot(self, path):
        path.write_bytes(base64.b64decode(self._call("GET", "/screenshot")))

    def complaints(self):
        """What the console says: violations of the policy, faults of scripts, failed requests."""
        return [entry["message"] for entry in self._call("POST", "/se/log", {"type": "browser"})]

    def close(self):
        self._call("DELETE", "")


@contextmanager
def browser(size="1280,800"):
    """A browser that ends with the block."""
    command = [DRIVER, "--port=0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            port = next(
                re.findall(r"port (\d+)\.", line) for line in process.stdout if "success" in line
            )
            window = Browser(f"http://127.0.0.1:{port[0]}", size)
            try:
                yield window
            finally:
                window.close()
        finally:
            process.terminate()
