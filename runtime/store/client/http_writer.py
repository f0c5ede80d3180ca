"""StoreWriter over the runtime's API, for a reconciler that cannot reach the database (CI)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from runtime.store.client.http import HttpStore, StoreApiError, segment
from runtime.store.codec import from_document, to_document
from runtime.store.errors import FileDiffers, FileTooLarge, LeaseHeld, LeaseLost, NumberTaken, RunDiffers, StoreError
from runtime.store.history_records import Lease, NoticeRecord, RunRecord
from runtime.store.records import AppliedRecord, AssistantRecord, BotRecord
from schemas.media_types import MAX_FILE_BYTES

if TYPE_CHECKING:
    from schemas.reconcile_reports import RecordedReport

WRITE_TIMEOUT_SECONDS = 30
FILE_TIMEOUT_SECONDS = 120
SET_BY_STORE = ("version", "created_at", "updated_at")


class HttpWriter:
    """Writes through `/assistants/`, `/bots/` and `/reconcile/…`; needs a token with the scope `write`."""

    def __init__(self, url: str, token: str | None) -> None:
        self._http = HttpStore(url, token, timeout=WRITE_TIMEOUT_SECONDS)
        self._files = HttpStore(url, token, timeout=FILE_TIMEOUT_SECONDS)

    def put_assistant(self, record: AssistantRecord) -> AssistantRecord:
        """See StoreWriter."""
        answer = self._http.call("PUT", f"/assistants/{segment(record.id)}", _declared(record))
        return from_document(AssistantRecord, answer)

    def delete_assistant(self, assistant_id: str) -> None:
        """See StoreWriter."""
        self._delete(f"/assistants/{segment(assistant_id)}")

    def put_bot(self, record: BotRecord, replacing: str | None = None) -> BotRecord:
        """See StoreWriter."""
        try:
            answer = self._http.call("PUT", f"/bots/{segment(record.id)}", _declared(record), replacing=replacing)
        except StoreApiError as error:
            _raise_number_error(error)
        return from_document(BotRecord, answer)

    def move_numbers(self, numbers: Mapping[str, str], replacing: str | None = None) -> None:
        """See StoreWriter."""
        try:
            self._http.call("PUT", "/reconcile/numbers", {"numbers": dict(numbers), "replacing": replacing})
        except StoreApiError as error:
            _raise_number_error(error)

    def delete_bot(self, bot_id: str) -> None:
        """See StoreWriter."""
        self._delete(f"/bots/{segment(bot_id)}")

    def has_file(self, sha256: str) -> bool:
        """See StoreWriter."""
        try:
            self._http.call("GET", f"/files/{segment(sha256)}")
        except StoreApiError as error:
            if error.status == 404:
                return False
            raise
        return True

    def put_file(self, sha256: str, content: Iterable[bytes]) -> None:
        """See StoreWriter."""
        whole = b"".join(content)
        if len(whole) > MAX_FILE_BYTES:
            raise FileTooLarge(MAX_FILE_BYTES)
        try:
            self._files.put_content(f"/files/{segment(sha256)}", whole)
        except StoreApiError as error:
            if error.error.get("code") == "file_differs":
                raise FileDiffers(sha256) from error
            raise

    def delete_unnamed_files(self) -> int:
        """See StoreWriter. A runtime of an earlier release has none."""
        try:
            return int(self._http.call("DELETE", "/files/")["deleted"])
        except StoreApiError as error:
            if error.status in (404, 405):
                return 0
            raise

    def record_applied(self, record: AppliedRecord) -> None:
        """See StoreWriter."""
        body = {"live_id": record.live_id, "values": record.values, "applied_at": record.applied_at}
        self._http.call("PUT", f"/reconcile/applied/{segment(record.client)}/{segment(record.kind)}", body)

    def forget_applied(self, client: str, kind: str) -> None:
        """See StoreWriter."""
        self._delete(f"/reconcile/applied/{segment(client)}/{segment(kind)}")

    def rename_client(self, former: str, client: str, managed_by: str | None) -> None:
        """See StoreWriter."""
        self._http.call("PUT", f"/reconcile/clients/{segment(client)}", {"formerly": former, "managed_by": managed_by})

    def acquire_lease(self, owner: str, ttl_seconds: float) -> Lease:
        """See StoreWriter."""
        return self._lease("POST", owner, ttl_seconds)

    def renew_lease(self, owner: str, ttl_seconds: float) -> Lease:
        """See StoreWriter."""
        return self._lease("PUT", owner, ttl_seconds)

    def release_lease(self, owner: str, *, force: bool = False) -> None:
        """See StoreWriter."""
        self._http.call("DELETE", "/reconcile/lease", owner=owner, force="true" if force else None)

    def start_run(self, record: RunRecord) -> None:
        """See StoreWriter."""
        try:
            self._http.call("POST", "/reconcile/runs", to_document(record))
        except StoreApiError as error:
            if error.error.get("code") == "run_differs":
                raise RunDiffers(record.id, str(error.error.get("field"))) from error
            raise

    def finish_run(self, record: RunRecord) -> None:
        """See StoreWriter."""
        self._http.call("PUT", f"/reconcile/runs/{segment(record.id)}", to_document(record))

    def record_report(self, report: RecordedReport) -> None:
        """See StoreWriter."""
        try:
            self._http.call("POST", "/reconcile/reports", report.model_dump(mode="json"))
        except StoreApiError as error:
            if error.status in (404, 405):
                raise StoreError("the runtime is of an earlier release, which records no reports") from error
            raise

    def runs(self, limit: int = 20) -> Sequence[RunRecord]:
        """See StoreWriter."""
        return [from_document(RunRecord, run) for run in self._http.call("GET", "/reconcile/runs", limit=limit)]

    def claim_notice(self, channel: str, finding: str, fingerprint: str | None, owner: str, ttl_seconds: float) -> bool:
        """See StoreWriter."""
        body = {"fingerprint": fingerprint, "owner": owner, "ttl_seconds": ttl_seconds}
        return bool(self._http.call("POST", f"{_notice(channel, finding)}/claim", body)["claimed"])

    def release_claim(self, channel: str, finding: str, owner: str) -> None:
        """See StoreWriter."""
        self._http.call("DELETE", f"{_notice(channel, finding)}/claim", owner=owner)

    def put_notice(self, record: NoticeRecord) -> None:
        """See StoreWriter."""
        body = {"fingerprint": record.fingerprint, "notified_at": record.notified_at}
        self._http.call("PUT", _notice(record.channel, record.finding), body)

    def forget_notice(self, channel: str, finding: str) -> None:
        """See StoreWriter."""
        self._delete(_notice(channel, finding))

    def close(self) -> None:
        """See StoreWriter."""
        self._http.close()
        self._files.close()

    def _delete(self, path: str) -> None:
        try:
            self._http.call("DELETE", path)
        except StoreApiError as error:
            if error.status != 404:
                raise

    def _lease(self, method: str, owner: str, ttl_seconds: float) -> Lease:
        try:
            answer = self._http.call(method, "/reconcile/lease", {"owner": owner, "ttl_seconds": ttl_seconds})
        except StoreApiError as error:
            _raise_lease_error(error, owner)
        return from_document(Lease, answer)


def _raise_number_error(error: StoreApiError) -> NoReturn:
    if error.error.get("code") == "number_taken":
        raise NumberTaken(str(error.error.get("number")), str(error.error.get("bot_id"))) from error
    raise error


def _raise_lease_error(error: StoreApiError, owner: str) -> NoReturn:
    if error.error.get("code") == "lease_held":
        raise LeaseHeld(from_document(Lease, error.error)) from error
    if error.error.get("code") == "lease_lost":
        raise LeaseLost(owner) from error
    raise error


def _notice(channel: str, finding: str) -> str:
    return f"/reconcile/notices/{segment(channel)}/{segment(finding)}"


def _declared(record: AssistantRecord | BotRecord) -> dict[str, Any]:
    """The fields that the caller sets; the store fills in the others."""
    return {key: value for key, value in to_document(record).items() if key not in SET_BY_STORE and key != "id"}
