"""The test suite.

The one `__init__.py` among the tests: Adafruit_GPIO, which pi-ina219 pulls in, installs a package
named `tests`, and a folder without this file would lose its name to it.
"""
