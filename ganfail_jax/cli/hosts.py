"""Flags by which several processes find each other; SLURM and TPU pods need none of these."""

from absl.flags import DEFINE_integer, DEFINE_string, FlagValues

from ganfail_jax import hosts
from ganfail_jax.cli.bounds import MOST


def define_hosts(flags: FlagValues) -> None:
    text = "host:port of the first of several processes."
    DEFINE_string("coordinator", None, text, flag_values=flags)
    text = "How many processes there are."
    DEFINE_integer("num_processes", None, text, 1, MOST, flag_values=flags)
    text = "Which of them this is, from 0."
    DEFINE_integer("process_id", None, text, 0, MOST - 1, flag_values=flags)


def join_hosts(flags: FlagValues) -> None:
    """Join the other processes where a command has these flags, before anything is printed.

    Raises:
        InputError: only some of the flags are given, or the processes do not find each other.
    """
    if "coordinator" in flags:
        hosts.start(flags.coordinator, flags.num_processes, flags.process_id)
