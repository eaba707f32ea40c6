"""`python -m bench [speed|login|letters|enumeration|deactivation] [options]`."""

import argparse
import signal
import sys

from bench import load, small, speed
from bench.stacks import STACKS


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Speed, beside reference stacks.")
    parser.set_defaults(run=speed.main)
    commands = parser.add_subparsers(metavar="WHAT")
    speed_options(parser)
    one = commands.add_parser("speed", help="requests per second beside the reference stacks (what runs by itself)")
    speed_options(one)
    one.set_defaults(run=speed.main)
    for name, function in small.BENCHMARKS.items():
        one = commands.add_parser(name, help=function.__doc__)
        one.add_argument("--number", type=int, default=small.NUMBERS[name], help="how many of them (%(default)s)")
        one.add_argument("--rounds", type=int, default=3)
        one.add_argument("--patience", type=float, default=60, help="seconds to wait for a calm machine (%(default)s)")
        one.set_defaults(run=small.main, name=name)
    options = parser.parse_args()
    # Whoever stops it leaves no servers behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    options.run(options)


def speed_options(parser: argparse.ArgumentParser) -> None:
    peers = [stack.name for stack in STACKS if stack.name != "product"]
    parser.add_argument("--courses", type=int, default=2000)
    parser.add_argument("--lessons", type=int, default=10, help="in each course (%(default)s)")
    parser.add_argument("--people", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4, help="of each round, for each page (%(default)s)")
    parser.add_argument("--warm-up", type=float, default=1, help="seconds (%(default)s)")
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--load", choices=("wrk", "own"), default=load.default_tool(), help="by whom (%(default)s)")
    parser.add_argument("--stacks", nargs="*", choices=peers, default=peers, help="beside the product (all)")
    parser.add_argument("--patience", type=float, default=180, help="seconds to wait for a calm machine (%(default)s)")


if __name__ == "__main__":
    main()
