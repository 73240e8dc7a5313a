"""`python -m proxy` is `sightglass`."""

from proxy.cli import main

main(prog_name="sightglass")
