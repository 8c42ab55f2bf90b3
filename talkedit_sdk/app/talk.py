"""What happens in the tab that makes faces talk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder

from talkedit_sdk.app import texts, widgets, words
from talkedit_sdk.app.gpu import Speaker
from talkedit_sdk.app.limits import Limits
from talkedit_sdk.app.line import Line, read_out
from talkedit_sdk.app.replies import Updates, quiet, served, sorry
from talkedit_sdk.app.session import Session
from talkedit_sdk.app.studio import Outcome, Step
from talkedit_sdk.app.talk_layout import TalkPage
from talkedit_sdk.errors import InputNotFoundError, OptionError


class Talking:
    """The events of the tab: one line is spoken at a time, whoever asks."""

    def __init__(self, page: TalkPage, speaker: Speaker, limits: Limits) -> None:
        self.page, self._speak, self._limits = page, speaker, limits

    def connect(self) -> None:
        """Ties the events to what they do."""
        page = self.page
        state = [page.session, page.notice, page.bar, page.talk, page.cancel, page.results, page.film]
        told: list[Any] = [*state, page.download, page.report]
        # The files themselves are wanted, not what Gradio makes of them: no decoding outside of the SDK.
        page.talk.click(
            self.start, [page.session, *page.script.values], state, preprocess=False, queue=False, **quiet()
        ).success(
            self.speak, [page.session, *page.script.values], told, preprocess=False, concurrency_limit=1,
            concurrency_id="render", **quiet(),
        )  # fmt: skip
        page.cancel.click(self.cancel, page.session, None, queue=False, **quiet())

    def start(self, before: Session | None, *values: Any) -> Updates:
        """Somebody asks for a line, and may have to wait for others to be served."""
        page = self.page
        try:
            session = self._open(values)
        except Exception as error:
            return self._end() | {page.session: None} | sorry(page, error)
        finally:
            if before is not None:
                before.close()  # after the next one has its hands on the uploads, which are mostly the same
        return {
            page.session: session,
            page.notice: gr.HTML(visible=False),
            page.talk: gr.Button(visible=False),
            page.cancel: gr.Button(visible=True),
            page.results: gr.Column(visible=False),
            page.film: None,
            page.bar: widgets.bar_value(Step(None, 0, None), texts.WAITING),
        }

    def _open(self, values: tuple[Any, ...]) -> Session:
        by_photo, photo, video, by_text, audio, *_ = values
        face = photo if by_photo else video
        if face is None:
            raise OptionError(texts.NO_FACE_GIVEN)
        if audio is None and not by_text:
            raise OptionError(texts.NO_VOICE_GIVEN)
        session = Session(Path(face["path"]), Path(get_upload_folder()))
        if audio is not None:
            session.voice = session.bring(Path(audio["path"]), "voice")
        return session

    def speak(self, session: Session | None, *values: Any) -> Iterator[Any]:
        """The whole line, with everything to take home."""
        page = self.page
        if session is None:
            yield gr.skip()
            return
        try:
            if not session.open:
                raise InputNotFoundError(texts.SESSION_OVER)
            line = self._line(session, values)
            line.check(self._limits)
            target = session.folder / f"{session.stem}.talk.mp4"
            for step in self._speak(line, target, session.stop_file):
                if isinstance(step, Step):
                    yield {page.bar: widgets.bar_value(step, texts.TALKING)}
                else:
                    yield self._end() | self._spoken(step)
        except Exception as error:
            yield self._end() | sorry(page, error, session)

    def _line(self, session: Session, values: tuple[Any, ...]) -> Line:
        _, _, _, by_text, _, text, language, timbre, *manner = values
        spoken = session.voice
        if by_text or spoken is None:
            spoken = read_out(text or "", f"{language}{timbre}", session.folder / "text.wav")
        return Line.checked(session.video, spoken, *manner)

    def _spoken(self, outcome: Outcome) -> Updates:
        page = self.page
        return {
            page.results: gr.Column(visible=True),
            page.film: served(outcome.path),
            page.download: gr.DownloadButton(value=str(outcome.path)),
            page.report: words.report(outcome.report),
        }

    def _end(self) -> Updates:
        page = self.page
        return {page.bar: None, page.talk: gr.Button(visible=True), page.cancel: gr.Button(visible=False)}

    def cancel(self, session: Session | None) -> None:
        """The work of this visitor ends."""
        if session is not None and session.open:
            session.stop()
