"""What a node of the rig is made of: a board with a server, a lamp and a pump, and its rack."""

from __future__ import annotations

BOARD = """\
[board]
name = "rig"
driver = "{driver}"
base_w = 2.5
stagger_s = 0.05

[[meter]]
name = "server"
address = 0x40
shunt_ohms = 0.1

[[output]]
name = "server"
gpio = 17
required = true
nominal_w = 4.0
meter = "server"
mock = {{ draw_w = 3.6, noise = 0.05 }}

[[output]]
name = "lamp"
gpio = 22
nominal_w = 6.0
inrush_w = 9.0
inrush_s = 0.05
mock = {{ draw_w = 5.7, noise = 0.02 }}

[[output]]
name = "pump"
gpio = 27
active_high = false
nominal_w = 8.0
inrush_w = 12.0
inrush_s = 0.05
mock = {{ draw_w = 7.5 }}
"""

EXACT_BOARD = (
    BOARD.replace("draw_w = 3.6, noise = 0.05", "draw_w = 4.0, noise = 0.0")
    .replace("draw_w = 5.7, noise = 0.02", "draw_w = 6.0, noise = 0.0")
    .replace("draw_w = 7.5", "draw_w = 8.0, noise = 0.0")
)
"""Every load draws its nameplate to the watt: no watt given twice hides beside it."""

CONFIG = """\
[rack]
name = "rig"
interface = "{interface}"
key_file = "{key_file}"
{rack}

[feed]
capacity_w = {capacity_w}

[node]
name = "{name}"
priority = {priority}
board = "board.toml"
state_dir = "state"
runtime_dir = "run"

[[source]]
name = "grid"
price = 0.25

[[load]]
name = "server"
kind = "required"

[[load]]
name = "lamp"
kind = "flexible"
worth = 0.50

[[load]]
name = "pump"
kind = "flexible"
worth = 0.40

[web]
port = {api_port}

[mock]
plant = "{plant}"
trace = "{trace}"
"""
