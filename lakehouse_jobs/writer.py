"""Committing to Iceberg tables behind a fence: one commit for each table and batch, the fence inside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyarrow as pa
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from lakehouse_jobs import fences, lake
from lakehouse_jobs.routes import Rows
from riverhouse.logs import logger

log = logger(__name__)


class FencedTable:
    """A table that takes each position of a log once, however often it is offered.

    The fence is read from the metadata that the commit is checked against, so a commit is a compare-and-swap: where
    another writer came first it fails, and the fence is read again.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._table: Table = lake.catalog().load_table(name)

    def append(self, rows: Rows) -> int:
        """Append the rows that are above the fence; how many those were."""

        def commit() -> int:
            keep, fence = fences.advance(fences.read(self._table), rows.logs, rows.positions)
            new = int(keep.sum())
            if new:
                data = rows.data if new == len(keep) else rows.data.filter(pa.array(keep))
                self._table.append(data, snapshot_properties={fences.FENCE: fences.dump(fence)})
            return new

        return self._commit(commit)

    def replace(self, old: Sequence[DataFile], new: Sequence[DataFile]) -> bool:
        """Put the files `new` in the place of `old`, which hold the same rows; the fence stays.

        False, and nothing is done, where some of `old` are gone: another writer has replaced them, and PyIceberg would add
        `new` all the same.
        """

        def commit() -> int:
            if old and not {f.file_path for f in old} <= self._files():
                log.info("already_replaced", table=self.name, files=len(old))
                return 0
            with self._table.transaction() as transaction:
                fence = {fences.FENCE: fences.dump(fences.read(self._table))}
                with transaction.update_snapshot(snapshot_properties=fence).overwrite() as snapshot:
                    for file in old:
                        snapshot.delete_data_file(file)
                    for file in new:
                        snapshot.append_data_file(file)
            return 1

        return bool(self._commit(commit))

    def _files(self) -> set[str]:
        """The data files of the snapshot that the next commit is checked against."""
        return {task.file.file_path for task in self._table.scan().plan_files()}

    def restamp(self) -> bool:
        """Give the newest snapshot a fence where it has none (another tool committed): expiry may then remove the older ones."""
        self._table.refresh()
        snapshot, fence = self._table.current_snapshot(), fences.read(self._table)
        if not fence or (snapshot and snapshot.summary and fences.FENCE in snapshot.summary.additional_properties):
            return False
        self.replace([], [])
        return True

    def fresh(self) -> Table:
        """The table as it is now, as an object of its own."""
        return lake.catalog().load_table(self.name)

    @retry(
        retry=retry_if_exception_type(CommitFailedException),
        wait=wait_random_exponential(multiplier=0.05, max=2),
        stop=stop_after_attempt(20),
        reraise=True,
    )
    def _commit(self, change: Callable[[], int]) -> int:
        with lake.lock(self.name):
            try:
                return change()
            except CommitFailedException:
                log.info("commit_conflict", table=self.name)
                self._table.refresh()
                raise
