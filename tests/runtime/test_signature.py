"""Twilio's published signature vectors, and agreement with Twilio's own validator."""

import json
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from runtime.inbound.signature import algorithm_of, is_signed, signature

TOKEN = "12345"
URL = "https://mycompany.com/myapp.php?foo=1&bar=2"
CALL = {
    "CallSid": ["CA1234567890ABCDE"],
    "Caller": ["+14158675309"],
    "Digits": ["1234"],
    "From": ["+14158675309"],
    "To": ["+18005551212"],
}


@pytest.mark.parametrize(
    ("url", "params", "expected"),
    [
        (URL, CALL, "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        (URL.replace("https", "http").replace(".com", ".com:1234"), CALL, "Zmvh+3yNM1Phv2jhDCwEM3q5ebU="),
        (URL.replace(".com", ".com:443"), CALL, "kvajT1Ptam85bY51eRf/AJRuM3w="),
        (URL.replace("https", "http").replace(".com", ".com:80"), CALL, "0ZXoZLH/DfblKGATFgpif+LLRf4="),
        (URL.replace("//", "//user:pass@"), CALL, "CukzLTc1tT5dXEDIHm/tKBanW10="),
        (URL.replace("//", "//user@"), CALL, "2YRLlVAflCqxaNicjMpJcSTgzSs="),
        (URL.replace("//", "//user:pass@").replace(".com", ".com:443"), CALL, "ZQFR1PTIZXF2MXB8ZnKCvnnA+rI="),
        (URL + "&Body=It%27s+amazing", CALL, "TfZzewPq8wqrGlMfyAud8+/IvJ0="),
        (
            URL,
            {"MessagingBinding.Address": ["+1415xxxxxxx", "+1325xxxxxxx"]},
            "83O6e2vORAoJHUNzJjDWN1jz+BA=",
        ),
        (
            URL,
            {"Sid": ["CA123"], "SidAccount": ["AC123"], "Digits": ["5678", "1234", "1234"]},
            "IK+Dwps556ElfBT0I3Rgjkr1wJU=",
        ),
        (
            "https://h.example/wh",
            {"Body": ["Hola ñ 👍"], "From": ["whatsapp:+56911111111"], "NumMedia": ["0"]},
            "rd2CSU29zHiXaFIzZBpMUxFh8j8=",
        ),
    ],
)
def test_published_vector(url: str, params: dict[str, list[str]], expected: str) -> None:
    assert signature(TOKEN, url, params) == expected
    assert is_signed(expected, [TOKEN], url, params)


@pytest.mark.parametrize(
    ("query", "expected"),
    [("foo=1&bar=2&", "a9nBmqA0ju/hNViExpshrM61xv4="), ("", "y77kIzt2vzLz71DgmJGsen2scGs=")],
)
def test_published_vector_of_a_json_body(query: str, expected: str) -> None:
    body = b'{"property": "value", "boolean": true}'
    url = f"https://mycompany.com/myapp.php?{query}bodySHA256={sha256(body).hexdigest()}"
    assert is_signed(expected, [TOKEN], url, {}, body=body)
    assert not is_signed(expected, [TOKEN], url, {}, body=body + b" ")


def test_hmac_sha256_vector() -> None:
    expected = "033hgUJA9M/hXIZsYjwkerEP/DBm35nEri5FhCYjA5s="
    assert is_signed(expected, [TOKEN], URL, CALL, algorithm="sha256")
    assert not is_signed(expected, [TOKEN], URL, CALL)


@pytest.mark.parametrize("port", ["", ":443", ":1234"])
def test_the_url_may_be_signed_with_or_without_its_port(port: str) -> None:
    assert is_signed("RSOYDt4T1cUTdK1PDd93/VVr8B8=", [TOKEN], URL.replace(".com", f".com{port}"), CALL)


def test_a_fragment_is_no_part_of_the_signature() -> None:
    assert is_signed("RSOYDt4T1cUTdK1PDd93/VVr8B8=", [TOKEN], URL + "#rc=3&rp=all", CALL)


@pytest.mark.parametrize("given_signature", [None, "", "x", "ñ", "RSOYDt4T1cUTdK1PDd93/VVr8B8"])
def test_what_is_no_signature_is_refused_without_an_error(given_signature: str | None) -> None:
    assert not is_signed(given_signature, [TOKEN], URL, CALL)


def test_no_token_signs_nothing() -> None:
    assert not is_signed("RSOYDt4T1cUTdK1PDd93/VVr8B8=", [], URL, CALL)


def test_an_ipv6_host_keeps_its_colons() -> None:
    url = "http://[::1]/webhook"
    assert is_signed(signature(TOKEN, "http://[::1]:80/webhook", CALL), [TOKEN], url, CALL)


def test_the_settings_header_names_the_algorithm() -> None:
    assert algorithm_of("key=webhooks_sharedkey_1,algorithm=HMAC_SHA256") == "sha256"
    assert algorithm_of(None) == "sha1"


names = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=8)


@given(
    params=st.dictionaries(names, st.lists(names, min_size=1, max_size=3), max_size=6),
    path=st.text("abc%27/", max_size=9),
)
def test_agrees_with_twilio_s_validator(params: dict[str, list[str]], path: str) -> None:
    class Form(dict[str, list[str]]):
        def getall(self, name: str) -> list[str]:
            return self[name]

    url = f"https://h.example/{path}"
    validator = RequestValidator(TOKEN)
    assert signature(TOKEN, url, params) == validator.compute_signature(url, Form(params))
    assert validator.validate(url, Form(params), signature(TOKEN, url, params)), json.dumps(params)
