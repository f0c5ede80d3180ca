"""The signing function against the vectors that Twilio's own libraries publish, and against the SDK's validator."""

import pytest
from twilio.request_validator import RequestValidator

from sandbox.twilio.signature import signature

TOKEN = "12345"
URL = "https://mycompany.com/myapp.php?foo=1&bar=2"
CALL = {
    "CallSid": "CA1234567890ABCDE",
    "Caller": "+14158675309",
    "Digits": "1234",
    "From": "+14158675309",
    "To": "+18005551212",
}
BINDINGS = {"MessagingBinding.Address": ["+1325xxxxxxx", "+1415xxxxxxx"]}
DIGITS = {"Sid": "CA123", "SidAccount": "AC123", "Digits": ["5678", "1234", "1234"]}
HOST = "mycompany.com/myapp.php?foo=1&bar=2"
BODY = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620"
ACCENTS = {"Body": "Hola ñ 👍", "From": "whatsapp:+56911111111", "NumMedia": "0"}


@pytest.mark.parametrize(
    ("url", "fields", "expected"),
    [
        (URL, CALL, "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        ("http://mycompany.com:1234/myapp.php?foo=1&bar=2", CALL, "Zmvh+3yNM1Phv2jhDCwEM3q5ebU="),
        ("https://mycompany.com:443/myapp.php?foo=1&bar=2", CALL, "kvajT1Ptam85bY51eRf/AJRuM3w="),
        ("http://mycompany.com:80/myapp.php?foo=1&bar=2", CALL, "0ZXoZLH/DfblKGATFgpif+LLRf4="),
        (f"https://user:pass@{HOST}", CALL, "CukzLTc1tT5dXEDIHm/tKBanW10="),
        (f"https://user@{HOST}", CALL, "2YRLlVAflCqxaNicjMpJcSTgzSs="),
        (f"{URL}&Body=It's+amazing", CALL, "TfZzewPq8wqrGlMfyAud8+/IvJ0="),
        (URL, DIGITS, "IK+Dwps556ElfBT0I3Rgjkr1wJU="),
        (URL, BINDINGS, "83O6e2vORAoJHUNzJjDWN1jz+BA="),
        (f"{URL}&bodySHA256={BODY}", {}, "a9nBmqA0ju/hNViExpshrM61xv4="),
        ("https://h.example/wh", ACCENTS, "rd2CSU29zHiXaFIzZBpMUxFh8j8="),
    ],
)
def test_a_published_vector_is_signed_alike(url: str, fields: dict[str, str | list[str]], expected: str) -> None:
    assert signature(TOKEN, url, fields) == expected


def test_the_fragment_is_not_signed() -> None:
    assert signature(TOKEN, f"{URL}#rc=3&rp=all", CALL) == signature(TOKEN, URL, CALL)


def test_the_sdks_validator_accepts_it() -> None:
    assert RequestValidator(TOKEN).validate(URL, ACCENTS, signature(TOKEN, URL, ACCENTS))
