"""The country of a WhatsApp user, as Meta's prices know it: that of the calling code, or the prefix of a user id that
hides the number.
"""

from functools import lru_cache

_NO_COUNTRY = ((), ("001",))
"""The regions of a code that is not assigned, and of one that is that of an international network."""


@lru_cache(maxsize=100_000)
def country_of(user: str) -> str | None:
    """The ISO code for a number like +56912345678 or a user id like CL.1A2B3C; None where a code is of no country."""
    if not user.startswith("+"):
        return user[:2]
    import phonenumbers  # takes a while, and is needed by those only who ask for prices

    digits = user[1:]
    codes = phonenumbers.COUNTRY_CODE_TO_REGION_CODE
    regions = next((found for length in (1, 2, 3) if (found := codes.get(int(digits[:length])))), ())
    if len(regions) > 1:  # such as +1 and +44, where the digits that follow decide
        return phonenumbers.region_code_for_number(phonenumbers.parse(user)) or regions[0]
    return None if regions in _NO_COUNTRY else regions[0]
