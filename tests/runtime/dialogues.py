"""What people write to the assistant's last message: where it books or confirms, and where it needs nothing."""

from __future__ import annotations

BOOKINGS: list[tuple[str, str]] = [
    ("¿Te reservo la mesa para el martes a las 21:00?", "ok"),
    ("¿Confirmo tu hora del jueves?", "sí"),
    ("¿Le agendo con la doctora Soto?", "dale"),
    ("Me queda solo la mesa de las 21:00.", "ya"),
    ("Puedo anotarte para mañana a las 9.", "👍"),
    ("Te anoto para el viernes si me dices que sí.", "Si!"),
    ("La hora es el lunes a las 15:30 con el doctor Pérez.", "ok gracias"),
    ("Tengo el martes o el miércoles, a las 10.", "el martes"),
    ("¿Quieres que la cancele?", "gracias, sí"),
    ("¿Quieres que la cancele?", "gracias"),
    ("Son $7.200 por persona. Escribe CONFIRMO para reservar.", "confirmo"),
    ("Queda una mesa en la terraza.", "perfecto"),
    ("Hay hora a las 9 y a las 11.", "la primera"),
    ("El pedido llega en 40 minutos si lo confirma ahora.", "listo"),
    ("La clase de prueba es gratis.", "bueno"),
    ("Para reservar dime cuántos son.", "4"),
    ("Puedo enviarle el menú por correo.", "por favor"),
    ("Te espero el sábado a las 13:00 entonces.", "nos vemos"),
    ("Mañana a las 8 atiende la doctora.", "hasta mañana"),
    ("Le guardo la hora hasta las 18:00.", "de acuerdo 👍🏽"),
    ("Le guardo la hora hasta las 18:00.", "gracias 👍"),
    ("Posso reservar para amanhã às 20h.", "sim, obrigado"),
    ("Tenho uma mesa às 21h.", "pode ser"),
    ("I can book you in for 8 pm.", "yes"),
    ("There is one table left on the terrace.", "sure, thanks"),
    ("Can I confirm your appointment?", "thank you"),
    ("Su reserva vence hoy. ¿La renovamos? Le dejo el detalle: dos personas, terraza.", "muchas gracias"),
    ("Tu mesa es la 12.", "gracias, ¿y a qué hora?"),
    ("Tu mesa es la 12.", "gracias, quiero otra para el lunes"),
]
"""Our last message, and what the person answers: none of these stays without an answer."""
THANKS: list[tuple[str, str]] = [
    ("Tu reserva quedó para el martes a las 21:00.", "gracias"),
    ("Listo, cancelada.", "Muchas gracias!! 🙏"),
    ("Abrimos de lunes a viernes, de 9 a 18.", "graciasss, chao"),
    ("Que tengas un buen día.", "Igualmente, gracias"),
    ("Sua mesa está reservada.", "Obrigada!"),
    ("Your table is booked.", "Thank you so much, bye"),
    ("De nada.", "adiós 👋"),
]
"""Likewise, where an answer would say nothing."""
