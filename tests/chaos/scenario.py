"""What happens in a chaos run: who writes what to whom and when, when a runtime is killed, frozen or cut off from its
store, what fails.

All of it follows from the seed. Nothing here does I/O.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

SHARED_USERS = 0.2
"""Share of the conversations whose user also writes to another client."""
BURSTS = 0.3
"""Share of the messages that follow another one of the same conversation within half a second."""
SLOW = 0.15
"""Share of the messages that the model thinks about for longer than the webhook is held open."""
LONG_ANSWERS = 0.04
"""Share of the messages that ask for more than one WhatsApp message can hold."""
VOICE = PICTURES = 0.1
"""Shares of the messages that are a voice note, and a picture with a caption."""
FROZEN_SECONDS = 2.0, 10.0
"""Bounds of how long a replica is frozen: shorter and longer than the silence after which it counts as crashed."""
HELD_SECONDS = 0.5, 3.0
"""Bounds of how long a person has a conversation."""
CUT_OFF_SECONDS = 10.0
"""How long a replica cannot reach PostgreSQL."""
PAUSES = ("0", "0.2", "0.2")
"""DEBOUNCE_SECONDS, by the seed: of three seeds in a row one is without a pause."""
OPERATOR = "Una persona del equipo:"
"""What people write begins so."""
WORDS = ("¿tienen mesa?", "gracias", "¿a qué hora abren?", "quiero reservar", "¿y mañana?", "somos cuatro")

Fault = dict[str, Any]
Form = Literal["text", "voice", "picture"]


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
    freezes: int = 0
    people: int = 3
    """Users who ask for a person."""
    replies: int = 3
    """What an operator writes to each."""
    guests: int = 3
    """People to whom an agency writes first, and who opt out."""
    cuts: int = 0
    """How often a replica is cut off from PostgreSQL; never where there is only one."""
    takes: int = 0
    """How often a person takes a conversation, and gives it back."""


LONG = Scale(
    messages=2000,
    conversations=200,
    clients=8,
    kills=10,
    seconds=100,
    patience=60,
    freezes=4,
    cuts=3,
    people=12,
    replies=8,
    guests=12,
    takes=40,
)
SHORT = Scale(messages=150, conversations=20, clients=6, kills=2, seconds=4, patience=30, trouble=2, takes=4)


@dataclass(frozen=True, slots=True)
class Letter:
    """A message that a user writes."""

    moment: float
    """Seconds after the start."""
    client: int
    user: str
    text: str
    """Holds a token that no other message has."""
    form: Form = "text"
    """How it is sent: `voice` says the text, `picture` has it as its caption."""


@dataclass(frozen=True, slots=True)
class Kill:
    """A `kill -9` of one replica, which is started again at once."""

    moment: float
    """Seconds after the start."""
    replica: int
    breath: float
    """Seconds that the fleet serves after the kill before at the least, on however slow a machine."""


@dataclass(frozen=True, slots=True)
class Silence:
    """A replica that runs and does nothing (SIGSTOP), or one that cannot reach PostgreSQL."""

    moment: float
    """Seconds after the start."""
    replica: int
    seconds: float
    """How long it lasts."""


@dataclass(frozen=True, slots=True)
class Take:
    """A person who takes a conversation, may write in it, and gives it back."""

    moment: float
    """Seconds after the start, just after a message of its user."""
    client: int
    user: str
    seconds: float
    """How long they have it."""
    text: str | None
    """What they write; None: nothing."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """Everything that is going to happen."""

    seed: int
    scale: Scale
    letters: Sequence[Letter]
    kills: Sequence[Kill]
    freezes: Sequence[Silence]
    cuts: Sequence[Silence]
    faults: Sequence[Fault]
    takes: Sequence[Take] = ()

    @property
    def pause(self) -> str:
        """DEBOUNCE_SECONDS of this run."""
        return PAUSES[self.seed % len(PAUSES)]


def scenario(scale: Scale, seed: int, replicas: int = 1) -> Scenario:
    """The scenario of a seed."""
    dice = random.Random(seed)
    letters = _in_forms(_letters(scale, dice), random.Random(f"forms of {seed}"))
    # Kills are spread over the time in which messages come, so that each finds work in flight.
    moments = sorted(dice.uniform(0.05, 1.0) * scale.seconds for _ in range(scale.kills))
    kills = [Kill(moment, dice.randrange(replicas), dice.uniform(0, 4)) for moment in moments]
    freezes = _silences(scale, scale.freezes, replicas, FROZEN_SECONDS, random.Random(f"freezes of {seed}"))
    often = scale.cuts if replicas > 1 else 0
    cut_off = (CUT_OFF_SECONDS, CUT_OFF_SECONDS)
    cuts = _silences(scale, often, replicas, cut_off, random.Random(f"cuts of {seed}"))
    takes = _takes(scale, letters, random.Random(f"takes of {seed}"))
    return Scenario(seed, scale, letters, kills, freezes, cuts, _faults(scale, seed), takes)


def _takes(scale: Scale, letters: Sequence[Letter], dice: random.Random) -> list[Take]:
    """One of a conversation at most, while its user's message is being answered. Half of the people write something."""
    by_conversation = {(letter.client, letter.user): letter for letter in dice.sample(letters, len(letters))}
    chosen = sorted(list(by_conversation.values())[: scale.takes], key=lambda letter: letter.moment)
    return [
        Take(
            letter.moment + dice.uniform(0.0, 1.0),
            letter.client,
            letter.user,
            dice.uniform(*HELD_SECONDS),
            f"{OPERATOR} {number}" if number % 2 else None,
        )
        for number, letter in enumerate(chosen)
    ]


def _silences(
    scale: Scale, often: int, replicas: int, seconds: tuple[float, float], dice: random.Random
) -> list[Silence]:
    """In the time in which messages come, in equal parts of it: each begins when the one before is over, or nearly."""
    part = scale.seconds / max(often, 1)
    moments = [(index + dice.uniform(0.05, 0.5)) * part for index in range(often)]
    return [Silence(moment, dice.randrange(replicas), dice.uniform(*seconds)) for moment in moments]


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


def _in_forms(letters: Sequence[Letter], dice: random.Random) -> list[Letter]:
    """The messages, some of them said or shown."""
    forms: list[Form] = ["text", "voice", "picture"]
    chosen = dice.choices(forms, [1 - VOICE - PICTURES, VOICE, PICTURES], k=len(letters))
    return [replace(letter, form=form) for letter, form in zip(letters, chosen, strict=True)]


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
    """The model fails for 5% of the calls and times out for 2%, its work done; as do Twilio's sends. Files and
    transcriptions fail for 5%."""
    model = {"provider": "openai", "method": "POST", "path": "/v1/responses"}
    send = {"provider": "twilio", "method": "POST", "path": "/2010-04-01/Accounts/*/Messages.json"}
    file = {"provider": "twilio", "method": "GET", "path": "/2010-04-01/Accounts/*/Media/*"}
    speech = {"provider": "openai", "method": "POST", "path": "/v1/audio/transcriptions"}
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
        file | {"kind": "status", "status": 500, "rate": 0.05},
        speech | {"kind": "status", "status": 500, "rate": 0.05},
    ]
    return [rule | {"rate": rule["rate"] * scale.trouble, "seed": seed + number} for number, rule in enumerate(rules)]
