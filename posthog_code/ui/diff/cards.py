"""Which cards stand where, and keeping the widgets at their places. Only cards in view are widgets."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from PySide6.QtWidgets import QApplication

from posthog_code.domain.diff_index import Row
from posthog_code.domain.ids import CommentId
from posthog_code.domain.review import Comment
from posthog_code.ui.diff.comments import CardBase, CommentCard, CommentDraft, DraftCard
from posthog_code.ui.diff.selecting import Selecting
from posthog_code.ui.diff.surface import Surface

_PAD = 8
"""Above and below a card."""
_GUESS = 74
_MARGIN = 400
"""Cards this far outside of the view are kept ready."""

DraftKey = tuple[str, str, int, int]
Key = CommentId | DraftKey


class CardLayer:
    """The comments and drafts of one view."""

    def __init__(self, view: Surface, selecting: Selecting, now: Callable[[], float]) -> None:
        self._view, self._selecting, self._now = view, selecting, now
        self.drafts: dict[DraftKey, CommentDraft] = {}
        self._editing: dict[CommentId, DraftCard] = {}
        self._widgets: dict[Key, CardBase] = {}
        self._heights: dict[Key, int] = {}
        self._places: dict[int, list[Key]] = {}
        self._sides: dict[Key, str] = {}
        self._by_id: dict[CommentId, Comment] = {}

    # ---- what there is

    def set_comments(self, comments: Iterable[Comment]) -> None:
        before, self._view.comments = self._by_id, tuple(comments)
        self._by_id = {comment.id: comment for comment in self._view.comments}
        for comment_id in list(before):
            if self._by_id.get(comment_id) != before[comment_id]:
                self._drop(comment_id)
                self._editing.pop(comment_id, None)
        self.place()

    def add_draft(self, draft: CommentDraft) -> DraftCard:
        """Open an editor, or go on with the one that is there for these lines."""
        self.drafts.setdefault(draft.key, draft)
        self.place()
        return self._draft_card(draft.key)

    def edit(self, comment_id: CommentId) -> None:
        """Turn a pending comment into its editor."""
        comment = self._by_id.get(comment_id)
        if comment is None or comment_id in self._editing:
            return
        self._drop(comment_id)
        draft = CommentDraft(comment.path, comment.side, comment.start, comment.end, comment.code, comment.text)
        card = DraftCard(draft, self._view.viewport(), edits=True)
        card.submitted.connect(lambda new, _now: self._save(comment_id, new))
        card.cancelled.connect(lambda _old: self._leave(comment_id))
        card.resized.connect(self.measure_all)
        self._editing[comment_id] = self._widgets[comment_id] = card
        self.place()
        card.editor.setFocus()
        card.editor.selectAll()

    def comment_on(self, first: int, last: int, side: str = "") -> None:
        """Open the editor for the lines between two places."""
        view = self._view
        draft = self._selecting.draft(first, last, side)
        if draft is None:
            return
        card = self.add_draft(draft)
        place = self.place_of(draft.key)
        if place >= 0:
            self.measure_all()
            view.ensure_visible(place)
            bottom = view.geometry_index.top(place) + view.geometry_index.row_height(place)
            need = bottom + self._heights.get(draft.key, _GUESS) + 2 * _PAD - view.viewport().height()
            if need > view.scroll_top():
                view.verticalScrollBar().setValue(need)
        self.arrange()
        card.editor.setFocus()
        view.viewport().update()

    def comment_on_hunk(self, number: int) -> None:
        """Open the editor for the changed lines of a hunk."""
        view = self._view
        hunk = view.index.hunk(number)
        changed = (Row.ADDED, Row.REMOVED)
        rows = [row for row in range(hunk.row + 1, hunk.end_row) if view.index.kinds[row] in changed]
        if rows:
            self.comment_on(view.places.place_of(rows[0]), view.places.place_of(rows[-1]))

    def draft_texts(self) -> tuple[CommentDraft, ...]:
        """Open drafts with what has been typed so far."""
        return tuple(self._current(key) for key in self.drafts)

    def _current(self, key: DraftKey) -> CommentDraft:
        card = self._widgets.get(key)
        return card.current() if isinstance(card, DraftCard) else self.drafts[key]

    def place_of(self, key: Key) -> int:
        """Where a comment or draft stands; -1 when it does not."""
        return next((place for place, keys in self._places.items() if key in keys), -1)

    def comment_places(self) -> list[int]:
        return sorted(self._places)

    # ---- where they stand

    def place(self) -> None:
        """Find the places of all cards anew: the diff, the comments or the drafts have changed."""
        view, index = self._view, self._view.index
        self._places.clear()
        self._sides.clear()
        anchors: list[tuple[Key, str, str, int]] = [(c.id, c.path, c.side, c.end) for c in view.comments]
        anchors += [(key, key[0], key[1], key[3]) for key in self.drafts]
        for key, path, side, line in anchors:
            row = index.find_line(path, side, line)
            if row < 0:
                file = index.find_file(path)
                if file < 0 or not index.files[file].end:
                    continue  # not read yet
                row = index.files[file].row
                side = ""
            self._places.setdefault(view.places.place_of(row), []).append(key)
            self._sides[key] = side
        shown = set(self._sides)
        for key in [key for key in self._widgets if key not in shown]:
            if key in self.drafts and isinstance(key, tuple):
                self.drafts[key] = self._current(key)
            self._drop(key)
        self._give_room()

    def _give_room(self) -> None:
        room = {
            place: sum(self._heights.get(key, _GUESS) for key in keys) + _PAD * (len(keys) + 1)
            for place, keys in self._places.items()
        }
        self._view.set_card_room(room)

    def measure_all(self) -> None:
        """Take the heights of the widgets that are there."""
        if self._measure(self._widgets):
            self._give_room()
            self._view.viewport().update()

    def _measure(self, keys: Iterable[Key]) -> bool:
        changed = False
        for key in list(keys):
            height = self._widgets[key].wanted_height(self._span(key)[1])
            if self._heights.get(key) != height:
                self._heights[key] = height
                changed = True
        return changed

    def _span(self, key: Key) -> tuple[int, int]:
        """Left edge and width of a card."""
        columns = self._view.columns
        half = columns.half(self._sides.get(key, "new") or "new") if columns.split else columns.new
        left = half.numbers + 2
        return left, max(200, half.right - left - 10)

    def arrange(self) -> None:
        """Put the cards of what is in view at their places; make and drop widgets on the way."""
        if not self._places:
            return
        view = self._view
        top, height = view.scroll_top(), view.viewport().height()
        for _ in range(4):  # making a card may show that it needs other room than was guessed
            near = self._near(top - _MARGIN, top + height + _MARGIN)
            fresh = [key for key in near if key not in self._widgets]
            for key in fresh:
                self._make(key)
            if not self._measure(near):
                break
            self._give_room()
        focused = QApplication.focusWidget()
        for key, widget in list(self._widgets.items()):
            if key not in near and not (focused and widget.isAncestorOf(focused)):
                if isinstance(widget, DraftCard):
                    widget.hide()
                else:
                    self._drop(key)
        for key, y in near.items():
            left, width = self._span(key)
            widget = self._widgets[key]
            widget.setGeometry(left, y - top, width, self._heights[key])
            widget.show()

    def _near(self, top: int, bottom: int) -> dict[Key, int]:
        geometry = self._view.geometry_index
        found: dict[Key, int] = {}
        for place, keys in self._places.items():
            if geometry.is_hidden(place):
                continue
            y = geometry.top(place) + geometry.row_height(place) + _PAD
            if self._view.is_folded(place):
                continue
            for key in keys:
                height = self._heights.get(key, _GUESS)
                if y + height >= top and y <= bottom:
                    found[key] = y
                y += height + _PAD
        return found

    # ---- widgets

    def _make(self, key: Key) -> CardBase:
        if isinstance(key, tuple):
            return self._draft_card(key)
        comment = self._by_id[key]
        card = CommentCard(comment, self._now, self._view.viewport(), lost=not self._sides.get(key))
        card.editAsked.connect(self.edit)
        card.discardAsked.connect(self._view.commentDiscarded)
        card.resolveAsked.connect(self._view.commentResolved)
        self._widgets[key] = card
        return card

    def _draft_card(self, key: DraftKey) -> DraftCard:
        card = self._widgets.get(key)
        if not isinstance(card, DraftCard):
            card = DraftCard(self.drafts[key], self._view.viewport())
            card.submitted.connect(self._submit)
            card.cancelled.connect(self._cancel)
            card.resized.connect(self.measure_all)
            card.editor.textChanged.connect(self._view.draftsChanged)
            self._widgets[key] = card
        return card

    def _drop(self, key: Key) -> None:
        widget = self._widgets.pop(key, None)
        self._heights.pop(key, None)
        if widget is not None:
            widget.hide()
            widget.deleteLater()

    def _submit(self, draft: CommentDraft, send_now: bool) -> None:
        self._close(draft)
        self._view.commentWritten.emit(draft, send_now)

    def _cancel(self, draft: CommentDraft) -> None:
        self._close(draft)

    def _close(self, draft: CommentDraft) -> None:
        self.drafts.pop(draft.key, None)
        self._drop(draft.key)
        self.place()
        self._view.draftsChanged.emit()
        self._view.setFocus()

    def _save(self, comment_id: CommentId, draft: CommentDraft) -> None:
        self._leave(comment_id)
        self._view.commentEdited.emit(comment_id, draft.text)

    def _leave(self, comment_id: CommentId) -> None:
        self._editing.pop(comment_id, None)
        self._drop(comment_id)
        self.place()
        self._view.setFocus()
