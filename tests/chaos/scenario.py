"""What happens in a chaos run: who writes what to whom and when, when a runtime is killed, what fails.

All of it follows from the seed. Nothing here does I/O.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

SHARED_USERS = 0.2
"""Share of the conversations whose user also writes to another client."""
BURSTS = 0.3
"""Share of the messages that follow another one of the same conversation within half a second."""
SLOW = 0.15
"""Share of the messages that the model thinks about for longer than the webhook is held open."""
LONG_ANSWERS = 0.04
"""Share of the messages that ask for more than one WhatsApp message can hold."""
WORDS = ("¿tienen mesa?", "gracias", "¿a qué hora abren?", "quiero reservar", "¿y mañana?", "somos cuatro")

Fault = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Scale:
    """How much happens."""

    messages: int
    conversations: int
    clients: int
    kills: int
    seconds: float
    """How long messages keep coming."""
    patience: float
    """Seconds after the last message within which everything must be answered."""
    trouble: float = 1.0
    """How many times as often the providers fail."""


LONG = Scale(messages=2000, conversations=200, clients=8, kills=10, seconds=100, patience=60)
SHORT = Scale(messages=150, conversations=20, clients=6, kills=2, seconds=4, patience=30, trouble=2)


@dataclass(frozen=True, slots=True)
class Letter:
    """A message that a user writes."""

    moment: float
    """Seconds after the start."""
    client: int
    user: str
    text: str
    """Holds a token that no other message has."""


@dataclass(frozen=True, slots=True)
class Kill:
    """A `kill -9` of one replica, which is started again at once."""

    moment: float
    """Seconds after the start."""
    replica: int
    breath: float
    """Seconds that the fleet serves after the kill before at the least, on however slow a machine."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """Everything that is going to happen."""

    seed: int
    scale: Scale
    letters: Sequence[Letter]
    kills: Sequence[Kill]
    faults: Sequence[Fault]


def scenario(scale: Scale, seed: int, replicas: int = 1) -> Scenario:
    """The scenario of a seed."""
    dice = random.Random(seed)
    letters = _letters(scale, dice)
    # Kills are spread over the time in which messages come, so that each finds work in flight.
    moments = sorted(dice.uniform(0.05, 1.0) * scale.seconds for _ in range(scale.kills))
    kills = [Kill(moment, dice.randrange(replicas), dice.uniform(0, 4)) for moment in moments]
    return Scenario(seed, scale, letters, kills, _faults(scale, seed))


def _letters(scale: Scale, dice: random.Random) -> list[Letter]:
    conversations = _conversations(scale, dice)
    written: list[tuple[float, tuple[str, int]]] = []
    for index in range(scale.messages):
        if index < len(conversations):
            written.append((dice.uniform(0, scale.seconds), conversations[index]))
        elif dice.random() < BURSTS:
            moment, conversation = dice.choice(written)
            written.append((min(moment + dice.uniform(0, 0.5), scale.seconds), conversation))
        else:
            written.append((dice.uniform(0, scale.seconds), dice.choice(conversations)))
    written.sort()
    return [Letter(moment, client, user, _text(index, dice)) for index, (moment, (user, client)) in enumerate(written)]


def _conversations(scale: Scale, dice: random.Random) -> list[tuple[str, int]]:
    """Pairs of a user and a client; some users write to two clients."""
    shared = int(scale.conversations * SHARED_USERS)
    pairs: list[tuple[str, int]] = []
    for number in range(scale.conversations - shared):
        clients = dice.sample(range(scale.clients), 2 if number < shared else 1)
        pairs += [(f"+569{70_000_000 + number}", client) for client in clients]
    return pairs


def _text(index: int, dice: random.Random) -> str:
    wish, chance = "", dice.random()
    if chance < SLOW:
        wish = " piensa 1.2s"
    elif chance < SLOW + LONG_ANSWERS:
        wish = " escribe 1900 letras"
    return f"q{index:04d}-{dice.getrandbits(16):04x} {dice.choice(WORDS)}{wish}"


def _faults(scale: Scale, seed: int) -> list[Fault]:
    """The model fails for 5% of the calls and times out for 2%, its work done; as do Twilio's sends."""
    model = {"provider": "openai", "method": "POST", "path": "/v1/responses"}
    send = {"provider": "twilio", "method": "POST", "path": "/2010-04-01/Accounts/*/Messages.json"}
    webhook = {"provider": "twilio", "path": "/webhook/whatsapp"}
    rules: list[Fault] = [
        model | {"kind": "status", "status": 500, "rate": 0.025},
        model | {"kind": "retry_after", "retry_after": 0.5, "rate": 0.025},
        model | {"kind": "timeout_after_write", "seconds": 4, "rate": 0.02},
        send | {"kind": "status", "status": 500, "rate": 0.025},
        send | {"kind": "retry_after", "retry_after": 0.5, "rate": 0.025},
        send | {"kind": "timeout_after_write", "seconds": 1, "rate": 0.02},
        send | {"method": "GET", "kind": "status", "status": 500, "rate": 0.05},
        webhook | {"kind": "duplicate_webhook", "seconds": 0.3, "rate": 0.1},
        webhook | {"kind": "reorder_webhooks", "seconds": 0.4, "rate": 0.1},
    ]
    return [rule | {"rate": rule["rate"] * scale.trouble, "seed": seed + number} for number, rule in enumerate(rules)]
