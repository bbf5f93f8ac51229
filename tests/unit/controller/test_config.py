from pathlib import Path

import pytest

from rackgrid.config_file import load_config
from rackgrid.errors import ConfigError, RackgridError

PROFILE = """\
[board]
name = "b"
driver = "mock"
base_w = 4

[[meter]]
name = "panel"
address = 0x40

[[output]]
name = "server"
gpio = 17
required = true
nominal_w = 8

[[output]]
name = "fan"
gpio = 22
nominal_w = 6
"""

SMALL = """\
[rack]
name = "demo"
interface = "lo"

[feed]
capacity_w = 30

[node]
name = "pi-1"
board = "board.toml"
"""


def write(folder: Path, text: str) -> Path:
    (folder / "board.toml").write_text(PROFILE)
    path = folder / "rackgrid.toml"
    path.write_text(text)
    return path


def test_config_of_ten_lines_has_all_defaults(tmp_path: Path) -> None:
    path = write(tmp_path, SMALL)
    config = load_config(path)
    assert config.path == path
    rack = config.rack
    assert (rack.group, rack.port, rack.ttl, rack.expect) == ("224.0.0.224", 8437, 1, 1)
    assert (rack.heartbeat_s, rack.suspect, rack.beacon_s) == (0.1, 3, 1.0)
    assert (rack.round_s, rack.authority_s, rack.grant_s) == (0.5, 0.5, 2.5)
    assert (rack.preempt, rack.preempt_after_s) == (True, 60.0)
    assert rack.key_file == Path("/etc/rackgrid/rack.key")
    assert (config.feed.reserve_w, config.feed.currency, config.feed.price_cap) == (0, "EUR", 10)
    assert config.node.board == tmp_path / "board.toml"
    assert config.node.state_dir == Path("/var/lib/rackgrid")
    assert config.node.runtime_dir == Path("/run/rackgrid")
    assert config.mqtt is None
    assert (config.web.host, config.web.port, config.web.enabled) == ("127.0.0.1", 8470, True)
    assert (config.mock.plant, config.mock.seed, config.mock.trace) == (None, 1, None)
    assert (config.sources, config.loads) == ((), ())


def test_config_with_everything_has_everything(tmp_path: Path) -> None:
    config = load_config(
        write(
            tmp_path,
            SMALL.replace("capacity_w = 30", 'capacity_w = 30\nreserve_w = 2.5\ncurrency = "CHF"')
            + 'priority = 7\nstate_dir = "state"\nruntime_dir = "/run/x"\n'
            '[[source]]\nname = "sun"\nprice = -0.05\npower_w = 18\nmeter = "panel"\n'
            'tariff_file = "sun.json"\n'
            '[[load]]\nname = "main"\noutput = "server"\nkind = "required"\n'
            '[[load]]\nname = "fan"\nworth = 0.4\n'
            '[mqtt]\nhost = "localhost"\nusername = "u"\npassword_file = "pw"\n'
            'tls_ca_file = "/etc/ca.pem"\ntopic = "home/rack"\n'
            '[web]\nhost = "::1"\nport = 0\nenabled = false\n'
            '[mock]\nplant = "plant.sock"\nseed = 9\ntrace = "truth.jsonl"\n'
            'script = "day.toml"\n',
        )
    )
    (sun,), (main, fan), mqtt = config.sources, config.loads, config.mqtt
    assert (sun.name, sun.price, sun.power_w, sun.meter) == ("sun", -0.05, 18.0, "panel")
    assert sun.tariff_file == tmp_path / "sun.json"
    assert (main.name, main.output, main.kind, main.worth) == ("main", "server", "required", None)
    assert (fan.name, fan.output, fan.kind, fan.worth) == ("fan", "fan", "flexible", 0.4)
    assert mqtt is not None
    assert (mqtt.host, mqtt.port, mqtt.username, mqtt.topic) == (
        "localhost",
        1883,
        "u",
        "home/rack",
    )
    assert (mqtt.password_file, mqtt.tls_ca_file) == (tmp_path / "pw", Path("/etc/ca.pem"))
    assert (config.web.host, config.web.port, config.web.enabled) == ("::1", 0, False)
    assert config.mock.plant == tmp_path / "plant.sock"
    assert config.mock.trace == tmp_path / "truth.jsonl"
    assert config.mock.script == tmp_path / "day.toml"
    assert (config.node.priority, config.node.state_dir) == (7, tmp_path / "state")
    assert (config.feed.reserve_w, config.feed.currency) == (2.5, "CHF")


def test_config_source_with_published_prices(tmp_path: Path) -> None:
    text = (
        "trust_clock = true\nkeep_days = 30\nrecord_days = 2\nrecord_mb = 0.5\n"
        '[[source]]\nname = "grid"\nprice = 0.3\n'
        'http = { url = "https://example.org/p", items = "data", scale = 0.001,'
        ' header_file = "token" }\n'
    )
    config = load_config(write(tmp_path, SMALL + text))
    http = config.sources[0].http
    assert http is not None
    assert (http.url, http.items, http.scale) == ("https://example.org/p", "data", 0.001)
    assert (http.start, http.end, http.value, http.every_s) == ("start", "", "value", 900.0)
    assert http.header_file == tmp_path / "token"
    assert config.node.trust_clock
    assert (config.node.record_days, config.node.record_mb) == (2, 0.5)
    assert config.node.keep_days == 30
    assert load_config(write(tmp_path, SMALL)).sources == ()


def test_config_reference_price_may_be_zero_and_is_not_known_by_default(tmp_path: Path) -> None:
    text = SMALL.replace("capacity_w = 30", "capacity_w = 30\nreference_price = 0")
    assert load_config(write(tmp_path, text)).feed.reference_price == 0.0
    assert load_config(write(tmp_path, SMALL)).feed.reference_price is None


def test_config_by_a_relative_path_has_absolute_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The daemon may change its folder; what it reads later must be what was meant."""
    write(tmp_path, SMALL)
    monkeypatch.chdir(tmp_path)
    config = load_config(Path("rackgrid.toml"))
    assert config.path == tmp_path / "rackgrid.toml"
    assert config.node.board == tmp_path / "board.toml"


def test_config_that_is_wrong_raises_every_finding_at_once(tmp_path: Path) -> None:
    path = write(tmp_path, SMALL.replace("30", '"30 W"').replace("lo", "/dev/lo"))
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert isinstance(caught.value, RackgridError)
    assert isinstance(caught.value, ValueError)
    assert len(caught.value.findings) == 2
    assert str(caught.value) == "\n".join(caught.value.findings)
    assert caught.value.findings[1].startswith(f"{path}:6: [feed] capacity_w: expected")


def test_config_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file or directory"):
        load_config(tmp_path / "none.toml")
