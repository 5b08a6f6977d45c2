"""Reads a pickle as data: nothing in it is ever imported or called.

The standard library only decodes the opcodes (`pickletools.genops`); what they build is decided
here: plain containers, the numbers and texts that a pickle can spell out, and what the caller's
table makes of the few names it knows. Every other name is refused. Nothing is allocated by a size
that the file claims, nothing nested is hashed or printed: time and memory follow the file's length.
"""

import pickletools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ganfail_jax.errors import one_line
from ganfail_jax.weights.errors import WeightsError

Make = Callable[..., Any]
LONGEST_KEY, LONGEST_NAME = 1_000, 200  # characters
LARGEST_KEY = 2**31
LARGEST_INT = 128  # bits; torch's magic number has 77
MOST_ARGUMENTS = 16
MARK = object()


class Name(NamedTuple):
    """A global of the table, such as a storage type: inert until a REDUCE or NEWOBJ names it."""

    name: str  # "module.attribute"
    make: Make | None  # None: may be mentioned, not called


class Opaque:
    """An object of a known class: its state, as it stands in the file."""

    def __init__(self, name: str):
        self.name = name
        self.state: Any = None
        self.items: dict[Any, Any] = {}  # of a dict-like object


class PickleFault(WeightsError):
    """What is wrong and at which byte."""


class Budget:
    """Work that a file may ask for: a small file could ask for one large part many times.

    It is shared by a file and the blobs in it.
    """

    def __init__(self, size: int):
        self.bytes = size  # copied out of the file
        self.opcodes = 100_000 + size // 64  # a generator of 30 million numbers needs some 25,000

    def spend(self, amount: int) -> None:
        self.bytes -= amount
        if self.bytes < 0:
            raise ValueError("the same part of the file again and again")

    def step(self) -> None:
        self.opcodes -= 1
        if self.opcodes < 0:
            raise ValueError("more opcodes than a checkpoint of this size has")


class _Machine:
    """The stack machine of the pickle protocols 0 to 5."""

    def __init__(self, table: Mapping[str, Make | None], persistent: Callable[[Any], Any] | None):
        self.table, self.persistent = table, persistent
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def pop(self) -> Any:
        value = self.stack.pop()
        if value is MARK:
            raise ValueError("a mark where a value should be")
        return value

    def pop_mark(self) -> list[Any]:
        for i in range(len(self.stack) - 1, -1, -1):
            if self.stack[i] is MARK:
                values = self.stack[i + 1 :]
                del self.stack[i:]
                return values
        raise ValueError("no mark")

    def top(self, kind: type | tuple[type, ...]) -> Any:
        value = self.stack[-1]
        if not isinstance(value, kind):
            raise ValueError(f"{type(value).__name__} where another type should be")
        return value

    def put(self, index: int) -> None:
        if not 0 <= index < LARGEST_KEY:
            raise ValueError("a memo that no pickle has")
        self.memo[index] = self.stack[-1]

    def name(self, module: Any, attribute: Any) -> None:
        if not (isinstance(module, str) and isinstance(attribute, str)):
            raise ValueError("a name that is no text")
        if len(module) + len(attribute) > LONGEST_NAME:  # a text of the memo, joined ever again
            raise ValueError("a name longer than any that a checkpoint needs")
        full = f"{module}.{attribute}"
        if full not in self.table:
            raise ValueError(f"{full} is not a name that a checkpoint needs")
        self.stack.append(Name(full, self.table[full]))

    def call(self, function: Any, args: Any) -> None:
        if not isinstance(function, Name) or function.make is None:
            raise ValueError(f"a call of {getattr(function, 'name', type(function).__name__)}")
        if not isinstance(args, tuple) or len(args) > MOST_ARGUMENTS:
            raise ValueError(f"a call of {function.name} with other than a few arguments")
        self.stack.append(function.make(*args))

    def persist(self, identity: Any) -> None:
        if self.persistent is None:
            raise ValueError("a persistent id, but this kind of file has none")
        self.stack.append(self.persistent(identity))

    def set_items(self, pairs: list[Any]) -> None:
        if len(pairs) % 2:
            raise ValueError("a key without a value")
        target = self.top((dict, Opaque))
        items = target.items if isinstance(target, Opaque) else target
        for name, value in zip(pairs[::2], pairs[1::2], strict=True):
            items[key(name)] = value

    def build(self, state: Any) -> None:
        target = self.stack[-1]
        if hasattr(target, "set_state"):
            target.set_state(state)
        elif isinstance(target, Opaque):
            target.state = state
        elif not (isinstance(target, dict) and isinstance(state, dict)):
            # attributes of a dict, such as OrderedDict's _metadata, say nothing that is needed
            raise ValueError(f"a state for {type(target).__name__}")


def key(value: Any) -> Any:
    """A value that may be hashed: what dict keys and members of sets are.

    Raises:
        ValueError: it is nested, or of another kind.
    """
    short = isinstance(value, str | bytes) and len(value) <= LONGEST_KEY
    small = (
        isinstance(value, int) and abs(value) < LARGEST_KEY
    )  # larger ones can be made to collide
    if not (value is None or short or small):
        raise ValueError(f"a key that is no short text or number but {type(value).__name__}")
    return value


def _constant(value: Any) -> Callable[[_Machine, Any], None]:
    return lambda m, _: m.stack.append(value)


def _argument(m: _Machine, arg: Any) -> None:
    if isinstance(arg, int) and arg.bit_length() > LARGEST_INT:
        raise ValueError("a number larger than any in a checkpoint")
    m.stack.append(arg)


def _text(m: _Machine, arg: Any) -> None:
    """Python 2's byte strings, of which names and array data are made."""
    m.stack.append(arg if isinstance(arg, str) else bytes(arg).decode("latin1"))


def _tuple_of(n: int) -> Callable[[_Machine, Any], None]:
    def step(m: _Machine, _: Any) -> None:
        values = [m.pop() for _ in range(n)]
        m.stack.append(tuple(reversed(values)))

    return step


def _extend(m: _Machine, values: list[Any]) -> None:
    m.top(list).extend(values)


def _add_items(m: _Machine, values: list[Any]) -> None:
    m.top(set).update(map(key, values))


def _append(m: _Machine, value: Any) -> None:
    m.top(list).append(value)


def _set_item(m: _Machine) -> None:
    value, name = m.pop(), m.pop()
    m.set_items([name, value])


def _reduce(m: _Machine) -> None:
    args, function = m.pop(), m.pop()
    m.call(function, args)


def _new_with_keywords(m: _Machine) -> None:
    keywords, args, function = m.pop(), m.pop(), m.pop()
    if keywords:
        raise ValueError("keyword arguments")
    m.call(function, args)


def _stack_global(m: _Machine) -> None:
    attribute, module = m.pop(), m.pop()
    m.name(module, attribute)


def _instance(m: _Machine, arg: Any) -> None:
    args = tuple(m.pop_mark())
    m.name(*str(arg).split(" ", 1))
    m.call(m.stack.pop(), args)


def _object(m: _Machine) -> None:
    function, *args = m.pop_mark()
    m.call(function, tuple(args))


STEPS: dict[str, Callable[[_Machine, Any], Any]] = {
    **dict.fromkeys(("PROTO", "FRAME"), lambda m, _: None),
    **dict.fromkeys(
        (
            *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
            *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "UNICODE"),
            *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
        ),
        _argument,
    ),
    **dict.fromkeys(("STRING", "BINSTRING", "SHORT_BINSTRING"), _text),
    "NONE": _constant(None),
    "NEWTRUE": _constant(True),
    "NEWFALSE": _constant(False),
    "EMPTY_TUPLE": _constant(()),
    "EMPTY_LIST": lambda m, _: m.stack.append([]),
    "EMPTY_DICT": lambda m, _: m.stack.append({}),
    "EMPTY_SET": lambda m, _: m.stack.append(set()),
    "MARK": _constant(MARK),
    "POP": lambda m, _: m.stack.pop(),
    "POP_MARK": lambda m, _: m.pop_mark(),
    "DUP": lambda m, _: m.stack.append(m.stack[-1]),
    "TUPLE": lambda m, _: m.stack.append(tuple(m.pop_mark())),
    "TUPLE1": _tuple_of(1),
    "TUPLE2": _tuple_of(2),
    "TUPLE3": _tuple_of(3),
    "LIST": lambda m, _: m.stack.append(m.pop_mark()),
    "DICT": lambda m, _: (lambda pairs: (m.stack.append({}), m.set_items(pairs)))(m.pop_mark()),
    "FROZENSET": lambda m, _: m.stack.append(frozenset(map(key, m.pop_mark()))),
    "APPEND": lambda m, _: _append(m, m.pop()),
    "APPENDS": lambda m, _: _extend(m, m.pop_mark()),
    "SETITEM": lambda m, _: _set_item(m),
    "SETITEMS": lambda m, _: m.set_items(m.pop_mark()),
    "ADDITEMS": lambda m, _: _add_items(m, m.pop_mark()),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), lambda m, arg: m.put(int(arg))),
    "MEMOIZE": lambda m, _: m.put(len(m.memo)),
    **dict.fromkeys(
        ("GET", "BINGET", "LONG_BINGET"), lambda m, arg: m.stack.append(m.memo[int(arg)])
    ),
    "GLOBAL": lambda m, arg: m.name(*str(arg).split(" ", 1)),
    "STACK_GLOBAL": lambda m, _: _stack_global(m),
    **dict.fromkeys(("REDUCE", "NEWOBJ"), lambda m, _: _reduce(m)),
    "NEWOBJ_EX": lambda m, _: _new_with_keywords(m),
    "INST": _instance,
    "OBJ": lambda m, _: _object(m),
    "BUILD": lambda m, _: m.build(m.pop()),
    "PERSID": lambda m, arg: m.persist(arg),
    "BINPERSID": lambda m, _: m.persist(m.pop()),
}


def read(
    file: Any,
    table: Mapping[str, Make | None],
    budget: Budget,
    persistent: Callable[[Any], Any] | None = None,
) -> Any:
    """The value of the pickle that starts at the file's position; the file is left behind it.

    Args:
        file: of bytes, in memory (`io.BytesIO`).
        budget: of the whole file.
        table: "module.attribute" -> what a call of it makes; None: it is only mentioned.
        persistent: a persistent id -> its value.

    Raises:
        PickleFault: the bytes are damaged, or name something that is not in the table.
    """
    machine, position = _Machine(table, persistent), file.tell()
    try:
        for opcode, arg, at in pickletools.genops(file):
            position = at if at is not None else position
            budget.step()
            if opcode.name == "STOP":
                return machine.pop()
            if opcode.name not in STEPS:
                raise ValueError(f"the opcode {opcode.name}")
            STEPS[opcode.name](machine, arg)
            position = file.tell()
    except WeightsError:
        raise
    except Exception as error:  # whatever a damaged file leads to: no file is trusted
        missing = isinstance(error, IndexError | KeyError)  # on the stack or in the memo
        reason = "a value that is not there" if missing else one_line(error)
        raise PickleFault(f"refused at byte {position}: {reason}") from error
    raise PickleFault(f"ends at byte {position} before its end")
